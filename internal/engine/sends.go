package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
)

// Witness keeps the sends outside the database. They are on the disk when SaveSends
// returns.
type Witness interface {
	SaveSends(jobs.Sends) error
}

// Faults of an older copy of the database.
var (
	FaultWitness = fault.Declare(fault.Unavailable, "engine.witness",
		"Sending is paused because the witness file cannot be written. No data is lost. Check CONSOLE_WITNESS_FILE: its "+
			"disk may be full, its folder not writable, or the file changed or written with another key. Sending resumes "+
			"automatically.")
	FaultReplaced = fault.Declare(fault.Unavailable, "engine.replaced",
		"Sending is stopped because the database was replaced while the console was running, for example by a backup. "+
			"Restart the console.")
)

// sends compares the count of batches sent in the database with what this process knows.
// A batch is counted in the transaction that keeps its intent (keep.go), and the count
// is saved by the witness before its call leaves. So the witness is never ahead of the
// database, and an older copy always is behind it.
type sends struct {
	known atomic.Pointer[jobs.Sends] // the highest count that was committed; nil: none yet
	told  atomic.Bool                // the database says that it is an older copy

	mutex sync.Mutex // held while the witness saves: those who wait share the next save
	saved int64
}

// learn keeps a count that was committed.
func (s *sends) learn(n jobs.Sends) {
	for known := s.known.Load(); known == nil || n.Number > known.Number; known = s.known.Load() {
		if s.known.CompareAndSwap(known, &n) {
			return
		}
	}
}

// last is the highest count that was committed, as far as this process knows.
func (s *sends) last() (n jobs.Sends) {
	if known := s.known.Load(); known != nil {
		n = *known
	}
	return n
}

// saveSends returns once a count that was committed is saved.
func (e *Engine) saveSends(n jobs.Sends) error {
	s := &e.sends
	s.learn(n)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.saved >= n.Number {
		return nil
	}
	known := s.last()
	if e.Witness != nil {
		if err := e.Witness.SaveSends(known); err != nil {
			return FaultWitness.Because(err)
		}
	}
	s.saved = known.Number
	return nil
}

// saveKnown saves what other consoles have sent, unless sending is held.
func (e *Engine) saveKnown() error {
	if e.gate.restored() {
		return nil
	}
	return e.saveSends(e.sends.last())
}

// Sends returns the highest count of batches sent that this engine has seen.
func (e *Engine) Sends() int64 { return e.sends.last().Number }

// compareSends learns the count of the database. It returns false if the database is older
// than what was known when it was asked: this process then sends nothing more, because all
// that it remembers is of another database.
func (e *Engine) compareSends(ctx context.Context, has jobs.Sends, older bool, known jobs.Sends) bool {
	if !older {
		e.sends.learn(has)
		return true
	}
	e.gate.report(ctx, comparing, FaultReplaced.With())
	if e.sends.told.Load() {
		return false
	}
	if _, err := e.Jobs.HoldSending(ctx, jobs.Sends{Number: known.Number, At: time.Now()}); err != nil {
		e.Log.Error("the database is an older copy, and this could not be written down yet", "err", err)
		return false
	}
	e.sends.told.Store(true)
	return false
}
