// Package storetest gives tests a real database on each engine: SQLite in a
// temporary file, PostgreSQL in a throw-away cluster that is started once per
// test process and removed with it.
package storetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/store"
)

// Each runs a test on both engines, beside other tests: while one uses a
// processor, another waits for PostgreSQL. A test calls it once.
func Each(t *testing.T, body func(t *testing.T, s *store.DB)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); body(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); body(t, Open(t, PostgresURL(t))) })
}

// SQLite returns a database in a new file.
func SQLite(t *testing.T) *store.DB { return Open(t, SQLiteFile(t)) }

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

// Open opens a database until the test ends.
func Open(t testing.TB, database string) *store.DB {
	t.Helper()
	s, err := store.Open(context.Background(), database)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}
