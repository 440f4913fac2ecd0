package storetest

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Way is how a backup is made.
type Way string

// The ways. All but FileCopy may be used while the database is.
const (
	FileCopy   Way = "copy of the files"
	VacuumInto Way = "VACUUM INTO"
	AtCommit   Way = "database and log at a commit" // as Litestream and snapshots of a file system have them
	Dump       Way = "pg_dump"
)

// Backup makes a backup of a database, and returns what restores it in the same place.
// Whoever has the database open then: with SQLite they keep the old file, with PostgreSQL
// they lose their connections.
func Backup(t testing.TB, database string, way Way) (restore func()) {
	t.Helper()
	switch way {
	case Dump:
		return dump(t, database)
	case VacuumInto:
		file := filepath.Join(t.TempDir(), "backup.db")
		onSQLite(t, database, func(c *sql.Conn) error {
			_, err := c.ExecContext(context.Background(), `VACUUM INTO ?`, file)
			return err
		})
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		return func() { replace(t, database, map[string][]byte{"": content}) }
	case AtCommit:
		var files map[string][]byte
		onSQLite(t, database, func(c *sql.Conn) error {
			if _, err := c.ExecContext(context.Background(), `BEGIN IMMEDIATE`); err != nil {
				return err
			}
			files = filesOf(t, database)
			_, err := c.ExecContext(context.Background(), `ROLLBACK`)
			return err
		})
		return func() { replace(t, database, files) }
	}
	files := filesOf(t, database)
	return func() { replace(t, database, files) }
}

func onSQLite(t testing.TB, path string, do func(*sql.Conn) error) {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	defer db.Close()
	c, err := db.Conn(context.Background())
	require.NoError(t, err)
	require.NoError(t, do(c))
	require.NoError(t, c.Close())
}

func filesOf(t testing.TB, path string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		if suffix == "" || !os.IsNotExist(err) {
			require.NoError(t, err)
			files[suffix] = content
		}
	}
	return files
}

func replace(t testing.TB, path string, files map[string][]byte) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		require.NoError(t, os.RemoveAll(path+suffix))
	}
	for suffix, content := range files {
		require.NoError(t, os.WriteFile(path+suffix, content, 0o600))
	}
}

func dump(t testing.TB, database string) (restore func()) {
	t.Helper()
	bin, err := programs()
	require.NoError(t, err)
	initdb, err := filepath.EvalSymlinks(filepath.Join(bin, "initdb")) // the others may have no link beside it
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "backup.dump")
	run := func(name string, args ...string) {
		t.Helper()
		out, err := exec.Command(filepath.Join(filepath.Dir(initdb), name), args...).CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
	}
	run("pg_dump", "--format=custom", "--file="+file, database)
	u, err := url.Parse(database)
	require.NoError(t, err)
	name := strings.TrimPrefix(u.Path, "/")
	return func() {
		u.Path = "/postgres"
		admin, err := sql.Open("pgx", u.String())
		require.NoError(t, err)
		defer admin.Close()
		restored := name + "_restored" // beside the old one, which may be in use to the end
		execute := func(statement string) {
			_, err := admin.Exec(statement)
			require.NoError(t, err)
		}
		execute("CREATE DATABASE " + restored)
		u.Path = "/" + restored
		run("pg_restore", "--exit-on-error", "--dbname="+u.String(), file)
		execute("DROP DATABASE " + name + " WITH (FORCE)")
		execute("ALTER DATABASE " + restored + " RENAME TO " + name)
	}
}
