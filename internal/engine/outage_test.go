package engine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// probe lets the next batch probe now, and waits until it is settled.
func (c *fixture) probe() {
	c.Helper()
	c.exec(`UPDATE apps SET probe_at = 1 WHERE probe_at > 0`)
	c.until("it was probed", func() bool {
		return c.count(`SELECT COUNT(*) FROM apps WHERE probe_at <> 1 AND NOT EXISTS (SELECT 1 FROM batches WHERE `+
			`console <> '') OR probe_at = 0`) == 1
	})
}

// noProbe keeps the next probe from coming by itself.
func (c *fixture) noProbe() {
	c.Helper()
	c.exec(`UPDATE apps SET probe_at = probe_at + 60000, probe_wait = 60000 WHERE probe_at > 0`)
}

func (c *fixture) entries(code audit.Code) int {
	c.Helper()
	entries, err := c.Audit.Entries(c.Context(), audit.Filter{Code: code, Limit: 100})
	require.NoError(c, err)
	return len(entries)
}

// Readings go well all the time, and hide nothing.
func TestAnOutageHaltsAllJobsUntilAProbe(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, 0)
		c.faults(timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ServerError: 1}, Commands: []tim.Command{tim.RemoveAllTags}})
		one, two := c.starts(jobs.Clear, accounts("a", 1_500)), c.starts(jobs.AddTags, tagged("b", 1, "t1"))
		c.act(two, jobs.Pause)
		three := c.starts(jobs.Inspect, accounts("a", 1_500))
		c.act(three, jobs.Cancel)
		four := c.starts(jobs.Clear, accounts("c", 1_000))
		c.run()
		c.halts(one, jobs.CodeDown)
		c.halts(four, jobs.CodeDown)
		require.Equal(c, jobs.Paused, c.job(two).State, "it makes no calls anyway")
		c.noProbe()
		bad := len(c.calls(tim.RemoveAllTags))
		require.GreaterOrEqual(c, bad, 10)
		require.LessOrEqual(c, bad, 10+25, "those under way, and none again")
		require.Contains(c, c.job(one).HaltInfo, "91000")

		c.probe()
		require.Len(c, c.calls(tim.RemoveAllTags), bad+1, "one batch alone, and once")
		c.halts(one, jobs.CodeDown)
		c.noProbe()
		c.faults(timtest.Faults{})
		c.probe()
		c.ends(one, jobs.Counts{jobs.Cleared: 1_500})
		c.ends(four, jobs.Counts{jobs.Cleared: 1_000})
		require.Equal(c, []int{2, 1, 2}, []int{c.entries(audit.JobHalted), c.entries(audit.ServiceWell), c.entries(audit.JobResumed)})
		c.requireMatch(one, four)
	})
}

func TestProbesComeAfterLongerAndLongerWaits(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ServerError: 1}})
		j := c.starts(jobs.Clear, accounts("a", 1_500))
		c.run()
		c.halts(j, jobs.CodeDown)
		waits := []int{c.count(`SELECT probe_wait FROM apps`)}
		for range 5 {
			c.probe()
			waits = append(waits, c.count(`SELECT probe_wait FROM apps`))
		}
		require.Subset(c, []int{2_000, 4_000, 8_000, 16_000, 30_000}, waits)
		require.IsNonDecreasing(c, waits)
		require.Equal(c, 30_000, waits[5])
	})
}

func TestLostAnswersHaltAndAreReadBackFirst(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ResetAfter: 1}, Commands: []tim.Command{tim.RemoveAllTags}})
		j := c.starts(jobs.Clear, accounts("a", 4_000))
		c.run()
		c.halts(j, jobs.CodeLostAnswers)
		c.until("no call is under way", func() bool { return c.count(`SELECT COUNT(*) FROM batches WHERE console <> ''`) == 0 })
		lost := len(c.calls())
		c.faults(timtest.Faults{})
		c.exec(`UPDATE batches SET not_before = 0`) // what was lost can no longer take effect
		c.probe()
		c.ends(j, jobs.Counts{jobs.Cleared: 4_000})
		require.Equal(c, tim.GetTags, c.calls()[lost].Command, "what is in doubt probes before others")
		c.requireMatch(j)
	})
}

func TestArrearsHaltUntilAPersonResumes(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Code: 60020})
		one, two := c.starts(jobs.Clear, accounts("a", 300)), c.starts(jobs.Inspect, accounts("b", 300))
		c.run()
		c.halts(one, 60020)
		c.halts(two, 60020)
		require.Zero(c, c.count(`SELECT probe_at FROM apps`), "nothing is probed")
		entries, err := c.Audit.Entries(c.Context(), audit.Filter{Code: audit.JobHalted, JobID: one.ID, Limit: 10})
		require.NoError(c, err)
		require.Len(c, entries, 1)
		call := entries[0].Details["call"]
		require.Equal(c, 1, c.count(`SELECT COUNT(*) FROM calls WHERE id = $1 AND code = 60020`, call), "the log names the call that showed it")

		before := len(c.calls())
		c.act(one, jobs.Resume)
		c.until("it was tried", func() bool { return len(c.calls()) > before })
		c.halts(one, 60020)
		require.Len(c, c.calls(), before+1, "one batch tries what halted all")
		c.faults(timtest.Faults{})
		c.act(one, jobs.Resume)
		c.act(two, jobs.Resume)
		c.ends(one, jobs.Counts{jobs.Cleared: 300})
		c.requireMatch(one)
	})
}

func TestAHaltForAPersonOutranksAnOutage(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ServerError: 1}})
		j := c.starts(jobs.Clear, accounts("a", 1_500))
		c.run()
		c.halts(j, jobs.CodeDown)
		c.faults(timtest.Faults{Code: 60020})
		c.probe()
		c.until("a person is needed", func() bool { return c.job(j).HaltCode == 60020 })
		c.faults(timtest.Faults{})
		require.False(c, jobs.Recovers(c.job(j).HaltCode))
		c.act(j, jobs.Resume)
		c.probe()
		c.ends(j, jobs.Counts{jobs.Cleared: 1_500})
	})
}

func TestAServiceThatIsGoneIsFoundAgain(t *testing.T) {
	onEach(t, func(c *fixture) {
		require.NoError(c, c.service.Stop())
		j := c.starts(jobs.Clear, accounts("a", 1_500))
		c.run()
		c.halts(j, jobs.CodeDown)
		require.Zero(c, c.job(j).Calls, "none was sent")
		_, err := c.service.Start(strings.TrimPrefix(c.base, "http://"))
		require.NoError(c, err)
		c.probe()
		c.ends(j, jobs.Counts{jobs.Cleared: 1_500})
		c.requireMatch(j)
	})
}
