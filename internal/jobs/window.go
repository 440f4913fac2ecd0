package jobs

import (
	"context"
	"time"
)

// window lets at most rate calls leave in any second, whatever the slots say:
// slots are reserved ahead and spaced evenly, but after this process has stood
// still several are due at once.
type window struct {
	left []time.Time // a ring of the last departures
	next int
}

func newWindow(rate int) *window { return &window{left: make([]time.Time, max(1, rate))} }

// wait returns at the slot, or later when a second has not yet passed since the
// departure rate calls ago. It returns false when ctx ended first. It is for
// one goroutine.
func (w *window) wait(ctx context.Context, slot time.Time) bool {
	if earliest := w.left[w.next].Add(time.Second); earliest.After(slot) {
		slot = earliest
	}
	if ctx.Err() != nil || !sleepUntil(ctx, slot) {
		return false
	}
	w.left[w.next] = time.Now()
	w.next = (w.next + 1) % len(w.left)
	return true
}
