package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// token creates one, on the page.
func (b *browser) token(rights ...auth.Permission) (secret string) {
	b.t.Helper()
	form := url.Values{"name": {"nightly"}, "days": {"30"}}
	for _, right := range rights {
		form.Add("right", string(right))
	}
	page := b.do(http.MethodPost, tokensPath, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded")
	require.Equal(b.t, http.StatusOK, page.StatusCode, page.body)
	secret = regexp.MustCompile(`tagsweep_[A-Z0-9]+`).FindString(page.body)
	require.Len(b.t, secret, 61)
	require.NotContains(b.t, b.get(tokensPath).body, secret, "it is shown once")
	return secret
}

// script is whoever sends a token.
func (c *console) script(secret string) *browser {
	b := c.browser()
	b.headers.Set("Authorization", "Bearer "+secret)
	return b
}

func TestATokenActsForItsPerson(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		olga := c.as(auth.Operator)
		secret := olga.token(auth.ReadJobs, auth.RunJobs)
		script := c.script(secret)
		id := script.draft(3)
		require.Equal(t, http.StatusSeeOther, script.post("/jobs/"+id+"/start", "confirm", "3").StatusCode)
		require.Equal(t, "operator", c.job(id).StartedBy)
		require.Nil(t, script.cookie(), "a token is no session")
		started := c.recorded(audit.Filter{Code: audit.JobStarted})[0]
		require.Equal(t, audit.ByToken, started.Actor.SignedIn)
		tokens, err := s.Users.Tokens(t.Context(), "")
		require.NoError(t, err)
		require.Len(t, tokens, 1)
		require.Equal(t, tokens[0].ID, started.Actor.Session)
		require.Equal(t, "127.0.0.1", tokens[0].UsedFrom)
		require.Contains(t, olga.get(tokensPath).body, "127.0.0.1")

		for _, cookies := range []*browser{olga, c.as(auth.Admin)} { // what a cookie may do, a token that comes with it may not
			cookies.headers.Set("Authorization", "Bearer "+secret)
			require.Equal(t, http.StatusForbidden, cookies.get("/users").StatusCode)
			require.Equal(t, http.StatusForbidden, cookies.get("/account").StatusCode)
			cookies.headers.Set("Authorization", "Bearer tagsweep_X")
			require.Equal(t, http.StatusUnauthorized, cookies.get("/jobs").StatusCode)
			cookies.headers.Del("Authorization")
		}
		script.headers.Set("Sec-Fetch-Site", "cross-site")
		require.Equal(t, http.StatusOK, script.get("/jobs").StatusCode, "no browser sends a token by itself")
	})
}

// A token may do no more than it was given, and its person may still do.
func TestATokenDoesWhatItsRightsSay(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	victim, err := c.store.Users.Create(t.Context(), audit.System, "victim", auth.Operator, jobstest.PasswordHash)
	require.NoError(t, err)
	id := c.as(auth.Operator).draft(3)
	for _, role := range auth.Roles {
		owner := c.as(role)
		for _, right := range auth.TokenRights {
			if !role.May(right) {
				refused := owner.post(tokensPath, "name", "x", "days", "30", "right", string(right))
				require.Equal(t, http.StatusUnprocessableEntity, refused.StatusCode, "%s %s", role, right)
				continue
			}
			script := c.script(owner.token(right))
			for _, r := range routes {
				got := script.try(r, id, victim.ID)
				where := string(role) + " with " + string(right) + ": " + r.method + " " + r.path
				if r.permission == auth.Public || r.permission == right {
					require.NotEqual(t, http.StatusUnauthorized, got.StatusCode, where)
					require.NotContains(t, got.body, "token.denied", where)
				} else {
					require.Equal(t, http.StatusForbidden, got.StatusCode, where)
				}
			}
			tokens, err := c.store.Users.Tokens(t.Context(), c.userID(string(role)))
			require.NoError(t, err)
			owner.post(tokensPath+"/revoke", "token", tokens[0].ID)
		}
	}
}

