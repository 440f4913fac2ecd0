package web

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

func TestAuditSignOff(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		first := c.as(auth.Auditor)
		require.Contains(t, first.get(reviewPath).body, "This is your first visit")
		first.get("/audit")
		require.Contains(t, first.get(reviewPath).body, "This is your first visit", "this is the same visit")
		first.post("/logout")

		c.deny(3, "/users")
		id := c.as(auth.Operator).draft(2)
		require.NoError(t, s.Audit.Record(t.Context(),
			audit.Entry{Code: audit.JobFinished, Actor: audit.System, JobID: id,
				Details: map[string]any{"file": "users.csv", "outcomes": map[string]any{"cleared": 2}}}))
		auditor := c.as(auth.Auditor)
		page := auditor.get(reviewPath).body
		require.Contains(t, page, "Your last visit was on ")
		require.Contains(t, page, `<dt>Failures</dt><dd class="number">3</dd>`)
		require.Contains(t, page, `<dt>Finished jobs</dt><dd class="number">1</dd>`)
		require.Contains(t, page, `<a href="/jobs/`+id+`">users.csv</a>`)
		require.Contains(t, page, `href="/audit?from=`)
		size, err := s.Audit.Size(t.Context())
		require.NoError(t, err)
		require.Contains(t, page, `value="`+strconv.FormatInt(size, 10)+`"`, "up to what there was when the page was opened")

		got := auditor.post(reviewPath, "to", strconv.FormatInt(size-2, 10), "note", "<b>all in order</b>")
		require.Equal(t, http.StatusSeeOther, got.StatusCode, got.body)
		require.Equal(t, reviewPath, got.location())
		page = auditor.get(reviewPath).body
		require.Contains(t, page, fmt.Sprintf("You signed off all entries up to %d.", size-2))
		require.Contains(t, page, "&lt;b&gt;all in order&lt;/b&gt;")
		require.Contains(t, page, "3 entries have not been reviewed yet.")
		require.Contains(t, c.as(auth.Admin).get(reviewPath).body, fmt.Sprintf("Up to entry %d by auditor on ", size-2))
		entry := c.recorded(audit.Filter{Code: audit.LogReviewed})[0]
		require.Equal(t, map[string]any{"from": 1.0, "to": float64(size - 2), "note": "<b>all in order</b>"}, entry.Details)
	})
}

func TestAuditSignOffErrorKeepsTheForm(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	auditor := c.as(auth.Auditor)
	for _, to := range []string{"", "soon", "0", "-1", "999999"} {
		got := auditor.post(reviewPath, "to", to, "note", "what I found")
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, to)
		require.Contains(t, got.body, "Nothing was signed off: the entry number must be from 1 to")
		require.Contains(t, got.body, `value="`+to+`" aria-invalid="true"`)
		require.Contains(t, got.body, "what I found</textarea>")
	}
	got := auditor.post(reviewPath, "to", "1", "note", strings.Repeat("字", reviewLimit+1))
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Contains(t, got.body, "the note is longer than 500 characters")
	require.Empty(t, c.recorded(audit.Filter{Code: audit.LogReviewed}))
	require.Contains(t, auditor.get(reviewPath+"?to=2").body,
		`name="to" type="text" inputmode="numeric" autocomplete="off" required value="2"`)
}

