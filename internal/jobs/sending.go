package jobs

import (
	"cmp"
	"context"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

// Faults of what an admin chooses.
var (
	FaultRate = fault.Declare(fault.Invalid, "sending.rate",
		"Nothing was changed: calls per second must be 1 to %d. Leave the field empty for the default.")
	FaultFailureLimit = fault.Declare(fault.Invalid, "sending.failure_limit",
		"Nothing was changed: the failure limit must be 1 to 100 percent. 100 turns it off.")
	FaultKeepDays = fault.Declare(fault.Invalid, "sending.keep_days",
		"Nothing was changed: snapshots can be kept for 1 to %d days after a job ends.")
	FaultApprovers = fault.Declare(fault.Invalid, "sending.approvers",
		"Nothing was changed: choose who may approve, operators and admins, or admins alone.")
	FaultApprovalHours = fault.Declare(fault.Invalid, "sending.approval_hours",
		"Nothing was changed: a request for approval can wait 1 to %d hours.")
	FaultLimit = fault.Declare(fault.Invalid, "sending.limit",
		"Nothing was changed: a limit must be a whole number of accounts. Enter 0 to always require a second person, "+
			"“none” for no limit, or nothing for the default.")
	FaultVerifyShare = fault.Declare(fault.Invalid, "sending.verify_share",
		"Nothing was changed: the verification sample must be 0 to 100 percent, with at most four decimals.")
)

// SendStatus is how an app sends.
type SendStatus struct {
	Settings
	Configured int       // calls a second as configured, used while Rate is 0
	FirstJob   string    // served before all others; ""
	ProbeAt    time.Time // when the next single call finds out whether the service works again; zero: not in question
	Gauges     []Gauge
}

// Settings is what an admin chooses.
type Settings struct {
	Rate         int            `json:"rate"`          // calls a second, 1 to 100; 0 = as configured
	FailureLimit int            `json:"failure_limit"` // percent, 1 to 100; 100 = never halt for failures
	Canary       bool           `json:"canary"`
	Snapshot     bool           `json:"snapshot"`     // of jobs from now on: tags are read and kept before they are removed
	KeepDays     int            `json:"keep_days"`    // 1 to 3,650: of jobs that end from now on, how long their tags are kept
	VerifyShare  snapshot.Share `json:"verify_share"` // of batches that are inspected after a job that starts from now on

	// Of the second person, see approval.go. Accounts are a number, Default, NoLimit or Always.
	ApproveAbove  int64     `json:"approve_above,omitempty"`  // of a job that destroys (Kind.Destroys); by default DefaultAbove
	ApproveOther  int64     `json:"approve_other,omitempty"`  // of another job
	Approvers     auth.Role `json:"approvers,omitempty"`      // "" or Operator: operators and admins; Admin
	ApprovalHours int       `json:"approval_hours,omitempty"` // how long a request waits, up to 720; 0: DefaultHours
	OnceOperator  int64     `json:"once_operator,omitempty"`  // that an operator may start alone
	OnceAdmin     int64     `json:"once_admin,omitempty"`
	DailyOperator int64     `json:"daily_operator,omitempty"` // in 24 hours; by default DefaultDaily
	DailyAdmin    int64     `json:"daily_admin,omitempty"`
	AskAgain      int64     `json:"ask_again,omitempty"` // of a job for which the password is asked for again; by default DefaultAbove

	// What operators may do with the jobs of others, see others.go.
	OthersStop bool `json:"others_stop"` // pause and cancel them
	OthersRun  bool `json:"others_run"`  // everything else that operators do with jobs
}

// LimitNames are the names of the limits of the second person, in the order people see them.
var LimitNames = []string{"approve_above", "approve_other", "once_operator", "daily_operator", "once_admin", "daily_admin",
	"ask_again"}

// Limit is one of the limits of the second person; nil for another name.
func (s *Settings) Limit(name string) *int64 {
	return map[string]*int64{"approve_above": &s.ApproveAbove, "approve_other": &s.ApproveOther, "once_operator": &s.OnceOperator,
		"daily_operator": &s.DailyOperator, "once_admin": &s.OnceAdmin, "daily_admin": &s.DailyAdmin,
		"ask_again": &s.AskAgain}[name]
}

// mostKeepDays is ten years.
const mostKeepDays = 3_650

const settingsColumns = `rate_set, failure_limit, canary = 1, snapshot = 1, keep_days, verify_share,
	approve_above, approve_other, approvers, approval_hours, once_operator, once_admin, daily_operator, daily_admin, ask_again,
	others_stop = 1, others_run = 1`

func (s *Settings) dest() []any {
	return []any{&s.Rate, &s.FailureLimit, &s.Canary, &s.Snapshot, &s.KeepDays, &s.VerifyShare,
		&s.ApproveAbove, &s.ApproveOther, &s.Approvers, &s.ApprovalHours, &s.OnceOperator, &s.OnceAdmin, &s.DailyOperator, &s.DailyAdmin, &s.AskAgain,
		&s.OthersStop, &s.OthersRun}
}

// SendStatus returns how an app sends at this moment.
func (s *Jobs) SendStatus(ctx context.Context, appID string) (now SendStatus, err error) {
	var micros, probeAt int64
	err = s.db.Reader().QueryRowContext(ctx, `
		SELECT `+settingsColumns+`, a.rate, COALESCE((SELECT j.id FROM jobs j WHERE j.id = a.first_job
			AND j.finished_at = 0), ''), a.probe_at, `+s.db.Clock()+`
		FROM apps a WHERE a.id = $1`, appID).Scan(append(now.dest(), &now.Configured, &now.FirstJob, &probeAt, &micros)...)
	if err != nil {
		return now, store.AsTrouble(err)
	}
	at := moment{micros, time.Now()}
	if probeAt > 0 {
		now.ProbeAt = at.in(probeAt * 1000)
	}
	now.Gauges, err = s.gauges(ctx, appID, now, at)
	return now, err
}

// usedOver is how long ago calls may have left that a gauge counts.
const usedOver = 5 * time.Second

// gauged are the commands that have a budget.
var gauged = []tim.Command{tim.RemoveAllTags, tim.GetTags, tim.AddTags, tim.RemoveTags}

// inFlight counts the batches of the app $1 that are in hand, by what is done with them.
const inFlight = `
	SELECT CASE WHEN b.outcome = 'sending' THEN j.kind ELSE '' END, COUNT(*) FROM jobs j JOIN batches b ON b.job_id = j.id
	WHERE j.app_id = $1 AND j.finished_at = 0 AND b.console <> '' GROUP BY 1`

func (s *Jobs) gauges(ctx context.Context, appID string, sending SendStatus, now moment) ([]Gauge, error) {
	set := sending.Rate
	if set == 0 {
		set = sending.Configured
	}
	gauges, by := make([]Gauge, len(gauged)), map[tim.Command]*Gauge{}
	for i, command := range gauged {
		gauges[i] = Gauge{Command: command, Limit: ServiceLimit, Set: float64(set), Allowed: float64(set)}
		by[command] = &gauges[i]
	}
	err := store.Each(ctx, s.db.Reader(), func(row store.Scanner) error {
		var command tim.Command
		var slot, pace, pacedAt int64
		err := row.Scan(&command, &slot, &pace, &pacedAt)
		if err == nil && by[command] != nil {
			gaugeBudget(by[command], now, slot, Pace{Rate: float64(pace) / 1000, At: time.UnixMicro(pacedAt)})
		}
		return err
	}, `SELECT command, next_slot, pace, paced_at FROM budgets WHERE app_id = $1`, appID)
	if err != nil {
		return nil, err
	}
	at := s.db.Now() // times of the ledger are by the consoles' clocks
	used, err := store.Sums[tim.Command](ctx, s.db.Reader(), `
		SELECT c.command, COUNT(*) FROM jobs j JOIN calls c ON c.job_id = j.id
		WHERE j.app_id = $1 AND (j.finished_at = 0 OR j.finished_at > $2) AND c.sent_at > $2 AND c.sent_at <= $3
			AND c.delivery <> 'not_sent'
		GROUP BY c.command`, appID, store.Millis(at.Add(-usedOver)), store.Millis(at))
	if err != nil {
		return nil, err
	}
	for command, gauge := range by {
		gauge.Used = float64(used[command]) / usedOver.Seconds()
	}
	flying, err := store.Sums[Kind](ctx, s.db.Reader(), inFlight, appID)
	for kind, n := range flying { // what is not being changed is being read
		by[cmp.Or(kind.Command(), tim.GetTags)].InFlight += int(n)
	}
	return gauges, err
}

// mostReserved is how far ahead slots are given away at most.
const mostReserved = 300 * time.Millisecond

// gaugeBudget says how much of a budget is given away. A slot further ahead than
// any is reserved is a hold.
func gaugeBudget(g *Gauge, now moment, slot int64, pace Pace) {
	g.Allowed = pace.Now(g.Set, time.UnixMicro(now.micros))
	interval := int64(1_000_000 / g.Allowed)
	switch ahead := slot - now.micros; {
	case !now.ahead(slot):
	case ahead > mostReserved.Microseconds()+interval:
		g.HeldUntil = now.in(slot)
	default:
		g.Reserved = int((ahead + interval - 1) / interval)
	}
}

// valid returns why the settings cannot be.
func (s Settings) valid() error {
	switch {
	case s.Rate < 0 || s.Rate > ServiceLimit:
		return FaultRate.With(ServiceLimit)
	case s.FailureLimit < 1 || s.FailureLimit > 100:
		return FaultFailureLimit.With()
	case s.KeepDays < 1 || s.KeepDays > mostKeepDays:
		return FaultKeepDays.With(mostKeepDays)
	case s.VerifyShare < 0 || s.VerifyShare > snapshot.All:
		return FaultVerifyShare.With()
	case s.Approvers != "" && s.Approvers != auth.Operator && s.Approvers != auth.Admin:
		return FaultApprovers.With()
	case s.ApprovalHours < 0 || s.ApprovalHours > mostHours:
		return FaultApprovalHours.With(mostHours)
	}
	for _, name := range LimitNames {
		if *s.Limit(name) < Always {
			return FaultLimit.With()
		}
	}
	return nil
}

// ChangeSettings sets all that an admin chooses; running jobs follow at once.
func (s *Jobs) ChangeSettings(ctx context.Context, by audit.Actor, appID string, to Settings) error {
	return s.UpdateSettings(ctx, by, appID, func(now *Settings) { *now = to })
}

// UpdateSettings changes some of what an admin chooses, and leaves the rest as it is at
// that moment.
func (s *Jobs) UpdateSettings(ctx context.Context, by audit.Actor, appID string, change func(*Settings)) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		before, err := lockState(ctx, tx, appID)
		if err != nil {
			return err
		}
		to := before.Settings
		change(&to)
		if err := to.valid(); err != nil || before.Settings == to {
			return err
		}
		err = tx.Exec(ctx, `
			UPDATE apps SET rate_set = $2, failure_limit = $3, canary = $4, snapshot = $5, keep_days = $6, verify_share = $7,
				approve_above = $8, approve_other = $9, approvers = $10, approval_hours = $11, once_operator = $12,
				once_admin = $13, daily_operator = $14, daily_admin = $15,
				others_stop = $16, others_run = $17, ask_again = $18
			WHERE id = $1`,
			appID, to.Rate, to.FailureLimit, store.Number(to.Canary), store.Number(to.Snapshot), to.KeepDays, int64(to.VerifyShare),
			to.ApproveAbove, to.ApproveOther, to.Approvers, to.ApprovalHours, to.OnceOperator, to.OnceAdmin, to.DailyOperator,
			to.DailyAdmin, store.Number(to.OthersStop), store.Number(to.OthersRun), to.AskAgain)
		if err != nil {
			return err
		}
		after := appState{to, before.configuration}
		return s.log.RecordIn(ctx, tx, audit.Entry{Code: audit.AppChanged, Actor: by, Target: after.label(), App: after.label(),
			Details: map[string]any{"app_id": appID, "before": before, "after": after}})
	})
}

