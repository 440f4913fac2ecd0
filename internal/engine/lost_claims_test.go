package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// The halves of a batch are sent one by one, and in between it may have been taken over.
func TestALostClaimSendsNothingMore(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Latency: time.Second, Unknown: timtest.FailedBatch})
		j := c.starts(jobs.Clear, accounts("a", 4)+accounts("unknown", 4))
		c.run()
		c.until("its first half is under way", func() bool { return len(c.calls()) == 2 })
		c.losesClaims(j, time.Now().Add(time.Minute))
		c.until("both answers are written down", func() bool { return c.count(`SELECT COUNT(*) FROM calls WHERE delivery = 'answered'`) >= 2 })
		require.Len(c, c.calls(), 2, "the other half is another console's")
		require.Equal(c, 2, c.count(`SELECT COUNT(*) FROM calls`), "nor is any written down")
		c.requireCounts(j, jobs.Counts{jobs.InDoubt: 8})
		c.exec(`UPDATE jobs SET calls = 2`) // the first was answered before
		c.readBack(timtest.Faults{})
		c.ends(j, jobs.Counts{jobs.Cleared: 4, jobs.Failed: 4})
		c.requireMatch(j)
	})
}

// A batch that is tried again is not, once it was taken over meanwhile.
func TestALostClaimTriesNothingAgain(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Latency: time.Second, Shares: map[timtest.Fault]float64{timtest.ServerError: 1}})
		j := c.starts(jobs.Clear, accounts("a", 4))
		c.run()
		c.until("its change is under way", func() bool { return len(c.calls()) == 1 })
		c.losesClaims(j, time.Now().Add(time.Minute))
		c.until("the answer has come", func() bool { return c.count(`SELECT COUNT(*) FROM calls WHERE code = 91000`) >= 1 })
		require.Len(c, c.calls(), 1)
		c.readBack(timtest.Faults{})
		c.ends(j, jobs.Counts{jobs.Cleared: 4})
		c.requireMatch(j)
	})
}

// The worker of a batch that was taken over waited for its slot all the time.
func TestWhatWasNotLostIsCountedNoMore(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.slotsFrom(tim.RemoveAllTags, time.Minute)
		j := c.starts(jobs.Clear, accounts("a", 50))
		c.run()
		c.until("its change waits for a slot", func() bool { return c.count(`SELECT COUNT(*) FROM calls WHERE delivery = 'intended'`) == 1 })
		c.losesClaims(j, time.Now().Add(time.Minute))
		require.Equal(c, int64(1), c.job(j).Calls, "it is taken for lost")
		c.act(j, jobs.Pause)
		c.until("it is known not to have left", func() bool { return c.count(`SELECT COUNT(*) FROM calls WHERE delivery = 'not_sent'`) == 1 })
		require.Zero(c, c.job(j).Calls)
		require.Empty(c, c.calls())
		c.requireCounts(j, jobs.Counts{jobs.InDoubt: 50})
		verified, err := c.Recount(c.Context())
		require.NoError(c, err)
		require.Empty(c, verified.Wrong)
	})
}

// slotsFrom lets no slot of a command come before some time from now.
func (c *fixture) slotsFrom(command tim.Command, ahead time.Duration) {
	c.Helper()
	c.exec(`INSERT INTO budgets (app_id, command, next_slot) VALUES ($1, $2, $3)`, jobstest.App.ID, string(command),
		time.Now().Add(ahead).UnixMicro())
}

// There can be no other console with SQLite, whatever the clock said when the last one lived.
func TestAClockSetBackDoesNotHideADeath(t *testing.T) {
	t.Parallel()
	c := newFixture(t, jobstest.SQLite(t))
	j := c.starts(jobs.Clear, accounts("a", 300))
	c.consoleDies(j)
	c.seen(-30 * time.Minute)
	c.run()
	c.ends(j, jobs.Counts{jobs.Cleared: 300})
	reads := c.calls(tim.GetTags)
	require.Len(c, reads, 1)
	require.Contains(c, reads[0].Accounts, "a0")
	require.Zero(c, c.count(`SELECT COUNT(*) FROM consoles WHERE id = 'dead'`))
	c.requireMatch(j)
}
