package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// A console of a test app and one of production share a database: whoever looks at the
// one sees which jobs are the other's, and cannot make it send.
func TestOtherAppIsNamedEverywhere(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		production := jobs.App{ID: "1400000009", Name: "Live chat", Environment: "production", SDKAppID: 1400000009,
			Domain: "https://live.example", Family: "all_member_push", Identifier: "administrator", Rate: 97}
		require.NoError(t, s.SaveApp(t.Context(), production))
		by := audit.Actor{ID: "u9", Name: "paul", Role: "operator"}
		uploaded := func() string {
			j, err := jobstest.Draft(s, by, jobs.Upload{AppID: production.ID, FileName: "live.csv"}, jobstest.Lines(3))
			require.NoError(t, err)
			return j.ID
		}
		draft, queued, paused, ended := uploaded(), uploaded(), uploaded(), uploaded()
		for _, id := range []string{queued, paused, ended} {
			_, err := s.Start(t.Context(), by, id, jobs.StartRequest{Confirm: 3})
			require.NoError(t, err)
		}
		_, err := s.Act(t.Context(), by, paused, jobs.Pause)
		require.NoError(t, err)
		_, err = s.Act(t.Context(), by, ended, jobs.Cancel)
		require.NoError(t, err)
		s.Serve(jobstest.App.ID)
		c := newConsole(t, s)
		operator, admin := c.as(auth.Operator), c.as(auth.Admin)

		list := operator.get("/jobs").body
		require.Equal(t, 4, strings.Count(list, `<span class="tag">Live chat (production)</span>`), "each row")
		require.Contains(t, list, "No console serves the app Live chat (production). Open jobs: 2")
		require.Equal(t, 4, strings.Count(operator.get("/jobs?app=1400000009").body, "live.csv</a>"))
		require.Zero(t, strings.Count(operator.get("/jobs?app="+jobstest.App.ID).body, "live.csv</a>"))
		var all struct{ Jobs []jobJSON }
		operator.json("/jobs", &all)
		require.Len(t, all.Jobs, 4)
		require.Equal(t, appJSON{production.ID, "Live chat", "production", false}, all.Jobs[0].App)
		for _, address := range []string{"/jobs/" + draft, "/jobs/" + queued, "/jobs/" + paused, "/jobs/" + ended,
			"/jobs/" + ended + "/rows"} {
			body := operator.get(address).body
			require.Contains(t, body, `data-environment="production"`, "%s: the banner is that of its app", address)
			require.Contains(t, body, `<span class="app">Live chat</span>`, address)
			require.Contains(t, body, "This console does not serve that app", address)
			for _, form := range []string{"/start", "/resume", "/retry", "/undo", "/decide", "/start-now", "/first", "/erase"} {
				require.NotContains(t, body, `action="/jobs/`+draft+form, address)
				require.NotContains(t, body, `action="/jobs/`+paused+form, address)
				require.NotContains(t, body, `action="/jobs/`+ended+form, address)
			}
		}
		require.Contains(t, operator.get("/jobs/"+queued).body, `action="/jobs/`+queued+`/pause"`)
		require.Contains(t, operator.get("/accounts?q=user-1").body+operator.get("/accounts?q=user1").body, "Live chat (production)")
		require.Contains(t, operator.get("/jobs/"+ended+"/results.csv").Header.Get("Content-Disposition"), "Live-chat-production")
		for _, e := range c.recorded(audit.Filter{JobID: paused}) {
			require.Equal(t, "Live chat (production)", e.App)
		}

		for _, b := range []*browser{operator, admin} {
			for _, post := range [][]string{{"/jobs/" + draft + "/start", "confirm", "3"}, {"/jobs/" + paused + "/resume"},
				{"/jobs/" + ended + "/retry", "outcome", "cancelled"}, {"/jobs/" + ended + "/retry", "kind", "inspect"},
				{"/jobs/" + paused + "/decide", "decision", string(jobs.Retry)}, {"/jobs/" + draft + "/reread", "column", "1"}} {
				got := b.post(post[0], post[1:]...)
				require.Equal(t, http.StatusConflict, got.StatusCode, "%v: %s", post, got.body)
				require.Contains(t, got.body, "Live chat (production)")
			}
		}
		got := admin.post("/jobs/" + ended + "/erase")
		require.Equal(t, http.StatusConflict, got.StatusCode, got.body)
		var health healthJSON
		c.browser().json("/healthz", &health)
		require.Equal(t, int64(2), health.Stranded)
		require.Equal(t, http.StatusSeeOther, operator.post("/jobs/"+queued+"/cancel").StatusCode)
		require.Equal(t, http.StatusSeeOther, operator.post("/jobs/"+paused+"/cancel").StatusCode)
	})
}
