// Package store holds all SQL. One text serves both engines: SQLite in one
// file by default, PostgreSQL when one machine is outgrown. Parameters are
// $1, $2 …, times BIGINT unix milliseconds, ids TEXT made in Go.
//
// An exported method opens the transaction and calls unexported ones that take
// it. Locks are always taken in the order kill_switch, apps, uploads, jobs (by
// id), snapshot_keys, snapshots, budgets, audit_head, so that two consoles on one
// database cannot deadlock.
//
// A job's accounts are kept twice as its file gave them, many to a row: in file
// order as the batches of its plan, and sorted by name to find them by. Neither
// is ever changed. What becomes of them stands beside them: a batch holds the
// outcome of all its accounts but those with one of their own. So a million
// accounts are read in a second, and a batch that goes through is one row.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	_ "modernc.org/sqlite" // registers "sqlite"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/migrations"
)

// Faults about the database itself.
var (
	FaultNewer       = fault.Declare(fault.Unavailable, "database.newer", "The database was written by a newer version of Tagsweep (schema %d; this program knows %d). Nothing was changed; start the newer program.")
	FaultUnreachable = fault.Declare(fault.Unavailable, "database.unreachable", "The database %s cannot be opened. Nothing was changed; check CONSOLE_DATABASE and that the database runs and may be written.")
	FaultInUse       = fault.Declare(fault.Unavailable, "database.in_use", "Another console already runs jobs on this database file. Stop it first, or use PostgreSQL to run several.")
	FaultOldSQLite   = fault.Declare(fault.Unavailable, "database.old_sqlite", "This program was built with SQLite %s, which can corrupt a database; it needs 3.51.3 or later.")
)

// Store reads and writes the database. Its methods may be called at the same time.
type Store struct {
	write    *sql.DB // SQLite: one connection, so that writers queue instead of failing
	read     *sql.DB
	postgres bool
	path     string // of the SQLite file
	now      func() time.Time
	clock    string                                     // SQL: the database's clock, in unix microseconds
	master   [32]byte                                   // see UseKey
	signer   func(origin string) (*audit.Signer, error) // see SignWith; nil: no checkpoints are made

	reports reports // of running jobs

	writes     chan *write // see Write
	closed     chan struct{}
	statements *statements // nil on PostgreSQL, whose driver does the same
	once       sync.Once   // closes it

	protectedMu sync.Mutex
	protected   map[string]protectedList // by app, as last read
}

// Open opens a database, and makes its tables when it is new: the path of a
// SQLite file, made when missing, or a postgres:// URL.
func Open(ctx context.Context, database string) (*Store, error) {
	s := &Store{now: time.Now, clock: sqliteClock, writes: make(chan *write), closed: make(chan struct{})}
	var err error
	if isPostgres(database) {
		err = s.openPostgres(database)
	} else {
		err = s.openSQLite(ctx, database)
	}
	if err == nil {
		err = s.migrate(ctx)
	}
	if err != nil {
		s.Close()
		if _, known := errors.AsType[*fault.Error](err); known {
			return nil, err
		}
		return nil, FaultUnreachable.Because(err, nameOf(database))
	}
	go s.writeGroups()
	return s, nil
}

// nameOf is the database without anything that may be secret.
func nameOf(database string) string {
	if !isPostgres(database) {
		return database
	}
	u, err := url.Parse(database)
	if err != nil || u.Host == "" {
		return "(PostgreSQL)"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

func isPostgres(database string) bool {
	return strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://")
}

func (s *Store) openPostgres(database string) (err error) {
	s.postgres, s.clock = true, postgresClock
	config, err := pgx.ParseConfig(database)
	if err != nil {
		return err
	}
	// A console that stands still in the middle of a transaction holds up the others no longer than this.
	s.write = stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `SET idle_in_transaction_session_timeout = '5s'`)
		return err
	}))
	s.write.SetMaxOpenConns(16)
	s.write.SetMaxIdleConns(16)
	s.read = s.write
	return nil
}

