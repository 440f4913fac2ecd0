package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// early is how much closer than their slots two calls may arrive: the first was late,
// also because the machine was busy.
const early = 400 * time.Millisecond

// requireEven holds calls to slots of a rate: no more of them in any time than it gives.
func (c *fixture) requireEven(calls []timtest.Call, rate int) {
	c.Helper()
	interval := time.Second.Microseconds() / int64(rate)
	for first := range calls {
		for last := first + 1; last < len(calls); last++ {
			least := int64(last-first)*interval - early.Microseconds()
			require.GreaterOrEqual(c, calls[last].At-calls[first].At, least, "calls %d to %d", first, last)
		}
	}
}

func TestSlotsAreEvenAtTheSetRate(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.set(`rate_set = 25`)
		one, two := c.starts(jobs.Clear, accounts("a", 2_500)), c.starts(jobs.Clear, accounts("b", 2_500))
		c.run()
		c.ends(one, jobs.Counts{jobs.Cleared: 2_500})
		c.ends(two, jobs.Counts{jobs.Cleared: 2_500})
		require.Len(c, c.calls(), 50)
		c.requireEven(c.calls(), 25)
		c.requireMatch(one, two)
	})
}

// The first of several jobs does not keep the others waiting.
func TestJobsAreServedInRounds(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.set(`rate_set = 40`)
		large, small := c.starts(jobs.Clear, accounts("a", 20_000)), c.starts(jobs.Clear, accounts("b", 100))
		c.run()
		c.ends(small, jobs.Counts{jobs.Cleared: 100})
		require.Equal(c, jobs.Running, c.job(large).State)
		require.Less(c, len(c.calls()), 100)
		c.act(large, jobs.Cancel)
	})
}

func TestTwoEnginesShareOneBudget(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	c := newFixture(t, jobstest.Open(t, url))
	other := jobstest.Open(t, url)
	c.set(`rate_set = 40`)
	j := c.starts(jobs.Clear, accounts("a", 10_000))
	c.run()
	enginetest.Run(t, enginetest.New(t, other, c.base))
	c.until("both have batches in hand", func() bool {
		return c.count(`SELECT COUNT(DISTINCT console) FROM batches WHERE console <> ''`) == 2
	})
	c.ends(j, jobs.Counts{jobs.Cleared: 10_000})
	require.Len(t, c.calls(), 100, "each batch once, whichever sent it")
	c.requireEven(c.calls(), 40)
	c.requireMatch(j)
}

// By the service's own clock, and whatever else the machine does (Exceeded, which
// the comparison looks at).
func TestNoSecondHasMoreCallsThanTheLimit(t *testing.T) {
	t.Parallel()
	c := newFixture(t, jobstest.SQLite(t))
	j := c.starts(jobs.Clear, accounts("a", 25_000))
	c.run()
	c.ends(j, jobs.Counts{jobs.Cleared: 25_000})
	require.Zero(t, c.service.Stats().Commands[tim.RemoveAllTags].Exceeded)
	c.requireMatch(j)
}

func TestCallsTooFrequentOnlySlowThePace(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Shares: map[timtest.Fault]float64{timtest.TooOften: 1}, Most: 3})
		j := c.starts(jobs.Clear, accounts("a", 300))
		c.run()
		c.until("the pace is slower", func() bool { return c.count(`SELECT COALESCE(MAX(pace), 0) FROM budgets`) > 0 })
		sending, err := c.SendStatus(c.Context(), j.AppID)
		require.NoError(c, err)
		for _, gauge := range sending.Gauges {
			require.Equal(c, gauge.Command == tim.RemoveAllTags, gauge.Allowed < gauge.Set,
				"%s: only the command that was too frequent", gauge.Command)
		}
		c.ends(j, jobs.Counts{jobs.Cleared: 300})
		require.Len(c, c.calls(), 6, "each was sent again")
		c.requireMatch(j)
	})
}
