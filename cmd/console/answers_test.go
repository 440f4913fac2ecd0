package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// answersTest is a console, a simulator and a job between them.
type answersTest struct {
	*console
	*timtest.Service
	base, database string
	job            jobs.Job
}

// answering starts a job of accounts against a simulator with the faults.
func answering(t *testing.T, family string, faults timtest.Faults, settings jobs.Settings, accounts []string) *answersTest {
	t.Helper()
	a := &answersTest{database: storetest.SQLiteFile(t)}
	a.Service, a.base = simulate(t, func(c *timtest.Config) { c.UnknownShare, c.UntaggedShare, c.Faults = 0, 0, faults })
	a.console = opened(t, a.database, a.base, family)
	require.NoError(t, a.jobs.ChangeSettings(t.Context(), commandLine(), a.engine.App.ID, settings))
	a.job = startedJob(t, a.jobs, []byte(strings.Join(accounts, "\n")+"\n"))
	return a
}

func (a *answersTest) carryOut(t *testing.T) {
	t.Helper()
	a.job = carryOut(t, a.console, a.job.ID)
}

// whileRunning lets the engine run until something holds.
func (a *answersTest) whileRunning(t *testing.T, what string, holds func() bool) {
	t.Helper()
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.engine.Run(running) }()
	until(t, what, holds)
	stop()
	require.NoError(t, <-ended)
	var err error
	a.job, err = a.jobs.Get(t.Context(), a.job.ID)
	require.NoError(t, err)
}

// requireFinished says that the job has ended, with so many failed, and that
// every account is what the simulator knows.
func (a *answersTest) requireFinished(t *testing.T, failed int64) {
	t.Helper()
	require.Equal(t, jobs.Finished, a.job.State, "%d %s", a.job.HaltCode, a.job.HaltInfo)
	require.Equal(t, failed, a.job.Counts[jobs.Failed])
	require.Equal(t, a.job.Accounts-failed, a.job.Counts[jobs.Cleared])
	requireMatch(t, a.database, a.base, a.job.ID)
}

// members are n accounts; each name in others stands among them instead of one.
func members(n int, others ...string) []string {
	names := strings.Fields(string(accountFile(n)))
	for i, other := range others {
		names[n*(i+1)/(len(others)+1)] = other
	}
	return names
}

// withoutCanary sends without a careful start, so that calls can be counted.
var withoutCanary = jobs.Settings{FailureLimit: 100, KeepDays: 30}

// withCanary is how an app sends when nobody has changed it.
var withCanary = jobs.Settings{FailureLimit: 20, Canary: true, KeepDays: 30}

// classed returns the codes of the service that are first met with a class.
func classed(class tim.Class) []int {
	return slices.DeleteFunc(tim.Codes(), func(code int) bool { return tim.RuleOf(code).Class != class })
}

func eachCode(t *testing.T, codes []int, body func(t *testing.T, code int)) {
	for _, code := range codes {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			body(t, code)
		})
	}
}

func TestHaltCodesStopAtOnce(t *testing.T) {
	t.Parallel()
	eachCode(t, classed(tim.Halt), func(t *testing.T, code int) {
		a := answering(t, "all_member_push", timtest.Faults{Code: code}, withCanary, members(1_000))
		a.carryOut(t)
		require.Equal(t, jobs.Halted, a.job.State)
		require.Equal(t, code, a.job.HaltCode)
		require.Equal(t, fmt.Sprint("simulated error ", code), a.job.HaltInfo)
		require.Len(t, a.Ledger(), 1)
		require.Equal(t, int64(1_000), a.job.Counts[jobs.Waiting])

		require.NoError(t, a.SetFaults(timtest.Faults{}))
		_, err := a.jobs.Act(t.Context(), commandLine(), a.job.ID, jobs.Resume)
		require.NoError(t, err)
		a.carryOut(t)
		a.requireFinished(t, 0)
	})
}

