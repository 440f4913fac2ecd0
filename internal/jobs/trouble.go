package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"tagsweep/internal/fault"
)

// FaultStore is what a runner says of an error of storage that is none of the known ones.
var FaultStore = fault.Declare(fault.Unavailable, "engine.store", "What happens to accounts cannot be written down, so nothing is sent. Nothing is lost; the program's log says why, and sending goes on by itself once it can be written down.")

// Trouble says why a runner makes no calls: it could not write them down.
type Trouble struct {
	Since     time.Time
	Fault     *fault.Error
	Unwritten int // answers in hand that could not be written down yet
}

// Trouble returns what keeps the runner from making calls, nil when nothing does.
func (r *Runner) Trouble() *Trouble { return r.troubles.shown() }

// work is what a runner asks of storage. Each kind is in trouble by itself: a
// look for ended leases may succeed on a disk that takes no more answers.
type work string

const (
	settling work = "settle"
	expiring work = "expire"
)

// troubles remembers which work fails.
type troubles struct {
	mutex     sync.Mutex
	failing   map[work]*Trouble
	unwritten int
}

// note tells how some work ended and returns whether it failed. That the
// runner's own context ended is no failure.
func (t *troubles) note(ctx context.Context, w work, err error) (failed bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if err == nil {
		delete(t.failing, w)
		return false
	}
	if ctx.Err() != nil {
		return true
	}
	known, is := errors.AsType[*fault.Error](err)
	if !is {
		known = FaultStore.Because(err)
	}
	if t.failing == nil {
		t.failing = map[work]*Trouble{}
	}
	if t.failing[w] == nil {
		t.failing[w] = &Trouble{Since: time.Now()}
	}
	t.failing[w].Fault = known
	return true
}

// holding says how many answers wait to be written down.
func (t *troubles) holding(answers int) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.unwritten = answers
}

// stopped reports whether no call may leave.
func (t *troubles) stopped() bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return len(t.failing) > 0
}

// keepFrom reports whether there is no use in some work: what it takes could not
// leave, or not be written down. Work that is itself in trouble finds out when it ends.
func (t *troubles) keepFrom(w work) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.failing[settling] != nil || len(t.failing) > 0 && t.failing[w] == nil
}

func (t *troubles) shown() *Trouble {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var shown *Trouble
	for _, failing := range t.failing {
		if shown == nil || failing.Since.Before(shown.Since) {
			first := *failing
			shown = &first
		}
	}
	if shown != nil {
		shown.Unwritten = t.unwritten
	}
	return shown
}
