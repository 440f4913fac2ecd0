package web

import (
	"fmt"
	"html"
	"net/http"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
	"tagsweep/web/templates/messages"
)

const formTime = "2006-01-02T15:04"

func TestScheduleUsesThePagesTimeZone(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Operator)
		id := b.draft(3)
		require.Contains(t, b.get("/jobs/"+id).body, "Start time ("+messages.English.Zone()+")")
		at := time.Now().Add(36 * time.Hour).Truncate(time.Minute)
		require.Equal(t, "/jobs/"+id, b.post("/jobs/"+id+"/start", "confirm", "3", "at", at.Format(formTime)).location())
		require.True(t, c.job(id).StartAt.Equal(at), c.job(id).StartAt)
		page := b.get("/jobs/" + id).body
		require.Contains(t, page, `data-state="scheduled"`)
		require.Contains(t, page, "Starts on "+messages.English.Time(at)+" ("+messages.English.Zone()+").")
		var job map[string]any
		b.json("/jobs/"+id, &job)
		require.Equal(t, at.UTC().Format(time.RFC3339), job["start_at"])
		require.Contains(t, page, "/start-now")
		require.NotContains(t, c.as(auth.Auditor).get("/jobs/"+id).body, "/start-now")

		require.Equal(t, "/jobs/"+id, b.post("/jobs/"+id+"/start-now").location())
		require.NotContains(t, b.get("/jobs/"+id).body, `data-state="scheduled"`)
		require.Equal(t, http.StatusConflict, b.post("/jobs/"+id+"/start-now").StatusCode, "it waits no longer")
	})
}

func TestScheduleErrorKeepsTheForm(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draft(3)
	for _, at := range []string{time.Now().Add(-time.Hour).Format(formTime), time.Now().AddDate(1, 0, 2).Format(formTime),
		"tomorrow", "2026-02-30T10:00"} {
		got := b.post("/jobs/"+id+"/start", "confirm", "3", "at", at)
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, at)
		require.Contains(t, got.body, messages.English.Fault(jobs.FaultStartTime.With()))
		require.Regexp(t, `id="at"[^>]* value="`+at+`" aria-invalid="true"`, got.body)
		require.Regexp(t, `id="confirm"[^>]* value="3"`, got.body)
	}
	at := time.Now().Add(time.Hour)
	got := b.post("/jobs/"+id+"/start", "confirm", "4", "at", at.Format(formTime))
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Regexp(t, `id="at"[^>]* value="`+at.Format(formTime)+`" aria-describedby="at-help"`, got.body, "the time was in order")
	require.Contains(t, got.body, "Starts on "+messages.English.Time(at.Truncate(time.Minute)))
	require.Equal(t, jobs.Draft, c.job(id).State)
}

// onFile is a console with a started job of 300 accounts, three batches, whose
// database can be tampered with.
func onFile(t *testing.T) (c *console, b *browser, id string, tamperWith func(format string, args ...any)) {
	file := storetest.SQLiteFile(t)
	c = newConsole(t, jobstest.Open(t, file))
	b = c.as(auth.Operator)
	id = b.draft(300)
	b.post("/jobs/"+id+"/start", "confirm", "300")
	return c, b, id, func(format string, args ...any) { tamper(t, file, fmt.Sprintf(format, args...)) }
}

func counts(waiting, inDoubt, failed int64) jobs.Counts {
	return jobs.Counts{jobs.Waiting: waiting, jobs.Sending: 0, jobs.InDoubt: inDoubt, jobs.Cleared: 0, jobs.Failed: failed, jobs.Unsent: 0,
		jobs.Inspected: 0, jobs.Restored: 0, jobs.Changed: 0, jobs.Untagged: 0, jobs.Unchanged: 0, jobs.Skipped: 0}
}

func TestInDoubtDecisionsFromThePage(t *testing.T) {
	for decision, want := range map[jobs.Decision]struct {
		said   string
		counts jobs.Counts
	}{
		jobs.Retry:    {"Removing the tags of 100 accounts again.", counts(300, 0, 0)},
		jobs.Leave:    {"100 accounts were left unchanged.", counts(200, 0, 100)},
		jobs.ReadBack: {"Reading the tags of 100 accounts again.", counts(200, 100, 0)},
	} {
		c, b, id, tamperWith := onFile(t)
		require.Equal(t, http.StatusConflict, b.post("/jobs/"+id+"/decide", "decision", string(decision)).StatusCode, "nothing waits yet")
		tamperWith(`UPDATE batches SET outcome = 'in_doubt', ask = 1, code = 60027 WHERE job_id = '%s' AND number = 3`, id)
		tamperWith(`UPDATE jobs SET state = 'running', outcome_waiting = outcome_waiting - 100, outcome_in_doubt = 100, `+
			`version = version + 1 WHERE id = '%s'`, id)
		page := html.UnescapeString(b.get("/jobs/" + id).body)
		require.Contains(t, page, "100 accounts in doubt need your decision")
		require.Contains(t, page, "The tags of 100 accounts cannot be read. "+messages.English.Service(60027))
		require.NotContains(t, page, "<strong>100 accounts in doubt</strong>", "the console does not settle these by itself")
		require.Regexp(t, `(?s)<details class="ask"><summary[^>]*>Remove again….*value="again"`, page, "two steps")
		require.NotContains(t, c.as(auth.Auditor).get("/jobs/"+id).body, "/decide")
		var job map[string]any
		b.json("/jobs/"+id, &job)
		require.Equal(t, map[string]any{"accounts": 100.0, "tagged": 0.0, "unreadable": 100.0, "lost": 0.0, "code": 60027.0}, job["needs_review"])

		require.Equal(t, http.StatusUnprocessableEntity, b.post("/jobs/"+id+"/decide", "decision", "destroy").StatusCode)
		require.Equal(t, "/jobs/"+id, b.post("/jobs/"+id+"/decide", "decision", string(decision)).location())
		require.Contains(t, b.get("/jobs/"+id).body, want.said)
		require.Equal(t, want.counts, c.job(id).Counts)
		require.Equal(t, string(decision), c.recorded(audit.Filter{Code: audit.JobDecided})[0].Details["decision"])
	}
}

