package web

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
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

const twoColumns = "user_id,member\nann,m_1\nbob,m_2\n"

// asking uploads a file of which two questions are open.
func (b *browser) asking() string {
	b.t.Helper()
	id := b.draftOf(twoColumns)
	jobstest.Ask(b.t, b.store, id, jobstest.WhichColumn, jobstest.AreUnlike)
	return id
}

func TestQuestionsAreSeen(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.asking()
	page := b.get("/jobs/" + id).body
	_, card, found := strings.Cut(page, `id="questions"`)
	require.True(t, found)
	card, rest, found := strings.Cut(card, "</section>")
	require.True(t, found)
	for _, want := range []string{"2 questions about this file", "Which column contains the accounts?",
		"2 rows look different from the others. Are they accounts?", "<bdi>member</bdi>", "m_2", "Subtotal",
		"Yes, use 2 rows", "No, exclude 2 rows", `name="column" value="1"`, `name="unlike" value="accept"`} {
		require.Contains(t, card, want)
	}
	require.Equal(t, 2, strings.Count(card, ">suggested<"))
	require.Equal(t, 4, strings.Count(card, `type="radio"`))
	require.Equal(t, 1, strings.Count(card, `type="submit"`))
	require.NotContains(t, card, "checked", "what is suggested is not taken")
	require.Contains(t, rest, `id="sum"`, "the questions come first")
	require.NotContains(t, page, `/start"`)
	require.NotContains(t, page, `/retry"`)
	require.Contains(t, page, `href="#questions"`)
	require.Regexp(t, `<button[^>]* disabled[^>]*>Remove all tags from 2 accounts</button>`, page)
	require.Contains(t, b.get("/jobs").body, "needs an answer")

	auditor := newAuditor(b).get("/jobs/" + id).body
	require.Contains(t, auditor, "Which column contains the accounts?")
	require.Contains(t, auditor, "An operator or admin must answer")
	require.NotContains(t, auditor, "/reread")

	require.Equal(t, http.StatusSeeOther, b.post("/language", "lang", "zh-Hans", "next", "/").StatusCode)
	for _, want := range []string{"此文件有 2 项内容需要确认", "哪一列是账号？",
		"有 2 行与其他行明显不同。是账号吗？", "推荐"} {
		require.Contains(t, b.get("/jobs/"+id).body, want)
	}
}

func TestQuestionsAreJSON(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	var job struct{ Unsure []accounts.Question }
	b.json("/jobs/"+b.asking(), &job)
	require.Equal(t, []accounts.Question{jobstest.WhichColumn, jobstest.AreUnlike}, job.Unsure)
	got := b.json("/jobs/"+b.draftOf("user_id\nann\n"), &job)
	require.Contains(t, got.body, `"unsure":[]`)
}

func TestQuestionsAreAnsweredAndChanged(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Operator)
		id := b.asking()
		before := c.job(id)
		require.Equal(t, "/jobs/"+id, b.post("/jobs/"+id+"/reread", "keep", "1", "column", "1").location())
		page := b.get("/jobs/" + id).body
		for _, want := range []string{"The answers were saved.", "1 question about this file",
			"Some settings were chosen by operator on ", `<option value="1" selected>1: user_id</option>`} {
			require.Contains(t, page, want)
		}
		require.Equal(t, "/jobs/"+id, b.post("/jobs/"+id+"/reread", "keep", "1", "unlike", "aside").location())
		require.Equal(t, before.Reading, c.job(id).Reading, "nothing changed, so nothing was read")
		page = b.get("/jobs/" + id).body
		require.NotContains(t, page, `id="questions"`)
		require.Contains(t, page, `/start"`)
		require.Regexp(t, `Rows that look different</dt>\s*<dd>\s*excluded`, page)

		// What was answered can be changed, together with all that was said.
		require.Regexp(t, `name="unlike">\s*<option value="">Ask again</option>\s*<option value="aside" selected>excluded</option>`, page)
		reread := func(form ...string) {
			require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/reread", form...).StatusCode)
			c.untilRead(id)
			require.NotEqual(t, before.Reading, c.job(id).Reading)
			before, page = c.job(id), b.get("/jobs/"+id).body
		}
		reread("column", "2", "unlike", "accept")
		require.NotContains(t, page, "selected>used", "nobody has seen the rows in doubt of another column")
		reread("column", "2", "unlike", "accept")
		require.Contains(t, page, `<option value="accept" selected>used</option>`)

		later := b.draftOf(twoColumns + "cid,m_3\n")
		page = b.get("/jobs/" + later).body
		for _, want := range []string{"Uses the settings and answers that operator chose on ",
			`<option value="2" selected>2: member</option>`} {
			require.Contains(t, page, want)
		}
		require.NotContains(t, page, `id="questions"`)
		require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+later+"/start", "confirm", "3").StatusCode)
		entry := b.as(auth.Admin).get("/audit?code=job.reread&job=" + id).body
		require.Contains(t, entry, "Rows that look different: used")
	})
}

func TestWrongAnswerKeepsTheForm(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.asking()
	before := c.job(id)
	for name, wrong := range map[string]struct {
		fields []string
		says   string
	}{
		"none":        {nil, messages.English.Fault(faultNoAnswer.With())},
		"no answer":   {[]string{"unlike", "perhaps"}, messages.English.Fault(faultChoice.With("perhaps"))},
		"no column":   {[]string{"column", "x"}, messages.English.Fault(faultColumn.With("x", accounts.MaxColumns))},
		"not in file": {[]string{"column", "9"}, messages.English.Fault(accounts.FaultColumn.With(9, 2))},
	} {
		got := b.post("/jobs/"+id+"/reread", append(wrong.fields, "keep", "1")...)
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, name)
		require.Contains(t, plain(got.body), wrong.says, name)
		require.Contains(t, got.body, "2 questions about this file", name)
		require.NotContains(t, got.body, `<details class="correction" open`, name)
		require.Equal(t, before, c.job(id), name)
	}
	got := b.post("/jobs/"+id+"/reread", "keep", "1", "column", "2", "unlike", "perhaps")
	require.Regexp(t, `name="column" value="2" checked`, got.body, "what was chosen stays chosen")
}

