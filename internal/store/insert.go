package store

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// InsertAll inserts rows of so many columns, several a statement, prepared once.
// More a statement is slower on SQLite, which looks each parameter up by name
// among all the others; fewer is slower on PostgreSQL, which answers each.
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
