package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/tim/timtest"
)

const formTime = "2006-01-02T15:04"

type healthJSON struct {
	Log                      string
	Status, Sending, Message string
	Since                    *time.Time
}

// health is what the console says of itself to anybody.
func (p *program) health() (status int, said healthJSON) {
	answer, err := http.Get(p.address + "/healthz")
	require.NoError(p.t, err)
	defer answer.Body.Close()
	require.NoError(p.t, json.NewDecoder(answer.Body).Decode(&said))
	return answer.StatusCode, said
}

func (p *program) untilSending(how string) {
	p.t.Helper()
	until(p.t, "the sending is "+how, func() bool { _, said := p.health(); return said.Sending == how })
}

// sendingJSON is what the page of the sending says to scripts.
type sendingJSON struct {
	Stopped, Trouble, Probing *struct{}
	Commands                  []struct {
		Command       string
		Used, Allowed float64
	}
	Jobs []struct{ ID string }
}

func (v *apiClient) sending() (now sendingJSON) {
	v.json("/sending", &now)
	return now
}

func (v *apiClient) json(path string, into any) {
	request, err := http.NewRequest(http.MethodGet, v.program.address+path, nil)
	require.NoError(v.t, err)
	request.Header.Set("Accept", "application/json")
	answer, body := v.do(request)
	require.Equal(v.t, http.StatusOK, answer.StatusCode, body)
	require.NoError(v.t, json.Unmarshal([]byte(body), into))
}

// control checks the pages that control sending, and what people see
// while something keeps the console from it.
func (s *pageTest) control() {
	olga, adam := s.signIn("olga"), s.signIn("adam")
	open := func(selector string) func(w *tab) { return func(w *tab) { w.do(click(selector)) } }
	big := s.draftNamed(olga, "churned-users-2026-11.csv", memberFile(40_000))
	job := "/jobs/" + big
	olga.start(big)
	until(s.t, "some accounts are cleared", func() bool { return olga.job(big).Outcomes["cleared"] > 1_500 })
	s.do(adam, "/sending/stop", url.Values{"reason": {"OPS-4711: the list is not the right one"}})
	s.check(pageState{"stopped", "olga", job, nil},
		pageState{"stopped-lift", "adam", "/sending", open(".banner summary")})
	s.do(olga, job+"/pause", nil)
	s.do(adam, job+"/first", url.Values{"first": {"1"}})
	s.do(adam, "/sending/lift", nil)
	tomorrow := time.Now().AddDate(0, 0, 1).Format(formTime)
	scheduled := s.draftNamed(olga, "trial-users-2026-12.csv", memberFile(300))
	s.do(olga, "/jobs/"+scheduled+"/start", url.Values{"confirm": {"300"}, "at": {tomorrow}})
	s.check(
		pageState{"sending", "olga", "/sending", nil},
		pageState{"sending-admin", "adam", "/sending", nil},
		pageState{"sending-wrong", "adam", "/sending", func(w *tab) {
			require.Equal(s.t, 422, w.follow(fill("#rate", "500"),
				chromedp.Evaluate[chromedp.Void](`document.querySelector("form[action='/sending']").submit()`)))
		}},
		pageState{"stop", "adam", "/jobs", open("#stop summary")},
		pageState{"scheduled", "olga", "/jobs/" + scheduled, nil},
		pageState{"review-wrong-time", "olga", "/jobs/" + olga.draft(memberFile(300)), func(w *tab) {
			require.Equal(s.t, 422, w.follow(fill("#confirm", "300"), chromedp.Evaluate[chromedp.Void](
				`{ const at = document.querySelector("#at"); at.value = "2026-01-01T10:00"; at.form.submit() }`)))
		}},
	)
	s.approvals(olga, adam)
	s.decisions(olga, big)
	s.halts(olga, scheduled)
	s.restored(adam)
	s.alarms(adam)
	for _, w := range s.tabs {
		w.open("/protected") // a page that asks for nothing more when the console stops
	}
}

