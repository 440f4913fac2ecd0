package web

import (
	"slices"
	"strings"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/web/templates"
)

var faultFilterChoice = fault.Declare(fault.Invalid, "filter.choice",
	"The search failed: %q is not a valid option. Choose one from the list.")

// auditFilter reads the filter in the address: as typed for the page, and parsed for
// the database.
func (s *Server) auditFilter(v *request) (form templates.AuditForm, f audit.Filter, err error) {
	trimmed := func(name string) string { return strings.TrimSpace(v.QueryParam(name)) }
	form = templates.AuditForm{From: trimmed("from"), To: trimmed("to"), Code: audit.Code(trimmed("code")),
		Actor: trimmed("actor"), Job: trimmed("job"), Account: v.QueryParam("account"),
		Result: trimmed("result"), Words: trimmed("q")}
	f = audit.Filter{Code: form.Code, Actor: form.Actor, JobID: form.Job, Account: form.Account, Result: form.Result, Words: form.Words}
	if f.From, f.To, err = period(v); err != nil {
		return form, f, err
	}
	form.From, form.To = v.timeShown(f.From), v.timeShown(f.To)
	switch {
	case form.Code != "" && !slices.Contains(audit.Codes, form.Code):
		err = faultFilterChoice.With(string(form.Code))
	case form.Result != "" && form.Result != audit.Failed && form.Result != audit.Succeeded:
		err = faultFilterChoice.With(form.Result)
	case form.Account != "":
		f.AccountJobs, err = s.Jobs.IDsOf(v.Request().Context(), form.Account)
	}
	return form, f, err
}

// timeShown is a time as a form takes it.
func (v *request) timeShown(at time.Time) string {
	at = at.In(v.text.Location())
	switch {
	case at.IsZero():
		return ""
	case at.Second() == 0:
		return at.Format(timesTyped[0])
	}
	return at.Format(timesTyped[1])
}

// maxFilterText is how many bytes of a filter are logged.
const maxFilterText = 300

// filterDetails is a filter for an entry of the log: times in UTC.
func (v *request) filterDetails(form templates.AuditForm) map[string]any {
	said := map[string]any{}
	for _, part := range form.Parts() {
		value := part.Value
		if at, is := typedTime(value, v.text.Location()); is && (part.Name == "from" || part.Name == "to") {
			value = at.UTC().Format(time.RFC3339)
		}
		if len(value) > maxFilterText {
			value = strings.ToValidUTF8(value[:maxFilterText], "")
		}
		said[part.Name] = value
	}
	return said
}
