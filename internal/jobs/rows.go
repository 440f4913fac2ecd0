package jobs

import (
	"context"
	"slices"
	"strings"

	"tagsweep/internal/audit"
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
	candidates := paged(func(last Account) ([]Account, error) { return s.pageWith(ctx, jobID, f, last.Batch+1) })
	if f.Prefix != "" {
		rows, few, err := s.rowsLike(ctx, jobID, f.Prefix, f.After)
		if err != nil {
			return nil, err
		}
		if few {
			candidates = func(yield func(Account, error) bool) {
				for _, row := range rows {
					if !yield(s.accountInRow(ctx, jobID, row)) {
						return
					}
				}
			}
		}
	}
	for a, err := range candidates {
		if err != nil {
			return nil, err
		}
		if a.Row > f.After && a.Outcome != setAside && (f.Outcome == "" || a.Outcome == f.Outcome) && strings.HasPrefix(a.Account, f.Prefix) {
			if found = append(found, a); len(found) == f.Limit {
				break
			}
		}
	}
	return found, nil
}

// pageWith returns the next page of accounts, from a batch on, that may hold some that are chosen.
func (s *Jobs) pageWith(ctx context.Context, jobID string, f RowFilter, number int64) (page []Account, err error) {
	if number == 1 {
		number, err = s.batchAfter(ctx, jobID, f.After)
	}
	if err == nil && number > 0 && f.Outcome != "" {
		number, err = s.batchWith(ctx, jobID, f.Outcome, number)
	}
	if err != nil || number == 0 {
		return nil, err
	}
	return s.placed(ctx, jobID, number, number+pageBatches-1)
}

// rowsLike returns the rows after one of the accounts that begin with a prefix, in file
// order; not few when there are so many that they were not all looked for.
func (s *Jobs) rowsLike(ctx context.Context, jobID, prefix string, after int64) (rows []int64, few bool, err error) {
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
			if row > after {
				rows = append(rows, row)
			}
		}
	}
	slices.Sort(rows)
	return rows, true, nil
}

// batchAfter returns the first batch of the plan with accounts after a row; 0
// when there is none. Rows before the first account were set aside.
func (s *Jobs) batchAfter(ctx context.Context, jobID string, row int64) (number int64, err error) {
	return store.Value[int64](ctx, s.db.Reader(), `
		SELECT COALESCE((SELECT number FROM planned_batches WHERE job_id = $1 AND first_row <= $2 ORDER BY first_row DESC LIMIT 1),
			(SELECT MIN(number) FROM planned_batches WHERE job_id = $1), 0)`, jobID, row+1)
}

// batchWith returns the first batch of the plan, from one on, that may have an
// account with an outcome; 0 when there is none.
func (s *Jobs) batchWith(ctx context.Context, jobID string, o Outcome, from int64) (int64, error) {
	return store.Value[int64](ctx, s.db.Reader(), `
		SELECT COALESCE(MIN(number), 0) FROM (
			SELECT MIN(number) AS number FROM batches WHERE job_id = $1 AND outcome = $2 AND number >= $3 AND accounts > 0
			UNION ALL
			SELECT MIN(seq - 1) / 100 + 1 FROM own_outcomes WHERE job_id = $1 AND outcome = $2 AND seq > ($3 - 1) * 100) AS places`,
		jobID, o, from)
}

// SampledRow is a row of a job's file that was drawn, and what became of it.
type SampledRow struct {
	Row     int64
	Aside   *SetAside // nil: it became an account
	Account Account
	Calls   []Call // in which the account was, oldest first
}

// DrawSample draws rows of a job by chance, as audit.Sample does, and returns
// them in the order they were drawn. The log says first who looks at which.
func (s *Jobs) DrawSample(ctx context.Context, by audit.Actor, j Job, seed string, n int64) ([]SampledRow, error) {
	err := s.log.Record(ctx, audit.Entry{Code: audit.SampleDrawn, Actor: by, JobID: j.ID, Target: j.FileName,
		Details: map[string]any{"seed": seed, "n": n, "rows": j.Rows}})
	if err != nil {
		return nil, err
	}
	numbers := audit.Sample(seed, n, j.Rows)
	drawn := make([]SampledRow, len(numbers))
	for i, number := range numbers {
		if drawn[i], err = s.sampledRow(ctx, j.ID, number); err != nil {
			return nil, err
		}
	}
	return drawn, nil
}

func (s *Jobs) sampledRow(ctx context.Context, jobID string, number int64) (r SampledRow, err error) {
	r.Row = number
	asides, err := s.setAsidesAfter(ctx, jobID, number-1, 1)
	if err != nil {
		return r, err
	}
	if len(asides) > 0 && asides[0].Row == number {
		r.Aside = &asides[0]
		return r, nil
	}
	if r.Account, err = s.accountInRow(ctx, jobID, number); err == nil {
		r.Calls, err = s.callsOf(ctx, jobID, r.Account)
	}
	return r, err
}
