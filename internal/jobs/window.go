package jobs

import (
	"context"
	"sync"
	"time"
)

const (
	// serviceLimit is how many calls of a command the service takes in any
	// second, by its own clock (docs/tim-api.md).
	serviceLimit = 100
	// longestWay is how long a call that is not answered is supposed to have been under way.
	longestWay = 100 * time.Millisecond
	// margin covers the quickest way there, which no answer tells.
	margin = 2 * time.Millisecond
)

// window keeps the service's limit by the service's clock. Slots space the calls
// as they leave, but a call that is held up on its way arrives together with
// those behind it. When it arrived at the latest is known from its answer: so
// much earlier as the quickest answers take. No call leaves until a second has
// passed since the latest arrival of the call a hundred before it.
type window struct {
	mutex   sync.Mutex
	calls   [serviceLimit]departure // the last ones, a ring
	next    int
	quick   [64]time.Duration // how long the last answers took, a ring
	answers int
}

type departure struct {
	left time.Time
	took time.Duration // until its answer; 0 before
}

// wait returns at the slot, or later when the limit asks for it, and notes that
// a call leaves; done is to be called when it is answered or given up. It
// returns false when ctx ended first.
func (w *window) wait(ctx context.Context, slot time.Time) (done func(), ok bool) {
	for earliest := slot; ; earliest = w.earliest() {
		if ctx.Err() != nil || !sleepUntil(ctx, earliest) {
			return nil, false
		}
		if !w.earliest().After(time.Now()) {
			break
		}
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	call, left := &w.calls[w.next], time.Now()
	*call = departure{left: left}
	w.next = (w.next + 1) % serviceLimit
	return func() { w.answered(call, left) }, true
}

// earliest is when the next call may leave.
func (w *window) earliest() time.Time {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	call := w.calls[w.next]
	if call.left.IsZero() {
		return call.left
	}
	way := call.took - w.quickest()
	if call.took == 0 { // in flight: it may be on its way for as long as it is late
		way = min(longestWay, time.Since(call.left)-w.quickest())
	}
	return call.left.Add(max(0, way) + time.Second + margin)
}

func (w *window) answered(call *departure, left time.Time) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	took := time.Since(left)
	w.quick[w.answers%len(w.quick)] = took
	w.answers++
	if call.left.Equal(left) { // else a hundred calls have left since
		call.took = took
	}
}

func (w *window) quickest() time.Duration {
	known := w.quick[:min(w.answers, len(w.quick))]
	if len(known) == 0 {
		return 0
	}
	quickest := known[0]
	for _, took := range known {
		quickest = min(quickest, took)
	}
	return quickest
}
