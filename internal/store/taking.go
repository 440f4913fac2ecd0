package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
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
	keys    keys
	claims  []jobs.Claim
	emptied []string // jobs with a batch of which every account is protected: it needs no call
}

// jobTaken is a job that batches are taken from.
type jobTaken struct {
	jobs.Claim // what all claims of the job have in common
	shares     bool
	state      jobs.State
	gate       int64               // no account beyond it; there always is one
	open       int64               // accounts that wait or are being sent
	inDoubt    int64               // accounts
	toVerify   int64               // batches
	busy       map[string]struct{} // accounts that another job has in flight
}

// readsFirst reports whether the job reads tags before it changes them.
func (j jobTaken) readsFirst() bool { return j.Kind.First(j.Snapshot) == tim.GetTags }

// from takes up to limit batches of a job.
func (t *taking) from(ctx context.Context, c candidate, limit int) error {
	if limit <= 0 {
		return nil
	}
	states := `state IN (` + claimable(t.command) + `)`
	if t.now.probeAt > 0 {
		states = `(` + states + ` OR ` + recovering + `)`
	}
	j := jobTaken{shares: c.shares}
	var only string
	// Of two turns in one tick of the clock the second is the later one.
	err := t.tx.QueryRowContext(ctx, `UPDATE jobs SET claimed_at = COALESCE((
			SELECT MAX(o.claimed_at) + 1 FROM jobs o WHERE o.app_id = $4 AND o.finished_at = 0 AND o.claimed_at BETWEEN $2 AND `+ahead(`$2`)+`), $2)
		WHERE id = $1 AND (`+begun+` OR start_at <= $3) AND `+states+`
		RETURNING id, kind, policy, only_tags, snapshot = 1, state, `+gateOf+`,
			outcome_waiting + outcome_sending, outcome_in_doubt, verify_left`,
		c.id, t.now.micros, t.now.millis(), t.appID).Scan(&j.JobID, &j.Kind, &j.Policy, &only, &j.Snapshot, &j.state, &j.gate, &j.open, &j.inDoubt, &j.toVerify)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil && only != "" {
		err = json.Unmarshal([]byte(only), &j.Only)
	}
	var taken []jobs.Claim
	for _, e := range errands(t.command) {
		if err == nil && len(taken) < limit {
			taken, err = t.run(ctx, j, e, limit, taken)
		}
	}
	if err != nil {
		return err
	}
	if err := t.writeDown(ctx, c.id, taken); err != nil {
		return err
	}
	if len(taken) > 0 && j.state == jobs.Queued {
		_, err = t.tx.ExecContext(ctx, `UPDATE jobs SET state = 'running' WHERE id = $1 AND state = 'queued'`, c.id)
	}
	return err
}

// run takes batches for one errand until there are limit.
func (t *taking) run(ctx context.Context, j jobTaken, e errand, limit int, taken []jobs.Claim) ([]jobs.Claim, error) {
	limit, err := t.room(ctx, j, e, limit-len(taken))
	if err != nil || limit <= 0 {
		return taken, err
	}
	crowded := false
	if j.shares && e != verification && (e != planning || j.Kind != jobs.Inspect) { // those disturb nobody
		if j.busy, crowded, err = t.inFlightElsewhere(ctx, j, e); err != nil || crowded {
			return taken, err
		}
	}
	for round := 0; round < overlapRounds && limit > 0; round++ {
		some, left, err := t.take(ctx, j, e, limit)
		if err != nil {
			return nil, err
		}
		taken, limit = append(taken, some...), limit-len(some)
		if left == 0 {
			break
		}
	}
	return taken, nil
}

// room is how many batches of a job may be taken for an errand, at most limit.
func (t *taking) room(ctx context.Context, j jobTaken, e errand, limit int) (int, error) {
	var n int
	switch {
	case e == readBack && j.inDoubt == 0, e != readBack && j.state == jobs.Cancelled,
		e == verification && (j.toVerify == 0 || j.open > 0):
		return 0, nil
	case e == planning && j.Kind != jobs.Inspect:
		err := t.tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM batches b WHERE b.job_id = $1 AND `+
			errand{string(j.Kind.Command()), jobs.Waiting}.where()+` ORDER BY b.number, b.first LIMIT $2) AS ahead`, j.JobID, readAhead).Scan(&n)
		return min(limit, readAhead-n), err
	case e == verification && j.inDoubt > 0:
		err := t.tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM batches b WHERE b.job_id = $1 AND b.outcome = 'in_doubt' AND b.ask = 0 AND (`+
			readBack.where()+` OR b.lease_until > 0) LIMIT 1) AS unsettled`, j.JobID).Scan(&n)
		return limit * (1 - n), err
	}
	return limit, nil
}

