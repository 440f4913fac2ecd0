package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
	"tagsweep/web/templates"
)

const entriesOnAPage = 50

func (s *Server) listAudit(v *visit) error {
	page := templates.AuditPage{
		Code:  audit.Code(v.QueryParam("code")),
		Actor: strings.TrimSpace(v.QueryParam("actor")),
		Job:   strings.TrimSpace(v.QueryParam("job")),
	}
	before, _ := strconv.ParseInt(v.QueryParam("before"), 10, 64) // not a number: from the newest
	entries, err := s.Store.AuditEntries(v.Request().Context(), store.AuditFilter{
		Code: page.Code, Actor: page.Actor, JobID: page.Job, Before: before, Limit: entriesOnAPage + 1,
	})
	if err != nil {
		return err
	}
	var next *int64
	if len(entries) > entriesOnAPage {
		entries = entries[:entriesOnAPage]
		next = &entries[entriesOnAPage-1].Seq
	}
	if v.wantsJSON() {
		if entries == nil {
			entries = []audit.Entry{}
		}
		return v.JSON(http.StatusOK, map[string]any{"entries": entries, "next": next})
	}
	page.Entries = entries
	if next != nil {
		page.Older = withQuery(v, "before", strconv.FormatInt(*next, 10))
	}
	if before > 0 {
		page.Newest = withQuery(v, "before", "")
	}
	return s.page(v, http.StatusOK, s.view(v, "audit"), func(view templates.View) templ.Component {
		return templates.Audit(view, page)
	})
}

// withQuery is the address of this page with one parameter changed, or taken
// away when the value is "".
func withQuery(v *visit, name, value string) string {
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
