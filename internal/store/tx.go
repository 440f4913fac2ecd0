package store

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
)

// Reader reads the database as it was last committed.
func (s *DB) Reader() Querier { return s.read }

// Reserved is a Reader for what stops calls. Its one connection is never in use for pages.
func (s *DB) Reserved() Querier { return s.reserved }

// Exec runs one statement in a transaction of its own.
func (s *DB) Exec(ctx context.Context, query string, args ...any) error {
	_, err := s.write.ExecContext(ctx, query, args...)
	return AsTrouble(err)
}

// Tx runs body in a transaction of its own.
func (s *DB) Tx(ctx context.Context, body func(tx *Tx) error) error {
	s.statements.prepare(ctx, s.write) // while no transaction holds the connection
	begun, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return AsTrouble(err)
	}
	tx := &Tx{Tx: begun, statements: &s.statements}
	defer tx.Rollback()
	if err = body(tx); err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return AsTrouble(err)
	}
	for _, do := range tx.after {
		do()
	}
	return nil
}

// ReadTx reads everything as it was at one moment; SQLite's transactions always do.
func (s *DB) ReadTx(ctx context.Context, read func(tx *Tx) error) error {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if s.postgres { // it waits while what it names is read over other connections
		if _, err := tx.ExecContext(ctx, `
			SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
			return err
		}
	}
	return read(&Tx{Tx: tx, statements: &statements{}})
}

// Tx is a transaction. What it executes often, SQLite parses once.
type Tx struct {
	*sql.Tx
	statements *statements
	totals     map[string]Total // nil: it shares no commit
	after      []func()
}

// AfterCommit has something done once what the transaction wrote is on the disk.
func (t *Tx) AfterCommit(do func()) { t.after = append(t.after, do) }

// Total is what the transactions that share a commit add up, to be written once.
type Total interface {
	Write(ctx context.Context, tx *Tx) error
}

// Total returns the total of a key, which first creates. It is nil in a transaction that shares no commit.
func (t *Tx) Total(key string, first func() Total) Total {
	if t.totals == nil {
		return nil
	}
	if t.totals[key] == nil {
		t.totals[key] = first()
	}
	return t.totals[key]
}

// ExecContext is that of sql.Tx.
func (t *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if s := t.statements.of(query); s != nil {
		return t.StmtContext(ctx, s).ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, query, args...)
}

// Exec executes a statement.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) error {
	_, err := t.ExecContext(ctx, query, args...)
	return err
}

// Changed executes a statement and returns how many rows it changed.
func (t *Tx) Changed(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := t.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// QueryContext is that of sql.Tx.
func (t *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := t.statements.of(query); s != nil {
		return t.StmtContext(ctx, s).QueryContext(ctx, args...)
	}
	return t.Tx.QueryContext(ctx, query, args...)
}

// QueryRowContext is that of sql.Tx.
func (t *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := t.statements.of(query); s != nil {
		return t.StmtContext(ctx, s).QueryRowContext(ctx, args...)
	}
	return t.Tx.QueryRowContext(ctx, query, args...)
}

// statements are kept prepared on SQLite's one writing connection.
type statements struct {
	max      int64    // bounds the memory; 0 on PostgreSQL, whose driver does the same, and for reading
	prepared sync.Map // by query; nil until they are
	known    atomic.Int64
}

// of returns a statement once it is prepared, and else notes it.
func (s *statements) of(query string) *sql.Stmt {
	statement, known := s.prepared.Load(query)
	if known {
		return statement.(*sql.Stmt)
	}
	if s.known.Load() < s.max {
		s.known.Add(1)
		s.prepared.Store(query, (*sql.Stmt)(nil))
	}
	return nil
}

// prepare prepares what was noted. What cannot be prepared is executed as it is.
func (s *statements) prepare(ctx context.Context, db *sql.DB) {
	s.prepared.Range(func(query, statement any) bool {
		if statement.(*sql.Stmt) != nil {
			return true
		}
		made, err := db.PrepareContext(ctx, query.(string))
		if err != nil {
			s.known.Add(-1)
			s.prepared.Delete(query)
			return false
		}
		if !s.prepared.CompareAndSwap(query, (*sql.Stmt)(nil), made) { // another was faster
			made.Close()
		}
		return true
	})
}
