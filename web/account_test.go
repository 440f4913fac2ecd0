package web

import (
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/web/templates"
	"tagsweep/web/templates/messages"
)

// in reports whether a browser is signed in.
func (b *browser) in() bool { b.t.Helper(); return b.get("/account").StatusCode == http.StatusOK }

func (c *console) userID(name string) string {
	c.t.Helper()
	user, err := c.store.Users.ByName(c.t.Context(), name)
	require.NoError(c.t, err)
	return user.ID
}

func TestPeopleEndTheirOtherSessions(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		admin, here, there, elsewhere := c.as(auth.Admin), c.as(auth.Operator), c.as(auth.Operator), c.as(auth.Operator)
		page := here.get("/account").body
		require.Contains(t, page, there.sessionID())
		require.NotContains(t, page, here.sessionID(), "it has a button of its own, to sign out")
		require.NotContains(t, page, admin.sessionID())

		require.Equal(t, accountPath, here.post("/account/end", "session", admin.sessionID()).location())
		require.True(t, admin.in(), "the session of another person")
		require.Empty(t, c.recorded(audit.Filter{Code: audit.SessionEnded}))
		require.Equal(t, accountPath, here.post("/account/end", "session", there.sessionID()).location())
		require.False(t, there.in())
		require.True(t, elsewhere.in())
		here.post("/account/end")
		require.False(t, elsewhere.in())
		require.True(t, here.in())
		here.post("/account/end")
		ended := c.recorded(audit.Filter{Code: audit.SessionEnded})
		require.Len(t, ended, 2, "there was no other any more")
		require.Equal(t, "operator", ended[0].Target)
		require.Equal(t, "all", ended[0].Details["ended"])
		require.Equal(t, there.sessionID(), ended[1].Details["ended"])
	})
}

func TestAnAdminEndsTheSessionsOfOthers(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		admin, here, there := c.as(auth.Admin), c.as(auth.Operator), c.as(auth.Operator)
		require.Contains(t, admin.get("/users").body, here.sessionID())
		address := "/users/" + c.userID("operator") + "/end"
		admin.post(address, "session", here.sessionID())
		require.False(t, here.in())
		require.True(t, there.in())
		admin.post(address)
		require.False(t, there.in())
		require.True(t, admin.in())
		require.Len(t, c.recorded(audit.Filter{Code: audit.SessionEndedBy, Actor: "admin"}), 2)
	})
}

func TestAPasswordChangeEndsTheOtherSessions(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		here, there := c.as(auth.Operator), c.as(auth.Operator)
		const next = "purple rivers under snow"
		for _, refused := range []struct{ current, password, says string }{
			{"not the password", next, "your current password is wrong"},
			{"", next, "your current password is wrong"},
			{jobstest.Password, "short", "fewer than 10 characters"},
		} {
			got := here.post("/account/password", "current_password", refused.current, "password", refused.password)
			require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
			require.Contains(t, got.body, refused.says)
			require.NotContains(t, got.body, next)
		}
		require.True(t, there.in())
		sum := c.recorded(audit.Filter{Code: audit.SignInFailed})
		require.Equal(t, "operator", sum[len(sum)-1].Target, "a wrong one is a failed sign-in")

		got := here.post("/account/password", "current_password", jobstest.Password, "password", next)
		require.Equal(t, accountPath, got.location(), got.body)
		require.True(t, here.in())
		require.False(t, there.in())
		require.Equal(t, "operator", c.recorded(audit.Filter{Code: audit.PasswordChanged})[0].Target)
		require.Equal(t, http.StatusUnprocessableEntity,
			c.browser().post("/login", "username", "operator", "password", jobstest.Password).StatusCode)
		require.Equal(t, http.StatusSeeOther, c.browser().post("/login", "username", "operator", "password", next).StatusCode)
	})
}

// A time that was shortened counts for sessions that are open.
func TestSessionsEndAfterTheSetTimes(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s, func(config *Config) { config.SessionIdle, config.SessionLife = time.Hour, 8*time.Hour })
		for column, ago := range map[string]time.Duration{"seen_at": time.Hour, "created_at": 8 * time.Hour} {
			b := c.as(auth.Operator)
			set := func(ago time.Duration) {
				require.NoError(t, s.DB.Exec(t.Context(), `UPDATE sessions SET `+column+` = $1 WHERE id = $2`,
					s.DB.Now().Add(-ago).UnixMilli(), b.sessionID()))
			}
			set(ago - time.Minute)
			require.True(t, b.in(), column)
			set(ago)
			require.False(t, b.in(), column)
		}
	})
}

func TestPeopleSeeTheirOwnSignIns(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	c.browser().post("/login", "username", "admin", "password", jobstest.Password)
	b := c.browser()
	b.headers.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0")
	b.post("/login", "username", "operator", "password", jobstest.Password)
	page := b.get("/account").body
	require.Contains(t, page, "Firefox 143 on Linux")
	require.NotContains(t, page, "Go-http-client", "of somebody else")
}