func TestTheProofIsShownInPlainWords(t *testing.T) {
	ctx := t.Context()
	s := jobstest.SQLite(t)
	c := newConsole(t, s) // with users, whose entries are signed at once
	jobstest.Sign(t, s, [32]byte{7})
	auditor := c.as(auth.Auditor)
	page := auditor.get(proofPath).body
	for _, said := range []string{"No checkpoint yet", "No copies have been sent yet",
		"Not verified yet", "Entries are kept forever.", "No entries have been removed."} {
		require.Contains(t, page, said)
	}
	require.Equal(t, http.StatusNotFound, auditor.get("/audit/checkpoint.txt").StatusCode)
	require.NotContains(t, page, keepPath)
	require.NotContains(t, page, erasePath)

	require.NoError(t, s.Audit.Checkpoint(ctx))
	last, err := s.Audit.LastCheckpoint(ctx, 0)
	require.NoError(t, err)
	key, err := s.Audit.Key(ctx)
	require.NoError(t, err)
	require.NoError(t, s.Audit.Published(ctx, "file /var/log/tagsweep.checkpoints", last.Size))
	require.NoError(t, s.Audit.NotPublished(ctx, "syslog logs.example:514", "connection refused"))
	require.NoError(t, s.Audit.SaveVerified(ctx, audit.System,
		audit.Verified{At: last.At, Entries: last.Size, Wrong: []string{"entry 3 of the log: the entry is missing"},
			More: 2}))
	page = auditor.get(proofPath).body
	for _, said := range []string{key, fmt.Sprintf("Covers %d entries", last.Size),
		"1 newer entry will be in the next checkpoint", "File /var/log/tagsweep.checkpoints",
		"Syslog server logs.example:514", "No checkpoint yet.",
		"connection refused", "3 problems found", "entry 3 of the log: the entry is missing", "And 2 more."} {
		require.Contains(t, page, said)
	}
	note := auditor.get("/audit/checkpoint.txt")
	require.Equal(t, "text/plain; charset=utf-8", note.Header.Get("Content-Type"))
	require.Equal(t, last.Note, note.body)
	_, err = audit.OpenCheckpoint(note.body, key)
	require.NoError(t, err)
}

func TestAuditVerificationOnDemand(t *testing.T) {
	var by []audit.Actor
	c := newConsole(t, jobstest.SQLite(t), func(config *Config) {
		config.Verify = func(a audit.Actor) bool { by = append(by, a); return len(by) == 1 }
	})
	jobstest.Free(t, c.store)
	auditor := c.as(auth.Auditor)
	require.Equal(t, proofPath, auditor.post("/audit/verify").location())
	page := auditor.get(proofPath).body
	require.Contains(t, page, "Verification started.")
	require.Contains(t, page, "Verification is running.")
	require.Contains(t, page, `hx-select="#verified"`)
	auditor.post("/audit/verify")
	require.Contains(t, auditor.get(proofPath).body, "Verification is already running.")
	require.Equal(t, "auditor", by[0].Name)

	found, err := c.store.Evidence.Verify(t.Context(), audit.Proofs{})
	require.NoError(t, err)
	require.NoError(t, c.store.Audit.SaveVerified(t.Context(), by[0], found))
	page = auditor.get(proofPath).body
	require.NotContains(t, page, "Verification is running.")
	require.Contains(t, page, "no problems found")
}

func TestHowLongEntriesAreKeptHasAFloor(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	admin := c.as(auth.Admin)
	for _, months := range []string{"11", "0", "-12", "1201", "a year", "12.5"} {
		got := admin.post(keepPath, "months", months)
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, months)
		require.Contains(t, got.body, "the retention period must be 12 to 1,200 months")
		require.Contains(t, got.body, `value="`+months+`" aria-invalid="true"`)
	}
	for months, want := range map[string]string{" 24 ": "Entries are kept for 24 months.", "": "Entries are kept forever."} {
		require.Equal(t, proofPath, admin.post(keepPath, "months", months).location())
		require.Contains(t, admin.get(proofPath).body, want)
	}
}

