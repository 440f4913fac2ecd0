package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// change is one change of a job by an action. It is made in three steps, in one
// transaction: a rule checks the job as it was and decides how it will be, its row
// is written once, and the log says so.
type change struct {
	tx      *store.Tx
	app     lockedApp
	was, to Job            // to may differ only in the columns that write saves
	judged  Progress       // failures that no longer count, see Progress.Judge
	limit   int            // of failures, from now on; 0: as it was
	details map[string]any // what the log says besides the Summary
}

// lockedApp is what an app decides of its jobs.
type lockedApp struct {
	id, name, domain  string // the name is as entries of the log have it
	turn              int64  // the next one
	careful, snapshot bool
	verifyShare       snapshot.Share
	failureLimit      int
	listVersion       int64 // of the protected list
}

// lockApp locks the app of a job, which comes before its jobs: what is claimed and
// what becomes of a job as a whole is written by one transaction at a time.
func lockApp(ctx context.Context, tx *store.Tx, jobID string) (a lockedApp, err error) {
	err = tx.QueryRowContext(ctx, `
		UPDATE apps SET turns = turns + 1 WHERE id = (SELECT app_id FROM jobs WHERE id = $1)
		RETURNING id, name || ' (' || environment || ')', domain, turns, canary = 1, snapshot = 1, verify_share,
			failure_limit, protected_version`,
		jobID).Scan(&a.id, &a.name, &a.domain, &a.turn, &a.careful, &a.snapshot, &a.verifyShare, &a.failureLimit, &a.listVersion)
	return a, store.IfNone(err, FaultNoJob.With(store.Clean(jobID, 40)))
}

// begin locks the app of a job and reads the job as it is then.
func (s *Jobs) begin(ctx context.Context, tx *store.Tx, id string) (*change, error) {
	id = store.Clean(id, 100)
	app, err := lockApp(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	j, err := job(ctx, tx, id)
	return &change{tx: tx, app: app, was: j, to: j, details: map[string]any{}}, err
}

// may moves the job to its next state, if the action fits the one it is in.
func (c *change) may(a Action) error {
	to, fits := c.was.State.Next(a)
	switch {
	case c.was.State == Reading && !fits:
		return FaultImporting.With()
	case !fits:
		return FaultWrongState.With(c.was.Shown())
	case a == Start && len(c.was.Unsure) > 0:
		return c.was.unsure()
	}
	c.to.State = to
	return nil
}

// write writes the job's row, and returns it as it then is: counts may have moved meanwhile, and its
// careful start may have ended, because batches settle without the app's lock. Of two
// changes only one counts.
func (c *change) write(ctx context.Context) (after Job, p Progress, err error) {
	j := c.to
	after, err = scanJob(store.ScanAlso(c.tx.QueryRowContext(ctx, `
		UPDATE jobs SET state = $3, started_by = $4, started_at = $5, start_at = $6, turn = $7,
			careful = CASE WHEN CAST($8 AS BIGINT) = CAST($19 AS BIGINT) THEN careful ELSE $8 END,
			snapshot = $9, policy = $10,
			verify_share = $11, verify_seed = $12, halt_code = $13, halt_info = $14, halt_recovers = $15,
			checked_done = checked_done + $16, checked_failed = checked_failed + $17,
			failure_limit = CASE WHEN CAST($18 AS BIGINT) > 0 THEN $18 ELSE failure_limit END, version = version + 1
		WHERE id = $1 AND state = $2 RETURNING `+progressColumns+`, `+jobFields,
		j.ID, c.was.State, j.State, j.StartedBy, store.Millis(j.StartedAt), store.Millis(j.StartAt), j.turn, store.Number(j.Careful),
		store.Number(j.Snapshot), j.Policy, j.Verify.Share, j.Verify.Seed, j.HaltCode, j.HaltInfo, store.Number(Recovers(j.HaltCode)),
		c.judged.Settled, c.judged.Failed, c.limit, store.Number(c.was.Careful)), p.columns()...))
	return after, p, store.IfNone(err, FaultWrongState.With(c.was.Shown()))
}

var actionCodes = map[Action]audit.Code{
	StartNow: audit.JobStartNow, Reread: audit.JobReread, Start: audit.JobStarted, Pause: audit.JobPaused,
	Resume: audit.JobResumed, Cancel: audit.JobCancelled,
}

// change changes a job by an action of a person: check, write, log. Rule checks what
// the state does not say, and decides what changes besides it.
func (s *Jobs) change(ctx context.Context, by audit.Actor, id string, a Action, rule func(*change) error) (after Job, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		after, err = s.changeIn(ctx, tx, by, id, a, rule)
		return err
	})
	return after, err
}

