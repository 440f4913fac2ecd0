package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strconv"

	"github.com/a-h/templ"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/web/templates"
)

const (
	auditPath      = "/audit"
	entriesOnAPage = 50
)

func (s *Server) listAudit(v *request) error {
	form, filter, err := s.auditFilter(v)
	if err != nil {
		return s.refuseSearch(v, form, err)
	}
	filter.Before, _ = strconv.ParseInt(v.QueryParam("before"), 10, 64) // not a number: from the newest
	filter.Limit = entriesOnAPage + 1
	if len(v.filterDetails(form)) > 0 {
		end, err := s.begin(v)
		if err != nil {
			return err
		}
		defer end()
	}
	entries, err := s.Audit.Entries(v.Request().Context(), filter)
	if err != nil {
		return err
	}
	if err := s.recordPage(v, form, filter.Before); err != nil {
		return err
	}
	var next *int64
	if len(entries) > entriesOnAPage {
		entries = entries[:entriesOnAPage]
		next = &entries[entriesOnAPage-1].Seq
	}
	if v.wantsJSON() {
		return v.JSON(http.StatusOK, map[string]any{"entries": entriesJSON(entries), "next": next})
	}
	page := templates.AuditPage{Form: form, Entries: entries}
	if next != nil {
		page.Older = withQuery(v, "before", strconv.FormatInt(*next, 10))
	}
	if filter.Before > 0 {
		page.Newest = withQuery(v, "before", "")
	}
	return s.auditPage(v, http.StatusOK, page, nil)
}

func entriesJSON(entries []audit.Entry) []audit.Entry {
	if entries == nil {
		return []audit.Entry{}
	}
	return entries
}

func (s *Server) auditPage(v *request, status int, page templates.AuditPage, f *fault.Error) error {
	view := s.view(v, "audit")
	if f != nil {
		view.Problem = v.text.Fault(f)
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Audit(view, page) })
}

// refuseSearch shows the invalid filter again.
func (s *Server) refuseSearch(v *request, form templates.AuditForm, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || v.wantsJSON() {
		return err
	}
	form.Wrong = f.Sentence
	status, _ := statusOf(v, f)
	return s.auditPage(v, status, templates.AuditPage{Form: form}, f)
}

// recordPage records in the log that a person reads it. If that fails, the page is not
// shown. Further pages of a list that was recorded are not: they hold entries older than
// its record. Before is the entry that the page begins below; 0: the newest.
func (s *Server) recordPage(v *request, form templates.AuditForm, before int64) error {
	e := audit.Entry{Code: audit.LogRead, Actor: v.actor()}
	if form.Filtered() {
		e.Code, e.Details = audit.LogSearched, map[string]any{"filter": v.filterDetails(form)}
	}
	return s.recordOnce(v.Request().Context(), e, before)
}

// recordOnce records what a person reads, unless it is a further page of a list.
func (s *Server) recordOnce(ctx context.Context, e audit.Entry, before int64) error {
	if before > 0 {
		if said, err := s.alreadyRecorded(ctx, e, before); err != nil || said {
			return err
		}
	}
	return s.recordRead(ctx, e)
}

// alreadyRecorded reports whether the person's last entry of this kind is the same, in
// the same session, and newer than what is shown now.
func (s *Server) alreadyRecorded(ctx context.Context, e audit.Entry, before int64) (bool, error) {
	last, err := s.Audit.Entries(ctx, audit.Filter{Code: e.Code, Actor: e.Actor.Name, Limit: 1})
	if err != nil || len(last) == 0 {
		return false, err
	}
	said := last[0]
	return before <= said.Seq && said.JobID == e.JobID && said.Actor.Session == e.Actor.Session && reflect.DeepEqual(said.Details, e.Details), nil
}

func (s *Server) recordRead(ctx context.Context, e audit.Entry) error {
	if err := s.Audit.Record(ctx, e); err != nil {
		return faultBusy.Because(err)
	}
	return nil
}

// withQuery returns the address of this page with one parameter changed, or removed if
// the value is "".
func withQuery(v *request, name, value string) string {
	u, q := url.URL{Path: v.Request().URL.Path}, v.QueryParams()
	changed := url.Values{}
	for key, values := range q {
		if values[0] != "" {
			changed[key] = values[:1]
		}
	}
	changed.Del(name)
	if value != "" {
		changed.Set(name, value)
	}
	u.RawQuery = changed.Encode()
	return u.String()
}
