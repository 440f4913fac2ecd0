package web

import (
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
	"tagsweep/web/templates/messages"
)

func (b *browser) cookie() *http.Cookie {
	b.t.Helper()
	u, err := url.Parse(b.url)
	require.NoError(b.t, err)
	for _, cookie := range b.client.Jar.Cookies(u) {
		if cookie.Name == "session" {
			return cookie
		}
	}
	return nil
}

func TestSessionBeginsWithNewSecret(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Operator)
		planted := b.cookie()
		require.NotNil(t, planted)

		// The same browser signs in again: the planted secret is not taken over, and is worth nothing now.
		require.Equal(t, http.StatusSeeOther, b.post("/login", "username", "admin", "password", jobstest.Password).StatusCode)
		require.NotEqual(t, planted.Value, b.cookie().Value)
		old := c.browser()
		old.headers.Set("Cookie", planted.String())
		require.Equal(t, http.StatusSeeOther, old.get("/jobs").StatusCode)
		require.Equal(t, http.StatusOK, b.get("/users").StatusCode)
	})
}

func TestTheCookieIsOutOfReach(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	got := c.browser().post("/login", "username", "admin", "password", jobstest.Password)
	cookie := got.Cookies()[0]
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.Equal(t, "/", cookie.Path)
	require.False(t, cookie.Secure)

	secure := newSessionStore(Config{CookieKey: make([]byte, 64), SecureCookies: true})
	require.Equal(t, "__Host-session", secure.name)
	require.True(t, secure.cookie.Secure)
}

func TestSessionEndsBySignOutOrDisabling(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	stolen := b.cookie().String()
	require.Equal(t, "/login", b.post("/logout").location())
	require.Nil(t, b.cookie())
	thief := c.browser()
	thief.headers.Set("Cookie", stolen)
	require.Equal(t, http.StatusSeeOther, thief.get("/jobs").StatusCode)

	b = c.as(auth.Operator)
	user, err := c.store.Users.ByName(t.Context(), "operator")
	require.NoError(t, err)
	require.NoError(t, c.store.Users.SetDisabled(t.Context(), audit.System, user.ID, true))
	require.Equal(t, http.StatusSeeOther, b.get("/jobs").StatusCode, "a disabled user is out at once")
	require.Equal(t, http.StatusUnprocessableEntity,
		c.browser().post("/login", "username", "operator", "password", jobstest.Password).StatusCode)
}

func TestASessionNeverOutlivesItsLife(t *testing.T) {
	begun := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	for _, limits := range []struct{ idle, life, unused, used, last time.Duration }{
		{0, 0, 12 * time.Hour, 15 * time.Hour, 24 * time.Hour},
		{time.Hour, 8 * time.Hour, time.Hour, 4 * time.Hour, 8 * time.Hour},
		{time.Hour, 99 * time.Hour, time.Hour, 4 * time.Hour, 24 * time.Hour},
		{99 * time.Hour, 8 * time.Hour, 8 * time.Hour, 8 * time.Hour, 8 * time.Hour},
	} {
		s := &sessionStore{}
		s.idle, s.life = sessionLimits(limits.idle, limits.life)
		require.Equal(t, begun.Add(limits.unused), s.expires(begun, begun))
		require.Equal(t, begun.Add(limits.used), s.expires(begun, begun.Add(3*time.Hour)))
		require.Equal(t, begun.Add(limits.last), s.expires(begun, begun.Add(23*time.Hour+30*time.Minute)))
	}
}

