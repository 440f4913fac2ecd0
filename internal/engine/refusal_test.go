package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

func TestHalvingFindsTheOneBadAccountOf100(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Unknown: timtest.FailedBatch})
		j := c.starts(jobs.Clear, accounts("a", 61)+"unknown1\n"+accounts("b", 38))
		c.run()
		c.ends(j, jobs.Counts{jobs.Cleared: 99, jobs.Failed: 1})
		require.Equal(c, []any{jobs.Failed, 70107}, []any{c.results(j)["unknown1"].Outcome, c.results(j)["unknown1"].Code})
		require.LessOrEqual(c, len(c.calls()), 15, "twice for each halving of 100")
		c.requireMatch(j)
	})
}

func TestHalvingWorksForReadingsToo(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Unknown: timtest.FailedBatch})
		j := c.starts(jobs.AddTags, tagged("a", 20, "t1")+"unknown1,t1\n")
		c.run()
		c.ends(j, jobs.Counts{jobs.Changed: 20, jobs.Failed: 1})
		require.Len(c, c.calls(tim.AddTags), 1, "only reading met the bad one")
		c.requireMatch(j)
	})
}

func TestAfterSevenRefusalsEachIsSentAlone(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Unknown: timtest.FailedBatch})
		j := c.starts(jobs.Clear, accounts("unknown", 100))
		c.run()
		c.ends(j, jobs.Counts{jobs.Failed: 100})
		several := 0
		for _, call := range c.calls() {
			if len(call.Accounts) > 1 {
				several++
			}
		}
		require.Equal(c, 100, len(c.calls())-several)
		require.LessOrEqual(c, several, 7+5, "seven, and the halves that were left on the way to them")
		c.requireMatch(j)
	})
}

func TestTooManyAccountsInACallAreHalved(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Limit: 13})
		j := c.starts(jobs.Clear, accounts("a", 100))
		c.run()
		c.ends(j, jobs.Counts{jobs.Cleared: 100})
		require.Len(c, c.calls(), 15, "eighths are small enough")
		c.requireMatch(j)
	})
}

func TestOneAccountThatIsTooManyHalts(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Code: 90018})
		j := c.starts(jobs.Clear, accounts("a", 2))
		c.run()
		c.halts(j, 90018)
		c.requireCounts(j, jobs.Counts{jobs.Waiting: 2})
	})
}

func TestRetriesEndWhenCodesAlternate(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Code: 12345})
		j := c.starts(jobs.Clear, accounts("a", 2))
		c.run()
		for n, code := range []int{12346, 12345, 12346} {
			c.until("it was tried once more", func() bool { return len(c.calls()) > n })
			c.faults(timtest.Faults{Code: code})
		}
		halted := c.halts(j, 12346)
		require.NotEmpty(c, halted.HaltInfo, "a code nobody knows is shown to a person")
		require.Len(c, c.calls(), 4, "three times more, whichever it was")
		c.requireCounts(j, jobs.Counts{jobs.Waiting: 2})
	})
}

func TestRetriesOfAServerErrorGoOn(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ServerError: 1}, Most: 2})
		j := c.starts(jobs.Clear, accounts("a", 2))
		c.run()
		c.ends(j, jobs.Counts{jobs.Cleared: 2})
		calls := c.calls()
		require.Len(c, calls, 3)
		first, second := calls[1].At-calls[0].At, calls[2].At-calls[1].At
		require.GreaterOrEqual(c, first, (125 * time.Millisecond).Microseconds())
		require.GreaterOrEqual(c, second, (250 * time.Millisecond).Microseconds(), "it waits longer each time")
	})
}

func TestAnExpiredUserSigIsRenewedOnce(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Code: 70001, Most: 1})
		j := c.starts(jobs.Clear, accounts("a", 2))
		c.run()
		c.ends(j, jobs.Counts{jobs.Cleared: 2})
		require.Len(c, c.calls(), 2)
		c.faults(timtest.Faults{Code: 70003})
		j = c.starts(jobs.Clear, accounts("b", 2))
		c.halts(j, 70003)
		require.Len(c, c.calls(), 4)
		c.requireCounts(j, jobs.Counts{jobs.Waiting: 2})
	})
}

func TestALockedOutAdminWaitsForAMinute(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Code: 70050, Most: 1})
		j := c.starts(jobs.Clear, accounts("a", 2))
		stop := c.run()
		c.until("all commands are held", func() bool {
			sending, err := c.SendStatus(c.Context(), j.AppID)
			require.NoError(c, err)
			for _, gauge := range sending.Gauges {
				if time.Until(gauge.HeldUntil) < 55*time.Second {
					return false
				}
			}
			return true
		})
		require.Len(c, c.calls(), 1)
		c.act(j, jobs.Pause)
		c.until("nobody waits for its slot any more", func() bool { return c.idle(j) })
		c.requireCounts(j, jobs.Counts{jobs.Waiting: 2})
		stop()
		c.exec(`UPDATE budgets SET next_slot = 0`) // the minute is over
		c.act(j, jobs.Resume)
		enginetest.Run(t, enginetest.New(t, c.Console, c.base))
		c.ends(j, jobs.Counts{jobs.Cleared: 2})
		c.requireMatch(j)
	})
}

func TestACodeOfManySingleAccountsHalts(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Code: 90001, Commands: []tim.Command{tim.RemoveAllTags}})
		j := c.starts(jobs.Clear, accounts("a", 8))
		c.run()
		c.halts(j, 90001)
		c.requireCounts(j, jobs.Counts{jobs.Failed: 2, jobs.Waiting: 6})
		c.faults(timtest.Faults{})
		c.act(j, jobs.Resume)
		c.ends(j, jobs.Counts{jobs.Failed: 2, jobs.Cleared: 6})
	})
}

// A person who resumes has said that the accounts are to blame.
func TestAfterAResumeSinglesCountAnew(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Code: 90001, Commands: []tim.Command{tim.RemoveAllTags}})
		j := c.starts(jobs.Clear, accounts("a", 4))
		c.run()
		c.halts(j, 90001)
		c.requireCounts(j, jobs.Counts{jobs.Failed: 2, jobs.Waiting: 2})
		c.act(j, jobs.Resume)
		c.ends(j, jobs.Counts{jobs.Failed: 4})
	})
}
