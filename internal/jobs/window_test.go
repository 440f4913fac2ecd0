package jobs

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// mostInASecond counts arrivals as the service does.
func mostInASecond(arrivals []time.Time) (most int) {
	slices.SortFunc(arrivals, time.Time.Compare)
	for first, last := 0, 0; last < len(arrivals); last++ {
		for arrivals[last].Sub(arrivals[first]) >= time.Second {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// send lets calls leave at 97 a second; way is how long the n-th is on its way.
// An answer takes 20 ms more.
func send(t *testing.T, calls int, way func(n int) time.Duration) (arrivals []time.Time, took time.Duration) {
	var w window
	started := time.Now()
	slot := started
	answers := make(chan struct{}, calls)
	for n := range calls {
		done, ok := w.wait(t.Context(), slot)
		require.True(t, ok)
		on := way(n)
		arrivals = append(arrivals, time.Now().Add(on))
		go func() {
			time.Sleep(on + 20*time.Millisecond)
			done()
			answers <- struct{}{}
		}()
		slot = slot.Add(time.Second / 97)
	}
	took = time.Since(started)
	for range calls {
		<-answers
	}
	return arrivals, took
}

func TestCallsHeldUpOnTheirWayNeverMakeTheServiceCountMoreThanAHundred(t *testing.T) {
	for name, way := range map[string]func(int) time.Duration{
		"the first hundred milliseconds arrive together": func(n int) time.Duration {
			return max(0, 100*time.Millisecond-time.Duration(n)*time.Second/97)
		},
		"a stall in the middle": func(n int) time.Duration {
			if n > 200 && n < 215 {
				return time.Duration(215-n) * 11 * time.Millisecond
			}
			return time.Millisecond
		},
		"now and then one is late": func(n int) time.Duration {
			if n%7 == 0 {
				return 90 * time.Millisecond
			}
			return 0
		},
		"all over the place": func(int) time.Duration { return rand.N(80 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				arrivals, _ := send(t, 1000, way)
				require.LessOrEqual(t, mostInASecond(arrivals), serviceLimit)
			})
		})
	}
}

func TestASteadyLatencyCostsNoSpeed(t *testing.T) {
	for _, latency := range []time.Duration{0, 200 * time.Millisecond, time.Second, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			_, took := send(t, 970, func(int) time.Duration { return latency })
			require.InDelta(t, 10, took.Seconds(), 0.3, "at %s", latency)
		})
	}
}
