package evidence_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/evidence"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

var adam = audit.Actor{ID: "u2", Name: "adam", Role: "admin"}

func (l *sealedLog) record(t *testing.T) {
	t.Helper()
	require.NoError(t, l.Audit.Record(ctx, audit.Entry{Code: audit.SignedOut, Actor: jobstest.Operator}))
}

// forgeStarter changes who started the job, and computes everything anew that is not signed.
func (l *sealedLog) forgeStarter(t *testing.T) {
	l.exec(t, `UPDATE audit_lines SET line = REPLACE(line, '"actor":"u1"', '"actor":"u9"') WHERE code = 'job.started'`)
	l.rebuild(t, l.count(t, `SELECT seq FROM audit_head`))
}

const (
	noCheckpoints = `DELETE FROM checkpoints`
	onlyFitting   = `DELETE FROM checkpoints WHERE size > (SELECT seq FROM audit_head)`
)

// Somebody has the database, and neither the key nor the witness. Whatever is done to the
// log, the console signs nothing more until an admin has accepted that.
func TestLogSignsOnlyWhatContinues(t *testing.T) {
	for name, c := range map[string]struct {
		attack func(t *testing.T, l *sealedLog)
		why    audit.Why
	}{
		"who started a job, with all hashes, and no checkpoint": {func(t *testing.T, l *sealedLog) {
			l.forgeStarter(t)
			l.exec(t, noCheckpoints)
		}, audit.Changed},
		"who started a job, with all hashes": {func(t *testing.T, l *sealedLog) { l.forgeStarter(t) }, audit.Changed},
		"the end cut off, with its checkpoints": {func(t *testing.T, l *sealedLog) {
			l.truncate(t, 3)
			l.exec(t, onlyFitting)
		}, audit.Shorter},
		"everything deleted": {func(t *testing.T, l *sealedLog) {
			l.rebuild(t, 0)
			l.exec(t, noCheckpoints)
		}, audit.Shorter},
		"the last checkpoint deleted": {func(t *testing.T, l *sealedLog) {
			l.exec(t, `DELETE FROM checkpoints WHERE size = (SELECT MAX(size) FROM checkpoints)`)
		}, audit.CheckpointGone},
		"the last checkpoint signed by somebody else": {func(t *testing.T, l *sealedLog) {
			signed, err := audit.OpenCheckpoint(l.published, l.key)
			require.NoError(t, err)
			signer, err := audit.NewSigner(signed.Origin, [32]byte{9})
			require.NoError(t, err)
			note, err := signed.Sign(signer)
			require.NoError(t, err)
			l.exec(t, `UPDATE checkpoints SET note = $1 WHERE size = $2`, note, signed.Size)
		}, audit.CheckpointGone},
		"the end cut off and others written instead": {func(t *testing.T, l *sealedLog) {
			l.truncate(t, 3)
			l.exec(t, onlyFitting)
			l.grow(t, 6)
		}, audit.Changed},
	} {
		t.Run(name, func(t *testing.T) {
			eachSealedLog(t, func(t *testing.T, l *sealedLog) {
				c.attack(t, l)
				l.record(t)
				signed := l.count(t, `SELECT COUNT(*) FROM checkpoints`)
				require.True(t, audit.FaultNotSigned.Is(l.Audit.Checkpoint(ctx)))
				require.Equal(t, c.why, l.Audit.Alarm().Why)
				j := jobstest.Started(t, l.Console, 100)
				jobstest.Carry(t, l.Console, j.ID, jobstest.Came{Rest: jobs.Cleared}, 1)
				require.NoError(t, l.Evidence.Seal(ctx))
				require.Equal(t, signed, l.count(t, `SELECT COUNT(*) FROM checkpoints`), "the end of a job is not signed either")
				require.Zero(t, l.count(t, `SELECT sealed FROM jobs WHERE id = '`+j.ID+`'`), "and it is sealed later")
				_, err := l.Evidence.Pack(ctx, adam, l.job)
				require.Error(t, err)
				found, err := l.Evidence.Verify(ctx, audit.Proofs{})
				require.NoError(t, err)
				require.NotEmpty(t, found.Wrong)
				require.NotEmpty(t, found.Alarm)

				l.start(t)
				require.Equal(t, c.why, l.Audit.Alarm().Why, "a restart forgets nothing")
				require.True(t, audit.FaultNotSigned.Is(l.Audit.Checkpoint(ctx)))

				require.True(t, audit.FaultResumeReason.Is(l.Audit.ResumeSigning(ctx, adam, " ")))
				require.NoError(t, l.Audit.ResumeSigning(ctx, adam, "restored on purpose"))
				require.NoError(t, l.Audit.Checkpoint(ctx))
				accepted, err := l.Audit.Entries(ctx, audit.Filter{Code: audit.LogAccepted, Limit: 10})
				require.NoError(t, err)
				require.Len(t, accepted, 1)
				require.Equal(t, "adam", accepted[0].Actor.Name)
				require.Equal(t, []any{string(c.why), "restored on purpose"}, []any{accepted[0].Details["why"], accepted[0].Details["reason"]})
				last, err := audit.OpenCheckpoint(l.published, l.key)
				require.NoError(t, err)
				require.EqualValues(t, last.Size, accepted[0].Details["known_size"])
				require.Contains(t, accepted[0].Details["lost"], fmt.Sprintf("%d %s", last.Size, last.Root))
				require.NoError(t, l.Evidence.Seal(ctx))
				require.NotZero(t, l.count(t, `SELECT sealed FROM jobs WHERE id = '`+j.ID+`'`))
				l.start(t)
				require.Nil(t, l.Audit.Alarm())
			})
		})
	}
}

