package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
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
	Action  Action          // Start, StartNow, Resume or SendAgain
	Confirm int64           // of a start: see StartRequest, as are Reading and At
	Reading string          //
	At      time.Time       //
	Policy  snapshot.Policy // of a resume: see Resume
	Note    string          // for the second person
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
}

// Shown is the state a person sees.
func (a Approval) Shown(now time.Time) ApprovalState {
	if a.State == Awaiting && !now.Before(a.ExpiresAt) {
		return Expired
	}
	return a.State
}

func (a Approval) request() AskRequest {
	return AskRequest{Action: a.Action, Policy: a.Policy, At: a.StartAt}
}

const approvalColumns = `id, job_id, action, policy, start_at, terms, note, asker, asked_at, expires_at, state, decided_by, decided_at, reason`

func scanApproval(row store.Scanner) (a Approval, err error) {
	var asker string
	err = row.Scan(&a.ID, &a.JobID, &a.Action, &a.Policy, store.ScanTime(&a.StartAt), &a.terms, &a.Note, &asker, store.ScanTime(&a.AskedAt),
		store.ScanTime(&a.ExpiresAt), &a.State, &a.DecidedBy, store.ScanTime(&a.DecidedAt), &a.Reason)
	if err == nil {
		err = json.Unmarshal([]byte(asker), &a.Asker)
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
	a = Approval{ID: store.NewID(now), JobID: c.was.ID, Action: r.Action, Policy: r.Policy, StartAt: r.At, Note: store.Clean(strings.TrimSpace(r.Note), 500),
		Asker: audit.Actor{ID: by.ID, Name: by.Name, Role: by.Role, SignedIn: by.SignedIn}, AskedAt: now,
		ExpiresAt: now.Add(time.Duration(cmp.Or(c.app.settings.ApprovalHours, DefaultHours)) * time.Hour), State: Awaiting, terms: c.runs(r)}
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
	return a, s.log.RecordIn(ctx, c.tx, s.approvalEntry(c, audit.ApprovalAsked, by, a))
}

func (s *Jobs) approvalEntry(c *change, code audit.Code, by audit.Actor, a Approval) audit.Entry {
	details := map[string]any{"approval": a.ID, "action": a.Action, "runs_sha256": a.terms, "asked_by": a.Asker.Name,
		"accounts": c.was.Accounts, "kind": c.was.Kind, "expires": startAt(a.ExpiresAt)}
	for name, value := range map[string]string{"note": a.Note, "reason": a.Reason, "policy": string(a.Policy), "start_at": startAt(a.StartAt)} {
		if value != "" {
			details[name] = value
		}
	}
	return audit.Entry{Code: code, Actor: by, JobID: c.was.ID, App: c.app.name, Domain: c.app.domain, Details: details}
}

// waiting returns the request of a job that waits, or FaultNoRequest.
func (s *Jobs) waiting(ctx context.Context, q store.Querier, jobID string, now time.Time) (Approval, error) {
	a, err := scanApproval(q.QueryRowContext(ctx, `
		SELECT `+approvalColumns+` FROM approvals WHERE job_id = $1 AND state = 'waiting' AND expires_at > $2`, jobID, store.Millis(now)))
	return a, store.IfNone(err, FaultNoRequest.With())
}

// void ends a request because something else was done with its job.
func (s *Jobs) void(ctx context.Context, tx *store.Tx, jobID string, now time.Time) error {
	return tx.Exec(ctx, `UPDATE approvals SET state = 'void', decided_at = $2 WHERE job_id = $1 AND state = 'waiting'`, jobID, store.Millis(now))
}

// Approve is the second person's yes: what was asked for is done in the same transaction,
// in the name of who asked. It returns FaultNoRequest, FaultExpired, FaultVoid, FaultOwn,
// auth.FaultDenied, and the faults of what is done.
func (s *Jobs) Approve(ctx context.Context, by audit.Actor, id string) (after Job, err error) {
	err = s.decideOn(ctx, id, func(c *change, a Approval) error {
		if err := s.mayApprove(ctx, c, a, by); err != nil {
			return err
		}
		asker, may, err := auth.Now(ctx, c.tx, a.Asker, auth.RunJobs)
		switch r := a.request(); {
		case err != nil:
			return err
		case !may, c.runs(r) != a.terms, !r.At.IsZero() && !r.At.After(s.db.Now()):
			return FaultVoid.With()
		}
		if err := s.decided(ctx, c, audit.ApprovalGiven, by, a, Approved, ""); err != nil {
			return err
		}
		c.consent, after.ID = consent{by: by, request: a.ID}, c.was.ID
		r := a.request()
		r.Confirm, r.Reading = c.was.Accounts, c.was.Reading
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
		return s.decided(ctx, c, audit.ApprovalRefused, by, a, Declined, reason)
	})
}

// Withdraw takes a request back.
func (s *Jobs) Withdraw(ctx context.Context, by audit.Actor, id string) error {
	return s.decideOn(ctx, id, func(c *change, a Approval) error {
		if by.ID != a.Asker.ID {
			return FaultNoRequest.With()
		}
		return s.decided(ctx, c, audit.ApprovalWithdrawn, by, a, Withdrawn, "")
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
		a, err := scanApproval(tx.QueryRowContext(ctx, `SELECT `+approvalColumns+` FROM approvals WHERE id = $1`, id))
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

func (s *Jobs) decided(ctx context.Context, c *change, code audit.Code, by audit.Actor, a Approval, to ApprovalState, reason string) error {
	a.Reason = reason
	n, err := c.tx.Changed(ctx, `UPDATE approvals SET state = $2, decided_by = $3, decided_at = $4, reason = $5 WHERE id = $1 AND state = 'waiting'`,
		a.ID, to, by.Name, store.Millis(s.db.Now()), reason)
	if err == nil && n == 0 {
		err = FaultNoRequest.With()
	}
	if err != nil {
		return err
	}
	return s.log.RecordIn(ctx, c.tx, s.approvalEntry(c, code, by, a))
}

// Request returns the last request about a job, and FaultNoRequest when there is none.
func (s *Jobs) Request(ctx context.Context, jobID string) (Approval, error) {
	a, err := scanApproval(s.db.Reader().QueryRowContext(ctx,
		`SELECT `+approvalColumns+` FROM approvals WHERE job_id = $1 ORDER BY id DESC LIMIT 1`, store.Clean(jobID, 100)))
	return a, store.IfNone(err, FaultNoRequest.With())
}

// mostApprovals are shown in a list.
const mostApprovals = 200

// Approvals lists the requests that wait, of this console's app, and those that were
// decided in the last 90 days, the newest first.
func (s *Jobs) Approvals(ctx context.Context) ([]Approval, error) {
	return store.Collect(ctx, s.db.Reader(), scanApproval, `
		SELECT `+approvalColumns+` FROM approvals WHERE state = 'waiting' OR decided_at > $1 ORDER BY id DESC LIMIT $2`,
		store.Millis(s.db.Now().AddDate(0, 0, -90)), mostApprovals)
}

// MayApprove reports whether somebody could approve a request, as far as can be known
// before they do.
func (s *Jobs) MayApprove(ctx context.Context, by audit.Actor, a Approval) (may bool, err error) {
	if a.Shown(s.db.Now()) != Awaiting {
		return false, nil
	}
	err = s.db.ReadTx(ctx, func(tx *store.Tx) error {
		c, err := s.look(ctx, tx, a.JobID)
		if err == nil {
			err = s.mayApprove(ctx, c, a, by)
		}
		return err
	})
	if _, is := errors.AsType[*fault.Error](err); is {
		return false, nil
	}
	return err == nil, err
}

// Unseen counts, for each who asked, the decisions that they have not seen.
func (s *Jobs) Unseen(ctx context.Context) (map[string]int64, error) {
	return store.Sums[string](ctx, s.db.Reader(), `
		SELECT asked_by, COUNT(*) FROM approvals WHERE seen = 0 AND state IN ('approved', 'refused', 'void') GROUP BY asked_by`)
}

// Waiting lists the requests that wait, the oldest first.
func (s *Jobs) Waiting(ctx context.Context) ([]Approval, error) {
	return store.Collect(ctx, s.db.Reader(), scanApproval, `
		SELECT `+approvalColumns+` FROM approvals WHERE state = 'waiting' AND expires_at > $1 ORDER BY id LIMIT $2`,
		store.Millis(s.db.Now()), mostApprovals)
}

// SecondPerson is what a person must know about the second person for a job.
type SecondPerson struct {
	Action  Action    // what they can do now, but for one; "": nothing that needs one
	Limit   int64     // accounts that would need none
	Request *Approval // the last one; nil: none
	May     bool      // they may approve it
}

// SecondPerson says how a job stands with its second person, for somebody.
func (s *Jobs) SecondPerson(ctx context.Context, by audit.Actor, j Job) (p SecondPerson, err error) {
	a, err := s.Request(ctx, j.ID)
	switch {
	case err == nil:
		p.Request = &a
		if p.May, err = s.MayApprove(ctx, by, a); err != nil {
			return p, err
		}
	case !FaultNoRequest.Is(err):
		return p, err
	}
	next := guarded(j)
	if next == "" || p.Request != nil && a.Shown(s.db.Now()) == Awaiting {
		return p, nil
	}
	err = s.db.ReadTx(ctx, func(tx *store.Tx) error {
		c, err := s.look(ctx, tx, j.ID)
		if err != nil {
			return err
		}
		limit, needed, err := s.needsSecond(ctx, c, by, next)
		if needed {
			p.Action, p.Limit = next, limit
		}
		return err
	})
	return p, err
}

// guarded is the action of a job that may need a second person as it stands.
func guarded(j Job) Action {
	switch {
	case j.May(Start):
		return Start
	case j.May(StartNow):
		return StartNow
	case j.State == Halted && j.HaltCode == CodeFailures:
		return Resume
	case j.Counts[InDoubt] > 0 && !j.StartedAt.IsZero() && j.State != Cancelled:
		return SendAgain
	}
	return ""
}

// Waits reports whether a request waits.
func (p SecondPerson) Waits(now time.Time) bool {
	return p.Request != nil && p.Request.Shown(now) == Awaiting
}

// SeeDecisions says that somebody has seen what became of their requests.
func (s *Jobs) SeeDecisions(ctx context.Context, by audit.Actor) error {
	return s.db.Exec(ctx, `
		UPDATE approvals SET seen = 1 WHERE asked_by = $1 AND seen = 0 AND state IN ('approved', 'refused', 'void')`, by.Name)
}
