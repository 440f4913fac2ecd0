package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

func code(n int) tim.Answer {
	return tim.Answer{Delivery: tim.Answered, HTTPStatus: 200, Code: n, Info: "because"}
}

// judged is what health says to an answer as it comes for the first time.
func judged(h *health, a tim.Answer, command tim.Command, probe bool) *stopReason {
	class := a.Rule().After(0)
	if class == tim.InDoubt && command == tim.GetTags {
		class = tim.Retry
	}
	return h.judge(a, command, class, probe)
}

func TestAnOutageHaltsAndAProbeEndsIt(t *testing.T) {
	for name, test := range map[string]struct {
		answer tim.Answer
		halt   int
		info   string
	}{
		"cannot be reached": {tim.Answer{Delivery: tim.NotSent}, jobs.CodeDown, ""},
		"error pages":       {tim.Answer{Delivery: tim.Lost, HTTPStatus: 502}, jobs.CodeDown, "HTTP 502"},
		"server errors":     {code(91000), jobs.CodeDown, "91000 because"},
		"answers are lost":  {tim.Answer{Delivery: tim.Lost}, jobs.CodeLostAnswers, ""},
		"no JSON":           {tim.Answer{Delivery: tim.Lost, HTTPStatus: 200}, jobs.CodeLostAnswers, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var h health
			call := func(a tim.Answer) *stopReason { return judged(&h, a, tim.RemoveAllTags, false) }
			for range outageCalls - 1 {
				require.Nil(t, call(test.answer))
			}
			require.Nil(t, call(code(70107)), "an answer about an account is a good one")
			for range outageCalls - 1 {
				require.Nil(t, call(test.answer))
			}
			require.Nil(t, call(code(60007)), "neither good nor bad")
			require.Equal(t, &stopReason{halt: test.halt, all: true, info: test.info}, call(test.answer))
			require.True(t, jobs.Recovers(test.halt))

			var anew health
			require.NotNil(t, judged(&anew, test.answer, tim.RemoveAllTags, true), "to a probe one bad answer is enough")
			require.Nil(t, judged(&anew, code(0), tim.RemoveAllTags, true))
		})
	}
}

// The tags of each batch are read before they are changed, and reading goes well.
func TestReadingsDoNotHideChangesThatFail(t *testing.T) {
	for _, answer := range []tim.Answer{{Delivery: tim.Lost}, code(91000)} {
		var h health
		var end *stopReason
		for range outageCalls {
			require.Nil(t, end)
			require.Nil(t, judged(&h, code(0), tim.GetTags, false))
			end = judged(&h, answer, tim.RemoveAllTags, false)
		}
		require.True(t, jobs.Recovers(end.halt))
	}
}

func TestAnOutageOfFewCallsTakesTenSeconds(t *testing.T) {
	for name, answer := range map[string]tim.Answer{"cannot be reached": {Delivery: tim.NotSent}, "server errors": code(91000)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var h health
				began := time.Now()
				for wait := firstBackOff; judged(&h, answer, tim.RemoveAllTags, false) == nil; wait *= 2 {
					time.Sleep(min(wait, maxBackOff))
				}
				require.GreaterOrEqual(t, time.Since(began), outageDuration)
				require.Less(t, time.Since(began), 3*outageDuration, "with the wait that is under way by then")
			})
		})
	}
}

func TestAFewSlowTimeOutsAreNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h health
		lost := func() *stopReason {
			time.Sleep(10 * time.Second)
			return judged(&h, tim.Answer{Delivery: tim.Lost}, tim.RemoveAllTags, false)
		}
		require.Nil(t, lost())
		require.Nil(t, lost())
		require.Nil(t, judged(&h, code(0), tim.RemoveAllTags, false))
		require.Nil(t, lost())
		require.Nil(t, lost())
		time.Sleep(24 * time.Hour)
		require.Nil(t, lost(), "what came a day ago says nothing")
		require.Nil(t, lost())
		require.Equal(t, jobs.CodeLostAnswers, lost().halt)
	})
}

func TestAnUnknownCodeIsNoOutage(t *testing.T) {
	var h health
	for range 3 * outageCalls {
		require.Nil(t, judged(&h, code(12345), tim.RemoveAllTags, false))
	}
	require.Equal(t, tim.Halt, code(12345).Rule().After(3), "a person is shown it")
}

func TestACodeOfManyAccountsIsNotTheAccounts(t *testing.T) {
	var h health
	blamed := func(n int) bool { return h.tooManyAlike(tim.RemoveAllTags, code(n)) }
	require.False(t, blamed(90001))
	require.False(t, blamed(90001))
	require.Nil(t, judged(&h, code(0), tim.RemoveAllTags, false), "a success in between: they were to blame")
	require.False(t, blamed(90001))
	require.Nil(t, judged(&h, code(0), tim.GetTags, false))
	require.False(t, blamed(90001))
	require.True(t, blamed(90001), "that their tags can be read says nothing")
	for range 10 {
		require.False(t, blamed(70107), "which says itself that the account is bad")
	}
}

// Whatever comes, calls of one command without a good answer halt after ten, and
// no good answer is ever part of a row.
func TestAnOutageIsTenBadAnswersInARow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h health
		rows := map[tim.Command]int{}
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			command := rapid.SampledFrom(tim.Commands).Draw(t, "command")
			a := rapid.SampledFrom([]tim.Answer{code(0), code(70107), code(60007), code(60020), code(90011), code(91000),
				{Delivery: tim.Lost}, {Delivery: tim.NotSent}}).Draw(t, "answer")
			switch {
			case a.Delivery != tim.Answered || a.Code == 91000:
				rows[command]++
			case a.Code != 60007 && a.Code != 60020:
				rows[command] = 0
			}
			bad := a.Delivery != tim.Answered || a.Code == 91000
			require.Equal(t, bad && rows[command] >= outageCalls, judged(&h, a, command, false) != nil)
		}
	})
}

func TestNamedAccountsAreTriedAFewTimes(t *testing.T) {
	for _, n := range append(tim.Codes(), 12345) {
		a := &account{}
		for isTemporary(a, n) {
			a.tries++
			require.LessOrEqual(t, a.tries, maxTries, "code %d", n)
		}
		switch tim.RuleOf(n).Class {
		case tim.Account, tim.Halt, tim.Split:
			require.Zero(t, a.tries, "code %d does not pass", n)
		default:
			require.NotZero(t, a.tries, "code %d may pass", n)
		}
	}
}

func TestTheLedgerSaysWhichAccountsACallHeld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		places := rapid.SliceOfNDistinct(rapid.IntRange(0, jobs.BatchSize-1), 0, jobs.BatchSize, rapid.ID).Draw(t, "places")
		in := map[int]bool{}
		var accounts []*account
		for _, place := range places {
			in[place] = true
			accounts = append(accounts, &account{place: place})
		}
		bits := accountBits(accounts)
		require.Len(t, bits, 13)
		for place := range 8 * len(bits) {
			require.Equal(t, in[place], jobs.Held(bits, place), "place %d", place)
		}
	})
}

// Calls that wait for a connection in vain may show that this program is slow.
func TestCallsThatDoNotLeaveAreNoOutageYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h health
		stuck := func() *stopReason {
			return judged(&h, tim.Answer{Delivery: tim.NotSent, Err: tim.ErrSentNothing}, tim.RemoveAllTags, false)
		}
		for range 5 * outageCalls {
			require.Nil(t, stuck())
		}
		time.Sleep(outageDuration)
		require.Equal(t, jobs.CodeDown, stuck().halt, "for so long it is no matter of a moment")
	})
}
