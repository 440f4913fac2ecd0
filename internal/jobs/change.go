package jobs

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

// stored lists the outcomes of a job in the order of its columns.
var stored = Outcomes

func outcomeColumn(o Outcome) string { return "outcome_" + string(o) }

var jobColumns = func() string {
	columns := []string{"id", "app_id", "kind", "state", "note", "file_name", "file_sha256", "file_bytes",
		"row_count", "rejected", "duplicate", "protected", "accounts", "batches", "calls",
		"created_by", "started_by", "created_at", "started_at", "finished_at", "halt_code", "halt_info", "start_at", "careful", "source", "reading", "read_done", "read_rows", "refusal", "version",
		"snapshot", "policy", "only_tags", "verify_share", "verify_seed", "verify_due", "checks"}
	for _, o := range stored {
		columns = append(columns, outcomeColumn(o))
	}
	return "j." + strings.Join(columns, ", j.")
}()

func scanJob(row store.Scanner) (j Job, err error) {
	var created, started, finished, start int64
	var refusal, only string
	dest := []any{&j.ID, &j.AppID, &j.Kind, &j.State, &j.Note, &j.FileName, &j.FileSHA256, &j.FileBytes,
		&j.Rows, &j.Rejected, &j.Duplicate, &j.Protected, &j.Accounts, &j.Batches, &j.Calls,
		&j.CreatedBy, &j.StartedBy, &created, &started, &finished, &j.HaltCode, &j.HaltInfo, &start, &j.Careful, &j.Source, &j.Reading, &j.Read, &j.ReadRows, &refusal, &j.Version,
		&j.Snapshot, &j.Policy, &only, &j.Verify.Share, &j.Verify.Seed, &j.Verify.Due, &j.Checks}
	counts := make([]int64, len(stored))
	for i := range stored {
		dest = append(dest, &counts[i])
	}
	if err = row.Scan(dest...); err == nil && refusal != "" {
		j.Refusal, err = fault.Recall([]byte(refusal))
	}
	if err == nil && only != "" && json.Unmarshal([]byte(only), &j.Only) != nil {
		j.Only = []string{} // it was damaged: the engine halts such a job, and nothing of it may be taken for all
	}
	j.CreatedAt, j.StartedAt, j.FinishedAt, j.StartAt = store.FromMillis(created), store.FromMillis(started), store.FromMillis(finished), store.FromMillis(start)
	j.Counts = Counts{}
	for i, o := range stored {
		j.Counts[o] = counts[i]
	}
	return j, err
}

// Job returns a job as it stands.
func (s *Jobs) Get(ctx context.Context, id string) (Job, error) {
	return job(ctx, s.db.Reader(), id)
}

func job(ctx context.Context, q store.Querier, id string) (Job, error) {
	j, err := scanJob(q.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM jobs j WHERE j.id = $1`, store.Clean(id, 100)))
	if errors.Is(err, sql.ErrNoRows) {
		return j, FaultNoJob.With(store.Clean(id, 40))
	}
	return j, err
}

// Start is what a person says when a job is started.
type StartRequest struct {
	Confirm int64     // the number of its accounts, typed
	Reading string    // names the reading the person has seen; "" = does not matter
	At      time.Time // nothing is sent before; zero: at once
}

// StartJob queues a draft that is as the person has seen it. One that was read
// before the protected list changed is read again, just as it was.
func (s *Jobs) Start(ctx context.Context, by audit.Actor, id string, start StartRequest) (Job, error) {
	if now := s.db.Now(); !start.At.IsZero() && (!start.At.After(now) || start.At.After(now.AddDate(1, 0, 0))) {
		return Job{}, FaultStartTime.With()
	}
	j, err := s.changeJob(ctx, by, id, Start, func(tx *store.Tx, j Job) (map[string]any, error) {
		var stale bool
		err := tx.QueryRowContext(ctx, `SELECT a.protected_version <> j.protected_version FROM jobs j JOIN apps a ON a.id = j.app_id WHERE j.id = $1`, j.ID).Scan(&stale)
		switch {
		case err != nil:
			return nil, err
		case j.Accounts == 0:
			return nil, FaultNoAccounts.With()
		case start.Reading != "" && start.Reading != j.Reading:
			return nil, FaultReadAgain.With()
		case start.Confirm != j.Accounts:
			return nil, FaultConfirm.With(j.Accounts)
		case stale:
			return nil, FaultProtectedNew.With()
		}
		return s.started(ctx, tx, by, j, start.At)
	})
	if FaultProtectedNew.Is(err) {
		_, failed := s.changeJob(ctx, by, id, Reread, func(*store.Tx, Job) (map[string]any, error) {
			return map[string]any{"reason": FaultProtectedNew.Code}, nil
		})
		err = errors.Join(err, failed)
	}
	return j, err
}

// started writes down how a job runs from now on: as its app is set now. It
// returns what the log says of it.
func (s *Jobs) started(ctx context.Context, tx *store.Tx, by audit.Actor, j Job, at time.Time) (map[string]any, error) {
	var careful, keep bool
	var share snapshot.Share
	err := tx.QueryRowContext(ctx, `SELECT canary = 1, snapshot = 1, verify_share FROM apps WHERE id = $1`, j.AppID).Scan(&careful, &keep, &share)
	if err != nil {
		return nil, err
	}
	keep = keep || j.Kind != Clear
	seed := ""
	if j.Kind == Inspect {
		careful, share = false, 0
	}
	if share > 0 {
		seed = rand.Text()
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE jobs SET started_by = $2, started_at = $3, start_at = $4, careful = $5, snapshot = $6, verify_share = $7, verify_seed = $8 WHERE id = $1`,
		j.ID, by.Name, store.Millis(s.db.Now()), store.Millis(at), store.Number(careful), store.Number(keep), share, seed)
	if err == nil {
		err = takeTurn(ctx, tx, j)
	}
	said := map[string]any{"snapshot": keep, "verify_share": share, "verify_seed": seed}
	if !at.IsZero() {
		said["start_at"] = at.UTC().Format(time.RFC3339)
	}
	return said, err
}

