package jobs_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

var (
	cleared = jobstest.Came{Rest: jobs.Cleared}
	failed  = jobstest.Came{Rest: jobs.Failed, Code: 70107}
)

func TestFailureLimitHaltsUntilResumed(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j, other := started(t, s, 3_000), started(t, s, 200)
		require.True(t, j.Careful)
		now := func() []any {
			j = jobNow(t, s, j.ID)
			return []any{j.State, j.HaltCode, j.HaltInfo, j.Careful}
		}
		resume := func() {
			_, err := s.Act(ctx, operator, j.ID, jobs.Resume)
			require.NoError(t, err)
		}
		carry(t, s, j.ID, failed, 1)
		require.Equal(t, []any{jobs.Halted, jobs.CodeFailures, "100/100", true}, now())
		carry(t, s, other.ID, cleared, 1)
		require.Equal(t, []any{jobs.Running, false}, []any{jobNow(t, s, other.ID).State, jobNow(t, s, other.ID).Careful},
			"the list is bad, not the app")
		resume()
		require.Equal(t, []any{jobs.Queued, 0, "", false}, now())
		sending, err := s.SendStatus(ctx, jobstest.App.ID)
		require.NoError(t, err)
		require.Zero(t, sending.ProbeAt, "the service is not in question")

		// The whole list was bad: now more than all of it would have to fail.
		carry(t, s, j.ID, failed, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
		require.Equal(t, []any{jobs.Running, 0, "", false}, now())
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobHalted, JobID: j.ID, Limit: 9})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, []any{float64(jobs.CodeFailures), "100/100"}, []any{entries[0].Details["code"], entries[0].Details["info"]})
		requireSums(t, s)
	})
}

// Batches settle without the lock that a pause takes.
func TestPauseKeepsTheEndOfTheCarefulStart(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := started(t, s, 300)
		require.True(t, j.Careful)
		after, err := s.PauseAfter(ctx, j.ID, func(tx *store.Tx) error {
			return tx.Exec(ctx, `UPDATE jobs SET careful = 0 WHERE id = $1`, j.ID)
		})
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Paused, false}, []any{after.State, after.Careful})
	})
}

// Of a thousand accounts a fifth may fail, and the next thousand is judged by itself.
func TestFailuresAreJudgedByTheThousand(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := started(t, s, 4_000)
		state := func() []any {
			j = jobNow(t, s, j.ID)
			return []any{j.State, j.HaltInfo}
		}
		twenty := jobstest.Came{Rest: jobs.Cleared}
		for seq := range int64(20) {
			twenty.Own = append(twenty.Own, jobstest.Own{Seq: seq + 1, Outcome: jobs.Failed, Code: 70107})
		}
		carry(t, s, j.ID, twenty, 1)
		require.Equal(t, []any{jobs.Running, ""}, state(), "a fifth of the first batch is not more than a fifth")
		require.False(t, j.Careful)
		carry(t, s, j.ID, failed, 2, 3)
		carry(t, s, j.ID, cleared, 4, 5, 6, 7, 8, 9, 10, 11)
		require.Equal(t, []any{jobs.Running, ""}, state(), "200 of 1,000")
		carry(t, s, j.ID, failed, 12, 13)
		require.Equal(t, []any{jobs.Running, ""}, state(), "200 so far, and 800 to come")
		h := take(t, s, j.ID, 14)
		require.NoError(t, h.Settle(ctx,
			jobstest.Came{Rest: jobs.Untagged, Own: []jobstest.Own{{Seq: 1_301, Outcome: jobs.Failed, Code: 70107}}}))
		require.Equal(t, []any{jobs.Halted, "201/300"}, state(), "it is certain by now")
		requireSums(t, s)

		// A share of 67 of 100 is known: it takes more than 87 to halt again.
		_, err := s.Act(ctx, operator, j.ID, jobs.Resume)
		require.NoError(t, err)
		limit, err := s.Count(ctx, `SELECT failure_limit FROM jobs WHERE id = $1`, j.ID)
		require.NoError(t, err)
		require.Equal(t, int64(87), limit)
		carry(t, s, j.ID, failed, 15, 16, 17, 18, 19, 20, 21, 22)
		require.Equal(t, []any{jobs.Running, ""}, state())
		carry(t, s, j.ID, failed, 23)
		require.Equal(t, []any{jobs.Halted, "900/900"}, state())
		_, err = s.Act(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
		requireSums(t, s)
	})
}

// What halts one job alone is tried again as it is; what halted more is tried by one
// batch first.
func TestResumeProbesWhatHaltedMore(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		for code, probes := range map[int]bool{60020: true, jobs.CodeDown: true, jobs.CodeLostAnswers: true,
			jobs.CodeFailures: false, jobs.CodeGained: false, jobs.CodeUnreadable: false} {
			require.NoError(t, s.DB.Exec(ctx, `UPDATE apps SET probe_at = 0, probe_wait = 0`))
			j := started(t, s, 10)
			require.NoError(t, s.Halts(ctx, j.ID, code, "said"))
			j = jobNow(t, s, j.ID)
			require.Equal(t, []any{jobs.Halted, code, "said"}, []any{j.State, j.HaltCode, j.HaltInfo})
			j, err := s.Resume(ctx, operator, j.ID, snapshot.Skip)
			require.NoError(t, err)
			require.Equal(t, []any{jobs.Queued, 0, ""}, []any{j.State, j.HaltCode, j.HaltInfo})
			sending, err := s.SendStatus(ctx, jobstest.App.ID)
			require.NoError(t, err)
			require.Equal(t, probes, !sending.ProbeAt.IsZero(), "%d", code)
			if probes {
				require.WithinDuration(t, time.Now(), sending.ProbeAt, 30*time.Second)
			}
		}
	})
}

