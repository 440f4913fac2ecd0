// Package heavy bounds work that costs much: exports, evidence packs, searches and reading
// files. So many at once, for each person and in all, and fewer processors than the machine
// has, so that running jobs and the kill switch are not held up. Each of them takes little
// memory, whatever it reads.
package heavy

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"tagsweep/internal/fault"
)

// Faults of work that has no room.
var (
	FaultOwn = fault.Declare(fault.TooMany, "heavy.own",
		"Nothing was done: %d of your downloads, uploads and searches are still running. Wait until one of them has "+
			"ended, then try again.")
	FaultFull = fault.Declare(fault.Unavailable, "heavy.full",
		"Nothing was done: the console is busy with other downloads, uploads and searches. Try again in a few seconds.")
)

// RetryAfter is how long to wait after one of these faults.
const RetryAfter = 5 * time.Second

const (
	ownTasks = 4
	allTasks = 24
	patience = 3 * time.Second
	slice    = 10 * time.Millisecond // of a processor, before others have their turn
)

// Limits are shared by all heavy work of a console. Its methods may be called at the same
// time.
type Limits struct {
	Patience time.Duration // until there is room; New sets 3 s

	tasks, processors *semaphore.Weighted

	mutex  sync.Mutex
	people map[string]*person
}

// person is somebody who has tasks, or waits for one.
type person struct {
	tasks *semaphore.Weighted
	known int
}

// New returns the limits of a console.
func New() *Limits {
	return &Limits{
		Patience:   patience,
		tasks:      semaphore.NewWeighted(allTasks),
		processors: semaphore.NewWeighted(int64(max(1, runtime.GOMAXPROCS(0)-1))),
		people:     map[string]*person{},
	}
}

// Task is work that has room. One goroutine does it. Context carries it to what works.
type Task struct {
	limits *Limits
	ends   []func()
	ended  bool
	since  time.Time // since when it has a processor; zero: it has none
}

// Begin finds room and a processor for work of a person. It returns FaultOwn or FaultFull
// when there is none, or the error of ctx. Call End.
func (l *Limits) Begin(ctx context.Context, who string) (*Task, error) {
	within, cancel := context.WithTimeout(ctx, l.Patience)
	defer cancel()
	t := &Task{limits: l}
	own := l.enter(who)
	t.ends = append(t.ends, func() { l.leave(who) })
	full := FaultOwn.With(ownTasks)
	err := t.take(within, own)
	if err == nil {
		full = FaultFull.With()
		err = t.take(within, l.tasks)
	}
	if err == nil {
		err = t.Work(within)
	}
	if err == nil {
		return t, nil
	}
	t.End()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, full
}

// Background returns a task of the console itself, which only shares the processors.
func (l *Limits) Background() *Task {
	if l == nil {
		return nil
	}
	return &Task{limits: l}
}

type taskKey struct{}

// With returns a context in which the task is known.
func With(ctx context.Context, t *Task) context.Context { return context.WithValue(ctx, taskKey{}, t) }

// Of returns the task of a context. A nil task has no limits: all methods do nothing.
func Of(ctx context.Context) *Task {
	t, _ := ctx.Value(taskKey{}).(*Task)
	return t
}

func (t *Task) take(ctx context.Context, from *semaphore.Weighted) error {
	err := from.Acquire(ctx, 1)
	if err == nil {
		t.ends = append(t.ends, func() { from.Release(1) })
	}
	return err
}

// End gives back all that the task has.
func (t *Task) End() {
	if t == nil {
		return
	}
	t.Rest()
	for _, end := range t.ends {
		end()
	}
	t.ends, t.ended = nil, true
}

// Rest gives the processor back, while the task waits for something else. It reports
// whether the task had one.
func (t *Task) Rest() (had bool) {
	if t == nil || t.since.IsZero() {
		return false
	}
	t.since = time.Time{}
	t.limits.processors.Release(1)
	return true
}

// Work waits for a processor. A task that has ended needs none.
func (t *Task) Work(ctx context.Context) error {
	if t == nil || t.ended || !t.since.IsZero() {
		return nil
	}
	err := t.limits.processors.Acquire(ctx, 1)
	if err == nil {
		t.since = time.Now()
	}
	return err
}

// Turn lets others have the processor, if the task has had it for long enough. Call it
// often.
func (t *Task) Turn(ctx context.Context) error {
	if t == nil || t.since.IsZero() || time.Since(t.since) < slice {
		return nil
	}
	t.Rest()
	return t.Work(ctx)
}

func (l *Limits) enter(who string) *semaphore.Weighted {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.people[who] == nil {
		l.people[who] = &person{tasks: semaphore.NewWeighted(ownTasks)}
	}
	l.people[who].known++
	return l.people[who].tasks
}

func (l *Limits) leave(who string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.people[who].known--; l.people[who].known == 0 {
		delete(l.people, who)
	}
}
