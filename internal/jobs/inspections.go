package jobs

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"strconv"
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
	due, err := store.Collect(ctx, s.db.Reader(), scanJob, `SELECT `+jobColumns+` FROM jobs j WHERE j.verify_due = 1 ORDER BY j.id LIMIT 1`)
	if err != nil || len(due) == 0 {
		return false, err
	}
	of := due[0]
	batches, err := s.drawn(ctx, of)
	if err != nil {
		return true, err
	}
	if len(batches) == 0 {
		err := s.db.Exec(ctx, `UPDATE jobs SET verify_due = 0 WHERE id = $1`, of.ID)
		return true, err
	}
	m := derivation{of: of, kind: Inspect, only: of.Only, checks: of.Kind}
	chosen := func(a sourceAccount) bool { return a.Outcome == of.Kind.Done() && batches[a.Batch] }
	_, err = s.derive(ctx, audit.System, m, of.Policy, "verify", tempDir, chosen, errInspected, func(accounts int64) audit.Entry {
		return audit.Entry{Code: audit.JobRetried, Details: map[string]any{"of": of.ID, "kind": Inspect, "accounts": accounts,
			"verify_share": of.Verify.Share, "verify_seed": of.Verify.Seed, "batches": len(batches)}}
	})
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
	batches, lowest, least := map[int64]bool{}, int64(0), ""
	for _, n := range numbers {
		if snapshot.Sample(j.Verify.Seed, n, j.Verify.Share) {
			batches[n] = true
		}
		mac := hmac.New(sha256.New, []byte(j.Verify.Seed))
		mac.Write(strconv.AppendInt(nil, n, 10))
		if draw := string(mac.Sum(nil)); least == "" || draw < least {
			lowest, least = n, draw
		}
	}
	if len(batches) == 0 && lowest > 0 {
		batches[lowest] = true
	}
	return batches, err
}

// startInspection starts an inspection that was made for another job, once its
// accounts are planned. With none it ends at once.
func (s *Jobs) startInspection(ctx context.Context, tx *store.Tx, jobID string) error {
	c, err := s.begin(ctx, tx, jobID)
	if err == nil {
		err = c.may(Start)
	}
	if err != nil {
		return err
	}
	s.start(c, audit.System, time.Time{})
	j, err := c.write(ctx)
	if err == nil {
		err = s.record(ctx, c, audit.System, audit.JobStarted, j)
	}
	if err != nil {
		return err
	}
	return s.Advance(ctx, tx, j.ID)
}

// InspectionOf returns the job that inspects the sample of another; nil for none.
func (s *Jobs) InspectionOf(ctx context.Context, jobID string) (*Job, error) {
	made, err := store.Collect(
		ctx,
		s.db.Reader(),
		scanJob,
		`SELECT `+jobColumns+` FROM jobs j WHERE j.source <> '' AND j.source = $1 AND j.checks <> '' ORDER BY j.id LIMIT 1`,
		store.Clean(jobID, 100),
	)
	if err != nil || len(made) == 0 {
		return nil, store.AsTrouble(err)
	}
	return &made[0], nil
}
