package engine_test

import (
	"sync/atomic"
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

// sent gives the first batch of a job, of three accounts, earlier calls: one
// without an answer for the first, one that never left for the second, and one
// that was refused for the third.
func (c *fixture) sent(j jobs.Job) {
	c.Helper()
	c.exec(`UPDATE batches SET sent = 1, lost = 1 WHERE job_id = $1`, j.ID)
	c.exec(`UPDATE jobs SET state = 'running' WHERE id = $1`, j.ID)
	for place, delivery := range []string{"lost", "not_sent", "answered"} {
		c.exec(`INSERT INTO calls (id, job_id, batch, held, accounts, command, random, delivery, sent_at, code) VALUES `+
			`($1, $2, 1, $3, 1, $4, 7, $5, 1, 91000)`,
			delivery+j.ID, j.ID, []byte{1 << place}, string(j.Kind.Command()), delivery)
	}
}

func TestTouchedAreThoseACallMayHaveChanged(t *testing.T) {
	onEach(t, func(c *fixture) {
		j := c.starts(jobs.AddTags, tagged("a", 3, "t1"))
		c.sent(j)
		for i := range 3 {
			c.service.SetTags([]string{"a0", "a1", "a2"}[i], "t1")
		}
		c.run()
		c.ends(j, jobs.Counts{jobs.Changed: 1, jobs.Unchanged: 2})
		require.Equal(c, jobs.Changed, c.results(j)["a0"].Outcome, "the others were so before")
	})
}

func TestACancelledJobSaysWhatIsHalfDone(t *testing.T) {
	onEach(t, func(c *fixture) {
		j := c.starts(jobs.AddTags, tagged("a", 3, "t1"))
		c.sent(j)
		c.act(j, jobs.Cancel)
		c.requireCounts(j, jobs.Counts{jobs.InDoubt: 3})
		c.run()
		c.ends(j, jobs.Counts{jobs.Failed: 1, jobs.Unsent: 2})
		require.Equal(c, jobs.CodeCutShort, c.results(j)["a0"].Code)
		require.Len(c, c.calls(), 1, "its reading")
	})
}

func TestTheTagsOfBeforeAreKeptAsTheyWere(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, 0)
		clear := c.starts(jobs.Clear, accounts("a", 150)+"unknown1\n")
		adds := c.starts(jobs.AddTags, tagged("b", 120, tagNames(12)...))
		c.run()
		c.ends(clear, jobs.Counts{jobs.Cleared: 150, jobs.Failed: 1})
		c.ends(adds, jobs.Counts{jobs.Changed: 120})
		for _, j := range []jobs.Job{clear, adds} {
			kept := 0
			for a, err := range c.TagsBefore(c.Context(), j.ID) {
				require.NoError(c, err)
				if a.Known {
					require.Equal(c, c.service.Accounts([]string{a.Account.Account})[0].First, append([]string{}, a.Before...))
					kept++
				}
			}
			require.Equal(c, map[jobs.Kind]int{jobs.Clear: 150, jobs.AddTags: 120}[j.Kind], kept)
		}
	})
}

func TestTagsReadTooLongAgoAreReadAgain(t *testing.T) {
	onEach(t, func(c *fixture) {
		var ago atomic.Int64 // how much earlier the readings were than it seems
		ago.Store(56)
		c.useClient(c.base, func() time.Time { return time.Now().Add(-time.Duration(ago.Load()) * time.Second) })
		j := c.starts(jobs.RemoveTags, tagged("a", 1, "t1"))
		c.service.SetTags("a0", "t1", "x")
		c.run()
		c.until("it was read again", func() bool { return len(c.calls()) >= 3 })
		require.Empty(c, c.calls(tim.RemoveTags), "somebody may have changed them since")
		ago.Store(0)
		c.ends(j, jobs.Counts{jobs.Changed: 1})
		c.requireMatch(j)
	})
}

// A call that waited for its slot while they grew old does not leave by them.
func TestTagsThatGrewOldInABatchAreReadAgain(t *testing.T) {
	onEach(t, func(c *fixture) {
		var ago atomic.Int64 // by so much are readings older than it seems, in milliseconds
		ago.Store(54_500)
		c.useClient(c.base, func() time.Time { return time.Now().Add(-time.Duration(ago.Load()) * time.Millisecond) })
		c.slotsFrom(tim.RemoveTags, 5*time.Second)
		j := c.starts(jobs.RemoveTags, tagged("a", 1, "t1"))
		c.service.SetTags("a0", "t1", "x")
		c.run()
		c.until("its change has waited for too long", func() bool { return len(c.calls()) >= 2 })
		require.Empty(c, c.calls(tim.RemoveTags), "somebody may have changed them since")
		ago.Store(0)
		c.ends(j, jobs.Counts{jobs.Changed: 1})
		require.Len(c, c.calls(tim.RemoveTags), 1)
		c.requireMatch(j)
	})
}

