package engine

import (
	"context"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
)

const (
	heartbeatEvery = time.Second
	// consoleTimeout is the time without a heartbeat after which a console loses its
	// batches. Its calls have ended by then: they leave while the heartbeat is younger
	// than maxHeartbeatAge, and the client's time-out is 10 s.
	consoleTimeout = 20 * time.Second
)

// heartbeatSQL records that a console is alive.
const heartbeatSQL = `
	INSERT INTO consoles (id, app_id, seen_at) VALUES ($1, $2, $3)
	ON CONFLICT (id) DO UPDATE SET app_id = excluded.app_id, seen_at = excluded.seen_at`

// silentConsoles returns the consoles other than $2 without a heartbeat since $1, or with
// one so far in the future that the clock was set back.
const silentConsoles = `
	SELECT id FROM consoles WHERE id <> $2 AND (seen_at < $1 OR seen_at > $1 + 3600000)
	UNION SELECT b.console FROM batches b LEFT JOIN consoles c ON c.id = b.console WHERE b.console <> '' AND c.id IS NULL`

// register writes the first heartbeat. On SQLite, where there is only one console, it
// ends all earlier claims. It returns false when ctx ended first.
func (e *Engine) register(ctx context.Context) bool {
	for {
		e.gate.poll(ctx)
		if e.writeHeartbeat(ctx, !e.Store.Shared()) {
			return true
		}
		if !sleep(ctx, heartbeatEvery) {
			return false
		}
	}
}

// writeHeartbeat writes a heartbeat and takes over the batches of silent consoles, or of
// all others if this is the only one. It returns false when it failed.
func (e *Engine) writeHeartbeat(ctx context.Context, only bool) bool {
	began := time.Now()
	err := e.Store.Write(ctx, lockConsole, func(ctx context.Context, tx *store.Tx) error {
		return tx.Exec(ctx, heartbeatSQL, e.console, e.App.ID, e.gate.now())
	})
	if e.gate.report(ctx, smallWrites, err) {
		return false
	}
	e.gate.heartbeatWritten(began)
	e.gate.report(ctx, witnessing, e.saveKnown())
	since := e.gate.now() - consoleTimeout.Milliseconds()
	if only {
		since = 1 << 62 // whatever the clock says
	}
	dead, err := store.Column[string](ctx, e.Store.Reader(), silentConsoles, since, e.console)
	for _, id := range dead {
		if err == nil {
			err = e.Store.Tx(ctx, func(tx *store.Tx) error { return e.takeOver(ctx, tx, id, since, only) })
		}
	}
	return !e.gate.report(ctx, smallWrites, err)
}

// takeOver ends the claims of a console that is still silent. Batches with an intent
// are in doubt, and are read back once the lost call can no longer take effect. The
// others are free.
func (e *Engine) takeOver(ctx context.Context, tx *store.Tx, console string, since int64, only bool) error {
	if err := e.lock(ctx, tx, false); err != nil {
		return err
	}
	// The row is written first, so that only one of two consoles takes it over.
	seen, err := store.Value[int64](ctx, tx, `
		INSERT INTO consoles (id, seen_at) VALUES ($1, 0)
		ON CONFLICT (id) DO UPDATE SET seen_at = consoles.seen_at RETURNING seen_at`, console)
	if err != nil || seen >= since && seen <= since+3_600_000 {
		return err // it lives
	}
	notBefore := int64(0)
	if only { // it died just now, and its calls may be under way
		notBefore = e.gate.now() + e.LostCallEnds.Milliseconds()
	}
	inHand, err := store.Collect(ctx, tx, func(row store.Scanner) (c claimedBatch, err error) {
		return c, row.Scan(&c.job, &c.number, &c.open, &c.outcome)
	}, `SELECT job_id, number, accounts, outcome FROM batches WHERE console = $1 ORDER BY job_id, number`, console)
	for _, c := range inHand {
		if err == nil {
			err = e.endClaim(ctx, tx, c, notBefore)
		}
	}
	if err == nil && len(inHand) > 0 {
		e.Log.Warn("took over the batches of a silent console", "console", console, "batches", len(inHand))
	}
	if err == nil {
		err = tx.Exec(ctx, `DELETE FROM consoles WHERE id = $1`, console)
	}
	return err
}

// claimedBatch is a batch that a console had claimed.
type claimedBatch struct {
	job     string
	number  int64
	open    int64
	outcome jobs.Outcome
}

// endClaim ends one claim of a console that died.
func (e *Engine) endClaim(ctx context.Context, tx *store.Tx, c claimedBatch, notBefore int64) error {
	moves, lost := jobs.Counts{}, 0
	if c.outcome == jobs.Sending {
		moves = jobs.Counts{jobs.Sending: -c.open, jobs.InDoubt: c.open}
		c.outcome, lost = jobs.InDoubt, 1
	}
	err := tx.Exec(ctx, `
		UPDATE batches SET outcome = $3, lost = lost + $4, not_before = $5, console = '', claim = '' WHERE job_id = $1 AND number = $2`,
		c.job, c.number, c.outcome, lost, notBefore)
	if err != nil {
		return err
	}
	calls, err := tx.Changed(ctx, `
		UPDATE calls SET delivery = 'lost', duration = CASE WHEN sent_at < $3 THEN ($3 - sent_at) * 1000 ELSE 0 END
		WHERE job_id = $1 AND batch = $2 AND delivery = 'intended'`, c.job, c.number, e.gate.now())
	if err == nil {
		err = e.Jobs.MoveCounts(ctx, tx, c.job, moves, calls)
	}
	if err == nil {
		err = e.Jobs.Advance(ctx, tx, c.job)
	}
	return err
}
