package evidence_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store"
)

// copyOf reads an entry as it is stored.
func copyOf(t *testing.T, db store.Querier, seq int64) (e audit.Entry, w audit.Written, mac []byte) {
	t.Helper()
	row := db.QueryRowContext(ctx, fmt.Sprintf(`SELECT line, personal, mac FROM audit_lines WHERE seq = %d`, seq))
	require.NoError(t, row.Scan(&w.Line, &w.Personal, &mac))
	e, err := w.Read()
	require.NoError(t, err)
	return e, w, mac
}

func (l *sealedLog) head(t *testing.T) int64 { return l.count(t, `SELECT seq FROM audit_head`) }

// appendCopy appends an entry as it was stored somewhere.
func (l *sealedLog) appendCopy(t *testing.T, e audit.Entry, w audit.Written, mac []byte) int64 {
	t.Helper()
	require.NoError(t, l.DB.Tx(ctx, func(tx *store.Tx) error {
		jobstest.ForgeLine(t, tx, e, w, store.Millis(l.DB.Now()), mac)
		return nil
	}))
	return l.head(t)
}

// Somebody has the database, and no key. Each attack returns the first entry that is forged.
var forgedEntries = map[string]func(t *testing.T, l *sealedLog) int64{
	"a draft is started in somebody's name": func(t *testing.T, l *sealedLog) int64 {
		j := jobstest.Accounts(t, l.Console, 100)
		l.exec(t, `UPDATE jobs SET state = 'queued', started_by = 'adam', started_at = 1 WHERE id = $1`, j.ID)
		j = jobstest.JobNow(t, l.Console, j.ID)
		return jobstest.Forge(t, l.Console, audit.Entry{Code: audit.JobStarted, Actor: adam, JobID: j.ID, Target: j.FileName,
			Details: jobs.Summary(j)}, nil)
	},
	"sending is resumed in somebody's name": func(t *testing.T, l *sealedLog) int64 {
		require.NoError(t, l.ThrowKillSwitch(ctx, adam, "stop"))
		l.exec(t, `UPDATE kill_switch SET thrown_at = 0, thrown_by = '', reason = ''`)
		return jobstest.Forge(t, l.Console, audit.Entry{Code: audit.KillSwitchLifted, Actor: adam}, nil)
	},
	"it has the MAC of the entry before": func(t *testing.T, l *sealedLog) int64 {
		l.record(t)
		return jobstest.Forge(t, l.Console, audit.Entry{Code: audit.SignedOut, Actor: adam}, jobstest.MAC(t, l.Console, `seq > 0`))
	},
	"it and its MAC are from another database with the same key": func(t *testing.T, l *sealedLog) int64 {
		other := jobstest.SQLite(t)
		for range l.head(t) + 1 {
			require.NoError(t, other.Audit.Record(ctx, audit.Entry{Code: audit.SignedOut, Actor: adam}))
		}
		e, w, mac := copyOf(t, other.DB.Reader(), l.head(t)+1)
		return l.appendCopy(t, e, w, mac)
	},
	"two entries change places": func(t *testing.T, l *sealedLog) int64 {
		first := l.head(t) + 1
		l.record(t)
		l.record(t)
		l.exec(t, `UPDATE audit_lines SET seq = 900 + seq WHERE seq >= $1`, first)
		l.exec(t, `UPDATE audit_lines SET seq = $1 WHERE seq = 900 + $2`, first, first+1)
		l.exec(t, `UPDATE audit_lines SET seq = $2 WHERE seq = 900 + $1`, first, first+1)
		l.rebuild(t, first+1)
		return first
	},
	"two entries change places, and their numbers": func(t *testing.T, l *sealedLog) int64 {
		first := l.head(t) + 1
		l.record(t)
		require.NoError(t, l.Audit.Record(ctx, audit.Entry{Code: audit.LogRead, Actor: adam}))
		for i := range int64(2) {
			_, w, mac := copyOf(t, l.DB.Reader(), first+i)
			from, to := fmt.Sprintf(`{"seq":%d,`, first+i), fmt.Sprintf(`{"seq":%d,`, first+1-i)
			defer l.exec(t, `UPDATE audit_lines SET line = $2, personal = $3, mac = $4 WHERE seq = $1`, first+1-i,
				strings.Replace(w.Line, from, to, 1), w.Personal, mac)
		}
		return first
	},
	"a removed entry comes back at the end": func(t *testing.T, l *sealedLog) int64 {
		l.record(t)
		e, w, mac := copyOf(t, l.DB.Reader(), l.head(t))
		l.truncate(t, 1)
		l.record(t)
		return l.appendCopy(t, e, w, mac)
	},
	"an entry is changed that is not signed yet": func(t *testing.T, l *sealedLog) int64 {
		l.record(t)
		l.exec(t, `UPDATE audit_lines SET line = REPLACE(line, '"actor":"u1"', '"actor":"u9"') WHERE seq = $1`, l.head(t))
		l.rebuild(t, l.head(t))
		return l.head(t)
	},
	"an entry is changed, and its hashes are left": func(t *testing.T, l *sealedLog) int64 {
		l.record(t)
		l.exec(t, `UPDATE audit_lines SET line = REPLACE(line, '"actor":"u1"', '"actor":"u9"') WHERE seq = $1`, l.head(t))
		return l.head(t)
	},
	"an entry is only hashes": func(t *testing.T, l *sealedLog) int64 {
		l.record(t)
		l.exec(t, `DELETE FROM audit_lines WHERE seq = $1`, l.head(t))
		return l.head(t)
	},
}

