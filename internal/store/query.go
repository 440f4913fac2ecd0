package store

import (
	"context"
	"database/sql"
	"fmt"
)

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

// ScanAlso reads some columns of a row into further places, before those that a
// scan function asks for.
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
