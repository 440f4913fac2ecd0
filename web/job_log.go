package web

import (
	"net/http"
	"strconv"

	"github.com/a-h/templ"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/web/templates"
)

var faultLogOfOthers = fault.Declare(fault.Forbidden, "job.log_of_others",
	"The log of this job is shown to %s, whose job it is, and to admins and auditors. Ask one of them.")

// showJobLog shows the entries of one job. Operators see those of their own jobs, without
// the addresses and browsers of others.
func (s *Server) showJobLog(v *request) error {
	ctx := v.Request().Context()
	j, err := s.Jobs.Get(ctx, v.Param("id"))
	if err != nil {
		return err
	}
	owner, err := s.Jobs.Owner(ctx, j)
	if err != nil {
		return err
	}
	all := v.user.Role.May(auth.ReadAudit)
	if !all && v.user.Name != owner {
		return faultLogOfOthers.With(owner)
	}
	before, _ := strconv.ParseInt(v.QueryParam("before"), 10, 64) // not a number: from the newest
	entries, err := s.Audit.Entries(ctx, audit.Filter{JobID: j.ID, Before: before, Limit: entriesOnAPage + 1})
	if err == nil {
		err = s.recordOnce(ctx, audit.Entry{Code: audit.JobLogRead, Actor: v.actor(), JobID: j.ID}, before)
	}
	if err != nil {
		return err
	}
	page := templates.AuditPage{Entries: entries}
	var next *int64
	if len(entries) > entriesOnAPage {
		page.Entries = entries[:entriesOnAPage]
		next = &entries[entriesOnAPage-1].Seq
		page.Older = withQuery(v, "before", strconv.FormatInt(*next, 10))
	}
	if before > 0 {
		page.Newest = withQuery(v, "before", "")
	}
	for i := range page.Entries {
		if by := &page.Entries[i].Actor; !all && by.ID != v.user.ID {
			by.Address, by.UserAgent, by.Session = "", "", ""
		}
	}
	if v.wantsJSON() {
		return v.JSON(http.StatusOK, map[string]any{"entries": entriesJSON(page.Entries), "next": next})
	}
	view := s.view(v, "jobs")
	view.OfJob(j, owner)
	return s.page(v, http.StatusOK, view, func(view templates.View) templ.Component { return templates.JobLog(view, j, page) })
}
