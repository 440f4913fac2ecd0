package jobs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/tim/timtest"
)

// What is in hand ends with what becomes of it there; the rest at once.
func TestCancelLeavesWhatIsInHand(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		for _, dies := range []bool{false, true} {
			j := started(t, s, 300)
			h := take(t, s, j.ID, 2)
			require.NoError(t, h.Send(ctx, "get_tags"))
			j, err := s.Act(ctx, operator, j.ID, jobs.Cancel)
			require.NoError(t, err)
			require.Equal(t, []any{jobs.State("cancelling"), int64(100), int64(200), true},
				[]any{j.Shown(), j.Counts[jobs.Waiting], j.Counts[jobs.Unsent], j.FinishedAt.IsZero()})
			requireSums(t, s)
			if dies {
				require.NoError(t, h.Lose(ctx))
			} else {
				require.NoError(t, h.Settle(ctx, jobstest.Came{Rest: jobs.Waiting}))
			}
			j = jobNow(t, s, j.ID)
			require.Equal(t, []any{jobs.Cancelled, int64(300), int64(1), false},
				[]any{j.Shown(), j.Counts[jobs.Unsent], j.Calls, j.FinishedAt.IsZero()})
			requireSums(t, s)
		}
	})
}

func TestCancelledBeforeItWasReadHasNoRows(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j, err := create(ctx, s, section("ann\nbob\n"))
		require.NoError(t, err)
		_, err = s.Act(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
		for r, err := range s.Results(ctx, j.ID, "") {
			require.NoError(t, err)
			require.Failf(t, "it has a row", "%+v", r)
		}
		for r, err := range s.Rejects(ctx, j.ID) {
			require.NoError(t, err)
			require.Failf(t, "it has a row", "%+v", r)
		}
	})
}

// The tags of an account are changed ten at a time. Where some of them may have been
// when the job is cancelled, its tags are read, and say which accounts were cut short.
func TestCancelReportsHalfChanged(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		service, base := enginetest.Simulate(t)
		j := adding(t, s, 300)
		first := nameIn(t, s, j.ID)
		name := strings.TrimSuffix(first, "0")
		require.NoError(t, timtest.NewControl(base).SetTags(ctx,
			map[string][]string{first: {"vip", "gold"}, name + "1": {"gold"}, name + "100": nil}))
		j = start(t, s, j)
		for number, seqs := range map[int64][]int64{1: {1, 2}, 2: {101}} { // some of their tags were changed, and the next wait
			h := take(t, s, j.ID, number)
			require.NoError(t, h.Send(ctx, "add_tags", seqs...))
			require.NoError(t, h.Settle(ctx, jobstest.Came{Rest: jobs.Waiting}))
		}
		j, err := s.Act(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.State("cancelling"), int64(200), int64(100)}, []any{j.Shown(), j.Counts[jobs.InDoubt], j.Counts[jobs.Unsent]})
		requireSums(t, s)
		enginetest.Run(t, enginetest.New(t, s, base))
		j = enginetest.Ended(t, s, j.ID)
		require.Equal(t, []int64{1, 2, 297},
			[]int64{j.Counts[jobs.Changed], j.Counts[jobs.Failed], j.Counts[jobs.Unsent] + j.Counts[jobs.Unchanged]})
		reasons, err := s.Reasons(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []jobs.Reason{{Code: jobs.CodeCutShort, Accounts: 2}}, reasons)
		for _, call := range service.Ledger() {
			require.Equal(t, "get_tags", string(call.Command), "nothing more is changed")
		}
		requireSums(t, s)
	})
}

// All tags of an account go at once: one that waits has them all, or none.
func TestCancelOfClearEndsWhatWaits(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		j := started(t, s, 200)
		require.NoError(t, sent(t, s, j, 1).Settle(ctx, jobstest.Came{Rest: jobs.Waiting, Own: []jobstest.Own{{Seq: 7, Outcome: jobs.Cleared}}}))
		j, err := s.Act(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Cancelled, int64(199), int64(1)}, []any{j.Shown(), j.Counts[jobs.Unsent], j.Counts[jobs.Cleared]})
		requireSums(t, s)
	})
}
