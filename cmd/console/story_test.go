package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim/timtest"
)

// memberFile has n accounts in a column beside a city, three rows to be
// rejected and two that repeat an account.
func memberFile(n int) []byte {
	var file bytes.Buffer
	file.WriteString("user_id,city\r\n")
	for i := range n {
		fmt.Fprintf(&file, "member_%07d,Chengdu\r\n", i)
	}
	file.WriteString(",Chengdu\r\n" + strings.Repeat("x", 39) + "1" +
		",Chengdu\r\n用户1,Chengdu\r\nmember_0000001,Chengdu\r\nmember_0000002,Chengdu\r\n")
	return file.Bytes()
}

// observe notes in the page what it says of its job, at every change of it, for
// as long as the page is not loaded again.
const observe = `(() => {
	const numbers = text => [...text.matchAll(/[\d,]+/g)].map(n => Number(n[0].replaceAll(",", "")));
	const note = () => {
		const outcomes = {};
		for (const row of document.querySelectorAll(".outcomes tbody tr"))
			outcomes[row.querySelector("[data-outcome]").dataset.outcome] = numbers(row.querySelector("td.number").textContent)[0];
		observed.push({
			State: document.querySelector(".head .state").dataset.state,
			Outcomes: outcomes,
			Sum: numbers(document.querySelector(".outcomes tfoot td.number").textContent)[0],
			Rows: numbers([...document.querySelectorAll("#job-facts dd")].find(dd => dd.textContent.includes("=")).textContent),
		});
	};
	window.observed = [];
	note();
	new MutationObserver(note).observe(document.querySelector("main"), {
		subtree: true, childList: true, characterData: true, attributes: true,
	});
})()`

type observation struct {
	State    string
	Outcomes map[string]int64
	Sum      int64
	Rows     []int64 // rows, accounts, duplicates, rejected, protected
}

// requireSums compares every observation with the rule that no row is lost.
func requireSums(t *testing.T, seen []observation, rows ...int64) {
	t.Helper()
	require.NotEmpty(t, seen)
	for _, o := range seen {
		require.Equal(t, rows, o.Rows)
		require.Equal(t, o.Rows[0], o.Rows[1]+o.Rows[2]+o.Rows[3]+o.Rows[4])
		var sum int64
		for _, n := range o.Outcomes {
			sum += n
		}
		require.Equal(t, o.Rows[1], sum, "%+v", o)
		require.Equal(t, sum, o.Sum, "%+v", o)
	}
}

func TestPagesStoryFromUploadToAudit(t *testing.T) {
	t.Parallel()
	_, base := simulate(t, func(c *timtest.Config) {
		c.UnknownShare = 0.01
		c.Faults = timtest.Faults{Latency: 50 * time.Millisecond, Shares: map[timtest.Fault]float64{timtest.ResetAfter: 0.05}}
	})
	p := newProgram(t, base, storetest.SQLiteFile(t))
	p.settings = append(p.settings, "CONSOLE_TIM_RATE=3") // it must not end before somebody pauses it
	p.start()
	w := p.openTab()
	w.signIn("olga")

	// Upload and review.
	w.follow(click(".head a.btn"))
	w.do(fill("#note", "OPS-4711"))
	w.chooseFile("members.csv", memberFile(4_000))
	require.Equal(t, 200, w.follow(click("form[data-upload] button[type=submit]")))
	job := strings.TrimPrefix(w.at(), "/jobs/")
	require.Equal(t, []string{"4,005", "4,000", "2", "3", "0"}, w.texts(".sum .term strong"))
	faults := strings.Join(w.texts(".faults li"), "\n")
	for _, said := range []string{"4001", "4002", "4003", "4004", "4005", "empty", "too long for the service", "not allow"} {
		require.Contains(t, strings.ReplaceAll(faults, ",", ""), said)
	}
	require.Equal(t, []string{"row 1", "member_0000000", "Chengdu"},
		append([]string{"row " + w.text(".grid tbody td")}, w.texts(".grid tbody tr:first-child td:not(.number)")...))

	// Confirm: a wrong count starts nothing.
	require.Equal(t, 422, w.follow(fill("#confirm", "4005"), click("form[action$=start] button")))
	require.Contains(t, w.fault(), "The job was not started: it contains 4,000 accounts")
	require.Equal(t, "4005", read[string](w, `document.querySelector("#confirm").value`))
	require.Equal(t, "true", read[string](w, `document.querySelector("#confirm").ariaInvalid`))
	require.Equal(t, 200, w.follow(fill("#confirm", "4,000"), click("form[action$=start] button")))

	// The page moves by itself, and its sums add up whenever it does.
	w.do(chromedp.Evaluate[chromedp.Void](observe))
	w.until(`observed.at(-1).State === "running"`)
	w.do(click(".ask summary"), chromedp.Focus(chromedp.CSS(".outcomes tfoot a")))
	w.until(`new Set(observed.map(o => o.Outcomes.cleared)).size > 3`)
	require.True(t, read[bool](w,
		`document.querySelector("details.ask").open && document.activeElement === document.querySelector(".outcomes tfoot a")`),
		"what was opened stays open, and the keyboard where it was, while the numbers move")
	w.do(click(".ask summary"))
	seen := read[[]observation](w, "observed")
	require.Equal(t, 200, w.follow(click("form[action$=pause] button")))

	w.do(chromedp.Evaluate[chromedp.Void](observe))
	w.until(`observed.at(-1).State === "paused"`)
	seen = append(seen, read[[]observation](w, "observed")...)
	require.Positive(t, seen[len(seen)-1].Outcomes["waiting"])
	require.Equal(t, 200, w.follow(click("form[action$=resume] button")))

	w.do(chromedp.Evaluate[chromedp.Void](observe))
	w.until(`observed.at(-1).State === "finished"`)
	seen = append(seen, read[[]observation](w, "observed")...)
	requireSums(t, seen, 4_005, 4_000, 2, 3, 0)
	last := seen[len(seen)-1].Outcomes
	require.Equal(t, int64(4_000), last["cleared"]+last["untagged"]+last["failed"])
	require.Positive(t, last["untagged"])
	require.Positive(t, last["failed"])
	require.Contains(t, w.text("#job-reasons"), "never imported")
	require.Equal(t, "Job status: finished.", w.text("#job-announce"))
	require.Equal(t, []string{fmt.Sprintf("Retry %d failed accounts", last["failed"])},
		w.texts("form[action*='/jobs/']:not(#undo-form)"),
		"nothing else can be done with a job that is finished but to undo it")

	// Downloads: every account once, with the outcome that is true.
	requireMatch(t, p.database, base, job)
	name, content := w.download(".outcomes tfoot a")
	require.Equal(t, "members-results-Test-chat-test.csv", name)
	requireResults(t, p, job, content, 4_000)
	name, content = w.download("#job-facts a[download]")
	require.Equal(t, "members-set-aside-Test-chat-test.csv", name)
	rejects := readCSV(t, content)
	require.Equal(t, []string{"user_id", "city", "row", "line", "kind", "reason", "repeats_row"}, rejects[0])
	require.Len(t, rejects, 1+5)
	require.Equal(t, []string{"member_0000001", "Chengdu", "4004", "4005", "duplicate"}, rejects[4][:5])
	require.Equal(t, "2", rejects[4][6])
	w.follow(click("form[action='/logout'] button"))

	requireAudited(t, p.openTab(), job)
}

