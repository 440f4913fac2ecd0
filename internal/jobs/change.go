package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"tagsweep/internal/audit"
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
	consent consent        // of a second person
	before  []audit.Entry  // what the log says before it says what was changed
	details map[string]any // what the log says besides the Summary
}

// lockedApp is what an app decides of its jobs.
type lockedApp struct {
	id, name, domain, environment string // the name is as entries of the log have it
	turn                          int64  // the next one
	settings                      Settings
	listVersion                   int64 // of the protected list
}

// lockApp locks the app of a job, which comes before its jobs: what is claimed and
// what becomes of a job as a whole is written by one transaction at a time.
func lockApp(ctx context.Context, tx *store.Tx, jobID string) (a lockedApp, err error) {
	err = tx.QueryRowContext(ctx, `
		UPDATE apps SET turns = turns + 1 WHERE id = (SELECT app_id FROM jobs WHERE id = $1) RETURNING `+lockedColumns, jobID).
		Scan(a.columns()...)
	return a, store.IfNone(err, FaultNoJob.With(store.Clean(jobID, 40)))
}

const lockedColumns = `id, name || ' (' || environment || ')', domain, environment, turns, protected_version, ` + settingsColumns

func (a *lockedApp) columns() []any {
	return append([]any{&a.id, &a.name, &a.domain, &a.environment, &a.turn, &a.listVersion}, a.settings.dest()...)
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

// look is begin without the lock, to say what a change would come to.
func (s *Jobs) look(ctx context.Context, tx *store.Tx, id string) (*change, error) {
	c := &change{tx: tx, details: map[string]any{}}
	var err error
	if c.was, err = job(ctx, tx, id); err == nil {
		err = tx.QueryRowContext(ctx, `SELECT `+lockedColumns+` FROM apps WHERE id = $1`, c.was.AppID).Scan(c.app.columns()...)
	}
	c.to = c.was
	return c, err
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

// entry is what the log says about the job.
func (c *change) entry(code audit.Code, by audit.Actor, details map[string]any) audit.Entry {
	return audit.Entry{Code: code, Actor: by, JobID: c.was.ID, App: c.app.name, Domain: c.app.domain, Details: details}
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
			verify_share = $11, verify_seed = $12, approved_by = $20, emergency = $21, halt_code = $13, halt_info = $14, halt_recovers = $15,
			checked_done = checked_done + $16, checked_failed = checked_failed + $17,
			failure_limit = CASE WHEN CAST($18 AS BIGINT) > 0 THEN $18 ELSE failure_limit END, version = version + 1
		WHERE id = $1 AND state = $2 RETURNING `+progressColumns+`, `+jobFields,
		j.ID, c.was.State, j.State, j.StartedBy, store.Millis(j.StartedAt), store.Millis(j.StartAt), j.turn, store.Number(j.Careful),
		store.Number(j.Snapshot), j.Policy, j.Verify.Share, j.Verify.Seed, j.HaltCode, j.HaltInfo, store.Number(Recovers(j.HaltCode)),
		c.judged.Settled, c.judged.Failed, c.limit, store.Number(c.was.Careful), j.ApprovedBy, j.Emergency), p.columns()...))
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
	if err == nil {
		err = s.permitted(ctx, c, by, a)
	}
	if err != nil {
		return after, err
	}
	return s.carryOut(ctx, c, by, a, rule)
}

// permitted asks whether this console, who uploaded the job and its state allow an action.
// Whether the person's role allows it is asked when the log says so.
func (s *Jobs) permitted(ctx context.Context, c *change, by audit.Actor, a Action) error {
	if a != Pause && a != Cancel { // what makes fewer calls is open to every console
		if err := s.mustServe(ctx, c.tx, c.was); err != nil {
			return err
		}
	}
	if err := mayActOn(ctx, c.tx, by, c.was, c.app.settings, a); err != nil || a == SendAgain {
		return err
	}
	return c.may(a)
}

// carryOut checks what the state does not say, writes and logs.
func (s *Jobs) carryOut(ctx context.Context, c *change, by audit.Actor, a Action, rule func(*change) error) (after Job, err error) {
	tx := c.tx
	if err = rule(c); err != nil {
		return after, err
	}
	if a != Pause {
		if err = s.void(ctx, tx, c.was.ID, s.db.Now()); err != nil {
			return after, err
		}
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
	entries := append(c.before, c.entry(actionCodes[a], by, details))
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

	emergency string // see StartInEmergency
}

// Start queues a draft that is as the person has seen it. One that was read before
// the protected list changed is read again, just as it was. It returns
// FaultStartTime, FaultNoJob, FaultImporting, FaultWrongState, FaultUnsure, FaultNoAccounts,
// FaultReimported, FaultConfirm and FaultProtectedNew.
func (s *Jobs) Start(ctx context.Context, by audit.Actor, id string, r StartRequest) (Job, error) {
	j, err := s.change(ctx, by, id, Start, s.ruleOfStart(ctx, by, r))
	return j, s.rereadIfProtected(ctx, by, id, err)
}

func (s *Jobs) ruleOfStart(ctx context.Context, by audit.Actor, r StartRequest) func(*change) error {
	return func(c *change) error {
		switch j, now := c.was, s.db.Now(); {
		case !r.At.IsZero() && (!r.At.After(now) || r.At.After(now.AddDate(1, 0, 0))):
			return FaultStartTime.With()
		case j.Accounts == 0:
			return FaultNoAccounts.With()
		case r.Reading != "" && r.Reading != j.Reading:
			return FaultReimported.With()
		case r.Confirm != j.Accounts:
			return FaultConfirm.With(j.Accounts)
		case j.listVersion != c.app.listVersion:
			return FaultProtectedNew.With()
		}
		c.consent.emergency = r.emergency
		if err := s.agree(ctx, c, by, Start); err != nil {
			return err
		}
		s.start(c, by, r.At)
		return s.doubtDraft(ctx, c)
	}
}

// rereadIfProtected has a draft read again that was read before the protected list changed.
func (s *Jobs) rereadIfProtected(ctx context.Context, by audit.Actor, id string, err error) error {
	if !FaultProtectedNew.Is(err) {
		return err
	}
	failed := s.db.Tx(ctx, func(tx *store.Tx) error { // whoever it was: nobody chose anything
		c, err := s.begin(ctx, tx, id)
		if err == nil {
			err = c.may(Reread)
		}
		if err != nil {
			return err
		}
		_, err = s.carryOut(ctx, c, by, Reread, func(c *change) error {
			c.details["reason"] = FaultProtectedNew.Code
			return nil
		})
		return err
	})
	return errors.Join(err, failed)
}

// StartInEmergency starts a job at once that needs a second person, without one. It is for
// admins, takes a reason, and stays on the job for ever. It returns FaultReason,
// FaultNotNeeded and what Start returns.
func (s *Jobs) StartInEmergency(ctx context.Context, by audit.Actor, id string, r StartRequest, reason string) (Job, error) {
	if r.emergency = store.Clean(strings.TrimSpace(reason), 500); utf8.RuneCountInString(r.emergency) < fewestLetters {
		return Job{}, FaultReason.With(fewestLetters)
	}
	r.At = time.Time{}
	j, err := s.change(ctx, by, id, Start, func(c *change) error {
		c.before = []audit.Entry{c.entry(audit.JobEmergency, by,
			map[string]any{"reason": r.emergency, "accounts": c.was.Accounts, "kind": c.was.Kind})}
		err := s.ruleOfStart(ctx, by, r)(c)
		if err == nil && c.to.Emergency == "" {
			err = FaultNotNeeded.With()
		}
		return err
	})
	return j, s.rereadIfProtected(ctx, by, id, err)
}

// start says how a job runs from now on: as its app is set now.
func (s *Jobs) start(c *change, by audit.Actor, at time.Time) {
	j := &c.to
	j.StartedBy, j.StartedAt, j.StartAt, j.turn = by.Name, s.db.Now(), at, c.app.turn
	j.Snapshot = c.app.settings.Snapshot || j.Kind != Clear
	j.Careful, j.Verify.Share, j.Verify.Seed = c.app.settings.Canary, c.app.settings.VerifyShare, ""
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
	return s.change(ctx, by, id, Resume, s.ruleOfResume(ctx, by, policy))
}

func (s *Jobs) ruleOfResume(ctx context.Context, by audit.Actor, policy snapshot.Policy) func(*change) error {
	return func(c *change) (err error) {
		c.to.turn, c.to.HaltCode, c.to.HaltInfo = c.app.turn, 0, ""
		switch {
		case c.was.State != Halted || c.was.HaltCode == CodeUnreadable:
			return nil
		case c.was.HaltCode == CodeNotStarted || c.was.HaltCode == CodeStarter: // nothing of it was sent: this is its start
			return s.askAgain(ctx, c, by)
		case c.was.HaltCode == CodeFailures:
			if err = s.agree(ctx, c, by, Resume); err != nil {
				return err
			}
			// Counting starts anew, with a higher limit, so that the same bad list does not halt it again.
			c.judged, err = progress(ctx, c.tx, c.was.ID)
			c.limit, c.to.Careful = c.judged.Raised(c.app.settings.FailureLimit), false
			return err
		case c.was.HaltCode == CodeGained:
			c.to.Policy, err = snapshot.ParsePolicy(string(policy))
			c.details["policy"] = c.to.Policy
			return err
		}
		_, err = c.tx.ExecContext(ctx, `UPDATE apps SET probe_at = `+s.db.Clock()+` / 1000, probe_wait = $2 WHERE id = $1`,
			c.app.id, FirstProbe)
		return err
	}
}

// FirstProbe is how long the first probe waits after a person has resumed a job, in milliseconds.
const FirstProbe = 1_000

// Act pauses, resumes or cancels a job, or starts it before its time. Cancelling
// leaves calls in flight to end; what was never sent becomes cancelled at once.
func (s *Jobs) Act(ctx context.Context, by audit.Actor, id string, a Action) (Job, error) {
	if a == Resume {
		return s.Resume(ctx, by, id, "")
	}
	if a == StartNow {
		return s.change(ctx, by, id, a, s.ruleOfStartNow(ctx, by))
	}
	return s.change(ctx, by, id, a, func(c *change) error {
		if a == Cancel { // what waits ends as it follows from the state
			c.to.HaltCode, c.to.HaltInfo = 0, ""
		}
		return nil
	})
}

func (s *Jobs) ruleOfStartNow(ctx context.Context, by audit.Actor) func(*change) error {
	return func(c *change) error {
		if !c.was.StartAt.After(s.db.Now()) {
			return FaultWrongState.With(c.was.Shown())
		}
		c.to.StartAt = time.Time{}
		return s.agree(ctx, c, by, StartNow)
	}
}

// ruleOf is the rule of an action that may need a second person.
func (s *Jobs) ruleOf(ctx context.Context, by audit.Actor, r AskRequest) func(*change) error {
	switch r.Action {
	case Start:
		return s.ruleOfStart(ctx, by, r.Start)
	case StartNow:
		return s.ruleOfStartNow(ctx, by)
	case Resume:
		return s.ruleOfResume(ctx, by, r.Policy)
	case SendAgain:
		return func(c *change) error { return s.agree(ctx, c, by, SendAgain) }
	}
	return func(*change) error { return FaultNotNeeded.With() }
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
