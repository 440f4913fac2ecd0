package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim/timtest"
)

// As the program itself, this test binary is the console: the tests start, stop
// and kill it as a process of its own, with the race detector in it.
const asProgram = "TAGSWEEP_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	storetest.Main(m)
}

// program is a console with its settings; start runs it.
type program struct {
	t        testing.TB
	settings []string
	database string
	address  string
	process  *exec.Cmd
	log      *os.File
}

const testPassword = "correct horse battery"

// newProgram makes a console for a simulator, with a user for each role.
func newProgram(t testing.TB, simulator, database string) *program {
	p := &program{t: t, database: database, settings: []string{
		asProgram + "=1",
		"CONSOLE_LISTEN=127.0.0.1:0",
		"CONSOLE_DATABASE=" + database,
		"CONSOLE_KEY_FILE=" + filepath.Join(t.TempDir(), "console.key"),
		"CONSOLE_TIM_NAME=Test chat",
		"CONSOLE_TIM_ENVIRONMENT=test",
		"CONSOLE_TIM_SDKAPPID=" + strconv.Itoa(sampleSDKAppID),
		"CONSOLE_TIM_SECRET_KEY=" + sampleKey,
		"CONSOLE_TIM_DOMAIN=" + simulator,
	}}
	for user, role := range map[string]string{"olga": "operator", "adam": "admin", "aida": "auditor"} {
		out, err := p.command(testPassword+"\n", "user", "add", user, "--role", role)
		require.NoError(t, err, out)
	}
	var err error
	p.log, err = os.Create(filepath.Join(t.TempDir(), "console.log"))
	require.NoError(t, err)
	t.Cleanup(func() {
		if p.process != nil {
			p.stop(syscall.SIGKILL)
		}
		if t.Failed() {
			t.Logf("the console's log:\n%s", p.logged())
		}
	})
	return p
}

// command runs a subcommand to its end and returns what it printed.
func (p *program) command(input string, args ...string) (string, error) {
	return runProgram(input, p.settings, args...)
}

func runProgram(input string, settings []string, args ...string) (string, error) {
	command := exec.Command(os.Args[0], args...)
	command.Env = append(os.Environ(), append([]string{asProgram + "=1"}, settings...)...)
	command.Stdin = strings.NewReader(input)
	out, err := command.CombinedOutput()
	return string(out), err
}

// start runs the console and returns once it listens.
func (p *program) start() {
	p.process = exec.Command(os.Args[0], "serve")
	p.process.Env = append(os.Environ(), p.settings...)
	p.process.Stderr = p.log
	out, err := p.process.StdoutPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, p.process.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(p.t, err)
	_, p.address, _ = strings.Cut(strings.TrimSpace(line), "listens on ")
}

func (p *program) logged() string {
	content, err := os.ReadFile(p.log.Name())
	require.NoError(p.t, err)
	return string(content)
}

// stop sends a signal and waits for the end.
func (p *program) stop(signal os.Signal) error {
	require.NoError(p.t, p.process.Process.Signal(signal))
	err := p.process.Wait()
	p.process = nil
	return err
}

// visitor is a signed-in person who uses scripts instead of a browser.
type visitor struct {
	t       testing.TB
	program *program
	client  *http.Client
}

