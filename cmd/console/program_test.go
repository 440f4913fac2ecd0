package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim/timtest"
)

// builtProgram is the program as `make build` builds it: the tests start, stop
// and kill it as a process of its own.
var builtProgram string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp(os.Getenv("GOTMPDIR"), "tagsweep-program-*")
	if err == nil {
		builtProgram = filepath.Join(folder, "console")
		build := exec.Command("go", "build", "-trimpath", "-o", builtProgram, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		build.Stderr = os.Stderr
		err = build.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the program could not be built:", err)
		os.Exit(1)
	}
	storetest.Main(m, endBrowser, func() { os.RemoveAll(folder) })
}

// program is a console with its settings; start runs it.
type program struct {
	t         testing.TB
	settings  []string
	database  string
	address   string
	listening *listening
	process   *exec.Cmd
	log       *os.File
}

// newProgram makes a console for a simulator, with a user for each role.
func newProgram(t testing.TB, simulator, database string) *program {
	addUsers(t, database)
	return programOf(t, simulator, database)
}

// programOf makes a console of a database as it is, or that there is not yet.
func programOf(t testing.TB, simulator, database string) *program {
	p := &program{t: t, database: database, settings: []string{
		"CONSOLE_LISTEN=127.0.0.1:0",
		"CONSOLE_DATABASE=" + database,
		"CONSOLE_KEY_FILE=" + keyFile(t),
		"CONSOLE_CHECKPOINT_FILE=" + filepath.Join(t.TempDir(), "console.checkpoints"),
		"CONSOLE_WITNESS_FILE=" + filepath.Join(t.TempDir(), "console.witness"),
		"CONSOLE_TIM_NAME=Test chat",
		"CONSOLE_TIM_ENVIRONMENT=test",
		"CONSOLE_TIM_SDKAPPID=" + strconv.Itoa(sampleSDKAppID),
		"CONSOLE_TIM_SECRET_KEY=" + sampleKey,
		"CONSOLE_TIM_DOMAIN=" + simulator,
	}}
	var err error
	p.log, err = os.Create(filepath.Join(t.TempDir(), "console.log"))
	require.NoError(t, err)
	t.Cleanup(func() {
		p.end()
		if t.Failed() {
			t.Logf("the end of the console's log:\n%s", p.lastLogged())
		}
	})
	return p
}

// addUsers makes a user for each role, without the cost of a real password.
func addUsers(t testing.TB, database string) {
	s := reopen(t, database)
	for user, role := range map[string]auth.Role{"olga": auth.Operator, "adam": auth.Admin, "aida": auth.Auditor} {
		_, err := s.Users.Create(t.Context(), commandLine(), user, role, jobstest.PasswordHash)
		require.NoError(t, err)
	}
	require.NoError(t, s.DB.Close())
}

// reopen opens the database of a console as it is, with the key of its log.
func reopen(t testing.TB, database string) *jobstest.Console {
	s := jobstest.Reopen(t, database)
	keys, err := readKeys(keyFile(t))
	require.NoError(t, err)
	s.Audit.UseKey(keys.entries)
	return s
}

// end kills the console if it runs.
func (p *program) end() {
	if p.process != nil {
		p.stop(syscall.SIGKILL)
	}
}

// command runs a subcommand to its end and returns what it printed.
func (p *program) command(input string, args ...string) (string, error) {
	return runProgram(input, p.settings, args...)
}

func runProgram(input string, settings []string, args ...string) (string, error) {
	command := exec.Command(builtProgram, args...)
	command.Env = append(os.Environ(), settings...)
	command.Stdin = strings.NewReader(input)
	out, err := command.CombinedOutput()
	return string(out), err
}

// start runs the console and returns once it listens.
func (p *program) start() {
	p.launch()
	require.True(p.t, p.listens(), "the console ended before it listened; its log:\n%s", p.lastLogged())
}

// launch runs the console and does not wait.
func (p *program) launch() {
	p.process = exec.Command(builtProgram, "serve")
	p.process.Env = append(os.Environ(), p.settings...)
	p.process.Stderr = p.log
	out, err := p.process.StdoutPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, p.process.Start())
	l := &listening{ready: make(chan struct{})}
	p.listening = l
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		_, l.address, _ = strings.Cut(strings.TrimSpace(line), "listens on ")
		close(l.ready)
	}()
}

// listening is where a console listens, once it is ready; "" when it ended before.
type listening struct {
	ready   chan struct{}
	address string
}

