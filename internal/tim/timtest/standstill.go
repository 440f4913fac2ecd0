package timtest

import (
	"time"
)

// serviceLimit is how many calls of a command the service takes in any second.
const serviceLimit = 100

// standstill is a time, in Unix microseconds, in which the simulator did not get
// to run: what arrived meanwhile was seen only after it, all together.
type standstill struct{ from, to int64 }

// burst is calls of one command that were seen within a second.
type burst struct {
	first, last int64 // when, Unix microseconds
	calls       int
}

const (
	lookEvery = 5 * time.Millisecond
	// longestLook is longer than it takes when the machine has time for the simulator.
	longestLook = 15 * time.Millisecond
	// after is how long after a standstill the last of what had waited is seen.
	after = 50 * time.Millisecond
)

// look notes standstills until the simulator closes.
func (s *Service) look() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for last := s.config.Now(); ; {
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
		now := s.config.Now()
		if now.Sub(last) > longestLook {
			s.mu.Lock()
			s.standstills = append(s.standstills, standstill{last.UnixMicro(), now.UnixMicro()})
			s.mu.Unlock()
		}
		last = now
	}
}

// excess is how many calls beyond the limit surely arrived within one second:
// those that standstills may have brought together do not count.
func (s *Service) excess(b burst) int {
	held := int64(0)
	for _, still := range s.standstills {
		if still.to+after.Microseconds() >= b.first && still.from <= b.last {
			held += still.to - still.from
		}
	}
	second := time.Second.Microseconds()
	return b.calls - serviceLimit - int((held*serviceLimit+second-1)/second)
}
