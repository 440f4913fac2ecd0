package engine

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

// settleBatch ends a claim. $4 to $6 are the common outcome, $8 how many accounts have
// it, $12 the outcome that the batch must still have, and $13 whether it still comes from
// an older copy of the database and was not read since.
const settleBatch = `
	UPDATE batches SET outcome = $4, code = $5, message = $6, settled_at = $7, accounts = $8, ask = $9, not_before = $10, lost = $11,
		restored = restored * $13, console = '', claim = ''
	WHERE job_id = $1 AND number = $2 AND claim = $3 AND outcome = $12`

// completeCall writes the result of a call into the ledger.
const completeCall = `
	UPDATE calls SET delivery = $2, sent_at = $3, duration = $4, http_status = $5, code = $6, message = $7 WHERE id = $1`

// settle saves the result of a batch. Until it is saved, no call leaves. There are two
// ways out without a result; the batch is then in doubt at the next start:
//
//   - ctx ends.
//   - The database works, but for a minute this batch could not be saved. Then settle
//     gives it up, and other calls leave again. If the batch was to stop all jobs of the
//     app (end.all), they do not: the gate stays blocked until the program is restarted.
func (e *Engine) settle(ctx context.Context, b *batch, end *stopReason) {
	tags, failed := e.encryptTags(ctx, b)
	for failed == notNow && sleep(ctx, pollEvery) { // without the tags that were read no outcome counts
		tags, failed = e.encryptTags(ctx, b)
	}
	if failed != nil { // nothing that was read counts
		end = failed
		b.discardReadings()
	}
	if end != nil && end.all {
		e.gate.block() // until the halt is saved
	}
	began, tries := time.Now(), 0
	for wait := 50 * time.Millisecond; ; wait, tries = min(2*wait, 2*time.Second), tries+1 {
		err := store.ErrExclusive
		if !b.probe && (end == nil || end.halt == 0) {
			s := settlementOf(b, end, b.stored())
			err = e.Store.Write(ctx, b.job.id, func(ctx context.Context, tx *store.Tx) error {
				return e.settleIn(ctx, tx, b, tags, s)
			})
		}
		if errors.Is(err, store.ErrExclusive) {
			err = e.Store.Tx(ctx, func(tx *store.Tx) error { return e.settleExclusive(ctx, tx, b, tags, end) })
		}
		if !e.gate.report(ctx, settling, err) {
			break
		}
		switch {
		case tries == 0:
			e.Log.Error("the result of a batch could not be saved; no call is made until it is",
				"job", b.job.id, "batch", b.number, "err", err)
		case fault.KindOf(store.AsTrouble(err)) == 0 && ctx.Err() == nil && time.Since(began) > time.Minute: // it is not the database
			e.Log.Error("a batch is given up; its accounts are in doubt at the next start",
				"job", b.job.id, "batch", b.number, "err", err)
			e.gate.report(ctx, settling, nil)
			return
		}
		e.gate.addUnwritten(1)
		slept := sleep(ctx, wait)
		e.gate.addUnwritten(-1)
		if !slept {
			e.Log.Error("the result of a batch was not saved; its accounts are in doubt at the next start",
				"job", b.job.id, "batch", b.number)
			return
		}
	}
	if end != nil && end.all {
		e.gate.unblock()
	}
	e.wake()
}

// discardReadings gives the accounts of a batch back as they were claimed, except what
// calls have changed.
func (b *batch) discardReadings() {
	for _, a := range b.accounts {
		if !a.maybeChanged {
			a.outcome, a.unsaved, a.beforeKnown = "", false, false
		}
	}
}

// Consoles that share a database lock in one order, or they would wait for each
// other: the app, the consoles, the budgets, the jobs by id, the log. Store.Write
// sorts by these and by the jobs' ids.
const (
	lockApp     = ""
	lockConsole = " 1"
	lockBudget  = " 2 "
)

// lock locks what a separate transaction may write later: the app, and if all is set,
// its open jobs by id.
func (e *Engine) lock(ctx context.Context, tx *store.Tx, all bool) error {
	err := tx.Exec(ctx, `UPDATE apps SET probe_at = probe_at WHERE id = $1`, e.App.ID)
	if err != nil || !all {
		return err
	}
	open, err := store.Column[string](ctx, tx,
		`SELECT id FROM jobs WHERE app_id = $1 AND finished_at = 0 ORDER BY id`, e.App.ID)
	for _, id := range open {
		if err == nil {
			err = tx.Exec(ctx, `UPDATE jobs SET version = version WHERE id = $1`, id)
		}
	}
	return err
}

func (e *Engine) settleIn(ctx context.Context, tx *store.Tx, b *batch, tags []byte, s settlement) error {
	if err := e.saveTags(ctx, tx, b, tags); err != nil {
		return err
	}
	if err := e.writeSettlement(ctx, tx, b, s); err != nil {
		return err
	}
	if err := b.complete(ctx, tx); err != nil {
		return err
	}
	return e.Jobs.MoveCounts(ctx, tx, b.job.id, s.moves, b.sentCalls())
}

