package main

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// restoredJSON is what the page of a restored database says to scripts.
type restoredJSON struct {
	Held              bool
	Sends, KnownSends int64
	Accounts          int64
	Jobs              []struct {
		ID, State, CSV string
		Accounts       int64
	}
}

func (v *apiClient) restored() (said restoredJSON) {
	request, err := http.NewRequest(http.MethodGet, v.program.address+"/sending/restored", nil)
	require.NoError(v.t, err)
	request.Header.Set("Accept", "application/json")
	answer, body := v.do(request)
	require.Equal(v.t, http.StatusOK, answer.StatusCode, body)
	require.NoError(v.t, json.Unmarshal([]byte(body), &said))
	return said
}

// restoredAccounts downloads the list of a job: each account, and whether its tags are kept.
func (v *apiClient) restoredAccounts(id string) map[string]bool {
	answer, body := v.get("/jobs/" + id + "/restored.csv")
	require.Equal(v.t, http.StatusOK, answer.StatusCode, body)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
	require.NoError(v.t, err)
	kept := map[string]bool{}
	for _, row := range rows[1:] {
		kept[row[1]] = row[3] == "yes"
	}
	return kept
}

// outcomes downloads what became of the accounts of a job.
func (v *apiClient) outcomes(id string) map[string]string {
	answer, body := v.get("/jobs/" + id + "/results.csv")
	require.Equal(v.t, http.StatusOK, answer.StatusCode, body)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
	require.NoError(v.t, err)
	outcomes := map[string]string{}
	for _, row := range rows[1:] {
		outcomes[row[1]] = row[2]
	}
	return outcomes
}

// lift resumes sending with the number that the page asks for, and no other.
func (p *program) lift() {
	p.t.Helper()
	p.accept()
	adam := p.signIn("adam")
	said := adam.restored()
	require.True(p.t, said.Held)
	for _, wrong := range []string{"", strconv.FormatInt(said.Accounts+1, 10)} {
		answer, body := adam.post("/sending/lift", url.Values{"confirm": {wrong}})
		require.Contains(p.t, []int{http.StatusConflict, http.StatusUnprocessableEntity}, answer.StatusCode, body)
	}
	answer, body := adam.post("/sending/lift", url.Values{"confirm": {strconv.FormatInt(said.Accounts, 10)}})
	require.Equal(p.t, http.StatusSeeOther, answer.StatusCode, body)
	require.False(p.t, adam.restored().Held)
}

// accept lets an admin accept a log that lacks what was signed, if it does.
func (p *program) accept() {
	p.t.Helper()
	if _, said := p.health(); said.Log == "" {
		return
	}
	answer, body := p.signIn("adam").post("/audit/resume", url.Values{"reason": {"a backup"}})
	require.Equal(p.t, http.StatusSeeOther, answer.StatusCode, body)
	_, said := p.health()
	require.Empty(p.t, said.Log)
}

// clearedIn counts how often calls removed the tags of each account.
func clearedIn(calls []timtest.Call) map[string]int {
	in := map[string]int{}
	for _, call := range calls {
		if call.Command == tim.RemoveAllTags && call.Applied {
			for _, account := range call.Accounts {
				in[account]++
			}
		}
	}
	return in
}

