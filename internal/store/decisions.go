package store

import (
	"context"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
)

// Asked is how many accounts of a job wait in doubt for a person, and why.
type Asked struct {
	Tagged     int64 // they have tags that were not there before
	Lost       int64 // every call for them has stayed without an answer
	Unreadable int64 // the service does not let their tags be read
	Code       int   // why not
}

// Sum counts them all.
func (a Asked) Sum() int64 { return a.Tagged + a.Lost + a.Unreadable }

// asking are the batches of a job that wait for a person.
const asking = `job_id = $1 AND outcome = 'in_doubt' AND ask = 1`

// Asked counts the accounts of a job that wait for a person.
func (s *Store) Asked(ctx context.Context, jobID string) (a Asked, err error) {
	type asked struct {
		code int
		n    int64
	}
	all, err := Collect(ctx, s.read, func(row Scanner) (r asked, err error) { return r, row.Scan(&r.code, &r.n) },
		`SELECT code, CAST(SUM(accounts) AS BIGINT) FROM batches WHERE `+asking+` GROUP BY code ORDER BY code`, Clean(jobID, 100))
	for _, r := range all {
		switch r.code {
		case 0:
			a.Tagged += r.n
		case jobs.CodeLost:
			a.Lost += r.n
		default:
			a.Unreadable += r.n
			a.Code = r.code
		}
	}
	return a, AsTrouble(err)
}

// decided says what becomes of batches that waited for a person.
var decided = map[jobs.Decision]jobs.Outcome{jobs.Again: jobs.Waiting, jobs.Leave: jobs.Failed, jobs.ReadBack: jobs.InDoubt}

// Decide settles, for all accounts of a job that wait for a person, what becomes
// of them, and returns how many.
func (s *Store) Decide(ctx context.Context, by audit.Actor, jobID string, d jobs.Decision) (accounts int64, err error) {
	jobID = Clean(jobID, 100)
	to, known := decided[d]
	if !known {
		return 0, jobs.FaultDecision.With()
	}
	err = s.tx(ctx, func(tx *Tx) error {
		if err := lockApp(ctx, tx, jobID); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE jobs SET version = version + 1 WHERE id = $1`, jobID); err != nil {
			return err
		}
		j, err := job(ctx, tx, jobID)
		if err != nil {
			return err
		}
		if d == jobs.Again && j.State == jobs.Cancelled {
			return jobs.FaultDecision.With()
		}
		code, settledAt := 0, int64(0)
		if to == jobs.Failed {
			code, settledAt = jobs.CodeLeft, millis(s.now())
		}
		some, err := Collect(ctx, tx, func(row Scanner) (n int64, err error) { return n, row.Scan(&n) }, `
			UPDATE batches SET ask = 0, lost = 0, not_before = 0, message = '', outcome = $2, code = $3, settled_at = $4
			WHERE `+asking+` RETURNING accounts`, jobID, to, code, settledAt)
		if err != nil {
			return err
		}
		if len(some) == 0 {
			return jobs.FaultNothingAsked.With()
		}
		accounts = 0
		for _, n := range some {
			accounts += n
		}
		if to != jobs.InDoubt {
			err = s.MoveCounts(ctx, tx, jobID, jobs.Counts{jobs.InDoubt: -accounts, to: accounts}, 0)
		}
		if err == nil && to == jobs.Failed {
			err = failedByPerson(ctx, tx, jobID, accounts)
		}
		if err == nil {
			err = s.RecordIn(ctx, tx, audit.Entry{Code: audit.JobDecided, Actor: by, JobID: jobID, Details: map[string]any{"decision": d, "accounts": accounts}})
		}
		if err != nil {
			return err
		}
		return s.Advance(ctx, tx, jobID)
	})
	return accounts, err
}

// failedByPerson keeps accounts out of the share of failures: a person decided,
// not the service.
func failedByPerson(ctx context.Context, tx *Tx, jobID string, accounts int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE jobs SET checked_done = checked_done + $2, checked_failed = checked_failed + $2 WHERE id = $1`, jobID, accounts)
	return err
}
