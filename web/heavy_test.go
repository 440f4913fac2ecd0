package web

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tagsweep/internal/accounts/filetest"
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
	statuses := make(chan int, 12)
	var all errgroup.Group
	for range cap(statuses) {
		conn := b.unread("/jobs/" + id + "/results.csv")
		all.Go(func() error {
			statuses <- mustRead(t, conn).StatusCode
			return nil
		})
	}
	require.NoError(t, all.Wait())
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	require.Equal(t, map[int]int{http.StatusOK: 4, http.StatusTooManyRequests: 8}, count)

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
	require.Equal(t, http.StatusOK, c.as(auth.Auditor).get("/jobs/"+id+"/results.csv").StatusCode, "others are not held up")
}

// Downloads of workbooks share the memory that there is.
func TestWorkbooksShareTheMemory(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t), func(config *Config) { config.UploadLimit = 100_000_000 })
	rows := [][]any{{"user_id", "note"}}
	for _, name := range names(300) {
		rows = append(rows, []any{name, "x"})
	}
	b := c.as(auth.Operator)
	id := b.draftOf(filetest.Workbook(t, rows))
	c.untilRead(id)
	var tasks []*heavy.Task
	for _, who := range []string{"ann", "bob", "dan"} {
		task, err := c.web.Heavy.Begin(t.Context(), who, heavy.Workbook)
		require.NoError(t, err)
		task.Rest()
		tasks = append(tasks, task)
	}
	small := b.draft(3)
	require.Equal(t, http.StatusOK, b.get("/jobs/"+small+"/results.csv").StatusCode)
	got := make(chan answer)
	go func() { got <- b.get("/jobs/" + id + "/results.csv") }()
	select {
	case <-got:
		require.Fail(t, "there was no memory for it")
	case <-time.After(100 * time.Millisecond):
	}
	tasks[0].End()
	require.Equal(t, http.StatusOK, (<-got).StatusCode, "it waits for a while")
}

// Whatever is computed, sending is stopped, health answers and people sign in.
func TestHeavyWorkHoldsNobodyUp(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	admin := c.as(auth.Admin)
	for range 24 {
		task, err := c.web.Heavy.Begin(t.Context(), "somebody"+time.Now().String(), heavy.Light)
		require.NoError(t, err)
		task.Rest()
		defer task.End()
	}
	began := time.Now()
	require.Equal(t, http.StatusOK, c.browser().get("/healthz").StatusCode)
	require.Equal(t, http.StatusSeeOther, admin.post("/sending/stop", "reason", "why").StatusCode)
	require.Equal(t, http.StatusSeeOther, c.browser().post("/login", "username", "admin", "password", jobstest.Password).StatusCode)
	require.Equal(t, http.StatusOK, admin.get("/audit").StatusCode)
	require.Less(t, time.Since(began), 2*time.Second)
	got := admin.get("/accounts?q=user-1")
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode)
	require.Equal(t, "5", got.Header.Get("Retry-After"))
	require.Contains(t, got.body, messages.English.Fault(heavy.FaultFull.With()))
	for _, address := range []string{"/audit?q=x", "/audit/export.csv", "/audit/export.jsonl"} {
		require.Equal(t, http.StatusServiceUnavailable, admin.get(address).StatusCode, address)
	}
}
