package timtest

import (
	"time"
)

// serviceLimit is how many calls of a command the service takes in any second.
const serviceLimit = 100

// stall is a time, in Unix microseconds, in which the simulator did not get
// to run: what arrived meanwhile was seen only after it, all together.
type stall struct{ from, to int64 }

// burst is calls of one command that were seen within a second.
type burst struct {
	first, last int64 // when, Unix microseconds
	calls       int
}

const (
	stallCheckEvery = 5 * time.Millisecond
	// maxCheckGap is longer than it takes when the machine has time for the simulator.
	maxCheckGap = 15 * time.Millisecond
	// stallTail is how long after a stall the last of what had waited is seen.
	stallTail = 50 * time.Millisecond
)

// watchStalls notes stalls until the simulator closes.
func (s *Service) watchStalls() {
	tick := time.NewTicker(stallCheckEvery)
	defer tick.Stop()
	for last := s.config.Now(); ; {
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
		now := s.config.Now()
		if now.Sub(last) > maxCheckGap {
			s.mu.Lock()
			s.stalls = append(s.stalls, stall{last.UnixMicro(), now.UnixMicro()})
			s.mu.Unlock()
		}
		last = now
	}
}

// excess is how many calls beyond the limit surely arrived within one second:
// those that stalls may have brought together do not count.
func (s *Service) excess(b burst) int {
	held := int64(0)
	for _, still := range s.stalls {
		if still.to+stallTail.Microseconds() >= b.first && still.from <= b.last {
			held += still.to - still.from
		}
	}
	second := time.Second.Microseconds()
	return b.calls - serviceLimit - int((held*serviceLimit+second-1)/second)
}
