package jobs

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

// The report of a job is a fold over its snapshots. While the job runs, what was
// folded stays in memory and goes on where it ended; what later readings of the
// same accounts found counts when the job has ended and all is folded once more.
// Then it is kept, and outlives the snapshots.

// reports are the folds of jobs that were asked for.
type reports struct {
	mu     sync.Mutex
	folded map[string]*folded // by job
}

// mostFolded bounds the memory: a report has up to some ten megabytes.
const mostFolded = 8

// folded is the report of a job's first batches.
type folded struct {
	mu    sync.Mutex
	upTo  int64 // batches
	ended bool
	sum   snapshot.Report
}

func (r *reports) of(jobID string) *folded {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.folded[jobID]
	if f == nil {
		if f = new(folded); r.folded == nil || len(r.folded) == mostFolded {
			r.folded = map[string]*folded{}
		}
		r.folded[jobID] = f
	}
	return f
}

func (r *reports) forget(jobID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.folded, jobID)
}

// Report sums up the tags a job's accounts had before it, of the batches that
// come before the first one that is not read yet. It is nil when no tags were
// read, and when they were erased before they were summed up. An account counts
// as unknown when it failed for a code that blames it, and was not read.
func (s *Jobs) Report(ctx context.Context, jobID string) (*snapshot.Report, error) {
	j, err := s.Get(ctx, jobID)
	if err != nil {
		return nil, err
	}
	report, err := s.report(ctx, j)
	if snapshot.FaultErased.Is(err) {
		return nil, nil
	}
	if err != nil || report == nil || report.Accounts == 0 {
		return nil, store.AsTrouble(err)
	}
	return report, nil
}

// report is Report, and an empty one where nothing was read.
func (s *Jobs) report(ctx context.Context, j Job) (*snapshot.Report, error) {
	if !j.Snapshot || j.StartedAt.IsZero() {
		return nil, nil
	}
	if !j.FinishedAt.IsZero() {
		if saved, err := s.snapshots.SavedReport(ctx, j.ID); saved != nil || err != nil {
			return saved, err
		}
	}
	f := s.reports.of(j.ID)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := s.fold(ctx, f, j); err != nil {
		return nil, err
	}
	sum := &snapshot.Report{}
	sum.Merge(&f.sum)
	return sum, nil
}

// saveReport keeps the report of a job that has ended, if it has one.
func (s *Jobs) saveReport(ctx context.Context, j Job) error {
	report, err := s.report(ctx, j)
	if err != nil || report == nil {
		return err
	}
	err = s.snapshots.SaveReport(ctx, j.ID, report)
	if err == nil {
		s.reports.forget(j.ID)
	}
	return store.AsTrouble(err)
}

// fold adds the batches that have been read since.
func (s *Jobs) fold(ctx context.Context, f *folded, j Job) (err error) {
	last, ended := j.Batches, !j.FinishedAt.IsZero()
	if !ended {
		if last, err = store.Value[int64](ctx, s.db.Reader(), lastRead, j.ID, j.Batches); err != nil {
			return err
		}
	}
	if ended != f.ended || last < f.upTo { // some are to be read again
		f.upTo, f.ended, f.sum = 0, ended, snapshot.Report{}
	}
	sums, err := s.foldBatches(ctx, j.ID, f.upTo+1, last)
	if err != nil {
		return err
	}
	for i := range sums {
		f.sum.Merge(&sums[i])
	}
	f.upTo = last
	return nil
}

// lastRead finds the last batch before the first that is not settled, of the job $1, which has $2.
const lastRead = `
	SELECT MIN(number) - 1 FROM (
		SELECT number FROM batches WHERE job_id = $1 AND console = '' AND ask = 0 AND outcome IN ('in_doubt', 'waiting')
		UNION ALL SELECT number FROM batches WHERE job_id = $1 AND console <> ''
		UNION ALL SELECT number FROM batches WHERE job_id = $1 AND ask = 1
		UNION ALL SELECT CAST($2 AS BIGINT) + 1) AS open_ones`

const (
	foldedAtOnce = 100 // batches
	foldAtOnce   = 4
)

// foldBatches folds batches, some at a time and with short queries, so that the
// engine's log does not grow meanwhile.
func (s *Jobs) foldBatches(ctx context.Context, jobID string, from, to int64) ([]snapshot.Report, error) {
	pages := (to - from + foldedAtOnce) / foldedAtOnce
	sums := make([]snapshot.Report, max(0, min(pages, foldAtOnce, int64(runtime.GOMAXPROCS(0)))))
	var taken atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for i := range sums {
		group.Go(func() error {
			for page := taken.Add(1) - 1; page < pages; page = taken.Add(1) - 1 {
				first := from + page*foldedAtOnce
				if err := s.foldPage(ctx, &sums[i], jobID, first, min(to, first+foldedAtOnce-1)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return sums, group.Wait()
}

func (s *Jobs) foldPage(ctx context.Context, sum *snapshot.Report, jobID string, from, to int64) error {
	read, err := s.snapshots.Batches(ctx, snapshot.Before, jobID, from, to)
	if err != nil {
		return err
	}
	all, err := s.placed(ctx, jobID, from, to)
	unknown := map[int64]struct{}{} // failed for a code that blames the account
	for _, a := range all {
		if a.Outcome == Failed && a.Code > 0 && tim.RuleOf(a.Code).IsAccountError() {
			unknown[a.Seq()] = struct{}{}
		}
	}
	for _, accounts := range read {
		for _, account := range accounts {
			delete(unknown, account.Seq)
		}
		sum.Add(accounts, 0)
	}
	sum.Add(nil, int64(len(unknown)))
	return err
}