// What only the entries themselves show is found by a verification, and at the start.
func TestLogLinesAreComparedAtStart(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		l.exec(t, `UPDATE audit_lines SET line = REPLACE(line, '"actor":"u1"', '"actor":"u9"') WHERE code = 'job.started'`)
		require.NoError(t, l.Audit.Checkpoint(ctx), "the hashes are as they were")
		require.Nil(t, l.Audit.Alarm())
		found, err := l.Evidence.Verify(ctx, audit.Proofs{})
		require.NoError(t, err)
		require.NoError(t, l.Audit.SaveVerified(ctx, audit.System, found))
		require.Equal(t, audit.Changed, l.Audit.Alarm().Why)
		require.NoError(t, l.Audit.ResumeSigning(ctx, adam, "seen"))
		require.NoError(t, l.Audit.SaveVerified(ctx, audit.System, found))
		require.Nil(t, l.Audit.Alarm(), "a verification that began before finds nothing new")
		l.start(t)
		require.Nil(t, l.Audit.Alarm(), "it was accepted")
		l.exec(t, `UPDATE audit_lines SET line = REPLACE(line, '"actor":"u2"', '"actor":"u9"') WHERE code = 'log.accepted'`)
		l.record(t)
		require.NoError(t, l.Audit.Checkpoint(ctx))
		l.start(t)
		require.NotNil(t, l.Audit.Alarm(), "and nothing after it")
	})
}

// Whoever makes the change undone again does not make the console forget it.
func TestAlarmStaysAfterUndo(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		l.exec(t, `UPDATE audit_head SET seq = seq - 1`)
		require.Error(t, l.Audit.Checkpoint(ctx))
		l.exec(t, `UPDATE audit_head SET seq = seq + 1`)
		l.start(t)
		require.NotNil(t, l.Audit.Alarm())
		require.True(t, audit.FaultNotSigned.Is(l.Audit.Checkpoint(ctx)))
		require.NoError(t, l.Audit.ResumeSigning(ctx, adam, "seen"))
		require.Empty(t, l.wrong(t))
	})
}

// A tree that contradicts its hashes is not signed, whoever says so.
func TestBrokenLogIsNotAccepted(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		edge := make([]byte, 0)
		require.NoError(t, l.db.QueryRow(`SELECT edge FROM audit_head`).Scan(&edge))
		edge[0]++
		l.exec(t, `UPDATE audit_head SET edge = $1`, edge)
		require.Error(t, l.Audit.Checkpoint(ctx))
		require.True(t, audit.FaultLogBroken.Is(l.Audit.ResumeSigning(ctx, adam, "seen")))
		require.NotNil(t, l.Audit.Alarm())
	})
}

