package audit

import (
	"context"
	"slices"
	"sync"
	"time"

	"tagsweep/internal/store"
)

// Refusals records what is refused, however often: the first of a kind as it is, and what
// follows as one entry a minute with counts. So nobody fills the log, or keeps the database
// busy, by being refused. Its methods may be called at the same time.
type Refusals struct {
	log   *Log
	mutex sync.Mutex
	sums  map[string]*sum
	later []Entry       // first ones that are still to be recorded
	woken chan struct{} // when there are
}

// NewRefusals returns what records refusals in a log, while Run runs.
func NewRefusals(log *Log) *Refusals {
	return &Refusals{log: log, sums: map[string]*sum{}, woken: make(chan struct{}, 1)}
}

const sumEvery = time.Minute

// sum is what was refused since the first, or since the last entry.
type sum struct {
	since     time.Time
	began     time.Time // of the first that is counted, for people
	last      Entry
	actors    []string
	addresses tallies
	targets   tallies
	count     int
	reasons   map[string]int
}

// Note counts a refusal under a key that says what is summed up together. It reports
// whether it is the first, which the caller records.
func (r *Refusals) Note(key string, e Entry) (first bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	s := r.sums[key]
	if s == nil {
		r.sums[key] = &sum{since: time.Now()}
		return true
	}
	s.add(e, r.log.db.Now())
	return false
}

// NoteLater is Note, and has the first recorded soon, so that the caller waits for nothing.
func (r *Refusals) NoteLater(key string, e Entry) {
	if !r.Note(key, e) {
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.later = append(r.later, e)
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

func (s *sum) add(e Entry, now time.Time) {
	if s.count++; s.count == 1 {
		s.began, s.reasons = now, map[string]int{}
	}
	s.last = e
	s.actors = named(s.actors, e.Actor.Name)
	reason, _ := e.Details["reason"].(string)
	if reason != "" {
		s.reasons[reason]++
	}
	s.addresses.add(e.Actor.Address, "", false)
	s.targets.add(e.Target, e.Actor.Address, e.Code == SignInFailed && (reason == "wrong_password" || reason == "disabled"))
}

// named adds a name to a few.
func named(names []string, name string) []string {
	name = store.Clean(name, maxNamed)
	if name == "" || len(names) == namedInSum || slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// entry is one for all that was counted. It names who acted, from where and on what, if
// all of them did the same, and else the first twenty.
func (s *sum) entry() Entry {
	e := s.last
	e.Actor.Session = "" // it may be over by now
	if s.count == 1 {
		return e
	}
	details := map[string]any{"count": s.count, "since": s.began.UTC().Format(time.RFC3339)}
	for name, value := range e.Details {
		if name != "reason" && name != "method" && name != "file" {
			details[name] = value
		}
	}
	for reason, n := range s.reasons {
		details[reason] = n
	}
	e.Actor.RequestID, e.Actor.UserAgent = "", ""
	if len(s.actors) > 1 {
		e.Actor.Name = ""
	}
	if len(s.addresses) > 1 {
		e.Actor.Address = ""
	}
	if len(s.targets) > 1 {
		e.Target = ""
	}
	switch {
	case e.Code == SignInFailed:
		details["by_name"], details["by_address"] = s.targets.byName(), s.addresses.byAddress()
	default:
		if len(s.addresses) > 1 {
			details["addresses"] = s.addresses.names()
		}
		if len(s.targets) > 1 {
			details["targets"] = s.targets.names()
		}
	}
	e.Details = details
	return e
}

// Run records sums until ctx ends. Call Flush then, once nothing is refused any more.
func (r *Refusals) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.woken:
		case <-tick.C:
		}
		r.record(ctx, sumEvery) // what cannot be recorded is kept, and tried again
	}
}

// Flush records at once what was counted.
func (r *Refusals) Flush(ctx context.Context) error { return r.record(ctx, 0) }

// record records the first ones that wait, and the sums that are as old.
func (r *Refusals) record(ctx context.Context, age time.Duration) error {
	var failed error
	for _, e := range r.takeFirst() {
		if failed == nil {
			failed = r.log.Record(ctx, e)
		}
		if failed != nil {
			r.mutex.Lock()
			r.later = append(r.later, e)
			r.mutex.Unlock()
		}
	}
	for key, s := range r.takeDue(age) {
		if failed == nil {
			failed = r.log.Record(ctx, s.entry())
		}
		if failed != nil {
			r.putBack(key, s)
		}
	}
	return failed
}

func (r *Refusals) takeFirst() []Entry {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	first := r.later
	r.later = nil
	return first
}

// takeDue takes the sums that are as old. Where something was counted, the next minute is
// summed up too; where nothing was, the next is a first again.
func (r *Refusals) takeDue(age time.Duration) map[string]*sum {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	due := map[string]*sum{}
	for key, s := range r.sums {
		if time.Since(s.since) < age {
			continue
		}
		delete(r.sums, key)
		if s.count > 0 {
			due[key] = s
		}
		if s.count > 0 && age > 0 {
			r.sums[key] = &sum{since: time.Now()}
		}
	}
	return due
}

// putBack keeps a sum that could not be recorded; what was counted since is added.
func (r *Refusals) putBack(key string, s *sum) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if since := r.sums[key]; since != nil && since.count > 0 {
		s.count += since.count
		s.last = since.last
		for reason, n := range since.reasons {
			s.reasons[reason] += n
		}
		s.targets.merge(since.targets)
		s.addresses.merge(since.addresses)
	}
	s.since = time.Now()
	r.sums[key] = s
}
