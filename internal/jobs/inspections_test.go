package jobs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
)

// verifying starts a job of n accounts of an app that verifies a share of its batches.
func verifying(t *testing.T, s *jobstest.Console, n int, share snapshot.Share) jobs.Job {
	t.Helper()
	free(t, s)
	jobstest.Keep(t, s, share)
	require.NoError(t, s.DB.Exec(ctx, `UPDATE apps SET snapshot = 0`))
	return started(t, s, n)
}

// inspection makes the inspection that waits to be made, and returns it as it is
// once its file is read, with its accounts.
func inspection(t *testing.T, s *jobstest.Console, of string) (jobs.Job, []string) {
	t.Helper()
	found, err := s.DeriveInspection(ctx, t.TempDir())
	require.NoError(t, err)
	require.True(t, found)
	found, err = s.DeriveInspection(ctx, t.TempDir())
	require.NoError(t, err)
	require.False(t, found, "it is made once")
	require.NoError(t, jobstest.ReadAll(s))
	made, err := s.InspectionOf(ctx, of)
	require.NoError(t, err)
	require.NotNil(t, made)
	accounts, _ := rowsOf(t, s, made.ID)
	for i, a := range accounts {
		_, accounts[i], _ = strings.Cut(a, " ")
	}
	return *made, accounts
}

func TestVerificationSampleFixedAtStart(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := verifying(t, s, 2_000, snapshot.All/2)
		require.NoError(t, s.DB.Exec(ctx, `UPDATE apps SET verify_share = 0`)) // too late for this job
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobStarted, JobID: j.ID, Limit: 9})
		require.NoError(t, err)
		seed := entries[0].Details["verify_seed"].(string)
		require.Equal(t, []any{float64(snapshot.All / 2), seed}, []any{entries[0].Details["verify_share"], j.Verify.Seed})
		var want []string
		prefix := strings.TrimSuffix(nameIn(t, s, j.ID), "00001")
		for number := int64(1); number <= j.Batches; number++ {
			carry(t, s, j.ID, cleared, number)
			if snapshot.Sample(seed, number, snapshot.All/2) {
				for seq := (number-1)*100 + 1; seq <= number*100; seq++ {
					want = append(want, fmt.Sprintf("%s%05d", prefix, seq))
				}
			}
		}
		j = jobNow(t, s, j.ID)
		require.Equal(t, []any{jobs.Finished, true}, []any{j.State, j.Verify.Due})
		made, accounts := inspection(t, s, j.ID)
		require.Equal(t, want, accounts)
		require.Equal(t, []any{jobs.Inspect, jobs.Clear, j.ID, jobs.Queued, "system", "verify-of-users.csv", jobs.Verification{}},
			[]any{made.Kind, made.Checks, made.Source, made.State, made.StartedBy, made.FileName, made.Verify})
		require.False(t, jobNow(t, s, j.ID).Verify.Due)
		entries, err = s.Audit.Entries(ctx, audit.Filter{Code: audit.JobRetried, JobID: made.ID, Limit: 9})
		require.NoError(t, err)
		require.Equal(t, map[string]any{"of": j.ID, "kind": "inspect", "accounts": float64(len(want)), "verify_share": 5e5,
			"verify_seed": seed, "batches": float64(len(want) / 100)}, entries[0].Details)
		require.Contains(t, codes(t, s, audit.Filter{JobID: made.ID}), audit.JobStarted)
		requireSums(t, s)
	})
}

// However small the share: of a job that changed something one batch is inspected,
// and of each batch the accounts that were changed.
func TestVerificationTakesChangedAccounts(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := verifying(t, s, 300, 1)
		carry(t, s, j.ID, failed, 1)
		carry(t, s, j.ID, jobstest.Came{Rest: jobs.Untagged}, 3)
		h := sent(t, s, j, 2)
		require.NoError(t, h.Settle(ctx,
			jobstest.Came{Rest: jobs.Failed, Own: []jobstest.Own{{Seq: 150, Outcome: jobs.Cleared},
				{Seq: 177, Outcome: jobs.Cleared}, {Seq: 178, Outcome: jobs.Untagged}}}))
		made, accounts := inspection(t, s, j.ID)
		prefix := strings.TrimSuffix(nameIn(t, s, j.ID), "00001")
		require.Equal(t, []string{prefix + "00150", prefix + "00177"}, accounts)
		carry(t, s, made.ID, jobstest.Came{Rest: jobs.Untagged, Own: []jobstest.Own{{Seq: 2, Outcome: jobs.Inspected}}}, 1)
		made = jobNow(t, s, made.ID)
		require.Equal(t, []any{jobs.Finished, int64(1), false}, []any{made.State, made.Counts[jobs.Inspected], made.Verify.Due})
		again, err := s.Retry(ctx, operator, made.ID, jobs.RetryRequest{Kind: jobs.Clear, Outcomes: []jobs.Outcome{jobs.Inspected}}, t.TempDir())
		require.NoError(t, err)
		_, accounts = read(t, s, again)
		require.Equal(t, []string{prefix + "00177 "}, accounts, "what is not as it should be is done again when a person says so")
		requireSums(t, s)
	})
}

