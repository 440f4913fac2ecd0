package store

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"tagsweep/internal/jobs"
)

// set is a store whose clock was set, as it was before and by how much.
type set struct {
	clock string
	now   func() time.Time
	by    time.Duration
}

var (
	setMu sync.Mutex
	sets  = map[*Store]set{}
)

// Jump sets the clocks of the database and of this process forward or back, as
// setting a machine's does: monotonic time goes on as before.
func (s *Store) Jump(by time.Duration) {
	setMu.Lock()
	defer setMu.Unlock()
	was, before := sets[s]
	if !before {
		was = set{clock: s.clock, now: s.now}
	}
	was.by += by
	sets[s] = was
	s.clock = fmt.Sprintf("(%s + %d)", was.clock, was.by.Microseconds())
	s.now = func() time.Time { return was.now().Round(0).Add(was.by) }
}

// Plans returns how the database finds what pages and settlements ask for again and
// again, and what a question that scans a job looks like: "a bad one".
func (s *Store) Plans(ctx context.Context, appID, jobID string) (map[string]string, error) {
	plans, now := map[string]string{}, int64(1_800_000_000_000)
	for name, q := range map[string]struct {
		query string
		args  []any
	}{
		"a bad one":    {`SELECT COUNT(*) FROM batches WHERE job_id = $1 AND outcome = 'waiting'`, []any{jobID}},
		"in flight":    {inFlight, []any{appID}},
		"last read":    {lastRead, []any{jobID, 9}},
		"drop waiting": {dropWaiting, []any{jobID, now}},
		"waits for":    {waitsFor, []any{jobID, now}},
		"asked":        {`SELECT code, SUM(accounts) FROM batches WHERE ` + asking + ` GROUP BY code`, []any{jobID}},
		"progress":     {`SELECT ` + progressColumns + ` FROM jobs WHERE id = $1`, []any{jobID}},
		"reasons":      {`SELECT code, MAX(message), SUM(accounts) FROM batches WHERE job_id = $1 AND outcome = 'failed' GROUP BY code`, []any{jobID}},
	} {
		plan, err := s.plan(ctx, q.query, q.args...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		plans[name] = plan
	}
	return plans, nil
}

func (s *Store) plan(ctx context.Context, query string, args ...any) (string, error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer tx.Rollback()
	explain := `EXPLAIN QUERY PLAN `
	if s.postgres {
		explain = `EXPLAIN `
		if _, err := tx.ExecContext(ctx, `SET LOCAL enable_seqscan = off`); err != nil { // of tables as small as a test's it likes them
			return "", err
		}
	}
	lines, err := Collect(ctx, tx, func(row Scanner) (line string, err error) {
		if s.postgres {
			return line, row.Scan(&line)
		}
		var skip any
		return line, row.Scan(&skip, &skip, &skip, &line)
	}, explain+query, args...)
	return strings.Join(lines, "\n"), err
}

// Exec changes what no method does.
func (s *Store) Exec(ctx context.Context, query string, args ...any) error {
	_, err := s.write.ExecContext(ctx, query, args...)
	return err
}

// Count returns the one number of a query.
func (s *Store) Count(ctx context.Context, query string, args ...any) (n int64, err error) {
	return n, s.read.QueryRowContext(ctx, query, args...).Scan(&n)
}

// ForgetReports lets reports be summed up anew.
func (s *Store) ForgetReports() {
	s.reports.mu.Lock()
	defer s.reports.mu.Unlock()
	s.reports.folded = nil
}

// ErrMoreToCompare is of a reading that must be compared with another job first.
var ErrMoreToCompare = errMoreToCompare

// CompareThen compares what was read with the other jobs, and finishes the reading
// after something has happened in between.
func (s *Store) CompareThen(ctx context.Context, im *jobs.Import, read jobs.Imported, between func() error) error {
	with := &comparing{store: s, im: im, rows: read.Rows, compared: map[readJob]int64{}, kept: time.Now()}
	others, err := with.missing(ctx, s.read)
	if err == nil {
		err = with.compare(ctx, others)
	}
	if err == nil {
		err = between()
	}
	if err != nil {
		return err
	}
	return s.tx(ctx, func(tx *Tx) error { return s.finishImport(ctx, tx, im, read, with) })
}
