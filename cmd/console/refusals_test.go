package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim/timtest"
)

// states lists the states of all jobs, newest first.
func (v *apiClient) states() (states []string) {
	_, page := v.get("/jobs")
	for _, part := range strings.Split(page, `data-state="`)[1:] {
		state, _, _ := strings.Cut(part, `"`)
		states = append(states, state)
	}
	return states
}

func TestUploadRefusedKeepsTheForm(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "http://127.0.0.1:1", storetest.SQLiteFile(t))
	p.settings = append(p.settings, "CONSOLE_UPLOAD_LIMIT=100000")
	p.start()
	olga := p.signIn("olga")
	olga.draft(accountFile(3))
	w := p.openTab()
	w.signIn("olga")
	samples, err := filepath.Glob("../../internal/accounts/testdata/refused/*")
	require.NoError(t, err)
	require.Greater(t, len(samples), 10)
	files := map[string][]byte{"large.csv": accountFile(10_000)}
	for _, sample := range samples {
		files[filepath.Base(sample)], err = os.ReadFile(sample)
		require.NoError(t, err)
	}
	core := map[string]string{
		"empty.csv": "the file contains no rows", "columns-101.csv": "the file has 101 columns, and the maximum is 100", "picture.csv": "PNG",
		"password.xlsx": "protected by a password", "several.zip": "only one is allowed", "large.csv": "larger than the limit of 100 KB",
	}
	w.open("/jobs/new")
	w.do(fill("#note", "OPS-4711"))
	for name, content := range files {
		w.chooseFile(name, content)
		w.do(click("form[data-upload] button[type=submit]"))
		w.until(`document.querySelector("#fault .problem") !== null`)
		require.Contains(t, w.fault(), "Upload failed: ", name)
		require.Contains(t, w.fault(), core[name], name)
		require.Equal(t, "OPS-4711", read[string](w, `document.querySelector("#note").value`))
		answer, page := olga.upload(name, content)
		require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode, name)
		require.Contains(t, page, "Upload failed: ", name)
		require.Contains(t, page, ">from a test</textarea>", name)
	}
	require.Equal(t, []string{"draft"}, olga.states(), "the job that was there before, and no other")

	// A file without an account becomes a draft that says why, and cannot be started.
	id := olga.draft([]byte("user_id\n用户一\n用户二\n"))
	answer, page := olga.post("/jobs/"+id+"/start", url.Values{"confirm": {"0"}})
	require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode)
	require.Contains(t, page, "The job was not started: the file contains no valid accounts.")
	require.Equal(t, "draft", olga.job(id).State)
}

func TestWhatCannotBeDoneIsASentence(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "http://127.0.0.1:1", storetest.SQLiteFile(t))
	p.start()
	olga := p.signIn("olga")
	id := olga.draft(accountFile(3))
	form := func(pairs url.Values) func(string) (*http.Response, string) {
		return func(path string) (*http.Response, string) { return olga.post(path, pairs) }
	}
	for _, test := range []struct {
		do     func(path string) (*http.Response, string)
		path   string
		status int
		says   string
	}{
		{olga.get, "/jobs/" + id + "/start", 405, "This address does not support this action (GET). Nothing was changed"},
		{form(nil), "/audit", 405, "This address does not support this action (POST). Nothing was changed"},
		{olga.get, "/jobs/nosuchjob", 404, "Job nosuchjob does not exist."},
		{form(url.Values{"confirm": {"3"}}), "/jobs/nosuchjob/start", 404, "Job nosuchjob does not exist."},
		{olga.get, "/jobs/nosuchjob/results.csv", 404, "Job nosuchjob does not exist."},
		{olga.get, "/jobs?state=sleepy", 404, "This page does not exist."},
		{olga.get, "/nowhere", 404, "This page does not exist."},
		{olga.get, "/users", 403, "Your role (operator) does not allow this. Nothing was changed"},
		{form(nil), "/jobs/" + id + "/start", 422, "it contains 3 accounts, and you typed a different number"},
		{form(url.Values{"confirm": {"three"}}), "/jobs/" + id + "/start", 422, "it contains 3 accounts, and you typed a different number"},
		{form(nil), "/jobs/" + id + "/pause", 409, "This action is not possible: the job status is now “draft”. Nothing was changed"},
		{form(nil), "/jobs/" + id + "/resume", 409, "This action is not possible: the job status is now “draft”. Nothing was changed"},
		{form(nil), "/jobs", 422, "Upload failed: the request did not contain a file."},
	} {
		answer, page := test.do(test.path)
		require.Equal(t, test.status, answer.StatusCode, test.path)
		require.Contains(t, page, test.says, test.path)
		require.Equal(t, []string{"draft"}, olga.states(), test.path)
	}
}