// What lies further ahead than anything is ever put off counts as come.
func TestAClockThatWasSetBackDelaysNothing(t *testing.T) {
	onEach(t, func(c *fixture) {
		ahead := time.Now().Add(2 * time.Hour)
		j := c.starts(jobs.Clear, accounts("a", 300))
		c.consoleDies(j)
		c.exec(`INSERT INTO consoles (id, seen_at) VALUES ('dead', $1)`, ahead.UnixMilli())
		c.exec(`UPDATE batches SET not_before = $1, outcome = 'in_doubt', sent = 1 WHERE number = 3`, ahead.UnixMilli())
		c.exec(`UPDATE jobs SET outcome_waiting = 100, outcome_in_doubt = 100`)
		require.NoError(c, c.Halts(c.Context(), j.ID, jobs.CodeDown, ""))
		c.exec(`UPDATE apps SET probe_at = $1, probe_wait = 1000`, ahead.UnixMilli())
		for _, command := range tim.Commands {
			c.exec(`INSERT INTO budgets (app_id, command, next_slot) VALUES ($1, $2, $3)`, jobstest.App.ID, string(command), ahead.UnixMicro())
		}
		c.run()
		c.ends(j, jobs.Counts{jobs.Cleared: 300})
		c.requireMatch(j)
	})
}

// Two consoles, jobs of every kind with the same accounts, and a service in trouble.
func TestTwoEnginesNeverDisturbEachOther(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	c := newFixture(t, jobstest.Open(t, url))
	other := jobstest.Open(t, url)
	c.faults(timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ServerError: 0.1, timtest.ResetBefore: 0.1,
		timtest.ResetAfter: 0.1}, Most: 50})
	jobstest.Keep(t, c.Console, 0)
	all := []jobs.Job{c.starts(jobs.Clear, accounts("a", 900)), c.starts(jobs.AddTags, tagged("a", 700, "t1", "t2")),
		c.starts(jobs.Inspect, accounts("a", 900)),
		c.starts(jobs.RemoveTags, tagged("a", 800, "t1")), c.starts(jobs.Clear, accounts("b", 500)+accounts("a", 100))}
	c.run()
	stop := enginetest.Run(t, enginetest.New(t, other, c.base))
	c.until("some are done", func() bool { return c.job(all[0]).Counts[jobs.Cleared] > 0 })
	stop()
	enginetest.Run(t, enginetest.New(t, other, c.base)) // it was started again
	for _, j := range all {
		c.until("the job has ended", func() bool {
			c.exec(`UPDATE apps SET probe_at = 1 WHERE probe_at > 0`)
			return c.job(j).Settled()
		})
		require.Equal(t, jobs.Finished, c.job(j).State)
	}
	require.Empty(t, c.service.Tags("a50"), "the last one cleared it")
	require.Equal(t, []string{"t2"}, c.service.Tags("a500"))
	c.requireReadBack()
	c.requireMatch(all...)
}

func TestUnreadableTagsHaltTheirJobAlone(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, 0)
		told, keeps := c.starts(jobs.AddTags, tagged("a", 3, "t1")), c.starts(jobs.Clear, accounts("b", 3))
		well := c.starts(jobs.Clear, accounts("d", 3))
		c.exec(`DELETE FROM wanted_tags WHERE job_id = $1`, told.ID) // it would seem that nothing is to be done
		c.exec(`UPDATE snapshot_keys SET wrapped = $2 WHERE job_id = $1`, keeps.ID, []byte("damaged"))
		c.run()
		c.halts(told, jobs.CodeUnreadable)
		c.halts(keeps, jobs.CodeUnreadable)
		c.ends(well, jobs.Counts{jobs.Cleared: 3})
		c.requireCounts(told, jobs.Counts{jobs.Waiting: 3})
		c.requireCounts(keeps, jobs.Counts{jobs.Waiting: 3})
		for _, call := range c.calls() {
			require.True(c, call.Command == tim.GetTags || call.Accounts[0] == "d0", "nothing is changed whose tags cannot be kept")
		}
	})
}

func TestUnreadableTagsInDoubtAskAPerson(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, 0)
		c.loseAnswers(tim.RemoveAllTags)
		j := c.starts(jobs.Clear, accounts("a", 3))
		c.run()
		c.putInDoubt(j)
		c.act(j, jobs.Cancel)
		c.exec(`UPDATE snapshots SET data = $1`, []byte("damaged"))
		c.readBack(timtest.Faults{})
		c.requireReview(j, jobs.NeedsReview{Unreadable: 3, Code: jobs.CodeUnreadable}) // a cancelled job cannot halt
		c.decide(j, jobs.Leave)
		c.ends(j, jobs.Counts{jobs.Failed: 3})
	})
}

// What was read is saved together with what it led to, or not at all.
func TestNoOutcomeIsSettledWithoutItsTags(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Latency: 300 * time.Millisecond})
		j := c.starts(jobs.Inspect, accounts("a", 3))
		c.run()
		c.until("it is being read", func() bool { return len(c.calls()) == 1 })
		c.exec(`ALTER TABLE snapshot_keys RENAME TO hidden`)
		c.until("the engine is in trouble", func() bool { return c.engine.Trouble() != nil })
		c.exec(`ALTER TABLE hidden RENAME TO snapshot_keys`)
		c.ends(j, jobs.Counts{jobs.Inspected: 3})
		for a, err := range c.TagsBefore(c.Context(), j.ID) {
			require.NoError(c, err)
			require.True(c, a.Known)
		}
	})
}
