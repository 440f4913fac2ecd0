package store

import (
	"context"
	"database/sql"
	"strings"
)

// Scrub overwrites deleted data of some tables that is still in the database's log, as
// far as possible without waiting.
func (s *DB) Scrub(ctx context.Context, tables ...string) error {
	if s.postgres {
		return s.Exec(ctx, `VACUUM `+strings.Join(tables, ", "))
	}
	// A connection of its own: it must not wait while it holds the writer.
	log, err := sql.Open("sqlite", fileURL(s.path, ""))
	if err != nil {
		return err
	}
	defer log.Close()
	var busy, inLog, moved int
	return log.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &inLog, &moved)
}

// Damage lets SQLite compare its indexes with its tables, and returns the differences.
// PostgreSQL has its own checks.
func (s *DB) Damage(ctx context.Context) ([]string, error) {
	if s.postgres {
		return nil, nil
	}
	return Column[string](ctx, s.read, `
		SELECT replace(integrity_check, char(10), ' ') FROM pragma_integrity_check WHERE integrity_check <> 'ok' LIMIT 10`)
}
