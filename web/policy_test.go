package web

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// everything that a request could change, the log apart.
type contents struct {
	users     []auth.User
	jobs      []jobs.Job
	protected []jobs.ProtectedAccount
	settings  jobs.Settings
	first     string
	stopped   jobs.KillSwitch
}

func (c *console) contents() (all contents) {
	c.t.Helper()
	var err error
	all.users, err = c.store.Users.List(c.t.Context())
	require.NoError(c.t, err)
	all.jobs, err = c.store.List(c.t.Context(), jobs.Filter{Limit: 1000})
	require.NoError(c.t, err)
	all.protected, err = c.store.ProtectedAccounts(c.t.Context(), jobstest.App.ID, jobs.ProtectedFilter{Limit: 1000})
	require.NoError(c.t, err)
	sending, err := c.store.SendStatus(c.t.Context(), jobstest.App.ID)
	require.NoError(c.t, err)
	all.settings, all.first = sending.Settings, sending.FirstJob
	all.stopped, err = c.store.KillSwitch(c.t.Context())
	require.NoError(c.t, err)
	return all
}

// try sends a request to a route with what the route needs to succeed.
func (b *browser) try(r route, jobID, userID string) answer {
	b.t.Helper()
	address := strings.ReplaceAll(r.path, ":id", jobID)
	if strings.HasPrefix(r.path, "/users/") {
		address = strings.ReplaceAll(r.path, ":id", userID)
	}
	address = strings.NewReplacer("*", "app.css", ":seq", "1").Replace(address)
	switch {
	case r.method != http.MethodPost:
		return b.do(r.method, address, nil, "")
	case r.path == "/jobs":
		return b.upload("users.csv", "user_id\nann\n", "")
	}
	if r.path == erasePath { // it is refused, for these are not the entries there are
		return b.post(address, "kind", "account", "value", "vip", "reason", "why", "confirm", "1", "last", "1")
	}
	return b.post(address, "confirm", "3", "to", "1", "months", "24", "role", "auditor", "password",
		"another long password", "name", "somebody", "session", "of-nobody",
		"username", "nobody", "lang", "en", "rate", "50", "failure_limit", "30", "reason", "why", "first", "1", "decision",
		"leave", "outcome", "failed", "accounts", "vip-2", "note", "why", "account", "vip", "policy", "merge", "keep_days",
		"30", "verify_share", "1")
}

// access reads who may use each route from docs/trust.md, which is written separately from
// the route table: a route whose permission changes by mistake is not open to others
// unnoticed. "" stands for whoever is not signed in.
func access(t *testing.T) map[string][]auth.Role {
	t.Helper()
	page, err := os.ReadFile("../docs/trust.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(page), "| who | may | by |\n|---|---|---|\n")
	require.True(t, found)
	may := map[string][]auth.Role{}
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(line, "|")
		require.Len(t, cells, 5, line)
		roles := append([]auth.Role{""}, auth.Roles...)
		if who := strings.TrimSpace(cells[1]); who != "everybody" {
			roles = nil
			for name := range strings.SplitSeq(who, ", ") {
				require.True(t, auth.Role(name).Valid(), name)
				roles = append(roles, auth.Role(name))
			}
		}
		for _, named := range regexp.MustCompile("`([A-Z]+ /[^`]*)`").FindAllStringSubmatch(cells[3], -1) {
			require.NotContains(t, may, named[1], "a route is in one row")
			may[named[1]] = roles
		}
	}
	for named := range may {
		require.True(t, slices.ContainsFunc(routes, func(r route) bool { return r.method+" "+r.path == named }), "%s is no route", named)
	}
	return may
}

