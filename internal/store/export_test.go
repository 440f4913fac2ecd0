package store

import (
	"fmt"
	"time"
)

// Jump sets the clocks of the database and of this process forward or back, as
// setting a machine's does: monotonic time goes on as before.
func (s *Store) Jump(by time.Duration) {
	s.clock = fmt.Sprintf("(%s + %d)", s.clock, by.Microseconds())
	now := s.now
	s.now = func() time.Time { return now().Round(0).Add(by) }
}
