package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

func (c *fixture) protect(names ...string) {
	c.Helper()
	added, err := c.Protect(c.Context(), audit.System, jobstest.App.ID, "", names)
	require.NoError(c, err)
	require.Equal(c, len(names), added)
}

// sentTo reports whether any call held an account.
func (c *fixture) sentTo(account string) bool {
	for _, call := range c.calls() {
		for _, name := range call.Accounts {
			if name == account {
				return true
			}
		}
	}
	return false
}

func TestProtectedAccountsAreSetAsideUnread(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, 0)
		j := c.starts(jobs.Clear, accounts("a", 250))
		c.protect("a7", "a130", "a131")
		c.run()
		ended := c.ends(j, jobs.Counts{jobs.Cleared: 247})
		require.Equal(c, []int64{250, 3, 247}, []int64{ended.Rows, ended.Protected, ended.Accounts})
		require.False(c, c.sentTo("a7") || c.sentTo("a130") || c.sentTo("a131"))
		asides, err := c.SetAsides(c.Context(), j.ID, 10)
		require.NoError(c, err)
		require.Len(c, asides, 3)
		require.Equal(c, []any{int64(8), jobs.Protected, "a7"}, []any{asides[0].Row, asides[0].Kind, asides[0].Value})
		c.requireMatch(j)
	})
}

func TestABatchOfProtectedAccountsSettles(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.set(`canary = 1`)
		first, all := c.starts(jobs.Clear, accounts("a", 2)+accounts("b", 200)), c.starts(jobs.Inspect, accounts("a", 2))
		c.protect("a0", "a1")
		for i := range 98 {
			c.protect(fmt.Sprint("b", i))
		}
		c.run()
		require.Equal(c, jobs.Finished, c.ends(all, jobs.Counts{}).State)
		c.ends(first, jobs.Counts{jobs.Cleared: 102})
		require.Len(c, c.calls(), 2, "nothing of the first batch was left")
		c.requireMatch(first, all)
	})
}

func TestAProtectedAccountThatWasSentFails(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, 0)
		c.set(`failure_limit = 1`)
		c.loseAnswers(tim.RemoveAllTags)
		j := c.starts(jobs.Clear, accounts("a", 3))
		c.run()
		c.putInDoubt(j)
		c.service.SetTags("a1", "new")
		c.readBack(timtest.Faults{})
		c.requireReview(j, jobs.NeedsReview{Tagged: 1})
		c.protect("a1")
		c.decide(j, jobs.Retry)
		ended := c.ends(j, jobs.Counts{jobs.Cleared: 2, jobs.Failed: 1})
		require.Equal(c, jobs.Finished, ended.State, "a person said so: it is no failure of the list")
		require.Equal(c, jobs.CodeProtected, c.results(j)["a1"].Code)
		require.Equal(c, []string{"new"}, c.service.Tags("a1"))
		c.requireMatch(j)
	})
}

func TestAProtectedAccountInDoubtIsOnlyRead(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.loseAnswers(tim.RemoveAllTags)
		j := c.starts(jobs.Clear, accounts("a", 3))
		c.run()
		c.putInDoubt(j)
		c.protect("a1", "a2")
		c.service.SetTags("a2")
		c.readBack(timtest.Faults{})
		c.ends(j, jobs.Counts{jobs.Cleared: 2, jobs.Failed: 1})
		require.Equal(c, jobs.CodeProtected, c.results(j)["a1"].Code)
		removals := c.calls(tim.RemoveAllTags)
		require.Equal(c, []string{"a0"}, removals[len(removals)-1].Accounts)
		c.requireMatch(j)
	})
}

// It was sent, read back, and stopped before it was sent again.
func TestAProtectedAccountWaitingAgainFails(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, 0)
		j := c.starts(jobs.Clear, accounts("a", 3))
		c.exec(`UPDATE batches SET sent = 1 WHERE job_id = $1`, j.ID)
		c.exec(`INSERT INTO calls (id, job_id, batch, held, accounts, command, random, delivery, sent_at) VALUES ('one', `+
			`$1, 1, $2, 3, 'remove_all_tags', 7, 'lost', $3)`, j.ID, append([]byte{7}, make([]byte, 12)...), time.Now().UnixMilli())
		c.protect("a1")
		c.run()
		c.ends(j, jobs.Counts{jobs.Cleared: 2, jobs.Failed: 1})
		require.Equal(c, jobs.CodeProtected, c.results(j)["a1"].Code)
		require.False(c, c.sentTo("a1"))
	})
}
