// Package enginetest gives tests an engine that runs against the simulator.
package enginetest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// SecretKey is that of the simulated app.
const SecretKey = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"

// LostCallEnds is how long a lost call of these tests may take effect.
const LostCallEnds = 200 * time.Millisecond

// Simulate starts a simulator of the app of storetest, which knows every account.
func Simulate(t testing.TB, change ...func(*timtest.Config)) (service *timtest.Service, base string) {
	t.Helper()
	config := timtest.Config{SDKAppID: jobstest.App.SDKAppID, SecretKey: SecretKey, Identifier: jobstest.App.Identifier, Seed: 1}
	for _, change := range change {
		change(&config)
	}
	service, err := timtest.New(config)
	require.NoError(t, err)
	base, err = service.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	return service, base
}

// New returns an engine for a simulator, which does not run yet.
func New(t testing.TB, s *jobstest.Console, base string) *engine.Engine {
	t.Helper()
	app := jobstest.App
	client, err := tim.New(tim.Config{SDKAppID: app.SDKAppID, SecretKey: SecretKey, Identifier: app.Identifier, Domain: base,
		Family: tim.AllMemberPush, MaxConns: engine.Connections})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return engine.New(
		engine.Config{
			App:          app,
			Client:       client,
			Store:        s.DB,
			Jobs:         s.Jobs,
			Audit:        s.Audit,
			Snapshots:    s.Snapshots,
			Log:          slog.New(slog.NewTextHandler(t.Output(), nil)),
			LostCallEnds: LostCallEnds,
		},
	)
}

// Run runs an engine until stop is called or the test ends.
func Run(t testing.TB, e *engine.Engine) (stop func()) {
	t.Helper()
	running, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(running) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-ended)
		}
	}
	t.Cleanup(stop)
	return stop
}

// Start starts a draft.
func Start(t testing.TB, s *jobstest.Console, draft jobs.Job) jobs.Job {
	t.Helper()
	j, err := s.Start(t.Context(), audit.System, draft.ID, jobs.StartRequest{Confirm: draft.Accounts})
	require.NoError(t, err)
	return j
}

// Members are so many accounts, a line each.
func Members(n int) string {
	var file strings.Builder
	for i := range n {
		fmt.Fprintf(&file, "member%d\n", i)
	}
	return file.String()
}

// Until waits until a condition holds; a test that hangs ends with a reason.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	limit, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for tick := time.NewTicker(10 * time.Millisecond); !holds(); {
		select {
		case <-limit.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

// Ended waits until nothing of a job can change any more, and returns it.
func Ended(t testing.TB, s *jobstest.Console, jobID string) (j jobs.Job) {
	t.Helper()
	Until(t, "the job has ended", func() bool {
		var err error
		j, err = s.Get(t.Context(), jobID)
		require.NoError(t, err)
		return j.Settled()
	})
	return j
}

// RequireMatch compares jobs with the simulator, and recounts them.
func RequireMatch(t testing.TB, s *jobstest.Console, base string, jobIDs ...string) *timtest.Comparison {
	t.Helper()
	found, err := timtest.Compare(t.Context(), s.Jobs, timtest.NewControl(base), jobIDs...)
	require.NoError(t, err)
	require.Empty(t, found.Wrong)
	verified, err := s.Recount(t.Context())
	require.NoError(t, err)
	require.Empty(t, verified.Wrong)
	return found
}
