package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
)

func TestSettingsErrorsAreAllNamed(t *testing.T) {
	t.Parallel()
	out, err := runProgram("", []string{"CONSOLE_TIM_RATE=1000", "CONSOLE_TIM_FAMILY=push", "CONSOLE_TIM_DOMAIN=http://example.com",
		"CONSOLE_TRUSTED_PROXIES=10.0.0.0/8,nonsense", "CONSOLE_SESSION_IDLE=1m", "CONSOLE_SESSION_LIFE=25h"}, "serve")
	require.ErrorContains(t, err, "exit status 1")
	for _, name := range []string{"CONSOLE_TIM_SDKAPPID is not set", "CONSOLE_TIM_SECRET_KEY is not set", `CONSOLE_TIM_RATE is "1000"`,
		`CONSOLE_TIM_FAMILY is "push"`, `CONSOLE_TIM_DOMAIN is "http://example.com"`, `CONSOLE_TRUSTED_PROXIES is "nonsense"`,
		`CONSOLE_SESSION_IDLE is "1m"`, `CONSOLE_SESSION_LIFE is "25h"`} {
		require.Contains(t, out, name)
	}
}

func TestAPortInUseIsASentence(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	p := newProgram(t, "http://127.0.0.1:1", storetest.SQLiteFile(t))
	out, err := p.command("", "serve", "--listen", taken.Addr().String())
	require.Error(t, err)
	require.Contains(t, out, "The console cannot listen on "+taken.Addr().String())
}

func TestSecondConsoleOnSQLiteIsRefused(t *testing.T) {
	t.Parallel()
	_, base := simulate(t, nil)
	p := newProgram(t, base, storetest.SQLiteFile(t))
	p.start()
	out, err := p.another().command("", "serve")
	require.Error(t, err)
	require.Contains(t, out, "Another console is using this database file")
}

func TestSecretKeyFileIsReadAndNeverShown(t *testing.T) {
	t.Parallel()
	_, base := simulate(t, nil)
	p := newProgram(t, base, storetest.SQLiteFile(t))
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte(sampleKey+"\n"), 0o600))
	p.settings = append(p.settings, "CONSOLE_TIM_SECRET_KEY=", "CONSOLE_TIM_SECRET_KEY_FILE="+file)
	p.start()
	operator := p.signIn("olga")
	id := operator.draft(accountFile(100))
	operator.start(id)
	until(t, "the job is finished", func() bool { return operator.ended(id) })
	_, page := operator.get("/jobs/" + id)
	require.NotContains(t, p.logged()+page, sampleKey)
	require.NotContains(t, p.logged()+page, "usersig")
}

func TestUserCommands(t *testing.T) {
	t.Parallel()
	_, base := simulate(t, nil)
	p := programOf(t, base, filepath.Join(t.TempDir(), "new", "console.db"))
	for user, role := range map[string]string{"olga": "operator", "adam": "admin", "aida": "auditor"} {
		out, err := p.command(jobstest.Password+"\n", "user", "add", user, "--role", role)
		require.NoError(t, err, out)
	}
	out, err := p.command("", "user", "list")
	require.NoError(t, err)
	require.Contains(t, out, "olga")
	require.Contains(t, out, "operator")
	p.start()
	for _, user := range []string{"olga", "adam", "aida"} {
		p.signIn(user)
	}
	require.NoError(t, p.stop(syscall.SIGTERM))

	for name, test := range map[string]struct {
		input string
		args  []string
		says  string
	}{
		"the same name":    {jobstest.Password + "\n", []string{"user", "add", "olga", "--role", "admin"}, "the user name olga already exists"},
		"an unknown role":  {jobstest.Password + "\n", []string{"user", "add", "otto", "--role", "king"}, "--role"},
		"no password":      {"", []string{"user", "add", "otto", "--role", "admin"}, "No password was given"},
		"a short password": {"short\n", []string{"user", "password", "olga"}, "10"},
		"an unknown user":  {jobstest.Password + "\n", []string{"user", "password", "otto"}, "This user does not exist"},
	} {
		out, err := p.command(test.input, test.args...)
		require.Error(t, err, name)
		require.Contains(t, out, test.says, name)
	}
	out, err = p.command("another good one\n", "user", "password", "olga")
	require.NoError(t, err, out)
}

func TestVerifyNamesTheFault(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		_, base := simulate(t, nil)
		con := opened(t, database, base, "all_member_push")
		job := carryOut(t, con, startedJob(t, con.jobs, accountFile(250)).ID)
		out, err := runProgram("", nil, "verify", "--database", database)
		require.NoError(t, err, out)
		tamper(t, database, `UPDATE batches SET outcome = 'failed' WHERE number = 2`)
		out, err = runProgram("", nil, "verify", "--database", database)
		require.ErrorContains(t, err, "exit status 1")
		require.Contains(t, out, "job "+job.ID+": accounts cleared: 1")
	})
}

func TestDemoOnceAgreesWithTheSimulator(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "demo")
	out, err := runProgram("", nil, "demo", "--once", "--accounts", "5000", "--data", folder)
	require.NoError(t, err, out)
	require.Contains(t, out, "They agree on all 5000 accounts.")
	require.Regexp(t, `The tags of the \d+ cleared accounts were kept, so that they can be put back`, out)

	out, err = runProgram("", nil, "demo", "--once", "--accounts", "500", "--data", folder)
	require.NoError(t, err, "an earlier demo is replaced: %s", out)

	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "precious"), []byte("x"), 0o600))
	out, err = runProgram("", nil, "demo", "--once", "--data", other)
	require.Error(t, err)
	require.Contains(t, out, "files that are not from an earlier demo")
	require.FileExists(t, filepath.Join(other, "precious"))
}

func TestSimulateSaysWhatItCannotDo(t *testing.T) {
	t.Parallel()
	for _, faults := range []string{"server_error", "sulk=0.1", "server_error=2"} {
		out, err := runProgram("", nil, "simulate", "--listen", "127.0.0.1:0", "--faults", faults)
		require.Error(t, err, faults)
		require.Contains(t, out, "The simulator was not started", faults)
		require.Less(t, strings.Count(out, "\n"), 4, out)
	}
}

// The console could not tell an entry of another key from a forged one.
func TestUserCommandsNeedTheKeyFileOfTheLog(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "http://127.0.0.1:1", storetest.SQLiteFile(t))
	other := filepath.Join(t.TempDir(), "other.key")
	add := []string{"user", "add", "otto", "--role", "admin", "--key-file", other}
	for _, made := range []bool{false, true} {
		if made {
			_, err := readKeys(other)
			require.NoError(t, err)
		}
		out, err := p.command(jobstest.Password+"\n", add...)
		require.Error(t, err)
		require.Contains(t, out, "was not written with the key file "+other+". Nothing was changed.")
		_, err = os.Stat(other)
		require.Equal(t, made, err == nil, "no key is made for a log that has one")
	}
	out, err := p.command(jobstest.Password+"\n", add[:5]...)
	require.NoError(t, err, out)
}
