package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/tim/timtest"
)

// everyFault is every way the simulator can misbehave, all at once. Calls that
// never get an answer hold a seat for ten seconds each, and those refused as too
// frequent slow the pace down: both are rare here.
const everyFault = "server_error=0.01,timeout=0.005,too_often=0.0005,bad_gateway=0.005," +
	"bad_gateway_after=0.005,garbage=0.003,garbage_after=0.003," +
	"half_answer=0.005,reset_before=0.01,reset_after=0.01,silent_before=0.001,silent_after=0.001,late_apply=0.004"

// torture is one console, or several on one database, that are killed again and
// again while people work with them and the service misbehaves.
type torture struct {
	*testing.T
	random    *rand.Rand
	simulator *timtest.Control
	consoles  []*program
	users     *chaosUsers
	kills     int
}

// setting reads a number that `make torture` sets.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	number, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, "%s must be a number", name)
	return number
}

// Consoles are killed with kill -9 at random moments, while every kind of fault
// continues, several jobs run, some over the same accounts, and people pause,
// resume, cancel and stop everything. In the end console and simulator agree on
// every account. A seed repeats the choices, though not their timing.
func TestTorture(t *testing.T) {
	t.Parallel()
	kills, seed := int(setting(t, "TORTURE_KILLS", 4)), setting(t, "TORTURE_SEED", rand.Uint64())
	for engine, consoles := range map[string]int{"sqlite": 1, "postgres": 2} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			t.Logf("TORTURE_SEED=%d TORTURE_KILLS=%d", seed, kills)
			database := databaseOf(t, engine)
			simulator, base := simulateApart(t, "--seed", fmt.Sprint(seed%1000+1), "--unknown", "0.002", "--spread", "300ms",
				"--late-within", "3s", "--faults", everyFault)
			one := newProgram(t, base, database)
			one.start()
			w := &torture{T: t, random: rand.New(rand.NewPCG(seed, uint64(consoles))), simulator: simulator, consoles: []*program{one}}
			for range consoles - 1 {
				another := one.another()
				t.Cleanup(another.end)
				another.start()
				w.consoles = append(w.consoles, another)
			}
			w.users = newChaosUsers(w, w.random.Uint64())
			w.users.firstJobs(10_000 + 2_500*kills)
			atWork, leave := context.WithCancel(t.Context())
			w.users.start(atWork)
			began := time.Now()
			for w.kills < kills {
				w.round()
			}
			leave()
			killing := time.Since(began)
			for _, p := range w.consoles {
				if p.process == nil {
					p.start()
				}
				require.True(t, p.listens())
			}
			all := w.users.finish()
			for _, p := range w.consoles {
				require.NoError(t, p.stop(syscall.SIGTERM))
			}
			out, err := one.command("", "verify")
			require.NoError(t, err, out)
			records := reopen(t, database)
			found, err := timtest.Compare(t.Context(), records, simulator, all...)
			require.NoError(t, err)
			w.report(found, len(all), killing, time.Since(began))
			w.explain(found, records)
			require.Empty(t, found.Wrong)
			require.Zero(t, found.OtherCalls, "calls whose intent no ledger holds")
			w.requireSilence()
		})
	}
}

// round lets the consoles work for a while, kills one or all of them, and
// starts what was killed.
func (w *torture) round() {
	victims := w.consoles[w.kills%len(w.consoles):][:1]
	if len(w.consoles) > 1 && w.random.IntN(8) == 0 {
		victims = w.consoles
	}
	switch w.random.IntN(10) {
	case 0, 1: // perhaps before it listens
		w.wait(400 * time.Millisecond)
	case 2, 3: // while answers to the calls just made come in
		for _, p := range victims {
			require.True(w, p.listens(), "a console ended by itself; its log:\n%s", p.lastLogged())
		}
		before, hurry := w.calls(), time.Now().Add(2*time.Second)
		until(w, "a call is made", func() bool { return w.calls() > before || time.Now().After(hurry) })
		w.wait(15 * time.Millisecond)
	default:
		for _, p := range victims {
			require.True(w, p.listens(), "a console ended by itself; its log:\n%s", p.lastLogged())
		}
		w.wait(1500 * time.Millisecond)
	}
	for _, p := range victims {
		w.users.killConsole(p, func() { require.Error(w, p.stop(syscall.SIGKILL)) })
		w.kills++
	}
	for _, p := range victims {
		p.launch()
		w.users.addConsole(p)
	}
}