func TestACodeThatMayPassIsTriedAgain(t *testing.T) {
	t.Parallel()
	eachCode(t, append(classed(tim.Retry), 12345), func(t *testing.T, code int) {
		a := answering(t, "all_member_push", timtest.Faults{Code: code, Most: 2}, withoutCanary, members(300))
		a.carryOut(t)
		a.requireFinished(t, 0)
		require.Len(t, a.Ledger(), 3+2)
	})
}

func TestUnknownCodeHaltsAfterAFewTries(t *testing.T) {
	t.Parallel()
	eachCode(t, []int{60013, 12345}, func(t *testing.T, code int) {
		a := answering(t, "all_member_push", timtest.Faults{Code: code}, withCanary, members(300))
		a.carryOut(t)
		require.Equal(t, jobs.Halted, a.job.State)
		require.Equal(t, code, a.job.HaltCode)
		require.Len(t, a.Ledger(), 4)
	})
}

// tenthEnd is when the tenth call had ended, in unix microseconds.
func tenthEnd(calls []timtest.Call) int64 {
	var ends []int64
	for _, call := range calls {
		ends = append(ends, call.At+call.Took)
	}
	slices.Sort(ends)
	return ends[min(9, len(ends)-1)]
}

func TestOutageIsProbedUntilItEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		faults timtest.Faults
		halt   int
	}{
		"errors":      {timtest.Faults{Code: 91000}, jobs.CodeDown},
		"time-outs":   {timtest.Faults{Code: 60008}, jobs.CodeDown},
		"error pages": {timtest.Faults{Shares: map[timtest.Fault]float64{timtest.BadGateway: 1}}, jobs.CodeDown},
		"no answers":  {timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ResetAfter: 1}}, jobs.CodeLostAnswers},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := answering(t, "all_member_push", test.faults, withoutCanary, members(3_000))
			a.carryOut(t)
			require.Equal(t, jobs.Halted, a.job.State)
			require.Equal(t, test.halt, a.job.HaltCode)
			calls := len(a.Ledger())
			tenth := tenthEnd(a.Ledger())
			for _, call := range a.Ledger() {
				require.Less(t, call.At, tenth+time.Second.Microseconds(), "after ten in a row none leaves but those that had left")
			}

			for probes := range 2 { // one at a time, or two when it was long until the engine stopped
				probeNow(t, a.database)
				a.whileRunning(t, "a probe is made", func() bool { return len(a.Ledger()) > calls+probes })
				require.LessOrEqual(t, len(a.Ledger()), calls+probes+2)
				require.Equal(t, jobs.Halted, a.job.State)
			}

			require.NoError(t, a.SetFaults(timtest.Faults{}))
			a.whileRunning(t, "the job has gone on and ended by itself", func() bool {
				probeNow(t, a.database)
				job, err := a.jobs.Get(t.Context(), a.job.ID)
				return err == nil && job.Settled()
			})
			a.requireFinished(t, 0)
		})
	}
}

func TestTooManyCallsSlowTheCommandDown(t *testing.T) {
	t.Parallel()
	eachCode(t, classed(tim.Slow), func(t *testing.T, code int) {
		a := answering(t, "all_member_push", timtest.Faults{Code: code, Most: 1}, withCanary, members(300))
		a.carryOut(t)
		a.requireFinished(t, 0)
		calls := a.Ledger()
		require.Len(t, calls, 3+1)
		require.GreaterOrEqual(t, calls[1].At-calls[0].At, (300 * time.Millisecond).Microseconds())
		sending, err := a.jobs.SendStatus(t.Context(), a.engine.App.ID)
		require.NoError(t, err)
		for _, gauge := range sending.Gauges {
			require.Equal(t, gauge.Command == tim.RemoveAllTags, gauge.Allowed < gauge.Set, "%+v", gauge)
		}
	})
}

func TestUserSigIsRenewedOnceThenHalts(t *testing.T) {
	t.Parallel()
	eachCode(t, []int{70001, 70002, 70003, 70005}, func(t *testing.T, code int) {
		a := answering(t, "all_member_push", timtest.Faults{Code: code, Most: 1}, withCanary, members(300))
		a.carryOut(t)
		a.requireFinished(t, 0)
		require.Len(t, a.Ledger(), 3+1)

		b := answering(t, "all_member_push", timtest.Faults{Code: code}, withCanary, members(300))
		b.carryOut(t)
		require.Equal(t, jobs.Halted, b.job.State)
		require.Equal(t, code, b.job.HaltCode)
		require.Len(t, b.Ledger(), 2, "a signature that does not help is not hammered")
	})
}

