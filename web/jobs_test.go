package web

import (
	"encoding/json"
	"net/http"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/web/templates/messages"
)

func TestDraftIsReviewedAndStarted(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		b := newConsole(t, s).as(auth.Operator)
		id := b.draftOf("user_id,city\r\nann,Rome\r\nbob,<b>Oslo</b>\r\nann,Paris\r\n" + strings.Repeat("x", 33) + ",Lima\r\n,Bonn\r\n")
		review := b.get("/jobs/" + id)
		require.Equal(t, http.StatusOK, review.StatusCode)
		for _, want := range []string{
			"Fix 1 account: row 4", "Fix 1 account: row 5", "1 duplicate row: 3", "Same account as row 1.",
			"Type 2 to remove all tags from 2 accounts in Test chat (Test)", "Remove all tags from 2 accounts",
			"Undo is possible for 30 days after the job ends.", "Inspect first",
			"Download all 3 excluded rows (CSV)", "&lt;b&gt;Oslo&lt;/b&gt;", "user_id", "a note",
		} {
			require.Contains(t, review.body, want)
		}

		wrong := b.post("/jobs/"+id+"/start", "confirm", "3")
		require.Equal(t, http.StatusUnprocessableEntity, wrong.StatusCode)
		require.Contains(t, wrong.body, messages.English.Fault(jobs.FaultConfirm.With(int64(2))))
		require.Contains(t, wrong.body, `value="3"`, "what was typed is kept")
		require.Equal(t, jobs.Draft, b.job(id).State)

		require.Equal(t, "/jobs/"+id, b.post("/jobs/"+id+"/start", "confirm", " 2 ").location())
		require.Equal(t, jobs.Queued, b.job(id).State)
		require.Equal(t, "operator", b.job(id).StartedBy)
	})
}

func TestStartClickedTwiceIsRefused(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draft(3)
	require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/start", "confirm", "3").StatusCode)
	for _, action := range []string{"start", "resume"} {
		got := b.post("/jobs/"+id+"/"+action, "confirm", "3")
		require.Equal(t, http.StatusConflict, got.StatusCode)
		require.Contains(t, got.body, "the job status is now “queued”")
		require.Contains(t, got.body, `href="/jobs/`+id+`"`, "the way back")
	}
	require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/pause").StatusCode)
	require.Equal(t, http.StatusConflict, b.post("/jobs/"+id+"/pause").StatusCode)
	require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/resume").StatusCode)
	require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/cancel").StatusCode)
	require.Equal(t, http.StatusConflict, b.post("/jobs/"+id+"/start", "confirm", "3").StatusCode)
	require.Len(t, c.recorded(audit.Filter{JobID: id, Code: audit.JobStarted}), 1)
}

func TestADraftCanBeDiscarded(t *testing.T) {
	b := newConsole(t, jobstest.SQLite(t)).as(auth.Operator)
	id := b.draft(3)
	require.Contains(t, b.get("/jobs/"+id).body, "Discard draft…")
	require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/cancel").StatusCode)
	require.Equal(t, jobs.Cancelled, b.job(id).State)
	require.NotContains(t, b.get("/jobs/"+id).body, "hx-sse:connect", "nothing more will happen")
}

func TestDraftCannotBeStartedByAuditor(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	id := c.as(auth.Operator).draft(3)
	page := c.as(auth.Auditor).get("/jobs/" + id).body
	require.NotContains(t, page, "/start")
	require.NotContains(t, page, "/cancel")
	require.Contains(t, page, "Your role can view this draft")
}

func TestStartCountTypedInAnyStyle(t *testing.T) {
	for typed, want := range map[string]int64{
		"48120": 48120, "48,120": 48120, " 48 120 ": 48120, "48\u00a0120": 48120, "48\u202f120": 48120, "48.120": 48120, "48'120": 48120,
		"４８，１２０": 48120, "": -1, "abc": -1, "-5": -1, "+5": -1, "48120x": -1, "999999999999999999999": -1, "0": 0,
	} {
		require.Equal(t, want, typedCount(typed), typed)
	}
}

