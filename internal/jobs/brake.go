package jobs

import "sync"

// brake lets an answer that stops or holds all calls take effect before it is
// written down: what was claimed until then is given back instead of sent.
type brake struct {
	mutex  sync.Mutex
	pulled int // answers that stop calls and are not written down yet
	turn   int // grows with each that was
}

// stops reports whether the settlement concerns other calls than its own.
func (s Settlement) stops() bool { return s.Halt != 0 || s.Hold > 0 }

func (b *brake) pull() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.pulled++
}

// release says that the answer is written down: claims made from now on know of it.
func (b *brake) release() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.pulled--
	b.turn++
}

// now returns the turn a claim is made in, and false while none is to be made.
func (b *brake) now() (turn int, free bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.turn, b.pulled == 0
}