func TestEveryRouteIsOpenToItsRolesAlone(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Sign(t, s, [32]byte{7})
		require.NoError(t, s.Audit.Record(t.Context(), audit.Entry{Code: audit.ServiceWell, Actor: audit.System}))
		require.NoError(t, s.Audit.Checkpoint(t.Context()))
		c := newConsole(t, s)
		operator, mayUse := c.as(auth.Operator), access(t)
		for _, role := range append([]auth.Role{""}, auth.Roles...) {
			for _, r := range routes {
				jobID := ""
				if strings.Contains(r.path, "/jobs/:id") || strings.Contains(r.path, approvalsPath+"/:id") {
					jobID = operator.draft(3)
				}
				_, err := s.Protect(t.Context(), audit.System, jobstest.App.ID, "why", []string{"vip"})
				require.NoError(t, err)
				victim, err := s.Users.Create(t.Context(), audit.System, "victim-"+rand.Text(), auth.Operator, jobstest.PasswordHash)
				require.NoError(t, err)
				b := c.browser()
				if role != "" {
					b = c.as(role)
				}
				require.NoError(t, s.DB.Exec(t.Context(), `
					INSERT INTO approvals (id, job_id, action, policy, start_at, terms, note, asker, asked_by, asked_at, expires_at, state)
					SELECT id, id, 'start', '', 0, '', '', '{}', 'operator', 1, 1, 'waiting' FROM jobs WHERE id = $1`, jobID))
				before := c.contents()
				got := b.try(r, jobID, victim.ID)
				where := r.method + " " + r.path + " as " + string(role)
				roles, said := mayUse[r.method+" "+r.path]
				require.True(t, said, "docs/trust.md does not say who may use it: "+where)
				may := slices.Contains(roles, role)
				switch {
				case may:
					if r.path == tokensPath+"/revoke" || r.path == "/users/:id/revoke" { // there is no such token
						require.Contains(t, got.body, "This token does not exist", where)
						continue
					}
					require.NotContains(t, []int{401, 403, 404, 405, 500}, got.StatusCode, where)
				case role == "":
					require.Equal(t, http.StatusSeeOther, got.StatusCode, where)
					require.True(t, strings.HasPrefix(got.location(), "/login"), where)
				default:
					require.Equal(t, http.StatusForbidden, got.StatusCode, where)
					entry := c.recorded(audit.Filter{Code: audit.AccessDenied})[0]
					require.Equal(t, string(role), entry.Actor.Name, where)
					require.Equal(t, got.Request.URL.Path, entry.Target, where)
				}
				if r.method != http.MethodPost || !may || role == auth.Auditor || role == "" {
					require.Equal(t, before, c.contents(), where)
				}
			}
		}
		for _, entry := range c.recorded(audit.Filter{Actor: string(auth.Auditor)}) {
			require.Contains(t, []audit.Code{audit.AccessDenied, audit.SignInSucceeded, audit.SignInFailed, audit.SignedOut, audit.ResultsDownloaded,
				audit.RejectsDownloaded, audit.TagsRead,
				audit.JobLogRead, audit.LogRead, audit.LogExported, audit.LogReviewed}, entry.Code)
		}
	})
}

// No way in leads past the table, and nobody but operators and admins has a
// permission that changes anything but their own session and language.
func TestTheRouteTableIsTheWholePolicy(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	var table, served []string
	for _, r := range routes {
		table = append(table, r.method+" "+r.path)
		if r.method == http.MethodPost && (auth.Auditor.May(r.permission) || r.permission == auth.Public) {
			require.Contains(t, []string{"/login", "/logout", "/language", accountPath + "/password", accountPath + "/preferences", accountPath + "/end", tokensPath, tokensPath + "/revoke",
				readTagsPath, reviewPath, auditPath + "/verify"}, r.path,
				"and asking the service for an account's tags, signing off, and asking for a verification, which change nothing")
		}
	}
	for _, r := range c.web.echo.Routes() {
		served = append(served, r.Method+" "+r.Path)
	}
	require.ElementsMatch(t, table, served)
}

func TestScriptsThatAreSignedOutGet401(t *testing.T) {
	b := newConsole(t, jobstest.SQLite(t)).browser()
	var body errorJSON
	for _, address := range []string{"/jobs", "/jobs/x", "/accounts?q=a", "/protected", "/sending", "/audit", "/audit/1",
		"/audit/export.jsonl", proofPath} {
		got := b.json(address, &body)
		require.Equal(t, http.StatusUnauthorized, got.StatusCode, address)
		require.Equal(t, "session.none", body.Error.Code)
		require.Equal(t, got.Header.Get("X-Request-Id"), body.Error.RequestID)
	}
}

func TestSecurityCrossSiteIsRefused(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Admin)
	id := b.draft(3)
	victim, err := c.store.Users.Create(t.Context(), audit.System, "victim", auth.Operator, jobstest.PasswordHash)
	require.NoError(t, err)
	for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
		b.headers = http.Header{header[0]: {header[1]}}
		for _, r := range routes {
			if r.method != http.MethodPost {
				continue
			}
			before := c.contents()
			got := b.try(r, id, victim.ID)
			require.Equal(t, http.StatusForbidden, got.StatusCode, "%s %v", r.path, header)
			require.Equal(t, before, c.contents())
		}
	}
	b.headers = http.Header{}
	require.Equal(t, http.StatusOK, b.get("/jobs").StatusCode, "still signed in")
}

