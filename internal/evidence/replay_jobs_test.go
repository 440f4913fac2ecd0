package evidence_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/evidence"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
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
		{"another operation, changed before the start", func(t *testing.T, g *governedLog) {
			j := drafted(t, g)
			g.exec(t, `UPDATE jobs SET kind = 'inspect' WHERE id = $1`, j.ID)
			jobstest.Start(t, g.Console, jobstest.JobNow(t, g.Console, j.ID))
		}, " starts another job than its file was read as"},
		{"other accounts of a draft", byID(drafted, otherAccount), ": accounts: they are not those that the file was read as"},
		{"other accounts of a draft, that says so", func(t *testing.T, g *governedLog) {
			j := drafted(t, g)
			g.exec(t, otherAccount, j.ID)
			g.exec(t, `UPDATE jobs SET plan_sha256 = 'x' WHERE id = $1`, j.ID)
			jobstest.Start(t, g.Console, jobstest.JobNow(t, g.Console, j.ID))
		}, " starts another job than its file was read as"},
		{"a question that nobody answered", func(t *testing.T, g *governedLog) {
			j, err := jobstest.Draft(g.Console, jobstest.Operator, jobs.Upload{}, "user_id\nann\nbob\nTotal: 2 of 2\n")
			require.NoError(t, err)
			require.NotEmpty(t, j.Unsure)
			g.exec(t, `UPDATE jobs SET unsure = '' WHERE id = $1`, j.ID)
			jobstest.Start(t, g.Console, jobstest.JobNow(t, g.Console, j.ID))
		}, ", or one with an open question"},
		{"another limit of failures", byID(queued, `UPDATE jobs SET failure_limit = 100 WHERE id = $1`),
			": its turn, its careful start or its limit of failures is not what the log says"},
		{"another turn", byID(queued, `UPDATE jobs SET turn = turn - 1 WHERE id = $1`),
			": its turn, its careful start or its limit of failures is not what the log says"},
		{"another time of the start", byID(queued, `UPDATE jobs SET started_at = started_at - 3600000 WHERE id = $1`),
			": it did not start or end when the log says"},
		{"another time of the end of a sealed job", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE jobs SET finished_at = finished_at - 3600000 WHERE id = $1`, g.job)
		}, ": it did not end when entry "},
		{"a sealed job from an older copy", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE jobs SET restored_at = 1 WHERE id = $1`, g.job)
		}, ": whether it comes from an older copy of the database is not what the log says"},
		{"a job that halted for failures goes on by itself", func(t *testing.T, g *governedLog) {
			j := queued(t, g)
			require.NoError(t, g.Halts(ctx, j.ID, jobs.CodeFailures, "9/10"))
			g.exec(t, `UPDATE jobs SET halt_code = $1, halt_recovers = 1 WHERE id = $2`, jobs.CodeDown, j.ID)
		}, ": it is halted with the code -10, but entry "},
		{"nobody waits for the other", func(t *testing.T, g *governedLog) {
			for range 2 {
				j, err := jobstest.Draft(g.Console, jobstest.Operator, jobs.Upload{}, jobstest.Lines(120))
				require.NoError(t, err)
				jobstest.Start(t, g.Console, j)
			}
			g.exec(t, `DELETE FROM shared_accounts`)
		}, ": it shares 120 accounts with job "},
		{"a job that is not counted again", func(t *testing.T, g *governedLog) {
			j := queued(t, g)
			g.exec(t, `UPDATE jobs SET reader = 'x', accounts = 149, outcome_waiting = 149 WHERE id = $1`, j.ID)
		}, ": accounts: 150 counted, but the job says 149"},
		{"the options of a sealed job", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE jobs SET verify_share = 7 WHERE id = $1`, g.job)
		}, ": the options, the app or the state was changed (sealed by entry "},
	})
}

const otherAccount = `UPDATE planned_batches SET accounts = REPLACE(accounts, 'user', 'uzer') WHERE job_id = $1`

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
		}, "the settings of app 1400000000 were not as the log says before: rate is 100, but the log says 0"},
		{"failures never halt", func(t *testing.T, g *governedLog) {
			change(t, g)
			g.exec(t, `UPDATE apps SET failure_limit = 50`)
		}, "app 1400000000: failure_limit is 50, but the log says 100"},
		{"no careful start", func(t *testing.T, g *governedLog) { g.exec(t, `UPDATE apps SET canary = 1`) },
			"app 1400000000: canary is true, but the log says false"},
		{"tags are erased early", func(t *testing.T, g *governedLog) { g.exec(t, `UPDATE apps SET keep_days = 1`) },
			"app 1400000000: keep_days is 1, but the log says 30"},
		{"calls go elsewhere", func(t *testing.T, g *governedLog) { g.exec(t, `UPDATE apps SET domain = 'http://evil.example'`) },
			"app 1400000000: domain is http://evil.example, but the log says " + jobstest.App.Domain},
		{"production is called a test", func(t *testing.T, g *governedLog) { g.exec(t, `UPDATE apps SET environment = 'play'`) },
			"app 1400000000: environment is play, but the log says test"},
		{"the configured rate is raised", func(t *testing.T, g *governedLog) { g.exec(t, `UPDATE apps SET rate = 1000`) },
			"app 1400000000: configured_rate is 1000, but the log says 97"},
		{"calls go elsewhere, until a console starts", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE apps SET domain = 'http://evil.example'`)
			require.NoError(t, g.SaveApp(ctx, jobstest.App))
		}, "the settings of app 1400000000 were not as the log says before: domain is http://evil.example"},
		{"an app is inserted", func(t *testing.T, g *governedLog) {
			g.exec(t, `INSERT INTO apps (id, name, environment, sdkappid, domain, family, identifier, rate)
				SELECT '9', name, environment, 9, domain, family, identifier, rate FROM apps`)
		}, "app 9: no entry of the log says how it is configured"},
		{"another job is served first", func(t *testing.T, g *governedLog) {
			j := queued(t, g)
			require.NoError(t, g.PutFirst(ctx, jobstest.Operator, queued(t, g).ID, true))
			g.exec(t, `UPDATE apps SET first_job = $1`, j.ID)
		}, " is served first, but the log says otherwise"},
		{"no job is served first", func(t *testing.T, g *governedLog) {
			require.NoError(t, g.PutFirst(ctx, jobstest.Operator, queued(t, g).ID, true))
			g.exec(t, `UPDATE apps SET first_job = ''`)
		}, " is not served first, but entry "},
		{"an older list of protected accounts is used", func(t *testing.T, g *governedLog) {
			protects(t, g, "ann")
			g.exec(t, `UPDATE apps SET protected_version = 0`)
		}, "app 1400000000: the list of protected accounts has the version 0, but the log says 1"},
		{"the hold of an older copy becomes an ordinary stop", func(t *testing.T, g *governedLog) {
			_, err := g.HoldSending(ctx, jobs.Sends{})
			require.NoError(t, err)
			g.exec(t, `UPDATE kill_switch SET reason = 'test'`)
		}, "kill switch: who stopped sending, when and why is not what entry "},
		{"there are two kill switches", func(t *testing.T, g *governedLog) {
			g.exec(t, `INSERT INTO kill_switch (id, thrown_at, thrown_by, reason) VALUES (2, 0, '', '')`)
		}, "kill switch: there is more than one"},
		{"files are read otherwise", func(t *testing.T, g *governedLog) {
			reads(t, g)
			g.exec(t, `UPDATE mappings SET choices = REPLACE(choices, '2', '1')`)
		}, " are read is not what the log says"},
		{"what was said of files is forgotten", func(t *testing.T, g *governedLog) {
			reads(t, g)
			g.exec(t, `DELETE FROM mappings`)
		}, "how files are read: by the log, something was said of 1 more"},
		{"tags are erased early, at another time", func(t *testing.T, g *governedLog) {
			keeps(t, g)
			g.exec(t, `UPDATE snapshot_keys SET erase_at = 1 WHERE erase_at > 0`)
		}, ": its tags are to be erased at another time than the log says"},
		{"tags are erased early, by the console", func(t *testing.T, g *governedLog) {
			keeps(t, g)
			g.exec(t, `UPDATE snapshot_keys SET erase_at = 1 WHERE erase_at > 0`)
			require.NoError(t, g.Sweep(ctx, g.DB.Now()))
		}, " were erased before their time"},
		{"tags are destroyed", func(t *testing.T, g *governedLog) {
			keeps(t, g)
			g.exec(t, `UPDATE snapshot_keys SET wrapped = $1`, []byte{})
		}, ": the key of its tag snapshot is destroyed, but no entry of the log says so"},
		{"some tags are deleted", func(t *testing.T, g *governedLog) {
			keeps(t, g)
			g.exec(t, `DELETE FROM snapshots`)
		}, ": it keeps the tags of 0 batches, but the log says 1"},
		{"the kill switch is lifted", thrown, "kill switch: sending is not stopped, but entry "},
		{"the kill switch is thrown", func(t *testing.T, g *governedLog) { g.exec(t, `UPDATE kill_switch SET thrown_at = 1`) },
			"kill switch: sending is stopped, but no entry of the log says so"},
		{"entries are kept for another time", func(t *testing.T, g *governedLog) { g.exec(t, `UPDATE audit_head SET keep_months = 12`) },
			"audit log: the retention period is 12 months, but the log says 0"},
	})
}