// What was written without the key is not signed, also when others follow it, and counts
// for nothing. A verification says which it is. An admin may accept the log, but not make
// the entry true.
func TestForgedEntryIsNotSigned(t *testing.T) {
	for name, attack := range forgedEntries {
		t.Run(name, func(t *testing.T) {
			eachSealedLog(t, func(t *testing.T, l *sealedLog) {
				forged := attack(t, l)
				if strings.Contains(name, "numbers") {
					l.rebuild(t, l.head(t))
				}
				l.record(t)
				signed := l.count(t, `SELECT COUNT(*) FROM checkpoints`)
				require.True(t, audit.FaultNotSigned.Is(l.Audit.Checkpoint(ctx)))
				require.Equal(t, audit.Forged, l.Audit.Alarm().Why)
				require.Equal(t, signed, l.count(t, `SELECT COUNT(*) FROM checkpoints`))
				_, err := l.Evidence.Pack(ctx, adam, l.job)
				require.True(t, audit.FaultNotSigned.Is(err), "%v", err)
				_, err = l.Audit.Proven(ctx, l.DB.Reader(), forged)
				require.True(t, audit.Unproven(err), "%v", err)
				require.Contains(t, strings.Join(l.allWrong(t), "\n"), fmt.Sprintf("entry %d of the log: ", forged))

				l.start(t)
				require.Equal(t, audit.Forged, l.Audit.Alarm().Why, "a restart forgets nothing")
				require.NoError(t, l.Audit.ResumeSigning(ctx, adam, "seen"))
				l.record(t)
				require.NoError(t, l.Audit.Checkpoint(ctx))
				found, err := l.Evidence.Verify(ctx, audit.Proofs{})
				require.NoError(t, err)
				require.Empty(t, found.Alarm, "it was accepted")
				require.NotEmpty(t, found.Wrong, "and is said still")
				_, err = l.Audit.Proven(ctx, l.DB.Reader(), forged)
				require.True(t, audit.Unproven(err), "%v", err)
				l.record(t)
				require.NoError(t, l.Audit.Checkpoint(ctx))
			})
		})
	}
}

// A verification with the key finds forged entries by their MACs before the next
// checkpoint does, and then nothing is signed.
func TestForgedEntryIsFoundByVerification(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		for range 3 {
			jobstest.Forge(t, l.Console, audit.Entry{Code: audit.SignedOut, Actor: audit.System}, nil)
		}
		last := l.head(t)
		wrong := fmt.Sprintf("entries %d-%d of the log: the MACs do not match the key file of the console", last-2, last)
		found, err := l.Evidence.Verify(ctx, audit.Proofs{})
		require.NoError(t, err)
		require.Equal(t, []string{wrong}, found.Wrong, "nothing else shows it")
		require.NoError(t, l.Audit.SaveVerified(ctx, audit.System, found))
		require.Equal(t, audit.Forged, l.Audit.Alarm().Why)
		unsigned := audit.New(l.DB, jobs.AppOf)
		require.True(t, audit.FaultNoKey.Is(unsigned.Record(ctx, audit.Entry{Code: audit.SignedOut, Actor: adam})),
			"without the key nothing is written")
		require.Equal(t, last+1, l.head(t))
	})
}

// With a new key file, earlier entries count once an admin has accepted them, as far as
// they are signed; later ones need their MAC.
func TestNewKeyInheritsAcceptedEntries(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		started := l.count(t, `SELECT seq FROM audit_lines WHERE code = 'job.started'`)
		fits, err := l.Audit.KeyFits(ctx)
		require.NoError(t, err)
		require.True(t, fits)
		l.Audit.UseKey([32]byte{3})
		fits, err = l.Audit.KeyFits(ctx)
		require.NoError(t, err)
		require.False(t, fits)
		l.opened.Close()
		l.opened = jobstest.SignWith(t, l.Console, l.witness, [32]byte{8}, filepath.Join(t.TempDir(), "new"))
		require.Equal(t, audit.Damaged, l.Audit.Alarm().Why)
		_, err = l.Audit.Proven(ctx, l.DB.Reader(), started)
		require.True(t, audit.Unproven(err), "%v", err)
		require.NoError(t, l.Audit.ResumeSigning(ctx, adam, "a new key"))
		_, err = l.Audit.Proven(ctx, l.DB.Reader(), started)
		require.NoError(t, err)
		l.record(t)
		require.NoError(t, l.Audit.Checkpoint(ctx))
		require.NotContains(t, strings.Join(l.allWrong(t), "\n"), "MAC")

		l.exec(t, `UPDATE audit_lines SET line = REPLACE(line, '"actor":"u1"', '"actor":"u9"') WHERE seq = $1`, started)
		l.rebuild(t, l.head(t))
		_, err = l.Audit.Proven(ctx, l.DB.Reader(), started)
		require.True(t, audit.Unproven(err), "it is not the one that was signed: %v", err)
	})
}

// Entries keep their MACs when their personal parts are erased and old ones are removed.
func TestMACsOutliveErasure(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		l.record(t)
		macs := `SELECT COUNT(DISTINCT mac) FROM audit_lines WHERE LENGTH(mac) = 32`
		before := l.count(t, macs)
		require.Equal(t, l.head(t), before)
		l.exec(t, `UPDATE audit_lines SET personal = '', actor = '' WHERE seq = $1`, l.head(t))
		require.Equal(t, before, l.count(t, macs))
		require.NoError(t, l.Audit.Checkpoint(ctx))
		require.Nil(t, l.Audit.Alarm())
	})
}