func TestPeopleAreToldOfFailedSignIns(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Operator)
		for range 7 { // the last ones have to wait
			c.browser().post("/login", "username", "Operator", "password", "wrong password")
		}
		c.browser().post("/login", "username", "admin", "password", "wrong password")
		again := func() { // with a browser that is known, which waits for nobody
			require.Equal(t, http.StatusSeeOther, b.post("/login", "username", "operator", "password", jobstest.Password).StatusCode)
		}
		again()
		const says = "There were 7 failed sign-ins with your user name since "
		page := b.get("/jobs").body
		require.Contains(t, page, says)
		require.Contains(t, page, ", from 127.0.0.1.")
		require.Contains(t, page, `<a href="/account">See your account</a>`)
		require.NotContains(t, b.get("/jobs").body, says, "once")
		require.Contains(t, b.get("/account").body, says)
		again()
		require.NotContains(t, b.get("/jobs").body, "failed sign-in", "they were told of these")
		require.Contains(t, c.as(auth.Admin).get("/jobs").body, "There was 1 failed sign-in with your user name")
	})
}

// How a person wants to see the pages is kept with them: it holds in every browser.
func TestPreferencesAreThePersonsOwn(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		here, there, admin := c.as(auth.Operator), c.as(auth.Operator), c.as(auth.Admin)
		for _, zone := range []string{"Nowhere/Town", "Local", "../etc/passwd", "<b>"} {
			got := here.post("/account/preferences", "time_zone", zone, "theme", "dark")
			require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, zone)
			require.Contains(t, got.body, html.EscapeString(messages.English.Fault(auth.FaultTimeZone.With(zone))))
			require.Contains(t, got.body, `value="`+html.EscapeString(zone)+`"`, "it is shown as it was typed")
		}
		require.Equal(t, http.StatusUnprocessableEntity, here.post("/account/preferences", "theme", "purple").StatusCode)
		require.Empty(t, c.recorded(audit.Filter{Code: audit.PreferencesSet}))
		const deviceDark = `media="(prefers-color-scheme: dark)"`
		require.Contains(t, there.get("/account").body, deviceDark)

		for range 2 { // the second changes nothing
			require.Equal(t, accountPath, here.post("/account/preferences", "language", "zh-Hans", "time_zone", "Asia/Kathmandu",
				"theme", "dark").location())
		}
		set := c.recorded(audit.Filter{Code: audit.PreferencesSet})
		require.Len(t, set, 1)
		require.Equal(t, "operator", set[0].Target)
		require.Equal(t, "Asia/Kathmandu", set[0].Details["time_zone"])
		require.Contains(t, here.get("/account").body, "您的设置已保存")
		page := there.get("/account").body
		require.Contains(t, page, "UTC+05:45")
		require.Contains(t, page, `<meta name="color-scheme" content="dark">`)
		require.Contains(t, page, `media="all"`)
		there.post("/logout")
		there.post("/login", "username", "operator", "password", jobstest.Password)
		require.Contains(t, there.get("/account").body, `lang="zh-Hans"`, "the next browser speaks it from the sign-in on")
		other := admin.get("/account").body
		require.NotContains(t, other, "UTC+05:45")
		require.Contains(t, other, deviceDark)
		here.post("/account/preferences", "language", "xx", "theme", "light")
		require.NotContains(t, here.get("/account").body, "dark.css")
	})
}

// What is typed as a time is in the time zone of who typed it.
func TestTimesAreTypedInThePersonsTimeZone(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	b.post("/account/preferences", "time_zone", "Pacific/Kiritimati") // UTC+14
	id := b.draft(2)
	c.untilRead(id)
	at := time.Now().UTC().Add(72 * time.Hour).Truncate(time.Minute)
	kiritimati := time.FixedZone("", 14*60*60)
	require.Equal(t, "/jobs/"+id, b.post("/jobs/"+id+"/start", "confirm", "2", "at", at.In(kiritimati).Format("2006-01-02T15:04")).location())
	require.True(t, at.Equal(c.job(id).StartAt))
	require.Contains(t, b.get("/jobs?from="+at.In(kiritimati).Format("2006-01-02T15:04:05")).body, at.In(kiritimati).Format(`value="2006-01-02T15:04"`))
}

func TestBrowsersAreNamed(t *testing.T) {
	for agent, want := range map[string]templates.Browser{
		"": {},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.3537.57": {
			Name: "Edge 141", System: "Windows"},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1": {
			Name: "Safari 18", System: "iOS"},
		"curl/8.14.1":           {Name: "curl 8"},
		"<script>alert(1)":      {Name: "<script>alert"},
		strings.Repeat("x", 99): {Name: strings.Repeat("x", 40) + "…"},
	} {
		require.Equal(t, want, browserOf(agent), agent)
	}
}