// reads uploads a file and says how it is read, for all of its kind.
func reads(t *testing.T, g *governedLog) {
	t.Helper()
	_, err := jobstest.Draft(g.Console, jobstest.Operator, jobs.Upload{Choices: accounts.Choices{Column: 2}},
		"name,member\nHal,hal\nIda,ida\n")
	require.NoError(t, err)
}

// savesTags saves the tags of the first account of a job.
func savesTags(t *testing.T, g *governedLog, j jobs.Job) {
	t.Helper()
	key, err := g.Snapshots.KeyOf(ctx, j.ID)
	require.NoError(t, err)
	data, err := snapshot.Encrypt(key, snapshot.Before, j.ID, 1, []snapshot.Account{{Seq: 1, Tags: []string{"vip"}}})
	require.NoError(t, err)
	require.NoError(t, g.DB.Tx(ctx, func(tx *store.Tx) error { return g.Snapshots.SaveBefore(ctx, tx, j.ID, 1, data) }))
}

// keeps carries a job out that keeps the tags it removes.
func keeps(t *testing.T, g *governedLog) jobs.Job {
	t.Helper()
	set := jobs.Settings{FailureLimit: 100, KeepDays: 30, Snapshot: true}
	require.NoError(t, g.ChangeSettings(ctx, jobstest.Operator, jobstest.App.ID, set))
	j, err := jobstest.Draft(g.Console, jobstest.Operator, jobs.Upload{Choices: jobstest.EveryRow()}, "ann\n")
	require.NoError(t, err)
	j = jobstest.Start(t, g.Console, j)
	savesTags(t, g, j)
	jobstest.Carry(t, g.Console, j.ID, jobstest.Came{Rest: jobs.Cleared}, 1)
	require.NoError(t, g.Evidence.Seal(ctx))
	require.Empty(t, g.found(t))
	return j
}