func TestSheetsAreAnsweredTogether(t *testing.T) {
	b := newConsole(t, jobstest.SQLite(t)).as(auth.Operator)
	book := excelize.NewFile()
	ask := accounts.Question{Name: accounts.AskSheets, Suggested: "Sheet1"}
	for i, sheet := range []string{"Sheet1", "Feb", "Mar"} {
		_, err := book.NewSheet(sheet)
		require.NoError(t, err)
		require.NoError(t, book.SetSheetRow(sheet, "A1", &[]string{"user_id"}))
		require.NoError(t, book.SetSheetRow(sheet, "A2", &[]string{fmt.Sprint("im_", i)}))
		ask.Choices = append(ask.Choices, accounts.Choice{Value: sheet, First: []string{fmt.Sprint("im_", i)}})
	}
	var file bytes.Buffer
	require.NoError(t, book.Write(&file))
	address := b.upload("list.xlsx", file.String(), "").location()
	jobstest.Ask(t, b.store, path.Base(address), ask)
	require.Equal(t, 3, strings.Count(b.get(address).body, `type="checkbox" name="sheet" value="`)/2, "in the question and in the settings")
	form := url.Values{"keep": {"1"}, "sheet": {"Sheet1", "Feb"}}
	got := b.do("POST", address+"/reread", strings.NewReader(form.Encode()), "application/x-www-form-urlencoded")
	require.Equal(t, http.StatusSeeOther, got.StatusCode, got.body)
	u, err := b.store.Understanding(t.Context(), path.Base(address))
	require.NoError(t, err)
	require.Equal(t, []string{"Sheet1", "Feb"}, u.Choices.Sheets)
	require.Empty(t, u.Unsure)
}

func TestScriptsAnswerWithTheUpload(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draftFor("Members\nowner\tmember\nann\tm_1\nbob\tm_2\n", "separator", "\t", "first_line", "2", "header", "yes", "column", "2",
		"encoding", "UTF-8", "quote", "none", "unlike", "aside", "short_row", "accept")
	u, err := c.store.Understanding(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, accounts.Choices{Separator: "\t", FirstLine: 2, Header: "yes", Column: 2, Encoding: "UTF-8", Quote: "none",
		Rows: map[accounts.Reason]string{accounts.Unlike: "aside", accounts.ShortRow: "accept"}}, u.Choices)
	require.Equal(t, []any{"operator", 1, int64(2)}, []any{u.By, u.Column, c.job(id).Accounts})
	require.Contains(t, c.as(auth.Admin).get("/audit?code=job.uploaded").body, "Rows with fewer cells: used")
	for _, wrong := range [][]string{{"unlike", "maybe"}, {"column", "0"}, {"header", "perhaps"}, {"first_line", "x"}, {"separator", "#"}} {
		uploads := len(c.contents().jobs)
		require.Equal(t, http.StatusUnprocessableEntity, b.uploadFor(twoColumns, wrong...).StatusCode, wrong)
		require.Len(t, c.contents().jobs, uploads)
	}
	require.Equal(t, http.StatusUnprocessableEntity, b.uploadFor(twoColumns, "sheet", "Feb").StatusCode, "no workbook")
}

// Whatever a person sends, a job with an open question does not start.
func TestNoRouteStartsAnUnsureJob(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	operator, admin := c.as(auth.Operator), c.as(auth.Admin)
	for _, r := range routes {
		if r.method != http.MethodPost || !strings.HasPrefix(r.path, "/jobs/:id/") {
			continue
		}
		id := operator.asking()
		for _, b := range []*browser{operator, admin} {
			for _, form := range [][]string{{"confirm", "2"}, {"confirm", "2", "at", "2027-06-01T10:00"},
				{"confirm", "2", "kind", "inspect", "first", "1"},
				{"policy", "merge", "decision", "again", "confirm", "2"}} {
				got := b.post(strings.Replace(r.path, ":id", id, 1), form...)
				require.Less(t, got.StatusCode, 500, r.path)
				if strings.HasSuffix(r.path, "/start") {
					require.Equal(t, http.StatusConflict, got.StatusCode)
					require.Contains(t, plain(got.body), messages.English.Fault(jobs.FaultUnsure.With(jobs.Asked("column"), "column")))
				}
			}
		}
		if j := c.job(id); r.path != rereadPath { // without a field it detects everything anew, and asks anew
			require.True(t, j.StartedAt.IsZero(), r.path)
			require.Contains(t, []jobs.State{jobs.Draft, jobs.Cancelled}, j.State, r.path)
		}
		made, err := c.store.DerivedFrom(t.Context(), id)
		require.NoError(t, err)
		require.Empty(t, made, r.path)
	}
	require.Empty(t, c.recorded(audit.Filter{Code: audit.JobStarted}))
	operator.headers.Set("Accept", "application/json")
	got := operator.post("/jobs/"+operator.asking()+"/start", "confirm", "2")
	require.Equal(t, http.StatusConflict, got.StatusCode)
	require.Contains(t, got.body, `"job.unsure"`)
}
