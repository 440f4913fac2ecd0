package web

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
	"tagsweep/web/templates/messages"
)

func TestAccountSearchExactThenPrefix(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Operator)
		id := b.draft(60)
		page := b.get("/accounts?q=user-1").body
		require.Contains(t, page, `<a href="/jobs/`+id+`">users.csv</a>`)
		require.Contains(t, page, "row 1, batch 1")
		require.Contains(t, page, "Not started. Created by operator")
		require.Contains(t, page, "a note")
		require.NotContains(t, page, "user-10", "exact to the letter")

		page = b.get("/accounts?q=user").body
		require.Contains(t, page, `href="/accounts?q=user-1"`)
		require.Contains(t, page, "Only the first 50 are shown.")
		require.NotContains(t, page, "user-9", "in alphabetical order")
		require.Contains(t, b.get("/accounts?q=User").body, "No account in any job starts with “User”")

		var found foundJSON
		b.json("/accounts?q=user-1", &found)
		require.Len(t, found.Accounts, 1)
		require.Empty(t, found.Names)
		require.Nil(t, found.Accounts[0].Before, "not known")
		require.Empty(t, found.Accounts[0].Calls)
		b.json("/accounts?q=user-5", &found)
		require.Len(t, found.Accounts, 1)
		b.json("/accounts?q=user-", &found)
		require.Empty(t, found.Accounts)
		require.Len(t, found.Names, 50)
		require.True(t, found.More)
		b.json("/accounts", &found)
		require.Empty(t, found.Names)
	})
}

func TestAccountTagsReadIsLogged(t *testing.T) {
	var asked []string
	var fails error
	c := newConsole(t, jobstest.SQLite(t), func(config *Config) {
		config.ReadTags = func(_ context.Context, account string) ([]string, error) {
			asked = append(asked, account)
			return []string{"vip", "<b> x", "\xff", ""}, fails
		}
	})
	b := c.as(auth.Auditor)
	got := b.post("/accounts/read", "account", "ann")
	require.Equal(t, http.StatusOK, got.StatusCode)
	require.Contains(t, got.body, "The account has 4 tags (read on ")
	require.Contains(t, got.body, `<code class="spaced">&lt;b&gt; x</code>`)
	require.Contains(t, got.body, "<code class=\"spaced\">\uFFFD</code>")
	require.Contains(t, got.body, "(empty)")
	require.Contains(t, got.body, `name="next" value="/accounts?q=ann"`, "the language can be switched")
	entries := c.recorded(audit.Filter{Code: audit.TagsRead})
	require.Len(t, entries, 1)
	require.Equal(t, "ann", entries[0].Target)
	require.Equal(t, "auditor", entries[0].Actor.Name)

	fails = jobs.FaultUnsettled.With()
	got = b.post("/accounts/read", "account", "ann")
	require.Equal(t, http.StatusConflict, got.StatusCode)
	require.Contains(t, got.body, messages.English.Fault(jobs.FaultUnsettled.With()), "as a sentence, on the page")
	require.Contains(t, got.body, `id="tags-now"`)
	require.Equal(t, []string{"ann", "ann"}, asked)
	got = b.post("/accounts/read", "account", "")
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Contains(t, got.body, messages.English.Fault(faultNoAccount.With()))
	require.Equal(t, []string{"ann", "ann"}, asked)
	require.Len(t, c.recorded(audit.Filter{Code: audit.TagsRead}), 2)
}