// A job that ran without its start has no seal and no pack, and whoever asks is told why.
func TestUnstartedJobHasNoProof(t *testing.T) {
	eachGovernedLog(t, func(t *testing.T, g *governedLog) {
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
	eachGovernedLog(t, func(t *testing.T, g *governedLog) {
		act := func(j jobs.Job, actions ...jobs.Action) {
			for _, a := range actions {
				_, err := g.Act(ctx, jobstest.Operator, j.ID, a)
				require.NoError(t, err)
				require.Empty(t, g.found(t), a)
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
		require.Empty(t, g.found(t))
		require.NoError(t, g.Evidence.Seal(ctx))
		_, err = g.Retry(ctx, jobstest.Operator, draft.ID, jobs.RetryRequest{Outcomes: []jobs.Outcome{jobs.Failed}}, "")
		require.NoError(t, err)
		require.NoError(t, jobstest.ReadAll(g.Console))
		_, err = jobstest.Draft(g.Console, jobstest.Operator, jobs.Upload{FileName: "x.xlsx"}, "PK\x03\x04 no workbook")
		require.Error(t, err)
		require.NoError(t, g.ThrowKillSwitch(ctx, jobstest.Operator, "test"))
		require.NoError(t, g.LiftKillSwitch(ctx, jobstest.Operator))
		require.Empty(t, g.found(t))

		require.NoError(t, g.Audit.SetRetention(ctx, jobstest.Operator, 12))
		g.DB.ShiftClocks(time.Until(time.Now().AddDate(0, 13, 0)))
		require.NoError(t, g.Audit.Record(ctx, audit.Entry{Code: audit.SignedOut, Actor: audit.System}))
		require.NoError(t, g.Audit.Sweep(ctx, g.DB.Now()))
		require.Empty(t, g.found(t))
		act(stays, jobs.Resume)
		require.Positive(t, erased(t, g.Console, jobstest.Operator, audit.Subject{Kind: audit.OfUser, Value: "olga"}))
		require.Empty(t, g.found(t))
	})
}
