package store

import (
	"context"
	"fmt"
	"time"
)

// The clocks of the databases, in unix microseconds. Budgets, heartbeats, waits and
// starts use them, so that the clocks of consoles may differ. SQLite uses the clock of
// this machine. Times for people use Now.
const (
	sqliteClock   = `CAST(unixepoch('subsec') * 1000000 AS BIGINT)`
	postgresClock = `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`
)

// Now is the time that people read, by this machine's clock.
func (s *DB) Now() time.Time { return s.now() }

// Clock is the SQL for the database's clock, in unix microseconds.
func (s *DB) Clock() string { return s.clock }

// ShiftClocks sets both clocks forward or back, as setting a machine's does:
// monotonic time continues as before. Tests call it, while nobody else uses the
// database.
func (s *DB) ShiftClocks(by time.Duration) {
	now := s.now
	s.clock = fmt.Sprintf("(%s + %d)", s.clock, by.Microseconds())
	s.now = func() time.Time { return now().Round(0).Add(by) }
}

// ClockOffset is how far the database's clock is ahead of this program's.
func (s *DB) ClockOffset(ctx context.Context) (time.Duration, error) {
	if !s.postgres {
		return 0, nil
	}
	began := time.Now()
	micros, err := Value[int64](ctx, s.reserved, `SELECT `+s.clock)
	return time.UnixMicro(micros).Sub(began.Add(time.Since(began) / 2)), err
}
