package main

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim/timtest"
)

// opened puts a console together in this process, without its web server.
func opened(t *testing.T, database, simulator, family string) *console {
	serve := &serveCommand{
		database: newDatabase(database),
		app:      newApp(simulator, family),
		Listen:   "127.0.0.1:0", KeyFile: keyFile(t), WitnessFile: filepath.Join(t.TempDir(), "console.witness"),
	}
	con, err := serve.open(t.Context(), &streams{log: quiet})
	require.NoError(t, err)
	t.Cleanup(con.close)
	require.NoError(t, con.audit.CompareLines(t.Context()))
	con.engine.LostCallEnds = 200 * time.Millisecond // the simulator's late changes come within 100 ms
	return con
}

// keyFile is one file for all consoles of a test.
func keyFile(t testing.TB) string { return filepath.Join(filepath.Dir(t.TempDir()), "console.key") }

func newDatabase(path string) database { return database{Database: path} }

func newApp(simulator, family string) app {
	return app{Name: "Test chat", Environment: "test", SDKAppID: strconv.Itoa(sampleSDKAppID), SecretKey: sampleKey,
		Identifier: "administrator", Domain: simulator, Family: family, Rate: "97"}
}

// carryOut runs the engine until the job has ended or halted.
func carryOut(t *testing.T, con *console, id string) jobs.Job {
	t.Helper()
	return carryUntil(t, con, id, func(j jobs.Job) bool { return j.Settled() || j.State == jobs.Halted })
}

// carryThrough runs the engine until the job has ended, or halted for good.
func carryThrough(t *testing.T, con *console, id string) jobs.Job {
	t.Helper()
	return carryUntil(t, con, id, func(j jobs.Job) bool {
		return j.Settled() || j.State == jobs.Halted && !jobs.Recovers(j.HaltCode)
	})
}

func carryUntil(t *testing.T, con *console, id string, ended func(jobs.Job) bool) jobs.Job {
	t.Helper()
	var job jobs.Job
	running, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	var group errgroup.Group
	group.Go(func() error { return con.engine.Run(running) })
	group.Go(func() (err error) {
		defer stop()
		return awaited(running, func() (bool, error) {
			job, err = con.jobs.Get(running, id)
			return ended(job), err
		})
	})
	require.NoError(t, group.Wait())
	return job
}

func startedJob(t *testing.T, s *jobs.Jobs, accounts []byte) jobs.Job {
	t.Helper()
	job, err := jobstest.Draft(&jobstest.Console{Jobs: s}, commandLine(), jobs.Upload{AppID: strconv.Itoa(sampleSDKAppID),
		Choices: jobstest.EveryRow()}, string(accounts))
	require.NoError(t, err)
	job, err = s.Start(t.Context(), commandLine(), job.ID, jobs.StartRequest{Confirm: job.Accounts, Reading: job.Reading})
	require.NoError(t, err)
	return job
}

// Whatever goes wrong with every third call, the job ends and each account is
// what the simulator says it is.
func TestEveryFaultEndsInTheTruth(t *testing.T) {
	t.Parallel()
	for _, fault := range []timtest.Fault{timtest.ServerError, timtest.Timeout, timtest.TooOften, timtest.BadGateway, timtest.BadGatewayAfter,
		timtest.Garbage, timtest.GarbageAfter, timtest.HalfAnswer, timtest.ResetBefore, timtest.ResetAfter, timtest.LateApply} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			_, base := simulate(t, func(c *timtest.Config) {
				c.Faults = timtest.Faults{Shares: map[timtest.Fault]float64{fault: 0.3}, LateWithin: 100 * time.Millisecond}
			})
			database := storetest.SQLiteFile(t)
			con := opened(t, database, base, "all_member_push")
			job := carryThrough(t, con, startedJob(t, con.jobs, accountFile(3_000)).ID) // some bad answers in a row look like an outage
			require.Equal(t, jobs.Finished, job.State, "%d %s", job.HaltCode, job.HaltInfo)
			require.Equal(t, job.Accounts, job.Counts[jobs.Cleared]+job.Counts[jobs.Untagged]+job.Counts[jobs.Failed])
			requireMatch(t, database, base, job.ID)
		})
	}
}