func (s *Jobs) changeIn(ctx context.Context, tx *store.Tx, by audit.Actor, id string, a Action,
	rule func(*change) error) (after Job, err error) {
	c, err := s.begin(ctx, tx, id)
	if err == nil && a != Pause && a != Cancel { // what makes fewer calls is open to every console
		err = s.mustServe(ctx, tx, c.was)
	}
	if err == nil {
		err = auth.Confirm(ctx, tx, by, auth.RunJobs)
	}
	if err == nil {
		err = c.may(a)
	}
	if err == nil {
		err = rule(c)
	}
	if err != nil {
		return after, err
	}
	after, p, err := c.write(ctx)
	if err != nil {
		return after, err
	}
	details := Summary(after)
	if a == Start || a == Resume {
		maps.Copy(details, map[string]any{"turn": after.turn, "careful": after.Careful, "failure_limit": after.limit})
	}
	maps.Copy(details, c.details)
	entries := []audit.Entry{{Code: actionCodes[a], Actor: by, JobID: after.ID, App: c.app.name, Domain: c.app.domain, Details: details}}
	if starts := a == Start && after.Accounts > 0; !starts && p.Judge() != GoOn { // nothing follows from a start
		followed, err := s.follow(ctx, tx, after, p)
		if err == nil {
			after, err = job(ctx, tx, after.ID)
		}
		if err != nil {
			return after, err
		}
		entries = append(entries, followed...)
	}
	return after, s.log.RecordIn(ctx, tx, entries...)
}

// StartRequest is what a person says when a job is started.
type StartRequest struct {
	Confirm int64     // the number of its accounts, typed
	Reading string    // names the reading the person has seen; "" = does not matter
	At      time.Time // nothing is sent before; zero: at once
}

// Start queues a draft that is as the person has seen it. One that was read before
// the protected list changed is read again, just as it was. It returns
// FaultStartTime, FaultNoJob, FaultImporting, FaultWrongState, FaultUnsure, FaultNoAccounts,
// FaultReimported, FaultConfirm and FaultProtectedNew.
func (s *Jobs) Start(ctx context.Context, by audit.Actor, id string, r StartRequest) (Job, error) {
	if now := s.db.Now(); !r.At.IsZero() && (!r.At.After(now) || r.At.After(now.AddDate(1, 0, 0))) {
		return Job{}, FaultStartTime.With()
	}
	j, err := s.change(ctx, by, id, Start, func(c *change) error {
		switch j := c.was; {
		case j.Accounts == 0:
			return FaultNoAccounts.With()
		case r.Reading != "" && r.Reading != j.Reading:
			return FaultReimported.With()
		case r.Confirm != j.Accounts:
			return FaultConfirm.With(j.Accounts)
		case j.listVersion != c.app.listVersion:
			return FaultProtectedNew.With()
		}
		s.start(c, by, r.At)
		return s.doubtDraft(ctx, c)
	})
	if FaultProtectedNew.Is(err) {
		_, failed := s.change(ctx, by, id, Reread, func(c *change) error {
			c.details["reason"] = FaultProtectedNew.Code
			return nil
		})
		err = errors.Join(err, failed)
	}
	return j, err
}

