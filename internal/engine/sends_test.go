package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/engine"
	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

// The witness is saved before a call leaves, and is never ahead of the database.
func TestTheWitnessIsExact(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c, w := newFixture(t, s), &witness{}
		c.engine.Witness = w
		j := c.starts(jobs.Clear, enginetest.Members(5_000))
		c.run()
		for !c.job(j).Settled() {
			calls := len(c.calls(tim.RemoveAllTags))
			saved := w.last()
			sent, err := c.Sent(t.Context())
			require.NoError(t, err)
			require.LessOrEqual(t, saved, sent.Number)
			require.LessOrEqual(t, int64(calls), saved)
		}
		require.Equal(t, int64(50), w.last())
	})
}

// A witness that cannot be saved stops sending, like a database that is away.
func TestAWitnessThatFailsStopsSending(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c, w := newFixture(t, s), &witness{}
		c.engine.Witness = w
		w.fail(engine.FaultStore.With())
		j := c.starts(jobs.Clear, enginetest.Members(500))
		c.run()
		c.until("sending is paused", func() bool { return c.engine.Trouble() != nil })
		require.True(t, engine.FaultWitness.Is(c.engine.Trouble().Fault))
		require.Empty(t, c.calls(tim.RemoveAllTags))
		w.fail(nil)
		c.ends(j, jobs.Counts{jobs.Cleared: 500})
		require.Nil(t, c.engine.Trouble())
		c.requireMatch(j)
	})
}

// A SQLite file that is replaced under a running console is noticed: what it writes is lost.
func TestAReplacedFileStopsTheConsole(t *testing.T) {
	t.Parallel()
	c := newRestoring(t, "sqlite", true)
	c.starts(jobs.Clear, enginetest.Members(20_000))
	restore := storetest.Backup(c, c.database, storetest.VacuumInto)
	c.run()
	c.until("a part is cleared", func() bool { return c.cleared() > 500 })
	restore()
	c.until("it is noticed", func() bool {
		trouble := c.engine.Trouble()
		return trouble != nil && engine.FaultReplaced.Is(trouble.Fault)
	})
	require.Less(t, c.cleared(), 20_000)
}

// A database that is put back under a running console is noticed, and nothing more is sent.
func TestAReplacedDatabaseStopsTheConsole(t *testing.T) {
	t.Parallel()
	c := newRestoring(t, "postgres", true)
	const all = 5_000
	j := c.starts(jobs.Clear, enginetest.Members(all))
	c.act(j, jobs.Pause)
	restore := storetest.Backup(c, c.database, storetest.Dump)
	c.act(j, jobs.Resume)
	c.run()
	c.until("a part is cleared", func() bool { return c.cleared() > all/4 })
	restore()
	c.until("it is noticed", func() bool {
		trouble := c.engine.Trouble()
		return trouble != nil && engine.FaultReplaced.Is(trouble.Fault)
	})
	c.until("all consoles are held", func() bool {
		k, err := c.KillSwitch(t.Context())
		return err == nil && k.Restored()
	})
	report, err := c.RestoreReport(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(all), report.Accounts)
	require.Equal(t, c.witness.last(), report.Known.Number)
}
