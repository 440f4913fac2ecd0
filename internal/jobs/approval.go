package jobs

import (
	"context"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// A job that may do much harm needs a second person. The first one asks, which binds the
// request to what is to run; the second one approves, and in that one transaction the job
// is started, or goes on. There is no approval that could be used later. What needs one is
// decided in agree. Everything that lets a job send asks it: Start, StartNow, Resume after a
// halt for failures, and Decide when accounts are to be sent again.

// Values of a limit of Settings that are no number of accounts.
const (
	Default = 0 // in production DefaultAbove or DefaultDaily where Settings says so; elsewhere NoLimit
	NoLimit = -1
	Always  = -2 // a limit of no account
)

// What goes without a second person in production, in accounts, while no admin said otherwise.
const (
	DefaultAbove  = 1_000
	DefaultDaily  = 10_000
	DefaultHours  = 24
	mostHours     = 24 * 30
	fewestLetters = 10 // of the reason for an emergency
)

// Faults of the second person.
var (
	FaultSecondPerson = fault.Declare(fault.Conflict, "approval.needed",
		"Nothing was started or sent: this needs a second person. Ask for approval on the job page. The job runs as "+
			"soon as somebody else has approved it.")
	FaultNotNeeded = fault.Declare(fault.Conflict, "approval.not_needed",
		"Nothing was asked: no second person is needed. You can do it yourself on the job page.")
	FaultAsked = fault.Declare(fault.Conflict, "approval.waiting",
		"Nothing was asked: a request for this job waits already. Withdraw it first, or wait for the decision.")
	FaultNoRequest = fault.Declare(fault.NotFound, "approval.none",
		"There is no such request, or it was decided already. Nothing was changed. See the job page for the latest status.")
	FaultOwn = fault.Declare(fault.Forbidden, "approval.own",
		"Nothing was started: you uploaded this job, last said how its file is read, or asked for the approval. Somebody "+
			"else has to approve it.")
	FaultVoid = fault.Declare(fault.Conflict, "approval.void",
		"Nothing was started: the job, its settings or its start time are no longer as they were when approval was asked "+
			"for. It has to be asked for again.")
	FaultExpired = fault.Declare(fault.Conflict, "approval.expired",
		"Nothing was started: the request has expired. It has to be asked for again.")
	FaultReason = fault.Declare(fault.Invalid, "approval.reason",
		"Nothing was changed: a reason is missing, or is too short. Write at least %d characters that others will understand.")
)

// consent is what lets an action go on that needs a second person.
type consent struct {
	by        audit.Actor // the second person
	request   string      // the id of what was approved
	emergency string      // the reason of an admin who does without
}

// agree returns FaultSecondPerson when an action needs a second person, and none has
// approved it, and else what askAgain does. The log says how it was.
func (s *Jobs) agree(ctx context.Context, c *change, by audit.Actor, a Action) error {
	limit, needed, err := s.needsSecond(ctx, c, by, a)
	if err != nil {
		return err
	}
	if needed {
		c.details["second_person_above"] = limit
	}
	switch {
	case c.consent.request != "":
		c.details["approved_by"], c.details["approval"] = c.consent.by.Name, c.consent.request
		if a == Start {
			c.to.ApprovedBy = c.consent.by.Name
		}
	case !needed:
	case c.consent.emergency != "":
		c.details["emergency"], c.to.Emergency = c.consent.emergency, c.consent.emergency
	default:
		return FaultSecondPerson.With()
	}
	return s.askAgain(ctx, c, by)
}

// askAgain returns auth.FaultAskAgain when whoever lets a job of many accounts send has to type
// their password again.
func (s *Jobs) askAgain(ctx context.Context, c *change, by audit.Actor) error {
	if _, much := exceeds(c.was.Accounts, c.app.settings.AskAgain, DefaultAbove, c.app.environment); !much || c.was.Kind == Inspect {
		return nil
	}
	if c.consent.request != "" {
		by = c.consent.by
	}
	return auth.AskAgain(ctx, c.tx, by, s.db.Now())
}

// needsSecond reports whether an action needs a second person, and the number of accounts
// up to which it would not.
func (s *Jobs) needsSecond(ctx context.Context, c *change, by audit.Actor, a Action) (limit int64, needed bool, err error) {
	set, n := c.app.settings, c.was.Accounts
	above, byDefault := set.ApproveOther, int64(NoLimit)
	if c.was.Kind.Destroys() {
		above, byDefault = set.ApproveAbove, DefaultAbove
	}
	if limit, needed = exceeds(n, above, byDefault, c.app.environment); needed || a != Start || c.was.Kind == Inspect {
		return limit, needed, nil
	}
	once, daily := set.OnceOperator, set.DailyOperator
	if by.Role == string(auth.Admin) {
		once, daily = set.OnceAdmin, set.DailyAdmin
	}
	if limit, needed = exceeds(n, once, NoLimit, c.app.environment); needed {
		return limit, needed, nil
	}
	started, err := store.Value[int64](ctx, c.tx, `
		SELECT COALESCE(CAST(SUM(accounts) AS BIGINT), 0) FROM jobs
		WHERE app_id = $1 AND started_by = $2 AND started_at > $3 AND approved_by = '' AND kind <> 'inspect'`,
		c.app.id, by.Name, store.Millis(s.db.Now().Add(-24*time.Hour)))
	if err != nil {
		return 0, false, err
	}
	if limit, needed = exceeds(started+n, daily, DefaultDaily, c.app.environment); needed {
		limit = max(0, limit-started)
	}
	return limit, needed, nil
}

// exceeds compares a number of accounts with a limit, in an environment.
func exceeds(n, limit, byDefault int64, environment string) (is int64, more bool) {
	switch {
	case limit == Always:
		return 0, n > 0
	case limit == Default && !harmless(environment):
		limit = byDefault
	}
	return limit, limit > 0 && n > limit
}

// Destroys reports whether jobs of the kind remove tags, or replace them.
func (k Kind) Destroys() bool { return k == Clear || k == RemoveTags || k == Restore }

// runs is what a request is bound to: the SHA-256 of all that says what would be sent.
func (c *change) runs(r AskRequest) string {
	settings := c.app.settings
	return jsonDigest(struct {
		Job, Terms, Reading, Name, Domain string
		Action                            Action
		State                             State
		Policy, Chosen                    snapshot.Policy
		Snapshot, Canary                  bool
		VerifyShare                       snapshot.Share
		FailureLimit, HaltCode            int
		StartAt, At                       string
	}{c.was.ID, c.was.Terms(), c.was.Reading, c.app.name, c.app.domain, r.Action, c.was.State, c.was.Policy, r.Policy,
		settings.Snapshot, settings.Canary, settings.VerifyShare, settings.FailureLimit, c.was.HaltCode,
		startAt(c.was.StartAt), startAt(r.Start.At)})
}

// mayApprove returns why somebody may not be the second person for a request.
func (s *Jobs) mayApprove(ctx context.Context, c *change, a Approval, by audit.Actor) error {
	needs := auth.Approve
	if c.app.settings.Approvers == auth.Admin {
		needs = auth.Govern
	}
	if by.SignedIn != audit.ByPassword { // whoever has the machine is nobody in particular
		return auth.FaultDenied.With(by.Role)
	}
	if _, err := auth.Still(ctx, c.tx, by, needs); err != nil {
		return err
	}
	understoodBy, err := store.Value[string](ctx, c.tx, `SELECT understood_by FROM jobs WHERE id = $1`, c.was.ID)
	if err != nil {
		return err
	}
	if by.ID == a.Asker.ID || by.Name == a.Asker.Name || by.Name == c.was.CreatedBy || by.Name == understoodBy {
		return FaultOwn.With()
	}
	return nil
}