func (s *Store) openSQLite(ctx context.Context, path string) (err error) {
	if s.path, err = filepath.Abs(path); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	// Accounts are personal data: the file is made before SQLite would, for its owner alone.
	file, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if s.write, err = sql.Open("sqlite", s.dsn("journal_mode(WAL)", "synchronous(FULL)")+"&_txlock=immediate"); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	s.statements = &statements{prepared: map[string]*sql.Stmt{}}
	var version string
	if err := s.write.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version); err != nil {
		return err
	}
	if olderThan(version, 3, 51, 3) {
		return FaultOldSQLite.With(version)
	}
	if s.read, err = sql.Open("sqlite", s.dsn("query_only(1)")); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(8)
	s.read.SetMaxIdleConns(8)
	return nil
}

// dsn sets the pragmas in the address, so that every connection has them.
func (s *Store) dsn(pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{"busy_timeout(10000)", "foreign_keys(1)", "secure_delete(fast)"}, pragmas...)}
	return (&url.URL{Scheme: "file", Path: s.path, RawQuery: q.Encode()}).String()
}

func olderThan(version string, least ...int) bool {
	var have [3]int
	fmt.Sscanf(version, "%d.%d.%d", &have[0], &have[1], &have[2])
	for i, n := range least {
		if have[i] != n {
			return have[i] < n
		}
	}
	return false
}

// migrate makes the tables of a new database and names its log.
func (s *Store) migrate(ctx context.Context) error {
	engine, dialect := "sqlite", goose.DialectSQLite3
	options := []goose.ProviderOption{goose.WithGoMigrations(goose.NewGoMigration(3, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error { return s.nameLog(ctx, &Tx{Tx: tx}) }}, nil))}
	if s.postgres {
		engine, dialect = "postgres", goose.DialectPostgres
		// Of consoles that open a new database at once one makes the tables, and the others wait.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, s.write, migrations.For(engine), options...)
	if err != nil {
		return err
	}
	switch has, known, err := provider.GetVersions(ctx); {
	case err != nil || has == known:
		return err
	case has > known:
		return FaultNewer.With(has, known)
	}
	_, err = provider.Up(ctx)
	return err
}

// Close closes the database.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.closed) })
	var errs []error
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	if s.read != nil && s.read != s.write {
		errs = append(errs, s.read.Close())
	}
	return errors.Join(errs...)
}

// Ready reports whether the database can be written now.
func (s *Store) Ready(ctx context.Context) error {
	return s.tx(ctx, func(tx *Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE audit_head SET seq = seq WHERE id = 1`)
		return err
	})
}

// Alone makes this process the only one that runs jobs on a SQLite file, until
// release is called or the process ends, however it ends. PostgreSQL needs
// nothing of the kind: there, heartbeats keep consoles apart.
func (s *Store) Alone(ctx context.Context) (release func(), err error) {
	if s.postgres {
		return func() {}, nil
	}
	// SQLite's own lock on a second, empty file: held by the operating system for this process.
	lock, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: s.path + ".runner", RawQuery: "_txlock=exclusive"}).String())
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

// scrub overwrites, as far as the engine can at this moment, what was deleted
// and lies in its log still. It waits for nobody.
func (s *Store) scrub(ctx context.Context) error {
	if s.postgres {
		_, err := s.write.ExecContext(ctx, `VACUUM snapshot_keys, audit_lines, audit_words`)
		return err
	}
	log, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: s.path}).String()) // of its own: it must not wait while it holds the writer
	if err != nil {
		return err
	}
	defer log.Close()
	var busy, inLog, moved int
	return log.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &inLog, &moved)
}

// Shared reports whether several consoles may run on this database.
func (s *Store) Shared() bool { return s.postgres }

// Reader reads the database as it was last committed.
func (s *Store) Reader() Querier { return s.read }

func (s *Store) tx(ctx context.Context, body func(*Tx) error) error {
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

// One runs a statement that must change exactly one row, else it returns otherwise.
func One(ctx context.Context, tx *Tx, otherwise error, query string, args ...any) error {
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n != 1 {
		return otherwise
	}
	return err
}

// Collect runs a query and scans each of its rows.
func Collect[T any](ctx context.Context, q Querier, scan func(Scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		t, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// Querier is a *sql.DB or *Tx.
type Querier interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// Scanner is a *sql.Row or *sql.Rows.
type Scanner interface{ Scan(...any) error }

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Clean makes a text from outside storable on both engines, and short.
func Clean(text string, most int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\u2400")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
