package jobs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// asked is a job of 400 accounts of which 100 have new tags, 100 cannot be read,
// 100 had no call answered and 100 wait.
func asked(t checker, s *jobstest.Console) jobs.Job {
	t.Helper()
	free(t, s)
	j := started(t, s, 400)
	for i, code := range []int{0, 70403, jobs.CodeLost} {
		h := sent(t, s, j, int64(i+1))
		require.NoError(t, h.Settle(ctx, jobstest.Came{Rest: jobs.InDoubt, Ask: true, Code: code, Delivery: "lost"}))
		h, err := s.Take(ctx, j.ID, int64(i+1))
		require.NoError(t, err)
		require.Nil(t, h, "it waits for a person")
	}
	a, err := s.NeedsReview(ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, jobs.NeedsReview{Tagged: 100, Lost: 100, Unreadable: 100, Code: 70403}, a)
	require.Equal(t, int64(300), a.Sum())
	return j
}

func TestInDoubtIsDecidedByAPerson(t *testing.T) {
	for d, want := range map[jobs.Decision]jobs.Counts{
		jobs.Retry:    {jobs.Waiting: 400},
		jobs.Leave:    {jobs.Waiting: 100, jobs.Failed: 300},
		jobs.ReadBack: {jobs.Waiting: 100, jobs.InDoubt: 300},
	} {
		t.Run(string(d), func(t *testing.T) {
			jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
				j := asked(t, s)
				require.NoError(t, s.DB.Exec(ctx, `UPDATE batches SET lost = 9, not_before = $2 WHERE job_id = $1 AND ask = 1`, j.ID, int64(1)<<50))
				n, err := s.Decide(ctx, operator, j.ID, d)
				require.NoError(t, err)
				require.Equal(t, int64(300), n)
				j = jobNow(t, s, j.ID)
				for _, o := range jobs.Outcomes {
					require.Equal(t, want[o], j.Counts[o], o)
				}
				kept, err := s.Count(ctx, `SELECT COUNT(*) FROM batches WHERE job_id = $1 AND (ask <> 0 OR lost <> 0 OR not_before <> 0)`, j.ID)
				require.NoError(t, err)
				require.Zero(t, kept, "it begins anew")
				entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobDecided, Limit: 10})
				require.NoError(t, err)
				require.Len(t, entries, 1)
				require.Equal(t, map[string]any{"decision": string(d), "accounts": 300.0}, entries[0].Details)
				_, err = s.Decide(ctx, operator, j.ID, d)
				require.True(t, jobs.FaultNothingAsked.Is(err), "%v", err)
				requireSums(t, s)
				reasons, err := s.Reasons(ctx, j.ID)
				require.NoError(t, err)
				if d == jobs.Leave {
					require.Equal(t, []jobs.Reason{{Code: jobs.CodeLeft, Accounts: 300}}, reasons)
				} else {
					require.Empty(t, reasons)
				}
			})
		})
	}
}

func TestInDoubtAfterCancelIsNotResent(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := asked(t, s)
		j, err := s.Act(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.State("cancelling"), int64(100)}, []any{j.Shown(), j.Counts[jobs.Unsent]})
		for _, d := range []jobs.Decision{jobs.Retry, "forget"} {
			_, err = s.Decide(ctx, operator, j.ID, d)
			require.True(t, jobs.FaultDecision.Is(err), "%v", err)
		}
		_, err = s.Decide(ctx, operator, j.ID, jobs.Leave)
		require.NoError(t, err)
		j = jobNow(t, s, j.ID)
		require.Equal(t, jobs.Cancelled, j.Shown())
		require.False(t, j.FinishedAt.IsZero())
		requireSums(t, s)
	})
}

// A person decided, not the service: such accounts neither halt their job nor
// keep it from its other batches.
func TestWhatAPersonGaveUpIsNoFailure(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := started(t, s, 500)
		require.True(t, j.Careful)
		h := sent(t, s, j, 1)
		require.NoError(t, h.Settle(ctx, jobstest.Came{Rest: jobs.InDoubt, Ask: true, Code: 70403, Delivery: "lost"}))
		require.True(t, jobNow(t, s, j.ID).Careful, "until it is decided")
		n, err := s.Decide(ctx, operator, j.ID, jobs.Leave)
		require.NoError(t, err)
		require.Equal(t, int64(100), n)
		j = jobNow(t, s, j.ID)
		require.Equal(t, []any{jobs.Running, false, int64(100)}, []any{j.State, j.Careful, j.Counts[jobs.Failed]})
		requireSums(t, s)
	})
}
