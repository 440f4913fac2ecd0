package main

import (
	"bytes"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
)

// backedUp is how tests make a backup of a database that is in use.
func backedUp(t *testing.T, database string) (restore func()) {
	if strings.HasPrefix(database, "postgres://") {
		return storetest.Backup(t, database, storetest.Dump)
	}
	return storetest.Backup(t, database, storetest.VacuumInto)
}

// elsewhere gives a console what it has on another machine: the key, and nothing else.
func (p *program) elsewhere() {
	folder := p.t.TempDir()
	p.settings = append(slices.Clone(p.settings), "CONSOLE_WITNESS_FILE="+filepath.Join(folder, "witness"),
		"CONSOLE_CHECKPOINT_FILE="+filepath.Join(folder, "checkpoints"))
}

// A database from which nothing was ever sent may be older than the first batch. On the
// machine where it was used so far, it is known.
func TestACopyBeforeTheFirstBatchIsHeld(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		simulator, base := simulate(t, nil)
		p := newProgram(t, base, database)
		p.start()
		require.False(t, p.signIn("olga").restored().Held, "it is new")
		id := p.signIn("olga").draft(accountFile(300))
		require.NoError(t, p.stop(syscall.SIGTERM))
		p.start()
		olga := p.signIn("olga")
		require.False(t, olga.restored().Held, "it is known here")
		restore := backedUp(t, database)
		olga.start(id)
		until(t, "the job is finished", func() bool { return olga.ended(id) })
		require.Error(t, p.stop(syscall.SIGKILL))
		restore()
		silenced(t, database)
		p.elsewhere()

		p.start()
		report := p.signIn("olga").restored()
		require.True(t, report.Held)
		require.Equal(t, int64(300), report.Accounts)
		require.NoError(t, p.stop(syscall.SIGTERM))
		p.start()
		olga = p.signIn("olga")
		held := audit.Filter{Code: audit.KillSwitchThrown}
		require.Len(t, jobstest.Codes(t, reopen(t, database), held), 1, "a restart finds nothing new")
		p.lift()
		olga.start(id)
		until(t, "the job is finished", func() bool { return olga.ended(id) })
		for account, n := range clearedIn(simulator.Ledger()) {
			require.Equal(t, 1, n, account)
		}
		require.Zero(t, olga.job(id).Outcomes["untagged"])
		require.NoError(t, p.stop(syscall.SIGTERM))
		p.start()
		require.False(t, p.signIn("olga").restored().Held)
	})
}

// A console that knows a send which the database has not holds it, whatever the count.
func TestAStartMissesTheLastSend(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		_, base := simulate(t, nil)
		con := opened(t, database, base, "all_member_push")
		require.NoError(t, con.logTasks.holdRestored(t.Context()))
		now, err := con.jobs.KillSwitch(t.Context())
		require.NoError(t, err)
		require.False(t, now.Thrown())
		require.NoError(t, sendsWitness{con.witness, con.logTasks.origin, time.Now()}.SaveSends(jobs.Sends{Last: "gone"}))
		for range 2 {
			require.NoError(t, con.logTasks.holdRestored(t.Context()))
			now, err = con.jobs.KillSwitch(t.Context())
			require.NoError(t, err)
			require.True(t, now.Restored())
		}
	})
}

// Without the count nobody can say whether a database is an older copy.
func TestADatabaseWithoutTheCountIsNotStarted(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		_, base := simulate(t, nil)
		p := newProgram(t, base, database)
		for _, table := range []string{"sends", "kill_switch"} {
			tamper(t, database, "CREATE TABLE aside AS SELECT * FROM "+table)
			tamper(t, database, "DELETE FROM "+table)
			out, err := p.command("", "serve")
			require.Error(t, err)
			require.Contains(t, out, "Restore a backup of the database")
			require.NotContains(t, out, "no rows in result set")
			tamper(t, database, "INSERT INTO "+table+" SELECT * FROM aside")
			tamper(t, database, "DROP TABLE aside")
		}
	})
}