func TestJSONOfAJobHasItsFields(t *testing.T) {
	b := newConsole(t, jobstest.SQLite(t)).as(auth.Operator)
	id := b.draftOf("user_id\nann\nbob\nann\n")
	var job map[string]any
	require.Equal(t, http.StatusOK, b.json("/jobs/"+id, &job).StatusCode)
	require.NotEmpty(t, job["created_at"])
	delete(job, "created_at")
	understanding := job["understanding"].(map[string]any)
	require.Equal(t, []any{"user_id"}, understanding["header"])
	require.Equal(t, "UTF-8", understanding["encoding"])
	delete(job, "understanding")
	want := `{"id":"` + id + `","app":{"id":"1400000000","name":"Test chat","environment":"test","served":true},
		"kind":"clear","state":"draft","note":"a note",
		"file":{"name":"users.csv","sha256":"` + b.job(id).FileSHA256 + `","bytes":20},
		"rows":3,"rejected":0,"duplicate":1,"protected":0,"accounts":2,
		"outcomes":{"waiting":2,"sending":0,"in_doubt":0,"cleared":0,"inspected":0,"restored":0,
			"changed":0,"untagged":0,"unchanged":0,"skipped":0,"failed":0,"cancelled":0},
		"batches":1,"calls":0,"created_by":"operator","started_by":null,"approved_by":null,"emergency":null,"started_at":null,"finished_at":null,
		"start_at":null,"canary":false,"source":null,"retries":[],"snapshot_info":null,"snapshot":true,"policy":null,
		"only_tags":null,"verification":null,"checks":null,"needs_review":null,"waits_for":null,
		"second_person":null,"read":null,"read_rows":null,"refusal":null,"halt":null,
		"unsure":[],"warnings":{"same_file":[],"overlaps":[],"unusual":0}}`
	have, err := json.Marshal(job)
	require.NoError(t, err)
	require.JSONEq(t, want, string(have))

	var list struct {
		Jobs []map[string]any `json:"jobs"`
		Next *string          `json:"next"`
	}
	b.json("/jobs?state=draft", &list)
	require.Len(t, list.Jobs, 1)
	require.Equal(t, id, list.Jobs[0]["id"])
	require.Nil(t, list.Next)

	var found struct {
		Accounts []accountJSON `json:"accounts"`
	}
	b.json("/accounts?q=ann", &found)
	require.Len(t, found.Accounts, 1)
	require.Equal(t, int64(1), found.Accounts[0].Row)
	require.Equal(t, id, found.Accounts[0].Job.ID)
	b.json("/accounts?q=ANN", &found)
	require.Empty(t, found.Accounts, "exact to the letter")

	var log struct {
		Entries []audit.Entry `json:"entries"`
	}
	c := b.console.as(auth.Auditor)
	c.json("/audit?job="+id, &log)
	uploaded := log.Entries[len(log.Entries)-1]
	require.Equal(t, audit.JobUploaded, uploaded.Code)
	require.Equal(t, "operator", uploaded.Actor.Name)
	require.NotEmpty(t, uploaded.Actor.RequestID)
}

