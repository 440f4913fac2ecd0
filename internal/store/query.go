package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// One runs a statement that must change exactly one row. If it does not, One returns otherwise.
func One(ctx context.Context, tx *Tx, otherwise error, query string, args ...any) error {
	n, err := tx.Changed(ctx, query, args...)
	if err == nil && n != 1 {
		return otherwise
	}
	return err
}

// Collect runs a query and scans each of its rows.
func Collect[T any](
	ctx context.Context, q Querier, scan func(Scanner) (T, error), query string, args ...any) (all []T, err error) {
	err = Each(ctx, q, func(row Scanner) error {
		t, err := scan(row)
		all = append(all, t)
		return err
	}, query, args...)
	return all, err
}

// Each runs a query and gives each of its rows to scan. Like all functions here that
// read, it returns the fault of a database that does not work, see AsTrouble.
func Each(ctx context.Context, q Querier, scan func(Scanner) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return AsTrouble(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return AsTrouble(err)
		}
	}
	return AsTrouble(rows.Err())
}

// Column returns the values of a query with one column.
func Column[T any](ctx context.Context, q Querier, query string, args ...any) ([]T, error) {
	return Collect(ctx, q, func(row Scanner) (t T, err error) { return t, row.Scan(&t) }, query, args...)
}

// Value runs a query and returns the one value of its one row, or sql.ErrNoRows.
func Value[T any](ctx context.Context, q Querier, query string, args ...any) (value T, err error) {
	return value, AsTrouble(q.QueryRowContext(ctx, query, args...).Scan(&value))
}

// IfNone returns otherwise if the error of a query is that it found no row, else the error.
func IfNone(err, otherwise error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return otherwise
	}
	return AsTrouble(err)
}

// Sums runs a query for keys and numbers, and adds up the numbers of each key.
func Sums[K comparable](ctx context.Context, q Querier, query string, args ...any) (map[K]int64, error) {
	sums := map[K]int64{}
	return sums, Each(ctx, q, func(row Scanner) error {
		var key K
		var n int64
		err := row.Scan(&key, &n)
		sums[key] += n
		return err
	}, query, args...)
}

// Querier is a *sql.DB or *Tx.
type Querier interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// Scanner is a *sql.Row or *sql.Rows.
type Scanner interface{ Scan(...any) error }

// ScanAlso reads the first columns of a row into further variables, and the rest as a
// scan function asks.
func ScanAlso(row Scanner, first ...any) Scanner { return prefixed{row, first} }

type prefixed struct {
	Scanner
	first []any
}

func (p prefixed) Scan(dest ...any) error { return p.Scanner.Scan(append(p.first, dest...)...) }

// Query is a statement put together from parts, with its parameters.
type Query struct {
	Text string
	Args []any
}

// Arg adds a parameter and returns its place in the text.
func (q *Query) Arg(value any) string {
	q.Args = append(q.Args, value)
	return "$" + strconv.Itoa(len(q.Args))
}

// InsertAll inserts rows, several in one statement. More rows a statement are
// slower on SQLite, which looks up each parameter by name. Fewer are slower on
// PostgreSQL, which answers each statement.
func InsertAll(ctx context.Context, tx *Tx, into string, columns int, args []any) error {
	const rowsAtOnce = 20
	for some := range slices.Chunk(args, rowsAtOnce*columns) {
		if err := tx.Exec(ctx, insertQuery(into, columns, len(some)/columns), some...); err != nil {
			return err
		}
	}
	return nil
}

func insertQuery(into string, columns, rows int) string {
	values := make([]string, rows)
	for row := range values {
		places := make([]string, columns)
		for column := range places {
			places[column] = "$" + strconv.Itoa(row*columns+column+1)
		}
		values[row] = "(" + strings.Join(places, ", ") + ")"
	}
	return "INSERT INTO " + into + " VALUES " + strings.Join(values, ", ")
}

// Millis is a time as the database stores it; the zero time is 0.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMillis is the reverse of Millis.
func FromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// ScanTime scans a column into a time.
func ScanTime(into *time.Time) sql.Scanner { return scanTime{into} }

type scanTime struct{ into *time.Time }

func (s scanTime) Scan(value any) error {
	var ms sql.NullInt64
	err := ms.Scan(value)
	*s.into = FromMillis(ms.Int64)
	return err
}

// Clean makes a text from outside valid for both databases, and limits its length.
func Clean(text string, most int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\u2400")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// Number is a bool as the database stores it: 1 or 0.
func Number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
