package web

import (
	"database/sql"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

const mixedFile = "user_id,name,=cmd\r\nann,Ann,+1\r\nunknown-bob,Bob,@x\r\n@11,Eve,\r\ncid,\"C, Id\",-2\r\nann,Ann again,1\r\n" +
	"a-name-that-is-longer-than-32-bytes,Long,2\r\nann;bob,Two,3\r\ntoo,many,cells,here\r\n"

// mixedDraft is a draft of mixedFile with every question answered: @11 is an account.
func (b *browser) mixedDraft() string {
	b.t.Helper()
	id := b.draftOf(mixedFile)
	require.Equal(b.t, http.StatusSeeOther, b.post("/jobs/"+id+"/reread", "keep", "1", "unlike", "accept").StatusCode)
	b.untilRead(id)
	jobstest.AsSuggested(b.t, b.store, id)
	return id
}

// run carries a job out against the simulator, to its end.
func (c *console) run(id string) {
	c.t.Helper()
	_, base := enginetest.Simulate(c.t)
	stop := enginetest.Run(c.t, enginetest.New(c.t, c.store, base))
	views, leave := c.web.live.watch(id)
	for view := range views {
		if view.Job.Settled() {
			break
		}
	}
	leave()
	stop()
}

// golden compares with a file of testdata; times differ from run to run.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`).ReplaceAllString(got, "2026-07-01T08:00:00Z")
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestDownloadResultsOfEveryAccount(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Operator)
		id := b.mixedDraft()
		require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/start", "confirm", "4").StatusCode)
		c.run(id)

		all := b.get("/jobs/" + id + "/results.csv")
		require.Equal(t, "text/csv; charset=utf-8", all.Header.Get("Content-Type"))
		require.Equal(t, "attachment; filename=users-results-Test-chat-test.csv", all.Header.Get("Content-Disposition"))
		golden(t, "results.csv", all.body)
		golden(t, "results-failed.csv", b.get("/jobs/"+id+"/results.csv?outcome=failed").body)
		golden(t, "set-aside.csv", b.get("/jobs/"+id+"/rejects.csv").body)
		b.post("/language", "lang", "zh-Hans")
		golden(t, "results-zh-Hans.csv", b.get("/jobs/"+id+"/results.csv").body)
		require.Equal(t, http.StatusNotFound, b.get("/jobs/"+id+"/results.csv?outcome=nonsense").StatusCode)

		entries := c.recorded(audit.Filter{Code: audit.ResultsDownloaded})
		require.Len(t, entries, 3, "what was refused is no download")
		require.Equal(t, "failed", entries[1].Details["outcome"])
		require.Equal(t, c.job(id).FileSHA256, entries[1].Details["sha256"])
		require.Equal(t, id, entries[1].JobID)
		require.Len(t, c.recorded(audit.Filter{Code: audit.RejectsDownloaded}), 1)
	})
}

func TestRejectsCanBeMendedAndUploaded(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	for name, file := range map[string]string{
		"header":    mixedFile,
		"no header": "ann,1\nann,2\nbob,3\na-name-that-is-longer-than-32-bytes,4\n",
		"list":      "ann\nann\nbob\na-name-that-is-longer-than-32-bytes\n",
		"last":      "n,user_id\n1,ann\n2,ann\n3,bob\n4,a-name-that-is-longer-than-32-bytes\n",
	} {
		first := b.draftOf(file)
		rejects := b.get("/jobs/" + first + "/rejects.csv").body
		require.True(t, strings.HasPrefix(rejects, "\uFEFF"), name)
		mended := strings.NewReplacer("⚠ a-name-that-is-longer-than-32-bytes", "short",
			"a-name-that-is-longer-than-32-bytes", "short").Replace(rejects)
		second := b.draftOf(mended)
		var found struct {
			Accounts []accountJSON `json:"accounts"`
		}
		b.json("/accounts?q=short", &found)
		require.NotEmpty(t, found.Accounts, "%s: %s", name, mended)
		require.Equal(t, second, found.Accounts[0].Job.ID, name)
		asides := c.job(first)
		require.Equal(t, asides.Rejected+asides.Duplicate, c.job(second).Rows, name)
	}
}

func TestDownloadNeedsALogEntry(t *testing.T) {
	file := storetest.SQLiteFile(t)
	c := newConsole(t, jobstest.Open(t, file))
	b := c.as(auth.Operator)
	id := b.draft(3)
	database, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer database.Close()
	_, err = database.Exec(`CREATE TRIGGER full BEFORE INSERT ON audit_lines WHEN NEW.code LIKE '%.downloaded' BEGIN ` +
		`SELECT RAISE(ABORT, 'disk full'); END`)
	require.NoError(t, err)
	for _, address := range []string{"/results.csv", "/rejects.csv"} {
		got := b.get("/jobs/" + id + address)
		require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
		require.Empty(t, got.Header.Get("Content-Disposition"))
		require.NotContains(t, got.body, "user-1")
		require.NotContains(t, got.body, "disk full", "detail is for the log")
	}
}

func TestNamesOfDownloadsAreSafe(t *testing.T) {
	for name, want := range map[string]string{
		"users.csv": "users-results-Live-chat-production.csv", "七月 名单.csv": "七月-名单-results-Live-chat-production.csv",
		`..\"; x`: "results.csv", "": "job1-results-Live-chat-production.csv",
		strings.Repeat("a", 200): strings.Repeat("a", 60) + "-results-Live-chat-production.csv",
	} {
		got := downloadName(jobs.Job{ID: "job1", FileName: name}, "Live chat (production)", "results")
		require.NotRegexp(t, `[^\pL\d.-]`, got)
		if name != `..\"; x` {
			require.Equal(t, want, got)
		}
	}
}
