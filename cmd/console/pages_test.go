package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// screenshotsFolder is where screenshots are saved, for people to look at; "": none are.
var screenshotsFolder = os.Getenv("TAGSWEEP_PICTURES")

// appearance is a way to see a page.
type appearance struct {
	width  int64
	scheme string
}

var appearances = []appearance{{1280, "light"}, {1280, "dark"}, {360, "dark"}, {360, "light"}}

// screenshots are the appearances that screenshots are taken of.
var screenshots = map[string]bool{"en-1280-light": true, "zh-Hans-1280-dark": true, "en-360-light": true}

// pageState is a page, or a state of one, that somebody can come to.
type pageState struct {
	name, user, path string
	prepare          func(w *tab) // what is done there before it is looked at
}

// pageTest is a console with something on every page.
type pageTest struct {
	*program
	t         *testing.T
	simulator *timtest.Service
	tabs      map[string]*tab // by user, "" for nobody
	axe       string
	catalogue map[string]*catalogue // by language
	typed     time.Time             // when the sessions say that the password was typed
	held      bool                  // nothing can be written, and nobody can sign in
}

// Every page, in every state that it has, in both languages, light and dark, at
// a desk and on a phone: axe finds nothing, nothing scrolls sideways, every text
// is in the page's language, and the keyboard reaches everything.
func TestPagesOfJobs(t *testing.T) {
	t.Parallel()
	s := newPageTest(t)
	s.check(
		pageState{"login", "", "/login?next=%2Faudit", nil},
		pageState{"login-wrong", "", "/login", func(w *tab) { w.submitSignIn("nobody", "wrong") }},
		pageState{"login-wait", "", "/login", func(w *tab) {
			for w.submitSignIn("somebody", "wrong") != 429 {
			}
		}},
		pageState{"jobs-none", "olga", "/jobs", nil},
		pageState{"jobs-none-auditor", "aida", "/jobs", nil},
	)
	s.check(s.jobs()...)
	s.check(s.others()...)
	s.check(s.audit()...)
}

// Those that people steer the sending with, and that of a job under way.
func TestPagesOfSending(t *testing.T) {
	t.Parallel()
	s := newPageTest(t)
	s.control()
	s.underWay()
}

// newPageTest starts a console, a simulator and a browser with everybody signed in.
func newPageTest(t *testing.T) *pageTest {
	simulator, base := simulate(t, func(c *timtest.Config) { c.UnknownShare = 0.005 })
	p := newProgram(t, base, storetest.SQLiteFile(t))
	p.start()
	axe, err := os.ReadFile("../../web/testdata/axe-core-4.14.1/axe.min.js")
	require.NoError(t, err)
	s := &pageTest{program: p, t: t, simulator: simulator, tabs: map[string]*tab{"": p.openTab()}, axe: string(axe), catalogue: catalogues(t), typed: time.Now()}
	for _, user := range []string{"olga", "adam", "aida"} {
		s.tabs[user] = p.openTab()
		s.tabs[user].signIn(user)
	}
	return s
}

