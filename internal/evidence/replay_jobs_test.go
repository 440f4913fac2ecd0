package evidence_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/evidence"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// byID is an attack of one statement, with the id of a job that it is given.
func byID(job func(t *testing.T, g *governedLog) jobs.Job, statement string) func(*testing.T, *governedLog) {
	return func(t *testing.T, g *governedLog) { g.exec(t, statement, job(t, g).ID) }
}

func drafted(t *testing.T, g *governedLog) jobs.Job { return jobstest.Accounts(t, g.Console, 150) }
func queued(t *testing.T, g *governedLog) jobs.Job  { return jobstest.Started(t, g.Console, 150) }

func paused(t *testing.T, g *governedLog) jobs.Job {
	j, err := g.Act(ctx, jobstest.Operator, queued(t, g).ID, jobs.Pause)
	require.NoError(t, err)
	return j
}

func cancelled(t *testing.T, g *governedLog) jobs.Job {
	j, err := g.Act(ctx, jobstest.Operator, drafted(t, g).ID, jobs.Cancel)
	require.NoError(t, err)
	return j
}

// ranUnstarted lets a job run by SQL, with a console that does not ask the log.
func ranUnstarted(t *testing.T, g *governedLog) jobs.Job {
	j := drafted(t, g)
	g.exec(t, `UPDATE jobs SET state = 'queued', started_by = 'olga', started_at = 1 WHERE id = $1`, j.ID)
	jobstest.Carry(t, g.Console, j.ID, jobstest.Came{Rest: jobs.Cleared}, 1, 2)
	return j
}