func TestHaltForAPersonOutranksOutage(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		down, arrears, paused := started(t, s, 10), started(t, s, 10), started(t, s, 10)
		_, err := s.Act(ctx, operator, paused.ID, jobs.Pause)
		require.NoError(t, err)
		for _, j := range []jobs.Job{down, arrears, paused} {
			require.NoError(t, s.Halts(ctx, j.ID, jobs.CodeDown, "502"))
			require.NoError(t, s.Halts(ctx, j.ID, jobs.CodeLostAnswers, "another"))
		}
		require.NoError(t, s.Halts(ctx, arrears.ID, 60020, "arrears"))
		require.NoError(t, s.Halts(ctx, arrears.ID, jobs.CodeDown, "too late"))
		require.NoError(t, s.Recovers(ctx))
		for id, want := range map[string][]any{down.ID: {jobs.Queued, 0, ""}, arrears.ID: {jobs.Halted, 60020, "arrears"},
			paused.ID: {jobs.Paused, 0, ""}} {
			j := jobNow(t, s, id)
			require.Equal(t, want, []any{j.State, j.HaltCode, j.HaltInfo})
		}
		require.Equal(t, []audit.Code{audit.JobHalted, audit.JobResumed}, codes(t, s, audit.Filter{JobID: down.ID})[3:])
		require.Equal(t, []audit.Code{audit.JobHalted, audit.JobHalted}, codes(t, s, audit.Filter{JobID: arrears.ID})[3:])
		well, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.ServiceWell, Limit: 9})
		require.NoError(t, err)
		require.Len(t, well, 1)
		require.Equal(t, []any{"Test chat (test)", 1.0}, []any{well[0].App, well[0].Details["jobs"]})
		halted, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobHalted, JobID: arrears.ID, Limit: 1})
		require.NoError(t, err)
		require.Equal(t, []any{60020.0, "arrears", "call60020"},
			[]any{halted[0].Details["code"], halted[0].Details["info"], halted[0].Details["call"]})
	})
}

// A restore that halted since accounts had gained other tags must be told what to do with them.
func TestUndoStopPolicyHaltsAndResumes(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 0)
		of := ended(t, s, jobs.Clear, 3, vips(3), jobs.Cleared)
		j, err := s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Stop}, t.TempDir())
		require.NoError(t, err)
		j, _ = read(t, s, j)
		j = start(t, s, j)
		require.NoError(t, s.Halts(ctx, j.ID, jobs.CodeGained, "ann"))
		for _, none := range []snapshot.Policy{"", "nonsense"} {
			_, err = s.Resume(ctx, operator, j.ID, none)
			require.True(t, snapshot.FaultPolicy.Is(err), "%v", err)
		}
		_, err = s.Act(ctx, operator, j.ID, jobs.Resume)
		require.True(t, snapshot.FaultPolicy.Is(err), "%v", err)
		require.Equal(t, jobs.Halted, jobNow(t, s, j.ID).State)
		j, err = s.Resume(ctx, operator, j.ID, snapshot.Skip)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Queued, snapshot.Skip}, []any{j.State, j.Policy})
		resumed, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobResumed, JobID: j.ID, Limit: 9})
		require.NoError(t, err)
		require.Len(t, resumed, 1)
		require.Equal(t, "skip", resumed[0].Details["policy"])
	})
}

func TestCountsThatWouldNotAddUpAreRefused(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := started(t, s, 10)
		err := s.DB.Tx(ctx, func(tx *store.Tx) error {
			return s.MoveCounts(ctx, tx, j.ID, jobs.Counts{jobs.Waiting: -2, jobs.Cleared: 1}, 1)
		})
		require.ErrorContains(t, err, "no longer add up")
		require.Equal(t, j.Counts, jobNow(t, s, j.ID).Counts)
	})
}

// A console that dies in the middle of a step has done nothing of it.
func TestSumsAddUpWhenAStepBreaksOff(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		j := started(t, s, 100)
		before := jobNow(t, s, j.ID)
		broken := errors.New("broken off")
		err := s.DB.Tx(ctx, func(tx *store.Tx) error {
			if _, err := tx.ExecContext(ctx, `UPDATE batches SET outcome = 'cleared', settled_at = 1 WHERE job_id = $1`, j.ID); err != nil {
				return err
			}
			if err := s.MoveCounts(ctx, tx, j.ID, jobs.Counts{jobs.Waiting: -100, jobs.Cleared: 100}, 1); err != nil {
				return err
			}
			if err := s.Advance(ctx, tx, j.ID); err != nil {
				return err
			}
			return fmt.Errorf("at last: %w", broken)
		})
		require.ErrorIs(t, err, broken)
		require.Equal(t, before, jobNow(t, s, j.ID))
		require.NotContains(t, codes(t, s, audit.Filter{JobID: j.ID}), audit.JobFinished)
		requireSums(t, s)
	})
}
