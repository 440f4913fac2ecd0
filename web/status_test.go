package web

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/web/templates/messages"
)

// everyPage lists pages that all roles may see.
func everyPage(id string) []string {
	return []string{"/jobs", "/jobs/" + id, "/accounts", "/protected", "/sending", "/nowhere"}
}

func TestKillSwitchOnEveryPage(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		operator, admin := c.as(auth.Operator), c.as(auth.Admin)
		id := operator.draft(3)
		for _, page := range everyPage(id) {
			require.Contains(t, admin.get(page).body, `action="/sending/stop"`, page)
			require.NotContains(t, operator.get(page).body, "/sending/stop", page)
			require.NotContains(t, operator.get(page).body, "All sending is stopped", page)
		}
		got := admin.post("/sending/stop", "reason", "<b>wrong list</b>", "next", "/jobs/"+id)
		require.Equal(t, http.StatusSeeOther, got.StatusCode, got.body)
		require.Equal(t, "/jobs/"+id, got.location())
		for _, page := range everyPage(id) {
			for _, b := range []*browser{operator, admin, c.as(auth.Auditor)} {
				body := b.get(page).body
				require.Contains(t, body, "All sending is stopped", page)
				require.Contains(t, body, "Stopped by admin on ", page)
				require.Contains(t, body, "&lt;b&gt;wrong list&lt;/b&gt;", page)
			}
			require.Contains(t, admin.get(page).body, `action="/sending/lift"`, page)
			require.NotContains(t, admin.get(page).body, `action="/sending/stop"`, "it is stopped already")
			require.NotContains(t, operator.get(page).body, "/sending/lift", page)
		}
		require.NotContains(t, c.browser().get("/login").body, "stopped", "strangers are told nothing")

		require.Equal(t, "/", admin.post("/sending/lift", "next", "//evil.example").location())
		require.NotContains(t, operator.get("/jobs").body, "All sending is stopped")
		entries := c.recorded(audit.Filter{Actor: "admin", Code: audit.KillSwitchThrown})
		require.Len(t, entries, 1)
		require.Equal(t, "<b>wrong list</b>", entries[0].Details["reason"])
		require.Len(t, c.recorded(audit.Filter{Code: audit.KillSwitchLifted}), 1)
	})
}

// Another console's stop is seen within a second.
func TestKillSwitchOfOtherConsoleIsSeen(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	require.NotContains(t, b.get("/jobs").body, "All sending is stopped")
	require.NoError(t, c.store.ThrowKillSwitch(t.Context(), audit.System, "elsewhere"))
	require.LessOrEqual(t, statusMaxAge, time.Second, "what was read is asked for anew by then")
	require.Eventually(t, func() bool {
		return c.web.status.now(t.Context()).Stopped.Thrown()
	}, 10*statusMaxAge, 10*time.Millisecond)
	require.Contains(t, b.get("/jobs").body, "elsewhere")
}

func TestAnOpenJobPageLearnsOfAStop(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draft(3)
	b.post("/jobs/"+id+"/start", "confirm", "3")
	open := b.follow(id)
	require.NotContains(t, open.next(), "All sending is stopped")
	c.as(auth.Admin).post("/sending/stop", "reason", "why")
	event := open.next()
	require.Contains(t, parts(event), "send-status")
	require.Contains(t, event, "All sending is stopped. See the top of the page.", "in the job's progress")
}

func TestPagesTellWhyNothingIsSent(t *testing.T) {
	var trouble *jobs.Trouble
	c := newConsole(t, jobstest.SQLite(t), func(config *Config) { config.Trouble = func() *jobs.Trouble { return trouble } })
	b := c.as(auth.Auditor)
	id := c.as(auth.Operator).draft(3)
	trouble = &jobs.Trouble{Since: time.Now().Add(-time.Minute), Fault: store.FaultDiskFull.With(), Unwritten: 3}
	for _, page := range everyPage(id) {
		body := b.get(page).body
		require.Contains(t, body, messages.English.Fault(store.FaultDiskFull.With()), page)
		require.Contains(t, body, "3 results are kept in memory", page)
	}
	health := c.health(http.StatusServiceUnavailable)
	require.Equal(t, "held", health.Sending)
	require.Equal(t, messages.English.Fault(store.FaultDiskFull.With()), health.Message)
	require.WithinDuration(t, trouble.Since, *health.Since, time.Millisecond)
	trouble = nil
	require.NotContains(t, b.get("/jobs").body, "Nothing is sent")
}

func (c *console) health(status int) (out healthJSON) {
	c.t.Helper()
	got := c.browser().get("/healthz")
	require.Equal(c.t, status, got.StatusCode, got.body)
	require.NoError(c.t, json.Unmarshal([]byte(got.body), &out))
	return out
}

func TestHealthSaysWhetherTheConsoleSends(t *testing.T) {
	file := storetest.SQLiteFile(t)
	c := newConsole(t, jobstest.Open(t, file))
	require.Equal(t, healthJSON{Status: "ok", Sending: "running"}, c.health(http.StatusOK))

	require.NoError(t, c.store.ThrowKillSwitch(t.Context(), audit.System, "why"))
	c.web.status.changed()
	stopped := c.health(http.StatusOK)
	require.Equal(t, "stopped", stopped.Sending, "what a person wants is no fault")
	require.NotNil(t, stopped.Since)
	require.NoError(t, c.store.LiftKillSwitch(t.Context(), audit.System))

	tamper(t, file, `UPDATE apps SET probe_at = 1`)
	began := time.Now().Add(-time.Minute)
	for _, code := range []audit.Code{audit.JobHalted, audit.ServiceWell, audit.JobHalted, audit.JobHalted} {
		require.NoError(t, c.store.Audit.Record(context.Background(),
			audit.Entry{Code: code, Actor: audit.System, Details: map[string]any{"code": jobs.CodeDown}}))
	}
	c.web.status.changed()
	probing := c.health(http.StatusOK)
	require.Equal(t, "probing", probing.Sending)
	halts := c.recorded(audit.Filter{Code: audit.JobHalted})
	require.Equal(t, halts[1].At.UTC(), probing.Since.UTC(), "the first halt since the service was last well")
	require.True(t, probing.Since.After(began))
	require.Contains(t, c.as(auth.Operator).get("/jobs").body, "Service unavailable since ")
}

// A page is read, not written: who reads is shown it although nothing can be
// saved, not even that they were there.
func TestPagesOpenOnReadOnlyDatabase(t *testing.T) {
	file := storetest.SQLiteFile(t)
	c := newConsole(t, jobstest.Open(t, file))
	b := c.as(auth.Admin)
	id := b.draft(3)
	b.post("/users", "name", "grace", "role", "operator", "password", "a good long password") // leaves a notice
	tamper(t, file, `UPDATE sessions SET seen_at = seen_at - 600000`)
	tamper(t, file, `CREATE TRIGGER full BEFORE UPDATE ON sessions BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
	for _, page := range []string{"/users", "/jobs", "/jobs/" + id, "/audit", "/sending"} {
		require.Equal(t, http.StatusOK, b.get(page).StatusCode, page)
	}
	require.Contains(t, b.get("/users").body, "grace was created", "and what was done is still said")
	require.Equal(t, http.StatusSeeOther, b.post("/protected", "accounts", "vip", "note", "why").StatusCode,
		"what was done is not called undone")
}

// tamper changes a SQLite database behind the console's back.
func tamper(t *testing.T, file, statement string) {
	t.Helper()
	database, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	defer database.Close()
	_, err = database.Exec(statement)
	require.NoError(t, err)
}
