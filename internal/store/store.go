// Package store is the database and nothing else: it opens, migrates, reads,
// writes and locks. One text of SQL serves both engines: SQLite in one file by
// default, PostgreSQL when one machine is outgrown. Parameters are $1, $2 …,
// times BIGINT unix milliseconds, ids TEXT made in Go.
//
// Each noun has a package of its own, which holds its tables' SQL. An exported
// method there opens the transaction and calls others that take it. Locks are
// always taken in the order kill_switch, apps, uploads, jobs (by id),
// snapshot_keys, snapshots, budgets, audit_head, so that two consoles on one
// database cannot deadlock.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	_ "modernc.org/sqlite" // registers "sqlite"

	"tagsweep/internal/fault"
	"tagsweep/migrations"
)

// Faults about the database itself.
var (
	FaultNewer = fault.Declare(fault.Unavailable, "database.newer",
		"The database was created by a newer version of Tagsweep (schema %d; this program supports up to %d). "+
			"Nothing was changed. Start the newer program.")
	FaultUnreachable = fault.Declare(fault.Unavailable, "database.unreachable",
		"The database %s cannot be opened. Nothing was changed. Check CONSOLE_DATABASE, and that the database is "+
			"running and writable.")
	FaultInUse = fault.Declare(fault.Unavailable, "database.in_use",
		"Another console is using this database file. Stop it first, or use PostgreSQL to run several consoles.")
	FaultOldSQLite = fault.Declare(fault.Unavailable, "database.old_sqlite",
		"SQLite %s can corrupt the database. Version 3.51.3 or later is needed.")
)

// DB is an open database. Its methods may be called at the same time.
type DB struct {
	write    *sql.DB // SQLite: one connection, so that writers queue instead of failing
	read     *sql.DB
	reserved *sql.DB // see Reserved
	postgres bool
	path     string // of the SQLite file
	file     os.FileInfo
	now      func() time.Time
	clock    string // SQL: the database's clock, in unix microseconds

	writes     chan *write // see Write
	closed     chan struct{}
	statements statements
	once       sync.Once // closes it
}

// Open opens a database, and makes its tables when it is new: the path of a
// SQLite file, made when missing, or a postgres:// URL.
func Open(ctx context.Context, database string) (*DB, error) {
	s := &DB{now: time.Now, clock: sqliteClock, writes: make(chan *write), closed: make(chan struct{})}
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

func (s *DB) openPostgres(database string) (err error) {
	s.postgres, s.clock = true, postgresClock
	config, err := pgx.ParseConfig(database)
	if err != nil {
		return err
	}
	// A console that stands still in the middle of a transaction holds up the others no longer than this.
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "5s"
	// A query may end although nobody waits for it any more. To cut it off costs its connection, and a new one costs
	// more than most queries: who asks for pages and leaves would hold up everybody.
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: c.Conn(), DeadlineDelay: lateEnd}
	}
	open := func(connections int) *sql.DB { return bounded(stdlib.OpenDB(*config), connections) }
	s.write, s.read, s.reserved = open(10), open(readers), open(1)
	return nil
}

const (
	readers = 8           // connections that only read
	lateEnd = time.Second // of a query that nobody waits for
)

func bounded(db *sql.DB, connections int) *sql.DB {
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db
}

func (s *DB) openSQLite(ctx context.Context, path string) (err error) {
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
	s.file, err = file.Stat()
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if s.write, err = sql.Open("sqlite", s.dsn("journal_mode(WAL)", "synchronous(FULL)")+"&_txlock=immediate"); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	s.statements.max = 300
	version, err := Value[string](ctx, s.write, `SELECT sqlite_version()`)
	if err != nil {
		return err
	}
	if olderThan(version, 3, 51, 3) {
		return FaultOldSQLite.With(version)
	}
	read, err := sql.Open("sqlite", s.dsn("query_only(1)"))
	if err != nil {
		return err
	}
	s.read = bounded(read, readers)
	reserved, err := sql.Open("sqlite", s.dsn("query_only(1)"))
	if err != nil {
		return err
	}
	s.reserved = bounded(reserved, 1)
	return nil
}

// dsn sets the pragmas in the address, so that every connection has them.
func (s *DB) dsn(pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{"busy_timeout(10000)", "foreign_keys(1)", "secure_delete(fast)"}, pragmas...)}
	return fileURL(s.path, q.Encode())
}

func fileURL(path, query string) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query}).String()
}

func olderThan(version string, least ...int) bool {
	have := make([]int, 3)
	fmt.Sscanf(version, "%d.%d.%d", &have[0], &have[1], &have[2])
	return slices.Compare(have, least) < 0
}

// migrate makes the tables of a new database.
func (s *DB) migrate(ctx context.Context) error {
	engine, dialect := "sqlite", goose.DialectSQLite3
	var options []goose.ProviderOption
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
	has, known, err := provider.GetVersions(ctx)
	if err == nil && has > known {
		return FaultNewer.With(has, known)
	}
	if err == nil && has < known {
		_, err = provider.Up(ctx)
	}
	return err
}

// Close closes the database.
func (s *DB) Close() error {
	s.once.Do(func() { close(s.closed) })
	var errs []error
	for _, db := range []*sql.DB{s.write, s.read, s.reserved} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Replaced reports whether the SQLite file was replaced or removed since it was opened. What
// is written then is lost when the program ends.
func (s *DB) Replaced() bool {
	if s.file == nil {
		return false
	}
	now, err := os.Stat(s.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(s.file, now)
}

// Ready reports whether the database can be written now.
func (s *DB) Ready(ctx context.Context) error {
	return s.Tx(ctx, func(tx *Tx) error {
		return tx.Exec(ctx, `UPDATE goose_db_version SET is_applied = is_applied WHERE version_id = 1`)
	})
}