// jobs makes a job for every state that lasts.
func (s *pageTest) jobs() []pageState {
	olga := s.signIn("olga")
	started := func(name string, content []byte, state string) string {
		answer, _ := olga.upload(name, content)
		id := strings.TrimPrefix(answer.Header.Get("Location"), "/jobs/")
		olga.start(id)
		until(s.t, "the job is "+state, func() bool { return olga.job(id).State == state })
		return id
	}
	finished := started("vip-customers-2026-07.csv", memberFile(2_000), "finished")
	require.NoError(s.t, s.simulator.SetFaults(timtest.Faults{Code: 60020}))
	halted := started("trial-users.csv", memberFile(800), "halted")
	cancelled := started("七月流失用户.csv", memberFile(300), "halted")
	olga.post("/jobs/"+cancelled+"/cancel", nil)
	until(s.t, "the job is cancelled", func() bool { return olga.job(cancelled).Outcomes["cancelled"] == 300 })
	require.NoError(s.t, s.simulator.SetFaults(timtest.Faults{}))
	review := olga.draft(memberFile(48_120))
	// The same accounts as a job that has run, from Excel in Beijing, corrected by hand.
	beijing := olga.draft(exportFromBeijing(s.t, 1_500))
	answer, body := olga.post("/jobs/"+beijing+"/reread", url.Values{"column": {"3"}})
	require.Equal(s.t, http.StatusSeeOther, answer.StatusCode, body)
	again := started("churned-2026-07.csv.gz", gzipped(s.t, memberFile(2_000)), "finished")
	refused := olga.draft(accountFile(10))
	reading := olga.draft(accountFile(20))
	for id, set := range map[string]string{
		reading: `state = 'reading', file_name = 'members-2026-11.csv.gz', reader = 'another', reader_until = ` +
			`99999999999999, read_done = 437, read_rows = 4368000`,
		refused: `state = 'refused', file_name = 'members-2026-10.csv.gz', refusal = '{"code":"file.damaged"}', ` +
			`finished_at = created_at, row_count = 0, accounts = 0, outcome_waiting = 0`,
	} {
		tamper(s.t, s.database, `UPDATE jobs SET `+set+` WHERE id = '`+id+`'`)
	}
	nothing := olga.draft([]byte("１２３\n４５６\n"))
	asking := olga.draft([]byte("user_id,member,city\nim_1,kunde_1,Rome\nim_2,kunde_2,Oslo\nim_3,kunde_3,Lima\n"))
	answered := olga.draft([]byte("owner_id,member_id,city\nim_1,kunde_1,Rome\nim_2,kunde_2,Oslo\nim_3,kunde_3,Lima\n"))
	for _, id := range []string{asking, answered} {
		s.ask(id, openQuestions...)
	}
	answer, body = olga.post("/jobs/"+answered+"/reread", url.Values{"keep": {"1"}, "column": {"1"}, "header": {"yes"}, "unlike": {"aside"}})
	require.Equal(s.t, http.StatusSeeOther, answer.StatusCode, body)

	confirm := func(w *tab) { w.follow(fill("#confirm", "48,12"), click("form[action$=start] button")) }
	open := func(selector string) func(w *tab) { return func(w *tab) { w.do(click(selector)) } }
	return []pageState{
		{"jobs", "olga", "/jobs", nil},
		{"jobs-filtered", "aida", "/jobs?state=queued", nil},
		{"new", "olga", "/jobs/new", nil},
		{"new-sending", "olga", "/jobs/new", func(w *tab) {
			w.chooseFile("members.csv", accountFile(200_000))
			w.do(slowUpload(20_000), click("form[data-upload] button[type=submit]"))
			w.until(`document.querySelector(".upload progress").value > 0`)
		}},
		{"new-refused", "olga", "/jobs/new", func(w *tab) {
			w.do(slowUpload(-1), fill("#note", "OPS-4711"))
			w.chooseFile("empty.csv", nil)
			w.do(click("form[data-upload] button[type=submit]"))
			w.until(`document.querySelector("#fault .problem") !== null`)
		}},
		{"new-refused-without-script", "olga", "/jobs/new", func(w *tab) {
			w.chooseFile("empty.csv", nil)
			require.Equal(s.t, 422, w.follow(chromedp.Evaluate[chromedp.Void](`document.querySelector("form[data-upload]").submit()`)))
		}},
		{"review", "olga", "/jobs/" + review, nil},
		{"review-wrong-count", "olga", "/jobs/" + review, confirm},
		{"review-discard", "olga", "/jobs/" + review, open(".ask summary")},
		{"review-corrected", "olga", "/jobs/" + beijing, open("details.correction summary")},
		{"review-mistaken", "olga", "/jobs/" + beijing, func(w *tab) {
			w.do(click("details.correction summary"))
			w.follow(fill("#first_line", "99999"), click("form#correct button"))
		}},
		{"review-again", "olga", "/jobs/" + olga.draft(memberFile(2_000)), nil},
		{"review-unusual", "olga", "/jobs/" + olga.draft([]byte("user_id,city\nann.lee@example.com,Rome\nBob Ray,Oslo\ncid_3,Rome\n")), nil},
		{"finished-packed", "aida", "/jobs/" + again, nil},
		{"reading", "olga", "/jobs/" + reading, nil},
		{"reading-cancel", "olga", "/jobs/" + reading, open(".ask summary")},
		{"refused", "olga", "/jobs/" + refused, nil},
		{"new-pasted", "olga", "/jobs/new", open("details.paste summary")},
		{"review-nothing", "olga", "/jobs/" + nothing, nil},
		{"review-asking", "olga", "/jobs/" + asking, nil},
		{"review-asking-none", "olga", "/jobs/" + asking, func(w *tab) {
			require.Equal(s.t, 422, w.follow(click("form.questions button")))
		}},
		{"review-asking-chosen", "olga", "/jobs/" + asking, func(w *tab) { w.do(click("#ask-column-1"), click("#ask-unlike-0")) }},
		{"review-asking-auditor", "aida", "/jobs/" + asking, nil},
		{"review-answered", "olga", "/jobs/" + answered, open("details.correction summary")},
		{"review-auditor", "aida", "/jobs/" + review, nil},
		{"finished", "olga", "/jobs/" + finished, nil},
		{"rows", "aida", "/jobs/" + finished + "/rows?outcome=failed", nil},
		{"rows-none", "olga", "/jobs/" + finished + "/rows?q=nobody", nil},
		{"sample", "aida", "/jobs/" + finished + "/sample?n=3&seed=2026-11", nil},
		{"sample-wrong", "aida", "/jobs/" + finished + "/sample?n=9999&seed=2026-11", nil},
		{"halted", "olga", "/jobs/" + halted, nil},
		{"cancelled", "aida", "/jobs/" + cancelled, nil},
		{"stale", "olga", "/jobs/" + cancelled, post("/jobs/"+cancelled+"/start", 409)},
	}
}

