package audit

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// What the clock decides and nobody can take back (erasing tags at their date, removing old
// entries) waits until the clock has been right for a while. One reading of it proves nothing.
const (
	// maxDrift is how far the clock may move, beside the time that has passed, since the start.
	maxDrift = time.Hour
	// maxPause is how long the log may be without an entry. A running console writes one
	// at least every 12 hours, when it verifies the database.
	maxPause = 24 * time.Hour
	// steadyFor is how long a console watches the clock before it trusts it, in at least steadySteps steps.
	steadyFor   = 10 * time.Minute
	steadySteps = 5
	// entriesCompared is how many entries before the start are looked at for a jump.
	entriesCompared = 100_000
)

// FaultClockReason is for a confirmation without a reason.
var FaultClockReason = fault.Declare(fault.Invalid, "audit.clock_reason",
	"The clock was not confirmed: enter the reason. It stays in the log.")

// clock watches this machine's clock since the console started.
type clock struct {
	mutex    sync.Mutex
	compared bool          // with the entries before the start
	base     time.Duration // the clock, less the time that has passed
	since    time.Duration // when base was taken
	steps    int           // observations since then
	passed   func() time.Duration
}

// steadyClock returns the time that has passed, which no setting of the clock changes.
func steadyClock() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}

// TrustedTime observes the clock, and returns the time if the clock has gone steadily for
// a while, and as the times of the log do; otherwise zero. Call it regularly, and decide
// by what it returns: the next reading may be another. A jump is recorded in the log; from
// then on the clock is not trusted until an admin confirms it, also after a restart.
func (l *Log) TrustedTime(ctx context.Context) (now time.Time, err error) {
	c := &l.clock
	c.mutex.Lock()
	defer c.mutex.Unlock()
	passed, read := c.passed(), l.db.Now()
	offset := time.Duration(read.UnixNano()) - passed
	var jump time.Duration
	if c.compared {
		if jump = offset - c.base; jump.Abs() <= maxDrift {
			jump = 0
		}
	} else {
		if jump, err = l.jumpBefore(ctx); err != nil {
			return now, err
		}
	}
	if jump != 0 {
		err := l.Record(ctx, Entry{Code: ClockJumped, Actor: System, Details: map[string]any{"seconds": int64(jump / time.Second)}})
		if err != nil {
			return now, err
		}
	}
	if jump != 0 || !c.compared {
		c.base, c.since, c.steps, c.compared = offset, passed, 0, true
	}
	c.steps++
	waits, err := l.ClockJumped(ctx)
	if err != nil || !waits.IsZero() || c.steps <= steadySteps || passed-c.since < steadyFor {
		return now, err
	}
	return read, nil
}

// jumpBefore looks in the times of the log, and between them and now, for a jump that
// nobody has confirmed; 0: there is none.
func (l *Log) jumpBefore(ctx context.Context) (time.Duration, error) {
	h, err := readHead(ctx, l.db.Reader())
	if err != nil {
		return 0, err
	}
	last, jump, used := l.db.Now(), time.Duration(0), false
	compare := func(at time.Time) {
		if step := last.Sub(at); jump == 0 && (step > maxPause || step < -maxDrift) {
			jump = step
		}
		last = at
	}
	type moment struct {
		at   time.Time
		code Code
	}
	for before, left := int64(1)<<62, entriesCompared; left > 0; {
		some, err := store.Collect(ctx, l.db.Reader(), func(row store.Scanner) (m moment, err error) {
			return m, row.Scan(&before, store.ScanTime(&m.at), &m.code)
		}, `SELECT seq, at, code FROM audit_lines WHERE seq < $1 AND seq > $2 ORDER BY seq DESC LIMIT $3`,
			before, h.removed, verifiedAtOnce)
		switch {
		case err != nil:
			return 0, err
		case len(some) == 0 && !used: // no console has run yet
			return 0, nil
		case len(some) == 0:
			return jump, nil
		}
		for _, m := range some {
			compare(m.at)
			used = used || !slices.Contains(beforeUse, m.code)
			if m.code == ClockConfirmed {
				return jump, nil
			}
			if m.code == ClockJumped {
				return 0, nil // it waits for an admin already
			}
		}
		left -= len(some)
	}
	return jump, nil
}

// ClockJumped returns when a jump of the clock was recorded that no admin has confirmed;
// zero: there is none.
func (l *Log) ClockJumped(ctx context.Context) (at time.Time, err error) {
	found, err := l.Entries(ctx, Filter{Code: ClockJumped, Limit: 1})
	if err != nil || len(found) == 0 {
		return at, err
	}
	confirmed, err := l.Entries(ctx, Filter{Code: ClockConfirmed, Limit: 1})
	if err != nil || len(confirmed) > 0 && confirmed[0].Seq > found[0].Seq {
		return at, err
	}
	return found[0].At, nil
}

// ConfirmClock says that the clock is right now, for an admin who has looked at it. What
// waited for it goes on after it was watched for a while. Without a jump it changes
// nothing. Fault: FaultClockReason.
func (l *Log) ConfirmClock(ctx context.Context, by Actor, reason string) error {
	reason = strings.TrimSpace(store.Clean(reason, maxText))
	if reason == "" {
		return FaultClockReason.With()
	}
	at, err := l.ClockJumped(ctx)
	if err != nil || at.IsZero() {
		return err
	}
	return l.Record(ctx, Entry{Code: ClockConfirmed, Actor: by, Details: map[string]any{"reason": reason}})
}
