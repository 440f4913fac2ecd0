package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/tim"
)

// stopped requires that calls end within a second of what stops them.
func (c *fixture) stopped(j jobs.Job, stop func()) {
	c.Helper()
	before := len(c.calls())
	c.until("calls are made", func() bool { return len(c.calls()) > before+5 })
	stop()
	at := time.Now()
	c.until("nobody has any in hand", func() bool { return c.idle(j) })
	require.Zero(c, c.job(j).Counts[jobs.Sending])
	calls := c.calls()
	require.Less(c, time.UnixMicro(calls[len(calls)-1].At).Sub(at), time.Second)
	require.Less(c, len(calls), before+5+80, "a second has 40")
}

// With nothing in hand, nothing can leave: a call needs a claim, and those a turn.
func TestAPersonStopsCallsWithinASecond(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, 0)
		c.set(`rate_set = 40`)
		j := c.starts(jobs.Clear, accounts("a", 20_000))
		c.run()
		c.stopped(j, func() { c.act(j, jobs.Pause) })
		c.act(j, jobs.Resume)
		c.stopped(j, func() { require.NoError(c, c.ThrowKillSwitch(c.Context(), audit.System, "wrong list")) })
		require.Equal(c, jobs.Running, c.job(j).State, "it goes on where it stood")
		require.NoError(c, c.LiftKillSwitch(c.Context(), audit.System))
		c.stopped(j, func() { c.act(j, jobs.Cancel) })
		c.until("it has ended", func() bool { return c.job(j).Settled() })
		counts := c.job(j).Counts
		require.Equal(c, int64(20_000), counts[jobs.Cleared]+counts[jobs.Unsent])
		c.requireMatch(j)
	})
}

// A batch may need many calls: what stops the claims alone would let them all leave.
func TestABatchInHandStopsWithinASecond(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.set(`rate_set = 3`)
		c.run()
		for name, stop := range map[string]func(jobs.Job){
			"paused":  func(j jobs.Job) { c.act(j, jobs.Pause) },
			"stopped": func(jobs.Job) { require.NoError(c, c.ThrowKillSwitch(c.Context(), audit.System, "wrong list")) },
		} {
			before := len(c.calls(tim.AddTags))
			j := c.starts(jobs.AddTags, tagged(name, 3, tagNames(80)...)) // eight calls
			c.until("two have left", func() bool { return len(c.calls(tim.AddTags)) >= before+2 })
			stop(j)
			at := time.Now()
			c.until("nobody has it in hand", func() bool { return c.idle(j) })
			calls := c.calls()
			require.Less(c, time.UnixMicro(calls[len(calls)-1].At).Sub(at), time.Second, name)
			require.Less(c, len(c.calls(tim.AddTags)), before+7, name)
			if name == "paused" {
				c.act(j, jobs.Resume)
			} else {
				require.NoError(c, c.LiftKillSwitch(c.Context(), audit.System))
			}
			c.ends(j, jobs.Counts{jobs.Changed: 3})
			c.requireMatch(j)
		}
	})
}

func TestAScheduledJobWaitsForItsTime(t *testing.T) {
	onEach(t, func(c *fixture) {
		j := c.starts(jobs.Clear, accounts("a", 100))
		c.exec(`UPDATE jobs SET start_at = $1`, time.Now().Add(time.Hour).UnixMilli())
		other := c.starts(jobs.Clear, accounts("b", 100))
		c.run()
		c.ends(other, jobs.Counts{jobs.Cleared: 100})
		require.Equal(c, jobs.Queued, c.job(j).State)
		c.act(j, jobs.StartNow)
		c.ends(j, jobs.Counts{jobs.Cleared: 100})
	})
}

func TestOneJobMayComeBeforeAllOthers(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.set(`rate_set = 40`)
		first, other := c.starts(jobs.Clear, accounts("a", 2_000)), c.starts(jobs.Clear, accounts("b", 6_000))
		require.NoError(c, c.PutFirst(c.Context(), audit.System, other.ID, true))
		c.run()
		c.ends(other, jobs.Counts{jobs.Cleared: 6_000})
		c.ends(first, jobs.Counts{jobs.Cleared: 2_000})
		before, last := 0, 0 // calls of the first job, and those before the last of the other
		for _, call := range c.calls() {
			if call.Accounts[0][0] == 'a' {
				before++
			} else {
				last = before
			}
		}
		require.Less(c, last, 15, "of 20; in rounds it would be nearly all")
	})
}

// Another console may have been started at another address meanwhile: this one sends nothing
// more, neither to its own nor to the new one.
func TestAChangedAddressStopsCalls(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.set(`rate_set = 40`)
		j := c.starts(jobs.Clear, accounts("a", 6_000))
		c.run()
		for _, column := range []string{"domain", "environment"} {
			was := map[string]string{"domain": jobstest.App.Domain, "environment": jobstest.App.Environment}[column]
			c.stopped(j, func() { c.set(column + ` = 'another'`) })
			c.until("it says so", func() bool { s := c.engine.Trouble(); return s != nil && engine.FaultMoved.Is(s.Fault) })
			calls := len(c.calls())
			c.set(column + ` = '` + was + `'`)
			c.until("it goes on", func() bool { return len(c.calls()) > calls })
		}
		c.set(`rate_set = 0`)
		c.ends(j, jobs.Counts{jobs.Cleared: 6_000})
		c.requireMatch(j)
	})
}
