package jobs

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
)

const longestCall = 10 * time.Second

func TestOutageByOneCodeOfManyAccounts(t *testing.T) {
	var b past
	single := func(answer tim.Answer) Settlement {
		return decide(claimed(tim.RemoveAllTags, "ann"), answer, nil, 0, &b)
	}
	require.Equal(t, Failed, single(code(90001)).Rest)
	require.Equal(t, Failed, single(code(90001)).Rest)
	require.Equal(t, Cleared, single(code(0)).Rest, "a success in between: they were to blame")
	require.Equal(t, Failed, single(code(90001)).Rest)
	require.Equal(t, Failed, single(code(90001)).Rest)
	s := single(code(90001))
	require.Equal(t, Waiting, s.Rest)
	require.Equal(t, 90001, s.Halt)
}

func TestAnOutageHaltsAndAProbeEndsIt(t *testing.T) {
	page := tim.Answer{Delivery: tim.Lost, HTTPStatus: 502}
	for name, test := range map[string]struct {
		answer tim.Answer
		halt   int
	}{
		"cannot be reached": {tim.Answer{Delivery: tim.NotSent}, CodeDown},
		"error pages":       {page, CodeDown},
		"server errors":     {code(91000), CodeDown},
		"answers are lost":  {tim.Answer{Delivery: tim.Lost}, CodeLostAnswers},
	} {
		t.Run(name, func(t *testing.T) {
			var b past
			call := func(a tim.Answer) Settlement { return decide(claimed(tim.RemoveAllTags, "ann", "bob"), a, nil, 0, &b) }
			for range outageAfter - 1 {
				require.Zero(t, call(test.answer).Halt)
			}
			require.Zero(t, call(code(70107)).Halt, "an answer about an account is a good one")
			for range outageAfter - 1 {
				require.Zero(t, call(test.answer).Halt)
			}
			require.Zero(t, call(code(60007)).Halt, "neither good nor bad")
			halted := call(test.answer)
			require.Equal(t, test.halt, halted.Halt)
			require.True(t, Recovers(halted.Halt))

			probe := claimed(tim.RemoveAllTags, "ann")
			probe.Probe, probe.Tries, probe.LastCode = true, 1000, test.answer.Code
			require.False(t, decide(probe, test.answer, nil, 0, &b).GoOn)
			require.True(t, decide(probe, code(0), nil, 0, &b).GoOn)
			require.False(t, call(code(0)).GoOn, "only a probe tells")
		})
	}
}

// The tags of each batch are read before they are changed, and reading goes well.
func TestOutageOfOneCommandIsNotHidden(t *testing.T) {
	for _, answer := range []tim.Answer{{Delivery: tim.Lost}, code(91000)} {
		var b past
		var s Settlement
		for range outageAfter {
			require.Zero(t, s.Halt)
			require.Zero(t, decide(planning(Clear, "ann"), code(0), map[string][]string{"ann": {"x"}}, 0, &b).Halt)
			s = decide(claimed(tim.RemoveAllTags, "ann"), answer, nil, 0, &b)
		}
		require.True(t, Recovers(s.Halt))
	}
}

func TestOutageOfChangesOutlastsReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b past
		for range outageAfter {
			decide(claimed(tim.RemoveAllTags, "ann"), code(91000), nil, 0, &b)
		}
		reading, change := planning(Clear, "ann"), claimed(tim.RemoveAllTags, "ann")
		reading.Probe, change.Probe = true, true
		read := func() bool { return decide(reading, code(0), map[string][]string{"ann": {"x"}}, 0, &b).GoOn }
		require.False(t, read())
		require.False(t, decide(change, code(91000), nil, 0, &b).GoOn)
		require.True(t, decide(change, code(0), nil, 0, &b).GoOn)
		require.True(t, read())

		for range outageAfter {
			decide(claimed(tim.RemoveAllTags, "ann"), code(91000), nil, 0, &b)
		}
		time.Sleep(outageForgot + time.Second)
		require.True(t, read(), "nobody may want to change anything any more")
	})
}

func TestOutageByOneCodeDespiteReads(t *testing.T) {
	var b past
	for range 2 {
		require.Equal(t, Failed, decide(claimed(tim.RemoveAllTags, "ann"), code(90001), nil, 0, &b).Rest)
		require.Zero(t, decide(planning(Clear, "ann"), code(0), map[string][]string{"ann": {"x"}}, 0, &b).Halt)
	}
	s := decide(claimed(tim.RemoveAllTags, "ann"), code(90001), nil, 0, &b)
	require.Equal(t, []any{Waiting, 90001, tim.RemoveAllTags}, []any{s.Rest, s.Halt, s.Next})
}

// A careful start lets one call through at a time, each after a longer wait.
func TestOutageOfFewCallsSeenIn10Seconds(t *testing.T) {
	for name, answer := range map[string]tim.Answer{"cannot be reached": {Delivery: tim.NotSent}, "server errors": code(91000)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b past
				c := claimed(tim.RemoveAllTags, "ann")
				began := time.Now()
				for {
					s := decide(c, answer, nil, 0, &b)
					if s.Halt != 0 {
						break
					}
					c.Tries, c.LastCode = s.Tries, s.Code
					time.Sleep(s.Wait)
				}
				require.GreaterOrEqual(t, time.Since(began), outageLasts)
				require.Less(t, time.Since(began), 3*outageLasts, "with the wait that is under way by then")
			})
		})
	}
}

func TestAFewSlowTimeOutsAreNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b past
		lost := func() int {
			time.Sleep(longestCall)
			return decide(claimed(tim.RemoveAllTags, "ann"), tim.Answer{Delivery: tim.Lost}, nil, 0, &b).Halt
		}
		require.Zero(t, lost())
		require.Zero(t, lost())
		decide(claimed(tim.GetTags, "ann"), code(0), map[string][]string{"ann": {}}, 0, &b)
		require.Zero(t, lost())
		require.Zero(t, lost())
		time.Sleep(24 * time.Hour)
		require.Zero(t, lost(), "what came a day ago says nothing")
		require.Zero(t, lost())
		require.Equal(t, CodeLostAnswers, lost())
	})
}