func TestWitnessMustKnowTheLog(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		known := l.witness
		content, err := os.ReadFile(known)
		require.NoError(t, err)

		l.witness = filepath.Join(t.TempDir(), "lost")
		l.start(t)
		require.Equal(t, audit.NoWitness, l.Audit.Alarm().Why)
		require.Error(t, l.Audit.Checkpoint(ctx))
		l.exec(t, noCheckpoints)
		l.start(t)
		require.Equal(t, audit.NoWitness, l.Audit.Alarm().Why, "entries are a history too")

		l.witness = filepath.Join(t.TempDir(), "damaged")
		require.NoError(t, os.WriteFile(l.witness, []byte(strings.Replace(string(content), "time 2", "time 1", 1)), 0o600))
		l.start(t)
		require.Equal(t, audit.Damaged, l.Audit.Alarm().Why)
		require.NoError(t, l.Audit.ResumeSigning(ctx, adam, "seen"))
		l.start(t)
		require.Nil(t, l.Audit.Alarm())
		aside, err := filepath.Glob(l.witness + ".damaged-*")
		require.NoError(t, err)
		require.Len(t, aside, 1, "what was found there is kept")

		fresh := jobstest.SQLite(t)
		w := filepath.Join(t.TempDir(), "other")
		require.NoError(t, os.WriteFile(w, content, 0o600))
		jobstest.SignWith(t, fresh, w, auditKey)
		require.Equal(t, audit.OtherLog, fresh.Audit.Alarm().Why, "an empty database in its place is not a new one")
	})
	fresh := jobstest.SQLite(t)
	_, err := fresh.Users.Create(ctx, audit.Actor{Role: audit.CommandLine, SignedIn: audit.ByCommandLine}, "adam", "admin",
		jobstest.PasswordHash)
	require.NoError(t, err)
	jobstest.Sign(t, fresh, auditKey)
	require.Nil(t, fresh.Audit.Alarm(), "users made before the first start are no history")
	require.NoError(t, fresh.Audit.Checkpoint(ctx))
}

// The log is given another name, under which nobody has signed anything yet: alone, or
// after it was changed. A file full of notes that nobody signed does not help.
func TestLogOfAnotherNameIsNotSigned(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		l.forgeStarter(t)
		l.exec(t, noCheckpoints)
		l.exec(t, `UPDATE audit_head SET origin = 'tagsweep/other'`)
		l.record(t)
		require.True(t, audit.FaultNotSigned.Is(l.Audit.Checkpoint(ctx)))
		require.Equal(t, audit.OtherLog, l.Audit.Alarm().Why)
		l.start(t)
		require.Equal(t, audit.OtherLog, l.Audit.Alarm().Why)
	})
	fresh := jobstest.SQLite(t)
	file := filepath.Join(t.TempDir(), "checkpoints")
	stranger, err := audit.NewSigner("tagsweep/other", [32]byte{9})
	require.NoError(t, err)
	note, err := audit.Checkpoint{Origin: "tagsweep/other", Size: 7}.Sign(stranger)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte("\n"+note), 0o600))
	jobstest.SignWith(t, fresh, filepath.Join(t.TempDir(), "witness"), auditKey, file)
	require.Nil(t, fresh.Audit.Alarm(), "what others signed counts for nothing")
	own, err := audit.NewSigner("tagsweep/other", auditKey)
	require.NoError(t, err)
	note, err = audit.Checkpoint{Origin: "tagsweep/other", Size: 7}.Sign(own)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte("\n"+note), 0o600))
	fresh = jobstest.SQLite(t)
	jobstest.SignWith(t, fresh, filepath.Join(t.TempDir(), "witness"), auditKey, file)
	require.Equal(t, audit.OtherLog, fresh.Audit.Alarm().Why, "this key has signed another log")
}

// grow adds entries as another program does that does not sign.
func (l *sealedLog) grow(t *testing.T, n int) {
	for range n {
		require.NoError(t, jobstest.New(l.DB).Audit.Record(ctx, audit.Entry{Code: audit.SignedOut, Actor: adam}))
	}
}