func TestSecurityHeadersOnEveryAnswer(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Admin)
	for _, address := range []string{"/jobs", "/login", "/audit", "/nowhere", "/healthz", "/static/app.css"} {
		h := b.get(address).Header
		require.Equal(t, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
			"form-action 'self'; frame-ancestors 'none'; base-uri 'none'", h.Get("Content-Security-Policy"), address)
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), address)
		require.Equal(t, "same-origin", h.Get("Referrer-Policy"), address)
		require.Len(t, h.Get("X-Request-Id"), 16, address)
		if !strings.HasPrefix(address, "/static/") {
			require.Equal(t, "no-store", h.Get("Cache-Control"), address)
		}
	}
}

func TestSecurityHTTPSIsKept(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Admin)
	require.Empty(t, b.get("/jobs").Header.Get("Strict-Transport-Security"), "a console without HTTPS promises none")
	c.web.SecureCookies = true
	require.Equal(t, "max-age=31536000", b.get("/jobs").Header.Get("Strict-Transport-Security"))
	require.Equal(t, `"cache", "cookies", "storage"`, b.post("/logout").Header.Get("Clear-Site-Data"))
}

func TestSecuritySecretsInAddressesAreRefused(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	address := "?username=admin&password=" + url.QueryEscape(jobstest.Password)
	for _, b := range []*browser{c.browser(), c.as(auth.Admin)} {
		for _, page := range []string{"/login", "/users", "/jobs", "/healthz", "/nowhere"} {
			require.Equal(t, http.StatusUnprocessableEntity, b.get(page+address).StatusCode, page)
			require.Equal(t, http.StatusUnprocessableEntity, b.post(page+"?PassWord=x").StatusCode, page)
		}
	}
	b := c.browser()
	require.Equal(t, http.StatusUnprocessableEntity, b.post("/login"+address).StatusCode)
	require.Nil(t, b.cookie())
	admin := c.as(auth.Admin)
	made := admin.post("/users?name=mallory&role=admin", "password", "purple rivers under snow")
	require.Equal(t, http.StatusUnprocessableEntity, made.StatusCode,
		"what stands in the address is no part of a form")
	require.NotContains(t, admin.get("/users").body, "mallory")
}

func TestVersionIsForThoseSignedIn(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	for _, address := range []string{"/login", "/healthz", "/nowhere"} {
		got := c.browser().get(address)
		require.NotContains(t, got.body, c.web.Version, address)
		require.Empty(t, got.Header.Get("Server"), address)
	}
	require.Contains(t, c.as(auth.Operator).get("/jobs").body, c.web.Version)
}

func TestPagesHoldNothingInline(t *testing.T) {
	s := jobstest.SQLite(t)
	jobstest.Sign(t, s, [32]byte{7})
	c := newConsole(t, s)
	b := c.as(auth.Admin)
	id := b.draft(3)
	require.NoError(t, s.Audit.Checkpoint(t.Context()))
	for _, address := range []string{"/jobs", "/jobs/new", "/jobs/" + id, "/jobs/" + id + "/sample?n=3&seed=a",
		"/accounts?q=user-1", "/protected", "/sending", "/audit", "/audit?q=users", "/audit/1", reviewPath, proofPath,
		"/users", accountPath, "/nowhere"} {
		body := b.get(address).body
		require.NotContains(t, body, "style=", address)
		require.NotContains(t, body, "<style", address)
		require.NotRegexp(t, `<script(?: [^>]*)?>[^<]`, body, address)
		require.NotRegexp(t, ` on[a-z]+=`, body, address)
	}
}

func TestAssetsAreCachedByHash(t *testing.T) {
	b := newConsole(t, jobstest.SQLite(t)).browser()
	got := b.get(assets.path("app.css"))
	require.Equal(t, http.StatusOK, got.StatusCode)
	require.Contains(t, got.Header.Get("Cache-Control"), "immutable")
	require.Equal(t, "text/css; charset=utf-8", got.Header.Get("Content-Type"))
	require.NotContains(t, b.get("/static/app.css").Header.Get("Cache-Control"), "immutable")
	b.headers.Set("If-None-Match", got.Header.Get("ETag"))
	require.Equal(t, http.StatusNotModified, b.get("/static/app.css").StatusCode)
	require.Equal(t, http.StatusNotFound, b.get("/static/../server.go").StatusCode)
	require.Equal(t, http.StatusNotFound, b.get("/static/").StatusCode)
}
