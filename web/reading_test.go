package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/web/templates/messages"
)

// unread uploads a file that nobody reads.
func (c *console) unread(content string) string {
	c.t.Helper()
	j, err := c.store.Create(c.t.Context(), audit.System, jobs.Upload{AppID: jobstest.App.ID, Kind: jobs.Clear, FileName: "users.csv",
		AccountBytes: jobstest.App.AccountBytes(), File: section(content)})
	require.NoError(c.t, err)
	return j.ID
}

func TestImportShowsProgress(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsoleThatReadsNothing(t, s)
		b, id := c.as(auth.Admin), c.unread("user_id\nann\n")
		page := b.get("/jobs/" + id).body
		for _, want := range []string{"Reading file", `hx-sse:connect="/jobs/` + id + `/events?reading=1"`, "<progress",
			`action="/jobs/` + id + `/cancel"`,
			`<noscript><meta http-equiv="refresh"`, "no rows are saved"} {
			require.Contains(t, page, want)
		}
		require.NotContains(t, page, "/start")
		require.NotContains(t, c.as(auth.Auditor).get("/jobs/"+id).body, "/cancel")
		require.Contains(t, b.get("/jobs").body, `data-state="reading"`)
		require.Contains(t, b.get("/jobs?state=reading").body, id)

		var job map[string]any
		b.json("/jobs/"+id, &job)
		require.Equal(t, "reading", job["state"])
		require.Equal(t, 0.0, job["read"])
		for _, address := range []string{"/results.csv", "/rejects.csv"} {
			require.Equal(t, http.StatusConflict, b.get("/jobs/"+id+address).StatusCode)
		}
		require.Equal(t, http.StatusConflict, b.post("/jobs/"+id+"/start", "confirm", "1").StatusCode)
		require.Equal(t, http.StatusConflict, b.post("/jobs/"+id+"/reread", "column", "1").StatusCode)
	})
}

func TestImportProgressInsteadOfWaiting(t *testing.T) {
	c := newConsoleThatReadsNothing(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	b.headers.Set("Accept", "text/html,*/*")
	b.client.Timeout = scriptWaits / 2
	got := b.upload("users.csv", "user_id\nann\n", "")
	require.Equal(t, http.StatusSeeOther, got.StatusCode)
	require.Contains(t, b.get(got.location()).body, "Reading the file")
}

func TestImportStreamEndsWithTheImport(t *testing.T) {
	c := newConsoleThatReadsNothing(t, jobstest.SQLite(t))
	b, id := c.as(auth.Operator), c.unread("user_id\nann\n")
	s := b.followAt("/jobs/" + id + "/events?reading=1")
	require.Equal(t, []string{"job-head", "job-announce", "job-reading", "job-facts", "job-history"}, parts(s.next()))
	c.readAll()
	require.Equal(t, "event: done\ndata: done\n", s.next())
	require.Empty(t, s.next())
	require.Equal(t, jobs.Draft, c.job(id).State)

	late := b.followAt("/jobs/" + id + "/events?reading=1")
	require.Equal(t, "event: done\ndata: done\n", late.next(), "a page that is behind is told so at once")
}

func TestImportCancelLeavesNothing(t *testing.T) {
	c := newConsoleThatReadsNothing(t, jobstest.SQLite(t))
	b, id := c.as(auth.Operator), c.unread("user_id\nann\n")
	require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/cancel").StatusCode)
	page := b.get("/jobs/" + id).body
	require.Contains(t, page, "Cancelled before the file was read.")
	require.Contains(t, page, `href="/jobs/new"`)
	require.NotContains(t, page, "Outcomes")
	require.NotContains(t, page, "0 rows =")
	require.Equal(t, http.StatusConflict, b.get("/jobs/"+id+"/rejects.csv").StatusCode)
	require.NotContains(t, b.get("/jobs").body, "progress-cell")
}

func TestImportFailureSaysWhatToDo(t *testing.T) {
	c := newConsoleThatReadsNothing(t, jobstest.SQLite(t))
	b, id := c.as(auth.Operator), c.unread("user_id\nann\n")
	c.refuse(id, accounts.FaultColumns.With(101, 100))
	page := b.get("/jobs/" + id).body
	require.Contains(t, page, messages.English.Fault(accounts.FaultColumns.With(101, 100)))
	require.Contains(t, page, `href="/jobs/new"`)
	require.Contains(t, page, `data-state="refused"`)
	var job struct {
		State   string
		Read    *int
		Refusal refusalJSON
	}
	b.json("/jobs/"+id, &job)
	require.Equal(t, "refused", job.State)
	require.Nil(t, job.Read)
	require.Equal(t, "file.columns", job.Refusal.Code)
	require.Contains(t, job.Refusal.Message, "101 columns")
	require.Contains(t, b.get("/jobs?state=refused").body, id)
}

func TestReviewShowsHowFileWasRead(t *testing.T) {
	b := newConsole(t, jobstest.SQLite(t)).as(auth.Operator)
	id := b.draftOf("user_id;city;friend\nann;Rome;ann\nbob;Oslo;cid\n")
	page := b.get("/jobs/" + id).body
	for _, want := range []string{"How the file was read", "Text separated by semicolons", "semicolon (;)", "Yes, in line 1", "1: user_id",
		"All settings were detected automatically.", "Detected: semicolon (;)",
		`<option value="GB18030">GB18030 (GBK)</option>`, `<option value="2">2: city</option>`} {
		require.Contains(t, page, want)
	}
	require.Regexp(t, `<th scope="col" class="taken">\s*user_id`, page)
	require.Equal(t, 1, strings.Count(page, `class="tag">account</span>`)+strings.Count(page,
		`class="tag">Account</span>`), "the column is marked by its number, not by its values")
	require.NotContains(t, newAuditor(b).get("/jobs/"+id).body, "/reread")
}

func newAuditor(b *browser) *browser { return b.console.as(auth.Auditor) }

func TestReviewCorrectionIsReread(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Operator)
		const file = "user_id;member;city\nann;m1;Rome\nbob;m2;Oslo\nbob;m3;Lima\n"
		id := b.draftOf(file)
		require.Equal(t, int64(2), c.job(id).Accounts)
		got := b.post("/jobs/"+id+"/reread", "column", "2", "encoding", "", "first_line", "")
		require.Equal(t, "/jobs/"+id, got.location(), got.body)
		require.Equal(t, jobs.Draft, c.job(id).State)
		require.Equal(t, int64(3), c.job(id).Accounts)
		page := b.get("/jobs/" + id).body
		require.Contains(t, page, "Some settings were chosen by operator on ")
		require.Contains(t, page, `<option value="2" selected>2: member</option>`)
		require.Regexp(t, `<th scope="col" class="taken">\s*member`, page)

		later := b.draftOf(file + "cid;m4;Bonn\n")
		require.Equal(t, int64(4), c.job(later).Accounts)
		require.Contains(t, b.get("/jobs/"+later).body, "Uses the settings and answers that operator chose on ")

		require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+later+"/reread").StatusCode)
		require.Equal(t, int64(3), c.job(later).Accounts, "no choice at all: detected anew")
		require.Contains(t, b.get("/jobs/"+later).body, "All settings were detected automatically.")
	})
}

