package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine"
	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// fixture is an engine that may run, its store, and the simulator it calls.
type fixture struct {
	*testing.T
	*jobstest.Console
	service *timtest.Service
	base    string
	engine  *engine.Engine
}

// onEach runs a test on both databases. No job halts for failures or starts with a
// canary, unless the test says so.
func onEach(t *testing.T, play func(*fixture)) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) { play(newFixture(t, s)) })
}

func newFixture(t *testing.T, s *jobstest.Console) *fixture {
	t.Helper()
	service, base := enginetest.Simulate(t)
	c := &fixture{t, s, service, base, enginetest.New(t, s, base)}
	c.set(`canary = 0, failure_limit = 100`)
	return c
}

// useClient gives the engine another client.
func (c *fixture) useClient(base string, now func() time.Time) {
	c.Helper()
	app := jobstest.App
	client, err := tim.New(tim.Config{SDKAppID: app.SDKAppID, SecretKey: enginetest.SecretKey, Identifier: app.Identifier, Domain: base,
		Family: tim.AllMemberPush, MaxConns: engine.Connections, Now: now})
	require.NoError(c, err)
	c.Cleanup(client.Close)
	c.engine.Client = client
}

// set changes how the app sends.
func (c *fixture) set(columns string) { c.Helper(); c.exec(`UPDATE apps SET ` + columns) }

// exec changes the database behind the engine's back.
func (c *fixture) exec(query string, args ...any) {
	c.Helper()
	require.NoError(c, c.DB.Tx(c.Context(), func(tx *store.Tx) error {
		_, err := tx.ExecContext(c.Context(), query, args...)
		return err
	}))
}

// count asks the database for a number.
func (c *fixture) count(query string, args ...any) (n int) {
	c.Helper()
	require.NoError(c, c.DB.Reader().QueryRowContext(c.Context(), query, args...).Scan(&n))
	return n
}

func (c *fixture) faults(f timtest.Faults) { c.Helper(); require.NoError(c, c.service.SetFaults(f)) }

func (c *fixture) run() (stop func()) { c.Helper(); return enginetest.Run(c, c.engine) }

// starts uploads a file and starts what it makes.
func (c *fixture) starts(kind jobs.Kind, file string) jobs.Job {
	c.Helper()
	choices := jobstest.EveryRow()
	if kind.Tagged() {
		choices.Header = "" // it has one
	}
	draft, err := jobstest.Draft(c.Console, audit.System, jobs.Upload{Kind: kind, Choices: choices}, file)
	require.NoError(c, err)
	return enginetest.Start(c, c.Console, draft)
}

// startDerived reads a job that was made of another, and starts it.
func (c *fixture) startDerived(j jobs.Job, err error) jobs.Job {
	c.Helper()
	require.NoError(c, err)
	require.NoError(c, jobstest.ReadAll(c.Console))
	return enginetest.Start(c, c.Console, c.job(j))
}

func (c *fixture) job(j jobs.Job) jobs.Job {
	c.Helper()
	j, err := c.Get(c.Context(), j.ID)
	require.NoError(c, err)
	return j
}

func (c *fixture) act(j jobs.Job, a jobs.Action) {
	c.Helper()
	_, err := c.Act(c.Context(), audit.System, j.ID, a)
	require.NoError(c, err)
}

func (c *fixture) decide(j jobs.Job, d jobs.Decision) {
	c.Helper()
	_, err := c.Decide(c.Context(), audit.System, j.ID, d)
	require.NoError(c, err)
}

func (c *fixture) until(what string, holds func() bool) { c.Helper(); enginetest.Until(c, what, holds) }

// ends waits for the end of a job, and holds it to its counts.
func (c *fixture) ends(j jobs.Job, counts jobs.Counts) jobs.Job {
	c.Helper()
	j = enginetest.Ended(c, c.Console, j.ID)
	c.requireCounts(j, counts)
	return j
}

