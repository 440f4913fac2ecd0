package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// SendAgain is what a decision to send accounts in doubt again is called in a request.
const SendAgain Action = "again"

// ApprovalState is what became of a request.
type ApprovalState string

// The states of a request. Expired is shown and not stored.
const (
	Awaiting  ApprovalState = "waiting"
	Approved  ApprovalState = "approved"  // the action was carried out in the same moment
	Declined  ApprovalState = "refused"   // by a second person
	Withdrawn ApprovalState = "withdrawn" // by who asked
	Void      ApprovalState = "void"      // something else was done with the job
	Expired   ApprovalState = "expired"
)

// AskRequest is what a second person is asked to let happen.
type AskRequest struct {
	Action Action          // Start, StartNow, Resume or SendAgain
	Start  StartRequest    // of a start
	Policy snapshot.Policy // of a resume: see Resume
	Note   string          // for the second person
}

// Approval is a request and what became of it.
type Approval struct {
	ID, JobID string
	Action    Action
	Policy    snapshot.Policy
	StartAt   time.Time
	Note      string
	Asker     audit.Actor
	AskedAt   time.Time
	ExpiresAt time.Time
	State     ApprovalState
	DecidedBy string
	DecidedAt time.Time
	Reason    string

	terms string
	asker []byte // JSON of Asker
}

// Shown is the state a person sees.
func (a Approval) Shown(now time.Time) ApprovalState {
	if a.State == Awaiting && !now.Before(a.ExpiresAt) {
		return Expired
	}
	return a.State
}

func (a Approval) request() AskRequest {
	return AskRequest{Action: a.Action, Policy: a.Policy, Start: StartRequest{At: a.StartAt}}
}

const approvalColumns = `a.id, a.job_id, a.action, a.policy, a.start_at, a.terms, a.note, a.asker, a.asked_at, a.expires_at, a.state,
	a.decided_by, a.decided_at, a.reason`

func (a *Approval) dest() []any {
	return []any{&a.ID, &a.JobID, &a.Action, &a.Policy, store.ScanTime(&a.StartAt), &a.terms, &a.Note, &a.asker, store.ScanTime(&a.AskedAt),
		store.ScanTime(&a.ExpiresAt), &a.State, &a.DecidedBy, store.ScanTime(&a.DecidedAt), &a.Reason}
}

func scanApproval(row store.Scanner) (a Approval, err error) {
	if err = row.Scan(a.dest()...); err == nil {
		err = json.Unmarshal(a.asker, &a.Asker)
	}
	return a, err
}

// Ask asks for a second person. What is asked for must be possible now, and need one. It
// returns the faults of what it asks for, FaultNotNeeded and FaultAsked.
func (s *Jobs) Ask(ctx context.Context, by audit.Actor, jobID string, r AskRequest) (Approval, error) {
	a, err := s.askFor(ctx, by, jobID, r)
	return a, s.rereadIfProtected(ctx, by, jobID, err)
}

func (s *Jobs) askFor(ctx context.Context, by audit.Actor, jobID string, r AskRequest) (a Approval, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		c, err := s.begin(ctx, tx, jobID)
		if err == nil {
			err = s.permitted(ctx, c, by, r.Action)
		}
		if err == nil {
			err = s.ruleOf(ctx, by, r)(c)
		}
		switch {
		case err == nil:
			return FaultNotNeeded.With()
		case !FaultSecondPerson.Is(err):
			return err
		}
		a, err = s.ask(ctx, c, by, r)
		return err
	})
	return a, err
}

