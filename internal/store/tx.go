package store

import (
	"context"
	"database/sql"
	"sync"
)

// Reader reads the database as it was last committed.
func (s *DB) Reader() Querier { return s.read }

// Exec runs one statement in a transaction of its own.
func (s *DB) Exec(ctx context.Context, query string, args ...any) error {
	_, err := s.write.ExecContext(ctx, query, args...)
	return err
}

func (s *DB) tx(ctx context.Context, body func(*Tx) error) error {
	begun, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return AsTrouble(err)
	}
	tx := &Tx{Tx: begun, statements: s.statements}
	defer tx.Rollback()
	if err = body(tx); err == nil {
		err = tx.Commit()
	}
	return AsTrouble(err)
}

// ReadTx reads everything as it was at one moment; SQLite's transactions always do.
func (s *DB) ReadTx(ctx context.Context, read func(tx *Tx) error) error {
	options := &sql.TxOptions{ReadOnly: true}
	if s.postgres {
		options.Isolation = sql.LevelRepeatableRead
	}
	tx, err := s.read.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if s.postgres { // it waits while what it names is read over other connections
		if _, err := tx.ExecContext(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
			return err
		}
	}
	return read(&Tx{Tx: tx})
}

// Tx is a transaction. What it executes often, SQLite parses once.
type Tx struct {
	*sql.Tx
	statements *statements      // nil: nothing is kept
	totals     map[string]Total // nil: it shares no commit
}

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

// statements are those that are kept prepared on SQLite's one writing connection.
type statements struct {
	mutex    sync.Mutex
	prepared map[string]*sql.Stmt // nil: to be prepared
}

// maxStatements bounds the memory.
const maxStatements = 300

// of returns a statement once it is prepared, and else notes it.
func (s *statements) of(query string) *sql.Stmt {
	if s == nil {
		return nil
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	statement, known := s.prepared[query]
	if !known && len(s.prepared) < maxStatements {
		s.prepared[query] = nil
	}
	return statement
}

// prepare prepares what was noted, while no transaction holds the connection.
func (s *statements) prepare(ctx context.Context, db *sql.DB) {
	if s == nil {
		return
	}
	s.mutex.Lock()
	var noted []string
	for query, statement := range s.prepared {
		if statement == nil {
			noted = append(noted, query)
		}
	}
	s.mutex.Unlock()
	for _, query := range noted {
		statement, err := db.PrepareContext(ctx, query)
		if err != nil {
			continue // it is executed as it is
		}
		s.mutex.Lock()
		s.prepared[query] = statement
		s.mutex.Unlock()
	}
}
