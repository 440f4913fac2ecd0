package audit_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
)

func TestAuditLogIsAppendOnlyInSQL(t *testing.T) {
	for engine, database := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "pgx": storetest.PostgresURL(t)} {
		s := jobstest.Open(t, database)
		jobstest.Sign(t, s, [32]byte{1})
		require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.AccessDenied, Actor: jobstest.Operator}))
		require.NoError(t, s.Audit.Checkpoint(ctx))
		db, err := sql.Open(engine, database)
		require.NoError(t, err)
		defer db.Close()
		for _, q := range []string{
			`UPDATE audit_lines SET line = 'x', personal = '', actor = ''`, `UPDATE audit_lines SET actor = 'x'`,
			`UPDATE audit_lines SET mac = '', personal = '', actor = ''`,
			`DELETE FROM audit_lines`,
			`UPDATE audit_hashes SET hash = 'x'`, `DELETE FROM audit_hashes`, `UPDATE checkpoints SET note = 'x'`, `DELETE FROM checkpoints`,
		} {
			_, err := db.Exec(q)
			require.ErrorContains(t, err, "append-only", engine)
		}
		entries, err := s.Audit.Entries(ctx, audit.Filter{Limit: 10})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, "olga", entries[0].Actor.Name)
	}
}
