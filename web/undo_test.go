package web

import (
	"bytes"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
	"tagsweep/web/templates/messages"
)

// cleared is a console with a clear job that has ended, whose tags are saved.
func cleared(t *testing.T) (c *console, b *browser, id string, tamperWith func(format string, args ...any)) {
	return ended(t, jobs.Clear)
}

// ended is a console with a job of 300 accounts that has ended, whose tags are saved.
func ended(t *testing.T, k jobs.Kind) (c *console, b *browser, id string, tamperWith func(format string, args ...any)) {
	c, b, id, tamperWith = onFile(t)
	tamperWith(`UPDATE batches SET outcome = '%s' WHERE job_id = '%s'`, k.Done(), id)
	tamperWith(`UPDATE jobs SET kind = '%[1]s', state = 'finished', snapshot = 1, finished_at = created_at + 60000, `+
		`outcome_waiting = 0, outcome_%[2]s = 300, version = version + 1 WHERE id = '%[3]s'`,
		k, k.Done(), id)
	master, key := [32]byte{4}, snapshot.NewKey()
	c.store.Snapshots.UseKey(master)
	wrapped, err := snapshot.Wrap(master, id, key)
	require.NoError(t, err)
	tamperWith(`INSERT INTO snapshot_keys (job_id, wrapped, erase_at) VALUES ('%[1]s', x'%[2]x', 4102444800000) ON `+
		`CONFLICT (job_id) DO UPDATE SET wrapped = x'%[2]x', erase_at = 4102444800000`, id, wrapped)
	for number := range int64(3) {
		batch := make([]snapshot.Account, jobs.BatchSize)
		for i := range batch {
			batch[i] = snapshot.Account{Seq: number*jobs.BatchSize + int64(i) + 1, Tags: []string{"vip", "=1+1; x"}[:i%3]}
		}
		sealed, err := snapshot.Encrypt(key, snapshot.Before, id, number+1, batch)
		require.NoError(t, err)
		tamperWith(`INSERT INTO snapshots (job_id, number, data, digest) VALUES ('%s', %d, x'%x', '%s')`, id, number+1,
			sealed, snapshot.Digest(sealed))
	}
	return c, b, id, tamperWith
}

// multipart sends a form with a list of accounts, as the page does.
func (b *browser) multipart(address, list string, pairs ...string) answer {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i := 0; i < len(pairs); i += 2 {
		require.NoError(b.t, w.WriteField(pairs[i], pairs[i+1]))
	}
	name := "list.csv"
	if list == "" {
		name = "" // as a browser sends a field that was left empty
	}
	file, err := w.CreateFormFile("list", name)
	require.NoError(b.t, err)
	_, err = io.WriteString(file, list)
	require.NoError(b.t, err)
	require.NoError(b.t, w.Close())
	return b.do("POST", address, &body, w.FormDataContentType())
}

func TestUndoAsksForAPolicy(t *testing.T) {
	c, b, id, _ := cleared(t)
	page := html.UnescapeString(b.get("/jobs/" + id).body)
	require.Contains(t, page, "You can restore the tags that this job removed from 300 accounts.")
	require.Contains(t, page, "Available until ")
	require.Len(t, strings.Split(page, `name="policy"`), 4)
	require.NotRegexp(t, `name="policy"[^>]* checked`, page, "none is chosen beforehand")

	got := b.multipart("/jobs/"+id+"/undo", "", "policy", "", "tags", "vip\n<gold>\n", "outcome", "cleared")
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Contains(t, got.body, messages.English.Fault(snapshot.FaultPolicy.With()))
	require.Regexp(t, `(?s)<textarea id="undo-tags"[^>]*>\s*vip\s+&lt;gold&gt;`, got.body, "what was typed is kept")
	require.Regexp(t, `id="undo-cleared"[^>]* checked`, got.body)
	require.Regexp(t, `<details class="correction" open`, got.body)
	require.Empty(t, c.recorded(audit.Filter{Code: audit.JobUndone}))
	require.Equal(t, http.StatusUnprocessableEntity, b.post("/jobs/"+id+"/undo", "policy", "overwrite").StatusCode)
}

