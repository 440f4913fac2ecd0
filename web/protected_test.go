package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/web/templates/messages"
)

func TestProtectedListSkipsAccounts(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		admin := c.as(auth.Admin)
		got := admin.post("/protected", "accounts", "ceo\r\n\r\nsupport-1\r\nceo\r\n", "note", "our own <staff>")
		require.Equal(t, "/protected", got.location(), got.body)
		page := admin.get("/protected").body
		for _, want := range []string{"2 accounts were added to the list.", "2 accounts are protected.", "ceo", "support-1",
			"our own &lt;staff&gt;"} {
			require.Contains(t, page, want)
		}
		require.Len(t, c.recorded(audit.Filter{Code: audit.AccountsProtected}), 1)

		id := admin.draftOf("user_id\nann\nceo\nCEO\n")
		j := c.job(id)
		require.Equal(t, []int64{2, 1}, []int64{j.Accounts, j.Protected})
		review := admin.get("/jobs/" + id).body
		require.Contains(t, review, "1 protected account: row 2")
		require.Contains(t, review, "is never sent. To include it, ask an admin to remove its protection.")
		require.Contains(t, review, "2 accounts are protected.")

		require.Equal(t, "/protected", admin.post("/protected/remove", "account", "ceo").location())
		require.Contains(t, admin.get("/protected").body, "ceo is no longer protected.")
		require.Equal(t, http.StatusNotFound, admin.post("/protected/remove", "account", "ceo").StatusCode)
		require.Len(t, c.recorded(audit.Filter{Code: audit.AccountUnprotected}), 1)
	})
}

func TestProtectedListErrorKeepsTheForm(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	admin := c.as(auth.Admin)
	for name, wrong := range map[string]struct{ accounts, note, says string }{
		"nothing":   {" \r\n", "why", messages.English.Fault(faultProtectNone.With())},
		"why":       {"ceo", " ", messages.English.Fault(faultProtectWhy.With())},
		"note":      {"ceo", strings.Repeat("字", 301), messages.English.Fault(faultProtectNote.With(300))},
		"character": {"ceo\r\n经理\r\n", "why", `"经理" in line 2 is not a valid account. The account contains a character`},
		"several":   {"ceo,cfo", "why", `"ceo,cfo" in line 1 is not a valid account.`},
		"cells":     {"ceo\r\ncfo\tOslo", "why", `"cfo\tOslo" in line 2 is not a valid account.`},
		"long":      {"ceo\r\n\r\n" + strings.Repeat("x", 33), "why", "in line 3 is not a valid account"},
		"space":     {"ceo\r\n cfo", "why", `" cfo" in line 2 is not a valid account.`},
	} {
		got := admin.post("/protected", "accounts", wrong.accounts, "note", wrong.note)
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, name)
		text := strings.ReplaceAll(got.body, "&#34;", `"`)
		require.Contains(t, text, wrong.says, name)
		for _, typed := range strings.Fields(wrong.accounts) {
			require.Contains(t, text[strings.Index(text, "<textarea"):], typed, name)
		}
		require.Contains(t, text, wrong.note, name)
	}
	require.Empty(t, c.contents().protected)
	got := admin.post("/protected", "accounts", strings.Repeat("x", protectLimit), "note", "why")
	require.Equal(t, http.StatusRequestEntityTooLarge, got.StatusCode)
	require.Contains(t, got.body, messages.English.Fault(faultLongForm.With()))
}

func TestProtectedListSearchAndPaging(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	var many []string
	for i := range 2*protectedOnAPage + 1 {
		many = append(many, fmt.Sprintf("vip-%04d", i))
	}
	_, err := c.store.Protect(t.Context(), audit.System, jobstest.App.ID, "why", append(many, "_x%", "other"))
	require.NoError(t, err)
	auditor := c.as(auth.Auditor)
	type page struct {
		Count    int64
		Accounts []protectedJSON
		Next     *string
	}
	var seen []string
	for address := "/protected?q=vip"; address != ""; {
		var p page
		auditor.json(address, &p)
		require.Equal(t, int64(len(many)+2), p.Count)
		for _, a := range p.Accounts {
			seen = append(seen, a.Account)
		}
		if address = ""; p.Next != nil {
			address = "/protected?q=vip&after=" + *p.Next
		}
	}
	require.Equal(t, many, seen)
	var p page
	auditor.json("/protected?q=_x%25", &p)
	require.Len(t, p.Accounts, 1)
	first := auditor.get("/protected?q=vip").body
	require.Contains(t, first, `href="/protected?after=vip-0099&amp;q=vip"`)
	require.NotContains(t, first, "/protected/remove")
	require.NotContains(t, first, `name="accounts"`)
	require.Contains(t, auditor.get("/protected?q=nobody").body, "No protected accounts start with “nobody”")
}
