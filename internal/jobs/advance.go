package jobs

import (
	"context"
	"fmt"
	"strings"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

const progressColumns = `state, halt_code, outcome_waiting, outcome_waiting + outcome_sending + outcome_in_doubt,
	accounts - outcome_waiting - outcome_sending - outcome_in_doubt - outcome_cancelled - checked_done,
		outcome_failed - checked_failed,
	CASE WHEN failure_limit > 0 THEN failure_limit ELSE (SELECT a.failure_limit FROM apps a WHERE a.id = jobs.app_id) END,
	careful = 1, careful = 1 AND EXISTS (SELECT 1 FROM batches b WHERE b.job_id = jobs.id AND b.number = 1
		AND b.outcome NOT IN ('waiting', 'sending', 'in_doubt'))`

func scanProgress(row store.Scanner) (p Progress, err error) {
	return p, row.Scan(&p.State, &p.HaltCode, &p.Waiting, &p.Open, &p.Settled, &p.Failed, &p.Limit, &p.Careful, &p.First)
}

// MoveCounts adds changes that sum up to zero to the counts of a job, and calls
// that were made. Of transactions that share a commit they are added up and written
// once; if the job must also end or halt, it returns store.ErrExclusive.
// A transaction of its own calls Advance next.
func (s *Jobs) MoveCounts(ctx context.Context, tx *store.Tx, jobID string, by Counts, calls int64) error {
	if by.Sum() != 0 {
		return fmt.Errorf("jobs: counts of job %s would no longer add up: %v", jobID, by)
	}
	total, shared := tx.Total(jobID, func() store.Total { return &movedCounts{job: jobID, by: Counts{}} }).(*movedCounts)
	if !shared {
		_, err := writeCounts(ctx, tx, jobID, by, calls)
		return err
	}
	for outcome, n := range by {
		total.by[outcome] += n
	}
	total.calls += calls
	total.settled = total.settled || len(by) > 0 && by[Sending] <= 0
	return nil
}

// movedCounts are the changes of a job's counts that share a commit.
type movedCounts struct {
	job     string
	by      Counts
	calls   int64
	settled bool // not only that calls may leave
}

// Write implements store.Total.
func (m *movedCounts) Write(ctx context.Context, tx *store.Tx) error {
	p, err := writeCounts(ctx, tx, m.job, m.by, m.calls)
	if err != nil || !m.settled {
		return err
	}
	switch p.Judge() {
	case GoOn:
		return nil
	case Pass:
		return countAnew(ctx, tx, m.job, p, 0)
	}
	return store.ErrExclusive
}

func writeCounts(ctx context.Context, tx *store.Tx, jobID string, by Counts, calls int64) (Progress, error) {
	set, args := []string{"version = version + 1", "calls = calls + $2"}, []any{jobID, calls}
	for _, o := range stored {
		if by[o] != 0 {
			args = append(args, by[o])
			set = append(set, fmt.Sprintf("%s = %s + $%d", outcomeColumn(o), outcomeColumn(o), len(args)))
		}
	}
	return scanProgress(
		tx.QueryRowContext(ctx, `UPDATE jobs SET `+strings.Join(set, ", ")+` WHERE id = $1 RETURNING `+progressColumns, args...),
	)
}

// Advance does what follows for a job from its counts. It is called last in a
// transaction that has settled accounts.
func (s *Jobs) Advance(ctx context.Context, tx *store.Tx, jobID string) error {
	p, err := scanProgress(tx.QueryRowContext(ctx, `SELECT `+progressColumns+` FROM jobs WHERE id = $1`, jobID))
	if err != nil {
		return err
	}
	switch p.Judge() {
	case Drop:
		if p, err = s.dropWaiting(ctx, tx, jobID); err != nil || p.Open > 0 {
			return err
		}
		return s.finish(ctx, tx, jobID)
	case End:
		return s.finish(ctx, tx, jobID)
	case TooMany:
		return s.Halt(ctx, tx, jobID, HaltReason{Code: CodeFailures, Info: fmt.Sprintf("%d/%d", p.Failed, p.Settled)})
	case Pass:
		return countAnew(ctx, tx, jobID, p, 0)
	}
	return nil
}

// countAnew lets a job go on: what was settled so far was judged. A limit of 0
// leaves the job's as it is.
func countAnew(ctx context.Context, tx *store.Tx, jobID string, p Progress, limit int) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE jobs SET careful = 0, checked_done = checked_done + $2, checked_failed = checked_failed + $3,
			failure_limit = CASE WHEN CAST($4 AS BIGINT) > 0 THEN $4 ELSE failure_limit END
		WHERE id = $1`, jobID, p.Settled, p.Failed, limit)
	return err
}

// dropWaitingSQL ends the batches of the job $1 that wait and are not claimed, at the time $2.
const dropWaitingSQL = `
	UPDATE batches SET (outcome, settled_at) = (
		SELECT CASE WHEN sent = 1 AND j.kind <> 'clear' THEN 'in_doubt' ELSE 'cancelled' END,
			CASE WHEN sent = 1 AND j.kind <> 'clear' THEN 0 ELSE CAST($2 AS BIGINT) END
		FROM jobs j WHERE j.id = $1)
	WHERE job_id = $1 AND console = '' AND ask = 0 AND outcome IN ('in_doubt', 'waiting') AND outcome = 'waiting'
	RETURNING outcome, accounts`

// dropWaiting ends what waits of a job that was cancelled and that nobody has in
// hand. Where some tags may have been changed already, the tags are read first.
func (s *Jobs) dropWaiting(ctx context.Context, tx *store.Tx, jobID string) (p Progress, err error) {
	moves := Counts{}
	type ended struct {
		outcome Outcome
		n       int64
	}
	all, err := store.Collect(
		ctx,
		tx,
		func(row store.Scanner) (e ended, err error) { return e, row.Scan(&e.outcome, &e.n) },
		dropWaitingSQL,
		jobID,
		store.Millis(s.db.Now()),
	)
	for _, e := range all {
		moves[Waiting] -= e.n
		moves[e.outcome] += e.n
	}
	if err != nil {
		return p, err
	}
	return writeCounts(ctx, tx, jobID, moves, 0)
}

// changeState moves a job to another state, if the action fits the one it is in. The
// job is as it was before.
func (s *Jobs) changeState(ctx context.Context, tx *store.Tx, jobID string, a Action) (j Job, fits bool, err error) {
	// Written first, so that what is read next is locked and current.
	if _, err := tx.ExecContext(ctx, `UPDATE jobs SET version = version + 1 WHERE id = $1`, jobID); err != nil {
		return j, false, err
	}
	if j, err = job(ctx, tx, jobID); err != nil {
		return j, false, err
	}
	to, fits := j.State.Next(a)
	if !fits {
		return j, false, nil
	}
	_, err = tx.ExecContext(ctx, `UPDATE jobs SET state = $2 WHERE id = $1`, jobID, to)
	return j, true, err
}

// Begin says that the first batch of a job was claimed.
func (s *Jobs) Begin(ctx context.Context, tx *store.Tx, jobID string) error {
	_, _, err := s.changeState(ctx, tx, jobID, Begin)
	return err
}

// HaltReason says why a job stops itself.
type HaltReason struct {
	Code int
	Info string // what the service said; of CodeFailures "failed/settled"
	Call string // id of the call that showed it; "" for none
}

// Halt stops a job that may send, and says so in the log. A job that would recover by
// itself stays halted if this reason needs a person.
func (s *Jobs) Halt(ctx context.Context, tx *store.Tx, jobID string, h HaltReason) error {
	if j, err := job(ctx, tx, jobID); err != nil ||
		j.State == Halted && (!Recovers(j.HaltCode) || Recovers(h.Code)) {
		return err
	}
	if _, fits, err := s.changeState(ctx, tx, jobID, Halt); err != nil || !fits {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE jobs SET halt_code = $2, halt_info = $3, halt_recovers = $4 WHERE id = $1`,
		jobID, h.Code, store.Clean(h.Info, 500), store.Number(Recovers(h.Code)))
	if err != nil {
		return err
	}
	j, err := job(ctx, tx, jobID)
	if err != nil {
		return err
	}
	details := Summary(j)
	details["code"], details["info"] = j.HaltCode, j.HaltInfo
	if h.Call != "" {
		details["call"] = h.Call
	}
	return s.log.RecordIn(ctx, tx, audit.Entry{Code: audit.JobHalted, Actor: audit.System, JobID: jobID, Details: details})
}

