package main

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs/jobstest"
)

// patience is how long a page may take to become what a test waits for.
const patience = time.Minute

// chromium is the browser of all tests; each tab has cookies of its own.
var chromium struct {
	once sync.Once
	ctx  context.Context
	end  func()
	err  error
}

// theBrowser returns the browser, which the first test that needs it starts.
func theBrowser(t testing.TB) context.Context {
	t.Helper()
	chromium.once.Do(func() { chromium.ctx, chromium.end, chromium.err = startBrowser() })
	require.NoError(t, chromium.err, "Chromium could not be started, and the pages cannot be tested without; `make setup` installs it")
	return chromium.ctx
}

func startBrowser() (ctx context.Context, end func(), err error) {
	path := ""
	// the shell takes half the work
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if path, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		return nil, nil, err
	}
	folder, err := os.MkdirTemp("", "tagsweep-chromium-*")
	if err != nil {
		return nil, nil, err
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.UserDataDir(folder), chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en"))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ = chromedp.NewContext(allocator) // Cancel ends it
	return ctx, func() {
		last, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		chromedp.Cancel(last) // in order, so that nothing is written to its folder any more
		stop()
		os.RemoveAll(folder)
	}, chromedp.Do(ctx)
}

func endBrowser() {
	if chromium.end != nil {
		chromium.end()
	}
}

// tab is a person's window on the console, with cookies of its own.
type tab struct {
	t       testing.TB
	program *program
	ctx     context.Context

	mutex      sync.Mutex
	complaints []string // what the browser had to say about the pages
}

// openTab opens a window. At the end of the test the browser must have had
// nothing to complain of: no script's error, no breach of the content policy.
func (p *program) openTab() *tab {
	ctx, closeTab := chromedp.NewContext(theBrowser(p.t), chromedp.WithNewBrowserContext())
	w := &tab{t: p.t, program: p, ctx: ctx}
	p.t.Cleanup(func() {
		closeTab()
		require.Empty(p.t, w.complained(), "the browser complained of a page")
	})
	require.NoError(p.t, chromedp.Do(ctx, emulateSize(1280, 800), keepFocus())) // the first steps: the window lives as long as their context
	require.NoError(p.t, chromedp.Listen(ctx, func(event any) {
		w.mutex.Lock()
		defer w.mutex.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			w.complaints = append(w.complaints, e.ExceptionDetails.Text+" "+e.ExceptionDetails.URL)
		case *runtime.EventConsoleAPICalled:
			w.complaints = append(w.complaints, fmt.Sprint(e.Type, ": ", e.Args))
		case *log.EventEntryAdded:
			// The browser notes every answer of 400 and above; those of the console's pages are what a test asks for.
			refused := e.Entry.Source == log.EntrySourceNetwork && strings.Contains(e.Entry.Text, "the server responded with a status of 4")
			warns := e.Entry.Level == log.EntryLevelWarning || e.Entry.Level == log.EntryLevelError
			if warns && !refused || strings.Contains(e.Entry.URL, "/static/") {
				w.complaints = append(w.complaints, string(e.Entry.Source)+": "+e.Entry.Text+" "+e.Entry.URL)
			}
		}
	}))
	return w
}

func (w *tab) complained() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return slices.Clone(w.complaints)
}

// do carries out steps one after the other.
func (w *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		w.t.Fatalf("%v\nThe page: %s", err, w.shown())
	}
}

// shown is what the page says, for a test that has failed.
func (w *tab) shown() string {
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	said, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return said
}

// read evaluates an expression in the page.
func read[T any](w *tab, expression string) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatalf("%s: %v\nThe page: %s", expression, err, w.shown())
	}
	return value
}

// text is what an element says, with single spaces.
func (w *tab) text(selector string) string {
	w.t.Helper()
	return read[string](w, fmt.Sprintf(`document.querySelector(%q)?.textContent.trim().replace(/\s+/g, " ") ?? "no "+%[1]q`, selector))
}

// texts is what each of several elements says.
func (w *tab) texts(selector string) []string {
	w.t.Helper()
	return read[[]string](w, fmt.Sprintf(`[...document.querySelectorAll(%q)].map(e => e.textContent.trim().replace(/\s+/g, " "))`, selector))
}

// until waits until an expression is true in the page as it is now.
func (w *tab) until(expression string) {
	w.t.Helper()
	w.do(discard(chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(patience))))
}