func TestAnUndoTakesAPartOfAJob(t *testing.T) {
	c, b, id, _ := cleared(t)
	got := b.multipart("/jobs/"+id+"/undo", "user-1\nuser-2\n", "policy", "skip", "tags", " vip \r\n\r\ngold", "outcome",
		"cleared", "outcome", "failed")
	require.Equal(t, http.StatusSeeOther, got.StatusCode, got.body)
	made := path.Base(got.location())
	require.Equal(t, jobs.Restore, c.job(made).Kind)
	require.Contains(t, b.get("/jobs/"+id).body, `<span class="who">Undo</span>`)
	c.untilRead(made)
	require.Regexp(t, `<dt>Undo of</dt>\s*<dd><a href="/jobs/`+id+`">users.csv</a>`, b.get("/jobs/"+made).body)
	require.Len(t, c.recorded(audit.Filter{Code: audit.JobUndone, JobID: made}), 1)
	require.Equal(t, []string{"vip", "gold"}, typedLines(" vip \r\n\r\ngold"))
}

func TestAScriptUndoesAJobWithAPlainForm(t *testing.T) {
	c, b, id, _ := cleared(t)
	require.Contains(t, b.post("/jobs/"+id+"/undo", "policy", "overwrite").body, messages.English.Fault(snapshot.FaultPolicy.With()))
	got := b.post("/jobs/"+id+"/undo", "policy", "stop", "tags", "vip")
	require.Equal(t, http.StatusSeeOther, got.StatusCode, got.body)
	require.Equal(t, []any{jobs.Restore, snapshot.Stop}, []any{c.job(path.Base(got.location())).Kind, c.job(path.Base(got.location())).Policy})
}

func TestUndoWithNothingToDoKeepsForm(t *testing.T) {
	c, b, id, _ := cleared(t)
	got := b.multipart("/jobs/"+id+"/undo", "", "policy", "skip", "tags", "no such tag")
	require.Equal(t, http.StatusConflict, got.StatusCode)
	require.Contains(t, html.UnescapeString(got.body), messages.English.Fault(jobs.FaultNothingToUndo.With()))
	require.Regexp(t, `(?s)<textarea id="undo-tags"[^>]*>\s*no such tag`, got.body)
	require.Regexp(t, `value="skip" required checked`, got.body)
	require.Empty(t, c.recorded(audit.Filter{Code: audit.JobUndone}))
}

func TestAnUndoOfWhatIsTooLongIsRefused(t *testing.T) {
	c, b, id, _ := cleared(t)
	for _, fields := range [][]string{{"tags", strings.Repeat("x", formLimit)},
		{"tags", strings.Repeat("x", formLimit/2), "more", strings.Repeat("y", formLimit/2)}} {
		got := b.multipart("/jobs/"+id+"/undo", "", append(fields, "policy", "merge")...)
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
		require.Contains(t, got.body, messages.English.Fault(faultLongForm.With()))
	}
	got := b.multipart("/jobs/"+id+"/undo", strings.Repeat("user-1\n", 2_000), "policy", "merge")
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, "the largest file is 10,000 bytes here")
	require.Contains(t, got.body, "list.csv is larger than the limit")
	require.Regexp(t, `value="merge" required checked`, got.body)
	require.Empty(t, c.recorded(audit.Filter{Code: audit.JobUndone}))
}

