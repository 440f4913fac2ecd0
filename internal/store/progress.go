package store

import (
	"context"
	"database/sql"
	"fmt"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// progress is what decides whether a job has ended, or may go further.
type progress struct {
	state   jobs.State
	halted  int   // the code for which it is
	open    int64 // accounts
	gate    int64
	settled int64 // since failures were last judged
	failed  int64
	limit   int // of the job, percent; 0: the app's

	verify int64 // batches that are still to be read again
}

const progressColumns = `state, halt_code, outcome_waiting + outcome_sending + outcome_in_doubt, gate,
	accounts - outcome_waiting - outcome_sending - outcome_in_doubt - outcome_cancelled - checked_done, outcome_failed - checked_failed, failure_limit, verify_left`

func scanProgress(row scanner) (p progress, err error) {
	return p, row.Scan(&p.state, &p.halted, &p.open, &p.gate, &p.settled, &p.failed, &p.limit, &p.verify)
}

// advance ends a job of which no account is open any more; else it judges its
// failures. It is called last in a transaction that has settled accounts.
func (s *Store) advance(ctx context.Context, tx *sql.Tx, jobID string) error {
	p, err := scanProgress(tx.QueryRowContext(ctx, `SELECT `+progressColumns+` FROM jobs WHERE id = $1`, jobID))
	if err != nil {
		return err
	}
	return s.advanceFrom(ctx, tx, jobID, p)
}

func (s *Store) advanceFrom(ctx context.Context, tx *sql.Tx, jobID string, p progress) error {
	if p.open == 0 && p.verify > 0 {
		return nil
	}
	if p.open == 0 {
		_, err := s.finish(ctx, tx, jobID)
		return err
	}
	// One that waits for the service is judged too: behind a gate that stays
	// closed there would be nothing to probe with.
	running := p.state == jobs.Queued || p.state == jobs.Running || p.state == jobs.Halted && jobs.Recovers(p.halted)
	for running && (p.gate > 0 || p.settled > 0) {
		verdict, err := s.judge(ctx, tx, jobID, &p)
		switch {
		case err != nil || verdict == jobs.NotYet:
			return err
		case verdict == jobs.TooMany:
			return s.haltFailing(ctx, tx, jobID, p)
		}
		// What is counted from here on was not judged yet.
		_, err = tx.ExecContext(ctx, `UPDATE jobs SET gate = $2, checked_done = checked_done + $3, checked_failed = checked_failed + $4 WHERE id = $1`,
			jobID, jobs.NextGate(p.gate), p.settled, p.failed)
		if err != nil {
			return err
		}
		p.gate, p.settled, p.failed = jobs.NextGate(p.gate), 0, 0
	}
	return nil
}

// judge leaves out of the counts what would make too many of a few failures.
func (s *Store) judge(ctx context.Context, tx *sql.Tx, jobID string, p *progress) (jobs.Verdict, error) {
	f := jobs.Failures{Settled: p.settled, Failed: p.failed, Gate: p.gate, Limit: p.limit}
	if f.Limit == 0 && f.Failed > 0 {
		err := tx.QueryRowContext(ctx, `SELECT a.failure_limit FROM jobs j JOIN apps a ON a.id = j.app_id WHERE j.id = $1`, jobID).Scan(&f.Limit)
		if err != nil {
			return jobs.NotYet, err
		}
	}
	if p.gate > 0 {
		err := tx.QueryRowContext(ctx, `
			SELECT NOT EXISTS (SELECT 1 FROM batches WHERE job_id = $1 AND outcome IN ('waiting', 'sending', 'in_doubt') AND first <= $2)`,
			jobID, p.gate).Scan(&f.GateSettled)
		if err != nil {
			return jobs.NotYet, err
		}
	}
	if verdict := f.Judge(); verdict != jobs.TooMany {
		return verdict, nil
	}
	settled, failed, err := early(ctx, tx, jobID)
	p.settled, p.failed = max(0, f.Settled-settled), max(0, f.Failed-failed)
	f.Settled, f.Failed = p.settled, p.failed
	return f.Judge(), err
}

// early counts the accounts that the reading alone has settled, in batches whose
// other accounts are still to be changed. Most that fail do so there, and those
// that do not take longer: counted before the others, a few failures would seem
// to be a large share. What waits to be read again comes before what was never read.
func early(ctx context.Context, tx *sql.Tx, jobID string) (settled, failed int64, err error) {
	err = tx.QueryRowContext(ctx, `
		SELECT CAST(COALESCE(SUM(size - pending), 0) AS BIGINT), CAST(COALESCE(SUM((
			SELECT COUNT(*) FROM own_outcomes o WHERE o.job_id = $1 AND o.seq >= p.first AND o.seq < p.first + p.size AND o.outcome = 'failed')), 0) AS BIGINT)
		FROM (
			SELECT b.first, b.size, b.pending FROM batches b WHERE b.job_id = $1 AND b.lease_until > 0 AND b.outcome IN ('waiting', 'sending')
			UNION ALL SELECT b.first, b.size, b.pending FROM jobs j JOIN batches b ON b.job_id = j.id WHERE j.id = $1 AND `+wereRead(`j`)+`
			UNION ALL SELECT first, size, pending FROM (
				SELECT b.first, b.size, b.pending FROM batches b WHERE b.job_id = $1 AND `+planning.where()+` ORDER BY `+planning.order()+` LIMIT $2) AS again) AS p
		WHERE p.pending < p.size`, jobID, 2*readAhead).Scan(&settled, &failed)
	return settled, failed, err
}

// haltFailing stops a job because too many of its accounts failed.
func (s *Store) haltFailing(ctx context.Context, tx *sql.Tx, jobID string, p progress) error {
	return s.haltJob(ctx, tx, jobID, jobs.CodeFailures, fmt.Sprintf("%d/%d", p.failed, p.settled), "")
}

// haltJob stops one job for a reason of its own; call is the one that showed it, "" for none.
func (s *Store) haltJob(ctx context.Context, tx *sql.Tx, jobID string, code int, info, call string) error {
	_, err := tx.ExecContext(ctx, `UPDATE jobs SET state = 'halted', halt_code = $2, halt_info = $3, version = version + 1 WHERE id = $1`, jobID, code, clean(info, 500))
	if err != nil {
		return err
	}
	j, err := job(ctx, tx, jobID)
	if err != nil {
		return err
	}
	return s.record(ctx, tx, haltEntry(j, call))
}

// forgive lets a job that halted for its failures go on: counting starts anew,
// and the gate moves on.
func (s *Store) forgive(ctx context.Context, tx *sql.Tx, j jobs.Job) error {
	p, err := scanProgress(tx.QueryRowContext(ctx, `SELECT `+progressColumns+` FROM jobs WHERE id = $1`, j.ID))
	if err != nil {
		return err
	}
	var appLimit int
	if err := tx.QueryRowContext(ctx, `SELECT failure_limit FROM apps WHERE id = $1`, j.AppID).Scan(&appLimit); err != nil {
		return err
	}
	limit := p.limit
	if raised := (jobs.Failures{Settled: p.settled, Failed: p.failed}).Raised(appLimit); raised > 0 {
		limit = raised
	}
	_, err = tx.ExecContext(ctx, `UPDATE jobs SET gate = $2, checked_done = checked_done + $3, checked_failed = checked_failed + $4, failure_limit = $5 WHERE id = $1`,
		j.ID, jobs.NextGate(p.gate), p.settled, p.failed, limit)
	return err
}

// firstGate makes the first gates of a job's first batch batches of their own.
func firstGate(ctx context.Context, tx *sql.Tx, jobID string, next tim.Command) error {
	var size int64
	if err := tx.QueryRowContext(ctx, `SELECT size FROM batches WHERE job_id = $1 AND first = 1`, jobID).Scan(&size); err != nil {
		return err
	}
	first := int64(1)
	for _, gate := range jobs.Gates {
		last := min(gate, size)
		if first > last {
			break
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO batches (job_id, first, size, number, pending, outcome, next) VALUES ($1, $2, $3, 1, $3, 'waiting', $4)
			ON CONFLICT (job_id, first) DO UPDATE SET size = excluded.size, pending = excluded.pending`, jobID, first, last-first+1, next)
		if err != nil {
			return err
		}
		first = last + 1
	}
	_, err := tx.ExecContext(ctx, `UPDATE jobs SET gate = $2 WHERE id = $1`, jobID, jobs.Gates[0])
	return err
}