// openQuestions are one of every form that a question has.
var openQuestions = []accounts.Question{
	{Name: accounts.AskSheets, Suggested: "January", Choices: []accounts.Choice{
		{Value: "January", First: []string{"im_1", "im_2", "im_3"}}, {Value: "February", First: []string{"im_9"}},
	}},
	{Name: accounts.AskSeparator, Suggested: ",", Choices: []accounts.Choice{
		{Value: ",", First: []string{"im_1", "im_2", "im_3"}}, {Value: accounts.OnePerLine, First: []string{"im_1,kunde_1,Rome"}},
	}},
	{Name: accounts.AskFirstLine, Suggested: "2", Choices: []accounts.Choice{
		{Value: "1", First: []string{"Mitglieder"}}, {Value: "2", Label: "user_id,member,city", First: []string{"im_1", "im_2"}},
	}},
	{Name: accounts.AskHeader, Suggested: accounts.Yes, Choices: []accounts.Choice{
		{Value: accounts.Yes, First: []string{"im_1", "im_2"}}, {Value: accounts.No, First: []string{"user_id", "im_1"}},
	}},
	{Name: accounts.AskColumn, Suggested: "1", Choices: []accounts.Choice{
		{Value: "1", Label: "user_id", First: []string{"im_1", "im_2", "im_3"}},
		{Value: "2", Label: "member", First: []string{"kunde_1", "kunde_2", "kunde_3"}}, {Value: "3", First: []string{"Rome", ""}},
	}},
	{Name: string(accounts.Unlike), Suggested: accounts.Aside, Rows: 12, Choices: []accounts.Choice{
		{Value: accounts.Aside, First: []string{"Summe", "(2 Zeilen)", strings.Repeat("x", 200)}}, {Value: accounts.Accept},
	}},
}

// ask leaves questions about the file of a draft open.
func (s *pageTest) ask(id string, questions ...accounts.Question) {
	var names []string
	for _, q := range questions {
		names = append(names, q.Name)
	}
	unsure, err := json.Marshal(questions)
	require.NoError(s.t, err)
	tamper(s.t, s.database, `UPDATE jobs SET unsure = '`+strings.Join(names, ",")+`',
		understanding = json_set(understanding, '$.unsure', json('`+string(unsure)+`')) WHERE id = '`+id+`'`)
}

func (s *pageTest) language(w *tab) string { return read[string](w, "document.documentElement.lang") }

// underWay checks a running job with accounts in doubt: paused, resumed so
// slowly that it lasts, and cancelled while nothing can be read back.
func (s *pageTest) underWay() {
	olga, w := s.signIn("olga"), s.tabs["olga"]
	s.signIn("adam").changeSettings(url.Values{"snapshot": {""}}) // or nothing would be sent while nothing can be read
	w.open("/jobs/new")
	w.do(fill("#note", "Accounts without a visit for two years"))
	accounts := 48_000
	if screenshotsFolder != "" {
		accounts = 90_000 // long enough for the rate in the screenshot to be the usual one
	}
	w.chooseFile("churned-users-2026-06.csv", memberFile(accounts))
	w.follow(click("form[data-upload] button[type=submit]"))
	id := strings.TrimPrefix(w.at(), "/jobs/")
	until(s.t, "the file is read", func() bool { return olga.job(id).State == "draft" })
	slow := timtest.Faults{Latency: 40 * time.Millisecond, Spread: 80 * time.Millisecond}
	losing := slow
	losing.Commands, losing.Shares = []tim.Command{tim.RemoveAllTags}, map[timtest.Fault]float64{timtest.ResetAfter: 0.03}
	require.NoError(s.t, s.simulator.SetFaults(losing))
	olga.start(id)
	until(s.t, "accounts are in doubt, and others failed", func() bool {
		o := olga.job(id).Outcomes
		return o["in_doubt"] > 0 && o["failed"] > 0 && (screenshotsFolder == "" || o["cleared"] > int64(accounts)*3/5)
	})
	s.screenshotOfJobPage(id)
	olga.must("/jobs/"+id+"/pause", nil)
	until(s.t, "the calls in flight are answered", func() bool { return olga.job(id).Outcomes["sending"] == 0 })
	s.check(pageState{"paused", "olga", "/jobs/" + id, nil})

	w.open("/jobs/new") // a page that does not follow the job: the console stops
	require.NoError(s.t, s.stop(syscall.SIGTERM))
	s.settings = append(s.settings, "CONSOLE_TIM_RATE=1")
	require.NoError(s.t, s.simulator.SetFaults(slow))
	s.start()
	olga = s.signIn("olga")
	olga.post("/jobs/"+id+"/resume", nil)
	until(s.t, "the job runs", func() bool { return olga.job(id).State == "running" })
	s.check(pageState{"running", "olga", "/jobs/" + id, nil},
		pageState{"running-cancel", "olga", "/jobs/" + id, func(w *tab) { w.do(click(".ask summary")) }},
		pageState{"running-auditor", "aida", "/jobs/" + id, nil}, pageState{"jobs-running", "olga", "/jobs", nil})
	s.listKeepsFocus(id)
	require.NoError(s.t, s.simulator.SetFaults(timtest.Faults{Shares: map[timtest.Fault]float64{timtest.SilentAfter: 1}}))
	until(s.t, "an account is in doubt", func() bool { return olga.job(id).Outcomes["in_doubt"] > 0 })
	olga.must("/jobs/"+id+"/cancel", nil)
	s.check(pageState{"cancelling", "olga", "/jobs/" + id, nil})
}

