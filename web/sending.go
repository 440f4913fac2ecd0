package web

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/web/templates"
)

const (
	sendingPath   = "/sending"
	stopPath      = sendingPath + "/stop"
	openJobsShown = 25 // jobs of each state
	stopsShown    = 3  // of each kind
	reasonLongest = 300
)

func (s *Server) showSending(v *request) error { return s.sendingPage(v, http.StatusOK, nil) }

// sendingPage shows how the app sends, and an error above it. An open page requests its
// moving part again.
func (s *Server) sendingPage(v *request, status int, f *fault.Error) error {
	page, err := s.sendingNow(v.Request().Context())
	if err != nil {
		return err
	}
	view := s.view(v, "sending")
	switch {
	case v.wantsJSON():
		return v.JSON(status, asSendingJSON(v, s.asAppJSON(v, s.App.ID), view.SendStatus, page))
	case v.fromHTMX() && f == nil:
		return s.render(v, status, templates.SendingParts(view, page))
	}
	page.Form, page.Approval = formOf(page.Sending.Settings), approvalForm(v, page.Sending.Settings)
	if f != nil && v.Path() == approvalSettingsPath {
		view.Here, view.Problem = sendingPath, v.text.Fault(f)
		page.Approval = typedApprovals(v, f)
	} else if f != nil {
		view.Here, view.Problem = sendingPath, v.text.Fault(f)
		page.Form = templates.SendingForm{Rate: v.FormValue("rate"), FailureLimit: v.FormValue("failure_limit"),
			Canary: v.FormValue("canary") != "", Snapshot: v.FormValue("snapshot") != "",
			KeepDays: v.FormValue("keep_days"), Verify: v.FormValue("verify_share"), Wrong: f.Sentence}
	}
	// Without scripts the page reloads itself, but not for admins, who may be typing.
	view.Refresh = !view.Governs()
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Sending(view, page) })
}

func formOf(set jobs.Settings) (form templates.SendingForm) {
	if set.Rate > 0 {
		form.Rate = strconv.Itoa(set.Rate)
	}
	form.FailureLimit, form.Canary = strconv.Itoa(set.FailureLimit), set.Canary
	form.Snapshot, form.KeepDays, form.Verify = set.Snapshot, strconv.Itoa(set.KeepDays), templates.Percent(set.VerifyShare)
	return form
}

// sendingNow collects the content of the page.
func (s *Server) sendingNow(ctx context.Context) (page templates.SendingPage, err error) {
	if page.Sending, err = s.Jobs.SendStatus(ctx, s.App.ID); err != nil {
		return page, err
	}
	for _, state := range []jobs.State{jobs.Running, jobs.Queued, jobs.Halted, jobs.Paused} {
		found, err := s.Jobs.List(ctx, jobs.Filter{State: state, Limit: openJobsShown})
		if err != nil {
			return page, err
		}
		for _, j := range slices.Backward(found) { // the oldest first
			open := templates.OpenJob{Job: j, First: j.ID == page.Sending.FirstJob}
			if state == jobs.Running {
				if open.Rate, err = s.Jobs.CallsPerSecond(ctx, j.ID); err != nil {
					return page, err
				}
			}
			if open.First {
				page.Open = slices.Insert(page.Open, 0, open)
			} else {
				page.Open = append(page.Open, open)
			}
		}
	}
	for _, code := range []audit.Code{audit.KillSwitchThrown, audit.KillSwitchLifted} {
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: code, Limit: stopsShown})
		if err != nil {
			return page, err
		}
		page.Stops = append(page.Stops, entries...)
	}
	slices.SortFunc(page.Stops, func(a, b audit.Entry) int { return cmp.Compare(b.Seq, a.Seq) })
	return page, nil
}

func (s *Server) changeSending(v *request) error {
	return s.settingsChanged(v, func(to *jobs.Settings) {
		to.Rate, to.FailureLimit, to.Canary = 0, typedSetting(v.FormValue("failure_limit")), v.FormValue("canary") != ""
		to.Snapshot, to.KeepDays = v.FormValue("snapshot") != "", typedSetting(v.FormValue("keep_days"))
		to.VerifyShare = typedShare(v.FormValue("verify_share"))
		if strings.TrimSpace(v.FormValue("rate")) != "" {
			to.Rate = typedSetting(v.FormValue("rate"))
		}
	})
}