func TestAccountTagsNeedALogEntry(t *testing.T) {
	file := t.TempDir() + "/console.db"
	c := newConsole(t, jobstest.Open(t, file), func(config *Config) {
		config.ReadTags = func(context.Context, string) ([]string, error) { t.Error("the service was asked"); return nil, nil }
	})
	b := c.as(auth.Operator)
	tamper(t, file, `CREATE TRIGGER full BEFORE INSERT ON audit_lines WHEN NEW.code = 'tags.read' BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
	require.Equal(t, http.StatusServiceUnavailable, b.post("/accounts/read", "account", "ann").StatusCode)
}

func TestDownloadTagsIsLoggedAndSafe(t *testing.T) {
	c, operator, id, _ := cleared(t)
	b := c.as(auth.Auditor)
	got := b.get("/jobs/" + id + "/tags.csv")
	require.True(t, strings.HasPrefix(got.body,
		"\uFEFFrow,account,outcome,known,count,tags\r\n"+
			"1,user-1,cleared,yes,0,\r\n2,user-2,cleared,yes,1,vip\r\n3,user-3,cleared,yes,2,\"vip;\"\"=1+1; x\"\"\"\r\n"), got.body[:200])
	require.Len(t, strings.Split(got.body, "\r\n"), 302)
	require.Equal(t, "attachment; filename=users-tags-Test-chat-test.csv", got.Header.Get("Content-Disposition"))
	got = b.get("/jobs/" + id + "/report.csv")
	require.Contains(t, got.body, "\r\ntag,vip,198\r\ntag,\"'=1+1; x\",99\r\n")
	require.Len(t, c.recorded(audit.Filter{Code: audit.TagsDownloaded, JobID: id}), 1)
	require.Len(t, c.recorded(audit.Filter{Code: audit.ReportDownloaded, JobID: id}), 1)

	draft := operator.draft(3)
	for _, file := range []string{"/report.csv", "/tags.csv"} {
		require.Equal(t, http.StatusConflict, b.get("/jobs/"+draft+file).StatusCode)
	}
	require.Empty(t, c.recorded(audit.Filter{Code: audit.TagsDownloaded, JobID: draft}), "what was refused is no download")
	require.Empty(t, c.recorded(audit.Filter{Code: audit.ReportDownloaded, JobID: draft}))

	var found foundJSON
	b.json("/accounts?q=user-6", &found)
	require.Equal(t, []string{"vip", "=1+1; x"}, found.Accounts[0].Before)
}

func TestAReportHoldsEverySumAndEveryTag(t *testing.T) {
	var r snapshot.Report
	r.Add([]snapshot.Account{{Seq: 1, Tags: []string{"vip", "=1+1"}}, {Seq: 2, Tags: []string{"vip", "\xff"}}, {Seq: 3}}, 2)
	require.Equal(t, [][]string{
		{"what", "tag", "count"}, {"accounts", "", "5"}, {"accounts_with_tags", "", "2"}, {"accounts_without_tags", "", "1"},
		{"accounts_unknown", "", "2"},
		{"assignments", "", "4"}, {"assignments_not_listed", "", "0"}, {"distinct_tags", "", "3"},
		{"tag", "vip", "2"}, {"tag", "=1+1", "1"}, {"tag", "\uFFFD", "1"},
	}, reportRows(&r))
}

func TestTagsOfACellCanBeToldApart(t *testing.T) {
	require.Equal(t, "", tagsCell(nil))
	require.Equal(t, `vip;a b;"a;b";"";" x";"say ""hi""";"1,5";会员`, tagsCell([]string{"vip", "a b", "a;b", "", " x",
		`say "hi"`, "1,5", "会员"}))
}

// What was downloaded may be uploaded: no tag becomes another, or two.
func TestDownloadTagsUploadsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tag := rapid.OneOf(rapid.StringN(1, 12, 50),
			rapid.SampledFrom([]string{"北京，上海", "a、b", "a；b", "a｜b", "NULL", "-", "#N/A", `="1"`, "1.5E+10", "=1+1", "'=1", "+a",
				" x", `"q"`, `a"b`, "a;b", "a|b", "a,b"}))
		tags := rapid.SliceOfNDistinct(tag.Filter(func(tag string) bool {
			return !strings.ContainsFunc(tag, unicode.IsControl)
		}), 1, 5, rapid.ID).Draw(t, "tags")
		var file bytes.Buffer
		out := accounts.NewWriter(&file)
		require.NoError(t, out.Write(tagColumns))
		require.NoError(t,
			out.Write(tagsRow(jobs.TaggedAccount{Account: jobs.Account{Row: 1, Account: "user_1", Outcome: jobs.Cleared},
				Before: tags, Known: true})))
		require.NoError(t, out.Flush())
		rows, err := accounts.Open(io.NewSectionReader(bytes.NewReader(file.Bytes()), 0, int64(file.Len())),
			accounts.Options{AccountBytes: 32, Tags: true})
		require.NoError(t, err)
		defer rows.Close()
		row, err := rows.Next()
		require.NoError(t, err)
		require.Equal(t, accounts.Reason(""), row.Reason)
		require.Equal(t, []any{"user_1", tags}, []any{row.Account, row.Tags})
	})
}
