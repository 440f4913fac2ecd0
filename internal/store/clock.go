package store

import (
	"context"
	"time"
)

// The clocks of the engines, in unix microseconds. Budgets, heartbeats, waits and
// starts go by the database's, so that consoles that share one need not agree;
// that of SQLite is this machine's. What people read goes by Store.now.
const (
	sqliteClock   = `CAST(unixepoch('subsec') * 1000000 AS BIGINT)`
	postgresClock = `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`
)

// farAhead is later than any hold or wait ends: a time beyond it means that the
// clock was set back, and counts as come.
const farAhead = 90 * time.Second

// ClockOffset is how far the database's clock is ahead of this program's.
func (s *Store) ClockOffset(ctx context.Context) (time.Duration, error) {
	if !s.postgres {
		return 0, nil
	}
	var micros int64
	began := time.Now()
	err := s.read.QueryRowContext(ctx, `SELECT `+s.clock).Scan(&micros)
	return time.UnixMicro(micros).Sub(began.Add(time.Since(began) / 2)), err
}

// moment is one reading of the database's clock.
type moment struct {
	micros int64
	local  time.Time // then, by this process's clock, whose monotonic reading no change of clocks moves
}

func momentOf(micros int64) moment { return moment{micros, time.Now()} }

// in returns when a time of the database's clock comes, by this process's.
func (m moment) in(micros int64) time.Time {
	return m.local.Add(time.Duration(micros-m.micros) * time.Microsecond)
}

// ahead reports whether a time lies ahead, and not so far that the clock was set back.
func (m moment) ahead(micros int64) bool {
	return micros > m.micros && micros <= m.micros+farAhead.Microseconds()
}
