package store_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

func TestProtectedSkippedAtImportAndSend(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		fast(t, s)
		app := storetest.App.ID
		added, err := s.Protect(ctx, operator, app, "VIP", []string{"bob", "ann", "ann"})
		require.NoError(t, err)
		require.Equal(t, 2, added)
		j, err := storetest.Draft(s, operator, store.NewJob{}, "account\nann\ncid\nann\ndan\n")
		require.NoError(t, err)
		require.Equal(t, []int64{4, 2, 2}, []int64{j.Rows, j.Protected, j.Accounts})
		_, aside := rowsOf(t, s, j.ID)
		require.Equal(t, []string{"1 2 protected ann 0", "3 4 protected ann 0"}, aside)
		requireSums(t, s)

		// The list has changed since: the file is read again before it can be started.
		require.NoError(t, s.Unprotect(ctx, operator, app, "ann"))
		require.True(t, store.FaultNotProtected.Is(s.Unprotect(ctx, operator, app, "ann")))
		_, err = s.StartJob(ctx, operator, j.ID, store.Start{Confirm: 2})
		require.True(t, store.FaultProtectedNew.Is(err), "%v", err)
		require.NoError(t, storetest.ReadAll(s))
		j, err = s.StartJob(ctx, operator, j.ID, store.Start{Confirm: 3})
		require.NoError(t, err)
		require.Equal(t, []int64{4, 0, 1, 3}, []int64{j.Rows, j.Protected, j.Duplicate, j.Accounts})

		// It changes once more while the job runs.
		_, err = s.Protect(ctx, operator, app, "VIP", []string{"dan"})
		require.NoError(t, err)
		claims := claim(t, s, tim.RemoveAllTags, 10)
		require.Len(t, claims, 1)
		require.Equal(t, []jobs.Pending{{Seq: 1, Account: "ann"}, {Seq: 2, Account: "cid"}}, claims[0].Accounts)
		requireSums(t, s)
		settle(t, s, jobs.Settlement{Claim: claims[0], Answer: answered(0), Rest: jobs.Cleared})
		j, err = s.Job(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Finished, int64(4), int64(1), int64(1), int64(2)}, []any{j.State, j.Rows, j.Protected, j.Duplicate, j.Accounts})
		accounts, aside := rowsOf(t, s, j.ID)
		require.Equal(t, []string{"1 ann", "2 cid"}, accounts)
		require.Equal(t, []string{"3 4 duplicate ann 1", "4 5 protected dan 0"}, aside)
		requireSums(t, s)

		entries, err := s.AuditEntries(ctx, store.AuditFilter{Limit: 100})
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(entries, func(e audit.Entry) bool {
			return e.Code == audit.AccountsProtected && fmt.Sprint(e.Details["accounts"]) == "[ann bob]"
		}))
	})
}

func TestProtectedOnlyJobMakesNoCall(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		j := start(t, s, draft(t, s, 3))
		_, err := s.Protect(ctx, operator, storetest.App.ID, "", []string{"user_00001", "user_00002", "user_00003"})
		require.NoError(t, err)
		require.Empty(t, claim(t, s, tim.RemoveAllTags, 10))
		j, err = s.Job(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Finished, int64(3), int64(0), int64(0)}, []any{j.State, j.Protected, j.Accounts, j.Calls})
		requireSums(t, s)
	})
}

func TestProtectedAfterSendIsNotResent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		fast(t, s)
		j := start(t, s, draft(t, s, 2))
		lost := claim(t, s, tim.RemoveAllTags, 10)[0]
		settle(t, s, jobs.Settlement{Claim: lost, Answer: tim.Answer{Delivery: tim.Lost}, Rest: jobs.InDoubt})
		_, err := s.Protect(ctx, operator, storetest.App.ID, "VIP", []string{"user_00001"})
		require.NoError(t, err)
		back := claim(t, s, tim.GetTags, 10)[0]
		settle(t, s, jobs.Settlement{Claim: back, Answer: answered(0), Rest: jobs.Waiting})
		again := claim(t, s, tim.RemoveAllTags, 10)
		require.Len(t, again, 1)
		require.Equal(t, []jobs.Pending{{Seq: 2, Account: "user_00002"}}, again[0].Accounts)
		settle(t, s, jobs.Settlement{Claim: again[0], Answer: answered(0), Rest: jobs.Cleared})
		j, err = s.Job(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Finished, int64(2), int64(0), int64(1), int64(1)}, []any{j.State, j.Accounts, j.Protected, j.Counts[jobs.Cleared], j.Counts[jobs.Failed]})
		found, err := s.FindAccounts(ctx, "user_00001", 1)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Failed, jobs.CodeProtected}, []any{found[0].Outcome, found[0].Code})
		requireSums(t, s)
	})
}

// The first accounts of a job are sent before the others of their batch.
func TestProtectedBehindGateIsUnsent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		j := start(t, s, draft(t, s, 20))
		settle(t, s, cleared(claim(t, s, tim.RemoveAllTags, 1)[0]))
		_, err := s.Protect(ctx, operator, storetest.App.ID, "VIP", []string{"user_00005"})
		require.NoError(t, err)
		require.Len(t, claim(t, s, tim.RemoveAllTags, 1)[0].Accounts, 8)
		j, err = s.Job(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []int64{19, 1, 0}, []int64{j.Accounts, j.Protected, j.Counts[jobs.Failed]})
		requireSums(t, s)
	})
}

func TestProtectedListRereadKeepsDraft(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		const header = "user_id,member\n"
		j, err := storetest.Draft(s, operator, store.NewJob{}, header+"ann,m1\nbob,m2\n")
		require.NoError(t, err)
		// A colleague says something else about files with this header, and the list changes.
		other, err := storetest.Draft(s, operator, store.NewJob{}, header+"cid,m3\n")
		require.NoError(t, err)
		_, err = s.Reread(ctx, operator, other.ID, accountsIn(2))
		require.NoError(t, err)
		require.NoError(t, storetest.ReadAll(s))
		_, err = s.Protect(ctx, operator, storetest.App.ID, "VIP", []string{"eve"})
		require.NoError(t, err)
		_, err = s.StartJob(ctx, operator, j.ID, store.Start{Confirm: 2, Reading: j.Reading})
		require.True(t, store.FaultProtectedNew.Is(err), "%v", err)
		require.NoError(t, storetest.ReadAll(s))
		names, _ := rowsOf(t, s, j.ID)
		require.Equal(t, []string{"1 ann", "2 bob"}, names)
		// What the person saw was the reading before.
		_, err = s.StartJob(ctx, operator, j.ID, store.Start{Confirm: 2, Reading: j.Reading})
		require.True(t, jobs.FaultReadAgain.Is(err), "%v", err)
		j, err = s.Job(ctx, j.ID)
		require.NoError(t, err)
		_, err = s.StartJob(ctx, operator, j.ID, store.Start{Confirm: 2, Reading: j.Reading})
		require.NoError(t, err)
	})
}