func TestJobSearchByAddress(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	operator := c.as(auth.Operator)
	ids := map[string]bool{}
	for range jobsOnAPage + 2 {
		ids[operator.draft(1)] = true
	}
	other := operator.upload("vip.csv", "user_id\nann\n", "OPS-4711")
	require.Equal(t, http.StatusSeeOther, other.StatusCode)
	found := func(query string) (list []string) {
		for next := "/jobs?" + query; next != ""; {
			var page struct {
				Jobs []struct{ ID string }
				Next *string
			}
			require.Equal(t, http.StatusOK, operator.json(next, &page).StatusCode, query)
			for _, j := range page.Jobs {
				list = append(list, j.ID)
			}
			operator.draft(1) // the list grows while it is read
			if next = ""; page.Next != nil {
				next = "/jobs?" + query + "&before=" + *page.Next
			}
		}
		return list
	}
	vip := []string{path.Base(other.location())}
	require.Equal(t, vip, found("q=ops-47"))
	require.Equal(t, vip, found("q=VIP&kind=clear&by=Operator&state=draft&from=2026-01-01"))
	require.Empty(t, found("q=vip&kind=inspect"))
	require.Empty(t, found("q=vip&by=admin"))
	require.Empty(t, found("to=2026-01-01"))
	users, seen := found("q=users.csv&by=operator"), map[string]bool{}
	for _, id := range users {
		require.False(t, seen[id], "none twice")
		seen[id] = true
	}
	for id := range ids {
		require.True(t, seen[id], "none dropped")
	}

	page := operator.get("/jobs?q=ops&state=draft&kind=clear").body
	require.Contains(t, page, `href="/jobs?kind=clear&amp;q=ops&amp;state=queued"`)
	require.Contains(t, page, `<details class="search" open>`)
	require.NotContains(t, operator.get("/jobs").body, `<details class="search" open>`)
	got := operator.get("/jobs?q=ops&from=tomorrow")
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Contains(t, got.body, "is not a valid time")
	require.Regexp(t, `id="q"[^>]* value="ops"`, got.body)
	require.Equal(t, http.StatusUnprocessableEntity, operator.get("/jobs?kind=nonsense").StatusCode)
}

func TestJobRowsByOutcomeAndAccount(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Auditor)
	id := c.as(auth.Operator).draft(2*rowsOnAPage + 7)
	type answer struct {
		Rows []rowJSON
		Next *int64
	}
	found := func(query string) (rows []int64) {
		for next := "/jobs/" + id + "/rows?" + query; next != ""; {
			var page answer
			require.Equal(t, http.StatusOK, b.json(next, &page).StatusCode)
			for _, r := range page.Rows {
				rows = append(rows, r.Row)
			}
			if next = ""; page.Next != nil {
				next = "/jobs/" + id + "/rows?" + query + "&after=" + strconv.FormatInt(*page.Next, 10)
			}
		}
		return rows
	}
	all := found("")
	require.Len(t, all, 2*rowsOnAPage+7)
	for i, row := range all {
		require.EqualValues(t, i+1, row)
	}
	require.Equal(t, []int64{20, 200, 201, 202, 203, 204, 205, 206, 207}, found("outcome=waiting&q=user-20"))
	require.Empty(t, found("outcome=failed"))
	page := b.get("/jobs/" + id + "/rows?q=user-20").body
	require.Contains(t, page, `href="/accounts?q=user-206"`)
	require.NotContains(t, page, "user-21")
	require.Contains(t, b.get("/jobs/"+id+"/rows").body, `rel="next"`)
	require.Equal(t, http.StatusNotFound, b.get("/jobs/"+id+"/rows?outcome=nonsense").StatusCode)
}

func TestLongListsAreReadPageByPage(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	operator := c.as(auth.Operator)
	ids := map[string]bool{}
	for range jobsOnAPage + 3 {
		ids[operator.draft(1)] = true
	}
	auditor := c.as(auth.Auditor)
	seen := 0
	for address := "/jobs"; address != ""; {
		var page struct {
			Jobs []struct{ ID string }
			Next *string
		}
		auditor.json(address, &page)
		for _, j := range page.Jobs {
			require.True(t, ids[j.ID])
			seen++
		}
		if address = ""; page.Next != nil {
			address = "/jobs?before=" + *page.Next
		}
	}
	require.Equal(t, len(ids), seen)
	require.Contains(t, auditor.get("/jobs").body, `rel="next"`)

	seen = 0
	for address := "/audit?code=job.uploaded"; address != ""; {
		var page struct {
			Entries []audit.Entry
			Next    json.Number
		}
		auditor.json(address, &page)
		seen += len(page.Entries)
		if address = ""; page.Next != "" {
			address = "/audit?code=job.uploaded&before=" + page.Next.String()
		}
	}
	require.Equal(t, len(ids), seen)
	require.Contains(t, auditor.get("/audit?code=job.uploaded&actor=operator").body, "/audit?actor=operator&amp;before=")
}