// requireAudited reads the log as the auditor does.
func requireAudited(t *testing.T, w *tab, job string) {
	t.Helper()
	w.signIn("aida")
	w.follow(click("nav.main a[href='/audit']"))
	events := strings.Join(w.texts(".list tbody tr :is(.short)"), "|")
	require.Contains(t, events, "olga operator|Signed out")
	require.Contains(t, events, "olga operator|Signed in")
	w.follow(fill("#job", job), click("form.line button"))
	seen := w.texts(".list tbody tr :is(.short)")
	at := slices.Index(seen, "Job sealed") // by itself, a second after the end
	require.Positive(t, at)
	require.Equal(t, []string{
		"olga operator", "Excluded rows downloaded", "olga operator", "Results downloaded", "System", "Job finished",
		"olga operator", "Job resumed", "olga operator", "Job paused", "olga operator", "Job started", "System", "File read",
		"olga operator", "File uploaded",
	}, slices.Delete(seen, at-1, at+1))
	w.do(click(".list tbody tr:nth-last-child(2) summary"))
	details := w.text(".list tbody tr:nth-last-child(2) dl")
	for _, said := range []string{"4005", "4000", "UTF-8"} {
		require.Contains(t, strings.ReplaceAll(details, ",", ""), said)
	}
	w.do(click(".list tbody tr:last-child summary"))
	details = w.text(".list tbody tr:last-child dl")
	for _, said := range []string{"127.0.0.1", "members.csv", "HeadlessChrome"} {
		require.Contains(t, details, said)
	}
	require.Regexp(t, regexp.MustCompile(`[0-9a-f]{64}`), details)
	w.follow(click(".list tbody tr:last-child a[href^='/jobs/']"))
	require.Equal(t, "/jobs/"+job, w.at())
	require.Zero(t, read[int](w, `document.querySelectorAll("main form").length`), "an auditor has nothing to press")
}

func readCSV(t *testing.T, content []byte) [][]string {
	t.Helper()
	content, marked := bytes.CutPrefix(content, []byte("\uFEFF"))
	require.True(t, marked, "a spreadsheet needs the byte order mark")
	rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	require.NoError(t, err)
	return rows
}

// requireResults compares the file of results with the store, whose outcomes
// were compared with the simulator before.
func requireResults(t *testing.T, p *program, job string, content []byte, accounts int64) {
	t.Helper()
	rows := readCSV(t, content)
	require.Equal(t, []string{"row", "account", "outcome", "code", "message", "batch", "at", "user_id", "city"}, rows[0])
	rows = rows[1:]
	require.Len(t, rows, int(accounts))
	i, once := 0, map[string]bool{}
	for r, err := range reopen(t, p.database).Results(t.Context(), job, "") {
		require.NoError(t, err)
		row := rows[i]
		require.Equal(t, []string{r.Account.Account, string(r.Outcome), r.Account.Account, "Chengdu"}, []string{row[1], row[2], row[7], row[8]})
		require.Equal(t, row[2] == "failed", row[3] == "70107", row)
		require.False(t, once[row[1]], row)
		once[row[1]] = true
		i++
	}
	for n := range accounts {
		require.True(t, once[fmt.Sprintf("member_%07d", n)])
	}
}

