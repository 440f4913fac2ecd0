package jobs

import (
	"context"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

// NeedsReview is how many accounts of a job wait in doubt for a person, and why.
type NeedsReview struct {
	Tagged     int64 // they have tags that were not there before
	Lost       int64 // every call for them has stayed without an answer
	Unreadable int64 // the service does not let their tags be read
	Code       int   // why not
}

// Sum counts them all.
func (a NeedsReview) Sum() int64 { return a.Tagged + a.Lost + a.Unreadable }

// needsReview are the batches of a job that wait for a person.
const needsReview = `job_id = $1 AND outcome = 'in_doubt' AND ask = 1`

// NeedsReview counts the accounts of a job that wait for a person.
func (s *Jobs) NeedsReview(ctx context.Context, jobID string) (a NeedsReview, err error) {
	asked, err := store.Sums[int](ctx, s.db.Reader(),
		`SELECT code, CAST(SUM(accounts) AS BIGINT) FROM batches WHERE `+needsReview+` GROUP BY code`, store.Clean(jobID, 100))
	for code, n := range asked {
		switch code {
		case 0:
			a.Tagged = n
		case CodeLost:
			a.Lost = n
		default:
			if a.Unreadable += n; a.Code == 0 || code > a.Code {
				a.Code = code
			}
		}
	}
	return a, err
}

// decided says what becomes of batches that waited for a person.
var decided = map[Decision]Outcome{Retry: Waiting, Leave: Failed, ReadBack: InDoubt}

// Decide settles, for all accounts of a job that wait for a person, what becomes
// of them, and returns how many.
func (s *Jobs) Decide(ctx context.Context, by audit.Actor, jobID string, d Decision) (accounts int64, err error) {
	jobID = store.Clean(jobID, 100)
	if _, known := decided[d]; !known {
		return 0, FaultDecision.With()
	}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		c, err := s.begin(ctx, tx, jobID)
		if err == nil {
			err = s.permitted(ctx, c, by, SendAgain)
		}
		if err != nil {
			return err
		}
		accounts, err = s.decide(ctx, c, by, d)
		return err
	})
	return accounts, err
}

func (s *Jobs) decide(ctx context.Context, c *change, by audit.Actor, d Decision) (accounts int64, err error) {
	tx, jobID, to := c.tx, c.was.ID, decided[d]
	if d == Retry {
		if c.was.State == Cancelled {
			return 0, FaultDecision.With()
		}
		if err := s.agree(ctx, c, by, SendAgain); err != nil {
			return 0, err
		}
	}
	if err := s.void(ctx, tx, jobID, s.db.Now()); err != nil {
		return 0, err
	}
	code, settledAt := 0, int64(0)
	if to == Failed {
		code, settledAt = CodeLeft, store.Millis(s.db.Now())
	}
	some, err := store.Column[int64](ctx, tx, `
		UPDATE batches SET ask = 0, lost = 0, not_before = 0, message = '', outcome = $2, code = $3, settled_at = $4
		WHERE `+needsReview+` RETURNING accounts`, jobID, to, code, settledAt)
	if err != nil {
		return 0, err
	}
	if len(some) == 0 {
		return 0, FaultNothingAsked.With()
	}
	for _, n := range some {
		accounts += n
	}
	m := moves{job: jobID, by: Counts{}}
	if to != InDoubt {
		m.by = Counts{InDoubt: -accounts, to: accounts}
	}
	m.byPerson = m.by[Failed]
	p, err := m.write(ctx, tx)
	if err != nil {
		return 0, err
	}
	followed, err := s.follow(ctx, tx, c.was, p)
	if err != nil {
		return 0, err
	}
	c.details["decision"], c.details["accounts"] = d, accounts
	entries := append(c.before, c.entry(audit.JobDecided, by, c.details))
	return accounts, s.log.RecordIn(ctx, tx, append(entries, followed...)...)
}
