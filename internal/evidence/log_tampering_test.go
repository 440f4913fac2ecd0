package evidence_test

import (
	"database/sql"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
)

var auditKey = [32]byte{7}

// sealedLog is a database with a sealed job, some entries before and after it and
// a published checkpoint, and how to change it behind the program's back, its
// triggers taken away as whoever holds the machine can.
type sealedLog struct {
	*jobstest.Console
	db        *sql.DB
	job       string
	published string
	key       string
	witness   string // its file
	file      string // of published checkpoints
	opened    *audit.Witness
}

// start lets the log be signed, as a console does at each start.
func (l *sealedLog) start(t testing.TB) {
	t.Helper()
	if l.opened != nil {
		l.opened.Close()
	}
	l.opened = jobstest.SignWith(t, l.Console, l.witness, auditKey, l.file)
}

// publish appends the checkpoints to the file that it does not have.
func (l *sealedLog) publish(t testing.TB) {
	t.Helper()
	upTo, _, err := l.Audit.PublishedIn(ctx, l.file)
	require.NoError(t, err)
	due, err := l.Audit.CheckpointsAfter(ctx, upTo, 1_000)
	require.NoError(t, err)
	file, err := os.OpenFile(l.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer file.Close()
	for _, c := range due {
		_, err := file.WriteString("\n" + c.Note)
		require.NoError(t, err)
	}
}

// eachSealedLog gives a test a copy of the sealed log of each engine.
func eachSealedLog(t *testing.T, test func(t *testing.T, l *sealedLog)) {
	eachCopy(t, false, func(t *testing.T, g *governedLog) { test(t, g.sealedLog) })
}

// eachGovernedLog gives a test a copy of the sealed log of each engine that has users.
func eachGovernedLog(t *testing.T, test func(t *testing.T, g *governedLog)) { eachCopy(t, true, test) }

func eachCopy(t *testing.T, governed bool, test func(t *testing.T, g *governedLog)) {
	for _, engine := range []string{"sqlite", "pgx"} {
		t.Run(engine, func(t *testing.T) { test(t, originalOf(t, engine, governed).copied(t)) })
	}
}

// original is a log that is made once, closed, and copied for each test.
type original struct {
	governedLog
	engine, database string
	kept             map[string][]byte // SQLite's file and the witness's, by name
}

var originals = struct {
	sync.Mutex
	made map[string]*original
}{made: map[string]*original{}}

func originalOf(t *testing.T, engine string, governed bool) *original {
	t.Helper()
	originals.Lock()
	defer originals.Unlock()
	name := fmt.Sprint(engine, governed)
	if o := originals.made[name]; o != nil {
		return o
	}
	o := &original{engine: engine, kept: map[string][]byte{}}
	if o.database = filepath.Join(t.TempDir(), "x.db"); engine == "pgx" {
		o.database = storetest.PostgresURL(t)
	}
	o.sealedLog = newSealedLog(t, o.database)
	o.open(t, engine, o.database)
	if engine == "pgx" {
		o.exec(t, `ALTER TABLE audit_lines DISABLE TRIGGER ALL`)
		o.exec(t, `ALTER TABLE audit_hashes DISABLE TRIGGER ALL`)
		o.exec(t, `ALTER TABLE checkpoints DISABLE TRIGGER ALL`)
	} else {
		for _, trigger := range []string{"audit_lines_no_update", "audit_lines_no_delete", "audit_hashes_no_update",
			"audit_hashes_no_delete", "checkpoints_no_update", "checkpoints_no_delete"} {
			o.exec(t, `DROP TRIGGER `+trigger)
		}
	}
	if governed {
		o.govern(t)
	}
	require.Empty(t, o.found(t))
	require.NoError(t, o.opened.Close())
	require.NoError(t, o.DB.Close())
	files := []string{o.witness}
	if engine == "sqlite" {
		o.exec(t, `PRAGMA wal_checkpoint(TRUNCATE)`)
		files = append(files, o.database)
	}
	require.NoError(t, o.db.Close())
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		o.kept[filepath.Base(file)] = content
	}
	originals.made[name] = o
	return o
}

// copied opens a copy as a console does that starts again.
func (o *original) copied(t *testing.T) *governedLog {
	t.Helper()
	folder := t.TempDir()
	for name, content := range o.kept {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), content, 0o600))
	}
	database := filepath.Join(folder, "x.db")
	if o.engine == "pgx" {
		database = storetest.PostgresCopy(t, o.database)
	}
	l := *o.sealedLog
	l.Console, l.opened = jobstest.Reopen(t, database), nil
	l.witness, l.file = filepath.Join(folder, "witness"), filepath.Join(folder, "checkpoints")
	l.start(t)
	l.open(t, o.engine, database)
	return &governedLog{sealedLog: &l, ann: o.ann, olga: o.olga}
}

