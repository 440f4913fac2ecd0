package jobs_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

var someone = audit.System

// runs starts a runner with a job of so many accounts, which ends with the test.
func runs(t *testing.T, s *store.Store, accounts int) (r *jobs.Runner, service *timtest.Service, job jobs.Job, stop func() error) {
	t.Helper()
	return runsOver(t, s, accounts, jobs.InFlight, timtest.Faults{})
}

// runsOver does so over few connections, against a service with faults.
func runsOver(t *testing.T, s *store.Store, accounts, connections int, faults timtest.Faults, change ...func(*jobs.Runner)) (r *jobs.Runner, service *timtest.Service, job jobs.Job, stop func() error) {
	t.Helper()
	const key = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
	app := storetest.App
	service, err := timtest.New(timtest.Config{SDKAppID: app.SDKAppID, SecretKey: key, Identifier: app.Identifier, Seed: 1, Faults: faults})
	require.NoError(t, err)
	base, err := service.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	client, err := tim.New(tim.Config{SDKAppID: app.SDKAppID, SecretKey: key, Identifier: app.Identifier, Domain: base, Family: tim.AllMemberPush, MaxConns: connections})
	require.NoError(t, err)
	var file strings.Builder
	for n := range accounts {
		fmt.Fprintf(&file, "member%d\n", n)
	}
	job, err = storetest.Draft(s, someone, store.NewJob{}, file.String())
	require.NoError(t, err)
	job, err = s.StartJob(t.Context(), someone, job.ID, store.Start{Confirm: job.Accounts})
	require.NoError(t, err)
	r = &jobs.Runner{App: app, Client: client, Store: s, Log: slog.New(slog.DiscardHandler), ReadBackAfter: 200 * time.Millisecond}
	for _, change := range change {
		change(r)
	}
	running, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(running) }()
	stopped := false
	stop = func() error {
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if !stopped {
			require.NoError(t, stop())
		}
	})
	return r, service, job, stop
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for tick := time.NewTicker(10 * time.Millisecond); !holds(); {
		select {
		case <-limit.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

// troubled makes a store unusable in the middle of a job, and usable again.
func troubled(t *testing.T, s *store.Store, spoil, mend func(), want *fault.Sentence) {
	t.Helper()
	r, service, job, _ := runs(t, s, 8_000)
	calls := func() int { return len(service.Ledger()) }
	until(t, "calls are made", func() bool { return calls() > 20 })
	require.Nil(t, r.Trouble())
	spoil()
	until(t, "the runner says what is wrong", func() bool {
		trouble := r.Trouble()
		return trouble != nil && trouble.Fault.Sentence == want
	})
	spoilt := time.Now()
	until(t, "what was written down before has left", func() bool { return time.Since(spoilt) > time.Second })
	before := calls()
	began := time.Now()
	until(t, "a second has passed", func() bool { return time.Since(began) > time.Second })
	require.Equal(t, before, calls(), "no call leaves that could not be written down")
	mend()
	until(t, "the job has ended by itself", func() bool {
		j, err := s.Job(t.Context(), job.ID)
		return err == nil && j.Settled()
	})
	until(t, "the runner says that all is well", func() bool { return r.Trouble() == nil })
	acknowledged := map[string]int{}
	for _, call := range service.Ledger() {
		if call.Command == tim.RemoveAllTags && call.Acknowledged() {
			for _, account := range call.Accounts {
				acknowledged[account]++
			}
		}
	}
	require.Len(t, acknowledged, 8_000)
	for account, times := range acknowledged {
		require.Equal(t, 1, times, "%s was sent again though it was acknowledged", account)
	}
}

func locked(t *testing.T, path string) (release func()) {
	other, err := sql.Open("sqlite", "file:"+path+"?_txlock=exclusive&_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	t.Cleanup(func() { other.Close() })
	held, err := other.Begin()
	require.NoError(t, err)
	return func() { held.Rollback() }
}

func TestOutageByLockedDatabaseStopsCalls(t *testing.T) {
	t.Parallel()
	path := storetest.SQLiteFile(t)
	s := storetest.Open(t, path)
	var release func()
	troubled(t, s, func() { release = locked(t, path) }, func() { release() }, store.FaultLocked)
}

func TestOutageOfDatabaseStopsCalls(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	s := storetest.Open(t, address)
	u, err := url.Parse(address)
	require.NoError(t, err)
	name := strings.TrimPrefix(u.Path, "/")
	u.Path = "/postgres"
	admin, err := sql.Open("pgx", u.String())
	require.NoError(t, err)
	t.Cleanup(func() { admin.Close() })
	allow := func(connections bool) {
		_, err := admin.ExecContext(t.Context(), fmt.Sprintf(`ALTER DATABASE %q ALLOW_CONNECTIONS %t`, name, connections))
		require.NoError(t, err)
	}
	troubled(t, s, func() {
		allow(false)
		_, err := admin.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, name)
		require.NoError(t, err)
	}, func() { allow(true) }, store.FaultGone)
}

func TestRunnerStopsWithUnwritableAnswers(t *testing.T) {
	t.Parallel()
	path := storetest.SQLiteFile(t)
	s := storetest.Open(t, path)
	r, service, job, stop := runs(t, s, 8_000)
	until(t, "calls are made", func() bool { return len(service.Ledger()) > 20 })
	release := locked(t, path)
	began := time.Now()
	require.NoError(t, stop())
	require.Less(t, time.Since(began), 30*time.Second)
	release()
	_, err := s.Expire(t.Context(), r.App.ID, true, 0)
	require.NoError(t, err)
	j, err := s.Job(t.Context(), job.ID)
	require.NoError(t, err)
	require.Zero(t, j.Counts[jobs.Sending])
	require.Equal(t, int64(8_000), j.Counts.Sum())
}

// Calls that have left the runner may still wait for a connection.
func TestKillSwitchStopsQueuedCalls(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLiteFile(t))
	require.NoError(t, s.ChangeSending(t.Context(), someone, storetest.App.ID, store.SendingSettings{FailureLimit: 100, KeepDays: 30}))
	_, service, _, _ := runsOver(t, s, 20_000, 3, timtest.Faults{Latency: 700 * time.Millisecond})
	until(t, "calls wait for a connection", func() bool { return len(service.Ledger()) > 3 })
	require.NoError(t, s.ThrowKillSwitch(t.Context(), someone, "test"))
	thrown := time.Now()
	until(t, "a few seconds have passed", func() bool { return time.Since(thrown) > 4*time.Second })
	last := service.Ledger()[len(service.Ledger())-1]
	require.Less(t, time.UnixMicro(last.At).Sub(thrown), time.Second)
}

// Pages and /healthz say what is wrong with the database before a job is started.
func TestOutageIsReportedByIdleRunner(t *testing.T) {
	t.Parallel()
	path := storetest.SQLiteFile(t)
	s := storetest.Open(t, path)
	r, _, job, _ := runs(t, s, 100)
	until(t, "the job has ended", func() bool {
		j, err := s.Job(t.Context(), job.ID)
		return err == nil && j.Settled()
	})
	release := locked(t, path)
	until(t, "the runner says what is wrong", func() bool {
		trouble := r.Trouble()
		return trouble != nil && trouble.Fault.Sentence == store.FaultLocked
	})
	release()
	until(t, "all is well", func() bool { return r.Trouble() == nil })
}

// hardStore is a store whose claims take long or fail.
type hardStore struct {
	*store.Store
	slow    atomic.Bool
	failing atomic.Bool // claims of readings
	claims  atomic.Int64
}

func (s *hardStore) Claim(ctx context.Context, appID string, command tim.Command, limit int, lease time.Duration) ([]jobs.Claim, time.Time, error) {
	if command == tim.GetTags && s.failing.Load() {
		return nil, time.Time{}, errors.New("a row cannot be read")
	}
	claims, next, err := s.Store.Claim(ctx, appID, command, limit, lease)
	s.claims.Add(int64(len(claims)))
	if s.slow.Load() && len(claims) > 0 {
		<-time.NewTimer(700 * time.Millisecond).C // the answer to the commit
	}
	return claims, next, err
}

func TestClaimCommittedLateIsNotSent(t *testing.T) {
	t.Parallel()
	s := &hardStore{Store: storetest.Open(t, storetest.SQLiteFile(t))}
	s.slow.Store(true)
	r, service, job, _ := runsOver(t, s.Store, 2_000, jobs.InFlight, timtest.Faults{}, func(r *jobs.Runner) { r.Store = s })
	until(t, "some were claimed and given back", func() bool { return s.claims.Load() > 2 })
	require.NotNil(t, r.Trouble(), "a page says why nothing happens")
	require.Empty(t, service.Ledger())
	s.slow.Store(false)
	until(t, "the job has ended by itself", func() bool {
		j, err := s.Job(t.Context(), job.ID)
		return err == nil && j.Settled()
	})
}

func TestOutageStopsClaimsOfAllCommands(t *testing.T) {
	t.Parallel()
	s := &hardStore{Store: storetest.Open(t, storetest.SQLiteFile(t))}
	r, service, job, _ := runsOver(t, s.Store, 20_000, jobs.InFlight, timtest.Faults{}, func(r *jobs.Runner) { r.Store = s })
	until(t, "calls are made", func() bool { return len(service.Ledger()) > 20 })
	s.failing.Store(true)
	until(t, "the runner says so", func() bool { return r.Trouble() != nil })
	settled := time.Now()
	until(t, "claims under way have ended", func() bool { return time.Since(settled) > 300*time.Millisecond })
	before := s.claims.Load()
	until(t, "another second has passed", func() bool { return time.Since(settled) > 1300*time.Millisecond })
	require.Equal(t, before, s.claims.Load(), "each is two transactions and a line of the ledger")
	s.failing.Store(false)
	until(t, "the job has ended by itself", func() bool {
		j, err := s.Job(t.Context(), job.ID)
		return err == nil && j.Settled()
	})
}
