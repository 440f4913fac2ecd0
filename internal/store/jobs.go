package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// stored lists the outcomes of a job in the order of its columns.
var stored = jobs.Outcomes

func outcomeColumn(o jobs.Outcome) string { return "outcome_" + string(o) }

var jobColumns = func() string {
	columns := []string{"id", "app_id", "kind", "state", "note", "file_name", "file_sha256", "file_bytes",
		"row_count", "rejected", "duplicate", "protected", "accounts", "batches", "calls",
		"created_by", "started_by", "created_at", "started_at", "finished_at", "halt_code", "halt_info", "start_at", "gate", "source", "reading", "read_done", "read_rows", "refusal", "version",
		"snapshot", "policy", "only_tags", "verify_share", "verify_seed", "verify_left", "verified", "reopened"}
	for _, o := range stored {
		columns = append(columns, outcomeColumn(o))
	}
	return "j." + strings.Join(columns, ", j.")
}()

func scanJob(row scanner) (j jobs.Job, err error) {
	var created, started, finished, start int64
	var refusal, only string
	dest := []any{&j.ID, &j.AppID, &j.Kind, &j.State, &j.Note, &j.FileName, &j.FileSHA256, &j.FileBytes,
		&j.Rows, &j.Rejected, &j.Duplicate, &j.Protected, &j.Accounts, &j.Batches, &j.Calls,
		&j.CreatedBy, &j.StartedBy, &created, &started, &finished, &j.HaltCode, &j.HaltInfo, &start, &j.Gate, &j.Source, &j.Reading, &j.Read, &j.ReadRows, &refusal, &j.Version,
		&j.Snapshot, &j.Policy, &only, &j.Verify.Share, &j.Verify.Seed, &j.Verify.Left, &j.Verify.Read, &j.Verify.Reopened}
	counts := make([]int64, len(stored))
	for i := range stored {
		dest = append(dest, &counts[i])
	}
	if err = row.Scan(dest...); err == nil && refusal != "" {
		j.Refusal, err = fault.Recall([]byte(refusal))
	}
	if err == nil && only != "" {
		err = json.Unmarshal([]byte(only), &j.Only)
	}
	j.CreatedAt, j.StartedAt, j.FinishedAt, j.StartAt = fromMillis(created), fromMillis(started), fromMillis(finished), fromMillis(start)
	j.Counts = jobs.Counts{}
	for i, o := range stored {
		j.Counts[o] = counts[i]
	}
	return j, err
}

// Job returns a job as it stands.
func (s *Store) Job(ctx context.Context, id string) (jobs.Job, error) {
	return job(ctx, s.read, id)
}

