package store_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var ctx = context.Background()

func TestParametersAreBoundByTheirNumber(t *testing.T) {
	for engine, open := range map[string]func() (*sql.DB, error){
		"sqlite": func() (*sql.DB, error) { return sql.Open("sqlite", filepath.Join(t.TempDir(), "x.db")) },
		"pgx":    func() (*sql.DB, error) { return sql.Open("pgx", storetest.PostgresURL(t)) },
	} {
		db, err := open()
		require.NoError(t, err)
		defer db.Close()
		var got string
		require.NoError(t, db.QueryRow(`SELECT CAST($2 AS TEXT) || CAST($1 AS TEXT) || CAST($2 AS TEXT)`, "a", "b").Scan(&got))
		require.Equal(t, "bab", got, engine)
	}
}

func TestOpeningAgainChangesNothing(t *testing.T) {
	for engine, c := range map[string]struct{ database, tables string }{
		"sqlite": {filepath.Join(t.TempDir(), "x.db"), `SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_master ORDER BY name)`},
		"pgx": {storetest.EmptyPostgresURL(t), `
			SELECT string_agg(concat_ws(' ', table_name, column_name, data_type, column_default), ';'
				ORDER BY table_name, ordinal_position)
			FROM information_schema.columns WHERE table_schema = 'public'`},
	} {
		db, err := sql.Open(engine, c.database)
		require.NoError(t, err)
		defer db.Close()
		opened := func() (tables, origin string, steps int) {
			s, err := store.Open(ctx, c.database)
			require.NoError(t, err)
			require.NoError(t, s.Close())
			require.NoError(t, db.QueryRow(c.tables).Scan(&tables))
			require.NoError(t, db.QueryRow(`SELECT origin, (SELECT COUNT(*) FROM goose_db_version) FROM audit_head`).Scan(&origin, &steps))
			return tables, origin, steps
		}
		tables, origin, steps := opened()
		require.Contains(t, tables, "audit_head")
		require.Regexp(t, `^tagsweep/[0-9a-z]{16}$`, origin)
		again, same, none := opened()
		require.Equal(t, []any{tables, origin, steps}, []any{again, same, none}, engine)

		// A console that ended before the log had its name is followed by one that gives it.
		for _, undo := range []string{`DELETE FROM audit_head`, `DELETE FROM goose_db_version WHERE version_id = 3`} {
			_, err := db.Exec(undo)
			require.NoError(t, err)
		}
		_, named, completed := opened()
		require.NotEqual(t, origin, named, engine)
		require.Equal(t, steps, completed, engine)
	}
}

func TestConsolesOpenANewDatabaseAtOnce(t *testing.T) {
	database := storetest.EmptyPostgresURL(t)
	var opening errgroup.Group
	for range 4 {
		opening.Go(func() error {
			s, err := store.Open(ctx, database)
			if err == nil {
				err = s.Close()
			}
			return err
		})
	}
	require.NoError(t, opening.Wait())
}

func TestDatabaseOfNewerVersionIsRefused(t *testing.T) {
	for engine, database := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "pgx": storetest.PostgresURL(t)} {
		s, err := store.Open(ctx, database)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		db, err := sql.Open(engine, database)
		require.NoError(t, err)
		_, err = db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, $1)`, true)
		require.NoError(t, err)
		require.NoError(t, db.Close())

		_, err = store.Open(ctx, database)
		require.True(t, store.FaultNewer.Is(err), "%v", err)
	}
}

func TestDatabasePasswordIsNeverShown(t *testing.T) {
	_, err := store.Open(ctx, "postgres://console:secret@127.0.0.1:1/x?connect_timeout=1")
	require.True(t, store.FaultUnreachable.Is(err))
	require.NotContains(t, err.Error(), "secret")
	require.Contains(t, err.Error(), "127.0.0.1:1")
}

func TestDatabaseSQLiteHasOneRunner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	one, two := storetest.Open(t, path), storetest.Open(t, path)
	release, err := one.ExclusiveLock(ctx)
	require.NoError(t, err)
	_, err = two.ExclusiveLock(ctx)
	require.True(t, store.FaultInUse.Is(err), "%v", err)
	release()
	release, err = two.ExclusiveLock(ctx)
	require.NoError(t, err)
	release()
}

func TestADatabaseFileIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	storetest.Open(t, path)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), suffix)
	}
}
