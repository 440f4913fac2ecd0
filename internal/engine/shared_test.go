package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// waitsFor is the id of the job that another waits for.
func (c *fixture) waitsFor(j jobs.Job) string {
	c.Helper()
	other, err := c.WaitsFor(c.Context(), j.ID)
	require.NoError(c, err)
	if other == nil {
		return ""
	}
	return other.Job.ID
}

func TestJobsThatShareAccountsTakeTurns(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, 0)
		c.faults(timtest.Faults{Latency: 300 * time.Millisecond})
		first := c.starts(jobs.Clear, accounts("a", 300))
		second := c.starts(jobs.AddTags, tagged("a", 150, "t1"))
		looks := c.starts(jobs.Inspect, accounts("a", 300))
		apart := c.starts(jobs.RemoveTags, tagged("b", 1, "t1"))
		require.Equal(c, []string{first.ID, "", ""}, []string{c.waitsFor(second), c.waitsFor(looks), c.waitsFor(apart)})
		c.run()
		c.until("others go on meanwhile", func() bool {
			return c.job(first).FinishedAt.IsZero() && c.job(looks).State == jobs.Running && c.job(apart).State == jobs.Running
		})
		require.Equal(c, []any{first.ID, jobs.Queued}, []any{c.waitsFor(second), c.job(second).State})
		c.faults(timtest.Faults{})
		c.ends(first, jobs.Counts{jobs.Cleared: 300})
		c.ends(second, jobs.Counts{jobs.Changed: 150})
		require.Equal(c, []string{"t1"}, c.service.Tags("a7"), "the later one has the last word")
		c.requireMatch(first, second)
	})
}

func TestAPausedJobHoldsNobodyUp(t *testing.T) {
	onEach(t, func(c *fixture) {
		first := c.starts(jobs.Clear, accounts("a", 200))
		c.act(first, jobs.Pause)
		second := c.starts(jobs.AddTags, tagged("a", 200, "t1"))
		require.Empty(c, c.waitsFor(second))
		c.run()
		c.ends(second, jobs.Counts{jobs.Changed: 200})
		c.act(first, jobs.Resume)
		c.ends(first, jobs.Counts{jobs.Cleared: 200})
		require.Empty(c, c.service.Tags("a7"), "it comes behind those that were started before it was resumed")
		c.requireMatch(first, second)
	})
}

func TestWhatIsInDoubtIsWaitedFor(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.loseAnswers(tim.RemoveAllTags)
		first := c.starts(jobs.Clear, accounts("a", 2))
		second := c.starts(jobs.AddTags, tagged("a", 2, "t1"))
		c.run()
		c.putInDoubt(first)
		c.act(first, jobs.Pause) // else the other would wait for its turn
		third := c.starts(jobs.Clear, accounts("b", 2))
		c.faults(timtest.Faults{})
		c.ends(third, jobs.Counts{jobs.Cleared: 2})
		require.Equal(c, []any{first.ID, jobs.Queued}, []any{c.waitsFor(second), c.job(second).State})
		c.act(first, jobs.Resume)
		c.readBack(timtest.Faults{Code: 60010, Commands: []tim.Command{tim.GetTags}, CodeFor: "a0", Most: 1})
		c.until("a person is asked", func() bool { return c.count(`SELECT COUNT(*) FROM batches WHERE ask = 1`) == 1 })
		c.act(first, jobs.Pause)
		require.Empty(c, c.waitsFor(second), "what waits for a person holds nobody up")
		c.ends(second, jobs.Counts{jobs.Changed: 2})
		c.decide(first, jobs.Leave)
		c.ends(first, jobs.Counts{jobs.Failed: 2})
	})
}

// Two that share accounts, and both are in doubt, wait for each other's readings
// and not for ever.
func TestTwoJobsInDoubtDoNotWaitForEachOther(t *testing.T) {
	onEach(t, func(c *fixture) {
		first := c.starts(jobs.RemoveTags, tagged("a", 250, "t1"))
		second := c.starts(jobs.AddTags, tagged("a", 250, "t2"))
		c.exec(`UPDATE batches SET outcome = 'in_doubt', sent = 1, lost = 1 WHERE number < 3`)
		c.exec(`UPDATE jobs SET outcome_waiting = 50, outcome_in_doubt = 200, state = 'running'`)
		c.run()
		c.ends(first, jobs.Counts{jobs.Unchanged: 250})
		c.ends(second, jobs.Counts{jobs.Changed: 250})
		c.requireMatch(first, second)
	})
}

// What is in doubt of a later job is read back before the earlier one continues, and
// nothing else of it is sent by then.
func TestDoubtsBringNoWaitingBatchesAlong(t *testing.T) {
	onEach(t, func(c *fixture) {
		first := c.starts(jobs.Clear, accounts("a", 250))
		c.laterInDoubt(first)
	})
}

func TestAHaltedJobThatRecoversHasItsTurn(t *testing.T) {
	onEach(t, func(c *fixture) {
		first := c.starts(jobs.Clear, accounts("a", 250))
		require.NoError(c, c.Halts(c.Context(), first.ID, jobs.CodeDown, ""))
		c.laterInDoubt(first)
	})
}

// laterInDoubt starts a job for the accounts of another, of which a batch is in
// doubt and comes first of all, and requires that the rest comes after the other.
func (c *fixture) laterInDoubt(first jobs.Job) {
	c.Helper()
	second := c.starts(jobs.AddTags, tagged("a", 250, "t1"))
	c.exec(`UPDATE batches SET outcome = 'in_doubt', sent = 1, lost = 1 WHERE job_id = $1 AND number = 1`, second.ID)
	c.exec(`UPDATE jobs SET outcome_waiting = 150, outcome_in_doubt = 100, state = 'running' WHERE id = $1`, second.ID)
	require.NoError(c, c.PutFirst(c.Context(), audit.System, second.ID, true))
	c.run()
	c.until("it is read back", func() bool { return c.job(second).Counts[jobs.Changed] >= 100 })
	apart := c.starts(jobs.Clear, accounts("b", 1)) // and claims continue
	c.ends(apart, jobs.Counts{jobs.Cleared: 1})
	c.exec(`UPDATE apps SET probe_at = 1 WHERE EXISTS (SELECT 1 FROM jobs WHERE state = 'halted')`)
	c.ends(first, jobs.Counts{jobs.Cleared: 250})
	c.ends(second, jobs.Counts{jobs.Changed: 250})
	for _, account := range []string{"a150", "a249"} {
		require.Equal(c, tim.RemoveAllTags, c.firstTo(account).Command, "the job that was started first")
		require.Equal(c, []string{"t1"}, c.service.Tags(account), "the later one has the last word")
	}
	require.Equal(c, tim.GetTags, c.firstTo("a0").Command)
	c.requireMatch(first, second, apart)
}

// firstTo is the first call that held an account.
func (c *fixture) firstTo(account string) (first timtest.Call) {
	c.Helper()
	for _, call := range c.calls() {
		if slices.Contains(call.Accounts, account) {
			return call
		}
	}
	return first
}
