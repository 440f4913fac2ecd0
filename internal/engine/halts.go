package engine

import (
	"context"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// After an outage an app probes: one batch at a time, each after a longer wait, until
// one succeeds. maxProbeWait is in milliseconds.
const maxProbeWait = int64(30_000)

// reserveProbe blocks other claims until this one is settled, or until the timeout of
// a console that dies with it.
func (e *Engine) reserveProbe(ctx context.Context, tx *store.Tx, now int64) error {
	return tx.Exec(ctx, `UPDATE apps SET probe_at = $2 WHERE id = $1`, e.App.ID, now+consoleTimeout.Milliseconds())
}

// afterProbe continues the jobs that halted for the service, or schedules the next probe.
func (e *Engine) afterProbe(ctx context.Context, tx *store.Tx, well bool) error {
	if !well {
		return tx.Exec(ctx, `
			UPDATE apps SET probe_at = $2 + probe_wait, probe_wait = CASE WHEN probe_wait * 2 < $3 THEN probe_wait * 2 ELSE $3 END
			WHERE id = $1 AND probe_at > 0`, e.App.ID, e.gate.now(), maxProbeWait)
	}
	if err := tx.Exec(ctx, `UPDATE apps SET probe_at = 0, probe_wait = 0 WHERE id = $1`, e.App.ID); err != nil {
		return err
	}
	return e.Jobs.Recover(ctx, tx, e.App.ID)
}

// halt stops the job of a batch, or every job of the app.
func (e *Engine) halt(ctx context.Context, tx *store.Tx, b *batch, end stopReason) error {
	halt := jobs.HaltReason{Code: end.halt, Info: end.info, Call: end.call}
	if !end.all {
		if end.halt == jobs.CodeGained { // unless a person has chosen how to continue since
			policy, err := store.Value[snapshot.Policy](ctx, tx, `SELECT policy FROM jobs WHERE id = $1`, b.job.id)
			if err != nil || policy != b.job.policy {
				return err
			}
		}
		return e.Jobs.Halt(ctx, tx, b.job.id, halt)
	}
	open, err := store.Column[string](ctx, tx,
		`SELECT id FROM jobs WHERE app_id = $1 AND finished_at = 0 AND state IN ('queued', 'running', 'halted') ORDER BY id`, e.App.ID)
	for _, id := range open {
		if err == nil {
			err = e.Jobs.Halt(ctx, tx, id, halt)
		}
	}
	if err == nil && jobs.Recovers(end.halt) {
		err = tx.Exec(ctx, `UPDATE apps SET probe_at = $2, probe_wait = $3 WHERE id = $1 AND probe_at = 0`,
			e.App.ID, e.gate.now()+jobs.FirstProbe, 2*jobs.FirstProbe)
	}
	return err
}
