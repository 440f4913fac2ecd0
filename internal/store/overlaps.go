package store

import (
	"context"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// Two jobs never change the same account at the same time, nor does one change
// it between another's reading and change: while one sends it, is in doubt
// whether it did, or has read it to change it next, the other leaves the batch
// for a second later. It does not wait for a person: accounts in doubt that nobody
// reads back before one acts are in flight only until their lost call can no
// longer take effect.
const (
	overlapRounds = 4     // how often a claim looks further when batches had to be left
	overlapWait   = 1000  // milliseconds
	overlapMost   = 1_000 // batches of the others; with more in flight, a job waits
)

// others are the batches b of jobs o, not ended, that share accounts with the job $1.
const others = `
		SELECT b.first, b.size, p.number, p.accounts FROM (
			SELECT other_id AS id FROM shared_accounts WHERE job_id = $1
			UNION SELECT job_id FROM shared_accounts WHERE other_id = $1) AS s
		JOIN jobs o ON o.id = s.id AND o.finished_at = 0
		JOIN batches b ON b.job_id = o.id
		JOIN planned_batches p ON p.job_id = b.job_id AND p.number = b.number
		WHERE `

// inFlightQuery finds at most $2 batches of jobs that share accounts with the job
// $1: those they send, are in doubt about when $3 is 1, and have read or are
// reading to change them when $4 is. It is $5, and no wait is longer than until $6.
var inFlightQuery = others + `b.lease_until > 0 AND (b.outcome = 'sending' OR b.outcome = 'in_doubt' AND b.ask = 0 AND $3 = 1
				OR b.outcome = 'waiting' AND o.kind <> 'inspect' AND $4 = 1)
		UNION ALL` + others + `$3 = 1 AND ` + readBack.where() + ` AND b.ask = 0
			AND (o.state IN (` + claimable(tim.GetTags) + `) OR o.` + recovering + ` OR b.not_before BETWEEN CAST($5 AS BIGINT) + 1 AND $6)
		UNION ALL` + others + `$4 = 1 AND o.kind <> 'inspect' AND (o.kind <> 'clear' OR o.snapshot = 1) AND ` + wereRead(`o`) + ` AND ` + isFresh(`CAST($5 AS BIGINT)`) + `
		LIMIT $2`

// inFlightElsewhere returns the accounts that other jobs of the app with
// accounts of this one have in flight; crowded when there are too many. Reading
// back waits only for those that send. What others have only read keeps from
// reading, and from changing without having read: of two that had read the same,
// neither could go on.
func (t *taking) inFlightElsewhere(ctx context.Context, j jobTaken, e errand) (busy map[string]struct{}, crowded bool, err error) {
	type inFlight struct {
		first, size int64
		plan        jobs.PlannedBatch
	}
	batches, err := collect(ctx, t.tx, func(row scanner) (f inFlight, err error) {
		var text string
		var number int64
		if err = row.Scan(&f.first, &f.size, &number, &text); err == nil {
			f.plan, err = jobs.ReadPlannedBatch(number, text)
		}
		return f, err
	}, inFlightQuery,
		j.JobID, overlapMost+1, number(e != readBack), number(e == planning || e != readBack && !j.readsFirst()), t.now.millis(), t.now.after(farAhead))
	if err != nil || len(batches) > overlapMost {
		return nil, err == nil, err
	}
	busy = map[string]struct{}{}
	for _, f := range batches {
		from := f.first - f.plan.First()
		for _, p := range f.plan.Accounts[from : from+f.size] {
			busy[p.Account] = struct{}{}
		}
	}
	return busy, false, nil
}

func isAny(accounts []jobs.Pending, of map[string]struct{}) bool {
	if len(of) == 0 {
		return false
	}
	for _, p := range accounts {
		if _, is := of[p.Account]; is {
			return true
		}
	}
	return false
}

// leave gives a batch back that was taken, as it was, for a little later.
func (t *taking) leave(ctx context.Context, c jobs.Claim) error {
	_, err := t.tx.ExecContext(ctx, `UPDATE batches SET outcome = $3, lease = '', lease_until = 0, not_before = $4 WHERE job_id = $1 AND first = $2`,
		c.JobID, c.First, c.Was, t.now.millis()+overlapWait)
	return err
}