// PutFirst lets a job be served before all others of its app, or no longer.
func (s *Jobs) PutFirst(ctx context.Context, by audit.Actor, jobID string, first bool) error {
	jobID = store.Clean(jobID, 100)
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		query, code := `UPDATE apps SET first_job = '' WHERE first_job = $1`, audit.JobPutBack
		if first {
			query, code = `UPDATE apps SET first_job = $1 WHERE id = (SELECT app_id FROM jobs WHERE id = $1)
				AND first_job <> $1`, audit.JobPutFirst
		}
		changed, err := tx.Changed(ctx, query, jobID)
		if err != nil {
			return err
		}
		j, err := job(ctx, tx, jobID)
		if err == nil {
			err = s.mustServe(ctx, tx, j)
		}
		switch {
		case err != nil:
			return err
		case first && (j.Settled() || !j.FinishedAt.IsZero()):
			return FaultWrongState.With(j.Shown())
		case changed == 0:
			return nil // it is so already
		}
		return s.log.RecordIn(ctx, tx, audit.Entry{Code: code, Actor: by, JobID: jobID, Details: Summary(j)})
	})
}

// farAhead is later than any hold or wait ends: a time beyond it means that the
// clock was set back, and counts as come.
const farAhead = 90 * time.Second

// moment is one reading of the database's clock.
type moment struct {
	micros int64
	local  time.Time // then, by this process's clock, whose monotonic reading no change of clocks moves
}