// start says how a job runs from now on: as its app is set now.
func (s *Jobs) start(c *change, by audit.Actor, at time.Time) {
	j := &c.to
	j.StartedBy, j.StartedAt, j.StartAt, j.turn = by.Name, s.db.Now(), at, c.app.turn
	j.Snapshot = c.app.snapshot || j.Kind != Clear
	j.Careful, j.Verify.Share, j.Verify.Seed = c.app.careful, c.app.verifyShare, ""
	if j.Kind == Inspect {
		j.Careful, j.Verify.Share = false, 0
	}
	if j.Verify.Share > 0 {
		j.Verify.Seed = rand.Text()
	}
	c.details["snapshot"] = j.Snapshot
	c.details["verify_share"] = j.Verify.Share
	c.details["verify_seed"] = j.Verify.Seed
}

// Resume lets a paused or halted job go on behind all that were started or resumed
// before. If the cause halted other jobs too, one probe batch goes first. A job that
// halted because accounts had gained other tags needs to be told what to do with such
// accounts; else it returns the fault of snapshot.ParsePolicy.
func (s *Jobs) Resume(ctx context.Context, by audit.Actor, id string, policy snapshot.Policy) (Job, error) {
	return s.change(ctx, by, id, Resume, func(c *change) (err error) {
		c.to.turn, c.to.HaltCode, c.to.HaltInfo = c.app.turn, 0, ""
		switch {
		case c.was.State != Halted || c.was.HaltCode == CodeUnreadable ||
			c.was.HaltCode == CodeNotStarted || c.was.HaltCode == CodeStarter:
			return nil
		case c.was.HaltCode == CodeFailures:
			// Counting starts anew, with a higher limit, so that the same bad list does not halt it again.
			c.judged, err = progress(ctx, c.tx, c.was.ID)
			c.limit, c.to.Careful = c.judged.Raised(c.app.failureLimit), false
			return err
		case c.was.HaltCode == CodeGained:
			c.to.Policy, err = snapshot.ParsePolicy(string(policy))
			c.details["policy"] = c.to.Policy
			return err
		}
		_, err = c.tx.ExecContext(ctx, `UPDATE apps SET probe_at = `+s.db.Clock()+` / 1000, probe_wait = $2 WHERE id = $1`,
			c.app.id, FirstProbe)
		return err
	})
}

// FirstProbe is how long the first probe waits after a person has resumed a job, in milliseconds.
const FirstProbe = 1_000

// Act pauses, resumes or cancels a job, or starts it before its time. Cancelling
// leaves calls in flight to end; what was never sent becomes cancelled at once.
func (s *Jobs) Act(ctx context.Context, by audit.Actor, id string, a Action) (Job, error) {
	if a == Resume {
		return s.Resume(ctx, by, id, "")
	}
	return s.change(ctx, by, id, a, func(c *change) error {
		switch a {
		case Cancel: // what waits ends as it follows from the state
			c.to.HaltCode, c.to.HaltInfo = 0, ""
		case StartNow:
			if !c.was.StartAt.After(s.db.Now()) {
				return FaultWrongState.With(c.was.Shown())
			}
			c.to.StartAt = time.Time{}
		}
		return nil
	})
}

// Summary is what an entry says about a job.
func Summary(j Job) map[string]any {
	details := map[string]any{"file": j.FileName, "sha256": j.FileSHA256, "rows": j.Rows, "rejected": j.Rejected,
		"duplicate": j.Duplicate, "protected": j.Protected, "accounts": j.Accounts, "outcomes": j.Counts, "calls": j.Calls, "state": j.State,
		"terms_sha256": j.Terms(), "draft_sha256": j.draft()}
	if len(j.Unsure) > 0 {
		details["questions"] = len(j.Unsure)
	}
	if j.Policy != "" {
		details["policy"] = j.Policy
	}
	if !j.StartAt.IsZero() {
		details["start_at"] = startAt(j.StartAt)
	}
	return details
}