// listens waits for the console's address; it is false when the console ended first.
func (p *program) listens() bool {
	<-p.listening.ready
	p.address = p.listening.address
	return p.address != ""
}

func (p *program) logged() string {
	content, err := os.ReadFile(p.log.Name())
	require.NoError(p.t, err)
	return string(content)
}

// lastLogged is the end of the log without the requests that were answered.
func (p *program) lastLogged() string {
	lines := slices.DeleteFunc(strings.Split(p.logged(), "\n"),
		func(line string) bool { return strings.Contains(line, "level=INFO msg=request") })
	return strings.Join(lines[max(0, len(lines)-100):], "\n")
}

// stop sends a signal and waits for the end.
func (p *program) stop(signal os.Signal) error {
	require.NoError(p.t, p.process.Process.Signal(signal))
	err := p.process.Wait()
	p.process = nil
	return err
}

// until polls until the condition holds; a test that hangs ends with a reason.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); !holds(); {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

// simulate starts a simulator in this process; the console is another.
func simulate(t testing.TB, change func(*timtest.Config)) (*timtest.Service, string) {
	config := timtest.Config{SDKAppID: sampleSDKAppID, SecretKey: sampleKey, Identifier: "administrator", Seed: 1,
		UnknownShare: 0.002, UntaggedShare: 0.1, Faults: timtest.Faults{Latency: 20 * time.Millisecond}}
	if change != nil {
		change(&config)
	}
	simulator, base, err := startSimulator(config, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, simulator.Close()) })
	return simulator, base
}

// onEachDatabase runs a test on both engines, side by side.
func onEachDatabase(t *testing.T, body func(t *testing.T, database string)) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			body(t, databaseOf(t, engine))
		})
	}
}

// databaseOf makes a new database of an engine.
func databaseOf(t testing.TB, engine string) string {
	if engine == "postgres" {
		return storetest.PostgresURL(t)
	}
	return storetest.SQLiteFile(t)
}

// requireMatch holds finished jobs, and the inspections of their samples, against
// the simulator and recounts them.
func requireMatch(t testing.TB, database, simulator string, ids ...string) *timtest.Comparison {
	t.Helper()
	s := reopen(t, database)
	for _, id := range ids {
		inspection, err := s.InspectionOf(t.Context(), id)
		require.NoError(t, err)
		if inspection == nil {
			continue
		}
		until(t, "the sample is inspected", func() bool {
			j, err := s.Get(t.Context(), inspection.ID)
			require.NoError(t, err)
			return j.Settled()
		})
		ids = append(ids, inspection.ID)
	}
	found, err := timtest.Compare(t.Context(), s, timtest.NewControl(simulator), ids...)
	require.NoError(t, err)
	require.Empty(t, found.Wrong)
	verified, err := s.Evidence.Verify(t.Context(), audit.Proofs{})
	require.NoError(t, err)
	require.Empty(t, verified.Wrong)
	return found
}

// accountFile holds n accounts, one a line.
func accountFile(n int) []byte {
	var file bytes.Buffer
	for i := range n {
		fmt.Fprintf(&file, "member_%07d\n", i)
	}
	return file.Bytes()
}

// tamper changes the database behind the console's back.
func tamper(t *testing.T, database, statement string) {
	engine, address := "sqlite", database+"?_pragma=busy_timeout(10000)"
	if strings.HasPrefix(database, "postgres://") {
		engine, address = "pgx", database
	}
	db, err := sql.Open(engine, address)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec(statement)
	require.NoError(t, err)
}

// probeNow ends the waits for the next probe of the service, and for batches to
// be tried again.
func probeNow(t *testing.T, database string) {
	tamper(t, database, `UPDATE apps SET probe_at = 1 WHERE probe_at > 0`)
	tamper(t, database, `UPDATE batches SET not_before = 0 WHERE not_before > 0 AND console = ''`)
}

// silenced has killed consoles silent for long; for 20 s they might live, but
// there are none.
func silenced(t *testing.T, database string) { tamper(t, database, `UPDATE consoles SET seen_at = 1`) }

// proving asks for all that takes long, as `make prove` does.
var proving = os.Getenv("TAGSWEEP_PROVE") != ""

// sized is a size that is enough to see a fault, and a larger one to prove that there is none.
func sized(enough, proof int) int {
	if proving {
		return proof
	}
	return enough
}

var quiet = slog.New(slog.DiscardHandler)
