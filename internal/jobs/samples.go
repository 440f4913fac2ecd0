package jobs

import (
	"context"
	"database/sql"
	"errors"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

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
		if drawn[i], err = s.sampledRow(ctx, j, number); err != nil {
			return nil, store.AsTrouble(err)
		}
	}
	return drawn, nil
}

func (s *Jobs) sampledRow(ctx context.Context, j Job, number int64) (r SampledRow, err error) {
	r.Row = number
	var aside SetAside
	err = s.db.Reader().QueryRowContext(ctx,
		`SELECT row_number, line, kind, value, reason, repeats FROM set_asides WHERE job_id = $1 AND row_number = $2`, j.ID, number).
		Scan(&aside.Row, &aside.Line, &aside.Kind, &aside.Value, &aside.Reason, &aside.Repeats)
	switch {
	case err == nil:
		r.Aside = &aside
		return r, nil
	case !errors.Is(err, sql.ErrNoRows):
		return r, err
	}
	a := inJob{}
	if a.Account, a.seq, err = s.accountInRow(ctx, j.ID, number); err != nil {
		return r, err
	}
	a.Job, r.Account = j, a.Account
	r.Calls, err = s.callsOf(ctx, j.ID, r.Account)
	return r, err
}
