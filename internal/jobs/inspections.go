package jobs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// A sample of a finished job is inspected by a job that is made for it: of the
// batches that its seed draws, the accounts that were changed. It starts by itself
// once its accounts are planned. A person can redo the mismatches, like the accounts of any inspection.

// DeriveInspection makes the inspection of one finished job that is to be verified,
// and reports whether there was one. Its file is on its way in tempDir.
func (s *Jobs) DeriveInspection(ctx context.Context, tempDir string) (found bool, err error) {
	of, err := scanJob(s.db.Reader().QueryRowContext(ctx,
		`SELECT `+jobFields+` FROM jobs WHERE verify_due = 1 ORDER BY id LIMIT 1`))
	if err != nil {
		return false, store.IfNone(err, nil)
	}
	batches, err := s.drawn(ctx, of)
	if err != nil {
		return true, err
	}
	if len(batches) == 0 {
		return true, s.db.Exec(ctx, `UPDATE jobs SET verify_due = 0 WHERE id = $1`, of.ID)
	}
	_, err = s.derive(ctx, audit.System, derivation{of: of, kind: Inspect, only: of.Only, checks: of.Kind, policy: of.Policy, prefix: "verify",
		chosen: func(a Account) bool { return a.Outcome == of.Kind.Done() && batches[a.Batch] }, none: errInspected,
		entry: func(accounts int64) audit.Entry {
			return audit.Entry{Code: audit.JobRetried, Details: map[string]any{"of": of.ID, "kind": Inspect, "accounts": accounts,
				"verify_share": of.Verify.Share, "verify_seed": of.Verify.Seed, "batches": len(batches)}}
		}}, tempDir)
	if errors.Is(err, errInspected) {
		return true, nil
	}
	return true, err
}

// errInspected is of an inspection that another console has made meanwhile.
var errInspected = errors.New("jobs: the inspection has been made")

// drawn returns the batches of a job's sample: of those with accounts that were
// changed the ones its seed draws, and when it draws none, the one with the lowest draw.
func (s *Jobs) drawn(ctx context.Context, j Job) (map[int64]bool, error) {
	numbers, err := store.Column[int64](ctx, s.db.Reader(), `
		SELECT number FROM batches WHERE job_id = $1 AND outcome = $2 AND accounts > 0
		UNION SELECT (seq - 1) / 100 + 1 FROM own_outcomes WHERE job_id = $1 AND outcome = $2 ORDER BY 1`, j.ID, j.Kind.Done())
	batches := map[int64]bool{}
	for _, n := range numbers {
		if snapshot.Sample(j.Verify.Seed, n, j.Verify.Share) {
			batches[n] = true
		}
	}
	if len(batches) == 0 && len(numbers) > 0 {
		draw := func(n int64) uint64 { return snapshot.Draw(j.Verify.Seed, n) }
		batches[slices.MinFunc(numbers, func(a, b int64) int { return cmp.Compare(draw(a), draw(b)) })] = true
	}
	return batches, err
}

// startInspection starts an inspection that was made for another job, once its
// accounts are planned. With none it ends at once.
func (s *Jobs) startInspection(ctx context.Context, tx *store.Tx, jobID string) error {
	_, err := s.changeIn(ctx, tx, audit.System, jobID, Start, func(c *change) error {
		s.start(c, audit.System, time.Time{})
		return nil
	})
	return err
}

// InspectionOf returns the job that inspects the sample of another; nil for none.
func (s *Jobs) InspectionOf(ctx context.Context, jobID string) (*Job, error) {
	j, err := scanJob(s.db.Reader().QueryRowContext(ctx, `SELECT `+jobFields+` FROM jobs
		WHERE source <> '' AND source = $1 AND checks <> '' ORDER BY id LIMIT 1`, store.Clean(jobID, 100)))
	if err != nil {
		return nil, store.IfNone(err, nil)
	}
	return &j, nil
}