// That a session is seen is saved once a minute, by one of the requests that come at once.
func TestOneRequestSavesThatItsSessionIsSeen(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	earlier := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	require.NoError(t, c.store.DB.Exec(t.Context(), `UPDATE sessions SET seen_at = $1`, earlier.UnixMilli()))
	session := func() auth.Session {
		session, _, err := c.store.Users.Session(t.Context(), b.sessionID())
		require.NoError(t, err)
		return session
	}
	c.web.sessions.saving.Store(session().ID, true) // by another
	require.Equal(t, http.StatusOK, b.get("/jobs").StatusCode)
	require.True(t, session().SeenAt.Equal(earlier))
	c.web.sessions.saving.Delete(session().ID)
	require.Equal(t, http.StatusOK, b.get("/jobs").StatusCode)
	require.False(t, session().SeenAt.Equal(earlier))
}

func TestSignInHidesWhetherUserExists(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	wrong := c.browser().post("/login", "username", "operator", "password", "not the password")
	unknown := c.browser().post("/login", "username", "nobody00", "password", "not the password")
	require.Equal(t, http.StatusUnprocessableEntity, wrong.StatusCode)
	require.Equal(t, wrong.StatusCode, unknown.StatusCode)
	require.Equal(t, strings.ReplaceAll(wrong.body, "operator", "nobody00"), unknown.body)
	require.Contains(t, wrong.body, messages.English.Fault(faultWrongSignIn.With()))
	require.Contains(t, wrong.body, `value="operator"`, "the name is kept")
	require.NotContains(t, wrong.body, "not the password")

	var reasons []any
	for _, e := range c.recorded(audit.Filter{Code: audit.SignInFailed}) {
		reasons = append(reasons, e.Details["reason"], e.Target)
	}
	require.Equal(t, []any{"unknown_user", "nobody00", "wrong_password", "operator"}, reasons)
}

func TestFailedAttemptsHaveToWait(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	known := c.as(auth.Operator)
	require.Equal(t, "/login", known.post("/logout").location())
	b := c.browser()
	var got answer
	for range 6 {
		got = b.post("/login", "username", "operator", "password", "wrong")
	}
	require.Equal(t, http.StatusTooManyRequests, got.StatusCode)
	seconds, err := strconv.Atoi(got.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
	require.LessOrEqual(t, seconds, 31)
	require.Contains(t, got.body, messages.English.Duration(time.Duration(seconds)*time.Second))
	signIn := func(b *browser, name string) int {
		return b.post("/login", "username", name, "password", jobstest.Password).StatusCode
	}
	require.Equal(t, http.StatusTooManyRequests, signIn(b, "operator"), "the right password waits, too")
	require.Equal(t, http.StatusSeeOther, signIn(b, "auditor"), "others do not")
	require.Equal(t, http.StatusTooManyRequests, signIn(b, "operator"), "a browser is known for one person alone")
	require.Equal(t, http.StatusSeeOther, signIn(known, "operator"), "nor does the person, where they have signed in before")

	b.headers.Set("Accept", "application/json")
	got = b.post("/login", "username", "operator", "password", "wrong")
	require.Equal(t, http.StatusTooManyRequests, got.StatusCode)
	require.Contains(t, got.body, `"code":"sign_in.wait"`)
}

// version counts what others commit to a SQLite database.
func version(t *testing.T, db *sql.Conn) (n int64) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), `PRAGMA data_version`).Scan(&n))
	return n
}

// Whatever a visitor sends, nothing is written; and in any number, one entry a minute.
func TestVisitorsWriteNothing(t *testing.T) {
	file := storetest.SQLiteFile(t)
	c := newConsole(t, jobstest.Open(t, file))
	id := c.as(auth.Operator).draft(3)
	own, err := sql.Open("sqlite", "file:"+file)
	require.NoError(t, err)
	defer own.Close()
	db, err := own.Conn(t.Context())
	require.NoError(t, err)
	before := version(t, db)
	stranger := c.browser()
	forged := c.browser()
	forged.headers.Set("Cookie", "session=forged; device=forged; lang=xx")
	for _, b := range []*browser{stranger, forged} {
		for _, r := range routes {
			b.try(r, id, "someone")
		}
		b.get("/nowhere")
		b.do("POST", "/login", strings.NewReader(strings.Repeat("x", signInLimit+1)), "application/x-www-form-urlencoded")
		b.headers.Set("Origin", "https://evil.example")
		b.headers.Set("Sec-Fetch-Site", "cross-site")
		b.post("/login", "username", "admin", "password", "x")
		b.headers.Del("Origin")
		b.headers.Del("Sec-Fetch-Site")
	}
	for i := range 300 {
		stranger.post("/login", "username", fmt.Sprint("name", i), "password", "wrong")
	}
	require.Equal(t, before, version(t, db))
	require.LessOrEqual(t, len(c.recorded(audit.Filter{Code: audit.SignInFailed})), 2)
	require.NotEqual(t, before, version(t, db))
}

