package web

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/web/templates/messages"
)

// uploadFor sends the form of a new job with a file and further fields.
func (b *browser) uploadFor(content string, fields ...string) answer {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i := 0; i < len(fields); i += 2 {
		require.NoError(b.t, w.WriteField(fields[i], fields[i+1]))
	}
	file, err := w.CreateFormFile("file", "users.csv")
	require.NoError(b.t, err)
	_, err = io.WriteString(file, content)
	require.NoError(b.t, err)
	require.NoError(b.t, w.Close())
	return b.do("POST", "/jobs", &body, w.FormDataContentType())
}

func (b *browser) draftFor(content string, fields ...string) string {
	b.t.Helper()
	got := b.uploadFor(content, fields...)
	require.Equal(b.t, http.StatusSeeOther, got.StatusCode, got.body)
	return path.Base(got.location())
}

// plain is a page without the signs that stand for quotes and apostrophes.
func plain(page string) string {
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'").Replace(page)
}

func TestAnUploadSaysWhatItsJobDoes(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Operator)
		const file = "user_id,tags\nann,vip\nbob,gold;vip\n"
		for _, test := range []struct {
			kind          string
			want          jobs.Kind
			title, submit string
			tagged        bool
		}{
			{"", jobs.Clear, "Remove all tags: users.csv", "Remove all tags from 2 accounts", false},
			{"clear", jobs.Clear, "Remove all tags: users.csv", "Remove all tags from 2 accounts", false},
			{"inspect", jobs.Inspect, "Inspect: users.csv", "Inspect 2 accounts", false},
			{"add_tags", jobs.AddTags, "Add tags: users.csv", "Add tags to 2 accounts", true},
			{"remove_tags", jobs.RemoveTags, "Remove specific tags: users.csv", "Remove the listed tags from 2 accounts", true},
		} {
			id := b.draftFor(file, "kind", test.kind)
			require.Equal(t, test.want, c.job(id).Kind)
			page := b.get("/jobs/" + id).body
			require.Contains(t, page, "<h1>"+test.title+"</h1>")
			require.Regexp(t, `>`+test.submit+`</button>`, page)
			require.Equal(t, test.tagged, strings.Contains(page, `name="tag_column"`), test.kind)
			require.Equal(t, test.tagged, strings.Contains(page, `<span class="tag">gold</span><span class="tag">vip</span>`), test.kind)
		}
		require.Equal(t, jobs.Clear, c.job(b.draftOf(file)).Kind, "no such field: as ever")
	})
}

func TestUploadFormOffersEveryKind(t *testing.T) {
	b := newConsole(t, jobstest.SQLite(t)).as(auth.Operator)
	form := b.get("/jobs/new").body
	for _, kind := range []string{"clear", "inspect", "add_tags", "remove_tags"} {
		require.Contains(t, form, `type="radio" name="kind" value="`+kind+`"`)
	}
	require.NotContains(t, form, `value="restore"`)
	require.Regexp(t, `value="clear" checked`, form)
	got := b.uploadFor("ann,x,y\n", "kind", "add_tags", "tag_column", " 7 ", "note", "why")
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Regexp(t, `value="add_tags" checked`, got.body)
	require.NotRegexp(t, `value="clear" checked`, got.body)
	require.Regexp(t, `name="tag_column"[^>]* value="7"`, got.body)
	require.Contains(t, got.body, ">why</textarea>")
}

func TestUploadBadKindOrTagColumn(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	const two, three = "user_id,tags\nann,vip\n", "user_id,a,b\nann,x,y\n"
	for name, bad := range map[string]struct {
		file, kind, column string
		says               string
	}{
		"unknown kind":    {two, "destroy", "", messages.English.Fault(faultKind.With("destroy"))},
		"restore":         {two, "restore", "", messages.English.Fault(faultKind.With("restore"))},
		"other case":      {two, "CLEAR", "", messages.English.Fault(faultKind.With("CLEAR"))},
		"no column":       {"ann\nbob\n", "add_tags", "", messages.English.Fault(accounts.FaultNoTags.With())},
		"which column":    {three, "remove_tags", "", messages.English.Fault(accounts.FaultTagColumn.With(3))},
		"missing column":  {three, "add_tags", "4", messages.English.Fault(accounts.FaultColumn.With(4, 3))},
		"not a number":    {three, "add_tags", "second", messages.English.Fault(faultColumn.With("second", accounts.MaxColumns))},
		"column zero":     {three, "add_tags", "0", messages.English.Fault(faultColumn.With("0", accounts.MaxColumns))},
		"column too high": {three, "add_tags", "1001", messages.English.Fault(faultColumn.With("1001", accounts.MaxColumns))},
		"negative column": {three, "add_tags", "-1", messages.English.Fault(faultColumn.With("-1", accounts.MaxColumns))},
	} {
		refused := len(c.recorded(audit.Filter{Code: audit.JobUploadRefused}))
		got := b.uploadFor(bad.file, "kind", bad.kind, "tag_column", bad.column)
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, name)
		require.Contains(t, plain(got.body), bad.says, name)
		require.NotContains(t, got.body, "%!", name)
		require.Len(t, c.recorded(audit.Filter{Code: audit.JobUploadRefused}), refused+1, name)

		b.headers.Set("Accept", "application/json")
		require.Equal(t, http.StatusUnprocessableEntity, b.uploadFor(bad.file, "kind", bad.kind, "tag_column", bad.column).StatusCode, name)
		b.headers.Del("Accept")
	}
	got := b.uploadFor(two, "kind", strings.Repeat("x", 10_000))
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Less(t, strings.Count(got.body, "x"), 1_000, "what is far too long is not said again")
	require.Empty(t, c.contents().jobs)
}

