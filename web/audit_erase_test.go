package web

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
)

func (b *browser) erasure(kind, value string) (preview audit.Erasure) {
	b.t.Helper()
	address := erasePath + "?" + url.Values{"kind": {kind}, "value": {value}}.Encode()
	require.Equal(b.t, http.StatusOK, b.json(address, &preview).StatusCode)
	return preview
}

// asks has another admin ask for an erasure.
func (c *console) asks(kind audit.SubjectKind, value string) {
	c.t.Helper()
	require.NoError(c.t, c.store.Audit.AskErasure(c.t.Context(), audit.Actor{ID: "u9", Name: "eve", Role: "admin"},
		audit.Subject{Kind: kind, Value: value}, "request 12"))
}

func TestErasedEntriesSaySo(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		c.deny(3, "/users")
		admin := c.as(auth.Admin)
		seq := strconv.FormatInt(c.recorded(audit.Filter{Actor: "mallory"})[0].Seq, 10)
		preview := admin.erasure("user", "Mallory")
		require.Equal(t, []audit.CodeCount{{Code: audit.AccessDenied, Entries: 3}}, preview.Codes)
		read := c.recorded(audit.Filter{Code: audit.LogRead})
		require.Equal(t, map[string]any{"erasure": true}, read[0].Details, "that it was looked at, and not at whom")

		page := admin.get(erasePath + "?kind=user&value=Mallory").body
		require.Contains(t, page, "Erasing takes two admins.")
		require.NotContains(t, page, "Erase permanently")
		c.asks(audit.OfUser, "mallory")
		page = admin.get(erasePath + "?kind=user&value=Mallory").body
		for _, said := range []string{"3 entries will lose their personal data", "Access denied", "What stays", "mallory",
			"eve asked to erase personal data (User). Reason: request 12", `name="last" value="` + seq + `"`, `name="value" value="Mallory"`} {
			require.Contains(t, page, said)
		}
		require.Contains(t, admin.get(erasePath+"?kind=user&value=nobody").body, "No entry has exactly the value nobody")

		got := admin.post(erasePath, "kind", "user", "value", "Mallory", "confirm", "3", "last", seq)
		require.Equal(t, http.StatusSeeOther, got.StatusCode, got.body)
		require.Contains(t, admin.get(got.location()).body, "Personal data was erased from 3 entries.")
		for _, address := range []string{"/audit?code=access.denied", "/audit/" + seq} {
			page := admin.get(address).body
			require.Contains(t, page, "erased on request", address)
			require.NotContains(t, page, "mallory", address)
		}
		require.Contains(t, admin.get("/audit/export.csv?code=access.denied").body, ",true\r\n")
		said := c.recorded(audit.Filter{Code: audit.LogErased})[0]
		require.Equal(t, "request 12", said.Details["reason"])
		page = admin.get("/audit/" + strconv.FormatInt(said.Seq, 10)).body
		require.Contains(t, page, "request 12")
		require.Contains(t, page, "<dd>User</dd>")
		require.NotContains(t, page, "allory", "whom is not in it")
	})
}

// Nothing goes by a slip, nor on what somebody saw before it changed; what was typed stays,
// and the page shows what there is now.
func TestNothingIsErasedBySlip(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		admin := c.as(auth.Admin)
		c.deny(2, "/users")
		c.asks(audit.OfUser, "mallory")
		last := strconv.FormatInt(admin.erasure("user", "mallory").Last, 10)
		for _, bad := range []struct {
			status                     int
			kind, value, confirm, last string
		}{
			{422, "user", "mallory", "", last},
			{422, "user", "mallory", "two", last},
			{409, "user", "mallory", "3", last},
			{409, "user", "mallory", "2", ""},
			{422, "", "mallory", "2", last},
			{422, "user", "", "2", last},
			{404, "user", "nobody", "2", last},
			{404, "user", "mallor", "2", last},
			{404, "account", "mallory", "2", last},
		} {
			got := admin.post(erasePath, "kind", bad.kind, "value", bad.value, "confirm", bad.confirm, "last", bad.last)
			require.Equal(t, bad.status, got.StatusCode, bad)
			require.Contains(t, got.body, "Nothing was erased")
			require.Regexp(t, `id="value"[^>]* value="`+bad.value+`"`, got.body, "what was typed stays")
			if bad.value == "mallory" && bad.kind == "user" {
				require.Contains(t, got.body, `name="last" value="`+last+`"`)
			}
		}
		c.deny(1, "/users")
		got := admin.post(erasePath, "kind", "user", "value", "mallory", "confirm", "2", "last", last)
		require.Equal(t, http.StatusConflict, got.StatusCode)
		require.Contains(t, got.body, "Nothing was erased: the entries are no longer the ones that you confirmed. There are 3 now.")
		require.Contains(t, got.body, "3 entries will lose their personal data")
		require.Len(t, c.recorded(audit.Filter{Actor: "mallory"}), 3)
		require.Empty(t, c.recorded(audit.Filter{Code: audit.LogErased}))

	})
}