func TestReviewCorrectionErrorKeepsForm(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draftOf("user_id;city\nann;Rome\n")
	before := c.job(id)
	for name, wrong := range map[string]struct{ field, value, says, kept string }{
		"line":      {"first_line", "first", messages.English.Fault(faultFirstLine.With("first")), `value="first"`},
		"zero":      {"first_line", "0", messages.English.Fault(faultFirstLine.With("0")), `value="0"`},
		"encoding":  {"encoding", "EBCDIC", messages.English.Fault(faultChoice.With("EBCDIC")), ""},
		"separator": {"separator", "x", messages.English.Fault(faultChoice.With("x")), ""},
		"column":    {"column", "-1", messages.English.Fault(faultColumn.With("-1", accounts.MaxColumns)), ""},
		"missing":   {"column", "7", "", `<option value="7" selected>Column 7</option>`},
	} {
		got := b.post("/jobs/"+id+"/reread", wrong.field, wrong.value, "header", "yes")
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, name)
		text := strings.NewReplacer("&#34;", `"`, "&#39;", "'").Replace(got.body)
		require.Contains(t, text, wrong.says, name)
		require.Contains(t, text, wrong.kept, name)
		require.Regexp(t, `<details class="correction" open`, text, name)
		require.Contains(t, text, `<option value="yes" selected>`, name)
		require.Equal(t, before, c.job(id), name)
	}
}

func TestReviewWarnsOfDuplicates(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	first := b.draftOf("user_id\nann\nbob\n")
	require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+first+"/start", "confirm", "2").StatusCode)
	other := b.draftOf("user_id\nann\nbob\ncid\n")
	same := b.draftOf("user_id\nann\nbob\n")
	page := b.get("/jobs/" + other).body
	require.Contains(t, page, "2 accounts of this file are also in this job:")
	require.Contains(t, page, `href="/jobs/`+first+`"`)
	require.Contains(t, page, "/start", "it can be started all the same")
	require.NotContains(t, page, "already used this file")
	require.Contains(t, b.get("/jobs/"+same).body, "operator already used this file on ")

	var job struct{ Warnings warningsJSON }
	b.json("/jobs/"+same, &job)
	require.Equal(t, warningsJSON{SameFile: []string{first}, Overlaps: []overlapJSON{{Job: first, Accounts: 2}}}, job.Warnings)
}

