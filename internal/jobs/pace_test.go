package jobs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestPaceStaysBetweenZeroAndItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := rapid.Float64Range(1, 100).Draw(t, "set")
		now, pace := epoch, Pace{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 5_000).Draw(t, "ms")) * time.Millisecond)
			if rapid.IntRange(0, 20).Draw(t, "jump") == 0 {
				now = now.AddDate(0, 0, rapid.SampledFrom([]int{-1, 1}).Draw(t, "days"))
			}
			if rapid.Bool().Draw(t, "slow") {
				before, slowed := pace.Now(set, now), pace.Slower(set, now)
				if slowed != pace {
					require.InDelta(t, max(1, 0.85*before), slowed.Now(set, now), 1e-9)
				}
				pace = slowed
			}
			current := pace.Now(set, now)
			require.LessOrEqual(t, current, set)
			require.GreaterOrEqual(t, current, 1.0)
			later := pace.Now(set, now.Add(time.Second))
			require.GreaterOrEqual(t, later, current)
			require.LessOrEqual(t, later, current+0.03*set+1e-9)
		}
		require.Equal(t, set, pace.Now(set, now.Add(34*time.Second)), "from the slowest pace it is back within 34 s")
	})
}

func TestPaceSlowsAtMostOnceASecond(t *testing.T) {
	pace := Pace{}.Slower(97, epoch)
	require.InDelta(t, 82.45, pace.Now(97, epoch), 1e-9)
	require.Equal(t, pace, pace.Slower(97, epoch.Add(999*time.Millisecond)))
	again := pace.Slower(97, epoch.Add(time.Second))
	require.InDelta(t, 0.85*(82.45+2.91), again.Now(97, again.At), 1e-9)
}
