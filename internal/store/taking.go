package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// taking takes batches from the jobs of one turn.
type taking struct {
	store   *Store
	tx      *sql.Tx
	appID   string
	command tim.Command
	now     sendingNow
	until   int64 // of the leases, unix milliseconds
	claims  []jobs.Claim
	emptied []string // jobs with a batch of which every account is protected: it needs no call
}

// from takes up to limit batches of a job.
func (t *taking) from(ctx context.Context, c candidate, limit int) error {
	if limit <= 0 {
		return nil
	}
	from := claimable[t.command]
	states := `state IN (` + from.states + `)`
	if t.now.probeAt > 0 {
		states = `(` + states + ` OR ` + recovering + `)`
	}
	var state jobs.State
	var gate int64
	err := t.tx.QueryRowContext(ctx, `UPDATE jobs SET claimed_at = $2 WHERE id = $1 AND (`+begun+` OR start_at <= $3) AND `+states+` RETURNING state, gate`,
		c.id, t.now.micros, t.now.millis()).Scan(&state, &gate)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	var busy map[string]struct{}
	if c.shares {
		crowded := false
		if busy, crowded, err = t.inFlightElsewhere(ctx, c.id); err != nil || crowded {
			return err
		}
	}
	if gate == 0 {
		gate = math.MaxInt64
	}
	var taken []jobs.Claim
	for round := 0; round < overlapRounds && len(taken) < limit; round++ {
		some, left, err := t.take(ctx, c.id, gate, limit-len(taken), busy)
		if err != nil {
			return err
		}
		taken = append(taken, some...)
		if left == 0 {
			break
		}
	}
	if err := t.writeDown(ctx, c.id, taken); err != nil {
		return err
	}
	if len(taken) > 0 && state == jobs.Queued {
		_, err = t.tx.ExecContext(ctx, `UPDATE jobs SET state = 'running' WHERE id = $1 AND state = 'queued'`, c.id)
	}
	return err
}