func TestUserSigOrAccountCodeFailsAccount(t *testing.T) {
	t.Parallel()
	eachCode(t, []int{60004, 60005}, func(t *testing.T, code int) {
		a := answering(t, "all_member_push", timtest.Faults{Code: code, CodeFor: "bad"}, withoutCanary, members(100, "bad1"))
		a.carryOut(t)
		a.requireFinished(t, 1)
		require.LessOrEqual(t, len(a.Ledger()), 1+4+15)
	})
}

func TestAdminLockoutStopsCallsForAMinute(t *testing.T) {
	t.Parallel()
	a := answering(t, "all_member_push", timtest.Faults{Code: 70050}, withCanary, members(300))
	held := func() bool {
		sending, err := a.jobs.SendStatus(t.Context(), a.engine.App.ID)
		require.NoError(t, err)
		return len(sending.Gauges) > 0 && !slices.ContainsFunc(sending.Gauges,
			func(g jobs.Gauge) bool { return time.Until(g.HeldUntil) < 50*time.Second })
	}
	a.whileRunning(t, "both commands are held", held)
	require.Len(t, a.Ledger(), 1)
	require.Equal(t, jobs.Running, a.job.State)
}

func TestSplitFindsOneBadAccountIn15Calls(t *testing.T) {
	t.Parallel()
	codes := slices.DeleteFunc(classed(tim.Account), func(code int) bool { return !tim.RuleOf(code).IsAccountError() })
	eachCode(t, codes, func(t *testing.T, code int) {
		a := answering(t, "all_member_push", timtest.Faults{Code: code, CodeFor: "bad"}, withoutCanary, members(200, "bad1"))
		a.carryOut(t)
		a.requireFinished(t, 1)
		require.LessOrEqual(t, len(a.Ledger()), 2+15)
		t.Logf("%d calls more", len(a.Ledger())-2)
		for r, err := range a.jobs.Results(t.Context(), a.job.ID, jobs.Failed) {
			require.NoError(t, err)
			require.Equal(t, "bad1", r.Account.Account)
			require.Equal(t, code, r.Code)
		}
	})
}

func TestSplitFindsSeveralBadAccounts(t *testing.T) {
	t.Parallel()
	a := answering(t, "all_member_push", timtest.Faults{Code: 70107, CodeFor: "bad"}, withoutCanary, members(100, "bad1", "bad2", "bad3"))
	a.carryOut(t)
	a.requireFinished(t, 3)
	require.LessOrEqual(t, len(a.Ledger()), 1+3*15)
	t.Logf("%d calls more", len(a.Ledger())-1)
}

func TestSplitStopsEarlyWhenAllAreBad(t *testing.T) {
	t.Parallel()
	var bad []string
	for n := range 100 {
		bad = append(bad, fmt.Sprint("bad", n))
	}
	a := answering(t, "all_member_push", timtest.Faults{Code: 70107, CodeFor: "bad"}, withoutCanary, bad)
	a.carryOut(t)
	a.requireFinished(t, 100)
	// Halves that had left before it was recognised count too; halving to the end would take 199 calls.
	require.LessOrEqual(t, len(a.Ledger()), 100+1+2+4+8+16)
	t.Logf("%d calls", len(a.Ledger()))
}

func TestSameCodeForSingleAccountsHalts(t *testing.T) {
	t.Parallel()
	eachCode(t, []int{60003, 90001}, func(t *testing.T, code int) {
		slowly := withoutCanary
		slowly.Rate = 5 // so that answers are known before the next calls leave, however busy the machine
		a := answering(t, "all_member_push", timtest.Faults{Code: code}, slowly, members(200))
		a.carryOut(t)
		require.Equal(t, jobs.Halted, a.job.State)
		require.Equal(t, code, a.job.HaltCode)
		require.LessOrEqual(t, a.job.Counts[jobs.Failed], int64(2))
		require.Less(t, len(a.Ledger()), 50)
	})
}