func TestVerificationNeedsAChange(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		unchanged := verifying(t, s, 200, snapshot.All)
		carry(t, s, unchanged.ID, jobstest.Came{Rest: jobs.Untagged, Own: []jobstest.Own{{Seq: 2, Outcome: jobs.Failed}}}, 1)
		carry(t, s, unchanged.ID, failed, 2)
		found, err := s.DeriveInspection(ctx, t.TempDir())
		require.NoError(t, err)
		require.True(t, found)
		none, err := s.InspectionOf(ctx, unchanged.ID)
		require.NoError(t, err)
		require.Nil(t, none)
		require.False(t, jobNow(t, s, unchanged.ID).Verify.Due)

		cancelled := verifying(t, s, 200, snapshot.All)
		carry(t, s, cancelled.ID, cleared, 1)
		cancelled, err = s.Act(ctx, operator, cancelled.ID, jobs.Cancel)
		require.NoError(t, err)
		require.False(t, cancelled.Verify.Due, "a person ended it")
		found, err = s.DeriveInspection(ctx, t.TempDir())
		require.NoError(t, err)
		require.False(t, found)
	})
}

// An inspection of tags that were added is told the same tags, and what it finds
// missing can be added again.
func TestVerificationKnowsTheTags(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		jobstest.Keep(t, s, snapshot.All)
		j := start(t, s, adding(t, s, 3))
		carry(t, s, j.ID, jobstest.Came{Rest: jobs.Changed, Own: []jobstest.Own{{Seq: 2, Outcome: jobs.Unchanged}}}, 1)
		made, accounts := inspection(t, s, j.ID)
		require.Equal(t, jobs.AddTags, made.Checks)
		require.True(t, made.Told())
		wanted, err := s.WantedTags(ctx, made)
		require.NoError(t, err)
		require.Equal(t, map[int64][]string{1: {"vip"}, 2: {"vip"}}, wanted)
		carry(t, s, made.ID, jobstest.Came{Rest: jobs.Inspected}, 1)
		_, err = s.Retry(ctx, operator, made.ID, jobs.RetryRequest{Kind: jobs.Clear}, t.TempDir())
		require.True(t, jobs.FaultKind.Is(err), "%v", err)
		again, err := s.Retry(ctx, operator, made.ID,
			jobs.RetryRequest{Kind: jobs.AddTags, Outcomes: []jobs.Outcome{jobs.Inspected}}, t.TempDir())
		require.NoError(t, err)
		_, told := read(t, s, again)
		require.Equal(t, []string{accounts[0] + " vip", accounts[1] + " vip"}, told)
	})
}

// An inspection that cannot be made now is made later.
func TestVerificationSurvivesAFullDisk(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := verifying(t, s, 100, snapshot.All)
		carry(t, s, j.ID, cleared, 1)
		found, err := s.DeriveInspection(ctx, "/nowhere")
		require.Error(t, err)
		require.True(t, found)
		require.True(t, jobNow(t, s, j.ID).Verify.Due)
		made, accounts := inspection(t, s, j.ID)
		require.Len(t, accounts, 100)
		require.True(t, slices.Contains([]jobs.State{jobs.Queued, jobs.Running}, made.State))
	})
}

// All its accounts may have been protected since.
func TestVerificationOfProtectedEndsAtOnce(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := verifying(t, s, 2, snapshot.All)
		carry(t, s, j.ID, cleared, 1)
		first := nameIn(t, s, j.ID)
		_, err := s.Protect(ctx, operator, jobstest.App.ID, "", []string{first, strings.TrimSuffix(first, "1") + "2"})
		require.NoError(t, err)
		made, accounts := inspection(t, s, j.ID)
		require.Empty(t, accounts)
		require.Equal(t, []any{jobs.Finished, int64(2)}, []any{made.State, made.Protected})
		requireSums(t, s)
	})
}