// An admin asks: nothing is recorded by a slip, and what was typed stays.
func TestAnAdminAsksToErase(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		c.deny(2, "/users")
		admin := c.as(auth.Admin)
		for _, bad := range []struct {
			status              int
			kind, value, reason string
		}{
			{422, "user", "mallory", " "}, {422, "user", "mallory", "Mallory asked"}, {422, "", "mallory", "request 12"},
			{422, "user", "", "request 12"}, {404, "user", "nobody", "request 12"},
		} {
			got := admin.post(erasePath+"/ask", "kind", bad.kind, "value", bad.value, "reason", bad.reason)
			require.Equal(t, bad.status, got.StatusCode, bad)
			require.Contains(t, got.body, "Nothing was erased")
			require.Regexp(t, `id="value"[^>]* value="`+bad.value+`"`, got.body)
			if bad.value == "mallory" && bad.kind == "user" {
				require.Regexp(t, `id="reason"[^>]* value="`+bad.reason+`"`, got.body)
			}
		}
		require.Empty(t, c.recorded(audit.Filter{Code: audit.ErasureAsked}))
		ask := []string{"kind", "user", "value", "mallory", "reason", "request 12"}
		for _, b := range []*browser{c.as(auth.Auditor), c.as(auth.Operator)} {
			require.Equal(t, http.StatusForbidden, b.post(erasePath+"/ask", ask...).StatusCode)
		}
		got := admin.post(erasePath+"/ask", ask...)
		require.Equal(t, http.StatusSeeOther, got.StatusCode)
		require.Contains(t, admin.get(got.location()).body, "admin asked to erase personal data (User). Reason: request 12")
		got = admin.post(erasePath+"/ask", ask...)
		require.Equal(t, http.StatusConflict, got.StatusCode)
		require.Contains(t, got.body, "you have asked for this already")
		last := strconv.FormatInt(admin.erasure("user", "mallory").Last, 10)
		got = admin.post(erasePath, "kind", "user", "value", "mallory", "confirm", "2", "last", last)
		require.Equal(t, http.StatusConflict, got.StatusCode, "nobody erases what they asked for")
		require.Contains(t, got.body, "another admin has to ask for it first")
		require.Len(t, c.recorded(audit.Filter{Actor: "mallory"}), 2)
	})
}

func TestOnlyAdminsErase(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		c.deny(2, "/users")
		c.asks(audit.OfUser, "mallory")
		last := strconv.FormatInt(c.as(auth.Admin).erasure("user", "mallory").Last, 10)
		form := []string{"kind", "user", "value", "mallory", "confirm", "2", "last", last}
		for _, b := range []*browser{c.as(auth.Auditor), c.as(auth.Operator)} {
			require.Equal(t, http.StatusForbidden, b.get(erasePath+"?kind=user&value=mallory").StatusCode)
			require.Equal(t, http.StatusForbidden, b.post(erasePath, form...).StatusCode)
			require.NotContains(t, b.get(auditPath).body, `href="`+erasePath+`"`)
		}
		nobody := c.browser()
		require.Equal(t, http.StatusSeeOther, nobody.post(erasePath, form...).StatusCode)
		require.Empty(t, c.recorded(audit.Filter{Code: audit.LogErased}))
		for _, e := range c.recorded(audit.Filter{Code: audit.AccessDenied, Words: "erase"}) {
			require.Equal(t, erasePath, e.Target, "whom somebody meant to erase is not in it")
		}
		require.Equal(t, http.StatusSeeOther, c.as(auth.Admin).post(erasePath, form...).StatusCode)
	})
}

