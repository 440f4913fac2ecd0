package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// drafts uploads a file.
func (c *fixture) drafts(n int) jobs.Job {
	c.Helper()
	j, err := jobstest.Draft(c.Console, audit.System, jobs.Upload{Choices: jobstest.EveryRow()}, accounts("a", n))
	require.NoError(c, err)
	return j
}

// scheduled starts a job that is to be sent in an hour.
func (c *fixture) scheduled(n int) jobs.Job {
	c.Helper()
	j := c.drafts(n)
	j, err := c.Start(c.Context(), audit.System, j.ID, jobs.StartRequest{Confirm: j.Accounts, At: c.DB.Now().Add(time.Hour)})
	require.NoError(c, err)
	return j
}

func (c *fixture) paused(n int) jobs.Job {
	c.Helper()
	j := c.scheduled(n)
	c.act(j, jobs.StartNow)
	c.act(j, jobs.Pause)
	return c.job(j)
}

// forgeries are jobs that somebody lets run by SQL, or makes others of.
var forgeries = map[string]struct {
	job   func(c *fixture, n int) jobs.Job
	forge func(c *fixture, j jobs.Job)
	well  bool // once a person has resumed it: it was started as it is
}{
	"a draft is queued in somebody's name": {(*fixture).drafts, func(c *fixture, j jobs.Job) {
		c.exec(`UPDATE jobs SET state = 'queued', started_by = 'olga', started_at = 1 WHERE id = $1`, j.ID)
	}, false},
	"a draft is started by an entry that nobody wrote with the key": {(*fixture).drafts, func(c *fixture, j jobs.Job) {
		c.exec(`UPDATE jobs SET state = 'queued', started_by = 'olga', started_at = 1, snapshot = 0, verify_share = 0 WHERE id = $1`, j.ID)
		jobstest.Forge(c, c.Console, audit.Entry{Code: audit.JobStarted, Actor: jobstest.Operator, JobID: j.ID, Target: j.FileName,
			Details: jobs.Summary(c.job(j))}, nil)
	}, false},
	"and that has the MAC of an entry that started another": {(*fixture).drafts, func(c *fixture, j jobs.Job) {
		other := c.paused(2)
		c.exec(`UPDATE jobs SET state = 'queued', started_by = 'olga', started_at = 1 WHERE id = $1`, j.ID)
		jobstest.Forge(c, c.Console, audit.Entry{Code: audit.JobStarted, Actor: jobstest.Operator, JobID: j.ID, Target: j.FileName,
			Details: jobs.Summary(c.job(j))}, jobstest.MAC(c, c.Console, `code = 'job.started' AND job_id = '`+other.ID+`'`))
	}, false},
	"a draft runs": {(*fixture).drafts, func(c *fixture, j jobs.Job) {
		c.exec(`UPDATE jobs SET state = 'running' WHERE id = $1`, j.ID)
	}, false},
	"a draft is halted, and resumed by a person": {(*fixture).drafts, func(c *fixture, j jobs.Job) {
		c.exec(`UPDATE jobs SET state = 'paused' WHERE id = $1`, j.ID)
		c.act(j, jobs.Resume)
	}, false},
	"a paused job runs": {(*fixture).paused, func(c *fixture, j jobs.Job) {
		c.exec(`UPDATE jobs SET state = 'running' WHERE id = $1`, j.ID)
	}, true},
	"a cancelled job is queued": {(*fixture).paused, func(c *fixture, j jobs.Job) {
		c.act(j, jobs.Cancel)
		c.exec(`UPDATE batches SET outcome = 'waiting', settled_at = 0 WHERE job_id = $1`, j.ID)
		c.exec(`UPDATE jobs SET state = 'queued', finished_at = 0, outcome_waiting = outcome_cancelled, outcome_cancelled = 0,
			start_at = 0 WHERE id = $1`, j.ID)
	}, false},
	"a scheduled job begins early": {(*fixture).scheduled, func(c *fixture, j jobs.Job) {
		c.exec(`UPDATE jobs SET start_at = 0 WHERE id = $1`, j.ID)
	}, true},
	"another operation": {(*fixture).paused, func(c *fixture, j jobs.Job) {
		c.exec(`UPDATE jobs SET kind = 'inspect' WHERE id = $1`, j.ID)
		c.act(j, jobs.Resume)
	}, false},
	"another file": {(*fixture).paused, func(c *fixture, j jobs.Job) {
		other, err := jobstest.Draft(c.Console, audit.System, jobs.Upload{Choices: jobstest.EveryRow()}, accounts("b", 3))
		require.NoError(c, err)
		c.exec(`UPDATE jobs SET file_sha256 = $2 WHERE id = $1`, j.ID, other.FileSHA256)
		c.act(j, jobs.Resume)
	}, false},
	"other options": {(*fixture).paused, func(c *fixture, j jobs.Job) {
		c.exec(`UPDATE jobs SET snapshot = 1 - snapshot WHERE id = $1`, j.ID)
		c.act(j, jobs.Resume)
	}, false},
	"more rows": {(*fixture).paused, func(c *fixture, j jobs.Job) {
		c.exec(`UPDATE jobs SET row_count = row_count + 1, accounts = accounts + 1 WHERE id = $1`, j.ID)
		c.act(j, jobs.Resume)
	}, false},
}

