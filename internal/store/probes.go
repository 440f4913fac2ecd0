package store

import (
	"context"
	"database/sql"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// While it is not known whether the service works, an app probes: one call at a
// time, each after a longer wait, until one is answered well.
const (
	firstProbe   = int64(1_000) // milliseconds
	longestProbe = int64(30_000)
)

// takeProbe makes the claim under way the only one until it is settled, or its
// lease ends. It does not when a probe is not due, or somebody else has it;
// then next is when to ask again.
func (s *Store) takeProbe(ctx context.Context, tx *sql.Tx, appID string, command tim.Command, now sendingNow, lease time.Duration) (taken bool, next time.Time, err error) {
	if now.ahead(now.probeAt * 1000) {
		return false, now.in(now.probeAt * 1000), nil
	}
	// Reading changes nothing: accounts in doubt find it out rather than others,
	// but once it has failed, it may be the reading that does not work.
	const waits = `SELECT EXISTS (SELECT 1 FROM jobs j JOIN batches b ON b.job_id = j.id
		WHERE j.app_id = $1 AND j.finished_at = 0 AND b.ask = 0 AND NOT (b.not_before BETWEEN $2 AND $3) AND `
	ready := []any{appID, now.millis() + 1, now.after(farAhead)}
	var readable, changeable bool
	err = tx.QueryRowContext(ctx, waits+`j.outcome_in_doubt > 0 AND (state IN (`+claimable(tim.GetTags)+`) OR `+recovering+`) AND `+readBack.where()+` AND b.tries = 0)`, ready...).Scan(&readable)
	if err == nil && command == tim.GetTags && !readable {
		// That accounts can be read beforehand does not say that they can be changed.
		err = tx.QueryRowContext(ctx, waits+`j.outcome_waiting > 0 AND (state IN (`+claimable(tim.RemoveAllTags)+`) OR `+recovering+`) AND `+wereRead(`j`)+`
			AND (NOT `+readsFirst+` OR `+isFresh(`CAST($4 AS BIGINT)`)+`) AND (j.gate = 0 OR b.first <= j.gate) AND (`+begun+` OR j.start_at <= $4))`, append(ready, now.millis())...).Scan(&changeable)
	}
	if err != nil || readable && command != tim.GetTags || changeable {
		return false, time.Time{}, err
	}
	result, err := tx.ExecContext(ctx, `UPDATE apps SET probe_at = $3 WHERE id = $1 AND probe_at = $2`, appID, now.probeAt, now.after(lease))
	if err != nil {
		return false, time.Time{}, err
	}
	n, err := result.RowsAffected()
	return n == 1, time.Time{}, err
}

// probe makes the app probe, after a first wait, unless it does already.
func (s *Store) probe(ctx context.Context, tx *sql.Tx, appID string) error {
	_, err := tx.ExecContext(ctx, `UPDATE apps SET probe_at = `+s.clock+` / 1000 + $2, probe_wait = $3 WHERE id = $1 AND probe_at = 0`,
		appID, firstProbe, 2*firstProbe)
	return err
}

// probeOnResume finds out by one call whether what halted a job is mended,
// before all others follow. What halted this job alone does not put the service in question.
func (s *Store) probeOnResume(ctx context.Context, tx *sql.Tx, jobID string) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE apps SET probe_at = `+s.clock+` / 1000, probe_wait = $2
		WHERE id = (SELECT app_id FROM jobs WHERE id = $1 AND state = 'halted' AND halt_code NOT IN ($3, $4, $5))`,
		jobID, firstProbe, jobs.CodeFailures, jobs.CodeGained, jobs.CodeUnreadable)
	return err
}

// probeLater has the next probe wait longer than the last.
func (s *Store) probeLater(ctx context.Context, tx *sql.Tx, appID string) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE apps SET probe_at = `+s.clock+` / 1000 + probe_wait, probe_wait = CASE WHEN probe_wait * 2 < $2 THEN probe_wait * 2 ELSE $2 END
		WHERE id = $1 AND probe_at > 0`, appID, longestProbe)
	return err
}

// goOn ends probing: the jobs that halted because the service did not work go on.
func (s *Store) goOn(ctx context.Context, tx *sql.Tx, appID string, log *[]audit.Entry) error {
	result, err := tx.ExecContext(ctx, `UPDATE apps SET probe_at = 0, probe_wait = 0 WHERE id = $1 AND probe_at > 0`, appID)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err
	}
	resumed, err := s.changeOpen(ctx, tx, appID, recovering, `state = 'queued', halt_code = 0, halt_info = ''`)
	if err != nil {
		return err
	}
	name, err := appName(ctx, tx, appID)
	if err != nil {
		return err
	}
	*log = append(*log, audit.Entry{Code: audit.ServiceWell, Actor: audit.System, App: name, Details: map[string]any{"jobs": len(resumed)}})
	for _, j := range resumed {
		*log = append(*log, audit.Entry{Code: audit.JobResumed, Actor: audit.System, JobID: j.ID, Details: summary(j)})
	}
	return nil
}

// halt stops every job of the app: what stopped one would stop them all. One
// that waits for the service waits for a person when that is what it takes.
func (s *Store) halt(ctx context.Context, tx *sql.Tx, appID string, st jobs.Settlement, log *[]audit.Entry) error {
	states := `state IN ('queued', 'running')`
	if !jobs.Recovers(st.Halt) {
		states = `(` + states + ` OR ` + recovering + `)`
	}
	halted, err := s.changeOpen(ctx, tx, appID, states, `state = 'halted', halt_code = $2, halt_info = $3`, st.Halt, clean(st.HaltInfo, 500))
	if err != nil {
		return err
	}
	for _, j := range halted {
		*log = append(*log, haltEntry(j, st.Call))
	}
	return nil
}

func haltEntry(j jobs.Job, call string) audit.Entry {
	details := summary(j)
	details["code"], details["info"] = j.HaltCode, j.HaltInfo
	if call != "" {
		details["call"] = call
	}
	return audit.Entry{Code: audit.JobHalted, Actor: audit.System, JobID: j.ID, Details: details}
}

// changeOpen changes the jobs of the app that fit, one by one in the order of
// ids, and returns them as they are then. Parameters of set begin with $2.
func (s *Store) changeOpen(ctx context.Context, tx *sql.Tx, appID, where, set string, args ...any) (changed []jobs.Job, err error) {
	open, err := collect(ctx, tx, func(row scanner) (id string, err error) { return id, row.Scan(&id) },
		`SELECT id FROM jobs WHERE app_id = $1 AND finished_at = 0 AND `+where+` ORDER BY id`, appID)
	if err != nil {
		return nil, err
	}
	for _, id := range open {
		result, err := tx.ExecContext(ctx, `UPDATE jobs SET version = version + 1, `+set+` WHERE id = $1 AND `+where, append([]any{id}, args...)...)
		if err != nil {
			return nil, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return nil, err
		}
		if n == 0 {
			continue
		}
		j, err := job(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		changed = append(changed, j)
	}
	return changed, nil
}

// appName is the app as entries of the log name it.
func appName(ctx context.Context, q querier, appID string) (name string, err error) {
	err = q.QueryRowContext(ctx, `SELECT name || ' (' || environment || ')' FROM apps WHERE id = $1`, appID).Scan(&name)
	return name, err
}
