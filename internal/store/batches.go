package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// claimable says, for a command, which batches it is for and the states of the
// jobs they may belong to. Pausing, cancelling and halting are nothing but these conditions.
var claimable = map[tim.Command]struct {
	outcome jobs.Outcome
	states  string
}{
	tim.RemoveAllTags: {jobs.Waiting, `'queued', 'running'`},
	tim.GetTags:       {jobs.InDoubt, `'queued', 'running', 'cancelled'`}, // what was sent is settled even after cancelling
}

// Claim implements jobs.Store.
func (s *Store) Claim(ctx context.Context, appID string, command tim.Command, limit int, lease time.Duration) (claims []jobs.Claim, next time.Time, err error) {
	open, err := s.claimableJobs(ctx, appID, command)
	if err != nil || len(open) == 0 {
		return nil, time.Time{}, err
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		now := s.now()
		if next, err = s.budgetFree(ctx, tx, appID, command, now); err != nil || !next.IsZero() {
			return err
		}
		// The jobs served longest ago have their turn, in the order of ids as
		// locks are taken. Shares are even; what one leaves goes to those after it.
		turn := slices.Sorted(slices.Values(open[:min(limit, len(open))]))
		for i, id := range turn {
			left := len(turn) - i
			share := (limit - len(claims) + left - 1) / left
			some, err := s.claimOf(ctx, tx, appID, id, command, share, now, now.Add(lease))
			if err != nil {
				return err
			}
			claims = append(claims, some...)
		}
		// A batch of which every account is protected needs no call.
		empty := func(c jobs.Claim) bool { return len(c.Accounts) == 0 }
		emptied := slices.ContainsFunc(claims, empty)
		claims = slices.DeleteFunc(claims, empty)
		if err := s.reserve(ctx, tx, appID, command, now, claims); err != nil || !emptied {
			return err
		}
		for _, id := range turn {
			if _, err := s.finish(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return claims, next, nil
}

// claimableJobs looks first without a lock, since mostly there is nothing to do.
func (s *Store) claimableJobs(ctx context.Context, appID string, command tim.Command) ([]string, error) {
	from := claimable[command]
	return collect(ctx, s.read, func(row scanner) (id string, err error) { return id, row.Scan(&id) }, `
		SELECT id FROM jobs WHERE app_id = $1 AND state IN (`+from.states+`) AND finished_at = 0 AND `+outcomeColumn(from.outcome)+` > 0
		ORDER BY claimed_at, id`, appID)
}

func (s *Store) claimOf(ctx context.Context, tx *sql.Tx, appID, jobID string, command tim.Command, limit int, now, until time.Time) ([]jobs.Claim, error) {
	from := claimable[command]
	if limit == 0 {
		return nil, nil
	}
	var state jobs.State
	err := tx.QueryRowContext(ctx, `
		UPDATE jobs SET claimed_at = $2 WHERE id = $1 AND state IN (`+from.states+`) RETURNING state`, jobID, now.UnixMicro()).Scan(&state)
	if err == sql.ErrNoRows {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	to := from.outcome
	if to == jobs.Waiting {
		to = jobs.Sending
	}
	token := newID(now)
	type batch struct{ size, pending int64 }
	sizes := map[int64]batch{}
	claims, err := collect(ctx, tx, func(row scanner) (c jobs.Claim, err error) {
		c = jobs.Claim{JobID: jobID, Command: command, Random: rand.Uint32(), LeaseUntil: until}
		var b batch
		err = row.Scan(&c.First, &b.size, &c.Batch, &b.pending, &c.Tries, &c.LastCode, &c.Call)
		sizes[c.First] = b
		return c, err
	}, `
		UPDATE batches SET outcome = $2, lease = CAST($3 AS TEXT) || '-' || CAST(first AS TEXT), lease_until = $4
		WHERE job_id = $1 AND outcome = $5 AND lease_until = 0 AND first IN (
			SELECT first FROM batches WHERE job_id = $1 AND outcome = $5 AND lease_until = 0
				AND NOT (not_before BETWEEN $6 AND $7) ORDER BY first LIMIT $8)
		RETURNING first, size, number, pending, tries, code, lease`,
		jobID, to, token, millis(until), from.outcome, millis(now)+1, millis(now.Add(farAhead)), limit)
	if err != nil || len(claims) == 0 {
		return nil, err
	}
	var protected map[string]struct{}
	if command == tim.RemoveAllTags {
		if protected, _, err = s.protectedSet(ctx, tx, appID); err != nil {
			return nil, err
		}
	}
	var pending int64
	var ledger []any
	for i := range claims {
		c := &claims[i]
		planned, err := pendingOf(ctx, tx, c, sizes[c.First].size, sizes[c.First].pending)
		if err != nil {
			return nil, err
		}
		if err := setAsideProtected(ctx, tx, c, planned, protected, millis(now)); err != nil {
			return nil, err
		}
		if len(c.Accounts) == 0 {
			_, err := tx.ExecContext(ctx, `UPDATE batches SET outcome = 'cancelled', lease = '', lease_until = 0, settled_at = $3 WHERE job_id = $1 AND first = $2`, jobID, c.First, millis(now))
			if err != nil {
				return nil, err
			}
			continue
		}
		pending += int64(len(c.Accounts))
		ledger = append(ledger, c.Call, jobID, c.Batch, c.First, len(c.Accounts), command, int64(c.Random), "intended", millis(now))
	}
	if err := insertAll(ctx, tx, `calls (id, job_id, batch, first, accounts, command, random, delivery, sent_at)`, 9, ledger); err != nil {
		return nil, err
	}
	if state == jobs.Queued {
		if _, err := tx.ExecContext(ctx, `UPDATE jobs SET state = 'running' WHERE id = $1 AND state = 'queued'`, jobID); err != nil {
			return nil, err
		}
	}
	if to == from.outcome {
		return claims, nil
	}
	return claims, move(ctx, tx, jobID, jobs.Counts{from.outcome: -pending, to: pending})
}

// pendingOf gives a claim the accounts of its batch that have no outcome of
// their own, and returns the batch of the plan they stand in.
func pendingOf(ctx context.Context, tx *sql.Tx, c *jobs.Claim, size, pending int64) ([]jobs.Planned, error) {
	batch, err := plannedBatch(ctx, tx, c.JobID, c.Batch)
	if err != nil {
		return nil, err
	}
	own := map[int64]bool{}
	if pending != size {
		settled, err := collect(ctx, tx, func(row scanner) (seq int64, err error) { return seq, row.Scan(&seq) },
			`SELECT seq FROM own_outcomes WHERE job_id = $1 AND seq >= $2 AND seq < $3`, c.JobID, c.First, c.First+size)
		if err != nil {
			return nil, err
		}
		for _, seq := range settled {
			own[seq] = true
		}
	}
	for i, p := range batch.Accounts {
		if seq := batch.First() + int64(i); seq >= c.First && seq < c.First+size && !own[seq] {
			c.Accounts = append(c.Accounts, jobs.Pending{Seq: seq, Account: p.Account})
		}
	}
	if int64(len(c.Accounts)) != pending {
		return nil, fmt.Errorf("store: batch %d of job %s has %d pending accounts and counts %d", c.First, c.JobID, len(c.Accounts), pending)
	}
	return batch.Accounts, nil
}

// Expire implements jobs.Store.
func (s *Store) Expire(ctx context.Context, appID string, all bool, readBackAfter time.Duration) (expired int, err error) {
	now := s.now()
	before := millis(now)
	if all {
		before = 1 << 62
	}
	// Without a lock first, since mostly there are none.
	held, err := collect(ctx, s.read, func(row scanner) (id string, err error) { return id, row.Scan(&id) }, `
		SELECT DISTINCT b.job_id FROM jobs j JOIN batches b ON b.job_id = j.id
		WHERE j.app_id = $1 AND j.finished_at = 0 AND b.outcome IN ('sending', 'in_doubt') AND b.lease_until > 0 AND b.lease_until <= $2
		ORDER BY b.job_id`, appID, before)
	for _, id := range held {
		if err == nil {
			err = s.tx(ctx, func(tx *sql.Tx) error {
				n, err := s.expireJob(ctx, tx, id, before, now, now.Add(readBackAfter))
				expired += n
				return err
			})
		}
	}
	return expired, err
}

func (s *Store) expireJob(ctx context.Context, tx *sql.Tx, jobID string, before int64, now, readBack time.Time) (int, error) {
	if _, err := tx.ExecContext(ctx, `UPDATE jobs SET version = version + 1 WHERE id = $1`, jobID); err != nil {
		return 0, err
	}
	// Reading back changes nothing, so a read-back without an answer may be made again at once.
	type held struct {
		lease   string
		pending int64
	}
	collectHeld := func(query string, args ...any) ([]held, error) {
		return collect(ctx, tx, func(row scanner) (h held, err error) { return h, row.Scan(&h.lease, &h.pending) }, query, args...)
	}
	reading, err := collectHeld(`
		UPDATE batches SET lease_until = 0
		WHERE job_id = $1 AND outcome = 'in_doubt' AND lease_until > 0 AND lease_until <= $2 RETURNING lease, pending`, jobID, before)
	if err != nil {
		return 0, err
	}
	sending, err := collectHeld(`
		UPDATE batches SET outcome = 'in_doubt', lease_until = 0, not_before = $3
		WHERE job_id = $1 AND outcome = 'sending' AND lease_until <= $2 RETURNING lease, pending`,
		jobID, before, millis(readBack))
	if err != nil {
		return 0, err
	}
	var pending int64
	for _, h := range sending {
		pending += h.pending
	}
	for _, h := range append(reading, sending...) {
		_, err := tx.ExecContext(ctx, `UPDATE calls SET delivery = 'lost', duration = ($2 - sent_at) * 1000 WHERE id = $1 AND delivery = 'intended'`, h.lease, millis(now))
		if err != nil {
			return 0, err
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE jobs SET calls = calls + $2 WHERE id = $1`, jobID, len(reading)+len(sending)); err != nil {
		return 0, err
	}
	return len(reading) + len(sending), move(ctx, tx, jobID, jobs.Counts{jobs.Sending: -pending, jobs.InDoubt: pending})
}