func job(ctx context.Context, q querier, id string) (jobs.Job, error) {
	j, err := scanJob(q.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM jobs j WHERE j.id = $1`, clean(id, 100)))
	if errors.Is(err, sql.ErrNoRows) {
		return j, jobs.FaultNoJob.With(clean(id, 40))
	}
	return j, err
}

// Start is what a person says when a job is started.
type Start struct {
	Confirm int64     // the number of its accounts, typed
	Reading string    // names the reading the person has seen; "" = does not matter
	At      time.Time // nothing is sent before; zero: at once
}

// StartJob queues a draft that is as the person has seen it. One that was read
// before the protected list changed is read again, just as it was.
func (s *Store) StartJob(ctx context.Context, by audit.Actor, id string, start Start) (jobs.Job, error) {
	if now := s.now(); !start.At.IsZero() && (!start.At.After(now) || start.At.After(now.AddDate(1, 0, 0))) {
		return jobs.Job{}, jobs.FaultStartTime.With()
	}
	j, err := s.changeJob(ctx, by, id, jobs.Start, func(tx *sql.Tx, j jobs.Job) (more map[string]any, err error) {
		var stale, canary bool
		var app keeping
		err = tx.QueryRowContext(ctx, `
			SELECT a.protected_version <> j.protected_version, a.canary = 1, a.snapshot = 1, a.verify_share FROM jobs j JOIN apps a ON a.id = j.app_id WHERE j.id = $1`, j.ID).
			Scan(&stale, &canary, &app.snapshot, &app.verify)
		switch {
		case err != nil:
			return nil, err
		case j.Accounts == 0:
			return nil, jobs.FaultNoAccounts.With()
		case start.Reading != "" && start.Reading != j.Reading:
			return nil, jobs.FaultReadAgain.With()
		case start.Confirm != j.Accounts:
			return nil, jobs.FaultConfirm.With(j.Accounts)
		case stale:
			return nil, FaultProtectedNew.With()
		}
		if more, err = app.fix(ctx, tx, &j); err != nil {
			return nil, err
		}
		if _, err = tx.ExecContext(ctx, `UPDATE jobs SET started_by = $2, started_at = $3, start_at = $4 WHERE id = $1`, j.ID, by.Name, millis(s.now()), millis(start.At)); err != nil {
			return nil, err
		}
		if !start.At.IsZero() {
			more["start_at"] = start.At.UTC().Format(time.RFC3339)
		}
		if canary && j.Kind != jobs.Inspect {
			err = firstGate(ctx, tx, j.ID, j.Kind.First(j.Snapshot))
		}
		return more, err
	})
	if FaultProtectedNew.Is(err) {
		_, failed := s.changeJob(ctx, by, id, jobs.Reread, func(*sql.Tx, jobs.Job) (map[string]any, error) {
			return map[string]any{"reason": FaultProtectedNew.Code}, nil
		})
		err = errors.Join(err, failed)
	}
	return j, err
}

// Resume lets a paused or halted job go on. One that halted because accounts had
// gained other tags needs to be told what to do with such accounts.
func (s *Store) Resume(ctx context.Context, by audit.Actor, id string, policy snapshot.Policy) (jobs.Job, error) {
	return s.changeJob(ctx, by, id, jobs.Resume, func(tx *sql.Tx, j jobs.Job) (more map[string]any, err error) {
		if j.State == jobs.Halted && j.HaltCode == jobs.CodeGained {
			if policy, err = snapshot.ParsePolicy(string(policy)); err != nil {
				return nil, err
			}
			if _, err := tx.ExecContext(ctx, `UPDATE jobs SET policy = $2 WHERE id = $1`, j.ID, policy); err != nil {
				return nil, err
			}
			more = map[string]any{"policy": policy}
		}
		return more, s.resume(ctx, tx, j)
	})
}

// ActOnJob pauses, resumes or cancels a job, or starts it before its time.
// Cancelling leaves calls in flight to end; what was never sent becomes
// cancelled at once.
func (s *Store) ActOnJob(ctx context.Context, by audit.Actor, id string, a jobs.Action) (jobs.Job, error) {
	if a == jobs.Resume {
		return s.Resume(ctx, by, id, "")
	}
	return s.changeJob(ctx, by, id, a, func(tx *sql.Tx, j jobs.Job) (map[string]any, error) {
		switch a {
		case jobs.Cancel:
			return nil, s.cancelWaiting(ctx, tx, j)
		case jobs.StartNow:
			if !j.StartAt.After(s.now()) {
				return nil, jobs.FaultWrongState.With(j.Shown())
			}
			_, err := tx.ExecContext(ctx, `UPDATE jobs SET start_at = 0 WHERE id = $1`, id)
			return nil, err
		}
		return nil, nil
	})
}

// resume lets a job go on after a person has acted: what was tried before
// counts no more.
func (s *Store) resume(ctx context.Context, tx *sql.Tx, j jobs.Job) error {
	_, err := tx.ExecContext(ctx, `UPDATE batches SET tries = 0, not_before = 0 WHERE job_id = $1 AND next <> '' AND lease_until = 0 AND tries > 0`, j.ID)
	if err == nil && j.State == jobs.Halted && j.HaltCode == jobs.CodeFailures {
		err = s.forgive(ctx, tx, j)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE jobs SET halt_code = 0, halt_info = '' WHERE id = $1`, j.ID)
	}
	return err
}

var actionCodes = map[jobs.Action]audit.Code{
	jobs.StartNow: audit.JobStartNow, jobs.Reread: audit.JobReread, jobs.Start: audit.JobStarted, jobs.Pause: audit.JobPaused, jobs.Resume: audit.JobResumed, jobs.Cancel: audit.JobCancelled,
}

// changeJob moves a job by compare-and-swap on its state, so that of two clicks
// only one counts. What also returns goes into the log.
func (s *Store) changeJob(ctx context.Context, by audit.Actor, id string, a jobs.Action, also func(*sql.Tx, jobs.Job) (map[string]any, error)) (after jobs.Job, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if a == jobs.Resume {
			if err := s.probeOnResume(ctx, tx, clean(id, 100)); err != nil {
				return err
			}
		}
		// Writes first, so that on PostgreSQL what is read next is locked and current.
		if _, err := tx.ExecContext(ctx, `UPDATE jobs SET version = version + 1 WHERE id = $1`, clean(id, 100)); err != nil {
			return err
		}
		j, err := job(ctx, tx, id)
		if err != nil {
			return err
		}
		to, fits := j.State.Next(a)
		switch {
		case j.State == jobs.Reading && !fits:
			return jobs.FaultStillReads.With()
		case !fits:
			return jobs.FaultWrongState.With(j.Shown())
		}
		if err := one(ctx, tx, jobs.FaultWrongState.With(j.Shown()), `UPDATE jobs SET state = $2 WHERE id = $1 AND state = $3`, id, to, j.State); err != nil {
			return err
		}
		more, err := also(tx, j)
		if err != nil {
			return err
		}
		if after, err = job(ctx, tx, id); err != nil {
			return err
		}
		details := summary(after)
		maps.Copy(details, more)
		if err := s.record(ctx, tx, audit.Entry{Code: actionCodes[a], Actor: by, JobID: id, Details: details}); err != nil {
			return err
		}
		if err := s.advance(ctx, tx, id); err != nil {
			return err
		}
		after, err = job(ctx, tx, id)
		return err
	})
	return after, err
}

