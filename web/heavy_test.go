package web

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/auth"
	"tagsweep/internal/heavy"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/web/templates/messages"
)

// Twelve downloads that are not read: a few begin, the others are told to wait.
func TestUnreadDownloadsAreFew(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t), func(config *Config) { config.UploadLimit = 100_000_000 })
	b := c.as(auth.Operator)
	id := b.large()
	c.untilRead(id)
	unread := func() int { return mustRead(t, b.unread("/jobs/"+id+"/results.csv")).StatusCode }
	for range 4 {
		require.Equal(t, http.StatusOK, unread())
	}
	c.web.Heavy.Patience = time.Millisecond
	for range 8 {
		require.Equal(t, http.StatusTooManyRequests, unread())
	}
	got := b.get("/jobs/" + id + "/results.csv")
	require.Equal(t, http.StatusTooManyRequests, got.StatusCode)
	require.Equal(t, "5", got.Header.Get("Retry-After"))
	require.Contains(t, got.body, messages.English.Fault(heavy.FaultOwn.With(4)))
	b.headers.Set("Accept", "application/json")
	require.Contains(t, b.get("/accounts?q=user-1").body, `"code":"heavy.own"`)
	b.headers.Del("Accept")
	b.headers.Set("Accept-Language", "zh-CN")
	require.Contains(t, b.get("/accounts?q=user-1").body, messages.Chinese.Fault(heavy.FaultOwn.With(4)))
	require.Equal(t, http.StatusOK, b.get("/jobs").StatusCode, "pages that cost little are shown")
	c.web.Heavy.Patience = time.Minute
	require.Equal(t, http.StatusOK, c.as(auth.Auditor).get("/jobs/"+id+"/results.csv").StatusCode, "others are not held up")
}

// Whatever is computed, sending is stopped, health answers and people sign in.
func TestHeavyWorkHoldsNobodyUp(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	admin := c.as(auth.Admin)
	c.web.Heavy.Patience = time.Hour
	for range 24 {
		task, err := c.web.Heavy.Begin(t.Context(), "somebody"+time.Now().String())
		require.NoError(t, err)
		task.Rest()
		defer task.End()
	}
	require.Equal(t, http.StatusOK, c.browser().get("/healthz").StatusCode)
	require.Equal(t, http.StatusSeeOther, admin.post("/sending/stop", "reason", "why").StatusCode)
	require.Equal(t, http.StatusSeeOther, c.browser().post("/login", "username", "admin", "password", jobstest.Password).StatusCode)
	require.Equal(t, http.StatusOK, admin.get("/audit").StatusCode)
	c.web.Heavy.Patience = time.Millisecond
	got := admin.get("/accounts?q=user-1")
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	require.Equal(t, "5", got.Header.Get("Retry-After"))
	require.Contains(t, got.body, messages.English.Fault(heavy.FaultFull.With()))
	for _, address := range []string{"/audit?q=x", "/audit/export.csv", "/audit/export.jsonl"} {
		require.Equal(t, http.StatusServiceUnavailable, admin.get(address).StatusCode, address)
	}
}