// What governs is changed, the console is killed a moment later, and a backup from before is
// put back on the same machine: it is noticed, though nothing was sent.
func TestWhatGovernsIsNotUndoneUnnoticed(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		_, base := simulate(t, nil)
		p := newProgram(t, base, database)
		p.start()
		signed := func(code audit.Code) {
			s := reopen(t, database)
			until(t, "the log is signed", func() bool {
				last, err := s.Audit.LastOf(t.Context(), s.DB.Reader(), code)
				require.NoError(t, err)
				c, err := s.Audit.LastCheckpoint(t.Context(), last)
				require.NoError(t, err)
				return c.Note != ""
			})
			require.NoError(t, s.DB.Close())
		}
		signed(audit.UserCreated)
		for what, do := range map[string]func(adam *apiClient){
			"all is stopped": func(adam *apiClient) { adam.must("/sending/stop", url.Values{"reason": {"wrong list"}}) },
			"an account is protected": func(adam *apiClient) {
				adam.must("/protected", url.Values{"accounts": {"member_0000001"}, "note": {"VIP"}})
			},
			"a user is disabled": func(adam *apiClient) {
				olga, err := reopen(t, database).Users.ByName(t.Context(), "olga")
				require.NoError(t, err)
				adam.must("/users/"+olga.ID+"/disable", nil)
			},
		} {
			adam := p.signIn("adam")
			restore := backedUp(t, database)
			do(adam)
			require.Error(t, p.stop(syscall.SIGKILL))
			restore()
			silenced(t, database)
			p.start()
			_, said := p.health()
			require.Equal(t, "stopped", said.Sending, what)
			require.True(t, p.signIn("olga").restored().Held, what)
			p.lift()
			signed(audit.KillSwitchLifted)
		}
	})
}

// The same SDKAppID at another address is not where the rest of a job goes.
func TestAJobIsNotContinuedElsewhere(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		production, base := simulate(t, nil)
		staging, other := simulate(t, nil)
		p := newProgram(t, base, database)
		p.start()
		p.signIn("adam").changeSettings(url.Values{"rate": {"20"}})
		olga := p.signIn("olga")
		id := olga.draft(accountFile(3_000))
		olga.start(id)
		until(t, "calls are made", func() bool { return len(production.Ledger()) > 5 })
		require.Error(t, p.stop(syscall.SIGKILL))
		silenced(t, database)
		was := slices.Clone(p.settings)
		for _, setting := range []string{"CONSOLE_TIM_DOMAIN=" + other, "CONSOLE_TIM_ENVIRONMENT=staging"} {
			p.settings = append(slices.Clone(was), setting)
			out, err := p.command("", "serve")
			require.Error(t, err)
			require.Contains(t, out, "1 jobs of the SDKAppID")
			require.Contains(t, out, "Test chat (test), at "+base)
		}
		require.Empty(t, staging.Ledger())
		p.settings = was
		p.start()
		olga = p.signIn("olga")
		var shown struct{ App struct{ Environment string } }
		olga.json("/jobs/"+id, &shown)
		require.Equal(t, "test", shown.App.Environment)
		olga.must("/jobs/"+id+"/cancel", nil)
		until(t, "it has ended", func() bool {
			j := olga.job(id)
			return j.Outcomes["waiting"]+j.Outcomes["sending"]+j.Outcomes["in_doubt"] == 0
		})
		require.NoError(t, p.stop(syscall.SIGTERM))
		silenced(t, database)
		p.settings = append(slices.Clone(was), "CONSOLE_TIM_DOMAIN="+other, "CONSOLE_TIM_ENVIRONMENT=staging")
		p.start()
		require.NoError(t, p.stop(syscall.SIGTERM))
		require.Empty(t, staging.Ledger())
	})
}

// A copy of one folder shall not have all that shows whether a database is older.
func TestAWitnessBesideTheDatabaseIsWarnedOf(t *testing.T) {
	for witness, warned := range map[string]bool{"data/console.key.witness": true, "other/witness": false} {
		for database, beside := range map[string]bool{"data/console.db": true, "./data/../data/x.db": true, "postgres://data/x": false} {
			var said bytes.Buffer
			warnTogether(database, witness, slog.New(slog.NewTextHandler(&said, nil)))
			require.Equal(t, warned && beside, strings.Contains(said.String(), "CONSOLE_WITNESS_FILE"), "%s %s", database, witness)
		}
	}
}