func TestTagColumnCanBeCorrected(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Operator)
		id := b.draftFor("user_id,old,new\nann,gone,vip\nbob,past,\n", "kind", "add_tags", "tag_column", "3")
		require.Equal(t, []int64{2, 1, 1}, []int64{c.job(id).Rows, c.job(id).Accounts, c.job(id).Rejected})
		page := b.get("/jobs/" + id).body
		for _, want := range []string{"Some settings were chosen by operator on ",
			"Tag column", "3: new", `<option value="3" selected>3: new</option>`,
			"Account column", `<span class="tag">vip</span>`, "This row contains no tag"} {
			require.Contains(t, page, want)
		}
		require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/reread", "tag_column", "2").StatusCode)
		require.Equal(t, int64(2), c.job(id).Accounts)
		page = b.get("/jobs/" + id).body
		require.Contains(t, page, `<span class="tag">gone</span>`)
		require.Contains(t, page, "Some settings were chosen by operator on ")

		before := c.job(id)
		for value, says := range map[string]string{
			"x":    messages.English.Fault(faultColumn.With("x", accounts.MaxColumns)),
			"1001": messages.English.Fault(faultColumn.With("1001", accounts.MaxColumns)),
			"9":    messages.English.Fault(accounts.FaultColumn.With(9, 3)), "1": messages.English.Fault(accounts.FaultSameColumn.With(1)),
			"": messages.English.Fault(accounts.FaultTagColumn.With(3)), // detected again, it cannot be told
		} {
			got := b.post("/jobs/"+id+"/reread", "column", "1", "tag_column", value)
			require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, value)
			require.Contains(t, plain(got.body), says, value)
			require.Equal(t, before, c.job(id), value)
		}
		got := b.post("/jobs/"+id+"/reread", "tag_column", "9")
		require.Contains(t, got.body, `<option value="9" selected>Column 9</option>`)
	})
}

func TestRejectsOfTagsComeBackMended(t *testing.T) {
	for name, file := range map[string]string{
		"header":    "user_id,tags\nann,vip\nbob,\ncid,\"x\ny\"\nann,gold\n",
		"no header": "ann1,vip\nbob2,\ncid3,\"x\ny\"\nann1,gold\n",
		"chosen":    "user_id,city,role\nann,Rome,vip\nbob,Oslo,\ncid,Bonn,\"x\ny\"\nann,Rome,gold\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := newConsole(t, jobstest.SQLite(t))
			b := c.as(auth.Operator)
			column := ""
			if name == "chosen" {
				column = "3"
			}
			id := b.draftFor(file, "kind", "add_tags", "tag_column", column)
			j := c.job(id)
			require.Equal(t, []int64{4, 1, 2, 1}, []int64{j.Rows, j.Accounts, j.Rejected, j.Duplicate})
			require.Contains(t, b.get("/jobs/"+id).body, "Put all its tags in one cell")
			require.NotContains(t, b.get("/jobs/"+b.draftOf(file)).body, "Put all its tags in one cell")

			rejects := b.get("/jobs/" + id + "/rejects.csv").body
			again := c.job(b.draftFor(rejects, "kind", "add_tags"))
			require.Equal(t, []int64{3, 1, 2}, []int64{again.Rows, again.Accounts, again.Rejected}, "the second row of ann is an account now")
			mended := strings.NewReplacer("\"x\ny\"", "x;y").Replace(rejects)
			again = c.job(b.draftFor(mended, "kind", "add_tags"))
			require.Equal(t, []int64{3, 2, 1}, []int64{again.Rows, again.Accounts, again.Rejected})
		})
	}
}

func TestInspectStartsWithoutACount(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draftFor("user_id\nann\nbob\n", "kind", "inspect")
	page := b.get("/jobs/" + id).body
	require.Contains(t, page, `<input type="hidden" name="confirm" value="2">`)
	require.NotContains(t, page, `id="confirm"`)
	require.NotContains(t, page, `class="btn danger" type="submit"`)
	require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/start", "confirm", "2").StatusCode)

	id = b.draftFor("user_id,tags\nann,vip\n", "kind", "remove_tags")
	page = b.get("/jobs/" + id).body
	require.Contains(t, page, "Type 1 to remove the listed tags from 1 account in ")
	require.Contains(t, page, `id="confirm"`)
	got := b.post("/jobs/"+id+"/start", "confirm", "7")
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Contains(t, got.body, messages.English.Fault(jobs.FaultConfirm.With(int64(1))))
	require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/start", "confirm", "1").StatusCode)
}

func TestTagColumnChoiceIsForTagFiles(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	const header = "user_id,member,tags,note\n"
	id := b.draftFor(header+"ann,m1,a,b\n", "kind", "add_tags")
	require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/reread", "column", "2", "tag_column", "4").StatusCode)
	same := b.get("/jobs/" + b.draftFor(header+"bob,m2,a,b\n", "kind", "remove_tags")).body
	for _, want := range []string{"Uses the settings and answers that operator chose",
		`<option value="2" selected>2: member</option>`, `<option value="4" selected>4: note</option>`,
		`<span class="tag">b</span>`} {
		require.Contains(t, same, want)
	}
	require.Contains(t, b.get("/jobs/"+b.draftOf(header+"bob,m2,a,b\n")).body, "All settings were detected automatically.")
}
