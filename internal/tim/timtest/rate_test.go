package timtest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
)

func TestNoSecondHoldsMoreThanTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator(t, Config{RateLimit: 3})
		code := func(command tim.Command) int {
			call, _ := s.arrive(request{command: command, accounts: []string{"amy"}, tags: [][]string{{"vip"}}})
			require.Equal(t, call.Code == 60007, call.Throttled)
			return call.Code
		}
		clears := func(codes ...int) {
			for i, want := range codes {
				require.Equal(t, want, code(tim.RemoveAllTags), i)
			}
		}
		clears(0)
		time.Sleep(600 * time.Millisecond)
		clears(0, 0, 60007)
		for _, other := range []tim.Command{tim.GetTags, tim.AddTags, tim.RemoveTags} {
			require.Zero(t, code(other), "each command has a budget of its own")
		}
		time.Sleep(399 * time.Millisecond)
		clears(60007)
		time.Sleep(time.Millisecond)
		clears(0, 60007) // a second after the first; two of 0.6 s and this one
		time.Sleep(600 * time.Millisecond)
		clears(0, 0, 60007) // what was refused has used nothing up
		require.Equal(t, 6, s.MaxCallsInAnySecond(tim.RemoveAllTags), "refused ones included, from 0.6 s on")
		require.Equal(t, 1, s.MaxCallsInAnySecond(tim.GetTags))
	})
}

func TestOnlyStandstillsExcuseABurst(t *testing.T) {
	const second = 1_000_000
	s := &Service{}
	require.Equal(t, 1, s.excess(burst{0, second - 1, 101}))
	s.stalls = []stall{{2 * second, 3 * second}}
	require.Equal(t, 1, s.excess(burst{0, second - 1, 101}), "a stall after it")
	require.Equal(t, 1, s.excess(burst{4 * second, 5*second - 1, 101}), "a stall before it")
	s.stalls = []stall{{second / 2, second/2 + 70_000}}
	require.Equal(t, 0, s.excess(burst{0, second - 1, 107}))
	require.Equal(t, 1, s.excess(burst{0, second - 1, 108}))
	require.Equal(t, 1, s.excess(burst{second/2 + 110_000, second, 108}), "what waited is seen soon after it")
}