func TestRefusedAccessIsSummedUp(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Operator)
		c.recorded(audit.Filter{})
		for range 60 {
			require.Equal(t, http.StatusForbidden, b.get("/users").StatusCode)
			require.Equal(t, http.StatusForbidden, b.post("/users", "name", "x").StatusCode)
			require.Equal(t, http.StatusForbidden, b.get("/audit").StatusCode)
		}
		denied := c.recorded(audit.Filter{Code: audit.AccessDenied})
		require.Len(t, denied, 4, "the first, and a sum, of each permission")
		sums := map[any]float64{}
		for _, e := range denied {
			if n, is := e.Details["count"].(float64); is {
				sums[e.Details["permission"]] += n
			}
		}
		require.Equal(t, map[any]float64{"users.manage": 119, "audit.read": 59}, sums)
		require.Equal(t, http.StatusForbidden, b.get("/users").StatusCode)
		require.Len(t, c.recorded(audit.Filter{Code: audit.AccessDenied}), 5)
	})
}

func TestSignInLeadsBackToThePageAskedFor(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	require.Equal(t, "/login?next="+url.QueryEscape("/audit?code=job.started"), c.browser().get("/audit?code=job.started").location())
	for next, want := range map[string]string{
		"/audit?code=job.started": "/audit?code=job.started", "": "/", "https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/",
		"javascript:alert(1)": "/", "jobs": "/", "/%5cevil": "/%5cevil", "/\x00": "/",
	} {
		got := c.browser().post("/login", "username", "auditor", "password", jobstest.Password, "next", next)
		require.Equal(t, want, got.location(), next)
	}
}

func TestLanguageChoiceWithoutScripts(t *testing.T) {
	b := newConsole(t, jobstest.SQLite(t)).as(auth.Auditor)
	require.Contains(t, b.get("/jobs").body, `<html lang="en">`)
	got := b.post("/language", "lang", "zh-Hans", "next", "/jobs?state=draft")
	require.Equal(t, "/jobs?state=draft", got.location())
	page := b.get("/jobs?state=draft").body
	require.Contains(t, page, `<html lang="zh-Hans">`)
	require.Contains(t, page, "没有此状态的任务")
	require.Contains(t, page, `name="next" value="/jobs?state=draft"`)
	require.Equal(t, "/", b.post("/language", "lang", "xx", "next", "//evil.example").location())
	require.Contains(t, b.get("/jobs").body, `<html lang="en">`)
}

func TestSignInTrustsOnlyKnownProxies(t *testing.T) {
	_, here, err := net.ParseCIDR("127.0.0.0/8")
	require.NoError(t, err)
	for want, trusted := range map[string][]*net.IPNet{"127.0.0.1": nil, "203.0.113.9": {here}} {
		c := newConsole(t, jobstest.SQLite(t), func(config *Config) { config.TrustedProxies = trusted })
		b := c.browser()
		b.headers.Set("X-Forwarded-For", "198.51.100.1, 203.0.113.9")
		b.post("/login", "username", "admin", "password", "wrong password")
		require.Equal(t, want, c.recorded(audit.Filter{Code: audit.SignInFailed, Limit: 1})[0].Actor.Address)
	}
}
