package web

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
)

// auditAnswer is a page of the log for scripts.
type auditAnswer struct {
	Entries []audit.Entry
	Next    *int64
}

func (a auditAnswer) seqs() []int64 {
	list := make([]int64, len(a.Entries))
	for i, e := range a.Entries {
		list[i] = e.Seq
	}
	return list
}

// deny writes n entries about an address.
func (c *console) deny(n int, address string) {
	c.t.Helper()
	for range n {
		require.NoError(c.t, c.store.Audit.Record(c.t.Context(),
			audit.Entry{Code: audit.AccessDenied, Actor: audit.Actor{ID: "u1", Name: "mallory", Role: "operator"},
				Target: address}))
	}
}

// listed reads all pages of a list, and has more entries written meanwhile.
func (b *browser) listed(address string, meanwhile func()) (seqs []int64) {
	b.t.Helper()
	for next := address; next != ""; {
		var page auditAnswer
		require.Equal(b.t, http.StatusOK, b.json(next, &page).StatusCode)
		seqs = append(seqs, page.seqs()...)
		meanwhile()
		if next = ""; page.Next != nil {
			next = address + fmt.Sprintf("%cbefore=%d", map[bool]rune{true: '&', false: '?'}[len(address) > len(auditPath)], *page.Next)
		}
	}
	return seqs
}

func TestAuditPagingIsStableAsLogGrows(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		auditor := c.as(auth.Auditor)
		c.deny(2*entriesOnAPage+7, "/users")
		size, err := s.Audit.Size(t.Context())
		require.NoError(t, err)

		seqs := auditor.listed("/audit", func() { c.deny(3, "/users") })
		require.Len(t, seqs, int(size), "all that were there when it was opened")
		for i, seq := range seqs {
			require.Equal(t, size-int64(i), seq)
		}
		seqs = auditor.listed("/audit?code=access.denied&actor=Mallory&q=users", func() { c.deny(3, "/users"); c.deny(1, "/sending") })
		var want []int64
		for _, e := range c.recorded(audit.Filter{Before: seqs[0] + 1}) {
			if e.Code == audit.AccessDenied && e.Target == "/users" {
				want = append(want, e.Seq)
			}
		}
		require.Equal(t, want, seqs)
	})
}

func TestAuditReadingIsLogged(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	auditor := c.as(auth.Auditor)
	c.deny(2*entriesOnAPage, "/users")
	require.NotContains(t, auditor.get("/audit").body, "Log read</th>", "what is shown was there before")
	auditor.listed("/audit", func() {})
	read := c.recorded(audit.Filter{Code: audit.LogRead})
	require.Len(t, read, 2, "once for each time, not for each page")
	require.Equal(t, "auditor", read[0].Actor.Name)
	require.Equal(t, audit.ByPassword, read[0].Actor.SignedIn)

	auditor.listed("/audit?actor=mallory&code=access.denied&from=2026-01-02", func() {})
	searched := c.recorded(audit.Filter{Code: audit.LogSearched})
	require.Len(t, searched, 1)
	require.Equal(t, map[string]any{"filter": map[string]any{"actor": "mallory", "code": "access.denied",
		"from": time.Date(2026, 1, 2, 0, 0, 0, 0, time.Local).UTC().Format(time.RFC3339)}}, searched[0].Details)

	// A page further on than the one that was opened: entries written since.
	c.deny(120, "/users")
	for _, address := range []string{"/audit?before=1000",
		"/audit?actor=mallory&code=access.denied&from=2026-01-02&before=9223372036854775807"} {
		counted := func() int {
			return len(c.recorded(audit.Filter{Code: audit.LogRead})) + len(c.recorded(audit.Filter{Code: audit.LogSearched}))
		}
		before := counted()
		auditor.get(address)
		require.Equal(t, before+1, counted(), "%s: nobody reads newer entries unrecorded", address)
	}

	for _, unheard := range []*browser{auditor, c.as(auth.Auditor), c.as(auth.Admin)} {
		before := len(c.recorded(audit.Filter{Code: audit.LogSearched}))
		unheard.get("/audit?actor=mallory&before=90")
		require.Len(t, c.recorded(audit.Filter{Code: audit.LogSearched}), before+1, "nobody reads a further page of what was not begun")
	}
}

