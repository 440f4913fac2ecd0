package timtest

import (
	"time"

	"tagsweep/internal/tim"
)

// window admits a limited number of arrivals in any second, wherever the second
// starts. It holds the times of the last ones it admitted, as a ring.
type window struct {
	admitted []time.Time
	oldest   int
	limit    int // negative = none
}

func (w *window) admit(now time.Time) bool {
	switch {
	case w.limit < 0:
		return true
	case len(w.admitted) < w.limit:
		w.admitted = append(w.admitted, now)
		return true
	case now.Sub(w.admitted[w.oldest]) < time.Second:
		return false
	}
	w.admitted[w.oldest] = now
	w.oldest = (w.oldest + 1) % w.limit
	return true
}

// window returns the budget of a command, which both families spend. The
// caller holds the lock.
func (s *Service) window(command tim.Command) *window {
	if s.windows[command] == nil {
		s.windows[command] = &window{limit: s.config.RateLimit}
	}
	return s.windows[command]
}

// MaxCallsInAnySecond returns how many calls of a command arrived at most
// within one second, wherever it starts, refused ones included.
func (s *Service) MaxCallsInAnySecond(command tim.Command) int {
	return s.Stats().Commands[command].MaxInAnySecond
}
