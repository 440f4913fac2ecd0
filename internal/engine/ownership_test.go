package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// consoleDies leaves the first batch of a job of three as a console that died while it
// was sent, and the second as one that had only claimed it.
func (c *fixture) consoleDies(j jobs.Job) {
	c.Helper()
	c.exec(`UPDATE batches SET console = 'dead', claim = 'old', outcome = 'sending', sent = 1 WHERE job_id = $1 AND number = 1`, j.ID)
	c.exec(`UPDATE batches SET console = 'dead', claim = 'old' WHERE job_id = $1 AND number = 2`, j.ID)
	c.exec(`UPDATE jobs SET state = 'running', outcome_waiting = 200, outcome_sending = 100 WHERE id = $1`, j.ID)
	c.exec(`INSERT INTO calls (id, job_id, batch, held, accounts, command, random, delivery, sent_at) VALUES ('one', `+
		`$1, 1, $2, 100, 'remove_all_tags', 7, 'intended', $3)`,
		j.ID, []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0f"), time.Now().UnixMilli())
}

func (c *fixture) seen(ago time.Duration) {
	c.Helper()
	c.exec(`INSERT INTO consoles (id, seen_at) VALUES ('dead', $1) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`,
		time.Now().Add(-ago).UnixMilli())
}

func TestWhatADeadConsoleHadIsTakenOver(t *testing.T) {
	onEach(t, func(c *fixture) {
		j := c.starts(jobs.Clear, accounts("a", 300))
		c.consoleDies(j)
		var began time.Time
		if c.DB.Shared() {
			c.seen(18 * time.Second)
			c.run()
			c.until("the free batch is sent", func() bool { return c.job(j).Counts[jobs.Cleared] == 100 })
			require.Len(c, c.calls(), 1, "the other console may live")
			c.requireCounts(j, jobs.Counts{jobs.Cleared: 100, jobs.Sending: 100, jobs.Waiting: 100})
			c.seen(21 * time.Second)
		} else { // there can be no other
			c.engine.LostCallEnds = 2 * time.Second
			began = time.Now()
			c.seen(0)
			c.run()
		}
		c.ends(j, jobs.Counts{jobs.Cleared: 300})
		reads := c.calls(tim.GetTags)
		require.Len(c, reads, 1, "only what may have been sent is read back")
		require.Contains(c, reads[0].Accounts, "a0")
		require.GreaterOrEqual(c, time.UnixMicro(reads[0].At).Sub(began), c.engine.LostCallEnds, "its call may be under way")
		require.Len(c, c.calls(tim.RemoveAllTags), 3)
		require.Equal(c, 1, c.count(`SELECT COUNT(*) FROM calls WHERE id = 'one' AND delivery = 'lost'`))
		require.Zero(c, c.count(`SELECT COUNT(*) FROM consoles WHERE id = 'dead'`))
		c.requireMatch(j)
	})
}

// One whose heartbeat nobody has ever seen cannot come back.
func TestAnUnknownConsoleHasLostItsBatches(t *testing.T) {
	onEach(t, func(c *fixture) {
		j := c.starts(jobs.Clear, accounts("a", 300))
		c.consoleDies(j)
		c.run()
		c.ends(j, jobs.Counts{jobs.Cleared: 300})
		c.requireMatch(j)
	})
}

func TestADeadConsolesCancelledJobIsReadBack(t *testing.T) {
	onEach(t, func(c *fixture) {
		j := c.starts(jobs.Clear, accounts("a", 300))
		c.consoleDies(j)
		c.act(j, jobs.Cancel)
		c.requireCounts(j, jobs.Counts{jobs.Unsent: 100, jobs.Sending: 100, jobs.Waiting: 100})
		c.run()
		require.Equal(c, jobs.Cancelled, c.ends(j, jobs.Counts{jobs.Unsent: 300}).State)
		require.Len(c, c.calls(), 1, "its reading")
	})
}

// losesClaims ends the claims on a job as another console would, while calls are under way.
func (c *fixture) losesClaims(j jobs.Job, notBefore time.Time) {
	c.Helper()
	c.exec(`UPDATE batches SET console = '', claim = '', outcome = 'in_doubt', lost = 1, not_before = $2 WHERE job_id = $1`, j.ID,
		notBefore.UnixMilli())
	c.exec(`UPDATE jobs SET outcome_in_doubt = outcome_sending, outcome_sending = 0, calls = calls + 1 WHERE id = $1`, j.ID)
	c.exec(`UPDATE calls SET delivery = 'lost' WHERE job_id = $1 AND delivery = 'intended'`, j.ID)
}

func TestALostClaimWritesOnlyTheLedger(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Latency: 700 * time.Millisecond})
		j := c.starts(jobs.Clear, accounts("a", 50))
		c.run()
		c.until("its change is under way", func() bool { return len(c.calls()) == 1 })
		c.losesClaims(j, time.Now().Add(time.Minute))
		c.until("the answer has come", func() bool { return c.count(`SELECT COUNT(*) FROM calls WHERE delivery = 'answered'`) == 1 })
		c.requireCounts(j, jobs.Counts{jobs.InDoubt: 50})
		require.Equal(c, 1, c.count(`SELECT COUNT(*) FROM batches WHERE outcome = 'in_doubt' AND settled_at = 0`))
		c.readBack(timtest.Faults{})
		c.ends(j, jobs.Counts{jobs.Cleared: 50})
		require.Len(c, c.calls(tim.RemoveAllTags), 1)
		c.requireMatch(j)
	})
}

func TestALateAnswerOfASealedJobIsLogged(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Free(c, c.Console) // as the log says, too
		c.faults(timtest.Faults{Latency: 1_500 * time.Millisecond})
		j := c.starts(jobs.Clear, accounts("a", 50))
		c.run()
		c.until("its change is under way", func() bool { return len(c.calls()) == 1 })
		c.faults(timtest.Faults{})
		c.losesClaims(j, time.Time{})
		c.ends(j, jobs.Counts{jobs.Cleared: 50})
		require.NoError(c, c.Evidence.Seal(c.Context()))
		sealed, err := c.Sealed(c.Context(), j.ID)
		require.NoError(c, err)
		require.NotZero(c, sealed)
		c.until("the answer is in the log", func() bool { return c.entries(audit.JobAnsweredLate) == 1 })
		require.Equal(c, 1, c.count(`SELECT COUNT(*) FROM calls WHERE delivery = 'lost'`), "what is sealed is not changed")
		verified, err := c.Evidence.Verify(c.Context(), audit.Proofs{})
		require.NoError(c, err)
		require.Empty(c, verified.Wrong)
	})
}

func TestAnEngineThatEndsLeavesNothingOpen(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Latency: 300 * time.Millisecond})
		j := c.starts(jobs.Clear, accounts("a", 5_000))
		stop := c.run()
		c.until("calls are under way", func() bool { return len(c.calls()) > 5 })
		stop()
		require.True(c, c.idle(j), "the answers were waited for and written down")
		counts := c.job(j).Counts
		require.Equal(c, int64(5_000), counts[jobs.Waiting]+counts[jobs.Cleared])
		require.Equal(c, int64(100*len(c.calls())), counts[jobs.Cleared])
		c.faults(timtest.Faults{})
		enginetest.Run(c, enginetest.New(c, c.Console, c.base))
		c.ends(j, jobs.Counts{jobs.Cleared: 5_000})
		require.Len(c, c.calls(), 50)
		c.requireMatch(j)
	})
}