// settleExclusive is settleIn for a batch whose end locks several jobs, or the log.
func (e *Engine) settleExclusive(ctx context.Context, tx *store.Tx, b *batch, tags []byte, end *stopReason) error {
	if err := e.lock(ctx, tx, b.probe || end != nil && end.all); err != nil {
		return err
	}
	stored, err := store.Value[jobs.Outcome](ctx, tx,
		`SELECT outcome FROM batches WHERE job_id = $1 AND number = $2 AND claim = $3`, b.job.id, b.number, b.claim)
	if errors.Is(err, sql.ErrNoRows) {
		return e.settleExpired(ctx, tx, b)
	}
	if err == nil {
		err = e.settleIn(ctx, tx, b, tags, settlementOf(b, end, stored))
	}
	if err != nil {
		return err
	}
	if b.probe {
		if err := e.afterProbe(ctx, tx, end == nil && b.answered); err != nil {
			return err
		}
	}
	if end != nil && end.halt != 0 {
		if err := e.halt(ctx, tx, b, *end); err != nil {
			return err
		}
	}
	return e.Jobs.Advance(ctx, tx, b.job.id)
}

func (e *Engine) writeSettlement(ctx context.Context, tx *store.Tx, b *batch, s settlement) error {
	now := time.Now().UnixMilli()
	at, notBefore := now, int64(0)
	if s.rest.Open() {
		at = 0
	}
	if s.wait > 0 {
		notBefore = e.gate.now() + s.wait.Milliseconds()
	}
	err := store.One(ctx, tx, store.ErrExclusive, settleBatch, b.job.id, b.number, b.claim,
		s.rest, s.code, store.Clean(s.message, 500), at, len(b.accounts)-len(s.own), store.Number(s.needsReview),
		notBefore, s.lost, s.stored, store.Number(s.unread))
	if err != nil {
		return err
	}
	var rows []any
	for _, a := range s.own {
		rows = append(rows, b.job.id, a.seq, a.outcome, a.code, store.Clean(a.message, 500), now)
	}
	// The primary key prevents a second outcome of an account.
	return store.InsertAll(ctx, tx, `own_outcomes (job_id, seq, outcome, code, message, settled_at)`, 6, rows)
}

// complete writes the results of the batch's calls into the ledger.
func (b *batch) complete(ctx context.Context, tx *store.Tx) error {
	for _, c := range b.calls {
		a := c.result()
		err := tx.Exec(ctx, completeCall, c.id, a.Delivery.String(), a.SentAt.UnixMilli(), a.Duration.Microseconds(),
			a.HTTPStatus, a.Code, store.Clean(a.Info, 500))
		if err != nil {
			return err
		}
	}
	return nil
}

// result returns the answer of a call. A call that was not made counts as not sent.
func (c *call) result() tim.Answer {
	a := c.answer
	if a.Delivery == 0 {
		a.Delivery = tim.NotSent
	}
	if a.SentAt.IsZero() {
		a.SentAt = time.Now()
	}
	return a
}

// changeAnswered reports whether the service answered a call that changes tags.
func (b *batch) changeAnswered() bool {
	return slices.ContainsFunc(b.calls, func(c *call) bool {
		return c.command != tim.GetTags && c.answer.Delivery == tim.Answered
	})
}

// sentCalls counts the calls that left, or may have.
func (b *batch) sentCalls() (n int64) {
	for _, c := range b.calls {
		if c.result().Delivery != tim.NotSent {
			n++
		}
	}
	return n
}

// settleExpired is for a claim that has ended: it only writes the answers to the ledger.
// The ledger of a sealed job is not changed. Late answers are logged instead.
func (e *Engine) settleExpired(ctx context.Context, tx *store.Tx, b *batch) error {
	e.Log.Warn("a batch belongs to another console by now; its answers are saved in the ledger",
		"job", b.job.id, "batch", b.number)
	sealed, err := store.Value[int64](ctx, tx,
		`UPDATE jobs SET version = version + 1 WHERE id = $1 RETURNING sealed`, b.job.id)
	if err != nil {
		return err
	}
	if sealed == 0 {
		return e.completeExpired(ctx, tx, b)
	}
	for _, c := range b.calls {
		delivery, err := store.Value[string](ctx, tx, `SELECT delivery FROM calls WHERE id = $1`, c.id)
		if errors.Is(err, sql.ErrNoRows) || err == nil && delivery == c.result().Delivery.String() {
			continue
		}
		if err == nil {
			err = e.Audit.RecordIn(ctx, tx, audit.Entry{Code: audit.JobAnsweredLate, Actor: audit.System, JobID: b.job.id,
				Details: map[string]any{"call": c.id, "kind": c.result().Delivery.String(), "code": c.answer.Code}})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// completeExpired completes ledger lines that were marked as lost in the meantime.
// Calls that never left are no longer counted.
func (e *Engine) completeExpired(ctx context.Context, tx *store.Tx, b *batch) error {
	var uncounted int64
	for _, c := range b.calls {
		if c.result().Delivery != tim.NotSent {
			continue
		}
		n, err := tx.Changed(ctx, `UPDATE calls SET delivery = 'not_sent' WHERE id = $1 AND delivery = 'lost'`, c.id)
		if err != nil {
			return err
		}
		uncounted += n
	}
	if err := b.complete(ctx, tx); err != nil {
		return err
	}
	return e.Jobs.MoveCounts(ctx, tx, b.job.id, jobs.Counts{}, -uncounted)
}
