package web

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// The journey of two people on the pages, without scripts, in both languages.
func TestASecondPersonApproves(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		olga, adam, audra := c.as(auth.Operator), c.as(auth.Admin), c.as(auth.Auditor)
		require.Equal(t, "/sending", adam.post("/sending/approvals", "approve_above", "2", "approvers", "operator", "approval_hours", "24",
			"daily_operator", "none").location())
		require.Contains(t, adam.get("/sending").body, `value="none"`)
		require.Equal(t, http.StatusSeeOther, adam.post("/sending", "rate", "50", "failure_limit", "30", "keep_days", "30",
			"verify_share", "1").StatusCode)
		require.Contains(t, adam.get("/sending").body, `value="2"`, "the other form keeps what this one set")
		require.Contains(t, audra.get("/sending").body, "accounts without a second person")

		earlier := olga.draft(2)
		require.Equal(t, http.StatusSeeOther, olga.post("/jobs/"+earlier+"/start", "confirm", "2").StatusCode)
		id := olga.draft(3)
		page := olga.get("/jobs/" + id).body
		require.Contains(t, page, `action="/jobs/`+id+`/ask"`)
		require.NotContains(t, page, `action="/jobs/`+id+`/start"`)
		require.NotContains(t, page, "/emergency", "operators have no emergencies")
		refused := olga.post("/jobs/"+id+"/start", "confirm", "3")
		require.Equal(t, http.StatusConflict, refused.StatusCode)
		require.Contains(t, refused.body, "this needs a second person")
		wrong := olga.post("/jobs/"+id+"/ask", "confirm", "4")
		require.Equal(t, http.StatusUnprocessableEntity, wrong.StatusCode)

		require.Equal(t, "/jobs/"+id, olga.post("/jobs/"+id+"/ask", "confirm", "3", "note", "churned in May <b>").location())
		a, err := s.Request(t.Context(), id)
		require.NoError(t, err)
		require.Contains(t, olga.get("/jobs/"+id).body, "Withdraw request")
		require.Contains(t, adam.get("/jobs").body, "Approvals (1)")
		require.NotContains(t, olga.get("/jobs").body, "Approvals (1)")
		require.NotContains(t, audra.get("/jobs/"+id).body, "/approve\"")
		reviewed := adam.get("/jobs/" + id).body
		require.Contains(t, reviewed, "Note: churned in May &lt;b&gt;")
		require.Contains(t, reviewed, "Approve for 3 accounts")
		_, compared, found := strings.Cut(reviewed, "Compared with the last job of this kind")
		require.True(t, found)
		require.Regexp(t, `(?s)^.*href="/jobs/`+earlier+`".*>3</td>\s*<td class="number">2</td>`, compared)
		adam.post("/language", "lang", "zh-Hans", "next", "/approvals")
		require.Contains(t, adam.get("/approvals").body, "待你审批")
		adam.post("/language", "lang", "en", "next", "/approvals")

		own := olga.post("/approvals/" + a.ID + "/approve")
		require.Equal(t, http.StatusForbidden, own.StatusCode)
		require.Contains(t, own.body, "Somebody else has to approve it")
		require.Equal(t, http.StatusForbidden, audra.post("/approvals/"+a.ID+"/approve").StatusCode)
		require.Equal(t, jobs.Draft, c.job(id).State)
		require.Equal(t, "/jobs/"+id, adam.post("/approvals/"+a.ID+"/approve").location())
		require.Equal(t, []any{jobs.Queued, "operator", "admin"}, []any{c.job(id).State, c.job(id).StartedBy, c.job(id).ApprovedBy})
		require.Contains(t, olga.get("/jobs").body, "Approvals (1)", "what became of it is news")
		require.Contains(t, olga.get("/approvals").body, "Approved by "+"admin")
		require.NotContains(t, olga.get("/jobs").body, "Approvals (1)")
		require.Equal(t, http.StatusNotFound, adam.post("/approvals/"+a.ID+"/approve").StatusCode)

		var whole map[string]any
		olga.json("/jobs/"+id, &whole)
		require.Equal(t, "admin", whole["approved_by"])
		require.Equal(t, "approved", whole["second_person"].(map[string]any)["request"].(map[string]any)["state"])
	})
}