func TestSplitUntilBatchFitsTheLimit(t *testing.T) {
	t.Parallel()
	a := answering(t, "all_member_push", timtest.Faults{Limit: 13}, withoutCanary, members(200))
	a.carryOut(t)
	a.requireFinished(t, 0)
	require.Len(t, a.Ledger(), 2*(1+2+4+8))
}

func TestOneAccountThatIsTooManyHalts(t *testing.T) {
	t.Parallel()
	eachCode(t, classed(tim.Split), func(t *testing.T, code int) {
		a := answering(t, "all_member_push", timtest.Faults{Code: code}, withCanary, members(200))
		a.carryOut(t)
		require.Equal(t, jobs.Halted, a.job.State)
		require.Equal(t, code, a.job.HaltCode)
		require.Zero(t, a.job.Counts[jobs.Failed])
		require.Len(t, a.Ledger(), 7, "halves until one is left")
	})
}

func TestPartialSuccessInBothFamilies(t *testing.T) {
	t.Parallel()
	for _, family := range []string{"all_member_push", "timpush"} {
		t.Run(family, func(t *testing.T) {
			t.Parallel()
			a := answering(t, family, timtest.Faults{}, withoutCanary, members(100, "unknown1", "unknown2"))
			a.carryOut(t)
			a.requireFinished(t, 2)
			require.Len(t, a.Ledger(), 1)
		})
	}
}

func TestInDoubtAsksAPersonIfUnreadable(t *testing.T) {
	t.Parallel()
	eachCode(t, []int{60002, 60009, 60010, 60017, 60027, 70403, 90009}, func(t *testing.T, code int) {
		lost := timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ResetBefore: 1}, Most: 1}
		a := answering(t, "all_member_push", lost, withoutCanary, members(200))
		a.engine.LostCallEnds = time.Second
		asked := func() bool {
			if len(a.Ledger()) == 2 {
				require.NoError(t, a.SetFaults(timtest.Faults{Code: code, Commands: []tim.Command{tim.GetTags}}))
			}
			asked, err := a.jobs.NeedsReview(t.Context(), a.job.ID)
			require.NoError(t, err)
			return asked == jobs.NeedsReview{Unreadable: 100, Code: code}
		}
		a.whileRunning(t, "a person is asked", asked)
		require.Equal(t, jobs.Running, a.job.State)
		require.Len(t, a.Ledger(), 3)

		_, err := a.jobs.Decide(t.Context(), commandLine(), a.job.ID, jobs.Retry)
		require.NoError(t, err)
		a.carryOut(t)
		a.requireFinished(t, 0)
		require.Len(t, a.Ledger(), 4)
	})
}

// A call is lost, its accounts read and sent again, which is lost too; then one
// of them has a tag it did not have when it was read.
func TestInDoubtWithNewTagsAsksAPerson(t *testing.T) {
	t.Parallel()
	lost := timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ResetBefore: 1}, Most: 2, Commands: []tim.Command{tim.RemoveAllTags}}
	accounts := members(100)
	a := answering(t, "all_member_push", lost, withoutCanary, accounts)
	a.engine.LostCallEnds = time.Second
	a.whileRunning(t, "a person is asked", func() bool {
		if len(a.Ledger()) == 3 {
			a.SetTags(accounts[41], "new")
		}
		asked, err := a.jobs.NeedsReview(t.Context(), a.job.ID)
		require.NoError(t, err)
		job, err := a.jobs.Get(t.Context(), a.job.ID)
		require.NoError(t, err)
		return asked == jobs.NeedsReview{Tagged: 1} && job.Counts[jobs.Cleared] == 99
	})
	require.Equal(t, []string{"new"}, a.Tags(accounts[41]))
	_, err := a.jobs.Decide(t.Context(), commandLine(), a.job.ID, jobs.Leave)
	require.NoError(t, err)
	a.carryOut(t)
	a.requireFinished(t, 1)
	require.Equal(t, []string{"new"}, a.Tags(accounts[41]))
}
