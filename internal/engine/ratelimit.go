package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

const (
	// reserveAhead is the time for which slots are reserved at once, and how early workers take them.
	reserveAhead = 100 * time.Millisecond
	// maxLate is how long after its slot a call may leave. Later it takes another slot.
	// It is shorter when consoles share the slots: none sees how late the others are.
	maxLate       = 80 * time.Millisecond
	maxLateShared = 20 * time.Millisecond
	// maxWindowWait is how long a call waits at most for the service's one-second window.
	maxWindowWait = 20 * time.Millisecond
	// windowLength is the service's second, plus a margin for different delays on the way.
	windowLength = time.Second + 20*time.Millisecond
)

// rateLimiter gives the calls of one command evenly spaced slots at the set rate. One
// database row is shared by all jobs, consoles and restarts. In addition, this process
// never sends more calls in any second than the service accepts.
type rateLimiter struct {
	engine  *Engine
	command tim.Command
	maxLate time.Duration

	turn      chan struct{} // held by the worker whose turn it is
	slot      time.Time     // the next one that is reserved
	interval  time.Duration
	reserved  int
	seenHolds int64 // holds when these slots were reserved

	holds   atomic.Int64 // the number of holds so far
	spacing atomic.Int64 // the interval when slots were last reserved; 0: none were

	mutex    sync.Mutex
	window   [jobs.ServiceLimit]time.Time // when the last calls left
	windowAt int
}

func newRateLimiter(e *Engine, command tim.Command) *rateLimiter {
	p := &rateLimiter{engine: e, command: command, maxLate: maxLate, turn: make(chan struct{}, 1)}
	if e.Store.Shared() {
		p.maxLate = maxLateShared
	}
	return p
}

// next waits for a slot of a call. The caller calls sent when the call leaves. It
// returns false when calls are stopped, ctx ends, or no slot can be reserved.
func (p *rateLimiter) next(ctx context.Context, may func() bool) (sent func(time.Time), ok bool) {
	for {
		slot, interval, ok := p.takeSlot(ctx, may)
		if !ok || !waitWhile(ctx, slot, may) {
			return nil, false
		}
		if time.Since(slot) > p.maxLate {
			continue
		}
		if sent, ok := p.enterWindow(ctx, interval); ok {
			return sent, may()
		}
	}
}

// takeSlot waits until the next slot is near, and takes it.
func (p *rateLimiter) takeSlot(ctx context.Context, may func() bool) (slot time.Time, interval time.Duration, ok bool) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return slot, 0, false
	}
	for {
		if holds := p.holds.Load(); holds != p.seenHolds {
			p.reserved, p.seenHolds = 0, holds // earlier slots may be within the hold
		}
		if missed := time.Since(p.slot) - p.maxLate; p.reserved > 0 && missed > 0 {
			n := min(p.reserved, int(missed/p.interval)+1)
			p.slot, p.reserved = p.slot.Add(time.Duration(n)*p.interval), p.reserved-n
		}
		if p.reserved == 0 {
			if !may() || !p.reserve(ctx) {
				return slot, 0, false
			}
			continue
		}
		if waitWhile(ctx, p.slot.Add(-reserveAhead), func() bool { return may() && p.holds.Load() == p.seenHolds }) {
			slot = p.slot
			p.slot, p.reserved = p.slot.Add(p.interval), p.reserved-1
			return slot, p.interval, true
		}
		if ctx.Err() != nil || !may() {
			return slot, 0, false
		}
	}
}

// slotsIn returns the number of slots in a time at the current rate, at least two.
func (p *rateLimiter) slotsIn(d time.Duration) int {
	spaced := time.Duration(p.spacing.Load())
	if spaced == 0 {
		spaced = time.Second / jobs.ServiceLimit
	}
	return max(2, int(d/spaced))
}

// enterWindow reserves one call in the service's one-second window, and waits a moment
// if needed. It returns false when the window is full for longer.
func (p *rateLimiter) enterWindow(ctx context.Context, interval time.Duration) (sent func(time.Time), ok bool) {
	if interval < time.Second/jobs.ServiceLimit { // a higher rate than the service's is for a simulator
		return func(time.Time) {}, true
	}
	p.mutex.Lock()
	now := time.Now()
	when := p.window[p.windowAt].Add(windowLength)
	if when.Before(now) {
		when = now
	}
	if when.Sub(now) > maxWindowWait {
		p.mutex.Unlock()
		return nil, false
	}
	at := p.windowAt
	p.window[at] = when
	p.windowAt = (at + 1) % len(p.window)
	p.mutex.Unlock()
	sent = func(then time.Time) {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		if p.window[at].Equal(when) { // the place still belongs to this call
			p.window[at], when = then, then
		}
	}
	return sent, sleep(ctx, when.Sub(now))
}