// post sends a form that the page does not have, or no longer.
func post(path string, status int) func(w *tab) {
	return func(w *tab) {
		w.t.Helper()
		require.Equal(w.t, status, w.follow(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
			`{ const form = document.createElement("form"); form.method = "post"; form.action = %q; `+
				`document.body.append(form); form.submit() }`, path))))
	}
}

// check checks page states in both languages, and their layout in each appearance.
// axe runs once in light and once in dark; with `make prove`, in every appearance.
func (s *pageTest) check(states ...pageState) {
	for _, state := range states {
		w := s.tabs[state.user]
		if state.user == "adam" && !s.held && time.Since(s.typed) > 5*time.Minute { // he is not asked for it again
			w.do(emulateSize(1280, 800))
			w.open("/jobs")
			w.follow(click("form[action='/logout'] button"))
			w.signIn("adam")
			s.typed = time.Now()
		}
		for _, lang := range []string{"en", "zh-Hans"} {
			w.setCookie("lang", lang)
			w.do(emulateSize(1280, 800), emulateScheme("light"))
			w.open(state.path)
			if state.prepare != nil {
				state.prepare(w)
			}
			s.requireLanguage(w, state.name, lang)
			if lang == "en" || proving {
				w.do(chromedp.Evaluate[chromedp.Void](s.axe))
			}
			for _, a := range appearances {
				if lang == "en" || a.scheme == "light" || proving { // colours do not depend on the language
					s.requireLayout(w, state.name, lang, a)
				}
			}
			if lang == "en" {
				w.do(emulateSize(1280, 800), emulateScheme("light"))
				s.requireKeyboard(w, state.name)
			}
		}
	}
}

func (s *pageTest) requireLayout(w *tab, name, lang string, l appearance) {
	where := fmt.Sprintf("%s-%s-%d-%s", name, lang, l.width, l.scheme)
	w.do(emulateSize(l.width, 800), emulateScheme(l.scheme))
	if wide := read[int](w, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); wide > 0 {
		s.t.Errorf("%s scrolls sideways by %d px", where, wide)
	}
	if l.width == 1280 && lang == "en" || proving {
		for _, violation := range read[[]string](w, fmt.Sprintf(violations, rules[l.scheme])) {
			s.t.Errorf("%s: %s", where, violation)
		}
	}
	if screenshotsFolder != "" && screenshots[strings.TrimPrefix(where, name+"-")] {
		s.screenshot(w, where, chromedp.FullScreenshot(100))
	}
}

const violations = `axe.run({runOnly: %s, resultTypes: ["violations"]})
	.then(result => result.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.target.join(" ") + ": " + n.failureSummary)))`

// rules are those of axe that a page is compared with. The dark scheme has other
// colours, and nothing else.
var rules = map[string]string{
	"light": `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`,
	"dark":  `["color-contrast", "link-in-text-block"]`,
}

func (s *pageTest) screenshot(w *tab, name string, shot chromedp.Action[[]byte]) {
	image, err := chromedp.Run(w.ctx, shot)
	require.NoError(s.t, err)
	require.NoError(s.t, os.MkdirAll(screenshotsFolder, 0o755))
	require.NoError(s.t, os.WriteFile(filepath.Join(screenshotsFolder, name+".png"), image, 0o644))
}

// screenshotOfJobPage is the README's.
func (s *pageTest) screenshotOfJobPage(id string) {
	if screenshotsFolder == "" {
		return
	}
	w := s.tabs["olga"]
	w.setCookie("lang", "en")
	w.do(emulateSize(1280, 905), emulateScheme("light"))
	w.open("/jobs/" + id)
	s.screenshot(w, "job-page", chromedp.CaptureScreenshot())
}
