package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

func TestALostCallIsReadBackOnceItHasEnded(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.faults(timtest.Faults{Shares: map[timtest.Fault]float64{timtest.LateApply: 1}, Most: 1,
			LateWithin: enginetest.LostCallEnds, Commands: []tim.Command{tim.RemoveAllTags}})
		j := c.starts(jobs.Clear, accounts("a", 100))
		c.run()
		c.ends(j, jobs.Counts{jobs.Cleared: 100})
		calls := c.calls()
		require.Len(c, calls, 2, "the late call had done its work")
		require.Equal(c, tim.GetTags, calls[1].Command)
		require.GreaterOrEqual(c, calls[1].At-calls[0].At, enginetest.LostCallEnds.Microseconds())
		require.Equal(c, int64(100), c.requireMatch(j).InDoubt)
	})
}

func TestWhatALostCallDidNotDoIsDoneAgain(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.loseAnswers(tim.RemoveAllTags)
		j := c.starts(jobs.Clear, accounts("a", 3))
		c.run()
		c.putInDoubt(j)
		c.service.SetTags("a1")
		c.readBack(timtest.Faults{})
		c.ends(j, jobs.Counts{jobs.Cleared: 3})
		calls := c.calls()
		require.Equal(c, []string{"a0", "a2"}, calls[len(calls)-1].Accounts, "the other is as it should be")
		c.requireMatch(j)
	})
}

func TestTagsGainedSinceAreForAPerson(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, 0)
		c.loseAnswers(tim.RemoveAllTags)
		j := c.starts(jobs.Clear, accounts("a", 3))
		c.run()
		c.putInDoubt(j)
		c.service.SetTags("a1", "old", "new")
		c.readBack(timtest.Faults{})
		c.requireReview(j, jobs.NeedsReview{Tagged: 1})
		c.requireCounts(j, jobs.Counts{jobs.Cleared: 2, jobs.InDoubt: 1})
		require.Equal(c, []string{"old", "new"}, c.service.Tags("a1"))
		c.decide(j, jobs.Retry)
		c.ends(j, jobs.Counts{jobs.Cleared: 3})
		for a, err := range c.TagsBefore(c.Context(), j.ID) {
			require.NoError(c, err)
			if a.Account.Account == "a1" {
				require.Subset(c, a.Before, []string{"old", "new"}, "what it had then went too, and is kept too")
				require.Greater(c, len(a.Before), 2, "beside what it had at first")
			}
		}
		undo := c.startDerived(c.Undo(c.Context(), audit.System, j.ID, jobs.UndoRequest{Policy: snapshot.Merge}, c.TempDir()))
		c.ends(undo, jobs.Counts{jobs.Restored: 3})
		c.requireMatch(j, undo)
	})
}

func TestReadBackThatIsForbiddenAsksAPerson(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.loseAnswers(tim.AddTags)
		j := c.starts(jobs.AddTags, tagged("a", 30, "t1"))
		c.run()
		c.putInDoubt(j)
		c.readBack(timtest.Faults{Code: 60010, Commands: []tim.Command{tim.GetTags}})
		c.requireReview(j, jobs.NeedsReview{Unreadable: 30, Code: 60010})
		require.Equal(c, jobs.Running, c.job(j).State, "others may go on")
		c.faults(timtest.Faults{})
		c.decide(j, jobs.ReadBack)
		c.ends(j, jobs.Counts{jobs.Changed: 30})
		c.requireMatch(j)
	})
}

func TestWhatAPersonLeavesHasFailed(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.set(`failure_limit = 1`)
		c.loseAnswers(tim.RemoveAllTags)
		j := c.starts(jobs.Clear, accounts("a", 100))
		c.run()
		c.putInDoubt(j)
		c.readBack(timtest.Faults{Code: 60027, Commands: []tim.Command{tim.GetTags}})
		c.requireReview(j, jobs.NeedsReview{Unreadable: 100, Code: 60027})
		c.decide(j, jobs.Leave)
		ended := enginetest.Ended(t, c.Console, j.ID)
		require.Equal(c, jobs.Finished, ended.State, "what a person gives up is no failure of the list")
		require.Equal(c, jobs.CodeLeft, c.results(j)["a7"].Code)
	})
}

func TestTenLostCallsInARowAreForAPerson(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.loseAnswers(tim.RemoveTags)
		j := c.starts(jobs.RemoveTags, tagged("a", 2, "vip"))
		c.service.SetTags("a0", "vip", "x")
		c.service.SetTags("a1", "vip")
		c.run()
		c.putInDoubt(j)
		require.Equal(c, 1, c.count(`SELECT lost FROM batches`))
		c.exec(`UPDATE batches SET lost = 9, not_before = 0`)
		c.until("the tenth is lost", func() bool { return c.count(`SELECT lost FROM batches`) == 10 && c.idle(j) })
		c.readBack(timtest.Faults{})
		c.requireReview(j, jobs.NeedsReview{Lost: 2})
		require.Len(c, c.calls(tim.RemoveTags), 2)
		c.decide(j, jobs.Retry)
		c.ends(j, jobs.Counts{jobs.Changed: 2})
		require.Equal(c, []string{"x"}, c.service.Tags("a0"))
		c.requireMatch(j)
	})
}

// One account that cannot be read keeps no other of its batch in doubt.
func TestReadBackSettlesAllItCanRead(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.loseAnswers(tim.RemoveAllTags)
		j := c.starts(jobs.Clear, accounts("a", 9)+"z1\n")
		c.run()
		c.putInDoubt(j)
		c.readBack(timtest.Faults{Code: 90001, CodeFor: "z", Commands: []tim.Command{tim.GetTags}})
		c.until("the others are settled", func() bool { return c.job(j).Counts[jobs.Cleared] == 9 && c.idle(j) })
		c.requireCounts(j, jobs.Counts{jobs.Cleared: 9, jobs.InDoubt: 1})
		c.readBack(timtest.Faults{})
		c.ends(j, jobs.Counts{jobs.Cleared: 10})
		c.requireMatch(j)
	})
}

func TestReadBackOfAnAccountThatIsGoneFails(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.loseAnswers(tim.RemoveAllTags)
		j := c.starts(jobs.Clear, "a1\nunknown1\n")
		c.run()
		c.putInDoubt(j)
		c.readBack(timtest.Faults{})
		c.ends(j, jobs.Counts{jobs.Cleared: 1, jobs.Failed: 1})
		require.Equal(c, 70107, c.results(j)["unknown1"].Code)
		c.requireMatch(j)
	})
}

func TestACancelledJobIsReadBackAndNotSent(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.loseAnswers(tim.RemoveAllTags)
		j := c.starts(jobs.Clear, accounts("a", 3))
		c.run()
		c.putInDoubt(j)
		c.service.SetTags("a1")
		c.act(j, jobs.Cancel)
		c.readBack(timtest.Faults{})
		ended := c.ends(j, jobs.Counts{jobs.Cleared: 1, jobs.Unsent: 2})
		require.Equal(c, jobs.Cancelled, ended.State)
		require.Len(c, c.calls(tim.RemoveAllTags), 1)
		require.WithinDuration(c, time.Now(), ended.FinishedAt, time.Minute)
	})
}
