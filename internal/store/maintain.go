package store

import (
	"context"
	"database/sql"
	"net/url"
	"strings"
)

// Scrub overwrites deleted data of some tables that is still in the database's log, as
// far as possible without waiting.
func (s *DB) Scrub(ctx context.Context, tables ...string) error {
	if s.postgres {
		_, err := s.write.ExecContext(ctx, `VACUUM `+strings.Join(tables, ", "))
		return err
	}
	// A connection of its own: it must not wait while it holds the writer.
	log, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: s.path}).String())
	if err != nil {
		return err
	}
	defer log.Close()
	var busy, inLog, moved int
	return log.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &inLog, &moved)
}

// Damage lets SQLite compare its indexes with its tables, and returns the differences.
// PostgreSQL has its own checks.
func (s *DB) Damage(ctx context.Context) (found []string, err error) {
	if s.postgres {
		return nil, nil
	}
	said, err := Collect(ctx, s.read, func(row Scanner) (line string, err error) { return line, row.Scan(&line) },
		`PRAGMA integrity_check(10)`)
	for _, line := range said {
		if line != "ok" {
			found = append(found, strings.ReplaceAll(line, "\n", " "))
		}
	}
	return found, err
}
