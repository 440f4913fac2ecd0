package engine

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
)

// nextJobSQL finds the job of the app $1 whose turn it is at the time $2 of the
// database, in rounds: the one after the job $3. The entry $4 of the log is the last
// that resumed sending. The app must still have the address $5 and environment $6.
//
//   - A paused, halted or scheduled job has no turn. While the app probes, a job that
//     halted for the service may be the probe.
//   - Of jobs that share accounts, only one at a time has claimed batches.
//   - doubts: the job has accounts in doubt that may be read again now.
//   - waits: it has waiting accounts that may be sent. They wait for accounts in doubt
//     of jobs with the same accounts, and for those of these jobs that started earlier.
//
// A time more than 90 s ahead counts as reached: the clock was set back.
//
// Some conditions on batches say the same twice (outcome IN (…) AND outcome = …): the
// first repeats, word for word, the condition of the partial index batches_free. The
// planner uses a partial index only for a query that has its condition.
const nextJobSQL = `
	SELECT id, kind, state, checks, policy, only_tags, snapshot, careful, probing, waits
	FROM (
		SELECT j.id, j.kind, j.state, j.checks, j.policy, j.only_tags, j.snapshot = 1 AS snapshot, j.careful = 1 AS careful,
			a.probe_at > 0 AS probing,
			CASE WHEN a.first_job = j.id THEN 0 WHEN j.id > $3 THEN 1 ELSE 2 END AS place,
			EXISTS (SELECT 1 FROM batches b
				WHERE b.job_id = j.id AND b.console = '' AND b.ask = 0 AND b.outcome IN ('in_doubt', 'waiting')
					AND b.outcome = 'in_doubt' AND (b.not_before <= $2 OR b.not_before > $2 + 90000)) AS doubts,
			j.state <> 'cancelled'
				AND EXISTS (SELECT 1 FROM batches b
					WHERE b.job_id = j.id AND b.console = '' AND b.ask = 0 AND b.outcome IN ('in_doubt', 'waiting')
						AND b.outcome = 'waiting' AND (j.careful = 0 OR b.number = 1))
				AND (j.kind = 'inspect' OR NOT EXISTS (
					SELECT 1 FROM shared_accounts s JOIN jobs o ON o.id = s.other_id AND o.finished_at = 0
					WHERE s.job_id = j.id AND o.kind <> 'inspect' AND (
						o.turn < j.turn AND o.outcome_waiting + o.outcome_sending > 0 AND (o.state = 'running'
							OR o.state = 'queued' AND o.start_at <= $2 OR o.state = 'halted' AND o.halt_recovers = 1)
						OR EXISTS (SELECT 1 FROM batches b WHERE b.job_id = o.id AND b.console = '' AND b.ask = 0
							AND b.outcome IN ('in_doubt', 'waiting') AND b.outcome = 'in_doubt')))) AS waits
		FROM jobs j JOIN apps a ON a.id = j.app_id
		WHERE j.app_id = $1 AND j.finished_at = 0 AND a.domain = $5 AND a.environment = $6
			AND (SELECT thrown_at FROM kill_switch WHERE id = 1) = 0
			AND NOT EXISTS (SELECT 1 FROM audit_lines WHERE code = 'kill_switch.thrown' AND seq > $4)
			AND (a.probe_at = 0 OR a.probe_at <= $2 OR a.probe_at > $2 + 90000)
			AND (j.state = 'running'
				OR j.state = 'queued' AND j.start_at <= $2
				OR j.state = 'cancelled' AND j.outcome_in_doubt > 0
				OR j.state = 'halted' AND j.halt_recovers = 1 AND a.probe_at > 0)
			AND (j.kind = 'inspect' OR NOT EXISTS (
				SELECT 1 FROM shared_accounts s JOIN jobs o ON o.id = s.other_id AND o.finished_at = 0 JOIN batches b ON b.job_id = o.id
				WHERE s.job_id = j.id AND o.kind <> 'inspect' AND b.console <> ''))) AS open_jobs
	WHERE doubts OR waits
	ORDER BY place, id
	LIMIT 1`

// takeBatchesSQL claims up to $6 batches of the job $1 for the console $3 under the
// claim $4: first those in doubt, then waiting ones up to the batch $5.
const takeBatchesSQL = `
	UPDATE batches SET console = $3, claim = $4
	WHERE job_id = $1 AND console = '' AND number IN (
		SELECT b.number FROM batches b
		WHERE b.job_id = $1 AND b.console = '' AND b.ask = 0 AND b.outcome IN ('in_doubt', 'waiting')
			AND (b.outcome = 'waiting' AND b.number <= $5 OR b.outcome = 'in_doubt' AND (b.not_before <= $2 OR b.not_before > $2 + 90000))
		ORDER BY b.outcome, b.number LIMIT $6)
	RETURNING number, outcome, accounts, sent = 1, restored > 0, lost,
		(SELECT p.accounts FROM planned_batches p WHERE p.job_id = batches.job_id AND p.number = batches.number)`

