package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// requireReadBack holds the ledger to this: after a change without an answer the
// next call that the service answers for an account is a reading.
func (c *fixture) requireReadBack() {
	c.Helper()
	doubt := map[string]bool{}
	for _, call := range c.calls() {
		for _, account := range call.Accounts {
			switch {
			case call.Command != tim.GetTags && doubt[account]:
				require.Fail(c, "account "+account+" was changed while it was in doubt")
			case call.Command != tim.GetTags:
				doubt[account] = call.Code == timtest.NoAnswer
			case call.Acknowledged():
				doubt[account] = false
			}
		}
	}
}

// all are jobs of each kind that share no accounts.
func (c *fixture) all() (all []jobs.Job) {
	c.Helper()
	bare := accounts("a", 120) + accounts("unknown_a", 3)
	all = append(all, c.starts(jobs.Clear, bare))
	jobstest.Keep(c, c.Console, 0)
	kept := accounts("b", 120) + accounts("unknown_b", 3)
	all = append(all, c.starts(jobs.Clear, kept), c.starts(jobs.Clear, accounts("c", 130)),
		c.starts(jobs.Inspect, accounts("d", 110)+accounts("unknown_d", 3)),
		c.starts(jobs.AddTags, tagged("e", 115, tagNames(12)...)+"unknown_e,t1\n"))
	for i := range 3 {
		c.service.SetTags(accounts("f", i+1)[3*i:3*i+2], append(tagNames(13), "other")...)
	}
	return append(all, c.starts(jobs.RemoveTags, tagged("f", 115, append(tagNames(13), "vip", "gold")...)))
}

// Whatever the service does, every account of every kind of job ends with exactly
// one outcome, and that is true.
func TestWhateverTheServiceDoesIsToldTruly(t *testing.T) {
	onEach(t, func(c *fixture) {
		trouble := map[timtest.Fault]float64{timtest.ServerError: 0.08, timtest.Timeout: 0.04, timtest.BadGateway: 0.05,
			timtest.BadGatewayAfter: 0.05, timtest.Garbage: 0.03,
			timtest.GarbageAfter: 0.05, timtest.HalfAnswer: 0.05, timtest.ResetBefore: 0.06, timtest.ResetAfter: 0.08, timtest.LateApply: 0.06}
		c.faults(timtest.Faults{Shares: trouble, Most: 60, LateWithin: 150 * time.Millisecond})
		all := c.all()
		c.run()
		ends := func(some ...jobs.Job) {
			for _, j := range some {
				c.until("the job has ended", func() bool {
					verified, err := c.Recount(c.Context())
					require.NoError(c, err)
					require.Empty(c, verified.Wrong, "the counts add up at every moment")
					c.exec(`UPDATE apps SET probe_at = 1 WHERE probe_at > 0`)
					return c.job(j).Settled()
				})
				require.Zero(c, c.job(j).Counts.Open())
				require.Equal(c, jobs.Finished, c.job(j).State)
			}
		}
		ends(all...)
		c.faults(timtest.Faults{Shares: trouble, Most: 40, LateWithin: 150 * time.Millisecond, Unknown: timtest.FailedBatch})
		c.service.SetTags("b7", "gained")
		c.service.SetTags("c7", "gained")
		undo := func(i int, p snapshot.Policy) jobs.Job {
			return c.startDerived(c.Undo(c.Context(), audit.System, all[i].ID, jobs.UndoRequest{Policy: p}, c.TempDir()))
		}
		some := []jobs.Job{undo(1, snapshot.Merge), undo(2, snapshot.Skip), undo(4, ""), undo(5, "")}
		ends(some...)
		require.Contains(c, c.service.Tags("b7"), "gained")
		require.Equal(c, jobs.Skipped, c.results(some[1])["c7"].Outcome)
		c.requireReadBack()
		require.Positive(c, c.requireMatch(slices.Concat(all, some)...).Lost)
	})
}

// A restore that is to stop does so, and a person says how it continues.
func TestARestoreThatStopsGoesOnAsChosen(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, 0)
		j, other := c.starts(jobs.Clear, accounts("a", 150)), c.starts(jobs.Clear, accounts("b", 150))
		c.run()
		c.ends(j, jobs.Counts{jobs.Cleared: 150})
		c.ends(other, jobs.Counts{jobs.Cleared: 150})
		c.service.SetTags("a120", "gained")
		undo := c.startDerived(c.Undo(c.Context(), audit.System, j.ID, jobs.UndoRequest{Policy: snapshot.Stop}, c.TempDir()))
		halted := c.halts(undo, jobs.CodeGained)
		require.Equal(c, "a120", halted.HaltInfo)
		require.Contains(c, []int64{50, 150}, halted.Counts[jobs.Waiting], "all of its batch wait")
		_, err := c.Resume(c.Context(), audit.System, undo.ID, snapshot.Skip)
		require.NoError(c, err)
		c.ends(undo, jobs.Counts{jobs.Restored: 149, jobs.Skipped: 1})
		c.requireMatch(j, other, undo)
	})
}

// What goes well takes one call for a batch, and a reading before it where tags
// are kept or named.
func TestACleanBatchTakesTheFewestCalls(t *testing.T) {
	onEach(t, func(c *fixture) {
		bare := c.starts(jobs.Clear, accounts("a", 250))
		jobstest.Keep(t, c.Console, 0)
		kept, looks := c.starts(jobs.Clear, accounts("b", 250)), c.starts(jobs.Inspect, accounts("c", 250))
		adds, removes := c.starts(jobs.AddTags, tagged("d", 250, tagNames(12)...)), c.starts(jobs.RemoveTags, tagged("e", 250, "no such tag"))
		c.run()
		c.ends(bare, jobs.Counts{jobs.Cleared: 250})
		c.ends(kept, jobs.Counts{jobs.Cleared: 250})
		c.ends(looks, jobs.Counts{jobs.Inspected: 250})
		c.ends(adds, jobs.Counts{jobs.Changed: 250})
		c.ends(removes, jobs.Counts{jobs.Unchanged: 250})
		undo := c.startDerived(c.Undo(c.Context(), audit.System, kept.ID, jobs.UndoRequest{Policy: snapshot.Merge}, c.TempDir()))
		c.ends(undo, jobs.Counts{jobs.Restored: 250})
		for j, want := range map[string][2]int{bare.ID: {0, 3}, kept.ID: {3, 3}, looks.ID: {3, 0}, adds.ID: {3, 6},
			removes.ID: {3, 0}, undo.ID: {3, 3}} {
			reads := c.count(`SELECT COUNT(*) FROM calls WHERE job_id = $1 AND command = 'get_tags' AND delivery = 'answered'`, j)
			changes := c.count(`SELECT COUNT(*) FROM calls WHERE job_id = $1 AND command <> 'get_tags' AND delivery = 'answered'`, j)
			kind := c.job(jobs.Job{ID: j}).Kind
			require.Equal(c, want[1], changes, kind)
			require.GreaterOrEqual(c, reads, want[0], kind) // and again if the machine stood still meanwhile
			require.LessOrEqual(c, reads, 2*want[0], kind)
		}
		c.requireMatch(bare, kept, looks, adds, removes, undo)
	})
}