// settingsChanged changes the settings of one form, and leaves those of the other as they are.
func (s *Server) settingsChanged(v *request, change func(*jobs.Settings)) error {
	return s.sendingChanged(v, s.Jobs.UpdateSettings(v.Request().Context(), v.actor(), s.App.ID, change), func() error {
		s.notice(v, v.text.T("sending.done"))
		return v.Redirect(http.StatusSeeOther, sendingPath)
	})
}

const approvalSettingsPath = sendingPath + "/approvals"

func approvalForm(v *request, set jobs.Settings) templates.ApprovalForm {
	form := templates.ApprovalForm{Limits: map[string]string{}, Approvers: set.Approvers, Stop: set.OthersStop, Run: set.OthersRun,
		Hours: strconv.Itoa(cmp.Or(set.ApprovalHours, jobs.DefaultHours))}
	for _, name := range jobs.LimitNames {
		switch n := *set.Limit(name); n {
		case jobs.Default:
		case jobs.NoLimit:
			form.Limits[name] = v.text.T("approval.limit.none")
		case jobs.Always:
			form.Limits[name] = "0"
		default:
			form.Limits[name] = strconv.FormatInt(n, 10)
		}
	}
	return form
}

// typedApprovals is the form as it was typed, when it was refused.
func typedApprovals(v *request, f *fault.Error) templates.ApprovalForm {
	form := templates.ApprovalForm{Limits: map[string]string{}, Approvers: auth.Role(v.FormValue("approvers")),
		Stop: v.FormValue("others_stop") != "", Run: v.FormValue("others_run") != "",
		Hours: v.FormValue("approval_hours"), Wrong: f.Sentence}
	for _, name := range jobs.LimitNames {
		form.Limits[name] = v.FormValue(name)
	}
	return form
}

// changeApprovals sets when a second person is needed.
func (s *Server) changeApprovals(v *request) error {
	return s.settingsChanged(v, func(to *jobs.Settings) {
		to.Approvers, to.ApprovalHours = auth.Role(v.FormValue("approvers")), typedSetting(v.FormValue("approval_hours"))
		to.OthersStop, to.OthersRun = v.FormValue("others_stop") != "", v.FormValue("others_run") != ""
		for _, name := range jobs.LimitNames {
			*to.Limit(name) = typedLimit(v.FormValue(name))
		}
	})
}

// typedLimit reads a number of accounts: nothing is the default, and words such as none are
// no limit. What cannot be read is no valid limit.
func typedLimit(typed string) int64 {
	typed = strings.ToLower(strings.TrimSpace(typed))
	switch n := typedCount(typed); {
	case typed == "":
		return jobs.Default
	case slices.Contains([]string{"none", "no limit", "unlimited", "不限", "无"}, typed):
		return jobs.NoLimit
	case n == 0:
		return jobs.Always
	case n < 0:
		return math.MinInt64
	default:
		return n
	}
}

// typedSetting reads a number from 1; -1, which is never valid, for anything else.
func typedSetting(typed string) int {
	n, err := strconv.Atoi(strings.TrimSpace(typed))
	if err != nil || n < 1 {
		return -1
	}
	return n
}

// typedShare reads a percentage of at most four decimals, with a point or a
// comma; -1 for anything else.
func typedShare(typed string) snapshot.Share {
	typed = strings.Replace(strings.TrimSuffix(strings.TrimSpace(typed), "%"), ",", ".", 1)
	whole, decimals, _ := strings.Cut(strings.TrimSpace(typed), ".")
	if len(whole) == 0 || len(whole) > 3 || len(decimals) > 4 {
		return -1
	}
	n, err := strconv.ParseUint(whole+decimals+strings.Repeat("0", 4-len(decimals)), 10, 32)
	if err != nil {
		return -1
	}
	return snapshot.Share(n)
}

// stopSending throws the kill switch. It must work in a hurry: the reason may be empty,
// and a long one is shortened.
func (s *Server) stopSending(v *request) error {
	reason := []rune(strings.TrimSpace(v.FormValue("reason")))
	reason = reason[:min(len(reason), reasonLongest)]
	return s.sendingChanged(v, s.Jobs.ThrowKillSwitch(v.Request().Context(), v.actor(), string(reason)), func() error {
		return v.Redirect(http.StatusSeeOther, local(cmp.Or(v.FormValue("next"), sendingPath)))
	})
}

func (s *Server) liftSending(v *request) error {
	ctx, lift := v.Request().Context(), s.Jobs.LiftKillSwitch
	if typed := v.FormValue("confirm"); typed != "" {
		lift = func(ctx context.Context, by audit.Actor) error {
			return s.Jobs.LiftRestored(ctx, by, typedCount(typed))
		}
	}
	err := lift(ctx, v.actor())
	if jobs.FaultHeld.Is(err) || jobs.FaultRestoredConfirm.Is(err) {
		return again(v, err, s.restoredPage)
	}
	return s.sendingChanged(v, err, func() error {
		s.notice(v, v.text.T("stop.lifted"))
		return v.Redirect(http.StatusSeeOther, local(cmp.Or(v.FormValue("next"), sendingPath)))
	})
}