// A backup is made in the middle of a job, more is sent, the console is killed, and the
// backup is restored: in the same place, or on a machine that has nothing else.
func TestRestoredBackupInMidJobIsNoticed(t *testing.T) {
	t.Parallel()
	type place struct {
		engine    string
		way       storetest.Way
		elsewhere bool // without the files beside the database, but the key
		keep      bool
	}
	var places []place
	for _, keep := range []bool{true, false} {
		places = append(places, place{"sqlite", storetest.FileCopy, false, keep}, place{"sqlite", storetest.VacuumInto, false, keep},
			place{"sqlite", storetest.AtCommit, false, keep}, place{"postgres", storetest.Dump, false, keep},
			place{"sqlite", storetest.VacuumInto, true, keep}, place{"postgres", storetest.Dump, true, keep})
	}
	for _, at := range places {
		name := at.engine + ", " + string(at.way) + map[bool]string{true: ", elsewhere"}[at.elsewhere] +
			map[bool]string{true: ", kept", false: ", not kept"}[at.keep]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulator, base := simulate(t, func(c *timtest.Config) { c.UnknownShare, c.UntaggedShare = 0, 0 })
			p := newProgram(t, base, databaseOf(t, at.engine))
			p.start()
			p.signIn("adam").changeSettings(url.Values{"snapshot": {map[bool]string{true: "1"}[at.keep]},
				"rate": {"40"}}) // much is left when the backup is made, on a busy machine too
			all := sized(12_000, 60_000)
			olga := p.signIn("olga")
			id := olga.draft(accountFile(all))
			olga.start(id)
			cleared := func() int { return len(clearedIn(simulator.Ledger())) }
			until(t, "a part is cleared", func() bool { return cleared() > all/6 })
			if at.way == storetest.FileCopy {
				require.NoError(t, p.stop(syscall.SIGTERM))
			}
			copied := len(simulator.Ledger()) // not more than the backup knows of
			restore := storetest.Backup(t, p.database, at.way)
			if at.way == storetest.FileCopy {
				p.start()
			}
			made := cleared()
			until(t, "more is cleared", func() bool { return cleared() > made+4_000 })
			require.Error(t, p.stop(syscall.SIGKILL))
			until(t, "the calls under way have arrived", func() bool { return simulator.Stats().Open == 0 })
			since := clearedIn(simulator.Ledger()[copied:])
			restore()
			silenced(t, p.database)
			if at.elsewhere {
				folder := t.TempDir()
				p.settings = append(slices.Clone(p.settings), "CONSOLE_WITNESS_FILE="+filepath.Join(folder, "witness"),
					"CONSOLE_CHECKPOINT_FILE="+filepath.Join(folder, "checkpoints"))
			}

			p.start()
			_, said := p.health()
			require.Equal(t, "stopped", said.Sending)
			olga = p.signIn("olga")
			report := olga.restored()
			require.True(t, report.Held)
			require.Len(t, report.Jobs, 1)
			listed := olga.restoredAccounts(id)
			require.Len(t, listed, int(report.Accounts))
			known := olga.outcomes(id)
			var unkept []string
			for account := range since {
				kept, is := listed[account]
				require.True(t, is || known[account] == "cleared", "%s may have been sent, and is not listed", account)
				if is && !kept {
					unkept = append(unkept, account)
				}
			}
			require.Equal(t, http.StatusForbidden, first(olga.post("/sending/lift", url.Values{"confirm": {"1"}})).StatusCode)
			held := len(simulator.Ledger())
			require.NoError(t, p.stop(syscall.SIGTERM))
			p.start()
			require.True(t, p.signIn("olga").restored().Held, "a restart changes nothing")
			require.Len(t, simulator.Ledger(), held, "nothing was sent or read")

			p.lift()
			olga = p.signIn("olga")
			until(t, "the job is finished", func() bool { return olga.ended(id) })
			j := olga.job(id)
			require.Equal(t, int64(all), j.Outcomes["cleared"])
			require.Zero(t, j.Outcomes["untagged"])
			for account, n := range clearedIn(simulator.Ledger()) {
				require.Equal(t, 1, n, "%s was sent again", account)
			}
			var lost []string
			for account, kept := range olga.restoredAccounts(id) {
				if !kept {
					lost = append(lost, account)
				}
			}
			if at.keep {
				require.ElementsMatch(t, unkept, lost, "exactly what cannot be undone is named")
			}
			require.NoError(t, p.stop(syscall.SIGTERM))
			p.start()
			require.False(t, p.signIn("olga").restored().Held, "it is asked once")
			require.NoError(t, p.stop(syscall.SIGTERM))
			requireMatch(t, p.database, base, id)
			t.Logf("%d accounts: %d were sent after the backup, %d listed; undo cannot bring %d back", all, len(since), len(listed), len(lost))
		})
	}
}

