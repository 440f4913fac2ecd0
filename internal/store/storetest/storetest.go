// Package storetest gives tests a real store on each engine: SQLite in a
// temporary file, PostgreSQL in a throw-away cluster that is started once per
// test process and removed with it.
package storetest

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
)

// App is the app every store of this package knows.
var App = jobs.App{ID: "1400000000", Name: "Test chat", Environment: "test", SDKAppID: 1400000000,
	Domain: "http://127.0.0.1:0", Family: "all_member_push", Identifier: "administrator", Rate: 97}

// Each runs a test on both engines.
func Each(t *testing.T, body func(t *testing.T, s *store.Store)) {
	t.Run("sqlite", func(t *testing.T) { body(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { body(t, Open(t, PostgresURL(t))) })
}

// SQLite returns a store in a new file.
func SQLite(t *testing.T) *store.Store {
	return Open(t, filepath.Join(t.TempDir(), "console.db"))
}

// Open opens a database and gives it the App.
func Open(t testing.TB, database string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), database)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.SaveApp(context.Background(), App))
	return s
}
