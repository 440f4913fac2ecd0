package web

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"tagsweep/internal/jobs"
	"tagsweep/web/templates"
)

const rowsOnAPage = 100

// listRows shows the accounts of a job that match a filter, in the order of its file.
func (s *Server) listRows(v *request) error {
	j, err := s.jobWithRows(v)
	if err != nil {
		return err
	}
	page := templates.RowsPage{Job: j, Outcome: jobs.Outcome(v.QueryParam("outcome")), Prefix: v.QueryParam("q")}
	if page.Outcome != "" && !slices.Contains(jobs.Outcomes, page.Outcome) {
		return faultNoOutcome.With(string(page.Outcome))
	}
	if page.Prefix != "" || page.Outcome != "" {
		end, err := s.begin(v)
		if err != nil {
			return err
		}
		defer end()
	}
	after, _ := strconv.ParseInt(v.QueryParam("after"), 10, 64) // not a number: from the first
	found, err := s.Jobs.Rows(v.Request().Context(), j.ID,
		jobs.RowFilter{Outcome: page.Outcome, Prefix: page.Prefix, After: after, Limit: rowsOnAPage + 1})
	if err != nil {
		return err
	}
	var next *int64
	if len(found) > rowsOnAPage {
		found = found[:rowsOnAPage]
		next = &found[rowsOnAPage-1].Row
	}
	if v.wantsJSON() {
		return v.JSON(http.StatusOK, map[string]any{"app": s.asAppJSON(v, j.AppID), "rows": asRowsJSON(v, j, found), "next": next})
	}
	page.Rows = found
	if next != nil {
		page.Next = withQuery(v, "after", strconv.FormatInt(*next, 10))
	}
	if after > 0 {
		page.First = withQuery(v, "after", "")
	}
	view := s.view(v, "jobs")
	view.OfJob(j, j.CreatedBy)
	return s.page(v, http.StatusOK, view, func(view templates.View) templ.Component { return templates.Rows(view, page) })
}

// rowJSON is an account of a job, as in its results.
type rowJSON struct {
	Row     int64        `json:"row"`
	Account string       `json:"account"`
	Outcome jobs.Outcome `json:"outcome"`
	Code    int          `json:"code"`
	Message string       `json:"message"`
	Batch   int64        `json:"batch"`
	At      *time.Time   `json:"at"`
}

func asRowsJSON(v *request, j jobs.Job, list []jobs.Account) []rowJSON {
	out := make([]rowJSON, len(list))
	for i, a := range list {
		out[i] = rowJSON{a.Row, a.Account, a.Outcome, a.Code, v.text.Explain(j, a), a.Batch, moment(a.At)}
	}
	return out
}