func TestUndoNeedsASnapshot(t *testing.T) {
	c, b, id, tamperWith := cleared(t)
	tamperWith(`UPDATE snapshot_keys SET wrapped = x'', erased_at = 1767225600000, erased_by = 'system' WHERE job_id = '%s'`, id)
	page := b.get("/jobs/" + id).body
	require.Contains(t, page, "Undo is no longer possible: the tag snapshot was erased on ")
	require.Contains(t, page, "by System.")
	require.NotContains(t, page, "/undo")
	require.NotContains(t, page, "/tags.csv")
	require.Equal(t, http.StatusConflict, b.get("/jobs/"+id+"/tags.csv").StatusCode)
	require.Empty(t, c.recorded(audit.Filter{Code: audit.TagsDownloaded}))
	tamperWith(`DELETE FROM snapshots WHERE job_id = '%s'`, id)
	tamperWith(`DELETE FROM snapshot_keys WHERE job_id = '%s'`, id)
	tamperWith(`UPDATE jobs SET snapshot = 0 WHERE id = '%s'`, id)
	require.Contains(t, b.get("/jobs/"+id).body, "Undo is not possible: no tag snapshot was saved.")
}

func TestUndoPageSurvivesBadSnapshot(t *testing.T) {
	_, b, id, tamperWith := cleared(t)
	tamperWith(`UPDATE snapshots SET data = x'01' WHERE job_id = '%s'`, id)
	page := b.get("/jobs/" + id)
	require.Equal(t, http.StatusOK, page.StatusCode)
	require.Contains(t, page.body, "cannot be read: it was damaged or changed")
	require.Equal(t, http.StatusServiceUnavailable, b.get("/jobs/"+id+"/tags.csv").StatusCode)
}

func TestUndoIsNotForAuditors(t *testing.T) {
	c, _, id, _ := cleared(t)
	page := c.as(auth.Auditor).get("/jobs/" + id).body
	require.Contains(t, page, "You can restore the tags that this job removed from 300 accounts")
	require.Contains(t, page, "Saved until ")
	require.Contains(t, page, "/tags.csv")
	for _, way := range []string{"/undo", "/erase", "/retry"} {
		require.NotContains(t, page, way)
	}
}

func TestUndoErasedByAdminShowsWho(t *testing.T) {
	c, operator, id, _ := cleared(t)
	require.NotContains(t, operator.get("/jobs/"+id).body, "/erase")
	admin := c.as(auth.Admin)
	require.Regexp(t, `(?s)<details class="ask"><summary[^>]*>Erase now….*action="/jobs/`+id+`/erase"`,
		admin.get("/jobs/"+id).body, "two steps")
	require.Equal(t, "/jobs/"+id, admin.post("/jobs/"+id+"/erase").location())
	page := admin.get("/jobs/" + id).body
	require.Contains(t, page, "The tag snapshot was erased.")
	require.Regexp(t, `Erased on [^<]* by admin\. Counts and digests remain\.`, page)
	require.NotContains(t, page, "/erase")
}

func TestUndoHaltAtNewTagsNeedsPolicy(t *testing.T) {
	c, b, id, tamperWith := onFile(t)
	tamperWith(`UPDATE jobs SET kind = 'restore', state = 'halted', halt_code = -13, policy = 'stop', `+
		`version = version + 1 WHERE id = '%s'`, id)
	page := b.get("/jobs/" + id).body
	require.Contains(t, page, "Halted: an account has new tags")
	require.Len(t, strings.Split(page, `name="policy"`), 3, "merge and skip")
	require.Len(t, strings.Split(page, `action="/jobs/`+id+`/resume"`), 2, "no way past the question")
	require.NotContains(t, page, `http-equiv="refresh"`, "what is chosen must stay where scripts are off")
	got := b.post("/jobs/" + id + "/resume")
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Contains(t, got.body, messages.English.Fault(snapshot.FaultPolicy.With()))
	require.Equal(t, jobs.Halted, c.job(id).State)
	require.NotContains(t, c.as(auth.Auditor).get("/jobs/"+id).body, "/resume")
	require.Equal(t, "/jobs/"+id, b.post("/jobs/"+id+"/resume", "policy", "skip").location())
	require.Equal(t, snapshot.Skip, c.job(id).Policy)
}

