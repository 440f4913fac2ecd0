package web

import (
	"bufio"
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// stream is an open page that follows a job.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
	leave func()
}

func (b *browser) follow(id string) *stream {
	b.t.Helper()
	return b.followAt("/jobs/" + id + "/events")
}

func (b *browser) followAt(address string) *stream {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", b.url+address, nil)
	require.NoError(b.t, err)
	response, err := b.client.Do(r)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { response.Body.Close() })
	require.Equal(b.t, http.StatusOK, response.StatusCode)
	require.Equal(b.t, "text/event-stream", response.Header.Get("Content-Type"))
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	return &stream{b.t, lines, cancel}
}

// next returns the next event, "" at the end of the stream.
func (s *stream) next() string {
	var event strings.Builder
	for s.lines.Scan() {
		switch line := s.lines.Text(); {
		case line == "" && event.Len() > 0:
			return event.String()
		case line != "" && !strings.HasPrefix(line, ":"):
			event.WriteString(line + "\n")
		}
	}
	return ""
}

func parts(event string) (ids []string) {
	for _, found := range regexp.MustCompile(`hx-target="#([a-z-]+)"`).FindAllStringSubmatch(event, -1) {
		ids = append(ids, found[1])
	}
	return ids
}

func TestLivePagesGetOnlyWhatHasChanged(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Operator)
		id := b.draft(250)
		b.post("/jobs/"+id+"/start", "confirm", "250")
		chinese := c.as(auth.Auditor)
		chinese.post("/language", "lang", "zh-Hans")
		english, other := b.follow(id), chinese.follow(id)

		first := english.next()
		require.Equal(t, []string{"send-status", "job-head", "job-announce", "job-alerts", "job-decision", "job-progress", "job-outcomes",
			"job-reasons", "job-verification", "job-undo", "job-impact", "job-retry", "job-facts", "job-snapshot", "job-evidence",
			"job-history"}, parts(first))
		require.Contains(t, first, "Job status: queued.")
		require.Contains(t, first, "data: ")
		require.Contains(t, first, `action="/jobs/`+id+`/pause"`)
		theirs := other.next()
		require.Contains(t, theirs, "任务状态：排队中。")
		require.NotContains(t, theirs, "/pause", "an auditor has no buttons")

		b.post("/jobs/" + id + "/pause")
		second := english.next()
		require.Contains(t, second, "Job status: paused.")
		require.Contains(t, parts(second), "job-head")
		require.Contains(t, parts(second), "job-history")
		require.NotContains(t, parts(second), "job-outcomes", "no account moved")
		require.Contains(t, other.next(), "任务状态：已暂停。")

		b.post("/jobs/" + id + "/cancel")
		require.Contains(t, english.next(), "Job status: cancelled.")
		require.Equal(t, "event: done\ndata: done\n", english.next())
		require.Empty(t, english.next(), "the stream ends with the job")
	})
}

func TestAWaitingJobSaysSoWhileItWaits(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	first, second := b.draft(3), b.draft(4)
	c.untilRead(first)
	c.untilRead(second)
	waits := func(id string) any {
		var job map[string]any
		b.json("/jobs/"+id, &job)
		require.Contains(t, job, "waits_for")
		return job["waits_for"]
	}
	require.Nil(t, waits(second), "it is a draft")
	b.post("/jobs/"+first+"/start", "confirm", "3")
	b.post("/jobs/"+second+"/start", "confirm", "4")
	require.Nil(t, waits(first))
	require.Equal(t, map[string]any{"job": first, "accounts": 3.0}, waits(second))
	require.NotContains(t, b.get("/jobs/"+first).body, "Waiting for")
	require.Contains(t, b.get("/jobs/"+second).body,
		`Waiting for <a href="/jobs/`+first+`">users.csv</a>, which shares 3 accounts with this job`)

	open := b.follow(second)
	require.Contains(t, open.next(), "shares 3 accounts with this job")
	b.post("/jobs/" + first + "/pause")
	for event := open.next(); ; event = open.next() {
		require.NotEmpty(t, event)
		if slices.Contains(parts(event), "job-progress") {
			require.NotContains(t, event, "Waiting for")
			require.Contains(t, event, "The first call will be sent soon.")
			break
		}
	}
	require.Nil(t, waits(second), "it goes on")
}

func TestLiveReaderIsShared(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draft(3)
	b.post("/jobs/"+id+"/start", "confirm", "3")
	first, leaveFirst := c.web.live.watch(id)
	<-first
	second, leaveSecond := c.web.live.watch(id)
	<-second // the latest view, at once
	require.Len(t, c.web.live.topics, 1)
	leaveFirst()
	require.Len(t, c.web.live.topics, 1)
	leaveSecond()
	require.Empty(t, c.web.live.topics)
}

func TestClosingEndsEveryStream(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draft(3)
	b.post("/jobs/"+id+"/start", "confirm", "3")
	s := b.follow(id)
	require.NotEmpty(t, s.next())
	c.web.Close()
	require.Empty(t, s.next())
	require.Equal(t, http.StatusOK, b.get("/jobs").StatusCode)
}

func TestLiveStreamEndsWithTheJob(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draft(3)
	_, err := c.store.Act(t.Context(), audit.System, id, jobs.Cancel)
	require.NoError(t, err)
	s := b.follow(id)
	require.Contains(t, s.next(), "Job status: cancelled.")
	require.Contains(t, s.next(), "event: done")
	require.Empty(t, s.next())
	require.Equal(t, http.StatusNotFound, b.get("/jobs/unknown/events").StatusCode)
}

func TestLiveJobRefreshesWithoutScripts(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draft(3)
	const refresh = `<noscript><meta http-equiv="refresh"`
	require.NotContains(t, b.get("/jobs/"+id).body, refresh, "what is typed into a draft must stay")
	b.post("/jobs/"+id+"/start", "confirm", "3")
	require.Contains(t, b.get("/jobs/"+id).body, refresh)
	b.post("/jobs/" + id + "/cancel")
	require.NotContains(t, b.get("/jobs/"+id).body, refresh)
}