func TestTheMainJobNeedsNoScripts(t *testing.T) {
	t.Parallel()
	_, base := simulate(t, nil)
	p := newProgram(t, base, storetest.SQLiteFile(t))
	p.settings = append(p.settings, "CONSOLE_TIM_RATE=2")
	p.start()
	w := p.openTab()
	w.do(withoutScripts())
	w.signIn("olga")

	w.follow(click("nav.main a[href='/jobs/new']"))
	w.do(fill("#note", "OPS-4712"))
	w.chooseFile("empty.csv", nil)
	require.Equal(t, 422, w.follow(click("form[data-upload] button[type=submit]")))
	require.Contains(t, w.fault(), "Upload failed: the file contains no rows")
	require.Equal(t, "OPS-4712", read[string](w, `document.querySelector("#note").value`))
	w.chooseFile("members.csv", memberFile(1_800))
	require.Equal(t, 200, w.follow(click("form[data-upload] button[type=submit]")))
	require.Equal(t, []string{"1,805", "1,800", "2", "3", "0"}, w.texts(".sum .term strong"))

	require.Equal(t, 200, w.follow(fill("#confirm", "1800"), click("form[action$=start] button")))
	refreshed := w.loads()
	require.Contains(t, w.text("main noscript"), "refreshes every 5 seconds")
	var states []string
	for len(states) == 0 || states[len(states)-1] != "Finished" {
		refreshed()
		states = append(states, w.text(".head .state"))
	}
	require.Contains(t, states, "Running")
	require.Equal(t, "1,800", w.text(".outcomes tfoot td.number"))
	require.Zero(t, read[int](w, `document.querySelectorAll("meta[http-equiv=refresh]").length`))
	name, content := w.download(".outcomes tfoot a")
	require.Equal(t, "members-results-Test-chat-test.csv", name)
	require.Len(t, readCSV(t, content), 1+1_800)

	job := w.at()
	w.follow(click("button[lang=zh-Hans]"))
	require.Equal(t, job, w.at())
	require.Equal(t, "zh-Hans", read[string](w, "document.documentElement.lang"))
	w.follow(click("button[lang=en]"))
	w.follow(click("form[action='/logout'] button"))
	require.Equal(t, "/login", w.at())
	w.open(job)
	require.Equal(t, "/login?next="+strings.ReplaceAll(job, "/", "%2F"), w.at(), "signed out")
}

func TestUploadShowsProgressAndCancels(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "http://127.0.0.1:1", storetest.SQLiteFile(t))
	p.start()
	w := p.openTab()
	w.signIn("olga")
	w.open("/jobs/new")
	w.do(fill("#note", "OPS-4713"), chromedp.Evaluate[chromedp.Void](`
		window.percents = [];
		new MutationObserver(() => percents.push(document.querySelector(".upload progress").value))
			.observe(document.querySelector(".upload progress"), {attributes: true})`))
	w.chooseFile("members.csv", accountFile(200_000))

	w.do(slowUpload(200_000), click("form[data-upload] button[type=submit]"))
	w.until(`percents.some(p => p > 0 && p < 100)`)
	require.Regexp(t, `^Uploading: \d+%$`, w.text(".upload [role=status]"))
	require.True(t, read[bool](w, `document.querySelector("form[data-upload] button[type=submit]").disabled`))
	w.do(click(".upload button"))
	w.until(`document.querySelector("#fault .problem") !== null`)
	require.Equal(t, "Error: Upload cancelled. Nothing was saved.", w.fault())
	require.Equal(t, 1, read[int](w, `document.querySelectorAll("#fault .problem > .icon").length`))
	require.True(t, read[bool](w, `document.querySelector(".upload").hidden`))

	// Stopped or refused, the form is as it was.
	w.do(slowUpload(-1))
	w.chooseFile("empty.csv", nil)
	w.do(click("form[data-upload] button[type=submit]"))
	w.until(`document.querySelector("#fault").textContent.includes("contains no rows")`)
	require.Equal(t, 1, read[int](w, `document.querySelectorAll("#fault .problem > .icon").length`))
	require.Equal(t, "OPS-4713", read[string](w, `document.querySelector("#note").value`))
	require.Equal(t, "/jobs/new", w.at())
	_, list := p.signIn("olga").get("/jobs?state=draft")
	require.Contains(t, list, "No jobs in this state", "nothing of a stopped upload is kept")

	w.chooseFile("members.csv", accountFile(300))
	require.Equal(t, 200, w.follow(click("form[data-upload] button[type=submit]")))
	require.Contains(t, w.text("#facts + dl"), "OPS-4713")
}
