package main

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim/timtest"
)

// suspend stops the process where it stands, with calls claimed and in flight.
func (p *program) suspend() { require.NoError(p.t, p.process.Process.Signal(syscall.SIGSTOP)) }

// wake lets it continue as if no time had passed.
func (p *program) wake() { require.NoError(p.t, p.process.Process.Signal(syscall.SIGCONT)) }

// While a console is suspended somebody stops all sending. What it had claimed
// by then does not leave when it wakes.
func TestSuspendedConsoleSendsNothingLate(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			database := databaseOf(t, engine)
			simulator, base := simulate(t, nil)
			p := newProgram(t, base, database)
			p.start()
			operator := p.signIn("olga")
			p.signIn("adam").setCanary(false)
			id := operator.draft(accountFile(sized(90_000, 150_000))) // more than can be sent while another process waits for SQLite's lock
			operator.start(id)
			s := reopen(t, database)
			calls := func() int { return len(simulator.Ledger()) }
			for range sized(2, 5) {
				before := calls()
				until(t, "calls are made", func() bool { return calls() > before+15 })
				p.suspend()
				thrown := make(chan time.Time, 1)
				go func() {
					if err := s.ThrowKillSwitch(t.Context(), commandLine(), ""); err != nil {
						t.Error(err)
					}
					thrown <- time.Now()
				}()
				suspended := time.Now()
				// It may hold a lock that keeps the switch from being thrown until it wakes.
				until(t, "a second and a half has passed", func() bool { return time.Since(suspended) > 1500*time.Millisecond })
				p.wake()
				since := <-thrown
				until(t, "the calls in hand are settled", func() bool { return operator.job(id).Outcomes["sending"] == 0 })
				until(t, "a second has passed", func() bool { return time.Since(since) > time.Second })
				require.Less(t, lastArrival(simulator).Sub(since), time.Second)
				require.NoError(t, s.LiftKillSwitch(t.Context(), commandLine()))
			}
			operator.must("/jobs/"+id+"/cancel", nil)
			until(t, "the calls in flight are answered", func() bool {
				j := operator.job(id)
				return j.Outcomes["waiting"]+j.Outcomes["sending"]+j.Outcomes["in_doubt"] == 0
			})
			require.NoError(t, p.stop(syscall.SIGTERM))
			kept := 0
			for call, err := range s.Calls(t.Context(), id) {
				require.NoError(t, err)
				if call.Delivery == "not_sent" {
					kept++
				}
			}
			require.Positive(t, kept, "calls were claimed when it was suspended")
			found := requireMatch(t, database, base, id)
			t.Logf("%d calls, %d were claimed and not sent", found.Calls, kept)
		})
	}
}

// Another console takes over what a suspended one had in hand; when that wakes,
// its answers are old, and change nothing that was settled meanwhile.
func TestSuspendedTooLongChangesNone(t *testing.T) {
	t.Parallel()
	database := databaseOf(t, "postgres")
	simulator, base := simulate(t, func(c *timtest.Config) {
		c.Faults.Latency = 300 * time.Millisecond
		c.Faults.Shares = map[timtest.Fault]float64{timtest.ResetBefore: 0.05}
	})
	one := newProgram(t, base, database)
	one.start()
	other := one.another()
	t.Cleanup(other.end)
	other.start()
	operator := other.signIn("olga")
	id := operator.draft(accountFile(30_000))
	operator.start(id)
	until(t, "calls are made", func() bool { return len(simulator.Ledger()) > 100 })
	one.suspend()
	suspended := time.Now()
	until(t, "it is taken over, and what it held is settled", func() bool {
		return time.Since(suspended) > 21*time.Second && operator.ended(id)
	})
	require.Less(t, time.Since(suspended), 2*time.Minute, "the other console has not waited for a person")
	before := len(simulator.Ledger())
	one.wake()
	client := one.signIn("olga")
	require.Equal(t, "finished", client.job(id).State)
	require.NoError(t, one.stop(syscall.SIGTERM)) // its answers are saved by then
	require.Len(t, simulator.Ledger(), before, "nothing is sent late")
	found := requireMatch(t, database, base, id)
	t.Logf("%d accounts agree, %d calls, %d without an answer", found.Accounts, found.Calls, found.Lost)
}
