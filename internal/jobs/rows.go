package jobs

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"tagsweep/internal/store"
)

// RowFilter chooses accounts of a job; a zero field chooses all.
type RowFilter struct {
	Outcome Outcome
	Prefix  string // their names begin so
	After   int64  // a row: those that come later in the file
	Limit   int
}

// fewBlocks is how many blocks of names are looked through one by one; with more
// names like a prefix, enough of them come soon in the order of the file.
const fewBlocks = 4

// Rows returns accounts of a job in file order, with their outcomes.
func (s *Jobs) Rows(ctx context.Context, jobID string, f RowFilter) (found []Account, err error) {
	jobID, f.Prefix = store.Clean(jobID, 100), store.Clean(f.Prefix, 300)
	if f.Prefix != "" {
		rows, few, err := s.rowsLike(ctx, jobID, f.Prefix)
		if err != nil {
			return nil, store.AsTrouble(err)
		}
		if few {
			return s.theseRows(ctx, jobID, f, rows)
		}
	}
	number, err := s.batchAfter(ctx, jobID, f.After)
	for err == nil && number > 0 {
		if f.Outcome != "" {
			if number, err = s.batchWith(ctx, jobID, f.Outcome, number); err != nil || number == 0 {
				break
			}
		}
		var page []Account
		if page, err = s.placed(ctx, jobID, number, number+pageBatches-1); err != nil || page == nil {
			break
		}
		for _, a := range page {
			if f.fits(a) {
				if found = append(found, a); len(found) == f.Limit {
					return found, nil
				}
			}
		}
		number += pageBatches
	}
	return found, store.AsTrouble(err)
}

func (f RowFilter) fits(a Account) bool {
	return a.Row > f.After && a.Outcome != setAside && (f.Outcome == "" || a.Outcome == f.Outcome) && strings.HasPrefix(a.Account, f.Prefix)
}

// theseRows is Rows for rows that are known.
func (s *Jobs) theseRows(ctx context.Context, jobID string, f RowFilter, rows []int64) (found []Account, err error) {
	for _, row := range rows {
		if row <= f.After {
			continue
		}
		a, _, err := s.accountInRow(ctx, jobID, row)
		if err != nil {
			return nil, store.AsTrouble(err)
		}
		if f.fits(a) {
			if found = append(found, a); len(found) == f.Limit {
				break
			}
		}
	}
	return found, nil
}

// rowsLike returns the rows of the accounts that begin with a prefix, in file
// order; not few when there are so many that they were not all looked for.
func (s *Jobs) rowsLike(ctx context.Context, jobID, prefix string) (rows []int64, few bool, err error) {
	blocks, err := store.Column[string](ctx, s.db.Reader(), `
		SELECT names FROM account_names WHERE job_id = $1 AND first < $3
			AND first >= COALESCE((SELECT first FROM account_names WHERE job_id = $1 AND first <= $2 ORDER BY first DESC LIMIT 1), $2)
		ORDER BY first LIMIT $4`, jobID, []byte(prefix), afterAll(prefix), fewBlocks+1)
	if err != nil || len(blocks) > fewBlocks {
		return nil, false, err
	}
	for _, names := range blocks {
		for name := range NamesLike(names, prefix) {
			row, err := RowIn(names, name)
			if err != nil {
				return nil, false, err
			}
			rows = append(rows, row)
		}
	}
	slices.Sort(rows)
	return rows, true, nil
}

// batchAfter returns the first batch of the plan with accounts after a row; 0
// when there is none.
func (s *Jobs) batchAfter(ctx context.Context, jobID string, row int64) (number int64, err error) {
	err = s.db.Reader().QueryRowContext(ctx,
		`SELECT number FROM planned_batches WHERE job_id = $1 AND first_row <= $2 ORDER BY first_row DESC LIMIT 1`,
		jobID, row+1).Scan(&number)
	if errors.Is(err, sql.ErrNoRows) { // rows before the first account were set aside
		err = s.db.Reader().QueryRowContext(ctx, `SELECT COALESCE(MIN(number), 0) FROM planned_batches WHERE job_id = $1`, jobID).Scan(&number)
	}
	return number, err
}

// batchWith returns the first batch of the plan, from one on, that may have an
// account with an outcome; 0 when there is none.
func (s *Jobs) batchWith(ctx context.Context, jobID string, o Outcome, from int64) (int64, error) {
	var number sql.NullInt64
	err := s.db.Reader().QueryRowContext(ctx, `
		SELECT MIN(number) FROM (
			SELECT MIN(number) AS number FROM batches WHERE job_id = $1 AND outcome = $2 AND number >= $3 AND accounts > 0
			UNION ALL
			SELECT MIN(seq - 1) / 100 + 1 FROM own_outcomes WHERE job_id = $1 AND outcome = $2 AND seq > ($3 - 1) * 100) AS places`,
		jobID, o, from).Scan(&number)
	return number.Int64, err
}
