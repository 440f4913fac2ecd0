package jobs_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store"
	"tagsweep/internal/tim/timtest"
)

func TestProtectedSkippedAtImportAndSend(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		app := jobstest.App.ID
		added, err := s.Protect(ctx, operator, app, "VIP", []string{"bob", "ann", "ann"})
		require.NoError(t, err)
		require.Equal(t, 2, added)
		j, err := jobstest.Draft(s, operator, jobs.Upload{}, "user_id\nann\ncid\nann\ndan\n")
		require.NoError(t, err)
		require.Equal(t, []int64{4, 2, 2}, []int64{j.Rows, j.Protected, j.Accounts})
		_, aside := rowsOf(t, s, j.ID)
		require.Equal(t, []string{"1 2 protected ann 0", "3 4 protected ann 0"}, aside)
		requireSums(t, s)

		// The list has changed since: the file is read again before it can be started.
		require.NoError(t, s.Unprotect(ctx, operator, app, "ann"))
		require.True(t, jobs.FaultNotProtected.Is(s.Unprotect(ctx, operator, app, "ann")))
		_, err = s.Start(ctx, operator, j.ID, jobs.StartRequest{Confirm: 2})
		require.True(t, jobs.FaultProtectedNew.Is(err), "%v", err)
		require.NoError(t, jobstest.ReadAll(s))
		j, err = s.Start(ctx, operator, j.ID, jobs.StartRequest{Confirm: 3})
		require.NoError(t, err)
		require.Equal(t, []int64{4, 0, 1, 3}, []int64{j.Rows, j.Protected, j.Duplicate, j.Accounts})

		// It changes once more while the job runs.
		_, err = s.Protect(ctx, operator, app, "VIP", []string{"dan"})
		require.NoError(t, err)
		setAside(t, s, j.ID, 1, []int64{3}, nil)
		requireSums(t, s)
		carry(t, s, j.ID, jobstest.Came{Rest: jobs.Cleared}, 1)
		j, err = s.Get(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Finished, int64(4), int64(1), int64(1), int64(2)},
			[]any{j.State, j.Rows, j.Protected, j.Duplicate, j.Accounts})
		accounts, aside := rowsOf(t, s, j.ID)
		require.Equal(t, []string{"1 ann", "2 cid"}, accounts)
		require.Equal(t, []string{"3 4 duplicate ann 1", "4 5 protected dan 0"}, aside)
		requireSums(t, s)

		entries, err := s.Audit.Entries(ctx, audit.Filter{Limit: 100})
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(entries, func(e audit.Entry) bool {
			return e.Code == audit.AccountsProtected && fmt.Sprint(e.Details["accounts"]) == "[ann bob]"
		}))
	})
}

// setAside takes protected accounts out of a batch that waits, as a claim does.
func setAside(t checker, s *jobstest.Console, jobID string, number int64, untouched, touched []int64) {
	t.Helper()
	require.NoError(t, s.DB.Tx(ctx, func(tx *store.Tx) error {
		var text string
		if err := tx.QueryRowContext(ctx, `SELECT accounts FROM planned_batches WHERE job_id = $1 AND number = $2`, jobID,
			number).Scan(&text); err != nil {
			return err
		}
		plan, err := jobs.ReadPlannedBatch(number, text)
		if err == nil {
			err = s.SetAside(ctx, tx, jobID, plan, untouched, touched)
		}
		if err == nil {
			err = s.Advance(ctx, tx, jobID)
		}
		return err
	}))
}

func TestProtectedOnlyJobMakesNoCall(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		j := start(t, s, draft(t, s, 3))
		_, err := s.Protect(ctx, operator, jobstest.App.ID, "", []string{"user_00001", "user_00002", "user_00003"})
		require.NoError(t, err)
		run(t, s, timtest.Faults{})
		j = enginetest.Ended(t, s, j.ID)
		require.Equal(t, []any{jobs.Finished, int64(3), int64(0), int64(0)}, []any{j.State, j.Protected, j.Accounts, j.Calls})
		requireSums(t, s)
	})
}