// The page of an admin who erases himself counts what the page itself records.
func TestAnAdminErasesHimself(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	admin := c.as(auth.Admin)
	c.asks(audit.OfUser, "admin")
	preview := admin.erasure("user", "admin")
	got := admin.post(erasePath, "kind", "user", "value", "admin",
		"confirm", strconv.FormatInt(preview.Entries, 10), "last", strconv.FormatInt(preview.Last, 10))
	require.Equal(t, http.StatusSeeOther, got.StatusCode, got.body)
	require.Equal(t, "admin", c.recorded(audit.Filter{Code: audit.LogErased})[0].Actor.Name)
	again := admin.erasure("user", "admin")
	require.Equal(t, []any{int64(1), int64(1)}, []any{again.Entries, again.Kept}, "the preview, and the erasure")
}

// Every entry is shown before it goes, with all that goes from it, a page after the other.
func TestWhatIsErasedIsShownPageByPage(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		for i := range 60 {
			require.NoError(t, s.Audit.Record(t.Context(), audit.Entry{Code: audit.AccountUnprotected, Target: "vip",
				Actor:   audit.Actor{ID: "u7", Name: "zoe", Address: "192.0.2.7", UserAgent: "Browser 9"},
				Details: map[string]any{"note": "note " + strconv.Itoa(i), "left": 3}}))
		}
		admin, address := c.as(auth.Admin), erasePath+"?kind=account&value=vip"
		next := regexp.MustCompile(`rel="next" href="([^"]+)"`)
		shown := 0
		for pages := 1; address != ""; pages++ {
			page := admin.get(address).body
			require.Contains(t, page, "60 entries will lose their personal data")
			here := strings.Count(page, "<dd>vip</dd>")
			for _, gone := range []string{"zoe", "192.0.2.7", "Browser 9"} {
				require.Equal(t, here, strings.Count(page, "<dd>"+gone+"</dd>"), gone)
			}
			for i := range here {
				require.Contains(t, page, "<dd>note "+strconv.Itoa(shown+i)+"</dd>")
			}
			shown += here
			address = ""
			if link := next.FindStringSubmatch(page); link != nil {
				address = html.UnescapeString(link[1])
			} else {
				require.Equal(t, 3, pages)
			}
		}
		require.Equal(t, 60, shown)
	})
}

// Two admins have the page open: the second one is told, and erases nothing else.
func TestOnlyTheFirstOfTwoAdminsErases(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		c.deny(2, "/users")
		c.asks(audit.OfUser, "mallory")
		one, other := c.as(auth.Admin), c.as(auth.Admin)
		last := strconv.FormatInt(one.erasure("user", "mallory").Last, 10)
		form := []string{"kind", "user", "value", "mallory", "confirm", "2", "last", last}
		other.erasure("user", "mallory")
		require.Equal(t, http.StatusSeeOther, one.post(erasePath, form...).StatusCode)
		got := other.post(erasePath, form...)
		require.Equal(t, http.StatusNotFound, got.StatusCode)
		require.Contains(t, got.body, "Nothing was erased: no log entry has exactly the value mallory")
		c.deny(2, "/users")
		require.Equal(t, http.StatusConflict, other.post(erasePath, form...).StatusCode, "as many, and others")
		require.Len(t, c.recorded(audit.Filter{Code: audit.LogErased}), 1)
	})
}

func TestTheErasurePageInChinese(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	admin := c.as(auth.Admin)
	c.deny(1, "/users")
	c.asks(audit.OfUser, "mallory")
	admin.post("/language", "lang", "zh-Hans")
	page := admin.get(erasePath + "?kind=user&value=mallory").body
	for _, said := range []string{"将清除 1 条记录中的个人数据", "保留的内容",
		"请输入记录数以确认：1", "永久清除"} {
		require.Contains(t, page, said)
	}
	require.False(t, strings.Contains(page, "Erase"))
}
