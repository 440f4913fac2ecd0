package web

import (
	"context"
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
	"tagsweep/internal/store"
	"tagsweep/web/templates"
)

const (
	jobsOnAPage    = 50
	firstAccounts  = 8
	firstSetAsides = 12
	historyShown   = 30
)

func (s *Server) listJobs(v *visit) error {
	list := templates.JobList{State: jobs.State(v.QueryParam("state"))}
	if list.State != "" && !slices.Contains(jobs.States, list.State) {
		return faultNoPage.With()
	}
	before := v.QueryParam("before")
	found, err := s.Store.Jobs(v.Request().Context(), store.JobFilter{State: list.State, Before: before, Limit: jobsOnAPage + 1})
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
			all[i] = asJobJSON(v, j)
		}
		return v.JSON(http.StatusOK, map[string]any{"jobs": all, "next": next})
	}
	list.Jobs = found
	if next != nil {
		list.Older = withQuery(v, "before", *next)
	}
	if before != "" {
		list.Newest = withQuery(v, "before", "")
	}
	return s.page(v, http.StatusOK, s.view(v, "jobs"), func(view templates.View) templ.Component {
		return templates.Jobs(view, list)
	})
}

func (s *Server) showJob(v *visit) error {
	j, err := s.Store.Job(v.Request().Context(), v.Param("id"))
	if err != nil {
		return err
	}
	if v.wantsJSON() {
		return v.JSON(http.StatusOK, asJobJSON(v, j))
	}
	return s.jobPage(v, http.StatusOK, j, nil)
}

// jobPage shows a job: as a draft to review, or as it runs.
func (s *Server) jobPage(v *visit, status int, j jobs.Job, f *fault.Error) error {
	ctx, view := v.Request().Context(), s.view(v, "jobs")
	view.Here = jobPath(j.ID)
	if f != nil {
		view.Problem = v.text.Fault(f)
	}
	shown, err := s.live.look(ctx, j)
	if err != nil {
		return err
	}
	if j.State != jobs.Draft {
		view.Refresh = shown.Live()
		return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Job(view, shown) })
	}
	view.Area = "new"
	review, err := s.review(ctx, j)
	if err != nil {
		return err
	}
	if f != nil {
		review.Typed = v.FormValue("confirm")
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Draft(view, shown, review) })
}

func (s *Server) review(ctx context.Context, j jobs.Job) (r templates.Review, err error) {
	if r.Header, err = s.Store.FileHeader(ctx, j.ID); err != nil {
		return r, err
	}
	first, err := s.Store.FirstAccounts(ctx, j.ID, firstAccounts)
	if err != nil {
		return r, err
	}
	for _, account := range first {
		r.First = append(r.First, templates.FirstRow{Row: account.Row, Account: account.Account.Account, Fields: account.Fields})
	}
	groups, err := s.Store.SetAsideReasons(ctx, j.ID)
	if err != nil {
		return r, err
	}
	for _, g := range groups {
		r.Faults = append(r.Faults, templates.FaultGroup{Kind: g.Kind, Reason: g.Reason, Rows: g.Rows, First: g.First})
	}
	r.SetAsides, err = s.Store.SetAsides(ctx, j.ID, firstSetAsides)
	return r, err
}

func (s *Server) startJob(v *visit) error {
	id := v.Param("id")
	_, err := s.Store.StartJob(v.Request().Context(), v.actor(), id, typedCount(v.FormValue("confirm")))
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.Invalid && !v.wantsJSON() {
		j, err := s.Store.Job(v.Request().Context(), id)
		if err != nil {
			return err
		}
		return s.jobPage(v, http.StatusUnprocessableEntity, j, f)
	}
	if err != nil {
		return err
	}
	return v.Redirect(http.StatusSeeOther, jobPath(id))
}

func actOnJob(a jobs.Action) func(*Server, *visit) error {
	return func(s *Server, v *visit) error {
		id := v.Param("id")
		if _, err := s.Store.ActOnJob(v.Request().Context(), v.actor(), id, a); err != nil {
			return err
		}
		return v.Redirect(http.StatusSeeOther, jobPath(id))
	}
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

// jobJSON is a job for scripts.
type jobJSON struct {
	ID         string                 `json:"id"`
	Kind       jobs.Kind              `json:"kind"`
	State      jobs.State             `json:"state"`
	Note       string                 `json:"note"`
	File       fileJSON               `json:"file"`
	Rows       int64                  `json:"rows"`
	Rejected   int64                  `json:"rejected"`
	Duplicate  int64                  `json:"duplicate"`
	Protected  int64                  `json:"protected"`
	Accounts   int64                  `json:"accounts"`
	Outcomes   map[jobs.Outcome]int64 `json:"outcomes"`
	Batches    int64                  `json:"batches"`
	Calls      int64                  `json:"calls"`
	CreatedBy  string                 `json:"created_by"`
	StartedBy  *string                `json:"started_by"`
	CreatedAt  time.Time              `json:"created_at"`
	StartedAt  *time.Time             `json:"started_at"`
	FinishedAt *time.Time             `json:"finished_at"`
	Halt       *haltJSON              `json:"halt"`
}

type fileJSON struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

type haltJSON struct {
	Code    int    `json:"code"`
	Message string `json:"message"` // in plain words
	Info    string `json:"info"`    // what the service said
}

func asJobJSON(v *visit, j jobs.Job) jobJSON {
	out := jobJSON{
		ID: j.ID, Kind: j.Kind, State: j.State, Note: j.Note,
		File: fileJSON{Name: j.FileName, SHA256: j.FileSHA256, Bytes: j.FileBytes},
		Rows: j.Rows, Rejected: j.Rejected, Duplicate: j.Duplicate, Protected: j.Protected, Accounts: j.Accounts,
		Outcomes: map[jobs.Outcome]int64{}, Batches: j.Batches, Calls: j.Calls,
		CreatedBy: j.CreatedBy, CreatedAt: j.CreatedAt.UTC(), StartedAt: moment(j.StartedAt), FinishedAt: moment(j.FinishedAt),
	}
	for _, o := range jobs.Outcomes {
		out.Outcomes[o] = j.Counts[o]
	}
	if j.StartedBy != "" {
		out.StartedBy = &j.StartedBy
	}
	if j.State == jobs.Halted {
		out.Halt = &haltJSON{Code: j.HaltCode, Message: v.text.Service(j.HaltCode), Info: j.HaltInfo}
	}
	return out
}
