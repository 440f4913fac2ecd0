package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/fault"
)

func open(t *testing.T) (*DB, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "console.db")
	s, err := Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s, path
}

func TestALockedDatabaseIsSaidToBeLocked(t *testing.T) {
	s, path := open(t)
	other, err := sql.Open("sqlite", "file:"+path+"?_txlock=exclusive")
	require.NoError(t, err)
	defer other.Close()
	held, err := other.Begin()
	require.NoError(t, err)

	within, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.True(t, FaultLocked.Is(AsTrouble(s.Ready(within))), "it was waited for in vain")
	_, err = s.write.ExecContext(t.Context(), `PRAGMA busy_timeout = 1`)
	require.NoError(t, err)
	require.True(t, FaultLocked.Is(AsTrouble(s.Ready(t.Context()))))
	require.NoError(t, held.Rollback())
	require.NoError(t, AsTrouble(s.Ready(t.Context())))
}

func TestAFullDatabaseIsSaidToBeFull(t *testing.T) {
	s, _ := open(t)
	_, err := s.write.ExecContext(t.Context(), `PRAGMA max_page_count = 1`) // never less than it has, free pages among them
	require.NoError(t, err)
	_, err = s.write.ExecContext(t.Context(), `UPDATE audit_head SET seq = seq`)
	require.NoError(t, err)
	_, err = s.write.ExecContext(t.Context(), `CREATE TABLE more AS SELECT randomblob(1000000)`)
	require.True(t, FaultDiskFull.Is(AsTrouble(err)), "%v", err)
}

func TestADatabaseThatIsNotThereIsGone(t *testing.T) {
	missing, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "none", "console.db"))
	require.NoError(t, err)
	defer missing.Close()
	_, err = missing.Exec(`SELECT 1`)
	require.True(t, FaultGone.Is(AsTrouble(err)), "%v", err)

	refused, err := sql.Open("pgx", "postgres://127.0.0.1:1/none?sslmode=disable&connect_timeout=5")
	require.NoError(t, err)
	defer refused.Close()
	_, err = refused.Exec(`SELECT 1`)
	require.True(t, FaultGone.Is(AsTrouble(err)), "%v", err)
}

func TestPostgreSQLErrorsAreClassified(t *testing.T) {
	for code, want := range map[string]*fault.Sentence{
		"53100": FaultDiskFull, "53300": FaultGone, "55P03": FaultLocked, "57P01": FaultGone, "57P03": FaultGone, "08006": FaultGone,
		"25006": FaultGone, "58030": FaultBroken,
	} {
		require.True(t, want.Is(AsTrouble(fmt.Errorf("claim: %w", &pgconn.PgError{Code: code}))), code)
	}
}

func TestWhatIsNoTroubleStaysAsItIs(t *testing.T) {
	for _, err := range []error{context.Canceled, fmt.Errorf("claim: %w", context.Canceled), sql.ErrNoRows, os.ErrNotExist,
		&pgconn.PgError{Code: "23505"}, &pgconn.PgError{Code: "XX001"}, FaultInUse.With()} {
		require.Equal(t, err, AsTrouble(err))
	}
	require.NoError(t, AsTrouble(nil))
}