// Recover lets the jobs of an app go on that halted because the service did not work.
func (s *Jobs) Recover(ctx context.Context, tx *store.Tx, appID string) error {
	waiting, err := store.Column[string](ctx, tx,
		`SELECT id FROM jobs WHERE app_id = $1 AND finished_at = 0 AND state = 'halted' AND halt_recovers = 1 ORDER BY id`, appID)
	var entries []audit.Entry
	for _, id := range waiting {
		if err == nil {
			_, _, err = s.changeState(ctx, tx, id, Recover)
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE jobs SET halt_code = 0, halt_info = '', halt_recovers = 0 WHERE id = $1`, id)
		}
		var j Job
		if err == nil {
			j, err = job(ctx, tx, id)
		}
		entries = append(entries, audit.Entry{Code: audit.JobResumed, Actor: audit.System, JobID: id, Details: Summary(j)})
	}
	name := ""
	if err == nil {
		name, err = appName(ctx, tx, appID)
	}
	entries = append(
		[]audit.Entry{{Code: audit.ServiceWell, Actor: audit.System, App: name, Details: map[string]any{"jobs": len(waiting)}}},
		entries...)
	for _, e := range entries {
		if err == nil {
			err = s.log.RecordIn(ctx, tx, e)
		}
	}
	return err
}

// appName is the app as entries of the log name it.
func appName(ctx context.Context, q store.Querier, appID string) (name string, err error) {
	err = q.QueryRowContext(ctx, `SELECT name || ' (' || environment || ')' FROM apps WHERE id = $1`, appID).Scan(&name)
	return name, err
}
