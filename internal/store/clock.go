package store

import "time"

// The clocks of the engines, in unix microseconds. Budgets, leases, waits and
// starts go by the database's, so that consoles that share one need not agree;
// that of SQLite is this machine's. What people read goes by Store.now.
const (
	sqliteClock   = `CAST(unixepoch('subsec') * 1000000 AS BIGINT)`
	postgresClock = `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`
)

// farAhead is later than any lease, hold or wait ends: a time beyond it means
// that the clock was set back, and counts as come.
const farAhead = 90 * time.Second

// moment is one reading of the database's clock.
type moment struct {
	micros int64
	local  time.Time // then, by this process's clock, whose monotonic reading no change of clocks moves
}

func momentOf(micros int64) moment { return moment{micros, time.Now()} }

func (m moment) millis() int64 { return m.micros / 1000 }

// after is so long after the moment, in unix milliseconds.
func (m moment) after(d time.Duration) int64 { return m.millis() + d.Milliseconds() }

// in returns when a time of the database's clock comes, by this process's.
func (m moment) in(micros int64) time.Time {
	return m.local.Add(time.Duration(micros-m.micros) * time.Microsecond)
}

// ahead reports whether a time lies ahead, and not so far that the clock was set back.
func (m moment) ahead(micros int64) bool {
	return micros > m.micros && micros <= m.micros+farAhead.Microseconds()
}