// sendingChanged returns to the page with a confirmation or an error.
func (s *Server) sendingChanged(v *request, err error, done func() error) error {
	s.status.changed()
	if fault.KindOf(err) == fault.Invalid {
		return again(v, err, s.sendingPage)
	}
	if err != nil {
		return err
	}
	return done()
}

// sendingJSON is the page for scripts.
type sendingJSON struct {
	App          appJSON       `json:"app"`
	Stopped      *stoppedJSON  `json:"stopped"`
	Probing      *probingJSON  `json:"probing"`
	Trouble      *troubleJSON  `json:"trouble"`
	Rate         int           `json:"rate"`       // calls a second as set; 0: as configured
	Configured   int           `json:"configured"` // calls a second
	FailureLimit int           `json:"failure_limit"`
	Canary       bool          `json:"canary"`
	Snapshot     bool          `json:"snapshot"`     // tags are saved before they are changed
	KeepDays     int           `json:"keep_days"`    // after a job's end
	VerifyShare  int64         `json:"verify_share"` // millionths of a job's batches
	FirstJob     *string       `json:"first_job"`
	Commands     []gaugeJSON   `json:"commands"`
	Jobs         []openJobJSON `json:"jobs"`
}

type stoppedJSON struct {
	At     *time.Time `json:"at"`
	By     string     `json:"by"`
	Reason string     `json:"reason"`
}

type probingJSON struct {
	Since *time.Time `json:"since"`
	Next  *time.Time `json:"next"`
}

type troubleJSON struct {
	Since     *time.Time `json:"since"`
	Code      string     `json:"code"`
	Message   string     `json:"message"`
	Unwritten int        `json:"unwritten"`
}

type gaugeJSON struct {
	Command   string     `json:"command"`
	Limit     int        `json:"limit"`
	Set       float64    `json:"set"`
	Allowed   float64    `json:"allowed"`
	Used      float64    `json:"used"`
	Reserved  int        `json:"reserved"`
	InFlight  int        `json:"in_flight"`
	HeldUntil *time.Time `json:"held_until"`
}

type openJobJSON struct {
	ID             string     `json:"id"`
	State          jobs.State `json:"state"`
	File           string     `json:"file"`
	First          bool       `json:"first"`
	CallsPerSecond float64    `json:"calls_per_second"`
}

func asSendingJSON(v *request, app appJSON, now templates.SendStatus, page templates.SendingPage) sendingJSON {
	out := sendingJSON{App: app, Rate: page.Sending.Rate, Configured: page.Sending.Configured, FailureLimit: page.Sending.FailureLimit,
		Canary: page.Sending.Canary, Snapshot: page.Sending.Snapshot, KeepDays: page.Sending.KeepDays,
		VerifyShare: int64(page.Sending.VerifyShare), Commands: []gaugeJSON{}, Jobs: []openJobJSON{}}
	if k := now.Stopped; k.Thrown() {
		out.Stopped = &stoppedJSON{At: moment(k.ThrownAt), By: k.ThrownBy, Reason: k.Reason}
	}
	if !page.Sending.ProbeAt.IsZero() {
		out.Probing = &probingJSON{Since: moment(now.DownSince), Next: moment(page.Sending.ProbeAt)}
	}
	if t := now.Trouble; t != nil {
		out.Trouble = &troubleJSON{Since: moment(t.Since), Code: t.Fault.Code, Message: v.text.Fault(t.Fault), Unwritten: t.Unwritten}
	}
	if page.Sending.FirstJob != "" {
		out.FirstJob = &page.Sending.FirstJob
	}
	for _, g := range page.Sending.Gauges {
		out.Commands = append(out.Commands, gaugeJSON{Command: string(g.Command), Limit: g.Limit, Set: g.Set, Allowed: g.Allowed,
			Used: g.Used, Reserved: g.Reserved, InFlight: g.InFlight, HeldUntil: moment(g.HeldUntil)})
	}
	for _, open := range page.Open {
		out.Jobs = append(out.Jobs,
			openJobJSON{ID: open.Job.ID, State: open.Job.State, File: open.Job.FileName, First: open.First, CallsPerSecond: open.Rate})
	}
	return out
}
