package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// user is somebody who signed in.
func (c *fixture) user(name string, role auth.Role) audit.Actor {
	c.Helper()
	u, err := c.Users.Create(c.Context(), audit.System, name, role, jobstest.PasswordHash)
	require.NoError(c, err)
	return audit.Actor{ID: u.ID, Name: name, Role: string(role), SignedIn: audit.ByPassword}
}

// startedBy is a job that somebody started, for a while later or at once.
func (c *fixture) startedBy(by audit.Actor, prefix string, later time.Duration) jobs.Job {
	c.Helper()
	draft, err := jobstest.Draft(c.Console, by, jobs.Upload{Choices: jobstest.EveryRow()}, accounts(prefix, 300))
	require.NoError(c, err)
	request := jobs.StartRequest{Confirm: draft.Accounts}
	if later > 0 {
		request.At = time.Now().Add(later)
	}
	j, err := c.Start(c.Context(), by, draft.ID, request)
	require.NoError(c, err)
	return j
}

func TestAJobOfWhoMayNotStartIsHeld(t *testing.T) {
	onEach(t, func(c *fixture) {
		olga, boss := c.user("olga", auth.Operator), c.user("boss", auth.Admin)
		c.user("second", auth.Admin)
		scheduled := c.startedBy(olga, "a", 300*time.Millisecond)
		queued := c.startedBy(olga, "b", 0)
		demoted := c.startedBy(boss, "c", 0)
		started := c.startedBy(olga, "d", time.Hour)
		_, err := c.Act(c.Context(), boss, started.ID, jobs.StartNow) // in his name, while he may
		require.NoError(c, err)
		require.NoError(c, c.Users.SetDisabled(c.Context(), audit.System, olga.ID, true))
		require.NoError(c, c.Users.SetRole(c.Context(), audit.System, boss.ID, auth.Auditor))
		other := c.startedBy(c.user("otto", auth.Operator), "e", 0)
		c.run()
		c.ends(other, jobs.Counts{jobs.Cleared: 300})
		for _, j := range []jobs.Job{scheduled, queued, demoted, started} {
			held := c.halts(j, jobs.CodeStarter)
			require.Zero(c, held.Calls)
			require.Equal(c, int64(300), held.Counts[jobs.Waiting])
		}
		require.Equal(c, "olga", c.job(scheduled).HaltInfo)
		require.Equal(c, "boss", c.job(started).HaltInfo)

		resumer := c.user("rita", auth.Admin)
		_, err = c.Act(c.Context(), resumer, scheduled.ID, jobs.Resume)
		require.NoError(c, err)
		c.ends(scheduled, jobs.Counts{jobs.Cleared: 300})
	})
}

// What runs was started by somebody who might, and is not torn up.
func TestARunningJobOutlivesItsStarter(t *testing.T) {
	onEach(t, func(c *fixture) {
		olga := c.user("olga", auth.Operator)
		j := c.startedBy(olga, "a", 0)
		stop := c.run()
		c.until("it runs", func() bool { return c.job(j).Calls > 0 })
		require.NoError(c, c.Users.SetDisabled(c.Context(), audit.System, olga.ID, true))
		c.ends(j, jobs.Counts{jobs.Cleared: 300})
		stop()
	})
}

// After a restore all accounts are in doubt, and still nothing of the job was begun.
func TestARestoredJobOfWhoMayNotStartIsHeld(t *testing.T) {
	onEach(t, func(c *fixture) {
		olga := c.user("olga", auth.Operator)
		j := c.startedBy(olga, "a", 300*time.Millisecond)
		_, err := c.HoldSending(c.Context(), jobs.Sends{})
		require.NoError(c, err)
		require.NoError(c, c.Users.SetDisabled(c.Context(), audit.System, olga.ID, true))
		require.NoError(c, c.LiftRestored(c.Context(), audit.System, 300))
		c.exec(`UPDATE batches SET not_before = 0`)
		c.run()
		held := c.halts(j, jobs.CodeStarter)
		require.Zero(c, held.Calls)
		require.Equal(c, int64(300), held.Counts[jobs.InDoubt])

		_, err = c.Act(c.Context(), c.user("rita", auth.Admin), j.ID, jobs.Resume)
		require.NoError(c, err)
		c.ends(j, jobs.Counts{jobs.Cleared: 300})
	})
}