func TestAnAnswerThatNeverComesIsReadBack(t *testing.T) {
	t.Parallel()
	for _, fault := range []timtest.Fault{timtest.SilentBefore, timtest.SilentAfter} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			simulator, base := simulate(t, func(c *timtest.Config) {
				c.Faults = timtest.Faults{Shares: map[timtest.Fault]float64{fault: 1}, Most: 2}
			})
			database := storetest.SQLiteFile(t)
			con := opened(t, database, base, "all_member_push")
			job := carryOut(t, con, startedJob(t, con.jobs, accountFile(1_000)).ID)
			require.Equal(t, jobs.Finished, job.State)
			require.Equal(t, int64(2), simulator.Stats().Faults[fault])
			require.Equal(t, int64(2), requireMatch(t, database, base, job.ID).Lost)
		})
	}
}

func TestUnknownAccountsFailAlone(t *testing.T) {
	t.Parallel()
	for _, family := range []string{"all_member_push", "timpush"} {
		for _, unknown := range []timtest.Unknown{timtest.ErrorList, timtest.FailedBatch, timtest.Silent, timtest.Omitted} {
			t.Run(family+"/"+string(unknown), func(t *testing.T) {
				t.Parallel()
				simulator, base := simulate(t, func(c *timtest.Config) {
					c.UnknownShare = 0.01
					c.Faults = timtest.Faults{Unknown: unknown, Shares: map[timtest.Fault]float64{timtest.ResetAfter: 0.1, timtest.ResetBefore: 0.1}}
				})
				database := storetest.SQLiteFile(t)
				con := opened(t, database, base, family)
				job := carryOut(t, con, startedJob(t, con.jobs, accountFile(1_000)).ID)
				require.Equal(t, jobs.Finished, job.State)
				requireMatch(t, database, base, job.ID)
				for r, err := range con.jobs.Results(t.Context(), job.ID, "") {
					require.NoError(t, err)
					if unknown == timtest.ErrorList || unknown == timtest.FailedBatch {
						// In doubt and unknown is read back as having no tags, which is true of it too.
						if r.Outcome == jobs.Failed {
							require.False(t, simulator.Known(r.Account.Account))
							require.Equal(t, 70107, r.Code)
						}
						if simulator.Known(r.Account.Account) {
							require.Contains(t, []jobs.Outcome{jobs.Cleared, jobs.Untagged}, r.Outcome)
						}
					}
				}
			})
		}
	}
}

func TestHaltResumesWithoutLoss(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		simulator, base := simulate(t, func(c *timtest.Config) { c.Faults = timtest.Faults{Code: 90045} })
		con := opened(t, database, base, "all_member_push")
		job := carryOut(t, con, startedJob(t, con.jobs, accountFile(5_000)).ID)
		require.Equal(t, jobs.Halted, job.State)
		require.Equal(t, 90045, job.HaltCode)
		require.Less(t, len(simulator.Ledger()), 20, "those already claimed, and no more")
		require.Equal(t, int64(5_000), job.Counts[jobs.Waiting])

		require.NoError(t, simulator.SetFaults(timtest.Faults{}))
		_, err := con.jobs.Act(t.Context(), commandLine(), job.ID, jobs.Resume)
		require.NoError(t, err)
		job = carryOut(t, con, job.ID)
		require.Equal(t, jobs.Finished, job.State)
		requireMatch(t, database, base, job.ID)
	})
}

func TestCarefulStartHaltsAfterABadBatch(t *testing.T) {
	t.Parallel()
	simulator, base := simulate(t, func(c *timtest.Config) { c.Faults = timtest.Faults{Code: 70107} })
	con := opened(t, storetest.SQLiteFile(t), base, "all_member_push")
	job := carryOut(t, con, startedJob(t, con.jobs, accountFile(1_000)).ID)
	require.Equal(t, jobs.Halted, job.State)
	require.Equal(t, jobs.CodeFailures, job.HaltCode)
	require.Equal(t, int64(100), job.Counts[jobs.Failed])
	for _, call := range simulator.Ledger() {
		require.NotContains(t, call.Accounts, "member_0000100", "of the second batch nothing was sent")
	}
}

func TestAnExpiredSignatureIsRenewedOnce(t *testing.T) {
	t.Parallel()
	simulator, base := simulate(t, func(c *timtest.Config) { c.Faults = timtest.Faults{Code: 70001} })
	database := storetest.SQLiteFile(t)
	con := opened(t, database, base, "all_member_push")
	job := carryOut(t, con, startedJob(t, con.jobs, accountFile(100)).ID)
	require.Equal(t, jobs.Halted, job.State)
	require.Len(t, simulator.Ledger(), 2, "a signature that does not help is not hammered")
}