func TestARejectedRequestSaysWhy(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	olga, adam := c.as(auth.Operator), c.as(auth.Admin)
	adam.post("/sending/approvals", "approve_above", "0", "approvers", "admin", "approval_hours", "1")
	id := olga.draft(1)
	olga.post("/jobs/"+id+"/ask", "confirm", "1")
	a, err := c.store.Request(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnprocessableEntity, adam.post("/approvals/"+a.ID+"/refuse", "reason", " ").StatusCode)
	require.Equal(t, "/approvals", adam.post("/approvals/"+a.ID+"/refuse", "reason", "wrong list").location())
	require.Contains(t, olga.get("/jobs/"+id).body, "Rejected by "+"admin"+": wrong list")
	require.Contains(t, olga.get("/jobs/"+id).body, `/ask"`, "it can be asked for again")
	olga.post("/jobs/"+id+"/ask", "confirm", "1")
	b, err := c.store.Request(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "/approvals", olga.post("/approvals/"+b.ID+"/withdraw").location())
}

func TestAnEmergencyIsSeenForEver(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	adam, audra := c.as(auth.Admin), c.as(auth.Auditor)
	adam.post("/sending/approvals", "approve_above", "0", "approvers", "operator", "approval_hours", "24")
	id := adam.draft(2)
	require.Contains(t, adam.get("/jobs/"+id).body, `action="/jobs/`+id+`/emergency"`)
	require.Equal(t, http.StatusUnprocessableEntity, adam.post("/jobs/"+id+"/emergency", "confirm", "2", "reason", "now").StatusCode)
	wrong := adam.post("/jobs/"+id+"/emergency", "confirm", "1", "reason", "customers are insulted")
	require.Equal(t, http.StatusUnprocessableEntity, wrong.StatusCode)
	require.Equal(t, "/jobs/"+id, adam.post("/jobs/"+id+"/emergency", "confirm", "2", "reason", "customers are insulted").location())
	require.Contains(t, audra.get("/jobs/"+id).body, "Emergency start by "+"admin")
	require.Contains(t, audra.get("/audit?result=failed").body, "Job started without approval")
	require.True(t, strings.Contains(audra.get("/jobs/"+id).body, "Reason: customers are insulted"))
}

// All admins and auditors are told of an emergency until somebody else has reviewed it.
func TestAnEmergencyIsToldUntilItIsReviewed(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		adam, audra, olga := c.as(auth.Admin), c.as(auth.Auditor), c.as(auth.Operator)
		told := func(b *browser) bool {
			return strings.Contains(b.get("/jobs").body, "started a job without a second person")
		}
		adam.post("/sending/approvals", "approve_above", "0", "approvers", "operator", "approval_hours", "24")
		id := adam.draft(2)
		require.False(t, told(adam) || told(audra) || told(olga))
		require.Equal(t, "/jobs/"+id, adam.post("/jobs/"+id+"/emergency", "confirm", "2", "reason", "customers are insulted").location())
		require.Equal(t, []bool{true, true, false}, []bool{told(adam), told(audra), told(olga)})
		upTo := func() string { return strconv.FormatInt(c.recorded(audit.Filter{Code: audit.JobEmergency})[0].Seq, 10) }
		require.Equal(t, http.StatusSeeOther, adam.post(reviewPath, "to", upTo(), "note", "all in order").StatusCode)
		require.True(t, told(audra), "who did it cannot make it go away")
		require.Equal(t, http.StatusSeeOther, audra.post(reviewPath, "to", upTo(), "note", "asked adam").StatusCode)
		require.False(t, told(adam) || told(audra))
	})
}
