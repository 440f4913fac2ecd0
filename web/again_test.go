package web

import (
	"net/http"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// ageSessions lets everybody have typed their password so long ago.
func (c *console) ageSessions() {
	c.t.Helper()
	require.NoError(c.t, c.store.DB.Exec(c.t.Context(), `UPDATE sessions SET authenticated_at = $1`,
		c.store.DB.Now().Add(-10*time.Minute).UnixMilli()-1))
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

// A start of many accounts asks for the password in the transaction that lets it happen, so by
// whatever route it is let happen. What another session of the person typed does not count.
func TestALargeStartAsksForThePasswordAgain(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		olga, other, adam := c.as(auth.Operator), c.as(auth.Operator), c.as(auth.Admin)
		limits := func(ask, second string) {
			require.Equal(t, "/sending", adam.post("/sending/approvals", "ask_again", ask, "approve_above", second,
				"approvers", "operator", "approval_hours", "24", currentPassword, jobstest.Password).location())
		}
		limits("2", "none")
		state := func(id string) jobs.State { return c.job(id).State }
		asked := func(b *browser, path string, form ...string) {
			t.Helper()
			c.ageSessions()
			other.post("/logout")
			other = c.as(auth.Operator)
			got := b.post(path, form...)
			require.Equal(t, http.StatusForbidden, got.StatusCode, path)
			require.Contains(t, got.body, "Start a job, or let it continue")
			b.headers.Set("Accept", "application/json")
			require.Contains(t, b.post(path, form...).body, `"code":"password.again"`)
			b.headers.Del("Accept")
		}
		typed := func(form ...string) []string { return append(form, currentPassword, jobstest.Password) }

		small := olga.draft(2)
		c.untilRead(small)
		c.ageSessions()
		require.Equal(t, "/jobs/"+small, olga.post("/jobs/"+small+"/start", "confirm", "2").location())

		now, later := olga.draft(3), olga.draft(3)
		c.untilRead(now)
		c.untilRead(later)
		asked(olga, "/jobs/"+now+"/start", "confirm", "3")
		require.Equal(t, jobs.Draft, state(now))
		require.Contains(t, olga.post("/jobs/"+now+"/start", "confirm", "3").body, `name="confirm" value="3"`, "the form is kept")
		require.Equal(t, "/jobs/"+now, olga.post("/jobs/"+now+"/start", typed("confirm", "3")...).location())
		at := time.Now().Add(48 * time.Hour).Format("2006-01-02T15:04")
		asked(olga, "/jobs/"+later+"/start", "confirm", "3", "at", at)
		require.Equal(t, "/jobs/"+later, olga.post("/jobs/"+later+"/start", typed("confirm", "3", "at", at)...).location())
		asked(olga, "/jobs/"+later+"/start-now")
		require.Equal(t, "/jobs/"+later, olga.post("/jobs/"+later+"/start-now", typed()...).location())

		held := func(code int) {
			require.NoError(t, s.DB.Exec(t.Context(), `UPDATE jobs SET state = $2, halt_code = $3 WHERE id = $1`, later, jobs.Halted, code))
		}
		for _, code := range []int{jobs.CodeStarter, jobs.CodeNotStarted, jobs.CodeFailures} {
			held(code)
			asked(adam, "/jobs/"+later+"/resume")
			require.Equal(t, jobs.Halted, state(later))
			require.Equal(t, "/jobs/"+later, adam.post("/jobs/"+later+"/resume", typed()...).location())
		}

		limits("2", "2")
		approved := olga.draft(3)
		c.untilRead(approved)
		c.ageSessions()
		require.Equal(t, "/jobs/"+approved, olga.post("/jobs/"+approved+"/ask", "confirm", "3", "note", "why").location(), "nothing starts by asking")
		list, err := s.Approvals(t.Context())
		require.NoError(t, err)
		approve := approvalsPath + "/" + list[0].ID + "/approve"
		asked(adam, approve)
		require.Equal(t, jobs.Draft, state(approved))
		require.Equal(t, "/jobs/"+approved, adam.post(approve, typed()...).location())
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