func TestCancelSettlesOnlyWhatWasSent(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		simulator, base := simulate(t, func(c *timtest.Config) {
			c.Faults = timtest.Faults{Latency: 200 * time.Millisecond,
				Shares: map[timtest.Fault]float64{timtest.ResetBefore: 0.2, timtest.ResetAfter: 0.2}}
		})
		con := opened(t, database, base, "all_member_push")
		id := startedJob(t, con.jobs, accountFile(20_000)).ID
		go func() {
			until(t, "calls are in flight", func() bool { return len(simulator.Ledger()) > 30 })
			_, err := con.jobs.Act(t.Context(), commandLine(), id, jobs.Cancel)
			if err != nil {
				t.Error(err)
			}
		}()
		job := carryOut(t, con, id)
		require.Equal(t, jobs.Cancelled, job.State)
		require.Positive(t, job.Counts[jobs.Cleared])
		require.Positive(t, job.Counts[jobs.Unsent])
		require.Zero(t, job.Counts.Open())
		requireMatch(t, database, base, id)
	})
}

func TestPauseMakesNoCallUntilResumed(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		simulator, base := simulate(t, nil)
		con := opened(t, database, base, "all_member_push")
		id := startedJob(t, con.jobs, accountFile(10_000)).ID
		paused := make(chan jobs.Job, 1)
		go func() {
			until(t, "calls are made", func() bool { return len(simulator.Ledger()) > 30 })
			if _, err := con.jobs.Act(t.Context(), commandLine(), id, jobs.Pause); err != nil {
				t.Error(err)
			}
			var job jobs.Job
			until(t, "the calls in flight are settled", func() (settled bool) {
				var err error
				job, err = con.jobs.Get(t.Context(), id)
				return err != nil || job.Shown() == jobs.Paused
			})
			calls, settled := len(simulator.Ledger()), time.Now()
			until(t, "a second has passed", func() bool { return time.Since(settled) > time.Second })
			if more := len(simulator.Ledger()) - calls; more > 0 {
				t.Errorf("%d calls for a paused job", more)
			}
			paused <- job
			if _, err := con.jobs.Act(t.Context(), commandLine(), id, jobs.Resume); err != nil {
				t.Error(err)
			}
		}()
		job := carryOut(t, con, id)
		require.Equal(t, jobs.Finished, job.State)
		require.Positive(t, (<-paused).Counts[jobs.Waiting])
		requireMatch(t, database, base, id)
	})
}

func TestLedgerHoldsEveryCall(t *testing.T) {
	t.Parallel()
	simulator, base := simulate(t, nil)
	database := storetest.SQLiteFile(t)
	con := opened(t, database, base, "all_member_push")
	job := carryOut(t, con, startedJob(t, con.jobs, accountFile(2_000)).ID)
	found := requireMatch(t, database, base, job.ID)
	require.Equal(t, int64(len(simulator.Ledger())), found.Calls)
	require.Equal(t, job.Calls, found.Calls)
	s := reopen(t, database)
	answered := 0
	for call, err := range s.Calls(t.Context(), job.ID) {
		require.NoError(t, err)
		if call.Delivery == "not_sent" { // a busy machine let it miss its time; its batch went out in another
			continue
		}
		require.Equal(t, "answered", call.Delivery)
		require.Positive(t, call.Duration)
		answered++
	}
	require.Len(t, simulator.Ledger(), answered)
}

func TestJobOfManyAccountsEnds(t *testing.T) {
	t.Parallel()
	_, base := simulate(t, func(c *timtest.Config) {
		c.Faults.Shares = map[timtest.Fault]float64{timtest.ServerError: 0.005, timtest.ResetAfter: 0.005, timtest.BadGateway: 0.005}
	})
	p := newProgram(t, base, storetest.SQLiteFile(t))
	p.start()
	operator := p.signIn("olga")
	n := sized(30_000, 100_000)
	id := operator.draft(accountFile(n))
	operator.start(id)
	until(t, "the job is finished", func() bool { return operator.ended(id) })
	found := requireMatch(t, p.database, base, id)
	require.Equal(t, int64(n), operator.job(id).Accounts)
	t.Logf("%d accounts agree, %d calls, %d without an answer, at most %d accounts in one call and %d calls in any second",
		found.Accounts, found.Calls, found.Lost, found.Largest, found.MaxInAnySecond)
}
