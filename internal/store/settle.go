package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// Settle implements jobs.Store.
func (s *Store) Settle(ctx context.Context, appID string, settlements []jobs.Settlement) error {
	settlements = slices.SortedStableFunc(slices.Values(settlements), func(a, b jobs.Settlement) int { return cmp.Compare(a.JobID, b.JobID) })
	// A transaction for each job: each takes its locks in the order jobs … audit_head.
	// Settling once more changes nothing, so a part that failed may be repeated with the rest.
	for rest := settlements; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(st jobs.Settlement) bool { return st.JobID != rest[0].JobID })
		if n < 0 {
			n = len(rest)
		}
		if err := s.tx(ctx, func(tx *sql.Tx) error { return s.settleJob(ctx, tx, rest[0].JobID, rest[:n]) }); err != nil {
			return err
		}
		rest = rest[n:]
	}
	for _, st := range settlements {
		if st.Halt {
			if err := s.tx(ctx, func(tx *sql.Tx) error { return s.halt(ctx, tx, appID, st) }); err != nil {
				return err
			}
		}
		if !st.Hold.IsZero() {
			if err := s.tx(ctx, func(tx *sql.Tx) error { return hold(ctx, tx, appID, st) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) settleJob(ctx context.Context, tx *sql.Tx, jobID string, settlements []jobs.Settlement) error {
	var state jobs.State
	err := tx.QueryRowContext(ctx, `UPDATE jobs SET version = version + 1 WHERE id = $1 RETURNING state`, jobID).Scan(&state)
	if err != nil {
		return err
	}
	moves, sent := jobs.Counts{}, int64(0)
	for _, st := range settlements {
		if state == jobs.Cancelled && st.Rest == jobs.Waiting {
			st.Rest, st.Split = jobs.Unsent, false
		}
		if err := s.settleBatch(ctx, tx, st, moves); err != nil {
			return err
		}
		first, err := s.completeCall(ctx, tx, st)
		if err != nil {
			return err
		}
		if first && st.Answer.Delivery != tim.NotSent {
			sent++
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE jobs SET calls = calls + $2 WHERE id = $1`, jobID, sent); err != nil {
		return err
	}
	if err := move(ctx, tx, jobID, moves); err != nil {
		return err
	}
	_, err = s.finish(ctx, tx, jobID)
	return err
}

// settleBatch writes the outcomes of one claim, if it still holds the lease or
// nobody has taken the batch since it ended, and adds what changed to moves. It
// ends the lease, so that settling once more changes nothing.
func (s *Store) settleBatch(ctx context.Context, tx *sql.Tx, st jobs.Settlement, moves jobs.Counts) error {
	var was jobs.Outcome
	var size int64
	err := tx.QueryRowContext(ctx, `
		SELECT outcome, size FROM batches WHERE job_id = $1 AND first = $2 AND lease = $3 AND outcome IN ('sending', 'in_doubt')`,
		st.JobID, st.First, st.Call).Scan(&was, &size)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // too late: the ledger keeps the answer, reading back decides
	}
	if err != nil {
		return err
	}
	now := millis(s.now())
	for _, own := range st.Own {
		err := one(ctx, tx, errTwoOutcomes, `
			INSERT INTO own_outcomes (job_id, seq, outcome, code, message, settled_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (job_id, seq) DO NOTHING`,
			st.JobID, own.Seq, own.Outcome, own.Code, clean(own.Message, 500), now)
		if err != nil {
			return err
		}
		moves[own.Outcome]++
	}
	rest := int64(len(st.Accounts) - len(st.Own))
	moves[was] -= int64(len(st.Accounts))
	moves[st.Rest] += rest
	settledAt := now
	if st.Rest.Open() {
		settledAt = 0
	}
	update := func(first, size, pending int64) error {
		return one(ctx, tx, errTwoOutcomes, `
			UPDATE batches SET outcome = $3, size = $4, pending = $5, code = $6, message = $7, settled_at = $8, tries = $9, not_before = $10, lease = '', lease_until = 0
			WHERE job_id = $1 AND first = $2`,
			st.JobID, first, st.Rest, size, pending, st.Code, clean(st.Message, 500), settledAt, st.Tries, millis(st.NotBefore))
	}
	if !st.Split {
		return update(st.First, size, rest)
	}
	// Only a batch without own outcomes in this settlement is split, so half of its pending accounts are half of the rest.
	half := len(st.Accounts) / 2
	middle := st.Accounts[half].Seq
	_, err = tx.ExecContext(ctx, `
		INSERT INTO batches (job_id, first, size, number, pending, outcome, code, message) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		st.JobID, middle, st.First+size-middle, st.Batch, rest-int64(half), st.Rest, st.Code, clean(st.Message, 500))
	if err != nil {
		return err
	}
	return update(st.First, middle-st.First, int64(half))
}

var errTwoOutcomes = errors.New("store: an account would get a second outcome")

// completeCall writes an answer into the ledger. It is not the first when the
// call was taken for lost and counted meanwhile.
func (s *Store) completeCall(ctx context.Context, tx *sql.Tx, st jobs.Settlement) (first bool, err error) {
	sentAt := st.Answer.SentAt
	if sentAt.IsZero() {
		sentAt = s.now()
	}
	var was string
	if err := tx.QueryRowContext(ctx, `SELECT delivery FROM calls WHERE id = $1`, st.Call).Scan(&was); err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE calls SET delivery = $2, sent_at = $3, duration = $4, http_status = $5, code = $6, message = $7 WHERE id = $1`,
		st.Call, st.Answer.Delivery.String(), millis(sentAt), st.Answer.Duration.Microseconds(), st.Answer.HTTPStatus, st.Answer.Code, clean(st.Answer.Info, 500))
	return was == "intended", err
}

// halt stops every job of the app: what stopped one would stop them all.
func (s *Store) halt(ctx context.Context, tx *sql.Tx, appID string, st jobs.Settlement) error {
	open, err := collect(ctx, tx, func(row scanner) (id string, err error) { return id, row.Scan(&id) },
		`SELECT id FROM jobs WHERE app_id = $1 AND state IN ('queued', 'running') ORDER BY id`, appID)
	if err != nil {
		return err
	}
	var halted []jobs.Job
	for _, id := range open {
		result, err := tx.ExecContext(ctx, `
			UPDATE jobs SET state = 'halted', halt_code = $2, halt_info = $3, version = version + 1
			WHERE id = $1 AND state IN ('queued', 'running')`, id, st.Answer.Code, clean(st.Answer.Info, 500))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			continue
		}
		j, err := job(ctx, tx, id)
		if err != nil {
			return err
		}
		halted = append(halted, j)
	}
	for _, j := range halted {
		details := summary(j)
		details["code"], details["info"], details["call"] = st.Answer.Code, clean(st.Answer.Info, 500), st.Call
		if err := s.record(ctx, tx, audit.Entry{Code: audit.JobHalted, Actor: audit.System, JobID: j.ID, Details: details}); err != nil {
			return err
		}
	}
	return nil
}