func (c *fixture) requireCounts(j jobs.Job, counts jobs.Counts) {
	c.Helper()
	for _, o := range jobs.Outcomes {
		require.Equal(c, counts[o], c.job(j).Counts[o], "%s: %v", o, c.job(j).Counts)
	}
}

// halts waits until a job has halted, and nobody has a batch of it in hand.
func (c *fixture) halts(j jobs.Job, code int) jobs.Job {
	c.Helper()
	c.until("the job has halted", func() bool { return c.job(j).State == jobs.Halted && c.idle(j) })
	require.Equal(c, code, c.job(j).HaltCode)
	return c.job(j)
}

// idle reports whether nobody has a batch of a job in hand.
func (c *fixture) idle(j jobs.Job) bool {
	return c.count(`SELECT COUNT(*) FROM batches WHERE job_id = $1 AND console <> ''`, j.ID) == 0
}

// requireReview waits until a job asks a person about so many accounts.
func (c *fixture) requireReview(j jobs.Job, want jobs.NeedsReview) {
	c.Helper()
	var asked jobs.NeedsReview
	c.until("a person is asked", func() bool {
		var err error
		asked, err = c.NeedsReview(c.Context(), j.ID)
		require.NoError(c, err)
		return asked.Sum() > 0 && c.idle(j)
	})
	require.Equal(c, want, asked)
}

// calls are those of some commands that have arrived; of none, all.
func (c *fixture) calls(commands ...tim.Command) (calls []timtest.Call) {
	for _, call := range c.service.Ledger() {
		if len(commands) == 0 || call.Command == commands[0] {
			calls = append(calls, call)
		}
	}
	return calls
}

// requireMatch compares jobs with the service.
func (c *fixture) requireMatch(all ...jobs.Job) *timtest.Comparison {
	c.Helper()
	var ids []string
	for _, j := range all {
		ids = append(ids, j.ID)
	}
	return enginetest.RequireMatch(c, c.Console, c.base, ids...)
}

// results are the accounts of a job by name.
func (c *fixture) results(j jobs.Job) map[string]jobs.Result {
	c.Helper()
	all := map[string]jobs.Result{}
	for r, err := range c.Results(c.Context(), j.ID, "") {
		require.NoError(c, err)
		all[r.Account.Account] = r
	}
	return all
}

// accounts are so many of them, a line each.
func accounts(name string, n int) string {
	var file strings.Builder
	for i := range n {
		fmt.Fprintf(&file, "%s%d\n", name, i)
	}
	return file.String()
}

// tagged are so many of them with tags to add or remove.
func tagged(name string, n int, tags ...string) string {
	var file strings.Builder
	file.WriteString("account,tags\n")
	for i := range n {
		fmt.Fprintf(&file, "%s%d,%s\n", name, i, strings.Join(tags, ";"))
	}
	return file.String()
}

// tagNames are so many different tags.
func tagNames(n int) (tags []string) {
	for i := range n {
		tags = append(tags, fmt.Sprintf("t%02d", i))
	}
	return tags
}

// loseAnswers loses every call of a command, which does nothing. What is in doubt then
// is read back after readBack.
func (c *fixture) loseAnswers(command tim.Command) {
	c.Helper()
	c.faults(timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ResetBefore: 1}, Commands: []tim.Command{command}})
	c.engine.LostCallEnds = time.Minute
}

// putInDoubt waits until all open accounts of a job are in doubt.
func (c *fixture) putInDoubt(j jobs.Job) {
	c.Helper()
	c.until("all is in doubt", func() bool {
		counts := c.job(j).Counts
		return counts[jobs.InDoubt] > 0 && counts[jobs.InDoubt] == counts.Open() && c.idle(j)
	})
}

// readBack lets what is in doubt be read back now.
func (c *fixture) readBack(f timtest.Faults) {
	c.Helper()
	c.faults(f)
	c.exec(`UPDATE batches SET not_before = 0`)
}