// claimBatches claims up to n batches of the next job. It returns none when there are
// none to send. A database error closes the gate.
func (e *Engine) claimBatches(ctx context.Context, n int) (batches []*batch) {
	began := time.Now()
	err := e.Store.Write(ctx, lockApp, func(ctx context.Context, tx *store.Tx) (err error) {
		batches, err = e.claimIn(ctx, tx, n, false)
		return err
	})
	if errors.Is(err, store.ErrExclusive) {
		err = e.Store.Tx(ctx, func(tx *store.Tx) (err error) {
			batches, err = e.claimIn(ctx, tx, n, true)
			return err
		})
	}
	if broken, is := errors.AsType[*damaged](err); is { // the other jobs must not wait for it
		err = e.Store.Tx(ctx, func(tx *store.Tx) error { return e.haltDamaged(ctx, tx, broken) })
		batches = nil
	}
	if e.gate.report(ctx, writing, err) || len(batches) == 0 {
		return nil
	}
	for _, b := range batches {
		for _, c := range b.calls {
			c.written = true
		}
	}
	e.gate.allow(batches[0].job, began)
	e.last = batches[0].job.id
	return batches
}

func (e *Engine) claimIn(ctx context.Context, tx *store.Tx, n int, exclusive bool) ([]*batch, error) {
	// One claim of an app at a time, whichever console makes it.
	if err := e.lock(ctx, tx, false); err != nil {
		return nil, err
	}
	now := e.gate.now()
	j, err := e.nextJob(ctx, tx, now)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := e.permit(ctx, tx, j.id); err != nil {
		return nil, err
	}
	if j.state == jobs.Queued {
		if !exclusive { // it writes the job's row, which must be locked before others
			return nil, store.ErrExclusive
		}
		if may, err := e.Jobs.Begin(ctx, tx, j.id); err != nil || !may {
			return nil, err
		}
	}
	if j.probing {
		n = 1
	}
	batches, err := e.takeBatches(ctx, tx, j, now, n)
	if err != nil {
		return nil, err
	}
	taken := len(batches)
	if batches, err = e.setAsideProtected(ctx, tx, batches, exclusive); err != nil {
		return nil, err
	}
	if len(batches) < taken { // the excluded batch may have been the last one
		if err := e.Jobs.Advance(ctx, tx, j.id); err != nil {
			return nil, err
		}
	}
	if len(batches) == 0 {
		return nil, nil
	}
	if j.probing {
		batches[0].probe = true
		if err := e.reserveProbe(ctx, tx, now); err != nil {
			return nil, err
		}
	}
	return batches, e.writeReadIntents(ctx, tx, batches)
}

func (e *Engine) nextJob(ctx context.Context, tx *store.Tx, now int64) (j job, err error) {
	var only string
	err = tx.QueryRowContext(ctx, nextJobSQL, e.App.ID, now, e.last, e.gate.liftedBy(),
		e.App.Domain, e.App.Environment).
		Scan(&j.id, &j.kind, &j.state, &j.checks, &j.policy, &only, &j.snapshot, &j.canary, &j.probing, &j.waits)
	if err == nil && only != "" {
		if err = json.Unmarshal([]byte(only), &j.only); err != nil {
			err = &damaged{j.id, jobs.CodeUnreadable, err}
		}
	}
	return j, err
}

func (e *Engine) takeBatches(ctx context.Context, tx *store.Tx, j job, now int64, n int) (batches []*batch, err error) {
	upTo := int64(1) << 62
	switch {
	case !j.waits:
		upTo = 0
	case j.canary:
		upTo = 1
	}
	claim, claimed, shared := store.NewID(e.gate.time()), time.Now(), &key{}
	type taken struct {
		*batch
		open int
		plan string
	}
	all, err := store.Collect(ctx, tx, func(row store.Scanner) (t taken, err error) {
		t.batch = &batch{job: j, claim: claim, key: shared, lostCallEnds: e.LostCallEnds}
		return t, row.Scan(&t.number, &t.claimedAs, &t.open, &t.intendedBefore, &t.restored, &t.lost, &t.plan)
	}, takeBatchesSQL, j.id, now, e.console, claim, upTo, n)
	for _, t := range all {
		t.claimed = claimed
		if err == nil {
			err = t.fill(ctx, tx, t.open, t.plan)
		}
		batches = append(batches, t.batch)
	}
	return batches, err
}
