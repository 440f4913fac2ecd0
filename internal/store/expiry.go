package store

import (
	"context"
	"database/sql"
	"math"
	"time"

	"tagsweep/internal/jobs"
)

const (
	// longestCall is how long a call may be under way.
	longestCall = 10 * time.Second
	// soonExpired is how soon after its end a lease is looked at, if consoles run.
	soonExpired = 30 * time.Second
)

// Expire implements jobs.Store. A lease that lies further ahead than any lasts
// has ended: the clock was set back. What was read longer ago than it may be, is
// to be read again. It fails also when there is nothing to expire and nothing
// could be written.
func (s *Store) Expire(ctx context.Context, appID string, all bool, readBackAfter time.Duration) (expired int, err error) {
	past := int64(0)
	if all {
		past = math.MaxInt64 / 2
	}
	if !s.postgres { // where who reads does not see that another program holds the file
		if err := s.tx(ctx, func(*sql.Tx) error { return nil }); err != nil {
			return 0, err
		}
	}
	// Without a lock first, since mostly there are none.
	held, err := collect(ctx, s.read, func(row scanner) (id string, err error) { return id, row.Scan(&id) },
		s.heldQuery(), appID, past+1, farAhead.Milliseconds())
	for _, id := range held {
		if err == nil {
			err = s.tx(ctx, func(tx *sql.Tx) error {
				n, err := s.expireJob(ctx, tx, id, past, all, readBackAfter)
				expired += n
				return err
			})
		}
	}
	if err == nil {
		err = s.readAgain(ctx, appID)
	}
	return expired, asTrouble(err)
}

// heldQuery finds the jobs of the app $1 with leases that have ended.
func (s *Store) heldQuery() string {
	return `
		SELECT DISTINCT b.job_id FROM jobs j JOIN batches b ON b.job_id = j.id
		WHERE j.app_id = $1 AND j.finished_at = 0 AND b.lease_until > 0
			AND NOT (b.lease_until BETWEEN ` + s.clock + ` / 1000 + $2 AND ` + s.clock + ` / 1000 + $3)
		ORDER BY b.job_id`
}

// readAgain lets what was read be read again when it may no longer be so.
func (s *Store) readAgain(ctx context.Context, appID string) error {
	in, err := collect(ctx, s.read, func(row scanner) (id string, err error) { return id, row.Scan(&id) }, s.staleQuery(), appID)
	for _, id := range in {
		if err == nil {
			err = s.tx(ctx, func(tx *sql.Tx) error {
				if _, err := tx.ExecContext(ctx, `UPDATE jobs SET version = version + 1 WHERE id = $1`, id); err != nil {
					return err
				}
				_, err := tx.ExecContext(ctx, `UPDATE batches SET next = 'get_tags', read_at = 0, change = NULL WHERE job_id = $1 AND first IN (
					SELECT b.first FROM jobs j JOIN batches b ON b.job_id = j.id WHERE j.id = $1 AND `+s.stale()+`)`, id)
				return err
			})
		}
	}
	return err
}

// stale says of a batch b of a job j that its tags were read too long ago.
func (s *Store) stale() string {
	return wereRead(`j`) + ` AND NOT (` + isFresh(s.clock+` / 1000`) + `)`
}

// staleQuery finds the jobs of the app $1 that have such batches.
func (s *Store) staleQuery() string {
	return `
		SELECT j.id FROM jobs j WHERE j.app_id = $1 AND j.finished_at = 0 AND j.outcome_waiting > 0 AND ` + readsFirst + `
			AND j.state NOT IN ('draft', 'reading') AND ` + has(s.stale(), `b.number, b.first`) + ` ORDER BY j.id`
}

func (s *Store) expireJob(ctx context.Context, tx *sql.Tx, jobID string, past int64, all bool, readBackAfter time.Duration) (int, error) {
	var micros int64
	var state jobs.State
	if err := tx.QueryRowContext(ctx, `UPDATE jobs SET version = version + 1 WHERE id = $1 RETURNING state, `+s.clock, jobID).Scan(&state, &micros); err != nil {
		return 0, err
	}
	now := momentOf(micros)
	ended, far := now.millis()+past, now.after(farAhead)
	// Reading changes nothing, so one without an answer may be made again at once.
	type held struct {
		lease   string
		pending int64
	}
	collectHeld := func(query string, args ...any) ([]held, error) {
		return collect(ctx, tx, func(row scanner) (h held, err error) { return h, row.Scan(&h.lease, &h.pending) }, query, args...)
	}
	reading, err := collectHeld(`
		UPDATE batches SET lease_until = 0
		WHERE job_id = $1 AND outcome <> 'sending' AND lease_until > 0 AND (lease_until <= $2 OR lease_until > $3) RETURNING lease, pending`,
		jobID, ended, far)
	if err != nil {
		return 0, err
	}
	// A lease is longer than a call, so when another console's has just ended, that
	// died, there is no need to wait longer. Of one of our own, or that seems to
	// have ended long ago, it is not known how old its call is: the clock may have
	// been set.
	just, later := now.after(-soonExpired), now.after(longestCall+readBackAfter)
	soon := later
	switch {
	case all: // by a process that is no more
		soon, later = now.after(readBackAfter), now.after(readBackAfter)
	case s.postgres:
		soon = 0
	}
	// What was tried before this call is over: a person who resumes takes back its
	// waits, and must not take back this one.
	sending, err := collectHeld(`
		UPDATE batches SET outcome = 'in_doubt', next = 'get_tags', read_at = 0, change = NULL, touched = 1, lease_until = 0, tries = 0, not_before = CASE WHEN lease_until BETWEEN $4 AND $2 THEN CAST($5 AS BIGINT) ELSE CAST($6 AS BIGINT) END
		WHERE job_id = $1 AND outcome = 'sending' AND (lease_until <= $2 OR lease_until > $3) RETURNING lease, pending`,
		jobID, ended, far, just, soon, later)
	if err != nil {
		return 0, err
	}
	var pending int64
	for _, h := range sending {
		pending += h.pending
	}
	for _, h := range append(reading, sending...) {
		_, err := tx.ExecContext(ctx, `
			UPDATE calls SET delivery = 'lost', duration = CASE WHEN sent_at < $2 THEN ($2 - sent_at) * 1000 ELSE 0 END
			WHERE id = $1 AND delivery = 'intended'`, h.lease, now.millis())
		if err != nil {
			return 0, err
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE jobs SET calls = calls + $2 WHERE id = $1`, jobID, len(reading)+len(sending)); err != nil {
		return 0, err
	}
	if state == jobs.Cancelled { // what was being read is read no more
		j, err := job(ctx, tx, jobID)
		if err == nil {
			err = s.cancelWaiting(ctx, tx, j)
		}
		if err != nil {
			return 0, err
		}
	}
	if err := move(ctx, tx, jobID, jobs.Counts{jobs.Sending: -pending, jobs.InDoubt: pending}); err != nil {
		return 0, err
	}
	return len(reading) + len(sending), s.advance(ctx, tx, jobID)
}