// takeTurn puts a job behind all that were started or resumed before.
func takeTurn(ctx context.Context, tx *store.Tx, j Job) error {
	var turn int64
	err := tx.QueryRowContext(ctx, `UPDATE apps SET turns = turns + 1 WHERE id = $1 RETURNING turns`, j.AppID).Scan(&turn)
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE jobs SET turn = $2 WHERE id = $1`, j.ID, turn)
	}
	return err
}

// Resume lets a paused or halted job go on. One that halted because accounts had
// gained other tags needs to be told what to do with such accounts.
func (s *Jobs) Resume(ctx context.Context, by audit.Actor, id string, policy snapshot.Policy) (Job, error) {
	return s.changeJob(ctx, by, id, Resume, func(tx *store.Tx, j Job) (more map[string]any, err error) {
		if j.State == Halted && j.HaltCode == CodeGained {
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
func (s *Jobs) Act(ctx context.Context, by audit.Actor, id string, a Action) (Job, error) {
	if a == Resume {
		return s.Resume(ctx, by, id, "")
	}
	return s.changeJob(ctx, by, id, a, func(tx *store.Tx, j Job) (map[string]any, error) {
		switch a {
		case Cancel: // what waits ends as it follows from the state
			_, err := tx.ExecContext(ctx, `UPDATE jobs SET halt_code = 0, halt_info = '', halt_recovers = 0 WHERE id = $1`, j.ID)
			return nil, err
		case StartNow:
			if !j.StartAt.After(s.db.Now()) {
				return nil, FaultWrongState.With(j.Shown())
			}
			_, err := tx.ExecContext(ctx, `UPDATE jobs SET start_at = 0 WHERE id = $1`, id)
			return nil, err
		}
		return nil, nil
	})
}

// resume lets a job go on after a person has acted. What halted more than this job
// is tried by one batch first.
func (s *Jobs) resume(ctx context.Context, tx *store.Tx, j Job) error {
	if j.State == Halted && !slices.Contains([]int{CodeFailures, CodeGained, CodeUnreadable}, j.HaltCode) {
		_, err := tx.ExecContext(ctx, `UPDATE apps SET probe_at = `+s.db.Clock()+` / 1000, probe_wait = $2 WHERE id = $1`, j.AppID, firstProbe)
		if err != nil {
			return err
		}
	}
	if err := takeTurn(ctx, tx, j); err != nil {
		return err
	}
	if j.State == Halted && j.HaltCode == CodeFailures {
		if err := forgive(ctx, tx, j); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `UPDATE jobs SET halt_code = 0, halt_info = '', halt_recovers = 0 WHERE id = $1`, j.ID)
	return err
}

// firstProbe is how long the first probe waits after a person has resumed a job, in milliseconds.
const firstProbe = 1_000

// forgive lets a job that halted for its failures go on: counting starts anew,
// with a limit that a list which is known to be bad does not reach again.
func forgive(ctx context.Context, tx *store.Tx, j Job) error {
	p, err := scanProgress(tx.QueryRowContext(ctx, `SELECT `+progressColumns+` FROM jobs WHERE id = $1`, j.ID))
	if err != nil {
		return err
	}
	var appLimit int
	if err := tx.QueryRowContext(ctx, `SELECT failure_limit FROM apps WHERE id = $1`, j.AppID).Scan(&appLimit); err != nil {
		return err
	}
	return countAnew(ctx, tx, j.ID, p, p.Raised(appLimit))
}

var actionCodes = map[Action]audit.Code{
	StartNow: audit.JobStartNow, Reread: audit.JobReread, Start: audit.JobStarted, Pause: audit.JobPaused, Resume: audit.JobResumed, Cancel: audit.JobCancelled,
}

// changeJob moves a job by compare-and-swap on its state, so that of two clicks
// only one counts. What also returns goes into the log.
func (s *Jobs) changeJob(ctx context.Context, by audit.Actor, id string, a Action, also func(*store.Tx, Job) (map[string]any, error)) (after Job, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		if err := lockApp(ctx, tx, store.Clean(id, 100)); err != nil {
			return err
		}
		j, fits, err := s.changeState(ctx, tx, store.Clean(id, 100), a)
		switch {
		case err != nil:
			return err
		case j.State == Reading && !fits:
			return FaultStillReads.With()
		case !fits:
			return FaultWrongState.With(j.Shown())
		}
		more, err := also(tx, j)
		if err != nil {
			return err
		}
		if after, err = job(ctx, tx, id); err != nil {
			return err
		}
		details := Summary(after)
		maps.Copy(details, more)
		if err := s.log.RecordIn(ctx, tx, audit.Entry{Code: actionCodes[a], Actor: by, JobID: id, Details: details}); err != nil {
			return err
		}
		if err := s.Advance(ctx, tx, id); err != nil {
			return err
		}
		after, err = job(ctx, tx, id)
		return err
	})
	return after, err
}

// lockApp locks the app of a job, which comes before its jobs: what is claimed and
// what becomes of a job as a whole is written by one transaction at a time.
func lockApp(ctx context.Context, tx *store.Tx, jobID string) error {
	_, err := tx.ExecContext(ctx, `UPDATE apps SET turns = turns WHERE id = (SELECT app_id FROM jobs WHERE id = $1)`, jobID)
	return err
}

// Summary is what an entry says about a job.
func Summary(j Job) map[string]any {
	return map[string]any{"file": j.FileName, "sha256": j.FileSHA256, "rows": j.Rows, "rejected": j.Rejected,
		"duplicate": j.Duplicate, "protected": j.Protected, "accounts": j.Accounts, "outcomes": j.Counts, "calls": j.Calls, "state": j.State}
}

// finish ends a job of which no account is open any more, and says so in the log.
func (s *Jobs) finish(ctx context.Context, tx *store.Tx, id string) error {
	before, err := job(ctx, tx, id)
	if err != nil || !before.FinishedAt.IsZero() {
		return err
	}
	if _, fits, err := s.changeState(ctx, tx, id, Finish); err != nil || !fits {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE jobs SET finished_at = $2, halt_code = 0, halt_info = '', halt_recovers = 0, careful = 0,
			verify_due = CASE WHEN state = 'finished' AND verify_share > 0 THEN 1 ELSE 0 END WHERE id = $1`, id, store.Millis(s.db.Now()))
	if err != nil {
		return err
	}
	j, err := job(ctx, tx, id)
	if err == nil {
		err = s.keepUntil(ctx, tx, j)
	}
	if err != nil || j.StartedAt.IsZero() {
		return err // a draft that was discarded: nothing ran that could finish
	}
	return s.log.RecordIn(ctx, tx, audit.Entry{Code: audit.JobFinished, Actor: audit.System, JobID: id, Details: Summary(j)})
}