// reserveSlots reserves $4 microseconds of slots, starting now ($3) or at the end of the
// last ones, unless that is further ahead than any hold.
const reserveSlots = `
	INSERT INTO budgets (app_id, command, next_slot) VALUES ($1, $2, CAST($3 AS BIGINT) + CAST($4 AS BIGINT))
	ON CONFLICT (app_id, command) DO UPDATE SET next_slot = CAST($4 AS BIGINT) +
		CASE WHEN budgets.next_slot BETWEEN CAST($3 AS BIGINT) AND CAST($3 AS BIGINT) + 90000000 THEN budgets.next_slot
			ELSE CAST($3 AS BIGINT) END
	RETURNING next_slot`

func (p *rateLimiter) reserve(ctx context.Context) bool {
	e := p.engine
	var first time.Time
	err := e.Store.Write(ctx, lockBudget+string(p.command), func(ctx context.Context, tx *store.Tx) error {
		rate, pace, last, err := p.rate(ctx, tx)
		if err != nil {
			return err
		}
		local := time.Now()
		now := e.gate.time()
		if p.spacing.Load() == 0 && now.Sub(last) < windowLength+p.maxLate {
			p.fillWindow(local)
		}
		p.interval = time.Duration(float64(time.Second) / pace.Now(float64(rate), now))
		if e.Store.Shared() { // consoles do not see each other's calls
			p.interval += p.interval / 40
		}
		p.reserved = max(1, int(reserveAhead/p.interval))
		p.spacing.Store(int64(p.interval))
		block := p.interval * time.Duration(p.reserved)
		end, err := store.Value[int64](ctx, tx,
			reserveSlots, e.App.ID, string(p.command), now.UnixMicro(), block.Microseconds())
		first = local.Add(time.UnixMicro(end).Sub(now) - block)
		return err
	})
	if e.gate.report(ctx, smallWrites, err) {
		p.reserved = 0
		return false
	}
	if first.Before(p.slot) && p.slot.Before(first.Add(2*reserveAhead)) { // clock readings have different delays
		first = p.slot
	}
	p.slot = first
	return true
}

// fillWindow blocks calls for a second: another process may have made some just before
// this one started.
func (p *rateLimiter) fillWindow(now time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for i := range p.window {
		p.window[i] = now
	}
}

// rate returns the rate set for the app, the current reduced pace of the command, and
// the end of its last reserved slots.
func (p *rateLimiter) rate(ctx context.Context, tx *store.Tx) (rate int64, pace jobs.Pace, last time.Time, err error) {
	var thousandths, at, slot int64
	err = tx.QueryRowContext(ctx, `
		SELECT CASE WHEN a.rate_set > 0 THEN a.rate_set ELSE a.rate END,
			COALESCE(b.pace, 0), COALESCE(b.paced_at, 0), COALESCE(b.next_slot, 0)
		FROM apps a LEFT JOIN budgets b ON b.app_id = a.id AND b.command = $2 WHERE a.id = $1`,
		p.engine.App.ID, string(p.command)).
		Scan(&rate, &thousandths, &at, &slot)
	return rate, jobs.Pace{Rate: float64(thousandths) / 1000, At: time.UnixMicro(at)}, time.UnixMicro(slot), err
}

// hold pauses the calls of the command.
func (p *rateLimiter) hold(ctx context.Context, d time.Duration) { p.moveSlots(ctx, d, false) }

// slowDown pauses the calls of the command and lowers its pace, which recovers by itself.
func (p *rateLimiter) slowDown(ctx context.Context, d time.Duration) { p.moveSlots(ctx, d, true) }

// holdSlots moves the next slot to $3 or later.
const holdSlots = `
	INSERT INTO budgets (app_id, command, next_slot) VALUES ($1, $2, CAST($3 AS BIGINT))
	ON CONFLICT (app_id, command) DO UPDATE SET next_slot =
		CASE WHEN budgets.next_slot BETWEEN CAST($3 AS BIGINT) AND CAST($3 AS BIGINT) + 90000000 THEN budgets.next_slot
			ELSE CAST($3 AS BIGINT) END`

func (p *rateLimiter) moveSlots(ctx context.Context, d time.Duration, slower bool) {
	e := p.engine
	err := e.Store.Write(ctx, lockBudget+string(p.command), func(ctx context.Context, tx *store.Tx) error {
		now := e.gate.time()
		err := tx.Exec(ctx, holdSlots, e.App.ID, string(p.command), now.Add(d).UnixMicro())
		if err != nil || !slower {
			return err
		}
		rate, pace, _, err := p.rate(ctx, tx)
		if err != nil {
			return err
		}
		pace = pace.Slower(float64(rate), now)
		return tx.Exec(ctx, `UPDATE budgets SET pace = $3, paced_at = $4 WHERE app_id = $1 AND command = $2`,
			e.App.ID, string(p.command), int64(pace.Rate*1000), pace.At.UnixMicro())
	})
	e.gate.report(ctx, smallWrites, err)
	p.holds.Add(1)
}