func (s *Jobs) ask(ctx context.Context, c *change, by audit.Actor, r AskRequest) (a Approval, err error) {
	now := s.db.Now()
	if _, err := s.waiting(ctx, c.tx, c.was.ID, now); err == nil {
		return a, FaultAsked.With()
	} else if !FaultNoRequest.Is(err) {
		return a, err
	}
	if err := s.void(ctx, c.tx, c.was.ID, now); err != nil { // one that has expired
		return a, err
	}
	a = Approval{ID: store.NewID(now), JobID: c.was.ID, Action: r.Action, Policy: r.Policy, StartAt: r.Start.At,
		Note: store.Clean(strings.TrimSpace(r.Note), 500), State: Awaiting, AskedAt: now,
		Asker:     audit.Actor{ID: by.ID, Name: by.Name, Role: by.Role, SignedIn: by.SignedIn},
		ExpiresAt: now.Add(time.Duration(cmp.Or(c.app.settings.ApprovalHours, DefaultHours)) * time.Hour), terms: c.runs(r)}
	asker, err := json.Marshal(a.Asker)
	if err != nil {
		return a, err
	}
	err = c.tx.Exec(ctx, `
		INSERT INTO approvals (id, job_id, action, policy, start_at, terms, note, asker, asked_by, asked_at, expires_at, state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, a.ID, a.JobID, a.Action, a.Policy, store.Millis(a.StartAt), a.terms, a.Note,
		string(asker), by.Name, store.Millis(now), store.Millis(a.ExpiresAt), a.State)
	if err != nil {
		return a, err
	}
	return a, s.log.RecordIn(ctx, c.tx, c.approvalEntry(audit.ApprovalAsked, by, a))
}

func (c *change) approvalEntry(code audit.Code, by audit.Actor, a Approval) audit.Entry {
	details := map[string]any{"approval": a.ID, "action": a.Action, "runs_sha256": a.terms, "asked_by": a.Asker.Name,
		"accounts": c.was.Accounts, "kind": c.was.Kind, "expires": startAt(a.ExpiresAt)}
	more := map[string]string{"note": a.Note, "reason": a.Reason, "policy": string(a.Policy), "start_at": startAt(a.StartAt)}
	for name, value := range more {
		if value != "" {
			details[name] = value
		}
	}
	return c.entry(code, by, details)
}

// waiting returns the request of a job that waits, or FaultNoRequest.
func (s *Jobs) waiting(ctx context.Context, q store.Querier, jobID string, now time.Time) (Approval, error) {
	a, err := scanApproval(q.QueryRowContext(ctx, `
		SELECT `+approvalColumns+` FROM approvals a WHERE job_id = $1 AND state = 'waiting' AND expires_at > $2`, jobID, store.Millis(now)))
	return a, store.IfNone(err, FaultNoRequest.With())
}

// void ends a request because something else was done with its job.
func (s *Jobs) void(ctx context.Context, tx *store.Tx, jobID string, now time.Time) error {
	return tx.Exec(ctx, `UPDATE approvals SET state = 'void', decided_at = $2 WHERE job_id = $1 AND state = 'waiting'`,
		jobID, store.Millis(now))
}

// Approve is the second person's yes: what was asked for is done in the same transaction,
// in the name of who asked. It returns FaultNoRequest, FaultExpired, FaultVoid, FaultOwn,
// auth.FaultDenied, and the faults of what is done.
func (s *Jobs) Approve(ctx context.Context, by audit.Actor, id string) (after Job, err error) {
	err = s.decideOn(ctx, id, func(c *change, a Approval) error {
		if err := s.mayApprove(ctx, c, a, by); err != nil {
			return err
		}
		r := a.request()
		asker, err := auth.Still(ctx, c.tx, a.Asker, auth.RunJobs)
		switch late := !r.Start.At.IsZero() && !r.Start.At.After(s.db.Now()); {
		case auth.Lost(err) || err == nil && (late || c.runs(r) != a.terms):
			return FaultVoid.With()
		case err != nil:
			return err
		}
		given, err := s.decided(ctx, c, audit.ApprovalGiven, by, a, Approved, "")
		if err != nil {
			return err
		}
		c.before, c.consent, after.ID = []audit.Entry{given}, consent{by: by, request: a.ID}, c.was.ID
		r.Start.Confirm, r.Start.Reading = c.was.Accounts, c.was.Reading
		if err := s.permitted(ctx, c, asker, r.Action); err != nil {
			return err
		}
		if r.Action == SendAgain {
			_, err = s.decide(ctx, c, asker, Retry)
			after = c.was
			return err
		}
		after, err = s.carryOut(ctx, c, asker, r.Action, s.ruleOf(ctx, asker, r))
		return err
	})
	return after, s.rereadIfProtected(ctx, by, after.ID, err)
}

// Decline is the second person's no, with a reason.
func (s *Jobs) Decline(ctx context.Context, by audit.Actor, id, reason string) error {
	reason = store.Clean(strings.TrimSpace(reason), 500)
	if utf8.RuneCountInString(reason) == 0 {
		return FaultReason.With(1)
	}
	return s.decideOn(ctx, id, func(c *change, a Approval) error {
		if err := s.mayApprove(ctx, c, a, by); err != nil {
			return err
		}
		return s.end(ctx, c, audit.ApprovalRefused, by, a, Declined, reason)
	})
}

// Withdraw takes a request back.
func (s *Jobs) Withdraw(ctx context.Context, by audit.Actor, id string) error {
	return s.decideOn(ctx, id, func(c *change, a Approval) error {
		if by.ID != a.Asker.ID {
			return FaultNoRequest.With()
		}
		return s.end(ctx, c, audit.ApprovalWithdrawn, by, a, Withdrawn, "")
	})
}

// decideOn runs a decision about a request that waits, in a transaction.
func (s *Jobs) decideOn(ctx context.Context, id string, f func(*change, Approval) error) error {
	id = store.Clean(id, 100)
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		jobID, err := store.Value[string](ctx, tx, `SELECT job_id FROM approvals WHERE id = $1`, id)
		if err != nil {
			return store.IfNone(err, FaultNoRequest.With())
		}
		c, err := s.begin(ctx, tx, jobID) // it locks the app: of two decisions only one counts
		if err != nil {
			return err
		}
		a, err := scanApproval(tx.QueryRowContext(ctx, `SELECT `+approvalColumns+` FROM approvals a WHERE id = $1`, id))
		switch {
		case err != nil:
			return err
		case a.State != Awaiting:
			return FaultNoRequest.With()
		case a.Shown(s.db.Now()) == Expired:
			return FaultExpired.With()
		}
		return f(c, a)
	})
}

// end ends a request, of which nothing else follows.
func (s *Jobs) end(ctx context.Context, c *change, code audit.Code, by audit.Actor, a Approval, to ApprovalState, reason string) error {
	entry, err := s.decided(ctx, c, code, by, a, to, reason)
	if err != nil {
		return err
	}
	return s.log.RecordIn(ctx, c.tx, entry)
}

// decided writes what became of a request, and returns what the log says of it.
func (s *Jobs) decided(ctx context.Context, c *change, code audit.Code, by audit.Actor, a Approval, to ApprovalState,
	reason string) (audit.Entry, error) {
	a.Reason = reason
	return c.approvalEntry(code, by, a), c.tx.Exec(ctx,
		`UPDATE approvals SET state = $2, decided_by = $3, decided_at = $4, reason = $5 WHERE id = $1`,
		a.ID, to, by.Name, store.Millis(s.db.Now()), reason)
}
