package snapshot

import (
	"context"
	"errors"
	"time"

	"tagsweep/internal/store"
)

// Tags are kept for a time after their job's end, and then erased by destroying
// the key they are encrypted with: from then on nobody can read them, not in a
// later backup either. Then their storage is freed in small steps. The digest of each
// batch stays, and the report of the job. Package jobs says when.

// sliceErased is how many batches are emptied at a time, so that others do not wait long.
const sliceErased = 250

// Erasure is a job whose tags are due to be erased, or will be.
type Erasure struct {
	JobID string
	Due   bool
}

// Due lists the ended jobs whose tags are due to be erased at a time, and those without a
// saved report, the earliest first. At the zero time nothing is due. A destroyed key is
// due until all its tags are gone.
func (s *Snapshots) Due(ctx context.Context, now time.Time) ([]Erasure, error) {
	return store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (e Erasure, err error) {
		return e, row.Scan(&e.Due, &e.JobID)
	}, `
		SELECT erase_at <= $1, job_id FROM snapshot_keys k
		WHERE erased_at = 0 AND erase_at > 0
			AND (erase_at <= $1 OR NOT EXISTS (SELECT 1 FROM tag_reports r WHERE r.job_id = k.job_id))
		ORDER BY erase_at, job_id`, store.Millis(now))
}

// KeepUntil sets when the tags of a job will be erased.
func (s *Snapshots) KeepUntil(ctx context.Context, tx *store.Tx, jobID string, at time.Time) error {
	return tx.Exec(ctx, `UPDATE snapshot_keys SET erase_at = $2 WHERE job_id = $1`, jobID, store.Millis(at))
}

// Drop removes the tags of a job without a snapshot: those read for accounts in doubt.
func (s *Snapshots) Drop(ctx context.Context, tx *store.Tx, jobID string) error {
	return tx.Exec(ctx, `DELETE FROM snapshots WHERE job_id = $1`, jobID)
}

// DestroyKey destroys the key of a job's tags; false: it was destroyed already. Until
// Empty is done, erased_at is 0 and erase_at is in the past, so that Due finds the rest.
func (s *Snapshots) DestroyKey(ctx context.Context, tx *store.Tx, jobID, by string) (destroyed bool, err error) {
	n, err := tx.Changed(ctx, `
		UPDATE snapshot_keys SET wrapped = $2, erase_at = $3, erased_by = $4
		WHERE job_id = $1 AND erased_at = 0 AND length(wrapped) > 0`,
		jobID, []byte{}, store.Millis(s.db.Now()), store.Clean(by, 100))
	return n > 0, err
}

// Empty frees the storage of tags whose key is destroyed.
func (s *Snapshots) Empty(ctx context.Context, jobID string) error {
	last, err := store.Value[int64](ctx, s.db.Reader(), `
		SELECT COALESCE(MAX(number), 0) FROM (SELECT number FROM snapshots WHERE job_id = $1
			UNION ALL SELECT number FROM wanted_tags WHERE job_id = $1) AS kept`, jobID)
	for from := int64(1); err == nil && from <= last; from += sliceErased {
		err = s.db.Tx(ctx, func(tx *store.Tx) error {
			// Consoles take turns, since each may lock the rows in a different order.
			if err := tx.Exec(ctx, `UPDATE snapshot_keys SET erased_at = erased_at WHERE job_id = $1`, jobID); err != nil {
				return err
			}
			err := tx.Exec(ctx,
				`UPDATE snapshots SET data = $4 WHERE job_id = $1 AND number BETWEEN $2 AND $3 AND length(data) > 0`,
				jobID, from, from+sliceErased-1, []byte{})
			if err == nil {
				err = tx.Exec(ctx, `DELETE FROM wanted_tags WHERE job_id = $1 AND number BETWEEN $2 AND $3`,
					jobID, from, from+sliceErased-1)
			}
			return err
		})
	}
	if err == nil {
		err = s.db.Exec(ctx,
			`UPDATE snapshot_keys SET erased_at = $2 WHERE job_id = $1 AND erased_at = 0 AND length(wrapped) = 0`,
			jobID, store.Millis(s.db.Now()))
	}
	return errors.Join(err, s.db.Scrub(ctx, "snapshot_keys"))
}
