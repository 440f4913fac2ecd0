package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim/timtest"
)

// The console is killed again and again at random moments of one job. Each time the
// job continues by itself, and in the end every account is what the simulator says.
func TestKill9JobResumesCorrectly(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		simulator, base := simulate(t, func(c *timtest.Config) {
			c.Faults.Shares = map[timtest.Fault]float64{timtest.ServerError: 0.01, timtest.ResetAfter: 0.01, timtest.ResetBefore: 0.01}
		})
		p := newProgram(t, base, database)
		p.start()
		operator := p.signIn("olga")
		kills := sized(5, 20)
		if strings.HasPrefix(database, "postgres://") { // where more stays in doubt, and for longer
			kills = sized(2, 20)
		}
		id := operator.draft(accountFile(8_000 + 2_000*kills))
		operator.start(id)

		calls := func() int { return len(simulator.Ledger()) }
		var slowest time.Duration
		for range kills {
			goal := calls() + 1 + rand.IntN(20)
			until(t, "some more calls are made", func() bool { return calls() >= goal })
			delay := time.NewTimer(rand.N(15 * time.Millisecond)) // not always just after a call
			<-delay.C
			require.Error(t, p.stop(syscall.SIGKILL))
			if strings.HasPrefix(database, "postgres://") && !proving {
				silenced(t, database)
			}
			before, restarted := calls(), time.Now()
			p.start()
			until(t, "the job goes on by itself", func() bool { return calls() > before })
			slowest = max(slowest, time.Since(restarted))
		}
		operator = p.signIn("olga")
		until(t, "the job is finished", func() bool { return operator.ended(id) })
		require.NoError(t, p.stop(syscall.SIGTERM))
		found := requireMatch(t, database, base, id)
		t.Logf("%d kills: %d accounts agree, %d calls, %d without an answer, at most %d in any second; the slowest "+
			"restart made its first call after %s",
			kills, found.Accounts, found.Calls, found.Lost, found.MaxInAnySecond, slowest.Round(time.Millisecond))
	})
}

// Two consoles on one database draw on one budget, also when the service has
// kept both waiting and then answers everything at once.
func TestRateLimitHoldsForTwoConsoles(t *testing.T) {
	simulator, base := simulate(t, func(c *timtest.Config) { c.Faults.Latency = 4 * time.Second })
	database := storetest.PostgresURL(t)
	one, two := opened(t, database, base, "all_member_push"), opened(t, database, base, "all_member_push")
	id := startedJob(t, one.jobs, accountFile(sized(45_000, 80_000))).ID
	running, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	var group errgroup.Group
	for _, con := range []*console{one, two} {
		group.Go(func() error { return con.engine.Run(running) })
	}
	group.Go(func() error {
		until(t, "both have many calls in flight", func() bool { return simulator.Stats().Open > 200 })
		return simulator.SetFaults(timtest.Faults{Latency: 10 * time.Millisecond})
	})
	group.Go(func() error {
		defer stop()
		job, err := awaitEnd(running, one.jobs, id)
		if err == nil && job.State != jobs.Finished {
			err = fmt.Errorf("the job is %s: %d %s", job.State, job.HaltCode, job.HaltInfo)
		}
		return err
	})
	require.NoError(t, group.Wait())
	found := requireMatch(t, database, base, id)
	t.Logf("%d accounts agree, at most %d calls in any second", found.Accounts, found.MaxInAnySecond)
}

func TestSIGTERMFinishesTheCallsInHand(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		simulator, base := simulate(t, func(c *timtest.Config) { c.Faults.Latency = 300 * time.Millisecond })
		p := newProgram(t, base, database)
		p.start()
		operator := p.signIn("olga")
		id := operator.draft(accountFile(10_000))
		operator.start(id)
		until(t, "calls are in flight", func() bool { return len(simulator.Ledger()) > 20 })
		require.NoError(t, p.stop(syscall.SIGTERM))

		p.start()
		operator = p.signIn("olga")
		j := operator.job(id)
		require.Zero(t, j.Outcomes["in_doubt"], "every call was answered and written down")
		until(t, "the job is finished", func() bool { return operator.ended(id) })
		found := requireMatch(t, database, base, id)
		require.Zero(t, found.Lost)
	})
}
