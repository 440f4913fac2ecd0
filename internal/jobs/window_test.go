package jobs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
)

const ms = time.Millisecond

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

// path leads to a service that answers after base, and up to spread more. For
// stall in every stallEvery nothing gets through, and then all at once.
type path struct {
	base, spread      time.Duration
	stall, stallEvery time.Duration

	mutex    sync.Mutex
	began    time.Time
	arrivals []time.Time
}

// carry makes one call, from writing to its answer.
func (p *path) carry(call *departure, random *rand.Rand) {
	now := time.Now()
	call.written(now)
	arrives := now
	if p.stall > 0 {
		if into := now.Sub(p.began) % p.stallEvery; into > p.stallEvery-p.stall {
			arrives = now.Add(p.stallEvery - into)
		}
	}
	p.mutex.Lock()
	p.arrivals = append(p.arrivals, arrives)
	takes := p.base
	if p.spread > 0 {
		takes += time.Duration(random.Int64N(int64(p.spread)))
	}
	p.mutex.Unlock()
	time.Sleep(arrives.Add(takes).Sub(now))
	call.ended(tim.Answered)
}

// send lets a console make so many calls of every slot that is its own, and
// returns how long it took.
func (p *path) send(t *testing.T, w *window, slots int, interval, first time.Duration) time.Duration {
	random := rand.New(rand.NewPCG(uint64(p.base), uint64(p.spread)))
	var calls sync.WaitGroup
	began := time.Now()
	slot := began.Add(first)
	for n := 0; n < slots; n++ {
		until := slot.Add(fresh)
		if w.shared {
			until = slot.Add(latest)
		}
		if call, leaves := w.wait(t.Context(), slot, until); leaves {
			calls.Go(func() { p.carry(call, random) })
		} else if !w.shared {
			n-- // given back: it is claimed again
		}
		slot = slot.Add(interval)
		if behind := time.Now().Add(-ahead); slot.Before(behind) {
			slot = behind
		}
	}
	took := time.Since(began)
	calls.Wait()
	return took
}

func TestRateReachedAtAnyLatency(t *testing.T) {
	const calls = 1_500
	for _, base := range []time.Duration{20 * ms, 200 * ms, 1000 * ms} {
		for _, spread := range []time.Duration{0, 20 * ms, 100 * ms, 500 * ms} {
			t.Run(fmt.Sprintf("%s and up to %s more", base, spread), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := &path{base: base, spread: spread, began: time.Now()}
					took := p.send(t, &window{limit: ServiceLimit}, calls, time.Second/97, 0)
					share := calls / took.Seconds() / 97
					t.Logf("%.1f%% of the ceiling, at most %d in a second", 100*share, mostInASecond(p.arrivals))
					require.GreaterOrEqual(t, share, 0.97)
					require.LessOrEqual(t, mostInASecond(p.arrivals), ServiceLimit)
				})
			})
		}
	}
}

// What arrives together after the way was blocked for a moment, and what follows
// it, stays within the limit.
func TestRateLimitHoldsAfterAStall(t *testing.T) {
	for _, base := range []time.Duration{5 * ms, 20 * ms, 200 * ms, 500 * ms} {
		for _, spread := range []time.Duration{0, 20 * ms} {
			for stall := 30 * ms; stall <= 300*ms; stall += 30 * ms {
				t.Run(fmt.Sprintf("%s after %s and up to %s more", stall, base, spread), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						p := &path{base: base, spread: spread, stall: stall, stallEvery: 3100 * ms, began: time.Now()}
						p.send(t, &window{limit: ServiceLimit}, 1_500, time.Second/97, 0)
						require.LessOrEqual(t, mostInASecond(p.arrivals), ServiceLimit)
					})
				})
			}
		}
	}
}

// Each of two consoles sees its own calls alone, and both share the way.
func TestRateOfTwoConsolesAfterStalls(t *testing.T) {
	for _, base := range []time.Duration{5 * ms, 20 * ms, 200 * ms} {
		for stall := 30 * ms; stall <= 300*ms; stall += 30 * ms {
			t.Run(fmt.Sprintf("%s after %s", stall, base), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := &path{base: base, stall: stall, stallEvery: 3100 * ms, began: time.Now()}
					var consoles sync.WaitGroup
					for n := range time.Duration(2) {
						consoles.Go(func() {
							p.send(t, &window{limit: ServiceLimit, shared: true}, 750, 2*time.Second/97, n*time.Second/97)
						})
					}
					consoles.Wait()
					require.LessOrEqual(t, mostInASecond(p.arrivals), ServiceLimit)
				})
			})
		}
	}
}

func TestALatencyThatChangesCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &window{limit: ServiceLimit}
		p := &path{base: 20 * ms, began: time.Now()}
		took := p.send(t, w, 500, time.Second/97, 0)
		p.base = time.Second
		took += p.send(t, w, 1_000, time.Second/97, 0)
		p.base = 20 * ms
		took += p.send(t, w, 500, time.Second/97, 0)
		require.Less(t, took.Seconds(), 2000.0/97+1.5)
		require.LessOrEqual(t, mostInASecond(p.arrivals), ServiceLimit)
	})
}

func TestRateCountsCallsNotYetWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &window{limit: 2}
		stuck, leaves := w.wait(t.Context(), time.Now(), time.Now().Add(fresh))
		require.True(t, leaves)
		for range 5 { // one place is left, and a call a second may have it
			began := time.Now()
			call, leaves := w.wait(t.Context(), began, began.Add(2*time.Second))
			require.True(t, leaves)
			call.written(time.Now())
			call.ended(tim.Answered)
		}
		_, leaves = w.wait(t.Context(), time.Now(), time.Now().Add(fresh))
		require.False(t, leaves, "it could not leave while it was fresh")
		stuck.ended(tim.NotSent)
		_, leaves = w.wait(t.Context(), time.Now(), time.Now().Add(fresh))
		require.True(t, leaves)
	})
}

func TestRateWithoutALimitFollowsSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &path{base: 20 * ms, began: time.Now()}
		took := p.send(t, &window{limit: -1}, 5_000, ms, 0)
		require.InDelta(t, 5, took.Seconds(), 0.1)
	})
}
