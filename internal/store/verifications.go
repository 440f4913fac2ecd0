package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
)

// A part of a job's batches is read again after the last account was settled.
// Such a batch has its final outcome and waits for "verify".

// verified returns what a part that is settled waits for: to be verified, when
// accounts of it were changed and the sample holds its batch; else nothing.
func (t *settling) verified(ctx context.Context, st jobs.Settlement, p part) (next string, err error) {
	if t.verify.Share == 0 || t.state == jobs.Cancelled || !snapshot.Sample(t.verify.Seed, st.Batch, t.verify.Share) {
		return "", nil
	}
	changed := st.Rest == st.Kind.Done() && p.pending > 0
	if !changed {
		err = t.tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM own_outcomes WHERE job_id = $1 AND seq >= $2 AND seq < $3 AND outcome = $4)`,
			st.JobID, p.first, p.first+p.size, st.Kind.Done()).Scan(&changed)
	}
	if err != nil || !changed {
		return "", err
	}
	t.verify.Left++
	return verify, nil
}

// settleVerification ends the reading of a batch that was settled before, or has
// it tried again. Accounts that are not as they should be are in doubt once more,
// until a person decides.
func (t *settling) settleVerification(ctx context.Context, st jobs.Settlement) error {
	var was jobs.Outcome
	var size, code, settledAt int64
	var message string
	err := t.tx.QueryRowContext(ctx, `
		SELECT outcome, size, code, message, settled_at FROM batches WHERE job_id = $1 AND first = $2 AND lease = $3 AND next = $4`,
		st.JobID, st.First, st.Call, verify).Scan(&was, &size, &code, &message, &settledAt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Next != "" && t.state != jobs.Cancelled {
		_, err := t.tx.ExecContext(ctx, `UPDATE batches SET lease = '', lease_until = 0, not_before = $3, tries = $4 WHERE job_id = $1 AND first = $2`, st.JobID, st.First, t.now.after(st.Wait), st.Tries)
		return err
	}
	t.verify.Left--
	t.verify.Read += st.Read
	t.verify.Reopened += int64(len(st.Reopen))
	if len(st.Reopen) == 0 {
		_, err := t.tx.ExecContext(ctx, `UPDATE batches SET next = '', lease = '', lease_until = 0 WHERE job_id = $1 AND first = $2`, st.JobID, st.First)
		return err
	}
	// The batch is in doubt now, and so are the accounts without an outcome of
	// their own: those that are not get the one they had.
	own, err := collect(ctx, t.tx, func(row scanner) (seq int64, err error) { return seq, row.Scan(&seq) },
		`SELECT seq FROM own_outcomes WHERE job_id = $1 AND seq >= $2 AND seq < $3`, st.JobID, st.First, st.First+size)
	if err != nil {
		return err
	}
	var owned []any
	for seq := st.First; seq < st.First+size; seq++ {
		reopen, has := slices.Contains(st.Reopen, seq), slices.Contains(own, seq)
		switch {
		case reopen && has:
			if _, err := t.tx.ExecContext(ctx, `DELETE FROM own_outcomes WHERE job_id = $1 AND seq = $2`, st.JobID, seq); err != nil {
				return err
			}
		case !reopen && !has:
			owned = append(owned, st.JobID, seq, was, code, message, settledAt)
		}
	}
	if err := insertAll(ctx, t.tx, `own_outcomes (job_id, seq, outcome, code, message, settled_at)`, 6, owned); err != nil {
		return err
	}
	t.moves[st.Kind.Done()] -= int64(len(st.Reopen))
	t.moves[jobs.InDoubt] += int64(len(st.Reopen))
	_, err = t.tx.ExecContext(ctx, `
		UPDATE batches SET outcome = 'in_doubt', ask = 1, code = $3, message = '', settled_at = 0, pending = $4, touched = 1, tries = 0, lost = 0, not_before = 0,
			next = 'get_tags', lease = '', lease_until = 0
		WHERE job_id = $1 AND first = $2`, st.JobID, st.First, jobs.CodeNotSo, len(st.Reopen))
	return err
}