func TestATokenEnds(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		admin, olga := c.as(auth.Admin), c.as(auth.Operator)
		id := c.userID("operator")
		newest := func() string {
			tokens, err := s.Users.Tokens(t.Context(), id)
			require.NoError(t, err)
			return tokens[0].ID
		}
		for how, end := range map[string]func(){
			"it is revoked":       func() { olga.post(tokensPath+"/revoke", "token", newest()) },
			"an admin revokes it": func() { admin.post("/users/"+id+"/revoke", "token", newest()) },
			"the password is set": func() {
				require.NoError(t, s.Users.SetPassword(t.Context(), audit.System, id, jobstest.PasswordHash))
				olga = c.as(auth.Operator)
			},
			"it expires": func() {
				require.NoError(t, s.DB.Exec(t.Context(), `UPDATE tokens SET expires_at = $1`, time.Now().UnixMilli()))
			},
			"its person is disabled": func() {
				require.NoError(t, s.Users.SetDisabled(t.Context(), audit.System, id, true))
				require.NoError(t, s.Users.SetDisabled(t.Context(), audit.System, id, false))
				olga = c.as(auth.Operator)
			},
		} {
			script := c.script(olga.token(auth.ReadJobs))
			require.Equal(t, http.StatusOK, script.get("/jobs").StatusCode, how)
			end()
			got := script.get("/jobs")
			require.Equal(t, http.StatusUnauthorized, got.StatusCode, how)
			require.Contains(t, got.body, `"token.invalid"`, how)
		}
		require.Equal(t, http.StatusNotFound, admin.post("/users/"+id+"/revoke", "token", "of nobody").StatusCode)
	})
}

func TestWhatATokenStartsNeedsASecondPerson(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	admin := c.as(auth.Admin)
	admin.post("/sending/approvals", "approve_above", "0", "approvers", "operator", "approval_hours", "24")
	script := c.script(admin.token(auth.ReadJobs, auth.RunJobs))
	id := script.draft(3)
	refused := script.post("/jobs/"+id+"/start", "confirm", "3")
	require.Equal(t, http.StatusConflict, refused.StatusCode)
	require.Contains(t, refused.body, "approval.needed")
	require.Equal(t, http.StatusForbidden, script.post("/jobs/"+id+"/emergency", "confirm", "3", "reason", "customers are insulted").StatusCode)
	require.Equal(t, http.StatusSeeOther, script.post("/jobs/"+id+"/ask", "confirm", "3").StatusCode)
	a, err := c.store.Request(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, script.post("/approvals/"+a.ID+"/approve").StatusCode)
	require.Equal(t, http.StatusForbidden, admin.post("/approvals/"+a.ID+"/approve").StatusCode, "it is their own")
	require.Equal(t, http.StatusSeeOther, c.as(auth.Operator).post("/approvals/"+a.ID+"/approve").StatusCode)
	require.Equal(t, jobs.Queued, c.job(id).State)
}

// Who lets a large job run types their password again; a script cannot.
func TestNoTokenStartsALargeJob(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	admin := c.as(auth.Admin)
	admin.post("/sending/approvals", "ask_again", "2", "approvers", "operator", "approval_hours", "24")
	script := c.script(admin.token(auth.ReadJobs, auth.RunJobs))
	id := script.draft(3)
	refused := script.post("/jobs/"+id+"/start", "confirm", "3", currentPassword, jobstest.Password)
	require.Equal(t, http.StatusForbidden, refused.StatusCode)
	require.Contains(t, refused.body, "token.alone")
	require.Equal(t, http.StatusSeeOther, admin.post("/jobs/"+id+"/start", "confirm", "3").StatusCode)
}

func TestTokensAreBounded(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	olga := c.as(auth.Operator)
	for _, bad := range [][2]string{{"", "30"}, {strings.Repeat("x", 61), "30"}, {"x", "0"}, {"x", "366"}, {"x", "-1"}, {"x", "ever"}} {
		got := olga.post(tokensPath, "name", bad[0], "days", bad[1], "right", "jobs.read")
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, bad)
	}
	require.Equal(t, http.StatusUnprocessableEntity, olga.post(tokensPath, "name", "x", "days", "30", "right", "users.manage").StatusCode)
	require.Equal(t, http.StatusUnprocessableEntity, olga.post(tokensPath, "name", "x", "days", "30").StatusCode)
	for range 20 {
		olga.token(auth.ReadJobs)
	}
	require.Equal(t, http.StatusConflict, olga.post(tokensPath, "name", "x", "days", "30", "right", "jobs.read").StatusCode)
	c.ageSessions()
	require.Contains(t, olga.post(tokensPath, "name", "x", "days", "30", "right", "jobs.read").body, "Type your password to continue")
}
