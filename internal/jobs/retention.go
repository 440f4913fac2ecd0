package jobs

import (
	"context"
	"errors"
	"fmt"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// Tags are kept for a time after their job's end, and then erased by destroying
// the key they are encrypted with: from then on nobody can read them, not in a
// backup of what follows either. What they filled is given back after that, in
// slices; the digest of each batch stays, and what a job's tags summed up to.

// FaultEraseEarly is for a job that still needs the tags it keeps.
var FaultEraseEarly = fault.Declare(fault.Conflict, "snapshot.erase_early", "Nothing was erased: this job has not ended yet, and needs the tags it keeps. Wait for its end, or cancel it.")

// sliceErased is how many batches are emptied at a time, so that nobody waits long.
const sliceErased = 250

// Erase erases the tags that an ended job keeps; once they are, it changes nothing.
func (s *Jobs) Erase(ctx context.Context, by audit.Actor, jobID string) error {
	j, err := s.Get(ctx, jobID)
	if err != nil {
		return err
	}
	if j.FinishedAt.IsZero() {
		return FaultEraseEarly.With()
	}
	return s.summedUpAndErased(ctx, by, j)
}

// Sweep keeps the reports of jobs that have ended, and erases the tags whose
// time has come; what an earlier one left half done it completes. Any number of
// consoles may sweep at the same time.
func (s *Jobs) Sweep(ctx context.Context) error {
	now := store.Millis(s.db.Now())
	type kept struct {
		job Job
		due bool
	}
	// A key whose erasing has begun is due until all it encrypted is gone.
	waiting, err := store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (k kept, err error) {
		k.job, err = scanJob(store.ScanAlso(row, &k.due))
		return k, err
	}, `
		SELECT k.erase_at <= $1, `+jobColumns+` FROM snapshot_keys k JOIN jobs j ON j.id = k.job_id
		WHERE k.erased_at = 0 AND k.erase_at > 0 AND j.finished_at > 0 AND (k.erase_at <= $1
			OR j.snapshot = 1 AND j.started_at > 0 AND NOT EXISTS (SELECT 1 FROM tag_reports r WHERE r.job_id = j.id))
		ORDER BY k.erase_at, k.job_id`, now)
	errs := []error{store.AsTrouble(err)}
	for _, k := range waiting {
		if k.due {
			err = s.summedUpAndErased(ctx, audit.System, k.job)
		} else {
			err = s.saveReport(ctx, k.job)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("tags of job %s: %w", k.job.ID, err))
		}
	}
	return errors.Join(errs...)
}

// summedUpAndErased erases tags once their report is kept. Tags that cannot be
// read any more are erased without one.
func (s *Jobs) summedUpAndErased(ctx context.Context, by audit.Actor, j Job) error {
	if err := s.saveReport(ctx, j); err != nil && !unreadable(err) {
		return err
	}
	return s.erase(ctx, by, j)
}

// unreadable reports whether tags that were kept cannot be read, whenever it is tried.
func unreadable(err error) bool {
	return snapshot.FaultErased.Is(err) || snapshot.FaultOtherKey.Is(err) || snapshot.FaultKeyChanged.Is(err) || snapshot.FaultChanged.Is(err)
}

// erase destroys the key, which cannot be taken back, and then empties what it
// encrypted. Until that is done erased_at is 0 and erase_at has come, by which
// the next Sweep finds what is left.
func (s *Jobs) erase(ctx context.Context, by audit.Actor, j Job) error {
	kept, err := s.Kept(ctx, j.ID)
	if err != nil {
		return err
	}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE jobs SET version = version + 1 WHERE id = $1`, j.ID); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `
			UPDATE snapshot_keys SET wrapped = $2, erase_at = $3, erased_by = $4 WHERE job_id = $1 AND erased_at = 0 AND length(wrapped) > 0`,
			j.ID, []byte{}, store.Millis(s.db.Now()), store.Clean(by.Name, 100))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil || n == 0 || kept.Batches == 0 && !j.Told() {
			return err // it is so already, or nothing was kept
		}
		return s.log.RecordIn(ctx, tx, audit.Entry{Code: audit.SnapshotErased, Actor: by, JobID: j.ID, Target: j.FileName,
			Details: map[string]any{"batches": kept.Batches, "bytes": kept.Bytes, "digest": kept.Digest, "accounts": j.Accounts, "keep_until": kept.EraseAt.UTC()}})
	})
	if err != nil {
		return err
	}
	return store.AsTrouble(errors.Join(s.emptyKept(ctx, j.ID), s.db.Scrub(ctx, "snapshot_keys")))
}

// emptyKept gives back what tags filled whose key is destroyed.
func (s *Jobs) emptyKept(ctx context.Context, jobID string) error {
	var last int64
	err := s.db.Reader().QueryRowContext(ctx, `
		SELECT COALESCE(MAX(number), 0) FROM (SELECT number FROM snapshots WHERE job_id = $1 UNION ALL SELECT number FROM wanted_tags WHERE job_id = $1) AS kept`,
		jobID).Scan(&last)
	for from := int64(1); err == nil && from <= last; from += sliceErased {
		err = s.db.Tx(ctx, func(tx *store.Tx) error {
			// Consoles take turns, since each may take the rows in an order of its own.
			if _, err := tx.ExecContext(ctx, `UPDATE jobs SET version = version WHERE id = $1`, jobID); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `UPDATE snapshots SET data = $4 WHERE job_id = $1 AND number BETWEEN $2 AND $3 AND length(data) > 0`,
				jobID, from, from+sliceErased-1, []byte{})
			if err == nil {
				_, err = tx.ExecContext(ctx, `DELETE FROM wanted_tags WHERE job_id = $1 AND number BETWEEN $2 AND $3`, jobID, from, from+sliceErased-1)
			}
			return err
		})
	}
	if err == nil {
		err = s.db.Exec(ctx, `UPDATE snapshot_keys SET erased_at = $2 WHERE job_id = $1 AND erased_at = 0 AND length(wrapped) = 0`, jobID, store.Millis(s.db.Now()))
	}
	return err
}