// open opens the database behind the program's back.
func (l *sealedLog) open(t *testing.T, engine, database string) {
	t.Helper()
	var err error
	l.db, err = sql.Open(engine, database)
	require.NoError(t, err)
	t.Cleanup(func() { l.db.Close() })
}

func newSealedLog(t testing.TB, database string) *sealedLog {
	t.Helper()
	l := &sealedLog{Console: jobstest.Open(t, database),
		witness: filepath.Join(t.TempDir(), "witness"), file: filepath.Join(t.TempDir(), "checkpoints")}
	l.start(t)
	for range 5 {
		require.NoError(t, l.Audit.Record(ctx, audit.Entry{Code: audit.AccessDenied, Actor: jobstest.Operator, Target: "/users"}))
	}
	jobstest.Free(t, l.Console)
	j := jobstest.Started(t, l.Console, 250)
	l.job = j.ID
	jobstest.Carry(t, l.Console, j.ID, jobstest.Came{Rest: jobs.Cleared}, 1, 2, 3)
	require.NoError(t, l.Evidence.Seal(ctx))
	for range 4 {
		require.NoError(t, l.Audit.Record(ctx, audit.Entry{Code: audit.SignedOut, Actor: jobstest.Operator}))
	}
	require.NoError(t, l.Audit.Checkpoint(ctx))
	last, err := l.Audit.LastCheckpoint(ctx, 0)
	require.NoError(t, err)
	l.published = last.Note
	l.key, err = l.Audit.Key(ctx)
	require.NoError(t, err)
	return l
}

func (l *sealedLog) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	_, err := l.db.Exec(statement, args...)
	require.NoError(t, err, statement)
}

func (l *sealedLog) count(t *testing.T, query string) (n int64) {
	t.Helper()
	require.NoError(t, l.db.QueryRow(query).Scan(&n))
	return n
}

// published are checkpoints as a file of them gives them.
func published(notes ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, note := range notes {
			if !yield(note, nil) {
				return
			}
		}
	}
}

// wrong is the first thing a verification names.
func (l *sealedLog) wrong(t *testing.T) string {
	t.Helper()
	found, err := l.Evidence.Verify(ctx, audit.Proofs{Checkpoints: published(l.published), Key: l.key})
	require.NoError(t, err)
	if len(found.Wrong) == 0 {
		return ""
	}
	return found.Wrong[0]
}

