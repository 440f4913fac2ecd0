package jobs_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
)

func TestAuditLogIsAppendOnlyInSQL(t *testing.T) {
	for engine, database := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "pgx": storetest.PostgresURL(t)} {
		s := jobstest.Open(t, database)
		s.SignWith([32]byte{1})
		require.NoError(t, s.Record(ctx, audit.Entry{Code: audit.AccessDenied, Actor: operator}))
		require.NoError(t, s.Checkpoint(ctx))
		db, err := sql.Open(engine, database)
		require.NoError(t, err)
		defer db.Close()
		for _, q := range []string{
			`UPDATE audit_lines SET line = 'x', personal = '', actor = ''`, `UPDATE audit_lines SET actor = 'x'`, `DELETE FROM audit_lines`,
			`UPDATE audit_hashes SET hash = 'x'`, `DELETE FROM audit_hashes`, `UPDATE checkpoints SET note = 'x'`, `DELETE FROM checkpoints`,
		} {
			_, err := db.Exec(q)
			require.ErrorContains(t, err, "append-only", engine)
		}
		entries, err := s.AuditEntries(ctx, jobs.AuditFilter{Limit: 10})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, "olga", entries[0].Actor.Name)
	}
}