func TestInspectDraftThenClear(t *testing.T) {
	c, b, other, _ := ended(t, jobs.Inspect)
	draft := b.draft(3)
	page := b.get("/jobs/" + draft).body
	require.Regexp(t, `(?s)action="/jobs/`+draft+`/retry"><input type="hidden" name="kind" value="inspect">.*Inspect first`, page)
	require.NotContains(t, c.as(auth.Auditor).get("/jobs/"+draft).body, "Inspect first")
	made := path.Base(b.post("/jobs/"+draft+"/retry", "kind", "inspect").location())
	require.Equal(t, jobs.Inspect, c.job(made).Kind)
	c.untilRead(made)
	page = b.get("/jobs/" + made).body
	require.Regexp(t, `<dt>Inspection of</dt>\s*<dd><a href="/jobs/`+draft+`">`, page)
	require.Contains(t, page, "This job changes nothing")
	require.NotContains(t, page, "Inspect first")

	page = b.get("/jobs/" + other).body
	require.Contains(t, page, "Tags that would be removed")
	require.Regexp(t,
		`(?s)action="/jobs/`+other+`/retry"><input type="hidden" name="kind" value="clear">.*name="outcome" `+
			`type="checkbox" value="inspected" checked`, page)
	made = path.Base(b.post("/jobs/"+other+"/retry", "kind", "clear", "outcome", "inspected").location())
	require.Equal(t, jobs.Clear, c.job(made).Kind)
	c.untilRead(made)
	require.Regexp(t, `<dt>Created from inspection</dt>\s*<dd><a href="/jobs/`+other+`">`, b.get("/jobs/"+made).body)
	require.Contains(t, b.get("/jobs/"+other).body, `<span class="who">Removal</span>`)
}

func TestAnInspectedSampleCanBeDoneAgain(t *testing.T) {
	c, b, id, tamperWith := cleared(t)
	verification := func() map[string]any {
		var job struct{ Verification map[string]any }
		b.json("/jobs/"+id, &job)
		delete(job.Verification, "seed")
		return job.Verification
	}
	require.Equal(t, map[string]any{"share": 10_000.0, "job": nil, "read": 0.0, "differ": 0.0}, verification())
	tamperWith(`UPDATE jobs SET verify_share = 1000000, verify_due = 1, version = version + 1 WHERE id = '%s'`, id)
	require.Regexp(t, "Inspection of a sample starts soon.|Inspecting a sample.", b.get("/jobs/"+id).body)
	var made string
	require.Eventually(t, func() bool { // whoever reads files makes it
		made, _ = verification()["job"].(string)
		return made != ""
	}, time.Minute, 5*time.Millisecond)
	require.Eventually(t, func() bool { return c.job(made).State == jobs.Queued }, time.Minute, 5*time.Millisecond)
	require.Equal(t, []any{jobs.Inspect, jobs.Clear, id, int64(300)},
		[]any{c.job(made).Kind, c.job(made).Checks, c.job(made).Source, c.job(made).Accounts})
	require.Contains(t, b.get("/jobs/"+id).body, "Inspecting a sample.")
	tamperWith(`UPDATE batches SET outcome = CASE number WHEN 1 THEN 'inspected' ELSE 'untagged' END WHERE job_id = '%s'`, made)
	tamperWith(`UPDATE jobs SET state = 'finished', finished_at = created_at + 1, outcome_waiting = 0, `+
		`outcome_inspected = 100, outcome_untagged = 200, version = version + 1 WHERE id = '%s'`, made)
	require.Equal(t, map[string]any{"share": 1_000_000.0, "job": made, "read": 300.0, "differ": 100.0}, verification())
	for _, of := range []string{id, made} {
		page := b.get("/jobs/" + of).body
		require.Contains(t, page, "The service confirmed the removal, but 100 accounts have tags.")
		require.Regexp(t,
			`action="/jobs/`+made+`/retry"><input type="hidden" name="kind" value="clear">\s*<button [^>]*name="outcome" value="inspected"`, page)
		require.NotContains(t, c.as(auth.Auditor).get("/jobs/"+of).body, "/retry")
	}
	require.Regexp(t, `This job inspects a sample of the accounts changed by: <a href="/jobs/`+id+`">users.csv</a>`, b.get("/jobs/"+made).body)
	require.Contains(t, b.get("/jobs/"+id).body, `<span class="who">Verification</span>`)

	again := path.Base(b.post("/jobs/"+made+"/retry", "kind", "clear", "outcome", "inspected").location())
	c.untilRead(again)
	require.Equal(t, []any{jobs.Clear, int64(100)}, []any{c.job(again).Kind, c.job(again).Accounts})
	require.Regexp(t, `<dt>Redo after verification of</dt>\s*<dd><a href="/jobs/`+made+`">`, b.get("/jobs/"+again).body)
	require.Contains(t, b.get("/jobs/"+made).body, `<span class="who">Redo</span>`)
}