func first(answer *http.Response, _ string) *http.Response { return answer }

// While something is sent and when it ends, the count is published: a database behind it
// is held, whatever became of the witness.
func TestMarksArePublishedAndCompared(t *testing.T) {
	t.Parallel()
	simulator, base := simulate(t, nil)
	p := newProgram(t, base, storetest.SQLiteFile(t))
	file, witness := filepath.Join(t.TempDir(), "checkpoints"), filepath.Join(t.TempDir(), "witness")
	p.settings = append(p.settings, "CONSOLE_CHECKPOINT_FILE="+file, "CONSOLE_WITNESS_FILE="+witness)
	p.start()
	olga := p.signIn("olga")
	id := olga.draft(accountFile(2_000))
	restore := storetest.Backup(t, p.database, storetest.VacuumInto)
	earlier, err := os.ReadFile(witness)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	olga.start(id)
	until(t, "the job is finished", func() bool { return olga.ended(id) })
	require.NoError(t, p.stop(syscall.SIGTERM))
	sent := len(simulator.Ledger())
	var marks []string
	for _, note := range notesIn(t, file) {
		if _, err := audit.OpenCheckpoint(note, ""); err != nil {
			marks = append(marks, note)
		}
	}
	require.NotEmpty(t, marks)
	require.Contains(t, marks[len(marks)-1], "\nsends 20\n", "the last one says all")
	out, err := p.command("", "verify", "--checkpoints", file)
	require.NoError(t, err, out)

	restore()
	if earlier == nil {
		require.NoError(t, os.Remove(witness))
	} else {
		require.NoError(t, os.WriteFile(witness, earlier, 0o600)) // restored together with the database
	}
	p.start()
	report := p.signIn("olga").restored()
	require.True(t, report.Held)
	require.Equal(t, int64(2_000), report.Accounts, "the draft may have been started")
	require.Len(t, simulator.Ledger(), sent)
	p.lift()
	olga = p.signIn("olga")
	olga.start(id)
	until(t, "the job is finished", func() bool { return olga.ended(id) })
	require.NoError(t, p.stop(syscall.SIGTERM))
	for account, n := range clearedIn(simulator.Ledger()) {
		require.Equal(t, 1, n, account)
	}
	requireMatch(t, p.database, base, id)
}

// An ordinary kill is never taken for a restored backup, and a second console joins a
// database that is in use.
func TestAKilledConsoleIsNotHeld(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		simulator, base := simulate(t, nil)
		p := newProgram(t, base, database)
		p.start()
		kills := sized(10, 100)
		olga := p.signIn("olga")
		id := olga.draft(accountFile(1_000 * kills))
		olga.start(id)
		for range kills {
			goal := len(simulator.Ledger()) + 3
			until(t, "some more calls are made", func() bool { return len(simulator.Ledger()) >= goal })
			require.Error(t, p.stop(syscall.SIGKILL))
			silenced(t, database)
			p.start()
			require.False(t, p.signIn("olga").restored().Held)
		}
		if strings.HasPrefix(database, "postgres://") {
			second := p.another()
			t.Cleanup(second.end)
			second.start()
			require.False(t, second.signIn("olga").restored().Held, "another console vouches for the database")
			require.NoError(t, second.stop(syscall.SIGTERM))
		}
		olga = p.signIn("olga")
		until(t, "the job is finished", func() bool { return olga.ended(id) })
		require.NotContains(t, p.logged(), "older copy")
		require.NoError(t, p.stop(syscall.SIGTERM))
		requireMatch(t, database, base, id)
	})
}
