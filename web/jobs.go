package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/a-h/templ"

	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/web/templates"
)

const (
	jobsOnAPage    = 50
	firstAccounts  = 8
	firstSetAsides = 12
	historyShown   = 30
)

func (s *Server) listJobs(v *request) error {
	list, filter, err := jobFilter(v)
	if err != nil {
		return s.refuseJobSearch(v, list, err)
	}
	filter.Limit = jobsOnAPage + 1
	found, err := s.Jobs.List(v.Request().Context(), filter)
	if err != nil {
		return err
	}
	var next *string
	if len(found) > jobsOnAPage {
		found = found[:jobsOnAPage]
		next = &found[jobsOnAPage-1].ID
	}
	if v.wantsJSON() {
		all := make([]jobJSON, len(found))
		for i, j := range found {
			if all[i], err = s.asJobJSON(v, j); err != nil {
				return err
			}
		}
		return v.JSON(http.StatusOK, map[string]any{"jobs": all, "next": next})
	}
	list.Jobs = found
	if next != nil {
		list.Older = withQuery(v, "before", *next)
	}
	if filter.Before != "" {
		list.Newest = withQuery(v, "before", "")
	}
	return s.page(v, http.StatusOK, s.view(v, "jobs"), func(view templates.View) templ.Component {
		return templates.Jobs(view, list)
	})
}

// jobFilter reads the filter in the address: as typed for the page, and parsed for the
// database.
func jobFilter(v *request) (list templates.JobList, f jobs.Filter, err error) {
	trimmed := func(name string) string { return strings.TrimSpace(v.QueryParam(name)) }
	list = templates.JobList{State: jobs.State(v.QueryParam("state")), Kind: jobs.Kind(trimmed("kind")),
		App: trimmed("app"), By: trimmed("by"), From: trimmed("from"), To: trimmed("to"), Text: trimmed("q")}
	f = jobs.Filter{State: list.State, Kind: list.Kind, App: list.App, By: list.By, Text: list.Text, Before: v.QueryParam("before")}
	if list.State != "" && !slices.Contains(jobs.States, list.State) {
		return list, f, faultNoPage.With()
	}
	if f.From, f.To, err = period(v); err != nil {
		return list, f, err
	}
	list.From, list.To = v.timeShown(f.From), v.timeShown(f.To)
	if list.Kind != "" && !slices.Contains(jobs.Kinds, list.Kind) {
		err = faultFilterChoice.With(string(list.Kind))
	}
	return list, f, err
}

// refuseJobSearch shows the invalid filter again.
func (s *Server) refuseJobSearch(v *request, list templates.JobList, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Invalid || v.wantsJSON() {
		return err
	}
	view := s.view(v, "jobs")
	view.Problem, list.Wrong = v.text.Fault(f), f.Sentence
	status, _ := statusOf(v, f)
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Jobs(view, list) })
}

func (s *Server) showJob(v *request) error {
	j, err := s.Jobs.Get(v.Request().Context(), v.Param("id"))
	if err != nil {
		return err
	}
	if v.wantsJSON() {
		return s.jobAsJSON(v, j)
	}
	return s.jobPage(v, http.StatusOK, j, nil)
}

// jobPage shows a job: reading its file, as a draft to review, or running.
func (s *Server) jobPage(v *request, status int, j jobs.Job, f *fault.Error) error {
	ctx, view := v.Request().Context(), s.view(v, "jobs")
	view.Here = jobPath(j.ID)
	if f != nil {
		view.Problem = v.text.Fault(f)
	}
	shown, err := s.live.read(ctx, j)
	if err != nil {
		return err
	}
	view.OfJob(j, shown.Owner)
	// A page with choices must not reload itself.
	view.Refresh = shown.Live() && !(j.State == jobs.Halted && j.HaltCode == jobs.CodeGained)
	if shown.Second, err = s.Jobs.SecondPerson(ctx, v.actor(), j); err != nil {
		return err
	}
	if f != nil && v.Path() == undoPath {
		shown.Undo = undoTyped(v, f)
	}
	page := templates.Job
	switch {
	case j.State == jobs.Draft:
		view.Area = "new"
		review, err := s.review(v, j, f)
		if err != nil {
			return err
		}
		review.Second, review.Now = shown.Second, shown.Now
		page = func(view templates.View, shown templates.JobView) templ.Component {
			return templates.Draft(view, shown, review)
		}
	case j.State == jobs.Reading:
		view.Area = "new"
		page = templates.Reading
	case shown.Unread():
		page = templates.Unread
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return page(view, shown) })
}

