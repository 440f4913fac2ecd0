package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// Tags are kept for a time after their job's end. Then package snapshot destroys their
// key and frees their storage; here is which jobs are due, and what the log says.

// FaultEraseEarly is for a job that still needs the tags it keeps.
var FaultEraseEarly = fault.Declare(fault.Conflict, "snapshot.erase_early",
	"Nothing was erased: this job has not ended and still needs its tag snapshot. Wait until it ends, or cancel it.")

// Erase erases the tags that an ended job keeps; once they are, it changes nothing.
// It returns FaultOtherApp for a job of another app, as it cannot be taken back.
func (s *Jobs) Erase(ctx context.Context, by audit.Actor, jobID string) error {
	j, err := s.Get(ctx, jobID)
	if err == nil {
		err = s.mustServe(ctx, s.db.Reader(), j)
	}
	if err != nil {
		return err
	}
	if j.FinishedAt.IsZero() {
		return FaultEraseEarly.With()
	}
	return s.erase(ctx, by, j)
}

// Sweep keeps the reports of jobs that have ended, and erases the tags that are due at a
// time, see audit.TrustedTime; none at zero. What an earlier one left half done it
// completes. Any number of consoles may sweep at the same time.
func (s *Jobs) Sweep(ctx context.Context, now time.Time) error {
	waiting, err := s.snapshots.Due(ctx, now)
	errs := []error{err}
	for _, w := range waiting {
		j, err := s.Get(ctx, w.JobID)
		switch {
		case err != nil:
		case w.Due:
			err = s.erase(ctx, audit.System, j)
		default:
			err = s.saveReport(ctx, j)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("tags of job %s: %w", w.JobID, err))
		}
	}
	return errors.Join(errs...)
}

// erase keeps the report of the tags, destroys their key, which cannot be taken back,
// and then empties what it encrypted; what is left of that the next Sweep finds. Tags
// that cannot be read any more are erased without a report.
func (s *Jobs) erase(ctx context.Context, by audit.Actor, j Job) error {
	if err := s.saveReport(ctx, j); err != nil && !snapshot.Lost(err) {
		return err
	}
	info, err := s.SnapshotInfo(ctx, j)
	if err != nil {
		return err
	}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.Exec(ctx, `UPDATE jobs SET version = version + 1 WHERE id = $1`, j.ID); err != nil {
			return err
		}
		destroyed, err := s.snapshots.DestroyKey(ctx, tx, j.ID, by.Name)
		if err != nil || !destroyed || info.Batches == 0 && !j.Told() {
			return err // it is so already, or nothing was kept
		}
		return s.log.RecordIn(ctx, tx, audit.Entry{Code: audit.SnapshotErased, Actor: by, JobID: j.ID, Target: j.FileName,
			Details: map[string]any{"batches": info.Batches, "bytes": info.Bytes, "digest": info.Digest,
				"accounts": j.Accounts, "keep_until": info.EraseAt.UTC()}})
	})
	if err == nil {
		err = s.snapshots.Empty(ctx, j.ID)
	}
	return store.AsTrouble(err)
}

// keepUntil says until when the tags of a job that has ended are kept, and so does the log
// by its details. One that keeps none had only what was read back of accounts in doubt.
func (s *Jobs) keepUntil(ctx context.Context, tx *store.Tx, j Job, details map[string]any) error {
	var days int64
	var err error
	if j.Snapshot && !j.StartedAt.IsZero() {
		if days, err = store.Value[int64](ctx, tx, `SELECT keep_days FROM apps WHERE id = $1`, j.AppID); err != nil {
			return err
		}
		if details["saved_batches"], err = s.snapshots.CountIn(ctx, tx, j.ID); err != nil {
			return err
		}
		details["keep_days"], details["app_id"] = days, j.AppID
	}
	err = s.snapshots.KeepUntil(ctx, tx, j.ID, j.FinishedAt.Add(time.Duration(days)*24*time.Hour))
	if err == nil && !j.Snapshot {
		err = s.snapshots.Drop(ctx, tx, j.ID)
	}
	return err
}