func (p *program) signIn(user string) *visitor {
	jar, err := cookiejar.New(nil)
	require.NoError(p.t, err)
	v := &visitor{p.t, p, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	answer, _ := v.post("/login", url.Values{"username": {user}, "password": {testPassword}})
	require.Equal(p.t, http.StatusSeeOther, answer.StatusCode)
	return v
}

func (v *visitor) do(request *http.Request) (*http.Response, string) {
	answer, err := v.client.Do(request)
	require.NoError(v.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(v.t, err)
	return answer, string(body)
}

func (v *visitor) post(path string, form url.Values) (*http.Response, string) {
	request, err := http.NewRequest(http.MethodPost, v.program.address+path, strings.NewReader(form.Encode()))
	require.NoError(v.t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(request)
}

func (v *visitor) get(path string) (*http.Response, string) {
	request, err := http.NewRequest(http.MethodGet, v.program.address+path, nil)
	require.NoError(v.t, err)
	return v.do(request)
}

// upload sends a file and returns the answer.
func (v *visitor) upload(name string, content []byte) (*http.Response, string) {
	return v.do(v.uploading(name, content))
}

func (v *visitor) uploading(name string, content []byte) *http.Request {
	var around bytes.Buffer
	form := multipart.NewWriter(&around)
	require.NoError(v.t, form.WriteField("note", "from a test"))
	_, err := form.CreateFormFile("file", name)
	require.NoError(v.t, err)
	before := bytes.Clone(around.Bytes())
	around.Reset()
	require.NoError(v.t, form.Close())
	body := io.MultiReader(bytes.NewReader(before), bytes.NewReader(content), &around)
	request, err := http.NewRequest(http.MethodPost, v.program.address+"/jobs", body)
	require.NoError(v.t, err)
	request.Header.Set("Content-Type", form.FormDataContentType())
	return request
}

// paste uploads text and returns the id of its job.
func (v *visitor) paste(text string) string {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	require.NoError(v.t, form.WriteField("text", text))
	require.NoError(v.t, form.Close())
	request, err := http.NewRequest(http.MethodPost, v.program.address+"/jobs", &body)
	require.NoError(v.t, err)
	request.Header.Set("Content-Type", form.FormDataContentType())
	answer, page := v.do(request)
	require.Equal(v.t, http.StatusSeeOther, answer.StatusCode, page)
	return strings.TrimPrefix(answer.Header.Get("Location"), "/jobs/")
}

// draft uploads a file and returns the id of its job.
func (v *visitor) draft(content []byte) string {
	answer, body := v.upload("users.csv", content)
	require.Equal(v.t, http.StatusSeeOther, answer.StatusCode, body)
	return strings.TrimPrefix(answer.Header.Get("Location"), "/jobs/")
}

type jobJSON struct {
	ID        string
	State     string
	Read      int
	Rows      int64
	Rejected  int64
	Duplicate int64
	Protected int64
	Accounts  int64
	Outcomes  map[string]int64
	Calls     int64
}

func (v *visitor) job(id string) (j jobJSON) {
	request, err := http.NewRequest(http.MethodGet, v.program.address+"/jobs/"+id, nil)
	require.NoError(v.t, err)
	request.Header.Set("Accept", "application/json")
	answer, body := v.do(request)
	require.Equal(v.t, http.StatusOK, answer.StatusCode, body)
	require.NoError(v.t, json.Unmarshal([]byte(body), &j))
	return j
}

// start confirms the number of accounts and starts the job.
func (v *visitor) start(id string) {
	answer, body := v.post("/jobs/"+id+"/start", url.Values{"confirm": {strconv.FormatInt(v.job(id).Accounts, 10)}})
	require.Equal(v.t, http.StatusSeeOther, answer.StatusCode, body)
}

// until polls until the condition holds; a test that hangs ends with a reason.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
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

// onEach runs a test on both engines.
func onEach(t *testing.T, body func(t *testing.T, database string)) {
	t.Run("sqlite", func(t *testing.T) { body(t, filepath.Join(t.TempDir(), "console.db")) })
	t.Run("postgres", func(t *testing.T) { body(t, storetest.PostgresURL(t)) })
}

// requireTruth holds a finished job against the simulator and recounts it.
func requireTruth(t *testing.T, database, simulator, job string) *comparison {
	t.Helper()
	s := storetest.Open(t, database)
	found, err := compare(t.Context(), s, timtest.NewControl(simulator), job)
	require.NoError(t, err)
	require.Empty(t, found.Wrong)
	wrong, err := s.Verify(t.Context())
	require.NoError(t, err)
	require.Empty(t, wrong)
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
	engine := "sqlite"
	if strings.HasPrefix(database, "postgres://") {
		engine = "pgx"
	}
	db, err := sql.Open(engine, database)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec(statement)
	require.NoError(t, err)
}

var quiet = slog.New(slog.DiscardHandler)