// Whoever holds the database changes one thing in it; verify names the place.
// What is changed is restored, so that the next finds a log that verifies.
func TestTamperEveryChangeIsNamed(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		require.Empty(t, l.wrong(t))
		last := l.count(t, `SELECT MAX(seq) FROM audit_lines`)
		sealed := l.count(t, `SELECT MAX(sealed) FROM jobs`)
		for _, change := range []struct{ name, do, undo, wrong string }{
			{"a letter of an entry", `UPDATE audit_lines SET line = REPLACE(line, 'access.denied', 'access.denier') WHERE seq = 3`,
				`UPDATE audit_lines SET line = REPLACE(line, 'access.denier', 'access.denied') WHERE seq = 3`,
				"entry 3 of the log: the entry was changed"},
			{"who acted", `UPDATE audit_lines SET personal = REPLACE(personal, 'olga', 'adam') WHERE seq = 2`,
				`UPDATE audit_lines SET personal = REPLACE(personal, 'adam', 'olga') WHERE seq = 2`,
				"entry 2 of the log: the personal data was changed"},
			{"what an entry is found by", `UPDATE audit_lines SET code = 'signed_out', failed = 0 WHERE seq = 1`,
				`UPDATE audit_lines SET code = 'access.denied', failed = 1 WHERE seq = 1`, "entry 1 of the log: the search fields do not match"},
			{"its actor", `UPDATE audit_lines SET actor = 'adam' WHERE seq = 1`,
				`UPDATE audit_lines SET actor = 'olga' WHERE seq = 1`, "entry 1 of the log: the search fields do not match"},
			{"its job", `UPDATE audit_lines SET job_id = 'x' WHERE seq = 1`, `UPDATE audit_lines SET job_id = '' WHERE seq = 1`,
				"entry 1 of the log: the search fields do not match"},
			{"its time", `UPDATE audit_lines SET at = at + 1 WHERE seq = 1`, `UPDATE audit_lines SET at = at - 1 WHERE seq = 1`,
				"entry 1 of the log: the search fields do not match"},
			{"the times a search goes by", fmt.Sprintf(`UPDATE audit_lines SET reached = reached + 1000000 WHERE seq = %d`, last),
				fmt.Sprintf(`UPDATE audit_lines SET reached = reached - 1000000 WHERE seq = %d`,
					last), fmt.Sprintf("entry %d of the log: the search fields do not match", last)},
			{"a word", `DELETE FROM audit_words WHERE word = 'users' AND seq = 4`,
				`INSERT INTO audit_words (word, seq) VALUES ('users', 4)`, "audit log: the search keywords"},
			{"a word too many", `INSERT INTO audit_words (word, seq) VALUES ('nothing', 4)`,
				`DELETE FROM audit_words WHERE word = 'nothing'`, "audit log: the search keywords"},
			{"two entries in another order", `UPDATE audit_lines SET seq = CASE seq WHEN 2 THEN 903 ELSE 902 END WHERE seq IN (2, 3)`,
				`UPDATE audit_lines SET seq = CASE seq WHEN 903 THEN 2 ELSE 3 END WHERE seq IN (902, 903)`,
				"audit log: 2 entries or hashes are outside"},
			{"an entry inserted behind the last",
				fmt.Sprintf(`INSERT INTO audit_lines SELECT %d, line, personal, at, reached, code, failed, actor, job_id, mac FROM `+
					`audit_lines WHERE seq = 1`, last+1),
				fmt.Sprintf(`DELETE FROM audit_lines WHERE seq = %d`, last+1), "audit log: 1 entries or hashes are outside"},
			{"the size of the log", `UPDATE audit_head SET seq = seq + 1`, `UPDATE audit_head SET seq = seq - 1`,
				fmt.Sprintf("entry %d of the log: hash", last+1)},
			{"its edge", `UPDATE audit_head SET reached = reached + 1`, `UPDATE audit_head SET reached = reached - 1`,
				"audit log: the time of the last entry"},
			{"what counts as removed", `UPDATE audit_head SET removed = 2`, `UPDATE audit_head SET removed = 0`,
				"audit log: entries up to 2 are marked as removed"},
			{"an outcome of a batch", `UPDATE batches SET outcome = 'untagged' WHERE number = 2`,
				`UPDATE batches SET outcome = 'cleared' WHERE number = 2`,
				fmt.Sprintf("job %s: the row results were changed (sealed by entry %d of the log)", l.job, sealed)},
			{"an outcome and all counts", `UPDATE batches SET outcome = 'untagged'`, `UPDATE batches SET outcome = 'cleared'`,
				"job " + l.job + ": the row results were changed"},
			{"when a batch was settled", `UPDATE batches SET settled_at = settled_at + 60000 WHERE number = 1`,
				`UPDATE batches SET settled_at = settled_at - 60000 WHERE number = 1`,
				"job " + l.job + ": the row results were changed"},
			{"the ledger", `UPDATE calls SET accounts = 99 WHERE batch = 1`, `UPDATE calls SET accounts = 100 WHERE batch = 1`,
				"job " + l.job + ": the calls were changed"},
			{"the file of a job", `UPDATE jobs SET kind = 'inspect'`, `UPDATE jobs SET kind = 'clear'`,
				"job " + l.job + ": the file, the operation or the end time was changed"},
		} {
			l.exec(t, change.do)
			require.Contains(t, l.wrong(t), change.wrong, change.name)
			l.exec(t, change.undo)
			require.Empty(t, l.wrong(t), "%s, undone", change.name)
		}
		var edge []byte
		require.NoError(t, l.db.QueryRow(`SELECT edge FROM audit_head`).Scan(&edge))
		l.exec(t, `UPDATE audit_head SET edge = $1`, make([]byte, len(edge)))
		require.Contains(t, l.wrong(t), "audit log: the tree does not match the entries")
	})
}