func TestPagesTellOfARestoredDatabase(t *testing.T) {
	s := jobstest.SQLite(t)
	c := newConsole(t, s)
	id := c.as(auth.Operator).draft(3)
	held, err := s.HoldSending(t.Context(), jobs.Sends{})
	require.NoError(t, err)
	require.True(t, held)
	c.web.status.changed()
	operator, admin := c.as(auth.Operator), c.as(auth.Admin)
	for _, page := range everyPage(id) {
		for _, b := range []*browser{operator, admin} {
			body := b.get(page).body
			require.Contains(t, body, "Sending stopped: this database is an older copy", page)
			require.Contains(t, body, "may have been sent since the copy was made", page)
			require.Contains(t, body, `href="/sending/restored"`, page)
			require.NotContains(t, body, "No data is lost", page)
		}
	}
	require.Contains(t, operator.get("/sending").body, "The database is an older copy.")
	require.NotContains(t, operator.get(restoredPath).body, "/sending/lift")
	require.Contains(t, admin.get(restoredPath).body, `action="/sending/lift"`)
	require.Contains(t, admin.get(restoredPath).body, "3 accounts may have been sent since the copy was made")
	var said restoredJSON
	operator.json(restoredPath, &said)
	require.True(t, said.Held)
	require.Equal(t, []any{int64(3), 1, int64(3)}, []any{said.Accounts, len(said.Jobs), said.Jobs[0].Unsaved})
	list := operator.get("/jobs/" + id + "/restored.csv").body
	require.Equal(t, 4, strings.Count(list, "\n"), list)
	require.Equal(t, http.StatusConflict, admin.post("/sending/lift").StatusCode, "not without the number")
	got := admin.post("/sending/lift", "confirm", "4")
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Contains(t, got.body, `value="4"`, "what was typed stays")

	// A person may have the same word for a reason.
	require.Equal(t, http.StatusSeeOther, admin.post("/sending/lift", "confirm", "3").StatusCode)
	lifted := c.recorded(audit.Filter{Code: audit.KillSwitchLifted})
	require.Len(t, lifted, 1)
	require.Equal(t, float64(3), lifted[0].Details["accounts"])
	require.Len(t, c.recorded(audit.Filter{Code: audit.JobRestored}), 1)
	operator.json(restoredPath, &said)
	require.False(t, said.Held)
	admin.post("/sending/stop", "reason", jobs.RestoredReason)
	require.Contains(t, operator.get("/jobs").body, "All sending is stopped")
}

func TestTheProofSaysThatThereIsNoKey(t *testing.T) {
	auditor := newConsole(t, jobstest.SQLite(t)).as(auth.Auditor)
	require.Contains(t, auditor.get(proofPath).body, "Checkpoints are not signed")
}

// Everybody is told that the log is not signed, and an admin alone can accept it.
func TestPagesTellThatTheLogIsNotSigned(t *testing.T) {
	s := jobstest.SQLite(t)
	witness := filepath.Join(t.TempDir(), "witness")
	require.NoError(t, os.WriteFile(witness, []byte("changed\n"), 0o600))
	jobstest.SignWith(t, s, witness, [32]byte{7})
	c := newConsole(t, s)
	id := c.as(auth.Operator).draft(3)
	operator, auditor, admin := c.as(auth.Operator), c.as(auth.Auditor), c.as(auth.Admin)
	for _, page := range everyPage(id) {
		require.Contains(t, operator.get(page).body, "The log is no longer signed", page)
	}
	require.Contains(t, operator.get("/healthz").body, `"log":"not_signed"`)
	require.NotContains(t, auditor.get("/audit/proof").body, "/audit/resume")
	require.Contains(t, admin.get("/audit/proof").body, `action="/audit/resume"`)
	require.Equal(t, http.StatusForbidden, auditor.post("/audit/resume", "reason", "mine").StatusCode)
	refused := admin.post("/audit/resume", "reason", " ")
	require.Equal(t, http.StatusUnprocessableEntity, refused.StatusCode)
	require.Contains(t, refused.body, "enter the reason")
	require.Equal(t, http.StatusSeeOther, admin.post("/audit/resume", "reason", "a new disk").StatusCode)
	require.NotContains(t, operator.get("/jobs").body, "The log is no longer signed")
	accepted := c.recorded(audit.Filter{Code: audit.LogAccepted})
	require.Len(t, accepted, 1)
	require.Equal(t, "a new disk", accepted[0].Details["reason"])
}

// A clock that was set waits for an admin.
func TestPagesTellOfAClockThatWasSet(t *testing.T) {
	s := jobstest.SQLite(t)
	c := newConsole(t, s)
	require.NoError(t, s.Audit.Record(t.Context(), audit.Entry{Code: audit.ClockJumped, Actor: audit.System}))
	c.web.status.changed()
	auditor, admin := c.as(auth.Auditor), c.as(auth.Admin)
	require.Contains(t, auditor.get("/jobs").body, "The clock must be checked")
	require.NotContains(t, auditor.get("/audit/proof").body, `action="/audit/clock"`)
	require.Equal(t, http.StatusUnprocessableEntity, admin.post("/audit/clock", "reason", "").StatusCode)
	require.Equal(t, http.StatusSeeOther, admin.post("/audit/clock", "reason", "new battery").StatusCode)
	require.NotContains(t, auditor.get("/jobs").body, "The clock must be checked")
	require.Len(t, c.recorded(audit.Filter{Code: audit.ClockConfirmed}), 1)
}