// takeQuery claims batches of the job $1 with the lease $2 until $3: those up to
// the gate $4, if it is gated, whose tags were read from $5 to $6, but not those
// that wait from $7 to $8, and at most $9.
func takeQuery(e errand, probe bool) string {
	order, outcome := e.order(), `outcome`
	if probe { // one that failed may fail whatever the service does
		order = `b.tries, ` + order
	}
	if e.next != string(tim.GetTags) && e != verification {
		outcome = `'sending'`
	}
	within := `CAST($4 AS BIGINT) > 0`
	if e.gated() {
		within = upTo(`CAST($4 AS BIGINT)`)
	}
	return `
		UPDATE batches SET outcome = ` + outcome + `, lease = CAST($2 AS TEXT) || '-' || CAST(first AS TEXT), lease_until = $3
		WHERE job_id = $1 AND lease_until = 0 AND first IN (
			SELECT b.first FROM batches b WHERE b.job_id = $1 AND ` + e.where() + ` AND b.ask = 0 AND ` + within + `
				AND b.read_at BETWEEN $5 AND $6 AND NOT (b.not_before BETWEEN $7 AND $8) ORDER BY ` + order + ` LIMIT $9)
		RETURNING first, size, number, pending, tries, code, lease, outcome, touched = 1, lost, change`
}

// take claims batches and returns those that are to be sent, and how many had
// to be left for later because another job has their accounts in flight.
func (t *taking) take(ctx context.Context, j jobTaken, e errand, limit int) (taken []jobs.Claim, left int, err error) {
	from, until := int64(0), int64(math.MaxInt64) // when tags must have been read that are changed now
	if t.command != tim.GetTags && j.readsFirst() {
		from, until = t.now.after(-freshFor), t.now.after(freshAhead)
	}
	type batch struct {
		size, pending int64
		change        []byte
	}
	batches := map[int64]batch{}
	claims, err := collect(ctx, t.tx, func(row scanner) (c jobs.Claim, err error) {
		c = j.Claim
		c.Command, c.Random, c.Was, c.Verify = t.command, rand.Uint32(), e.outcome, e == verification
		var b batch
		var outcome jobs.Outcome
		err = row.Scan(&c.First, &b.size, &c.Batch, &b.pending, &c.Tries, &c.LastCode, &c.Call, &outcome, &c.Touched, &c.Lost, &b.change)
		if c.Verify {
			c.Was = outcome
		}
		batches[c.First] = b
		return c, err
	}, takeQuery(e, t.now.probeAt > 0),
		j.JobID, newID(time.UnixMilli(t.now.millis())), t.until, j.gate, from, until, t.now.millis()+1, t.now.after(farAhead), limit)
	if err != nil || len(claims) == 0 {
		return nil, 0, err
	}
	plan, err := plannedBatches(ctx, t.tx, j.JobID, claims)
	if err != nil {
		return nil, 0, err
	}
	protected, err := t.protected(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, c := range claims {
		planned, b := plan[c.Batch], batches[c.First]
		if c.Verify {
			err = settledOf(ctx, t.tx, &c, planned, b.size)
		} else {
			err = pendingOf(ctx, t.tx, &c, planned, b.size, b.pending)
		}
		if err != nil {
			return nil, 0, err
		}
		if isAny(c.Accounts, j.busy) {
			left++
			if err := t.leave(ctx, c); err != nil {
				return nil, 0, err
			}
			continue
		}
		if c.Was == jobs.Waiting { // what was sent before is only read, to learn what became of it
			if err := setAsideProtected(ctx, t.tx, &c, planned.Accounts, protected, t.now.millis()); err != nil {
				return nil, 0, err
			}
		}
		if len(c.Accounts) == 0 {
			_, err := t.tx.ExecContext(ctx, `UPDATE batches SET outcome = 'cancelled', next = '', change = NULL, lease = '', lease_until = 0, settled_at = $3 WHERE job_id = $1 AND first = $2`,
				j.JobID, c.First, t.now.millis())
			if err != nil {
				return nil, 0, err
			}
			t.emptied = append(t.emptied, j.JobID)
			continue
		}
		if err := t.recallTags(ctx, &c, b.change); err != nil {
			return nil, 0, err
		}
		if b.size < int64(len(planned.Accounts)) {
			if err := t.recallParts(ctx, &c); err != nil {
				return nil, 0, err
			}
		}
		taken = append(taken, c)
	}
	return taken, left, nil
}

// protected are the accounts that no job may touch, nor read to change them.
func (t *taking) protected(ctx context.Context) (map[string]struct{}, error) {
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
	if t.command == tim.GetTags || pending == 0 {
		return nil
	}
	return move(ctx, t.tx, jobID, jobs.Counts{jobs.Waiting: -pending, jobs.Sending: pending})
}