func TestAuditReadingNeedsALogEntry(t *testing.T) {
	file := storetest.SQLiteFile(t)
	c := newConsole(t, jobstest.Open(t, file))
	auditor := c.as(auth.Auditor)
	c.deny(3, "/users")
	tamper(t, file, `CREATE TRIGGER full BEFORE INSERT ON audit_lines WHEN NEW.code LIKE 'log.%' BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
	for _, address := range []string{"/audit", "/audit?q=users", "/audit/3", "/audit/export.csv", "/audit/export.jsonl?result=failed"} {
		got := auditor.get(address)
		require.Equal(t, http.StatusServiceUnavailable, got.StatusCode, address)
		require.NotContains(t, got.body, "mallory", address)
		require.Empty(t, got.Header.Get("Content-Disposition"), address)
	}
}

func TestTheLogIsFoundByEverythingItSays(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		operator, auditor := c.as(auth.Operator), c.as(auth.Auditor)
		id := operator.draft(3)
		c.deny(2, "/users")
		operator.post("/accounts/read", "account", "user-2")
		operator.post("/accounts/read", "account", "somebody-else")
		found := func(query string) (codes []audit.Code) {
			var page auditAnswer
			require.Equal(t, http.StatusOK, auditor.json("/audit?"+query, &page).StatusCode)
			for _, e := range page.Entries {
				codes = append(codes, e.Code)
			}
			return codes
		}
		of := []audit.Code{audit.TagsRead, audit.JobRead, audit.JobUploaded}
		require.Equal(t, of[1:], found("job="+id))
		require.Equal(t, of, found("account=user-2"))
		require.Empty(t, found("account=USER-2"), "exact to the letter")
		require.Equal(t, []audit.Code{audit.TagsRead}, found("account=user-2&code=tags.read"))
		require.Equal(t, []audit.Code{audit.AccessDenied, audit.AccessDenied}, found("result=failed"))
		require.NotContains(t, found("result=succeeded"), audit.AccessDenied)
		require.Equal(t, []audit.Code{audit.TagsRead}, found("q=somebody+ELSE"))
		require.Len(t, found("actor=OPERATOR&result=succeeded"), 4)
		require.Empty(t, found("to=2026-01-01"))
		tomorrow := time.Now().AddDate(0, 0, 1)
		require.Empty(t, found("from="+tomorrow.Format(formTime)))
		require.NotEmpty(t, found("to="+tomorrow.Format(formTime)+"&from="+time.Now().AddDate(0, 0, -1).Format(time.DateOnly)))
		require.NotEmpty(t, found("to="+time.Now().Format(time.DateOnly)), "a day is meant whole")
		require.NotEmpty(t, found("to="+url.QueryEscape(tomorrow.Format(time.RFC3339))))

		page := auditor.get("/audit?account=user-2&q=users&result=succeeded").body
		require.Contains(t, page, `href="/audit/export.csv?account=user-2&amp;q=users&amp;result=succeeded"`)
		require.Regexp(t, `id="account"[^>]* value="user-2"`, page)
		require.Contains(t, page, `<option value="succeeded" selected>`)
	})
}

func TestAuditFilterErrorKeepsTheForm(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	auditor := c.as(auth.Auditor)
	for query, want := range map[string]string{
		"from=yesterday": `The search failed: "yesterday" is not a valid time.`, "to=2026-02-30T10:00": "is not a valid time",
		"from=2026-02-01&to=2026-01-01T10:00": "must be before",
		"code=job.nonsense":                   `"job.nonsense" is not a valid option`, "result=maybe": `"maybe" is not a valid option`,
	} {
		got := auditor.get("/audit?actor=Mallory+M&" + query)
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, query)
		require.Contains(t, html.UnescapeString(got.body), want)
		require.Regexp(t, `id="actor"[^>]* value="Mallory M"`, got.body)
		require.NotContains(t, got.body, "<tbody>")
		require.Equal(t, http.StatusUnprocessableEntity, auditor.get("/audit/export.csv?"+query).StatusCode)
		var body errorJSON
		require.Equal(t, http.StatusUnprocessableEntity, auditor.json("/audit?"+query, &body).StatusCode)
	}
	require.Regexp(t, `id="from"[^>]* type="text"[^>]* value="yesterday" aria-invalid="true"`, auditor.get("/audit?from=yesterday").body)
	require.Empty(t, c.recorded(audit.Filter{Code: audit.LogSearched}), "nothing was searched")
	require.Equal(t, http.StatusOK, auditor.get("/audit?before=nonsense").StatusCode)
	require.Equal(t, http.StatusOK, auditor.get("/audit?q="+url.QueryEscape(longText(5_000))).StatusCode, "however long it is")
}

func longText(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = "ab \"\n"[i%5]
	}
	return string(text)
}

func TestAuditEntryAndNeighbours(t *testing.T) {
	file := storetest.SQLiteFile(t)
	s := jobstest.Open(t, file)
	jobstest.Sign(t, s, [32]byte{7})
	c := newConsole(t, s)
	auditor := c.as(auth.Auditor)
	id := c.as(auth.Operator).draft(3)
	c.deny(30, "/users")
	uploaded := c.recorded(audit.Filter{Code: audit.JobUploaded})[0]

	var entry entryJSON
	address := fmt.Sprintf("/audit/%d", uploaded.Seq)
	require.Equal(t, http.StatusOK, auditor.json(address, &entry).StatusCode)
	require.Equal(t, uploaded.Seq, entry.Entry.Seq)
	require.Len(t, entry.Before, int(uploaded.Seq)-1)
	require.Len(t, entry.After, neighbours)
	require.Equal(t, uploaded.Seq+1, entry.After[0].Seq)
	require.Nil(t, entry.Checkpoint)

	page := auditor.get(address).body
	require.Contains(t, page, "Not yet covered by a checkpoint")
	require.NoError(t, s.Audit.Checkpoint(t.Context()))
	page = auditor.get(address).body
	for _, said := range []string{"job.uploaded", "users.csv", uploaded.Actor.RequestID, "password", jobstest.App.Domain,
		"127.0.0.1", `href="/jobs/` + id + `"`, `href="/audit?job=` + id + `"`,
		fmt.Sprintf(`rel="prev" href="/audit/%d"`, uploaded.Seq-1),
		fmt.Sprintf(`rel="next" href="/audit/%d"`, uploaded.Seq+1), "Covered by the checkpoint of "} {
		require.Contains(t, page, said)
	}
	require.Len(t, c.recorded(audit.Filter{Code: audit.LogRead}), 3)

	for _, unknown := range []string{"999999", "0", "-1", "x", "99999999999999999999"} {
		got := auditor.get("/audit/" + unknown)
		require.Equal(t, http.StatusNotFound, got.StatusCode)
		require.Contains(t, got.body, "Log entry "+unknown+" does not exist")
		require.Contains(t, got.body, `href="/audit"`)
	}
	signedIn := fmt.Sprint(c.recorded(audit.Filter{Code: audit.SignInSucceeded, Limit: 9})[0].Seq)
	tamper(t, file, `UPDATE audit_head SET removed = `+signedIn)
	tamper(t, file, `DELETE FROM audit_lines WHERE seq = `+signedIn)
	got := auditor.get("/audit/" + signedIn)
	require.Equal(t, http.StatusNotFound, got.StatusCode)
	require.Contains(t, got.body, "Entry "+signedIn+" is no longer in the log. It is past the retention period")
	require.Equal(t, http.StatusOK, auditor.get("/audit/1").StatusCode)
}