func TestAStaleFormChangesNothing(t *testing.T) {
	t.Parallel()
	simulator, base := simulate(t, nil)
	p := newProgram(t, base, storetest.SQLiteFile(t))
	p.start()
	p.signIn("adam").changeSettings(url.Values{"snapshot": {""}, "verify_share": {"0"}}) // so that calls can be counted
	olga := p.signIn("olga")
	w := p.openTab()
	w.signIn("olga")

	cancelled := olga.draft(accountFile(300))
	w.open("/jobs/" + cancelled)
	olga.post("/jobs/"+cancelled+"/cancel", nil)
	require.Equal(t, 409, w.follow(fill("#confirm", "300"), click("form[action$=start] button")))
	require.Contains(t, w.text("main .card p"), "This action is not possible: the job status is now “cancelled”. Nothing was changed")
	w.follow(click("main .card a"))
	require.Equal(t, "/jobs/"+cancelled, w.at())
	require.Empty(t, simulator.Ledger())

	started := olga.draft(accountFile(300))
	w.open("/jobs/" + started)
	olga.start(started)
	until(t, "the job is finished", func() bool { return olga.ended(started) })
	require.Equal(t, 409, w.follow(fill("#confirm", "300"), click("form[action$=start] button")))
	require.Contains(t, w.text("main .card p"), "This action is not possible: the job status is now “finished”")
	require.Len(t, simulator.Ledger(), 3)
}

func TestStartClickedTwiceStartsOnce(t *testing.T) {
	t.Parallel()
	simulator, base := simulate(t, nil)
	p := newProgram(t, base, storetest.SQLiteFile(t))
	p.start()
	p.signIn("adam").changeSettings(url.Values{"snapshot": {""}, "verify_share": {"0"}}) // so that calls can be counted
	olga := p.signIn("olga")
	id := olga.draft(accountFile(300))
	statuses := make([]int, 8)
	var clicks errgroup.Group
	for i := range statuses {
		clicks.Go(func() error {
			answer, _ := olga.post("/jobs/"+id+"/start", url.Values{"confirm": {"300"}})
			statuses[i] = answer.StatusCode
			return nil
		})
	}
	require.NoError(t, clicks.Wait())
	require.ElementsMatch(t, []int{303, 409, 409, 409, 409, 409, 409, 409}, statuses)
	until(t, "the job is finished", func() bool { return olga.ended(id) })
	require.Len(t, simulator.Ledger(), 3)
	_, log := p.signIn("aida").get("/audit?code=job.started")
	require.Equal(t, 1, strings.Count(log, "/jobs/"+id))
}

func TestSignInWrongPasswordSlowsNext(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "http://127.0.0.1:1", storetest.SQLiteFile(t))
	p.start()
	for _, w := range []*tab{p.openTab(), p.openTab()} {
		w.open("/audit")
		require.Equal(t, "/login?next=%2Faudit", w.at())
		require.Equal(t, 422, w.submitSignIn("olga", "wrong"))
		require.Equal(t, 200, w.submitSignIn("aida", jobstest.Password))
		require.Equal(t, "/audit", w.at(), "where the person wanted to go")
	}
	w := p.openTab()
	w.open("/login")
	for range 5 {
		require.Equal(t, 422, w.submitSignIn("aida", "wrong"))
		require.Contains(t, w.fault(), "Sign-in failed: the user name or password is wrong")
		require.Equal(t, []string{"aida", ""},
			read[[]string](w, `[document.querySelector("#username").value, document.querySelector("#password").value]`))
	}
	require.Equal(t, 429, w.submitSignIn("aida", jobstest.Password), "even the right one has to wait")
	require.Regexp(t, `too many failed attempts. Wait \d+ s, then try again`, w.fault())
	p.signIn("olga") // a colleague is not held up

	answer, err := http.PostForm(p.address+"/login", url.Values{"username": {"aida"}, "password": {"wrong"}})
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusTooManyRequests, answer.StatusCode)
	seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.LessOrEqual(t, seconds, 31)
}

func TestSignInAgainReturnsToThePage(t *testing.T) {
	t.Parallel()
	_, base := simulate(t, func(c *timtest.Config) { c.Faults.Code = 60020 })
	p := newProgram(t, base, storetest.SQLiteFile(t))
	p.start()
	olga := p.signIn("olga")
	id := olga.draft(accountFile(300))
	w := p.openTab()
	w.signIn("olga")
	w.open("/jobs/" + id)

	out, err := p.command(jobstest.Password+"\n", "user", "password", "olga") // ends her sessions
	require.NoError(t, err, out)
	require.Equal(t, 200, w.follow(fill("#confirm", "300"), click("form[action$=start] button")))
	require.Equal(t, "/login?next="+url.QueryEscape("/jobs/"+id), w.at())
	w.submitSignIn("olga", jobstest.Password)
	require.Equal(t, "/jobs/"+id, w.at())
	olga = p.signIn("olga")
	require.Equal(t, "draft", olga.job(id).State, "nothing was started by someone who was not signed in")

	// A page that asks for itself leads to the sign-in by itself.
	olga.start(id)
	until(t, "the job is halted", func() bool { return olga.job(id).State == "halted" })
	w.open("/jobs?state=halted")
	leads := w.loads()
	out, err = p.command(jobstest.Password+"\n", "user", "password", "olga")
	require.NoError(t, err, out)
	leads()
	require.Equal(t, "/login?next="+url.QueryEscape("/jobs?state=halted"), w.at())
}