// summary is what an entry says about a job.
func summary(j jobs.Job) map[string]any {
	return map[string]any{"file": j.FileName, "sha256": j.FileSHA256, "rows": j.Rows, "rejected": j.Rejected,
		"duplicate": j.Duplicate, "protected": j.Protected, "accounts": j.Accounts, "outcomes": j.Counts, "calls": j.Calls, "state": j.State}
}

// move adds changes that sum up to zero to the counts of a job.
func move(ctx context.Context, tx *sql.Tx, jobID string, by jobs.Counts) error {
	_, err := moveOn(ctx, tx, jobID, by, 0)
	return err
}

// moveOn is move with the calls that were made, and returns how far the job is.
func moveOn(ctx context.Context, tx *sql.Tx, jobID string, by jobs.Counts, calls int64) (progress, error) {
	if by.Sum() != 0 {
		return progress{}, fmt.Errorf("store: counts of job %s would no longer add up: %v", jobID, by)
	}
	set, args := []string{"version = version + 1", "calls = calls + $2"}, []any{jobID, calls}
	for _, o := range stored {
		if by[o] != 0 {
			args = append(args, by[o])
			set = append(set, fmt.Sprintf("%s = %s + $%d", outcomeColumn(o), outcomeColumn(o), len(args)))
		}
	}
	return scanProgress(tx.QueryRowContext(ctx, `UPDATE jobs SET `+strings.Join(set, ", ")+` WHERE id = $1 RETURNING `+progressColumns, args...))
}

// finish ends a job, and says so in the log, when no account is open any more.
// It returns the job as it then is.
func (s *Store) finish(ctx context.Context, tx *sql.Tx, id string) (jobs.Job, error) {
	j, err := job(ctx, tx, id)
	if err != nil || j.Counts.Open() > 0 || !j.FinishedAt.IsZero() {
		return j, err
	}
	if !slices.Contains([]jobs.State{jobs.Queued, jobs.Running, jobs.Paused, jobs.Halted, jobs.Cancelled}, j.State) {
		return j, nil
	}
	if j.State != jobs.Cancelled {
		j.State = jobs.Finished
	}
	j.FinishedAt = s.now()
	if _, err := tx.ExecContext(ctx, `UPDATE jobs SET state = $2, finished_at = $3, halt_code = 0, halt_info = '', gate = 0 WHERE id = $1`, id, j.State, millis(j.FinishedAt)); err != nil {
		return j, err
	}
	if err := s.keepUntil(ctx, tx, j); err != nil {
		return j, err
	}
	if j.StartedAt.IsZero() {
		return j, nil // a draft that was discarded: nothing ran that could finish
	}
	return j, s.record(ctx, tx, audit.Entry{Code: audit.JobFinished, Actor: audit.System, JobID: id, Details: summary(j)})
}

// Reasons counts a job's failed accounts by code, most first.
func (s *Store) Reasons(ctx context.Context, jobID string) ([]jobs.Reason, error) {
	return collect(ctx, s.read, func(row scanner) (r jobs.Reason, err error) {
		return r, row.Scan(&r.Code, &r.Info, &r.Accounts)
	}, `
		SELECT code, MAX(message), CAST(SUM(n) AS BIGINT) FROM (
			SELECT code, MAX(message) AS message, COUNT(*) AS n FROM own_outcomes WHERE job_id = $1 AND outcome = 'failed' GROUP BY code
			UNION ALL
			SELECT code, MAX(message), SUM(pending) FROM batches WHERE job_id = $1 AND outcome = 'failed' GROUP BY code
		) AS failures GROUP BY code ORDER BY 3 DESC, code`, jobID)
}

// CallsPerSecond is a job's rate over the last five seconds, reading not counted
// unless it is all the job does.
func (s *Store) CallsPerSecond(ctx context.Context, jobID string) (float64, error) {
	const window = 5000
	j, err := s.Job(ctx, jobID)
	if err != nil {
		return 0, err
	}
	var calls int64
	err = s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM calls WHERE job_id = $1 AND sent_at > $2 AND command = $3 AND delivery <> 'not_sent'`,
		j.ID, millis(s.now())-window, cmp.Or(j.Kind.Command(), tim.GetTags)).Scan(&calls)
	return float64(calls) / (window / 1000), err
}