// A job that the log does not start, or not as it is, halts and is not sent, whether the
// console runs when somebody changes it or not; what is well is not held up by it.
func TestForgedJobIsNotSent(t *testing.T) {
	for name, f := range forgeries {
		for when, running := range map[string]bool{"running": true, "stopped": false} {
			t.Run(name+"/"+when, func(t *testing.T) {
				onEach(t, func(c *fixture) {
					if running {
						c.run()
					}
					c.throwsSwitch() // or a job that is started and paused at once would be sent
					j := f.job(c, 3)
					f.forge(c, j)
					require.NoError(c, c.LiftKillSwitch(c.Context(), audit.System))
					if !running {
						c.run()
					}
					c.halts(j, jobs.CodeNotStarted)
					require.Empty(c, c.calls())
					c.act(j, jobs.Resume)
					if f.well {
						c.ends(j, jobs.Counts{jobs.Cleared: 3})
					} else {
						c.halts(j, jobs.CodeNotStarted)
						require.Empty(c, c.calls())
					}
					c.ends(c.starts(jobs.Clear, accounts("w", 3)), jobs.Counts{jobs.Cleared: 3})
				})
			})
		}
	}
}

func (c *fixture) throwsSwitch() {
	c.Helper()
	require.NoError(c, c.ThrowKillSwitch(c.Context(), audit.System, "test"))
}

// A job that runs is checked again when it is changed.
func TestForgeryOfRunningJobIsNotSent(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.run()
		j := c.starts(jobs.Clear, accounts("a", 30_000))
		c.until("some of it was sent", func() bool { return len(c.calls()) > 3 })
		c.exec(`UPDATE jobs SET kind = 'inspect' WHERE id = $1`, j.ID)
		c.halts(j, jobs.CodeNotStarted)
		require.Positive(c, c.job(j).Counts[jobs.Waiting])
	})
}

// The kill switch counts as thrown until the log says that it was lifted.
func TestKillSwitchLiftedBySQLStopsStill(t *testing.T) {
	for how, lift := range map[string]func(c *fixture) []byte{
		"without an entry": nil,
		"with an entry":    func(c *fixture) []byte { return nil },
		"with an entry and the MAC of another": func(c *fixture) []byte {
			return jobstest.MAC(c, c.Console, `code = 'kill_switch.lifted'`)
		},
	} {
		t.Run(how, func(t *testing.T) { killSwitchLiftedBySQL(t, lift) })
	}
}

func killSwitchLiftedBySQL(t *testing.T, lift func(c *fixture) []byte) {
	for when, running := range map[string]bool{"running": true, "stopped": false} {
		t.Run(when, func(t *testing.T) {
			onEach(t, func(c *fixture) {
				require.NoError(c, c.ThrowKillSwitch(c.Context(), audit.System, "earlier"))
				require.NoError(c, c.LiftKillSwitch(c.Context(), audit.System)) // so that an earlier entry resumes
				if running {
					c.run()
				}
				c.throwsSwitch()
				j := c.starts(jobs.Clear, accounts("a", 3))
				c.exec(`UPDATE kill_switch SET thrown_at = 0, thrown_by = '', reason = ''`)
				if lift != nil {
					jobstest.Forge(c, c.Console, audit.Entry{Code: audit.KillSwitchLifted, Actor: jobstest.Operator}, lift(c))
				}
				if !running {
					c.run()
				}
				for range 2 { // heartbeats, between which there are many looks and claims
					before := c.count(`SELECT COALESCE(MAX(seen_at), 0) FROM consoles`)
					c.until("the console lives", func() bool { return c.count(`SELECT COALESCE(MAX(seen_at), 0) FROM consoles`) > before })
				}
				require.Empty(c, c.calls())
				k, err := c.KillSwitch(c.Context())
				require.NoError(c, err)
				require.Equal(c, []any{true, "test", "system"}, []any{k.Thrown(), k.Reason, k.ThrownBy}, "and pages say so")
				require.NoError(c, c.LiftKillSwitch(c.Context(), audit.System))
				c.ends(j, jobs.Counts{jobs.Cleared: 3})
			})
		})
	}
}
