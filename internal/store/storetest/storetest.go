// Package storetest gives tests a real store on each engine: SQLite in a
// temporary file, PostgreSQL in a throw-away cluster that is started once per
// test process and removed with it.
package storetest

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/base64"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// App is the app every store of this package knows.
var App = jobs.App{ID: "1400000000", Name: "Test chat", Environment: "test", SDKAppID: 1400000000,
	Domain: "http://127.0.0.1:0", Family: "all_member_push", Identifier: "administrator", Rate: 97}

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
func Each(t *testing.T, body func(t *testing.T, s *store.Store)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); body(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); body(t, Open(t, PostgresURL(t))) })
}

// SQLite returns a store in a new file.
func SQLite(t *testing.T) *store.Store { return Open(t, SQLiteFile(t)) }

// SQLiteFile returns the path of a new database, which has its tables already.
func SQLiteFile(t testing.TB) string {
	t.Helper()
	content, err := emptySQLite()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "console.db")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

// emptySQLite makes the tables once; every test gets a copy.
var emptySQLite = sync.OnceValues(func() (content []byte, err error) {
	folder, err := os.MkdirTemp("", "tagsweep-sqlite-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "console.db")
	if err := migrate(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func migrate(database string) error {
	s, err := store.Open(context.Background(), database)
	if err != nil {
		return err
	}
	return s.Close()
}

// Open opens a database and gives it the App, which keeps no tags and verifies
// nothing: so a job is nothing but its changes, and a test that is about more
// says so (see Keep).
func Open(t testing.TB, database string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), database)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	s.UseKey([32]byte{1})
	require.NoError(t, s.SaveApp(context.Background(), App))
	opened.Store(s, database)
	t.Cleanup(func() { opened.Delete(s) })
	set(t, s, 0, 0)
	return s
}

// opened are the databases of stores.
var opened sync.Map

// Keep lets the App keep tags and verify a share of the batches.
func Keep(t testing.TB, s *store.Store, verify snapshot.Share) {
	t.Helper()
	set(t, s, 1, verify)
}

// set changes the app behind the store's back, so that nothing of it is in the log.
func set(t testing.TB, s *store.Store, keep int, verify snapshot.Share) {
	t.Helper()
	found, _ := opened.Load(s)
	driver, database := "pgx", found.(string)
	if !strings.HasPrefix(database, "postgres") {
		driver, database = "sqlite", (&url.URL{Scheme: "file", Path: database, RawQuery: "_pragma=busy_timeout(10000)"}).String()
	}
	db, err := sql.Open(driver, database)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec(`UPDATE apps SET snapshot = $1, verify_share = $2`, keep, verify)
	require.NoError(t, err)
}

// Draft uploads a file and reads it, and returns the job as it then is.
func Draft(s *store.Store, by audit.Actor, n store.NewJob, content string) (jobs.Job, error) {
	ctx := context.Background()
	n.AppID, n.Kind, n.AccountBytes = cmp.Or(n.AppID, App.ID), cmp.Or(n.Kind, jobs.Clear), App.AccountBytes()
	n.FileName = cmp.Or(n.FileName, "users.csv")
	n.File = io.NewSectionReader(strings.NewReader(content), 0, int64(len(content)))
	j, err := s.CreateJob(ctx, by, n)
	if err != nil {
		return j, err
	}
	if err := ReadAll(s); err != nil {
		return j, err
	}
	return s.Job(ctx, j.ID)
}

// ReadAll reads every file that waits to be read.
func ReadAll(s *store.Store) error {
	importer := jobs.Importer{Store: s, Log: slog.New(slog.DiscardHandler)}
	for {
		if read, err := importer.Next(context.Background(), 0); err != nil || !read {
			return err
		}
	}
}