// take claims batches and returns those that are to be sent, and how many had
// to be left for later because another job has their accounts in flight.
func (t *taking) take(ctx context.Context, jobID string, gate int64, limit int, busy map[string]struct{}) (taken []jobs.Claim, left int, err error) {
	from := claimable[t.command]
	to := from.outcome
	if to == jobs.Waiting {
		to = jobs.Sending
	}
	order := `first`
	if t.now.probeAt > 0 { // one that failed may fail whatever the service does
		order = `tries, first`
	}
	type batch struct{ size, pending int64 }
	sizes := map[int64]batch{}
	claims, err := collect(ctx, t.tx, func(row scanner) (c jobs.Claim, err error) {
		c = jobs.Claim{JobID: jobID, Command: t.command, Random: rand.Uint32()}
		var b batch
		err = row.Scan(&c.First, &b.size, &c.Batch, &b.pending, &c.Tries, &c.LastCode, &c.Call)
		sizes[c.First] = b
		return c, err
	}, `
		UPDATE batches SET outcome = $2, lease = CAST($3 AS TEXT) || '-' || CAST(first AS TEXT), lease_until = $4
		WHERE job_id = $1 AND outcome = $5 AND lease_until = 0 AND first IN (
			SELECT first FROM batches WHERE job_id = $1 AND outcome = $5 AND lease_until = 0 AND ask = 0 AND first <= $9
				AND NOT (not_before BETWEEN $6 AND $7) ORDER BY `+order+` LIMIT $8)
		RETURNING first, size, number, pending, tries, code, lease`,
		jobID, to, newID(time.UnixMilli(t.now.millis())), t.until, from.outcome, t.now.millis()+1, t.now.after(farAhead), limit, gate)
	if err != nil || len(claims) == 0 {
		return nil, 0, err
	}
	plan, err := plannedBatches(ctx, t.tx, jobID, claims)
	if err != nil {
		return nil, 0, err
	}
	protected, err := t.protected(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, c := range claims {
		planned := plan[c.Batch]
		if err := pendingOf(ctx, t.tx, &c, planned, sizes[c.First].size, sizes[c.First].pending); err != nil {
			return nil, 0, err
		}
		if isAny(c.Accounts, busy) {
			left++
			if err := t.leave(ctx, c); err != nil {
				return nil, 0, err
			}
			continue
		}
		if err := setAsideProtected(ctx, t.tx, &c, planned.Accounts, protected, t.now.millis()); err != nil {
			return nil, 0, err
		}
		if len(c.Accounts) == 0 {
			_, err := t.tx.ExecContext(ctx, `UPDATE batches SET outcome = 'cancelled', lease = '', lease_until = 0, settled_at = $3 WHERE job_id = $1 AND first = $2`,
				jobID, c.First, t.now.millis())
			if err != nil {
				return nil, 0, err
			}
			t.emptied = append(t.emptied, jobID)
			continue
		}
		if err := t.recall(ctx, &c, sizes[c.First].size < int64(len(planned.Accounts))); err != nil {
			return nil, 0, err
		}
		taken = append(taken, c)
	}
	return taken, left, nil
}

func (t *taking) protected(ctx context.Context) (map[string]struct{}, error) {
	if t.command != tim.RemoveAllTags {
		return nil, nil
	}
	protected, _, err := t.store.protectedSet(ctx, t.tx, t.appID)
	return protected, err
}

// writeDown keeps the intent of the calls, and that their accounts are in flight.
func (t *taking) writeDown(ctx context.Context, jobID string, taken []jobs.Claim) error {
	var pending int64
	var ledger []any
	for _, c := range taken {
		pending += int64(len(c.Accounts))
		ledger = append(ledger, c.Call, jobID, c.Batch, c.First, len(c.Accounts), t.command, int64(c.Random), "intended", t.now.millis())
	}
	t.claims = append(t.claims, taken...)
	if err := insertAll(ctx, t.tx, `calls (id, job_id, batch, first, accounts, command, random, delivery, sent_at)`, 9, ledger); err != nil {
		return err
	}
	if t.command != tim.RemoveAllTags || pending == 0 {
		return nil
	}
	return move(ctx, t.tx, jobID, jobs.Counts{jobs.Waiting: -pending, jobs.Sending: pending})
}

// recall gives a claim what earlier calls of its batch have shown.
func (t *taking) recall(ctx context.Context, c *jobs.Claim, part bool) error {
	if c.Command == tim.GetTags {
		first, last := c.Accounts[0].Seq, c.Accounts[len(c.Accounts)-1].Seq
		type read struct {
			seq  int64
			tags []string
		}
		known, err := collect(ctx, t.tx, func(row scanner) (r read, err error) {
			var tags string
			if err = row.Scan(&r.seq, &tags); err == nil {
				err = json.Unmarshal([]byte(tags), &r.tags)
			}
			return r, err
		}, `SELECT seq, tags FROM read_tags WHERE job_id = $1 AND seq BETWEEN $2 AND $3`, c.JobID, first, last)
		if err != nil {
			return err
		}
		for _, r := range known {
			if c.Known == nil {
				c.Known = map[int64][]string{}
			}
			c.Known[r.seq] = r.tags
		}
	}
	if !part {
		return nil
	}
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
	// Parts that went through, wholly or but for single accounts; of one that was read back, also those that are to be sent again.
	firstOf := (c.Batch-1)*jobs.BatchSize + 1
	return t.tx.QueryRowContext(ctx, `
		SELECT (SELECT COUNT(*) FROM batches WHERE job_id = $1 AND first BETWEEN $2 AND $3 AND (outcome = 'cleared' OR outcome IN ('waiting', 'sending') AND $4 = 1))
			+ (SELECT COUNT(*) FROM own_outcomes WHERE job_id = $1 AND seq BETWEEN $2 AND $3 AND outcome = 'cleared')`,
		c.JobID, firstOf, firstOf+jobs.BatchSize-1, number(c.Command == tim.GetTags)).Scan(&c.Accepted)
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