// approvals checks the pages of the second person.
func (s *pageTest) approvals(olga, adam *apiClient) {
	open := func(selector string) func(w *tab) { return func(w *tab) { w.do(click(selector)) } }
	s.do(adam, "/sending/approvals", url.Values{"approve_above": {"100"}, "approvers": {"operator"}, "approval_hours": {"24"}})
	large := s.draftNamed(olga, "lapsed-users-2026-12.csv", memberFile(200))
	job := "/jobs/" + large
	s.check(pageState{"approval-needed", "adam", job, open("details:has(#emergency-reason) summary")})
	s.do(olga, job+"/ask", url.Values{"confirm": {"200"}, "note": {"OPS-4712: lapsed since May"}})
	s.check(pageState{"approval-waits", "olga", job, nil},
		pageState{"approval-asked", "adam", job, open("details:has(#reason) summary")},
		pageState{"approvals", "adam", "/approvals", nil})
	var list struct{ Approvals []struct{ ID string } }
	adam.json("/approvals", &list)
	s.do(adam, "/approvals/"+list.Approvals[0].ID+"/refuse", url.Values{"reason": {"the list of November"}})
	s.check(pageState{"approval-refused", "olga", job, nil})
	s.do(olga, job+"/cancel", nil)
	s.do(adam, "/sending/approvals", url.Values{"approvers": {"operator"}, "approval_hours": {"24"}})
}

// restored checks the messages after the database was replaced by an older copy.
func (s *pageTest) restored(adam *apiClient) {
	held, err := reopen(s.t, s.database).HoldSending(s.t.Context(), jobs.Sends{})
	require.NoError(s.t, err)
	require.True(s.t, held)
	s.untilSending("stopped")
	s.check(pageState{"restored", "aida", "/jobs", nil},
		pageState{"restored-lift", "adam", "/sending/restored", nil})
	var report struct{ Accounts int64 }
	adam.json("/sending/restored", &report)
	s.do(adam, "/sending/lift", url.Values{"confirm": {strconv.FormatInt(report.Accounts, 10)}})
}

// alarms checks the messages that the clock must be checked and that the log is not signed.
func (s *pageTest) alarms(adam *apiClient) {
	reason := url.Values{"reason": {"a new disk"}}
	jumped := audit.Entry{Code: audit.ClockJumped, Actor: audit.System}
	require.NoError(s.t, reopen(s.t, s.database).Audit.Record(s.t.Context(), jumped))
	until(s.t, "the clock must be checked", func() bool {
		_, page := adam.get("/audit/proof")
		return strings.Contains(page, `action="/audit/clock"`)
	})
	s.check(pageState{"clock", "aida", "/jobs", nil}, pageState{"proof-clock", "adam", "/audit/proof", nil})
	s.do(adam, "/audit/clock", reason)

	tamper(s.t, s.database, `DROP TRIGGER checkpoints_no_delete`)
	tamper(s.t, s.database, `DELETE FROM checkpoints WHERE size = (SELECT MAX(size) FROM checkpoints)`)
	s.do(adam, "/audit/verify", nil)
	until(s.t, "the log is not signed", func() bool { _, said := s.health(); return said.Log == "not_signed" })
	s.check(pageState{"not-signed", "olga", "/jobs", nil}, pageState{"proof-not-signed", "adam", "/audit/proof", nil})
	s.do(adam, "/audit/resume", reason)
}

func (s *pageTest) draftNamed(v *apiClient, name string, content []byte) string {
	answer, body := v.upload(name, content)
	require.Equal(s.t, http.StatusSeeOther, answer.StatusCode, body)
	return strings.TrimPrefix(answer.Header.Get("Location"), "/jobs/")
}

// do posts a form that must be taken.
func (s *pageTest) do(v *apiClient, path string, form url.Values) (location string) {
	answer, body := v.post(path, form)
	require.Equal(s.t, http.StatusSeeOther, answer.StatusCode, body)
	return answer.Header.Get("Location")
}