func TestReviewFindsColumnOfMendedFile(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draftOf("user_id;member;city\nann;m1;Rome\nbob;m 2 ;Oslo\ncid;" + strings.Repeat("m", 33) + ";Lima\n")
	require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/reread", "column", "2").StatusCode)
	rejects := b.get("/jobs/" + id + "/rejects.csv").body
	require.Contains(t, rejects, "user_id,member [account],city,row,line,kind,reason,repeats_row")
	again := b.draftOf(rejects)
	require.Zero(t, c.job(again).Accounts, "what was not mended is set aside again")
	mended := b.draftOf(strings.ReplaceAll(rejects, strings.Repeat("m", 33), "m3"))
	require.Equal(t, int64(1), c.job(mended).Accounts)
	var found struct{ Accounts []accountJSON }
	b.json("/accounts?q=m3", &found)
	require.Equal(t, mended, found.Accounts[0].Job.ID)
}

func TestScriptsWaitForTheDraft(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	b.headers.Set("Accept", "application/json")
	got := b.upload("users.csv", "user_id\nann\n", "")
	require.Equal(t, http.StatusSeeOther, got.StatusCode)
	var job map[string]any
	require.NoError(t, json.NewDecoder(bytes.NewBufferString(b.get("/jobs/"+path.Base(got.location())).body)).Decode(&job))
	require.Equal(t, "draft", job["state"])
}

func TestReviewShowsArchiveAndWorkbook(t *testing.T) {
	b := newConsole(t, jobstest.SQLite(t)).as(auth.Operator)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Name = "churned.csv"
	_, err := w.Write([]byte("user_id,city\nann,Rome\nbob,Oslo\n"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	page := b.get(b.upload("churned.csv.gz", packed.String(), "").location()).body
	require.Contains(t, page, "CSV text in gzip")
	require.Contains(t, page, "<code>churned.csv</code>")

	book := excelize.NewFile()
	require.NoError(t, book.SetSheetRow("Sheet1", "A1", &[]string{"user_id", "city"}))
	require.NoError(t, book.SetSheetRow("Sheet1", "A2", &[]string{"ann", "Rome"}))
	_, err = book.NewSheet("名单")
	require.NoError(t, err)
	require.NoError(t, book.SetSheetRow("名单", "A1", &[]string{"user_id"}))
	require.NoError(t, book.SetSheetRow("名单", "A2", &[]string{"eve"}))
	var file bytes.Buffer
	require.NoError(t, book.Write(&file))
	address := b.upload("list.xlsx", file.String(), "").location()
	page = b.get(address).body
	for _, want := range []string{"Excel workbook", "Sheet1 (1 of 2 sheets)", `type="checkbox" name="sheet" value="名单">`} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, `name="encoding"`)
	require.Equal(t, address, b.post(address+"/reread", "sheet", "名单").location())
	page = b.get(address).body
	require.Contains(t, page, `name="sheet" value="名单" checked>`)
	require.Contains(t, page, "eve")
}

func TestReviewImpossibleColumnIsRefused(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draftOf("user_id\nann\n")
	got := b.post("/jobs/"+id+"/reread", "column", "2000000000")
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Contains(t, got.body, "is not a valid column number")
}

func TestStartNeedsTheReviewedVersion(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draftOf("user_id,member\nann,m1\nbob,m2\n")
	jobstest.AsSuggested(t, c.store, id)
	_, rest, found := strings.Cut(b.get("/jobs/"+id).body, `name="reading" value="`)
	require.True(t, found)
	seen, _, _ := strings.Cut(rest, `"`)
	require.NotEmpty(t, seen)
	require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/reread", "column", "2").StatusCode)
	got := b.post("/jobs/"+id+"/start", "confirm", "2", "reading", seen)
	require.Equal(t, http.StatusConflict, got.StatusCode)
	require.Contains(t, got.body, "the file was read again after you opened this page")
	require.Equal(t, jobs.Draft, c.job(id).State)
}

func TestReviewWideRowDoesNotWidenTable(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draftOf("user_id,n\n" + strings.Repeat(",1\n", 500) + "ann" + strings.Repeat(",", 7_000) + "x\n")
	require.Less(t, len(b.get("/jobs/"+id+"/rejects.csv").body), 600_000)
}
