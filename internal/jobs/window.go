package jobs

import (
	"context"
	"slices"
	"sync"
	"time"

	"tagsweep/internal/tim"
)

const (
	// margin covers the quickest way there, which no answer tells.
	margin = 2 * time.Millisecond
	// cheap is a lateness that is allowed for whether it is real or not: the
	// limit is still reached within two in a hundred.
	cheap = 40 * time.Millisecond
	// longestStall is for how long at most the calls on their way are taken for held up
	// when nothing is heard of them: they may as well be slow.
	longestStall = 300 * time.Millisecond
	// chance is how often answers that come as late as usual may be taken for a stall.
	chance = 0.01
	// lateOnes is how late calls of this console must have arrived before it makes
	// up for it where others share the budget and know nothing of it.
	lateOnes = 30 * time.Millisecond
	recheck  = 3 * time.Millisecond
	// few answers tell the quickest: so few that a latency that grew is soon known.
	few = 64
)

// window keeps the service's limit by the service's clock. Slots space the calls
// as they leave, but when the way is blocked for a moment, the calls written
// meanwhile arrive together, and those behind them follow at once.
//
// Calls arrive in the order they were written. So whatever is heard of a call
// bounds when every one written before it arrived: by so much earlier as the
// quickest answers take. A call that seems late against that may only be one
// that took the service longer, and so may its neighbours; how late they seem by
// chance follows from how much answers differ. What is later than chance makes
// it is a stall, and no call leaves until a second has passed since the stalled
// ones arrived, but for the last hundred less one.
//
// Not seen are stalls shorter than chance allows for (about half the spread of
// the answers, when that is more than 100 ms), nor any when answers take longer
// than a second: they come too late.
type window struct {
	limit  int  // negative: none
	shared bool // others spend of the same limit, and see only their own calls

	mutex   sync.Mutex
	calls   []*departure           // those that may have arrived within the last second, in the order they left
	took    [4 * few]time.Duration // from writing to answer, the last ones, a ring
	answers int
	noise   time.Duration // how late calls may seem by chance
	spared  time.Time     // until then slots are given up, for calls that arrived late
	stall   time.Time     // when the calls of the last stall arrived
	paid    time.Duration // how much of it slots were given up for
}

// departure is a call that leaves.
type departure struct {
	window *window
	wrote  time.Time // zero: not yet
	heard  time.Time // the first answer to it or one written later; zero: none yet
}

// wait returns at the slot, or later when the limit asks for it, and notes that
// a call leaves. It returns false when ctx ended first, when the call could not
// leave until a time, or when its slot is to be given up.
func (w *window) wait(ctx context.Context, slot, until time.Time) (call *departure, leaves bool) {
	for at := slot; ; {
		if at.After(until) || ctx.Err() != nil || !sleepUntil(ctx, at) {
			return nil, false
		}
		now := time.Now()
		if now.After(until) {
			return nil, false
		}
		var free bool
		if call, free = w.depart(now); free {
			return call, call != nil
		}
		at = now.Add(recheck)
	}
}

// depart lets a call leave now if the limit does; nil when the slot is given up.
func (w *window) depart(now time.Time) (call *departure, free bool) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.limit >= 0 {
		if now.Before(w.spared) {
			return nil, true
		}
		quickest := w.quickest()
		w.calls = slices.DeleteFunc(w.calls, func(d *departure) bool {
			return !d.wrote.IsZero() && now.Sub(d.arrived(now, quickest)) >= time.Second+margin
		})
		if len(w.calls) >= w.limit {
			return nil, false
		}
	}
	call = &departure{window: w}
	w.calls = append(w.calls, call)
	return call, true
}

// arrived is when a written call arrived at the latest.
func (d *departure) arrived(now time.Time, quickest time.Duration) time.Time {
	return d.wrote.Add(max(0, d.late(now, quickest)))
}

// late is how long the call was held up, as far as can be told.
func (d *departure) late(now time.Time, quickest time.Duration) time.Duration {
	var late time.Duration
	if d.heard.IsZero() {
		late = min(now.Sub(d.wrote)-quickest, longestStall)
	} else {
		late = d.heard.Sub(d.wrote) - quickest
	}
	if late <= d.window.noise {
		return min(late, cheap)
	}
	return late
}

// written notes that the last byte of the call so far was handed to the network.
func (d *departure) written(at time.Time) {
	w := d.window
	w.mutex.Lock()
	defer w.mutex.Unlock()
	d.wrote = at
}

// ended notes how the call ended.
func (d *departure) ended(delivery tim.Delivery) {
	w := d.window
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if delivery == tim.NotSent || w.limit < 0 {
		w.calls = slices.DeleteFunc(w.calls, func(other *departure) bool { return other == d })
		return
	}
	now := time.Now()
	if d.wrote.IsZero() { // nobody saw it being written
		d.wrote = now
	}
	if delivery != tim.Answered {
		return
	}
	w.took[w.answers%len(w.took)] = now.Sub(d.wrote)
	w.answers++
	if w.answers%8 == 0 {
		w.noise = w.byChance()
	}
	quickest := w.quickest()
	for _, other := range w.calls {
		if other.heard.IsZero() && !other.wrote.IsZero() && !other.wrote.After(d.wrote) {
			other.heard = now
			w.spare(now, other, quickest)
		}
	}
}

// spare gives up slots for a call that arrived late where others share the
// limit: as many as arrived together with it instead of before.
func (w *window) spare(now time.Time, d *departure, quickest time.Duration) {
	late := d.late(now, quickest)
	if !w.shared || late <= max(lateOnes, w.noise) || late >= time.Second {
		return
	}
	if arrived := d.arrived(now, quickest); arrived.Sub(w.stall).Abs() > lateOnes {
		w.stall, w.paid = arrived, 0
	}
	if late > w.paid {
		if w.spared.Before(now) {
			w.spared = now
		}
		w.spared = w.spared.Add(late - w.paid)
		w.paid = late
	}
}

func (w *window) known() []time.Duration { return w.took[:min(w.answers, len(w.took))] }

// quickest is the least of the last few.
func (w *window) quickest() (quickest time.Duration) {
	for n := max(0, w.answers-few); n < w.answers; n++ {
		if took := w.took[n%len(w.took)]; quickest == 0 || took < quickest {
			quickest = took
		}
	}
	return quickest
}

// byChance is how late a call may seem though none was held up: an answer to it
// or to one written later would have come before that, but for a small chance.
func (w *window) byChance() time.Duration {
	took := slices.Sorted(slices.Values(w.known()))
	quickest := w.quickest()
	spacing := time.Second / time.Duration(max(1, min(len(w.calls), w.limit)))
	for late := spacing; late < longestStall; late += spacing {
		probability := 1.0
		for after := time.Duration(0); after < late; after += spacing {
			// The call written so long after answers later still.
			quicker, _ := slices.BinarySearch(took, quickest+late-after)
			probability *= float64(len(took)-quicker) / float64(len(took))
		}
		if probability <= chance {
			return late
		}
	}
	return longestStall
}
