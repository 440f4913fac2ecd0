package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
	"tagsweep/web/templates"
	"tagsweep/web/templates/messages"
)

func TestAnAdminChangesHowTheAppSends(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Admin)
		settings := func() jobs.Settings { return c.contents().settings }
		require.Equal(t, jobs.Settings{FailureLimit: 20, Canary: true, Snapshot: true, KeepDays: 30, VerifyShare: 10_000, OthersStop: true}, settings())
		require.Equal(t, "/sending",
			b.post("/sending", "rate", " 40 ", "failure_limit", "35", "keep_days", " 7 ", "verify_share", "12,5").location())
		require.Equal(t, jobs.Settings{Rate: 40, FailureLimit: 35, KeepDays: 7, VerifyShare: 125_000, OthersStop: true}, settings())
		page := b.get("/sending").body
		require.Contains(t, page, "Settings saved.")
		require.Regexp(t, `name="rate"[^>]* value="40"`, page)

		for _, bad := range []struct {
			rate, limit string
			says        string
		}{
			{"0", "20", messages.English.Fault(jobs.FaultRate.With(100))},
			{"101", "20", messages.English.Fault(jobs.FaultRate.With(100))},
			{"9.5", "20", messages.English.Fault(jobs.FaultRate.With(100))},
			{"<b>", "20", messages.English.Fault(jobs.FaultRate.With(100))},
			{"50", "", messages.English.Fault(jobs.FaultFailureLimit.With())},
			{"50", "0", messages.English.Fault(jobs.FaultFailureLimit.With())},
			{"50", "101", messages.English.Fault(jobs.FaultFailureLimit.With())},
		} {
			got := b.post("/sending", "rate", bad.rate, "failure_limit", bad.limit, "canary", "1", "snapshot", "1", "keep_days",
				"14", "verify_share", "0.05")
			require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, "%+v", bad)
			require.Contains(t, got.body, bad.says)
			require.Regexp(t, `name="rate"[^>]* value="`+strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(bad.rate)+`"`,
				got.body, "what was typed is kept")
			require.Regexp(t, `id="canary"[^>]* checked`, got.body)
			require.Regexp(t, `id="snapshot"[^>]* checked`, got.body)
			require.Regexp(t, `id="keep_days"[^>]* value="14"`, got.body)
			require.Regexp(t, `id="verify_share"[^>]* value="0.05"`, got.body)
			require.Equal(t, jobs.Settings{Rate: 40, FailureLimit: 35, KeepDays: 7, VerifyShare: 125_000, OthersStop: true}, settings())
		}
		b.post("/sending", "rate", "", "failure_limit", "100", "canary", "1", "snapshot", "1", "keep_days", "3650", "verify_share", "0")
		require.Equal(t, jobs.Settings{FailureLimit: 100, Canary: true, Snapshot: true, KeepDays: 3650, OthersStop: true}, settings(), "empty is as configured")
		require.Len(t, c.recorded(audit.Filter{Code: audit.AppChanged, Actor: "admin"}), 2)
		require.Contains(t, b.get("/audit?code=app.changed").body,
			"Calls per second: default, Failure limit (percent): 100, Careful start: on, Tag snapshots: on, Keep snapshots "+
				"for (days): 3,650, Verification sample (percent): 0")
	})
}

func TestSendingPageChangedByAdminsOnly(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	operator := c.as(auth.Operator)
	id := operator.draft(3)
	operator.post("/jobs/"+id+"/start", "confirm", "3")
	for _, role := range auth.Roles {
		page := c.as(role).get("/sending").body
		require.Contains(t, page, "of 97.0 calls per second used", "the gauge in words")
		require.Contains(t, page, `href="/jobs/`+id+`"`)
		require.Equal(t, role == auth.Admin, strings.Contains(page, `action="/sending"`), role)
		require.Equal(t, role == auth.Admin, strings.Contains(page, "/first"), role)
		require.Equal(t, role != auth.Admin, strings.Contains(page, `<noscript><meta http-equiv="refresh"`), "what an admin types must stay")
	}
}

