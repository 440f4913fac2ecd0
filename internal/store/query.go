package store

import (
	"context"
	"database/sql"
	"fmt"
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
func Collect[T any](ctx context.Context, q Querier, scan func(Scanner) (T, error), query string, args ...any) ([]T, error) {
	var all []T
	err := Each(ctx, q, func(row Scanner) error {
		t, err := scan(row)
		all = append(all, t)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Each runs a query and gives each of its rows to scan.
func Each(ctx context.Context, q Querier, scan func(Scanner) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Column returns the values of a query with one column.
func Column[T any](ctx context.Context, q Querier, query string, args ...any) ([]T, error) {
	return Collect(ctx, q, func(row Scanner) (t T, err error) { return t, row.Scan(&t) }, query, args...)
}

// Value runs a query and returns the one value of its one row, or sql.ErrNoRows.
func Value[T any](ctx context.Context, q Querier, query string, args ...any) (value T, err error) {
	err = q.QueryRowContext(ctx, query, args...).Scan(&value)
	return value, err
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
	return fmt.Sprintf("$%d", len(q.Args))
}

// InsertAll inserts rows, several in one prepared statement. More rows a statement are
// slower on SQLite, which looks up each parameter by name. Fewer are slower on
// PostgreSQL, which answers each statement.
func InsertAll(ctx context.Context, tx *Tx, into string, columns int, args []any) error {
	const rowsAtOnce = 20
	whole := len(args) / (rowsAtOnce * columns) * (rowsAtOnce * columns)
	if whole > 0 {
		statement, err := tx.PrepareContext(ctx, insertQuery(into, columns, rowsAtOnce))
		if err != nil {
			return err
		}
		defer statement.Close()
		for some := range slices.Chunk(args[:whole], rowsAtOnce*columns) {
			if _, err := statement.ExecContext(ctx, some...); err != nil {
				return err
			}
		}
	}
	if whole == len(args) {
		return nil
	}
	_, err := tx.ExecContext(ctx, insertQuery(into, columns, (len(args)-whole)/columns), args[whole:]...)
	return err
}

func insertQuery(into string, columns, rows int) string {
	var query strings.Builder
	query.WriteString("INSERT INTO " + into + " VALUES ")
	for i := range rows * columns {
		switch {
		case i == 0:
			query.WriteString("(")
		case i%columns == 0:
			query.WriteString("), (")
		default:
			query.WriteString(", ")
		}
		query.WriteString("$" + strconv.Itoa(i+1))
	}
	return query.String() + ")"
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
