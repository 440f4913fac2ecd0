package store

import (
	"context"
	"database/sql"
)

// ExclusiveLock makes this process the only one that runs jobs on a SQLite
// file, until release is called or the process ends, however it ends. PostgreSQL needs
// nothing of the kind: there, heartbeats keep consoles apart.
func (s *DB) ExclusiveLock(ctx context.Context) (release func(), err error) {
	if s.postgres {
		return func() {}, nil
	}
	// SQLite's own lock on a second, empty file: held by the operating system for this process.
	lock, err := sql.Open("sqlite", fileURL(s.path+".runner", "_txlock=exclusive"))
	if err != nil {
		return nil, err
	}
	tx, err := lock.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		lock.Close()
		return nil, FaultInUse.Because(err)
	}
	return func() { tx.Rollback(); lock.Close() }, nil
}

// Shared reports whether several consoles may run on this database.
func (s *DB) Shared() bool { return s.postgres }
