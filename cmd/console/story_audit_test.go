package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tagsweep/internal/store/storetest"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// An auditor is asked who took an account's tags away in the last month, and
// leaves with a proof that holds without the console.
func TestAuditStoryWhoClearedAnAccount(t *testing.T) {
	t.Parallel()
	_, base := simulate(t, nil)
	p := newProgram(t, base, storetest.SQLiteFile(t))
	p.start()
	olga := p.signIn("olga")
	other := olga.draft(accountFile(120))
	olga.start(other)
	job := olga.draft(memberFile(300))
	olga.start(job)
	for _, id := range []string{other, job} {
		until(t, "the job is finished", func() bool { return olga.ended(id) })
	}

	// Who, and when.
	w := p.openTab()
	w.signIn("aida")
	w.follow(click("nav.main a[href='/audit']"))
	aMonthAgo := fmt.Sprintf(`document.querySelector("#from").value = %q`, time.Now().AddDate(0, -1, 0).Format("2006-01-02T15:04"))
	w.follow(fill("#account", "member_0000123"), chromedp.Evaluate[chromedp.Void](aMonthAgo), click("form.line button"))
	require.Contains(t, w.at(), "/audit?")
	seen := strings.Join(w.texts(".list tbody tr :is(.short)"), "|")
	require.Contains(t, seen, "olga operator|Job started")
	require.Equal(t, 0, read[int](w, `document.querySelectorAll(".list a[href='/jobs/`+other+`']").length`),
		"the other job has nothing to do with it")
	started := `[...document.querySelectorAll(".list tbody tr")].find(row => row.innerText.includes("Job started") && ` +
		`row.innerText.includes("olga"))`
	require.Equal(t, 200, w.open(read[string](w, started+`.querySelector("a[href^='/audit/']").getAttribute("href")`)))
	facts := w.text("#facts ~ dl")
	for _, said := range []string{"olga", "127.0.0.1", "users.csv", "job.started"} {
		require.Contains(t, facts, said)
	}

	// Its result, on the page of its job.
	w.follow(click("#facts ~ dl a[href^='/jobs/']"))
	require.Equal(t, "/jobs/"+job, w.at())
	require.Equal(t, 200, w.open("/jobs/"+job+"/rows?q=member_0000123"))
	require.Contains(t, w.text(".list tbody"), "Cleared")

	// The log verifies, and the pack does so elsewhere.
	w.open("/audit/proof")
	w.follow(click("form[action='/audit/verify'] button"))
	w.until(`document.querySelector("#verified .notice") !== null`)
	key := read[string](w, `[...document.querySelectorAll("pre.signed")].at(-1).textContent`)
	w.open("/jobs/" + job)
	w.until(`document.querySelector("a[href$='/evidence.zip']") !== null`)
	name, content := w.download("a[href$='/evidence.zip']")
	require.Regexp(t, `\.zip$`, name)
	elsewhere := t.TempDir()
	pack := filepath.Join(elsewhere, name)
	require.NoError(t, os.WriteFile(pack, content, 0o600))
	nothing := []string{"CONSOLE_DATABASE=" + filepath.Join(elsewhere, "nothing.db"),
		"CONSOLE_KEY_FILE=" + filepath.Join(elsewhere, "nothing.key")}
	out, err := runProgram("", nothing, "verify", pack, "--key", key)
	require.NoError(t, err, out)
	require.Contains(t, out, "The evidence pack is valid: job "+job)

	// What the auditor did is in the log as well.
	w.open("/audit?actor=aida")
	seen = strings.Join(w.texts(".list tbody tr :is(.short)"), "|")
	for _, did := range []string{"Log searched", "Evidence pack downloaded", "Log read"} {
		require.Contains(t, seen, "aida auditor|"+did)
	}

	// One outcome is changed behind the console's back.
	tamper(t, p.database, `UPDATE batches SET outcome = 'untagged' WHERE outcome = 'cleared' AND job_id = '`+job+`'`)
	w.open("/audit/proof")
	w.follow(click("form[action='/audit/verify'] button"))
	w.until(`document.querySelector("#verified .problem") !== null`)
	require.Contains(t, w.text("#verified .problem"), "job "+job)
}
