package store

import (
	"context"
	"database/sql"

	"tagsweep/internal/jobs"
)

// cancelWaiting ends what waits. What is being read at this moment ends when its
// answer is in, and nothing is read again any more.
func (s *Store) cancelWaiting(ctx context.Context, tx *sql.Tx, j jobs.Job) error {
	moves, err := s.cancelUnleased(ctx, tx, j, millis(s.now()))
	if err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, `UPDATE batches SET next = '' WHERE job_id = $1 AND next = $2 AND next <> '' AND lease_until = 0`, j.ID, verify)
	if err != nil {
		return err
	}
	dropped, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE jobs SET verify_left = verify_left - $2 WHERE id = $1`, j.ID, dropped); err != nil {
		return err
	}
	return move(ctx, tx, j.ID, moves)
}

// cancelUnleased ends the waiting batches of a cancelled job that nobody has
// taken. Those of which ten tags at a time were being changed may be half done.
func (s *Store) cancelUnleased(ctx context.Context, tx *sql.Tx, j jobs.Job, now int64) (moves jobs.Counts, err error) {
	moves = jobs.Counts{}
	for _, to := range []struct {
		outcome jobs.Outcome
		code    int
		which   string
	}{{jobs.Failed, jobs.CodeCutShort, ` AND touched = 1`}, {jobs.Unsent, 0, ``}} {
		if to.outcome == jobs.Failed && !j.Kind.Tagged() {
			continue
		}
		pending, err := collect(ctx, tx, func(row scanner) (n int64, err error) { return n, row.Scan(&n) }, `
			UPDATE batches SET outcome = $2, code = CASE WHEN $3 = 0 THEN code ELSE $3 END, settled_at = $4, next = '', change = NULL
			WHERE job_id = $1 AND next <> '' AND lease_until = 0 AND outcome = 'waiting'`+to.which+` RETURNING pending`, j.ID, to.outcome, to.code, now)
		if err != nil {
			return nil, err
		}
		for _, n := range pending {
			moves[to.outcome] += n
			moves[jobs.Waiting] -= n
		}
	}
	return moves, nil
}