// wait lets a random time pass.
func (w *torture) wait(most time.Duration) {
	timer := time.NewTimer(time.Duration(w.random.Int64N(int64(most))))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.Context().Done():
	}
}

func (w *torture) calls() int64 {
	stats, err := w.simulator.Stats(w.Context())
	require.NoError(w, err)
	return stats.Calls
}

// requireSilence compares the simulator's ledger with the times in which the
// kill switch was thrown.
func (w *torture) requireSilence() {
	for call, err := range w.simulator.Ledger(w.Context(), 0) {
		require.NoError(w, err)
		for _, s := range w.users.quietTimes {
			at := time.UnixMicro(call.At)
			require.False(w, at.After(s.from) && at.Before(s.to), "call %d arrived %s after all sending was stopped",
				call.Number, at.Sub(s.from)+time.Second)
		}
	}
}

func (w *torture) report(found *timtest.Comparison, jobs int, killing, all time.Duration) {
	stats, err := w.simulator.Stats(w.Context())
	require.NoError(w, err)
	faults := int64(0)
	for _, n := range stats.Faults {
		faults += n
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range []struct {
		what  string
		value any
	}{
		{"kill -9", w.kills}, {"consoles", len(w.consoles)}, {"jobs", jobs}, {"what people did", w.users.summary()},
		{"times all sending was stopped", len(w.users.quietTimes)},
		{"accounts", found.Accounts}, {"calls", found.Calls}, {"faults, of so many kinds", fmt.Sprintf("%d, %d", faults, len(stats.Faults))},
		{"calls without an answer", found.Lost}, {"accounts that were in doubt", found.InDoubt},
		{"rows lost", found.Missing}, {"rows with two outcomes", found.Duplicate}, {"acknowledged accounts sent again", found.Resent},
		{"tags removed and not kept", found.Unsaved}, {"tags put back that were not there before", found.WronglyChanged},
		{"tags lost that an undo should have brought back", found.NotRestored},
		{"outcomes that are not true", found.Mismatched}, {"accounts in two calls at once", found.Concurrent},
		{"calls nobody intended", found.OtherCalls + found.Unrecorded}, {"most calls of a command in any second", found.MaxInAnySecond},
		{"time of killing, and until the end", fmt.Sprintf("%s, %s", killing.Round(time.Second), all.Round(time.Second))},
	} {
		fmt.Fprintf(table, "%s\t%v\n", row.what, row.value)
	}
	table.Flush()
	w.Logf("the truth after the torture:\n%s", text.String())
}

// explain logs all that the records and the simulator have on the first account
// that is wrong: runs are random and cannot be repeated.
func (w *torture) explain(found *timtest.Comparison, records *jobstest.Console) {
	wrong := regexp.MustCompile(`account (member_\d+)`).FindStringSubmatch(strings.Join(found.Wrong, "\n"))
	if wrong == nil {
		return
	}
	var text strings.Builder
	events, err := records.History(w.Context(), wrong[1], maxJobs)
	require.NoError(w, err)
	for _, e := range slices.Backward(events) {
		fmt.Fprintf(&text, "%s job %s, source %q, policy %q, only %q, started %s, ended %s: %+v\n", e.Job.Kind, e.Job.ID,
			e.Job.Source, e.Job.Policy, e.Job.Only, e.Job.StartedAt, e.Job.FinishedAt, e.Account)
		for _, c := range e.Calls {
			fmt.Fprintf(&text, "\tintended %s: %+v\n", c.At, c)
		}
	}
	for call, err := range w.simulator.Ledger(w.Context(), 0) {
		require.NoError(w, err)
		if at := slices.Index(call.Accounts, wrong[1]); at >= 0 {
			if call.Accounts = call.Accounts[at:][:1]; call.Tags != nil {
				call.Tags = call.Tags[at:][:1]
			}
			fmt.Fprintf(&text, "arrived %s: %+v\n", time.UnixMicro(call.At), call)
		}
	}
	w.Logf("all that is known of account %s:\n%s", wrong[1], text.String())
}

// accountsFrom is a file of n accounts of those that all files draw on.
func accountsFrom(first, n int) []byte {
	var file strings.Builder
	for i := range n {
		fmt.Fprintf(&file, "member_%07d\n", first+i)
	}
	return []byte(file.String())
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