// Reasons counts a job's failed accounts by code, most first.
func (s *Jobs) Reasons(ctx context.Context, jobID string) ([]Reason, error) {
	return store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (r Reason, err error) {
		return r, row.Scan(&r.Code, &r.Info, &r.Accounts)
	}, `
		SELECT code, MAX(message), CAST(SUM(n) AS BIGINT) FROM (
			SELECT code, MAX(message) AS message, COUNT(*) AS n FROM own_outcomes WHERE job_id = $1 AND outcome = 'failed' GROUP BY code
			UNION ALL
			SELECT code, MAX(message), SUM(accounts) FROM batches WHERE job_id = $1 AND outcome = 'failed' GROUP BY code
		) AS failures GROUP BY code ORDER BY 3 DESC, code`, jobID)
}

// CallsPerSecond is a job's rate over the last five seconds, reading not counted
// unless it is all the job does.
func (s *Jobs) CallsPerSecond(ctx context.Context, jobID string) (float64, error) {
	const window = 5000
	j, err := s.Get(ctx, jobID)
	if err != nil {
		return 0, err
	}
	var calls int64
	err = s.db.Reader().QueryRowContext(ctx, `SELECT COUNT(*) FROM calls WHERE job_id = $1 AND sent_at > $2 AND command = $3 AND delivery <> 'not_sent'`,
		j.ID, store.Millis(s.db.Now())-window, cmp.Or(j.Kind.Command(), tim.GetTags)).Scan(&calls)
	return float64(calls) / (window / 1000), err
}