func TestJobsByTheLog(t *testing.T) {
	eachAttack(t, []attack{
		{"a draft is queued in somebody's name",
			byID(drafted, `UPDATE jobs SET state = 'queued', started_by = 'olga', started_at = 1 WHERE id = $1`),
			": it is queued, but no entry of the log starts it"},
		{"a draft runs", byID(drafted, `UPDATE jobs SET state = 'running' WHERE id = $1`),
			": it is running, but no entry of the log starts it"},
		{"a draft ran", func(t *testing.T, g *governedLog) { ranUnstarted(t, g) }, " (job.finished) does not follow from the state draft"},
		{"a paused job runs", byID(paused, `UPDATE jobs SET state = 'running' WHERE id = $1`), ": it is running, but by entry "},
		{"a paused job runs, and is paused", func(t *testing.T, g *governedLog) {
			j := paused(t, g)
			g.exec(t, `UPDATE jobs SET state = 'running' WHERE id = $1`, j.ID)
			_, err := g.Act(ctx, jobstest.Operator, j.ID, jobs.Pause)
			require.NoError(t, err)
		}, " (job.paused) does not follow from the state paused"},
		{"a discarded job is a draft", byID(cancelled, `UPDATE jobs SET state = 'draft' WHERE id = $1`), ": it is draft, but by entry "},
		{"somebody else started it", byID(queued, `UPDATE jobs SET started_by = 'ann' WHERE id = $1`),
			": it says that ann started it, but entry "},
		{"somebody else created it", byID(queued, `UPDATE jobs SET created_by = 'ann' WHERE id = $1`),
			": it says that ann created it, but the log says "},
		{"somebody else started a sealed job", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE jobs SET started_by = 'ann' WHERE id = $1`, g.job)
		}, ": it says that ann started it, but entry "},
		{"somebody else created a sealed job", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE jobs SET created_by = 'ann' WHERE id = $1`, g.job)
		}, ": it says that ann created it, but entry "},
		{"another note of a sealed job", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE jobs SET note = 'approved' WHERE id = $1`, g.job)
		}, ": the note is not what entry "},
		{"another operation", byID(queued, `UPDATE jobs SET kind = 'inspect' WHERE id = $1`),
			": the operation, the file, the options or the rows are not what entry "},
		{"another operation of a draft", byID(drafted, `UPDATE jobs SET kind = 'inspect' WHERE id = $1`),
			": the operation, the file, the options or the rows are not what entry "},
		{"another file", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE jobs SET file_sha256 = $1 WHERE id = $2`, jobstest.JobNow(t, g.Console, g.job).FileSHA256, queued(t, g).ID)
		}, ": the operation, the file, the options or the rows are not what entry "},
		{"no sample", byID(queued, `UPDATE jobs SET verify_share = 7 WHERE id = $1`),
			": the operation, the file, the options or the rows are not what entry "},
		{"another time", byID(queued, `UPDATE jobs SET start_at = 99999999999999 WHERE id = $1`),
			": the time of the start or the policy is not what entry "},
		{"another policy", byID(queued, `UPDATE jobs SET policy = 'merge' WHERE id = $1`),
			": the time of the start or the policy is not what entry "},
		{"options that are changed and, by a person's leave, stay", func(t *testing.T, g *governedLog) {
			j := paused(t, g)
			g.exec(t, `UPDATE jobs SET snapshot = 1 - snapshot WHERE id = $1`, j.ID)
			_, err := g.Act(ctx, jobstest.Operator, j.ID, jobs.Resume)
			require.NoError(t, err)
		}, " it was no longer the job that entry "},
		{"a draft is deleted", func(t *testing.T, g *governedLog) {
			id := drafted(t, g).ID
			for _, table := range []string{"batches", "planned_batches", "account_names", "set_asides", "shared_accounts", "snapshot_keys"} {
				g.exec(t, `DELETE FROM `+table+` WHERE job_id = $1`, id)
			}
			g.exec(t, `DELETE FROM jobs WHERE id = $1`, id)
		}, " is about it, but the job is missing"},
		{"a job is inserted", func(t *testing.T, g *governedLog) {
			g.exec(t, `INSERT INTO jobs (id, app_id, kind, state, note, created_by, created_at, file_name, file_sha256, file_bytes, account_bytes)
				SELECT 'x', app_id, kind, 'draft', note, created_by, created_at, file_name, file_sha256, file_bytes, account_bytes
				FROM jobs WHERE id = $1`, g.job)
		}, "job x: no entry of the log creates it"},
		{"the options of a sealed job", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE jobs SET verify_share = 7 WHERE id = $1`, g.job)
		}, ": the options, the app or the state was changed (sealed by entry "},
	})
}

func TestSendingByTheLog(t *testing.T) {
	change := func(t *testing.T, g *governedLog) {
		now, err := g.SendStatus(ctx, jobstest.App.ID)
		require.NoError(t, err)
		now.KeepDays = 31
		require.NoError(t, g.ChangeSettings(ctx, jobstest.Operator, jobstest.App.ID, now.Settings))
	}
	thrown := func(t *testing.T, g *governedLog) {
		require.NoError(t, g.ThrowKillSwitch(ctx, jobstest.Operator, "test"))
		g.exec(t, `UPDATE kill_switch SET thrown_at = 0, thrown_by = '', reason = ''`)
	}
	eachAttack(t, []attack{
		{"the rate is raised", func(t *testing.T, g *governedLog) { g.exec(t, `UPDATE apps SET rate_set = 100`) },
			"app 1400000000: rate is 100, but the log says 0"},
		{"the rate is raised, and an admin changes something else", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE apps SET rate_set = 100`)
			change(t, g)
		}, "the rate and limits of app 1400000000 were not as the log says before: rate is 100, but the log says 0"},
		{"failures never halt", func(t *testing.T, g *governedLog) {
			change(t, g)
			g.exec(t, `UPDATE apps SET failure_limit = 50`)
		}, "app 1400000000: failure_limit is 50, but the log says 100"},
		{"no careful start", func(t *testing.T, g *governedLog) { g.exec(t, `UPDATE apps SET canary = 1`) },
			"app 1400000000: canary is true, but the log says false"},
		{"tags are erased early", func(t *testing.T, g *governedLog) { g.exec(t, `UPDATE apps SET keep_days = 1`) },
			"app 1400000000: keep_days is 1, but the log says 30"},
		{"the kill switch is lifted", thrown, "kill switch: sending is not stopped, but entry "},
		{"the kill switch is thrown", func(t *testing.T, g *governedLog) { g.exec(t, `UPDATE kill_switch SET thrown_at = 1`) },
			"kill switch: sending is stopped, but no entry of the log says so"},
		{"entries are kept for another time", func(t *testing.T, g *governedLog) { g.exec(t, `UPDATE audit_head SET keep_months = 12`) },
			"audit log: the retention period is 12 months, but the log says 0"},
	})
}