// follow carries out steps that lead to another page and returns its status.
func (w *tab) follow(steps ...chromedp.Action[chromedp.Void]) int {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	answer, err := chromedp.RunResponse(ctx, steps...)
	if err != nil {
		w.t.Fatalf("%v\nThe page: %s", err, w.shown())
	}
	return int(answer.Status)
}

// loads returns a function that waits for the next page to be loaded, counted
// from now.
func (w *tab) loads() (next func()) {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	w.t.Cleanup(cancel)
	load, stop := iter.Pull2(chromedp.Events(ctx, page.LoadEventFired))
	w.t.Cleanup(stop)
	return func() {
		w.t.Helper()
		if _, err, ok := load(); !ok || err != nil {
			w.t.Fatalf("no other page came (%v)\nThe page: %s", err, w.shown())
		}
	}
}

// open goes to an address of the console and returns the status.
func (w *tab) open(path string) int {
	w.t.Helper()
	return w.follow(chromedp.Navigate(w.program.address + path))
}

// at is the address of the page, below the console's.
func (w *tab) at() string {
	w.t.Helper()
	return strings.TrimPrefix(read[string](w, "location.href"), w.program.address)
}

func (w *tab) fault() string { w.t.Helper(); return w.text("#fault .problem p") }

// signIn signs a person in through the form.
func (w *tab) signIn(user string) {
	w.t.Helper()
	w.open("/login")
	require.Equal(w.t, 200, w.submitSignIn(user, jobstest.Password))
	require.Equal(w.t, "/jobs", w.at())
}

func (w *tab) submitSignIn(user, password string) int {
	w.t.Helper()
	return w.follow(fill("#username", user), fill("#password", password), click("main form button"))
}

// chooseFile puts a file into the form of a new job.
func (w *tab) chooseFile(name string, content []byte) {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), name)
	require.NoError(w.t, os.WriteFile(path, content, 0o600))
	w.do(chromedp.SetUploadFiles(chromedp.ID("file"), []string{path}))
}

// download follows a link to a file and returns the file's name and content.
func (w *tab) download(selector string) (name string, content []byte) {
	w.t.Helper()
	folder, enabled := w.t.TempDir(), true
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	_, err := chromedp.CallBrowser(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllowAndName, BrowserContextID: chromedp.FromContext(w.ctx).BrowserContextID,
		DownloadPath: folder, EventsEnabled: &enabled})
	require.NoError(w.t, err)
	begins, progress := chromedp.BrowserEvents(ctx, browser.DownloadWillBegin), chromedp.BrowserEvents(ctx, browser.DownloadProgress)
	w.do(click(selector))
	id := ""
	for begun, err := range begins {
		require.NoError(w.t, err)
		if strings.HasPrefix(begun.URL, w.program.address) { // other tests use the browser too
			id, name = begun.GUID, begun.SuggestedFilename
			break
		}
	}
	for p, err := range progress {
		require.NoError(w.t, err)
		if p.GUID != id {
			continue
		}
		require.NotEqual(w.t, browser.DownloadProgressStateCanceled, p.State)
		if p.State == browser.DownloadProgressStateCompleted {
			content, err = os.ReadFile(filepath.Join(folder, p.GUID))
			require.NoError(w.t, err)
			break
		}
	}
	return name, content
}

// setCookie gives the window a cookie of the console's.
func (w *tab) setCookie(name, value string) {
	w.t.Helper()
	address, err := url.Parse(w.program.address)
	require.NoError(w.t, err)
	w.do(call(network.SetCookie, network.SetCookieParams{Name: name, Value: value, Domain: address.Hostname(), Path: "/"}))
}

// withoutScripts turns the pages' scripts off.
func withoutScripts() chromedp.Action[chromedp.Void] {
	return call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// slowUpload lets the browser send so many bytes a second; -1 ends it.
func slowUpload(bytesPerSecond float64) chromedp.Action[chromedp.Void] {
	return call(network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: bytesPerSecond}}})
}

func emulateSize(width, height int64) chromedp.Action[chromedp.Void] {
	return call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 500})
}

// keepFocus lets the page have the keyboard whatever other windows are open.
func keepFocus() chromedp.Action[chromedp.Void] {
	return call(emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
}

// emulateScheme chooses light or dark. Colours change at once, not by and by.
func emulateScheme(scheme string) chromedp.Action[chromedp.Void] {
	return call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
}

func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}

func discard[T any](action chromedp.Action[T]) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := action(ctx, target)
		return err
	})
}

func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible)
}

// fill types into a field, over what it holds.
func fill(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.querySelector(%q).select()", selector)),
		chromedp.SendKeys(chromedp.CSS(selector), text))
}
