package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim/timtest"
)

// review waits for the page to continue to the review, once the file is read.
func (w *tab) review() {
	w.t.Helper()
	until(w.t, "the file is read", func() bool {
		shown, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool](`document.querySelector("form[action$=start] button") !== null`))
		return err == nil && shown // an error when the page is just going
	})
}

// startShown starts the job whose review is shown, and opens its page at its end.
func (w *tab) startShown(olga *apiClient) (job string) {
	w.t.Helper()
	if read[bool](w, `document.querySelector("#confirm") !== null`) { // what changes nothing needs no count
		w.do(fill("#confirm", read[string](w, `document.querySelector(".sum [data-kind=accounts] strong").textContent.trim()`)))
	}
	require.Equal(w.t, 200, w.follow(click("form[action$=start] button")))
	job = w.at()
	until(w.t, "the job ends", func() bool { return olga.job(strings.TrimPrefix(job, "/jobs/")).State == "finished" })
	w.open(job)
	return job
}

// Somebody who hesitates looks at the effect first, removes the tags, regrets it
// for one account and for all, and puts them back; everybody can see what
// happened to an account.
func TestPagesStoryInspectClearAndUndo(t *testing.T) {
	t.Parallel()
	simulator, base := simulate(t, func(c *timtest.Config) { c.UnknownShare = 0.01 })
	p := newProgram(t, base, storetest.SQLiteFile(t))
	p.start()
	p.signIn("adam").changeSettings(url.Values{"verify_share": {"0"}}) // so that all that happened to an account is what is done here
	w := p.openTab()
	w.signIn("olga")
	olga := p.signIn("olga")
	const n = 600
	first, assignments, tagged := map[string][]string{}, 0, 0
	for i := range n {
		name := fmt.Sprintf("member_%07d", i)
		if first[name] = simulator.Tags(name); len(first[name]) > 0 {
			tagged++
		}
		assignments += len(first[name])
	}

	// See the effect.
	w.open("/jobs/new")
	w.chooseFile("members.csv", accountFile(n))
	require.Equal(t, 200, w.follow(click("form[data-upload] button[type=submit]")))
	w.review()
	require.Contains(t, w.text("main"), "Undo is possible for 30 days after the job ends.")
	require.Equal(t, 200, w.follow(click("form[action$=retry] button")))
	w.review()
	w.startShown(olga)
	figures := strings.ReplaceAll(w.text("#job-impact .figures"), ",", "")
	require.Contains(t, figures, strconv.Itoa(assignments))
	require.Contains(t, figures, strconv.Itoa(tagged))
	most := w.texts("#job-impact tbody tr:first-child :is(th, td.number)")
	_, report := w.download("#job-impact a[href$='report.csv']")
	rows := readCSV(t, report)
	require.Equal(t, []string{"tag", most[0], most[1]}, rows[8], "the page and the file agree on the first of the tags")

	// Remove what was seen, without the accounts that have nothing to lose.
	require.Equal(t, 200, w.follow(click("#job-impact form[action$=retry] button")))
	w.review()
	require.Equal(t, strconv.Itoa(tagged), w.text(".sum [data-kind=accounts] strong"))
	clearing := w.startShown(olga)
	require.Empty(t, simulator.Tags("member_0000000"))

	// Look at an account.
	name := ""
	for account, tags := range first {
		if len(tags) > 3 {
			name = account
			break
		}
	}
	w.open("/accounts?q=" + name)
	before := w.texts("[aria-labelledby=event-1] .facts .tags li")
	require.ElementsMatch(t, first[name], before)
	require.Contains(t, w.text("[aria-labelledby=event-1]"), "olga")
	require.Equal(t, 200, w.follow(click("#tags-now form button")))
	require.Contains(t, w.text("#tags-now [role=status]"), "no tags")
	w.open("/accounts?q=member_00000")
	require.NotEmpty(t, w.texts("ul.tags a"), "by its first letters")

	// Undo: it has to be said what becomes of accounts with other tags.
	simulator.SetTags(name, "own")
	w.open(clearing)
	require.Equal(t, 200, w.follow(click("#policy-merge"), click("#undo-form button[type=submit]")))
	w.review()
	require.Contains(t, w.text("main h1"), "members")
	w.startShown(olga)
	for account, tags := range first {
		if account == name {
			tags = append([]string{"own"}, tags...)
		}
		require.ElementsMatch(t, tags, simulator.Tags(account), account)
	}
	w.open("/accounts?q=" + name)
	require.Equal(t, 200, w.follow(click("#tags-now form button")))
	require.ElementsMatch(t, append([]string{"own"}, first[name]...), w.texts("#tags-now .tags li"))

	// The auditor sees who looked and who took it back.
	aida := p.openTab()
	aida.signIn("aida")
	aida.open("/audit")
	log := strings.Join(aida.texts(".list tbody tr"), "\n")
	for _, said := range []string{"Account tags read", "Tag report downloaded", "Created to undo another job"} {
		require.Contains(t, strings.ToLower(log), strings.ToLower(said))
	}
	aida.open(clearing)
	require.Zero(t, read[int](aida, `document.querySelectorAll("main form").length`), "an auditor has nothing to press")
}