// What a call may have changed stays an account of the job: it is not sent again,
// and it is no failure that the list is judged by.
func TestProtectedAfterSendIsNotResent(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := start(t, s, draft(t, s, 2))
		require.True(t, j.Careful)
		h := sent(t, s, j, 1)
		_, err := s.Protect(ctx, operator, jobstest.App.ID, "VIP", []string{"user_00001"})
		require.NoError(t, err)
		require.NoError(t, h.Settle(ctx, jobstest.Came{Rest: jobs.Waiting, Delivery: "lost"}))
		setAside(t, s, j.ID, 1, nil, []int64{1})
		h = sent(t, s, j, 1)
		require.Equal(t, []int64{2}, h.Seqs)
		require.NoError(t, h.Settle(ctx, jobstest.Came{Rest: jobs.Cleared}))
		j = jobNow(t, s, j.ID)
		require.Equal(t, []any{jobs.Finished, int64(2), int64(0), int64(1), int64(1)},
			[]any{j.State, j.Accounts, j.Protected, j.Counts[jobs.Cleared], j.Counts[jobs.Failed]})
		found, err := s.Find(ctx, "user_00001", 1)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Failed, jobs.CodeProtected}, []any{found[0].Outcome, found[0].Code})
		judged, err := s.Count(ctx, `SELECT checked_failed FROM jobs WHERE id = $1`, j.ID)
		require.NoError(t, err)
		require.Equal(t, int64(1), judged, "no failure that is still to be judged")
		requireSums(t, s)
	})
}

// Some of a batch were sent before, others never: each is counted where it belongs.
func TestProtectedIsCountedByWhatWasSent(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		j := start(t, s, draft(t, s, 120))
		h := take(t, s, j.ID, 1)
		require.NoError(t, h.Send(ctx, "remove_all_tags", 1, 2))
		require.NoError(t, h.Settle(ctx,
			jobstest.Came{Rest: jobs.Waiting, Delivery: "lost", Own: []jobstest.Own{{Seq: 2, Outcome: jobs.Cleared}}}))
		setAside(t, s, j.ID, 1, []int64{5, 100}, []int64{1})
		j = jobNow(t, s, j.ID)
		require.Equal(t, []int64{118, 2, 1, 1, 116},
			[]int64{j.Accounts, j.Protected, j.Counts[jobs.Failed], j.Counts[jobs.Cleared], j.Counts[jobs.Waiting]})
		requireSums(t, s)
		_, aside := rowsOf(t, s, j.ID)
		require.Equal(t, []string{"5 6 protected user_00005 0", "100 101 protected user_00100 0"}, aside)
		groups, err := s.SetAsideGroups(ctx, j.ID)
		require.NoError(t, err)
		require.Len(t, groups, 1)
		require.Equal(t, []any{jobs.Protected, int64(2), []int64{5, 100}}, []any{groups[0].Kind, groups[0].Rows, groups[0].First})
		found, err := s.Find(ctx, "user_00005", 1)
		require.NoError(t, err)
		require.Empty(t, found, "it is no account of the job any more")
	})
}

func TestProtectedListRereadKeepsDraft(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		const header = "user_id,member\n"
		j, err := jobstest.Draft(s, operator, jobs.Upload{}, header+"ann,m1\nbob,m2\n")
		require.NoError(t, err)
		j = jobstest.AsSuggested(t, s, j.ID)
		// A colleague says something else about files with this header, and the list changes.
		other, err := jobstest.Draft(s, operator, jobs.Upload{}, header+"cid,m3\n")
		require.NoError(t, err)
		_, err = s.Reread(ctx, operator, other.ID, accountsIn(2))
		require.NoError(t, err)
		require.NoError(t, jobstest.ReadAll(s))
		_, err = s.Protect(ctx, operator, jobstest.App.ID, "VIP", []string{"eve"})
		require.NoError(t, err)
		_, err = s.Start(ctx, operator, j.ID, jobs.StartRequest{Confirm: 2, Reading: j.Reading})
		require.True(t, jobs.FaultProtectedNew.Is(err), "%v", err)
		require.NoError(t, jobstest.ReadAll(s))
		names, _ := rowsOf(t, s, j.ID)
		require.Equal(t, []string{"1 ann", "2 bob"}, names)
		// What the person saw was the reading before.
		_, err = s.Start(ctx, operator, j.ID, jobs.StartRequest{Confirm: 2, Reading: j.Reading})
		require.True(t, jobs.FaultReimported.Is(err), "%v", err)
		j, err = s.Get(ctx, j.ID)
		require.NoError(t, err)
		_, err = s.Start(ctx, operator, j.ID, jobs.StartRequest{Confirm: 2, Reading: j.Reading})
		require.NoError(t, err)
	})
}
