package web

import (
	"net/http"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
)

// ageSessions lets everybody have typed their password so long ago.
func (c *console) ageSessions() {
	c.t.Helper()
	require.NoError(c.t, c.store.DB.Exec(c.t.Context(), `UPDATE sessions SET authenticated_at = $1`,
		c.store.DB.Now().Add(-askAgainAfter).UnixMilli()-1))
}

// asked reads from docs/trust.md, which is written separately, before which routes the
// password is asked for again.
func asked(t *testing.T) map[string]bool {
	t.Helper()
	page, err := os.ReadFile("../docs/trust.md")
	require.NoError(t, err)
	line := regexp.MustCompile("(?m)^\\*\\*Asked again\\.\\*\\* [^:]*: ((?:`[A-Z]+ /[^`]*`[ .])+)").FindStringSubmatch(string(page))
	require.NotNil(t, line)
	routes := map[string]bool{}
	for _, named := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(line[1], -1) {
		routes[named[1]] = true
	}
	return routes
}

func TestThePasswordIsAskedForAgain(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		_, err := s.Protect(t.Context(), audit.System, jobstest.App.ID, "why", []string{"vip"})
		require.NoError(t, err)
		documented, found := asked(t), 0
		b := c.as(auth.Admin)
		for _, r := range routes {
			name := r.method + " " + r.path
			if r.method != http.MethodPost || r.path == "/logout" || r.path == "/login" {
				require.False(t, documented[name], "nothing is done by it, or it asks itself: "+name)
				continue
			}
			id := b.draft(3)
			victim, err := s.Users.Create(t.Context(), audit.System, "victim-"+id, auth.Operator, jobstest.PasswordHash)
			require.NoError(t, err)
			c.untilRead(id)
			c.ageSessions()
			before := c.contents()
			got := b.try(r, id, victim.ID)
			page := `<form class="stack" method="post" action="` + got.Request.URL.Path + `"`
			if !documented[name] {
				require.NotContains(t, got.body, "Type your password to continue", name)
				continue
			}
			found++
			require.Equal(t, http.StatusForbidden, got.StatusCode, name)
			require.Contains(t, got.body, "Type your password to continue", name)
			require.Contains(t, got.body, page, name)
			require.Equal(t, before, c.contents(), name)
			require.Equal(t, http.StatusForbidden, b.asScript(r, id, victim.ID), "a script is told so: "+name)
		}
		require.Len(t, documented, found)
	})
}

// asScript is try by a script.
func (b *browser) asScript(r route, jobID, userID string) int {
	b.headers.Set("Accept", "application/json")
	defer b.headers.Del("Accept")
	return b.try(r, jobID, userID).StatusCode
}

func TestTheActionGoesOnAfterThePassword(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Admin)
		require.NoError(t, s.ThrowKillSwitch(t.Context(), audit.System, "why"))
		c.ageSessions()
		b.headers.Set("Referer", c.url+"/jobs?state=draft")
		got := b.post("/sending/lift", "next", `/jobs?q="<b>`)
		require.Contains(t, got.body, "Resume all sending")
		require.Contains(t, got.body, `name="next" value="/jobs?q=&#34;&lt;b&gt;"`, "the form is kept")
		require.Contains(t, got.body, `href="/jobs?state=draft"`)
		got = b.post("/sending/lift", "next", "/jobs", currentPassword, jobstest.Password)
		require.Equal(t, "/jobs", got.location(), got.body)
		require.Equal(t, audit.PasswordConfirmed, c.recorded(audit.Filter{})[1].Code)

		require.NoError(t, s.ThrowKillSwitch(t.Context(), audit.System, "why"))
		require.Equal(t, "/jobs", b.post("/sending/lift", "next", "/jobs").location(), "not twice in ten minutes")
		other := c.as(auth.Admin)
		c.ageSessions()
		require.Equal(t, "/account", b.post("/account/password", currentPassword, jobstest.Password,
			"password", "purple rivers under snow").location())
		require.NoError(t, s.ThrowKillSwitch(t.Context(), audit.System, "why"))
		require.Equal(t, "/jobs", b.post("/sending/lift", "next", "/jobs").location(), "it was typed to change it")
		require.False(t, other.in())
	})
}

// A page never shows a password, so a new one is typed again.
func TestAPasswordOfTheFormIsNotShown(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Admin)
	c.ageSessions()
	const next = "purple rivers under snow"
	got := b.post("/users", "name", "grace", "role", "operator", "password", next)
	require.Contains(t, got.body, `name="password" type="password"`)
	require.NotContains(t, got.body, next)
	require.Equal(t, "/users", b.post("/users", "name", "grace", "role", "operator", "password", next,
		currentPassword, jobstest.Password).location())
	require.Equal(t, http.StatusSeeOther, c.browser().post("/login", "username", "grace", "password", next).StatusCode)
}

func TestAWrongPasswordIsAFailedSignIn(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Admin)
	require.NoError(t, c.store.ThrowKillSwitch(t.Context(), audit.System, "why"))
	c.ageSessions()
	var last int
	for range 30 {
		got := b.post("/sending/lift", "next", "/jobs", currentPassword, "not the password")
		require.Contains(t, got.body, `name="next" value="/jobs"`)
		last = got.StatusCode
		if last == http.StatusTooManyRequests {
			break
		}
		require.Equal(t, http.StatusUnprocessableEntity, last)
		require.Contains(t, got.body, "your current password is wrong")
	}
	require.Equal(t, http.StatusTooManyRequests, last)
	require.Equal(t, http.StatusTooManyRequests, b.post("/sending/lift", "next", "/jobs", currentPassword, jobstest.Password).StatusCode)
	failed := c.recorded(audit.Filter{Code: audit.SignInFailed})
	require.Len(t, failed, 2)
	require.Equal(t, "admin", failed[0].Target)
	stopped, err := c.store.KillSwitch(t.Context())
	require.NoError(t, err)
	require.True(t, stopped.Thrown())
}
