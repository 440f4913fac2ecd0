package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// What a claim is told of its batch: which accounts it is for, and how earlier
// calls went.

// recallParts gives a claim that is a part of a batch what earlier calls of the
// whole have shown.
func (t *taking) recallParts(ctx context.Context, c *jobs.Claim) error {
	type count struct{ code, calls int }
	refused, err := collect(ctx, t.tx, func(row scanner) (n count, err error) { return n, row.Scan(&n.code, &n.calls) },
		`SELECT code, COUNT(*) FROM calls WHERE job_id = $1 AND batch = $2 AND code <> 0 AND command = $3 GROUP BY code`, c.JobID, c.Batch, c.Command)
	if err != nil || len(refused) == 0 {
		return err
	}
	for _, n := range refused {
		if class := tim.RuleOf(n.code).Class; class == tim.Account || class == tim.Split {
			c.Refused += n.calls
		}
	}
	// Parts that went through, wholly or but for single accounts; of a reading, also those that were read and are to be sent.
	through := `outcome = $4`
	if c.Command == tim.GetTags {
		through = `(` + through + ` OR outcome IN ('waiting', 'sending') AND next <> 'get_tags')`
	}
	firstOf := (c.Batch-1)*jobs.BatchSize + 1
	return t.tx.QueryRowContext(ctx, `
		SELECT (SELECT COUNT(*) FROM batches WHERE job_id = $1 AND first BETWEEN $2 AND $3 AND `+through+`)
			+ (SELECT COUNT(*) FROM own_outcomes WHERE job_id = $1 AND seq BETWEEN $2 AND $3 AND outcome = $4)`,
		c.JobID, firstOf, firstOf+jobs.BatchSize-1, c.Kind.Done()).Scan(&c.Accepted)
}

// settledOf gives a verification the accounts of its batch that were changed,
// those with an outcome of their own included.
func settledOf(ctx context.Context, tx *sql.Tx, c *jobs.Claim, planned jobs.PlannedBatch, size int64) error {
	type own struct {
		seq     int64
		outcome jobs.Outcome
	}
	settled, err := collect(ctx, tx, func(row scanner) (o own, err error) { return o, row.Scan(&o.seq, &o.outcome) },
		`SELECT seq, outcome FROM own_outcomes WHERE job_id = $1 AND seq >= $2 AND seq < $3`, c.JobID, c.First, c.First+size)
	if err != nil {
		return err
	}
	outcomes := map[int64]jobs.Outcome{}
	for _, o := range settled {
		outcomes[o.seq] = o.outcome
	}
	for i, p := range planned.Accounts {
		seq := planned.First() + int64(i)
		outcome, own := outcomes[seq]
		if !own {
			outcome = c.Was
		}
		if seq >= c.First && seq < c.First+size && outcome == c.Kind.Done() { // at least one, see settlePart
			c.Accounts = append(c.Accounts, jobs.Pending{Seq: seq, Account: p.Account})
		}
	}
	return nil
}

// pendingOf gives a claim the accounts of its batch that have no outcome of their own.
func pendingOf(ctx context.Context, tx *sql.Tx, c *jobs.Claim, planned jobs.PlannedBatch, size, pending int64) error {
	own := map[int64]bool{}
	if pending != size {
		settled, err := collect(ctx, tx, func(row scanner) (seq int64, err error) { return seq, row.Scan(&seq) },
			`SELECT seq FROM own_outcomes WHERE job_id = $1 AND seq >= $2 AND seq < $3`, c.JobID, c.First, c.First+size)
		if err != nil {
			return err
		}
		for _, seq := range settled {
			own[seq] = true
		}
	}
	for i, p := range planned.Accounts {
		if seq := planned.First() + int64(i); seq >= c.First && seq < c.First+size && !own[seq] {
			c.Accounts = append(c.Accounts, jobs.Pending{Seq: seq, Account: p.Account})
		}
	}
	if int64(len(c.Accounts)) != pending {
		return fmt.Errorf("store: batch %d of job %s has %d pending accounts and counts %d", c.First, c.JobID, len(c.Accounts), pending)
	}
	return nil
}

// plannedBatches returns the batches of the plan that claims are parts of, by number.
func plannedBatches(ctx context.Context, tx *sql.Tx, jobID string, claims []jobs.Claim) (map[int64]jobs.PlannedBatch, error) {
	byNumber := func(a, b jobs.Claim) int { return cmp.Compare(a.Batch, b.Batch) }
	least, most := slices.MinFunc(claims, byNumber).Batch, slices.MaxFunc(claims, byNumber).Batch
	plan := map[int64]jobs.PlannedBatch{}
	if most-least < int64(2*len(claims)) { // mostly they stand side by side
		all, err := collect(ctx, tx, scanPlanned, `SELECT number, accounts FROM planned_batches WHERE job_id = $1 AND number BETWEEN $2 AND $3`, jobID, least, most)
		for _, b := range all {
			plan[b.Number] = b
		}
		return plan, err
	}
	for _, c := range claims {
		if _, known := plan[c.Batch]; known {
			continue
		}
		b, err := scanPlanned(tx.QueryRowContext(ctx, `SELECT number, accounts FROM planned_batches WHERE job_id = $1 AND number = $2`, jobID, c.Batch))
		if err != nil {
			return nil, fmt.Errorf("store: batch %d of job %s: %w", c.Batch, jobID, err)
		}
		plan[c.Batch] = b
	}
	return plan, nil
}