// in returns when a time of the database's clock comes, by this process's.
func (m moment) in(micros int64) time.Time {
	return m.local.Add(time.Duration(micros-m.micros) * time.Microsecond)
}

// ahead reports whether a time lies ahead, and not so far that the clock was set back.
func (m moment) ahead(micros int64) bool {
	return micros > m.micros && micros <= m.micros+farAhead.Microseconds()
}

// ServiceLimit is how many calls of a command the service takes in any second
// (docs/tim-api.md).
const ServiceLimit = 100

// Gauge is the budget of one command of an app at a moment, in calls a second.
type Gauge struct {
	Command   tim.Command
	Limit     int       // what the service allows
	Set       float64   // what the app may use of it
	Allowed   float64   // what it uses for now: less than Set after the service found calls too frequent
	Used      float64   // over the last five seconds
	Reserved  int       // slots given away that have not come yet
	InFlight  int       // calls without an answer
	HeldUntil time.Time // no call leaves before; zero: not held
}

// Pace is how many calls of a command an app made a second when it was last
// slowed down. The zero pace was never.
type Pace struct {
	Rate float64
	At   time.Time
}

const (
	slowest     = 1.0
	slowerBy    = 0.85
	regained    = 0.03 // of the set rate, each second
	slowedEvery = time.Second
)

// Now is the pace at a time: what it was slowed down to, and a little of the
// set rate for each second since, up to all of it. A time well before it was
// slowed down means that the clock was set back, and nothing is known any more.
func (p Pace) Now(set float64, now time.Time) float64 {
	since := now.Sub(p.At)
	if p.Rate <= 0 || since < -slowedEvery {
		return set
	}
	return min(set, max(slowest, p.Rate)+regained*set*max(0, since.Seconds()))
}

// Slower is the pace after the service found calls too frequent. Those that
// left together are found so together, so it slows down once a second.
func (p Pace) Slower(set float64, now time.Time) Pace {
	if since := now.Sub(p.At); p.Rate > 0 && since > -slowedEvery && since < slowedEvery {
		return p
	}
	return Pace{max(min(slowest, set), slowerBy*p.Now(set, now)), now}
}