// A job that ran without its start has no seal and no pack, and whoever asks is told why.
func TestUnstartedJobHasNoProof(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		g := newGovernedLog(t, l)
		j := ranUnstarted(t, g)
		require.ErrorContains(t, g.Evidence.Seal(ctx), "0 entries of the log start this job")
		sealed, err := g.Sealed(ctx, j.ID)
		require.NoError(t, err)
		require.Zero(t, sealed)
		_, err = g.Evidence.Pack(ctx, jobstest.Operator, j.ID)
		require.True(t, evidence.FaultNotStarted.Is(err), "%v", err)
		g.exec(t, `UPDATE jobs SET sealed = (SELECT MAX(sealed) FROM jobs) WHERE id = $1`, j.ID)
		_, err = g.Evidence.Pack(ctx, jobstest.Operator, j.ID)
		require.True(t, evidence.FaultNotStarted.Is(err), "%v", err)

		g.exec(t, `UPDATE jobs SET verify_share = 7 WHERE id = $1`, g.job)
		_, err = g.Evidence.Pack(ctx, jobstest.Operator, g.job)
		require.True(t, evidence.FaultNotStarted.Is(err), "nor one that was started otherwise: %v", err)
	})
}

// All that jobs go through in the ordinary way verifies, also once entries were removed.
func TestJobsInOrdinaryWaysVerify(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		g := newGovernedLog(t, l)
		act := func(j jobs.Job, actions ...jobs.Action) {
			for _, a := range actions {
				_, err := g.Act(ctx, jobstest.Operator, j.ID, a)
				require.NoError(t, err)
				require.Empty(t, l.found(t), a)
			}
		}
		stays := paused(t, g)
		act(paused(t, g), jobs.Resume, jobs.Pause, jobs.Cancel)
		cancelled(t, g)
		draft := drafted(t, g)
		_, err := g.Start(ctx, jobstest.Operator, draft.ID, jobs.StartRequest{Confirm: 150, At: g.DB.Now().Add(time.Hour)})
		require.NoError(t, err)
		act(draft, jobs.StartNow)
		jobstest.Carry(t, g.Console, draft.ID, jobstest.Came{Rest: jobs.Cleared}, 1)
		require.NoError(t, g.Halts(ctx, draft.ID, jobs.CodeDown, ""))
		require.NoError(t, g.Recovers(ctx))
		require.NoError(t, g.Halts(ctx, draft.ID, jobs.CodeUnreadable, ""))
		act(draft, jobs.Resume)
		jobstest.Carry(t, g.Console, draft.ID, jobstest.Came{Rest: jobs.Failed}, 2)
		require.Empty(t, l.found(t))
		require.NoError(t, g.Evidence.Seal(ctx))
		_, err = g.Retry(ctx, jobstest.Operator, draft.ID, jobs.RetryRequest{Outcomes: []jobs.Outcome{jobs.Failed}}, "")
		require.NoError(t, err)
		require.NoError(t, jobstest.ReadAll(g.Console))
		_, err = jobstest.Draft(g.Console, jobstest.Operator, jobs.Upload{FileName: "x.xlsx"}, "PK\x03\x04 no workbook")
		require.Error(t, err)
		require.NoError(t, g.ThrowKillSwitch(ctx, jobstest.Operator, "test"))
		require.NoError(t, g.LiftKillSwitch(ctx, jobstest.Operator))
		require.Empty(t, l.found(t))

		require.NoError(t, g.Audit.SetRetention(ctx, jobstest.Operator, 12))
		g.DB.ShiftClocks(time.Until(time.Now().AddDate(0, 13, 0)))
		require.NoError(t, g.Audit.Record(ctx, audit.Entry{Code: audit.SignedOut, Actor: audit.System}))
		require.NoError(t, g.Audit.Sweep(ctx, g.DB.Now()))
		require.Empty(t, l.found(t))
		act(stays, jobs.Resume)
		require.Positive(t, erased(t, g.Console, jobstest.Operator, audit.Subject{Kind: audit.OfUser, Value: "olga"}))
		require.Empty(t, l.found(t))
	})
}