// review collects what a person reviews before a job starts, and after a fault the
// typed values.
func (s *Server) review(v *request, j jobs.Job, f *fault.Error) (r templates.Review, err error) {
	end, err := s.begin(v) // its file is parsed again
	if err != nil {
		return r, err
	}
	defer end()
	ctx := v.Request().Context()
	if r.Understood, err = s.Jobs.Understanding(ctx, j.ID); err != nil {
		return r, err
	}
	if r.Warnings, err = s.Jobs.Warnings(ctx, j.ID); err != nil {
		return r, err
	}
	if r.Protected, err = s.Jobs.CountProtected(ctx, j.AppID); err != nil {
		return r, err
	}
	first, err := s.Jobs.FirstAccounts(ctx, j.ID, firstAccounts)
	if err != nil {
		return r, err
	}
	for _, account := range first {
		r.First = append(r.First, templates.FirstRow{Row: account.Row, Account: account.Account.Account, Fields: account.Fields})
	}
	if r.Groups, err = s.Jobs.SetAsideGroups(ctx, j.ID); err != nil {
		return r, err
	}
	r.Choices = r.Understood.Choices
	switch {
	case f == nil:
	case v.Path() == rereadPath && v.FormValue(keepField) != "":
		r.Answers, _ = choicesOf(v.Request().Form)
	case v.Path() == rereadPath:
		r.Choices, _ = choicesOf(v.Request().Form)
		r.Mistaken = true
		if faultFirstLine.Is(f) {
			r.TypedLine = v.FormValue("first_line")
		}
	default:
		r.Typed, r.TypedAt, r.Mistimed = v.FormValue("confirm"), v.FormValue("at"), jobs.FaultStartTime.Is(f)
		r.StartAt, _ = startAt(v) // zero when it is no time
	}
	r.SetAsides, err = s.Jobs.SetAsides(ctx, j.ID, firstSetAsides)
	return r, err
}

func (s *Server) startJob(v *request) error {
	id := v.Param("id")
	at, err := startAt(v)
	if err == nil {
		start := startRequest(v)
		start.At = at
		_, err = s.Jobs.Start(v.Request().Context(), v.actor(), id, start)
	}
	if err != nil {
		return s.jobAgain(v, err)
	}
	return v.Redirect(http.StatusSeeOther, jobPath(id))
}

// startRequest is what the form of a start says, but for the time.
func startRequest(v *request) jobs.StartRequest {
	return jobs.StartRequest{Confirm: typedCount(v.FormValue("confirm")), Reading: v.FormValue("reading")}
}

func actOnJob(a jobs.Action) func(*Server, *request) error {
	return func(s *Server, v *request) error {
		id := v.Param("id")
		if _, err := s.Jobs.Act(v.Request().Context(), v.actor(), id, a); err != nil {
			return s.jobAgain(v, err)
		}
		s.status.changed() // resuming may have the service tried at once
		return v.Redirect(http.StatusSeeOther, jobPath(id))
	}
}

// startAt reads the start time in the time zone of the pages; zero means now.
func startAt(v *request) (time.Time, error) {
	typed := strings.TrimSpace(v.FormValue("at"))
	if typed == "" {
		return time.Time{}, nil
	}
	if at, is := typedTime(typed, v.text.Location()); is {
		return at, nil
	}
	return time.Time{}, jobs.FaultStartTime.With()
}

// decideJob decides the accounts in doubt that wait for a person.
func (s *Server) decideJob(v *request) error {
	id := v.Param("id")
	n, err := s.Jobs.Decide(v.Request().Context(), v.actor(), id, jobs.Decision(v.FormValue("decision")))
	if err != nil {
		return s.jobAgain(v, err)
	}
	switch jobs.Decision(v.FormValue("decision")) {
	case jobs.Retry:
		j, err := s.Jobs.Get(v.Request().Context(), id)
		if err != nil {
			return err
		}
		s.notice(v, v.text.For("decide.done.again", j.Kind, n))
	case jobs.Leave:
		s.notice(v, v.text.T("decide.done.leave", n))
	default:
		s.notice(v, v.text.T("decide.done.read", n))
	}
	return v.Redirect(http.StatusSeeOther, jobPath(id))
}

// putJobFirst sets or removes the priority of a job.
func (s *Server) putJobFirst(v *request) error {
	id := v.Param("id")
	if err := s.Jobs.PutFirst(v.Request().Context(), v.actor(), id, v.FormValue("first") == "1"); err != nil {
		return err
	}
	s.status.changed()
	if v.FormValue("from") == sendingPath {
		return v.Redirect(http.StatusSeeOther, sendingPath)
	}
	return v.Redirect(http.StatusSeeOther, jobPath(id))
}

func jobPath(id string) string { return "/jobs/" + url.PathEscape(id) }

// typedCount reads a number as people type it: 48120, 48,120, 48 120, 48.120,
// or with the full-width digits of a Chinese keyboard. It is -1 for anything else.
func typedCount(typed string) int64 {
	digits := strings.Map(func(c rune) rune {
		switch {
		case c >= '０' && c <= '９':
			return c - '０' + '0'
		case unicode.IsSpace(c), strings.ContainsRune(",.'’_，．、", c):
			return -1
		}
		return c
	}, typed)
	if strings.HasPrefix(digits, "+") || strings.HasPrefix(digits, "-") {
		return -1
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