// A console remembers what the others of its database signed.
func TestWitnessFollowsOtherConsoles(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		other := jobstest.New(l.DB)
		content, err := os.ReadFile(l.witness)
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "witness")
		require.NoError(t, os.WriteFile(path, content, 0o600))
		jobstest.SignWith(t, other, path, auditKey)
		l.record(t)
		require.NoError(t, l.Audit.Checkpoint(ctx))
		require.NoError(t, other.Audit.Checkpoint(ctx))
		l.truncate(t, 1)
		l.exec(t, onlyFitting)
		require.True(t, audit.FaultNotSigned.Is(other.Audit.Checkpoint(ctx)))
	})
}

// An entry that excuses losses counts only once it is signed.
func TestForgedAcceptanceIsNoExcuse(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		last, err := audit.OpenCheckpoint(l.published, l.key)
		require.NoError(t, err)
		l.truncate(t, 3)
		l.exec(t, onlyFitting)
		forger := jobstest.New(l.DB).Audit
		require.NoError(t, forger.Record(ctx, audit.Entry{Code: audit.LogAccepted, Actor: adam,
			Details: map[string]any{"why": "shorter", "lost": fmt.Sprintf("%d %s", last.Size, last.Root)}}))
		require.NotEmpty(t, l.wrong(t))
		require.Error(t, l.Audit.Checkpoint(ctx))
	})
}

// A pack needs the checkpoint that was signed with the job's seal.
func TestPackNeedsTheSealsCheckpoint(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		_, err := l.Evidence.Pack(ctx, adam, l.job)
		require.NoError(t, err)
		l.exec(t, `DELETE FROM checkpoints WHERE size = (SELECT sealed FROM jobs WHERE id = $1)`, l.job)
		_, err = l.Evidence.Pack(ctx, adam, l.job)
		require.True(t, evidence.FaultNoCheckpoint.Is(err), "%v", err)
		require.Contains(t, strings.Join(l.allWrong(t), "\n"), "job "+l.job+": the checkpoint of its seal")
	})
}

func (l *sealedLog) allWrong(t *testing.T) []string {
	found, err := l.Evidence.Verify(ctx, audit.Proofs{})
	require.NoError(t, err)
	return found.Wrong
}

// A backup from a moment before is noticed only if what governs is signed at once, and the
// witness remembers it.
func TestWhatGovernsIsSignedAtOnce(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		second, err := l.Users.Create(ctx, adam, "second", auth.Operator, jobstest.PasswordHash)
		require.NoError(t, err)
		user, err := l.Users.Create(ctx, adam, "olga", auth.Operator, jobstest.PasswordHash)
		require.NoError(t, err)
		job := jobstest.Started(t, l.Console, 5)
		for what, do := range map[string]func() error{
			"stop":      func() error { return l.ThrowKillSwitch(ctx, adam, "why") },
			"role":      func() error { return l.Users.SetRole(ctx, adam, second.ID, auth.Auditor) },
			"password":  func() error { return l.Users.SetPassword(ctx, adam, user.ID, jobstest.PasswordHash) },
			"disabled":  func() error { return l.Users.SetDisabled(ctx, adam, user.ID, true) },
			"protected": func() error { _, err := l.Protect(ctx, adam, jobstest.App.ID, "", []string{"vip"}); return err },
			"settings": func() error {
				return l.ChangeSettings(ctx, adam, jobstest.App.ID, jobs.Settings{FailureLimit: 7, KeepDays: 30})
			},
			"paused":    func() error { _, err := l.Act(ctx, adam, job.ID, jobs.Pause); return err },
			"retention": func() error { return l.Audit.SetRetention(ctx, adam, audit.MinKeepMonths) },
		} {
			l.record(t)
			before, err := l.Audit.Size(ctx)
			require.NoError(t, err)
			require.NoError(t, do(), what)
			size, err := l.Audit.Size(ctx)
			require.NoError(t, err)
			require.Greater(t, size, before, what)
			last, err := l.Audit.LastCheckpoint(ctx, 0)
			require.NoError(t, err)
			require.Equal(t, size, last.Size, what)
			content, err := os.ReadFile(l.witness)
			require.NoError(t, err)
			require.Contains(t, string(content), last.Note, what)
		}
	})
}
