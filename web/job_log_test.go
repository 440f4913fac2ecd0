package web

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
)

func TestJobsOfOthersHaveNoButtons(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	olga, adam, omar := c.as(auth.Operator), c.as(auth.Admin), c.another("omar", auth.Operator)
	id := olga.draft(3)
	page := omar.get("/jobs/" + id).body
	require.Contains(t, page, "This draft belongs to operator.")
	require.Contains(t, page, `href="/jobs/new"`, "they upload jobs of their own")
	require.NotContains(t, page, "/jobs/"+id+"/start")
	require.NotContains(t, page, "/jobs/"+id+"/reread")
	require.Contains(t, page, "/jobs/"+id+"/cancel")
	refused := omar.post("/jobs/"+id+"/start", "confirm", "3")
	require.Equal(t, http.StatusForbidden, refused.StatusCode)
	require.Contains(t, refused.body, "this job belongs to operator")
	require.Contains(t, adam.get("/jobs/"+id).body, "/jobs/"+id+"/start", "admins act on all jobs")

	adam.post("/sending/approvals", "approvers", "operator", "approval_hours", "24", "others_run", "1")
	page = omar.get("/jobs/" + id).body
	require.Contains(t, page, "/jobs/"+id+"/start")
	require.NotContains(t, page, "/jobs/"+id+"/cancel")
	require.Equal(t, http.StatusForbidden, omar.post("/jobs/"+id+"/cancel").StatusCode)
	require.Equal(t, http.StatusSeeOther, omar.post("/jobs/"+id+"/start", "confirm", "3").StatusCode)
	require.NotContains(t, omar.get("/jobs/"+id).body, "/jobs/"+id+"/pause")
	require.Contains(t, olga.get("/jobs/"+id).body, "/jobs/"+id+"/pause")
}

func TestOperatorsReadTheLogOfTheirOwnJobs(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		olga, omar, audra := c.as(auth.Operator), c.another("omar", auth.Operator), c.as(auth.Auditor)
		id := olga.draft(3)
		adam := c.as(auth.Admin)
		adam.headers.Set("User-Agent", "Browser of an admin")
		adam.post("/jobs/"+id+"/start", "confirm", "3")
		require.Contains(t, olga.get("/jobs/"+id).body, "/jobs/"+id+"/log")
		require.NotContains(t, omar.get("/jobs/"+id).body, "/jobs/"+id+"/log")

		page := olga.get("/jobs/" + id + "/log")
		require.Equal(t, http.StatusOK, page.StatusCode)
		require.Contains(t, page.body, "Job started")
		require.NotContains(t, page.body, "Browser of an admin")
		require.NotContains(t, page.body, `href="/audit/`, "which they may not open")
		require.Contains(t, audra.get("/jobs/"+id+"/log").body, "Browser of an admin")
		refused := omar.get("/jobs/" + id + "/log")
		require.Equal(t, http.StatusForbidden, refused.StatusCode)
		require.NotContains(t, refused.body, "Job started")
		require.Equal(t, http.StatusForbidden, olga.get("/audit?job="+id).StatusCode)

		var out struct{ Entries []audit.Entry }
		olga.json("/jobs/"+id+"/log", &out)
		for _, e := range out.Entries {
			require.Equal(t, id, e.JobID)
			require.Equal(t, e.Actor.Name == "operator", e.Actor.Session != "" && e.Actor.Address != "", "%v", e)
		}
		read := c.recorded(audit.Filter{Code: audit.JobLogRead, Actor: "operator"})
		require.Len(t, read, 2)
		require.Equal(t, id, read[0].JobID)
	})
}
