package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/tim"
)

func TestACarefulJobSendsItsFirstBatchAlone(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, 0)
		c.set(`canary = 1, failure_limit = 20`)
		j := c.starts(jobs.Clear, accounts("unknown", 20)+accounts("a", 480))
		require.True(c, j.Careful)
		c.run()
		c.ends(j, jobs.Counts{jobs.Cleared: 480, jobs.Failed: 20})
		calls := c.calls()
		require.Equal(c, []tim.Command{tim.GetTags, tim.RemoveAllTags}, []tim.Command{calls[0].Command, calls[1].Command})
		require.Contains(c, calls[1].Accounts, "a0")
		for _, call := range calls[2:] {
			require.Greater(c, call.At, calls[1].At+calls[1].Took, "the others wait until it is settled")
		}
		require.False(c, c.job(j).Careful)
	})
}

func TestACarefulJobHaltsIfItsFirstBatchFails(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.set(`canary = 1, failure_limit = 20`)
		j := c.starts(jobs.Clear, accounts("unknown", 21)+accounts("a", 479))
		other := c.starts(jobs.Clear, accounts("b", 200))
		c.run()
		halted := c.halts(j, jobs.CodeFailures)
		require.Equal(c, "21/100", halted.HaltInfo)
		c.requireCounts(j, jobs.Counts{jobs.Cleared: 79, jobs.Failed: 21, jobs.Waiting: 400})
		c.ends(other, jobs.Counts{jobs.Cleared: 200}) // the list is bad, not the app
		require.Len(c, c.calls(), 3)
		c.act(j, jobs.Resume)
		c.ends(j, jobs.Counts{jobs.Cleared: 479, jobs.Failed: 21})
		c.requireMatch(j, other)
	})
}

func TestTooManyFailuresHalt(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.set(`failure_limit = 20, rate_set = 20`)
		j := c.starts(jobs.Clear, accounts("unknown", 5_000))
		c.run()
		halted := c.halts(j, jobs.CodeFailures)
		require.GreaterOrEqual(c, halted.Counts[jobs.Failed], int64(300), "of every 1,000 accounts no more than 200 may fail")
		require.Equal(c, halted.Accounts, halted.Counts[jobs.Failed]+halted.Counts[jobs.Waiting])
		require.Less(c, len(c.calls()), 40)
		c.set(`rate_set = 0`)
		c.act(j, jobs.Resume)
		c.ends(j, jobs.Counts{jobs.Failed: 5_000}) // the list is known to be bad
	})
}
