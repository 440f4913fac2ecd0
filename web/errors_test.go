package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/web/templates/messages"
)

func TestErrorUnknownPageOrMethod(t *testing.T) {
	b := newConsole(t, jobstest.SQLite(t)).as(auth.Operator)
	got := b.get("/nowhere")
	require.Equal(t, http.StatusNotFound, got.StatusCode)
	require.Contains(t, got.body, messages.English.Fault(faultNoPage.With()))
	require.Contains(t, got.body, got.Header.Get("X-Request-Id"))

	got = b.post("/audit")
	require.Equal(t, http.StatusMethodNotAllowed, got.StatusCode)
	require.Equal(t, "OPTIONS, GET", got.Header.Get("Allow"))
	require.Contains(t, got.body, "does not support this action (POST)")
	require.Equal(t, http.StatusMethodNotAllowed, b.get("/jobs/x/start").StatusCode)

	got = b.get("/jobs/0000unknown")
	require.Equal(t, http.StatusNotFound, got.StatusCode)
	require.Contains(t, got.body, "Job 0000unknown does not exist.")
	require.Equal(t, http.StatusNotFound, b.get("/jobs?state=nonsense").StatusCode)
}

func TestEveryErrorCanBeHadAsJSON(t *testing.T) {
	b := newConsole(t, jobstest.SQLite(t)).as(auth.Operator)
	for address, want := range map[string]struct {
		status int
		code   string
	}{
		"/nowhere": {404, "page.none"}, "/jobs/unknown": {404, "job.none"}, "/audit": {403, "access.denied"},
		"/jobs/x/start": {405, "page.method"},
	} {
		var body errorJSON
		got := b.json(address, &body)
		require.Equal(t, want.status, got.StatusCode, address)
		require.Equal(t, want.code, body.Error.Code, address)
		require.NotEmpty(t, body.Error.Message)
		require.Equal(t, got.Header.Get("X-Request-Id"), body.Error.RequestID)
	}
}

func TestErrorOfAFragmentIsAFragment(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	b.headers.Set("HX-Request", "true")
	got := b.get("/jobs/unknown")
	require.Equal(t, http.StatusNotFound, got.StatusCode)
	require.Equal(t, "#fault", got.Header.Get("HX-Retarget"))
	require.NotContains(t, got.body, "<html")

	out := c.browser()
	out.headers.Set("HX-Request", "true")
	got = out.get("/jobs/unknown/events")
	require.Equal(t, http.StatusUnauthorized, got.StatusCode)
	require.Equal(t, "/login?next=%2Fjobs%2Funknown%2Fevents", got.Header.Get("HX-Redirect"))
}

func TestErrorCauseIsOnlyLogged(t *testing.T) {
	var log bytes.Buffer
	s := jobstest.SQLite(t)
	c := newConsole(t, s, func(config *Config) { config.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	get := func(path string, handle func(*Server, *request) error) {
		c.web.echo.GET(path, c.web.guard(route{method: "GET", path: path, permission: auth.Public, handle: handle}))
	}
	get("/broken", func(*Server, *request) error {
		return errors.New("secret detail")
	})
	get("/panic", func(*Server, *request) error {
		panic("secret detail")
	})
	get("/half", func(s *Server, v *request) error {
		return s.render(v, http.StatusOK, templ.Join(templ.Raw("the first half"),
			templ.ComponentFunc(func(context.Context, io.Writer) error { return errors.New("secret detail") })))
	})
	for _, address := range []string{"/broken", "/panic", "/half"} {
		log.Reset()
		got := c.browser().get(address)
		require.Equal(t, http.StatusInternalServerError, got.StatusCode, address)
		require.Contains(t, got.body, messages.English.Fault(faultInternal.With()))
		require.NotContains(t, got.body, "secret detail")
		require.NotContains(t, got.body, "first half")
		require.Contains(t, log.String(), "secret detail")
		require.Contains(t, log.String(), got.Header.Get("X-Request-Id"))
	}
}

func TestADatabaseThatIsAwayIsSaidPlainly(t *testing.T) {
	s := jobstest.SQLite(t)
	c := newConsole(t, s)
	b := c.as(auth.Operator)
	require.NoError(t, s.DB.Close())
	got := b.get("/healthz")
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	require.Regexp(t, `^{"status":"unavailable","sending":"held","since":"[^"]+Z","message":"[^"]+"}\n$`, got.body)
	got = b.get("/jobs")
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	require.Contains(t, got.body, messages.English.Fault(faultBusy.With()))
	require.NotContains(t, got.body, "sql:")
}

func TestEveryKindOfFaultHasItsStatus(t *testing.T) {
	v := &request{}
	for kind, want := range map[fault.Kind]int{fault.Invalid: 422, fault.NotFound: 404, fault.Conflict: 409,
		fault.Forbidden: 403, fault.TooMany: 429, fault.Unavailable: 503} {
		status, _ := statusOf(v, (&fault.Sentence{Kind: kind}).With())
		require.Equal(t, want, status)
		require.True(t, messages.English.Has("error.title."+strconv.Itoa(want)))
	}
}

// TestEveryFaultIsTranslated needs no English text: it stands where the fault is declared.
func TestEveryFaultIsTranslated(t *testing.T) {
	for _, sentence := range fault.All() {
		key := "fault." + sentence.Code
		require.True(t, messages.Chinese.Has(key), "no Chinese for %s: %s", sentence.Code, sentence.English)
		require.Equal(t, messages.Placeholders(sentence.English), messages.Chinese.Placeholders(key), sentence.Code)
	}
	require.Equal(t, "任务当前状态为“已暂停”，无法执行此操作。未做任何更改，请在任务页面查看最新状态。", messages.Chinese.Fault(jobs.FaultWrongState.With(jobs.Paused)))
}

func TestAnAddressStaysInTheConsole(t *testing.T) {
	r := httptest.NewRequest("POST", "http://console/users", nil)
	v := &request{Context: echo.New().NewContext(r, httptest.NewRecorder())}
	require.Equal(t, "/", here(v))
	r.Header.Set("Referer", "http://console/audit?code=x")
	require.Equal(t, "/audit?code=x", here(v))
	r.Header.Set("Referer", "https://evil.example/audit")
	require.Equal(t, "/", here(v))
}
