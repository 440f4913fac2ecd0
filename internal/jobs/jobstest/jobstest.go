// Package jobstest gives tests the rooms of a console over a real database on each
// engine, jobs in them, and batches that a test settles by hand.
package jobstest

import (
	"cmp"
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/evidence"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
)

// Console is what a console keeps in its database.
type Console struct {
	*jobs.Jobs
	DB        *store.DB
	Audit     *audit.Log
	Users     *auth.Users
	Snapshots *snapshot.Snapshots
	Evidence  *evidence.Evidence
}

// App is the app every console of this package knows.
var App = jobs.App{ID: "1400000000", Name: "Test chat", Environment: "test", SDKAppID: 1400000000,
	Domain: "http://127.0.0.1:0", Family: "all_member_push", Identifier: "administrator", Rate: 97}

// LogKey is the key of the log's entries.
var LogKey = [32]byte{2}

// Password is what users of tests sign in with.
const Password = "correct horse battery"

// PasswordHash is its hash, as cheap as a hash can be: what a hash costs stands
// in it, and the usual cost is tested where it is chosen.
var PasswordHash = func() string {
	salt := []byte("salt of the tests")
	key := argon2.IDKey([]byte(Password), salt, 1, 8, 1, 32)
	encode := base64.RawStdEncoding.EncodeToString
	return "$argon2id$v=19$m=8,t=1,p=1$" + encode(salt) + "$" + encode(key)
}()

// Each runs a test on both engines, beside other tests: while one uses a
// processor, another waits for PostgreSQL. A test calls it once.
func Each(t *testing.T, body func(t *testing.T, c *Console)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { body(t, over(t, db)) })
}

// SQLite returns a console over a new file.
func SQLite(t *testing.T) *Console { return over(t, storetest.SQLite(t)) }

// Open opens a database, and gives it the App.
func Open(t testing.TB, database string) *Console {
	t.Helper()
	return over(t, storetest.Open(t, database))
}

// Reopen opens the database of a console, and leaves it as it is.
func Reopen(t testing.TB, database string) *Console {
	t.Helper()
	c := New(storetest.Open(t, database))
	c.Snapshots.UseKey([32]byte{1})
	return c
}

// over gives a database the App, which keeps no tags and verifies nothing: so a
// job is nothing but its changes, and a test that is about more says so (see Keep).
// The log is empty and knows nothing of the App: see Free.
func over(t testing.TB, db *store.DB) *Console {
	t.Helper()
	c := New(db)
	c.Snapshots.UseKey([32]byte{1})
	require.NoError(t, c.DB.Exec(context.Background(), `
		INSERT INTO apps (id, name, environment, sdkappid, domain, family, identifier, rate)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING`,
		App.ID, App.Name, App.Environment, int64(App.SDKAppID), App.Domain, App.Family, App.Identifier, App.Rate))
	c.set(t, 0, 0)
	return c
}

// New returns the rooms over a database, which is left as it is. All have LogKey.
func New(db *store.DB) *Console {
	log := audit.New(db, jobs.AppOf)
	log.UseKey(LogKey)
	snapshots := snapshot.New(db)
	all := jobs.New(db, log, snapshots)
	return &Console{Jobs: all, DB: db, Audit: log, Users: auth.New(db, log), Snapshots: snapshots, Evidence: evidence.New(db, log, all)}
}

// Keep lets the App keep tags and verify a share of the batches.
func Keep(t testing.TB, c *Console, verify snapshot.Share) {
	t.Helper()
	c.set(t, 1, verify)
}

// set changes the app behind the console's back, so that nothing of it is in the log.
func (c *Console) set(t testing.TB, keep int, verify snapshot.Share) {
	t.Helper()
	require.NoError(t, c.DB.Exec(context.Background(), `UPDATE apps SET snapshot = $1, verify_share = $2`, keep, verify))
}

// Sign lets the log be signed with a key, with a new witness.
func Sign(t testing.TB, c *Console, seed [32]byte) {
	t.Helper()
	SignWith(t, c, filepath.Join(t.TempDir(), "witness"), seed)
}

// SignWith lets the log be signed as a console does that starts with a witness file, and
// with files of published checkpoints. Close the witness to start another.
func SignWith(t testing.TB, c *Console, witness string, seed [32]byte, files ...string) *audit.Witness {
	t.Helper()
	w, err := audit.OpenWitness(witness, seed)
	require.NoError(t, err)
	t.Cleanup(func() { w.Close() })
	require.NoError(t, c.Audit.SignWith(context.Background(), w, files...))
	require.NoError(t, c.Audit.CompareLines(context.Background()))
	return w
}

// Count returns the one number of a query.
func (c *Console) Count(ctx context.Context, query string, args ...any) (n int64, err error) {
	return n, c.DB.Reader().QueryRowContext(ctx, query, args...).Scan(&n)
}

// Draft uploads a file and reads it, and returns the job as it then is.
func Draft(s *Console, by audit.Actor, n jobs.Upload, content string) (jobs.Job, error) {
	ctx := context.Background()
	n.AppID, n.Kind, n.AccountBytes = cmp.Or(n.AppID, App.ID), cmp.Or(n.Kind, jobs.Clear), App.AccountBytes()
	n.FileName = cmp.Or(n.FileName, "users.csv")
	n.File = io.NewSectionReader(strings.NewReader(content), 0, int64(len(content)))
	j, err := s.Create(ctx, by, n)
	if err != nil {
		return j, err
	}
	if err := ReadAll(s); err != nil {
		return j, err
	}
	return s.Get(ctx, j.ID)
}

// ReadAll reads every file that waits to be read.
func ReadAll(s *Console) error {
	importer := jobs.Importer{Jobs: s.Jobs, Log: slog.New(slog.DiscardHandler)}
	for {
		if read, err := importer.Next(context.Background(), 0); err != nil || !read {
			return err
		}
	}
}