func TestLiveJobPageShowsDecisions(t *testing.T) {
	_, b, id, tamperWith := onFile(t)
	open := b.follow(id)
	require.NotContains(t, open.next(), "need your decision")
	tamperWith(`UPDATE batches SET outcome = 'in_doubt', ask = 1 WHERE job_id = '%s' AND number = 3`, id)
	tamperWith(`UPDATE jobs SET state = 'running', outcome_waiting = outcome_waiting - 100, outcome_in_doubt = 100, `+
		`version = version + 1 WHERE id = '%s'`, id)
	for event := open.next(); ; event = open.next() {
		require.NotEmpty(t, event)
		if slices.Contains(parts(event), "job-decision") {
			require.Contains(t, event, "100 accounts received new tags")
			return
		}
	}
}

func TestRetryLinksBothJobs(t *testing.T) {
	c, b, id, _ := onFile(t)
	require.Equal(t, http.StatusConflict, b.post("/jobs/"+id+"/retry", "outcome", "failed").StatusCode, "not ended yet")
	require.NotContains(t, b.get("/jobs/"+id).body, "/retry")
	b.post("/jobs/" + id + "/cancel")
	page := b.get("/jobs/" + id).body
	require.Contains(t, page, "Retry 300 accounts not sent")
	require.NotContains(t, page, "failed account")
	require.NotContains(t, c.as(auth.Auditor).get("/jobs/"+id).body, "/retry")
	for _, outcome := range []string{"failed", "cleared", ""} {
		require.Equal(t, http.StatusConflict, b.post("/jobs/"+id+"/retry", "outcome", outcome).StatusCode, "no account ended so")
	}
	made := path.Base(b.post("/jobs/"+id+"/retry", "outcome", "cancelled").location())
	c.untilRead(made)
	require.Regexp(t, `<dt>Retry of</dt>\s*<dd><a href="/jobs/`+id+`">users.csv</a>`, b.get("/jobs/"+made).body)
	require.Contains(t, b.get("/jobs/"+id).body, `<a href="/jobs/`+made+`">`)
	var job map[string]any
	b.json("/jobs/"+made, &job)
	require.Equal(t, id, job["source"])
	b.json("/jobs/"+id, &job)
	require.Equal(t, []any{made}, job["retries"])
}

func TestAHaltedJobSaysWhatToDoAndWhere(t *testing.T) {
	c, b, id, tamperWith := onFile(t)
	for code, want := range map[int]struct {
		info, says string
		recovers   bool
	}{
		jobs.CodeFailures:    {"7/9", "Halted: 7 of 9 accounts failed", false},
		jobs.CodeDown:        {"502 Bad Gateway", "No action needed", true},
		jobs.CodeLostAnswers: {"", "No action needed", true},
		60020:                {"expired", "Message from the service: expired (60020)", false},
	} {
		tamperWith(`UPDATE jobs SET state = 'halted', halt_code = %d, halt_info = '%s', `+
			`version = version + 1 WHERE id = '%s'`, code, want.info, id)
		page := html.UnescapeString(b.get("/jobs/" + id).body)
		require.Contains(t, page, want.says)
		require.Contains(t, page, messages.English.Service(code))
		var job struct{ Halt haltJSON }
		b.json("/jobs/"+id, &job)
		require.Equal(t, want.recovers, job.Halt.Recovers)
		require.Equal(t, code, job.Halt.Code)
	}
	next := time.Now().Add(30 * time.Second)
	tamperWith(`UPDATE apps SET probe_at = %d`, next.UnixMilli())
	tamperWith(`UPDATE jobs SET halt_code = -10, version = version + 1 WHERE id = '%s'`, id)
	c.web.status.changed()
	require.Contains(t, b.get("/jobs/"+id).body, "Next test call: "+messages.English.Time(next))

	tamperWith(`UPDATE jobs SET state = 'running', halt_code = 0, careful = 1, version = version + 1 WHERE id = '%s'`, id)
	require.Contains(t, b.get("/jobs/"+id).body, "Careful start: checking the first batch")
}