func TestTamperForgedLogFailsCheckpoints(t *testing.T) {
	for name, test := range map[string]func(t *testing.T, l *sealedLog) (wrong string){
		"an entry deleted": func(t *testing.T, l *sealedLog) string {
			l.exec(t, `DELETE FROM audit_words WHERE seq = 2`)
			l.exec(t, `DELETE FROM audit_lines WHERE seq = 2`)
			return "entry 2 of the log: the entry is missing"
		},
		"an entry and its hashes deleted": func(t *testing.T, l *sealedLog) string {
			l.exec(t, `DELETE FROM audit_lines WHERE seq = 3`)
			l.exec(t, `DELETE FROM audit_hashes WHERE number = 3`)
			return "entry 3 of the log: hash 3"
		},
		"the end cut off": func(t *testing.T, l *sealedLog) string {
			l.truncate(t, 3)
			return "audit log: the last entry is"
		},
		"the end cut off with its checkpoints": func(t *testing.T, l *sealedLog) string {
			l.truncate(t, 3)
			l.exec(t, `DELETE FROM checkpoints WHERE size > (SELECT seq FROM audit_head)`)
			return "audit log: the last entry is"
		},
		"all written anew, with all hashes, by somebody without the key": func(t *testing.T, l *sealedLog) string {
			l.rewrite(t, 2, strings.NewReplacer("access.denied", "access.denier"))
			return "checkpoint of"
		},
		"a checkpoint changed": func(t *testing.T, l *sealedLog) string {
			l.exec(t, `UPDATE checkpoints SET note = REPLACE(note, 'time 2', 'time 1')`)
			return "checkpoint of"
		},
		"the personal part of an entry taken away": func(t *testing.T, l *sealedLog) string {
			l.exec(t, `DELETE FROM audit_words WHERE seq = 5`)
			l.exec(t, `UPDATE audit_lines SET personal = '', actor = '' WHERE seq = 5`)
			return "entry 5 of the log: the personal data is missing"
		},
		"a job deleted": func(t *testing.T, l *sealedLog) string {
			for _, table := range []string{"batches", "planned_batches", "account_names", "calls", "shared_accounts",
				"snapshots", "snapshot_keys", "tag_reports"} {
				l.exec(t, `DELETE FROM `+table)
			}
			l.exec(t, `DELETE FROM jobs`)
			return "job " + l.job + ": entry"
		},
		"the file that was uploaded": func(t *testing.T, l *sealedLog) string {
			encoder, err := zstd.NewWriter(nil)
			require.NoError(t, err)
			l.exec(t, `UPDATE upload_chunks SET data = $1`, encoder.EncodeAll([]byte("somebody else\n"), nil))
			return "job " + l.job + ": the stored file is not the uploaded file"
		},
		"a job that names another seal": func(t *testing.T, l *sealedLog) string {
			l.exec(t, `UPDATE jobs SET sealed = 1`)
			return "job " + l.job + ": the log entry with its seal is missing"
		},
		"an account moved to another row": func(t *testing.T, l *sealedLog) string {
			l.exec(t, `UPDATE planned_batches SET accounts = REPLACE(accounts, 'user', 'uzer') WHERE number = 1`)
			return "job " + l.job + ": the row results were changed"
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachSealedLog(t, func(t *testing.T, l *sealedLog) {
				wrong := test(t, l)
				require.Contains(t, l.wrong(t), wrong)
			})
		})
	}
}

// truncate cuts entries off as somebody would who knows how the log is kept.
func (l *sealedLog) truncate(t *testing.T, entries int64) {
	size := l.count(t, `SELECT seq FROM audit_head`) - entries
	l.rebuild(t, size)
}

// rewrite changes what an entry says and makes all hashes again.
func (l *sealedLog) rewrite(t *testing.T, seq int64, change *strings.Replacer) {
	var line string
	require.NoError(t, l.db.QueryRow(fmt.Sprintf(`SELECT line FROM audit_lines WHERE seq = %d`, seq)).Scan(&line))
	l.exec(t, `UPDATE audit_lines SET line = $1, code = 'access.denier', failed = 0 WHERE seq = `+fmt.Sprint(seq), change.Replace(line))
	l.rebuild(t, l.count(t, `SELECT seq FROM audit_head`))
}

// rebuild makes the tree of the first entries, and forgets the others.
func (l *sealedLog) rebuild(t *testing.T, size int64) {
	for _, statement := range []string{`DELETE FROM audit_lines WHERE seq > $1`, `DELETE FROM audit_words WHERE seq > $1`} {
		l.exec(t, statement, size)
	}
	l.exec(t, `DELETE FROM audit_hashes`)
	var tree audit.Tree
	number, reached := int64(0), int64(0)
	for seq := int64(1); seq <= size; seq++ {
		var w audit.Written
		require.NoError(t, l.db.QueryRow(fmt.Sprintf(`SELECT line, reached FROM audit_lines WHERE seq = %d`, seq)).Scan(&w.Line, &reached))
		for _, hash := range tree.Grow(w.Leaf()) {
			l.exec(t, `INSERT INTO audit_hashes (number, hash) VALUES ($1, $2)`, number, hash[:])
			number++
		}
	}
	l.exec(t, `UPDATE audit_head SET seq = $1, edge = $2, reached = $3`, size, tree.Edge(), reached)
}
