package jobs

import (
	"context"
	"fmt"
	"strings"

	"tagsweep/internal/audit"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// Plans returns how the database finds what pages and settlements ask for again and
// again, and what a question that scans a job looks like: "a bad one".
func (s *Jobs) Plans(ctx context.Context, appID, jobID string) (map[string]string, error) {
	plans, now := map[string]string{}, int64(1_800_000_000_000)
	for name, q := range map[string]struct {
		query string
		args  []any
	}{
		"a bad one":    {`SELECT COUNT(*) FROM batches WHERE job_id = $1 AND outcome = 'waiting'`, []any{jobID}},
		"in flight":    {inFlight, []any{appID}},
		"last read":    {lastRead, []any{jobID, 9}},
		"drop waiting": {dropWaitingSQL, []any{jobID, now}},
		"waits for":    {waitsFor, []any{jobID, now}},
		"asked":        {`SELECT code, SUM(accounts) FROM batches WHERE ` + needsReview + ` GROUP BY code`, []any{jobID}},
		"progress":     {`SELECT ` + progressColumns + ` FROM jobs WHERE id = $1`, []any{jobID}},
		"reasons": {`SELECT code, MAX(message), SUM(accounts) FROM batches WHERE job_id = $1 AND outcome = 'failed' GROUP BY code`,
			[]any{jobID}},
	} {
		plan, err := s.plan(ctx, q.query, q.args...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		plans[name] = plan
	}
	return plans, nil
}

func (s *Jobs) plan(ctx context.Context, query string, args ...any) (string, error) {
	var lines []string
	err := s.db.Tx(ctx, func(tx *store.Tx) (err error) {
		explain := `EXPLAIN QUERY PLAN `
		if s.db.Shared() {
			explain = `EXPLAIN `
			if _, err := tx.ExecContext(ctx, `SET LOCAL enable_seqscan = off`); err != nil { // of tables as small as a test's it likes them
				return err
			}
		}
		lines, err = store.Collect(ctx, tx, func(row store.Scanner) (line string, err error) {
			if s.db.Shared() {
				return line, row.Scan(&line)
			}
			var skip any
			return line, row.Scan(&skip, &skip, &skip, &line)
		}, explain+query, args...)
		return err
	})
	return strings.Join(lines, "\n"), err
}

// Count returns the one number of a query.
func (s *Jobs) Count(ctx context.Context, query string, args ...any) (n int64, err error) {
	return n, s.db.Reader().QueryRowContext(ctx, query, args...).Scan(&n)
}

// PauseAfter pauses a job after something has happened to it since it was read.
func (s *Jobs) PauseAfter(ctx context.Context, jobID string, happens func(*store.Tx) error) (Job, error) {
	return s.change(ctx, audit.System, jobID, Pause, func(c *change) error { return happens(c.tx) })
}

// ForgetReports lets reports be summed up anew.
func (s *Jobs) ForgetReports() {
	s.reports.mu.Lock()
	defer s.reports.mu.Unlock()
	s.reports.folded = nil
}

// BeforeSave lets something happen before each slice is saved.
func (i *Importer) BeforeSave(happens func() error) { i.beforeSave = happens }

// Read reads a file that was taken.
func (i *Importer) Read(ctx context.Context, im *Import) (Imported, error) {
	return i.parse(ctx, im)
}

// ErrMoreToCompare is of a reading that must be compared with another job first.
var ErrMoreToCompare = errMoreToCompare

// CompareThen compares what was read with the other jobs, and finishes the reading
// after something has happened in between.
func (s *Jobs) CompareThen(ctx context.Context, im *Import, read Imported, between func() error) error {
	with := s.newComparison(im, read)
	err := with.compareMissing(ctx)
	if err == nil {
		err = between()
	}
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *store.Tx) error { return s.finishImport(ctx, tx, im, read, with) })
}

// WantedTags returns the tags a job is to add or remove, by place.
func (s *Jobs) WantedTags(ctx context.Context, j Job) (map[int64][]string, error) {
	return s.snapshots.Tags(ctx, snapshot.Wanted, j.ID, 1, j.Batches)
}