// decisions has accounts of a paused job wait for a person, and makes a new job
// of those that were left.
func (s *pageTest) decisions(olga *apiClient, id string) {
	job := "/jobs/" + id
	until(s.t, "no call is in flight", func() bool { return olga.job(id).Outcomes["sending"] == 0 })
	tamper(s.t, s.database,
		`UPDATE batches SET outcome = 'in_doubt', ask = 1, code = CASE WHEN number > 399 THEN 60027 ELSE 0 END WHERE `+
			`job_id = '`+id+`' AND number > 398`)
	tamper(s.t, s.database,
		`UPDATE jobs SET outcome_waiting = outcome_waiting - 200, outcome_in_doubt = outcome_in_doubt + 200, version = `+
			`version + 1 WHERE id = '`+id+`'`)
	s.check(pageState{"decide", "olga", job, func(w *tab) { w.do(click(".ways .ask summary")) }},
		pageState{"decide-auditor", "aida", job, nil})
	s.do(olga, job+"/decide", url.Values{"decision": {"leave"}})
	s.do(olga, job+"/cancel", nil)
	until(s.t, "the job has ended", func() bool { o := olga.job(id).Outcomes; return o["cancelled"] > 0 && o["in_doubt"] == 0 })
	made := s.do(olga, job+"/retry", url.Values{"outcome": {"failed"}})
	s.check(pageState{"retried", "olga", job, nil}, pageState{"review-retry", "olga", made, nil})
}

// halts has a job halt for its failures, the service go down, and the database
// be held by another program.
func (s *pageTest) halts(olga *apiClient, failed string) {
	tamper(s.t, s.database,
		`UPDATE jobs SET state = 'halted', start_at = 0, halt_code = -12, halt_info = '7/9', outcome_failed = 7, `+
			`outcome_cleared = 2, outcome_waiting = outcome_waiting - 9, version = version + 1 WHERE id = '`+failed+`'`)
	s.check(pageState{"halted-failures", "olga", "/jobs/" + failed, nil})
	s.do(olga, "/jobs/"+failed+"/cancel", nil)

	s.signIn("adam").setCanary(false) // without a careful start, many calls find out at once
	require.NoError(s.t, s.simulator.SetFaults(timtest.Faults{Shares: map[timtest.Fault]float64{timtest.BadGateway: 1}}))
	down := olga.draft(memberFile(5_000))
	olga.start(down)
	s.untilSending("probing")
	s.check(pageState{"probing", "aida", "/accounts", nil}, pageState{"halted-down", "olga", "/jobs/" + down, nil})
	require.NoError(s.t, s.simulator.SetFaults(timtest.Faults{}))
	s.untilSending("running")
	until(s.t, "the job went on by itself", func() bool { return olga.ended(down) })

	last := olga.draft(memberFile(20_000))
	olga.start(last)
	until(s.t, "the job runs", func() bool { return olga.job(last).State == "running" })
	release := holdDatabase(s.t, s.database)
	s.held = true
	until(s.t, "the runner is in trouble", func() bool { return olga.sending().Trouble != nil })
	status, said := s.health()
	require.Equal(s.t, http.StatusServiceUnavailable, status)
	require.Equal(s.t, "held", said.Sending)
	require.NotEmpty(s.t, said.Message)
	s.check(pageState{"trouble", "olga", "/jobs/" + last, nil}, pageState{"trouble-admin", "adam", "/sending", nil})
	release()
	s.held = false
	s.untilSending("running")
	until(s.t, "the job goes on by itself", func() bool { return olga.ended(last) })
}

// holdDatabase locks a SQLite file against all other writers until release.
func holdDatabase(t *testing.T, file string) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", fmt.Sprintf("file:%s?_txlock=immediate&_pragma=busy_timeout(20000)", file))
	require.NoError(t, err)
	tx, err := db.Begin()
	require.NoError(t, err)
	return func() {
		require.NoError(t, tx.Rollback())
		require.NoError(t, db.Close())
	}
}