func TestTheDraftSaysWhetherItCanBeUndone(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b, admin := c.as(auth.Operator), c.as(auth.Admin)
	id := b.draft(3)
	admin.post("/sending", "failure_limit", "20", "keep_days", "7", "verify_share", "100", "snapshot", "1")
	page := b.get("/jobs/" + id).body
	require.Contains(t, page, "for 7 days after the job ends")
	require.Contains(t, page, "After the job, a sample is inspected: all batches.")
	require.NotContains(t, page, "Removed tags cannot be restored")
	admin.post("/sending", "failure_limit", "20", "keep_days", "7", "verify_share", "0")
	page = b.get("/jobs/" + id).body
	require.Contains(t, page, "Removed tags cannot be restored")
	require.Contains(t, page, "Undo is not possible: tag snapshots are off.")
	require.Contains(t, page, "No sample is inspected after the job")
	// The setting is for jobs that remove all tags; others cannot do without.
	for _, kind := range []string{"add_tags", "remove_tags"} {
		id := b.draftFor("user_id,tags\nann,vip\n", "kind", kind)
		page = b.get("/jobs/" + id).body
		require.True(t, c.job(id).Snapshot)
		require.Contains(t, page, "for 7 days after the job ends", kind)
		require.NotContains(t, page, "Undo is not possible", kind)
	}
}

func TestRetryNotOfferedAfterErasure(t *testing.T) {
	c, b, id, tamperWith := ended(t, jobs.AddTags)
	tamperWith(`UPDATE jobs SET outcome_changed = 299, outcome_failed = 1, version = version + 1 WHERE id = '%s'`, id)
	require.Contains(t, b.get("/jobs/"+id).body, `action="/jobs/`+id+`/retry"`)
	c.as(auth.Admin).post("/jobs/" + id + "/erase")
	require.NotContains(t, b.get("/jobs/"+id).body, `action="/jobs/`+id+`/retry"`)
	require.Equal(t, http.StatusConflict, b.post("/jobs/"+id+"/retry", "outcome", "failed").StatusCode)
}

func TestUndoBadSnapshotBlamesNoService(t *testing.T) {
	_, b, id, tamperWith := onFile(t)
	why := messages.English.Fault(snapshot.FaultOtherKey.With(id))
	tamperWith(`UPDATE jobs SET kind = 'restore', state = 'halted', halt_code = %d, halt_info = '%s', version = version + 1 WHERE id = '%s'`,
		jobs.CodeUnreadable, why, id)
	page := b.get("/jobs/" + id).body
	require.Contains(t, page, why)
	require.NotContains(t, page, "the service rejects the calls")
	require.NotContains(t, page, "an undocumented error code")
	require.NotContains(t, page, "Message from the service")
}