func TestSendingPageStreamsOnlyChanges(t *testing.T) {
	b := newConsole(t, jobstest.SQLite(t)).as(auth.Admin)
	b.headers.Set("HX-Request", "true")
	piece := b.get("/sending").body
	require.NotContains(t, piece, "<html")
	require.NotContains(t, piece, `name="rate"`, "what is typed into the settings stays")
	require.Equal(t, []string{"send-status", "stop"}, parts(piece))
	require.Contains(t, piece, "of 97.0 calls per second used")
}

func TestAJobIsPutFirstAndPutBack(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	operator, admin := c.as(auth.Operator), c.as(auth.Admin)
	small, big := operator.draft(1), operator.draft(200)
	for id, n := range map[string]string{small: "1", big: "200"} {
		operator.post("/jobs/"+id+"/start", "confirm", n)
	}
	order := func() (ids []string) {
		var now sendingJSON
		operator.json("/sending", &now)
		for _, j := range now.Jobs {
			ids = append(ids, j.ID)
		}
		return ids
	}
	require.Equal(t, []string{small, big}, order(), "the oldest first")
	require.Equal(t, "/sending", admin.post("/jobs/"+big+"/first", "first", "1", "from", "/sending").location())
	require.Equal(t, []string{big, small}, order())
	require.Contains(t, operator.get("/jobs/"+big).body, `<span class="tag">prioritized</span>`)
	require.Contains(t, admin.get("/jobs/"+big).body, "Remove priority")
	require.Equal(t, "/jobs/"+big, admin.post("/jobs/"+big+"/first", "first", "0").location())
	require.Equal(t, []string{small, big}, order())
	require.Len(t, c.recorded(audit.Filter{Code: audit.JobPutFirst}), 1)
	require.Len(t, c.recorded(audit.Filter{Code: audit.JobPutBack}), 1)
}

func TestJSONOfSendingHasItsFields(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	require.NoError(t, c.store.ThrowKillSwitch(t.Context(), audit.System, "why"))
	var now map[string]any
	require.Equal(t, http.StatusOK, c.as(auth.Auditor).json("/sending", &now).StatusCode)
	for _, field := range []string{"probing", "trouble", "rate", "configured", "failure_limit", "canary", "snapshot",
		"keep_days", "verify_share", "first_job", "jobs"} {
		require.Contains(t, now, field)
	}
	require.Equal(t, "why", now["stopped"].(map[string]any)["reason"])
	command := now["commands"].([]any)[0].(map[string]any)
	require.Equal(t, "remove_all_tags", command["command"])
	for _, field := range []string{"limit", "set", "allowed", "used", "reserved", "in_flight", "held_until"} {
		require.Contains(t, command, field)
	}
	require.Equal(t, 97.0, command["allowed"])
}

func TestSendingSettingsAreBounded(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Admin)
	before := c.contents().settings
	for _, bad := range []struct{ days, share, field string }{
		{"0", "1", "keep_days"}, {"3651", "1", "keep_days"}, {"", "1", "keep_days"}, {"a week", "1", "keep_days"},
		{"30", "100.0001", "verify_share"}, {"30", "-1", "verify_share"}, {"30", "", "verify_share"},
		{"30", "1.23456", "verify_share"}, {"30", "all", "verify_share"}, {"30", "1e1", "verify_share"},
	} {
		got := b.post("/sending", "failure_limit", "20", "canary", "1", "keep_days", bad.days, "verify_share", bad.share)
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, "%+v", bad)
		require.Regexp(t, `id="`+bad.field+`"[^>]* aria-invalid="true"`, got.body, "%+v", bad)
		require.Equal(t, before, c.contents().settings)
	}
	require.Regexp(t,
		`(?s)<dt>Tag snapshots</dt>\s*<dd>on</dd>.*<dt>Keep snapshots for \(days\)</dt>\s*<dd>30</dd>.*\(percent\)</dt>\s*<dd>1</dd>`,
		c.as(auth.Auditor).get("/sending").body)
}

func TestSharesAreReadAndWrittenExactly(t *testing.T) {
	for typed, want := range map[string]snapshot.Share{"0": 0, "1": 10_000, "100": snapshot.All, " 0.05 % ": 500,
		"12,5": 125_000, "0.0001": 1, "99.9999": 999_999, "1.": 10_000} {
		require.Equal(t, want, typedShare(typed), typed)
		require.Equal(t, want, typedShare(templates.Percent(want)), typed)
	}
}
