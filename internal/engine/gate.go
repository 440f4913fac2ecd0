package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
)

const (
	// pollEvery is how often the gate asks the database what stops calls.
	pollEvery = 150 * time.Millisecond
	// maxPollAge is the age up to which calls may rely on the answer. Even with the
	// query and the wait for a connection, no call leaves a second after a person
	// has stopped it.
	maxPollAge = 500 * time.Millisecond
	// maxHeartbeatAge is the age of a heartbeat up to which calls may leave. They end
	// before another console takes the batch over.
	maxHeartbeatAge = 5 * time.Second
)

// FaultStore is shown for a storage error of unknown kind.
var FaultStore = fault.Declare(fault.Unavailable, "engine.store",
	"Sending is paused because results cannot be saved. No data is lost. See the program log for the cause. "+
		"Sending resumes automatically.")

// FaultMoved says that another console has changed where the app is served.
var FaultMoved = fault.Declare(fault.Unavailable, "engine.moved",
	"Sending is stopped because another console was started with another CONSOLE_TIM_DOMAIN or CONSOLE_TIM_ENVIRONMENT "+
		"for this app. Restart this console with the same settings as the other one, or stop it.")

// operation is a kind of database access. Each kind fails and recovers by itself.
type operation string

const (
	polling     operation = "look"
	smallWrites operation = "heartbeat" // and other writes of one row
	writing     operation = "write"
	settling    operation = "settle"
	witnessing  operation = "witness"
	comparing   operation = "compare" // with the number of sends known so far
	addressing  operation = "address" // of the app, with ours
)

// gate is the send gate: the one place that decides whether a call may leave.
type gate struct {
	engine *Engine

	mutex         sync.Mutex
	offset        time.Duration         // of the database's clock from this one
	allowed       map[string]permission // jobs that may send
	killSwitch    bool                  // as of the last poll
	switchSeen    int64                 // the last entry of the log about it
	lifted        int64                 // the entry that resumed sending, once that was checked
	doubted       string                // why the row of the kill switch is not believed
	held          bool                  // because the database is an older copy
	polledAt      time.Time             // when the last poll began
	probing       bool                  // one batch at a time
	blocks        int                   // answers that stop all calls and are not saved yet
	unblockedAt   time.Time             // polls before this do not count
	validSince    time.Time             // earlier claims may belong to another console: heartbeats were missing too long
	lastHeartbeat time.Time             // when the last saved heartbeat began
	failing       map[operation]*jobs.Trouble
	unwritten     int // batches whose outcome is not saved
}

// permission allows a job to send, as of a time.
type permission struct {
	at        time.Time
	cancelled bool // only accounts in doubt may be read
}

func newGate(e *Engine) *gate {
	return &gate{engine: e, allowed: map[string]permission{}, failing: map[operation]*jobs.Trouble{}}
}

// open reports whether a call of a batch may leave now.
func (g *gate) open(b *batch) bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	job, may := g.allowed[b.job.id]
	return may && len(g.failing) == 0 && g.valid(job.at) && !b.claimed.Before(g.validSince) &&
		recent(g.lastHeartbeat, maxHeartbeatAge) && (b.probe || !g.probing) &&
		job.cancelled == (b.job.state == jobs.Cancelled)
}

// valid reports whether calls may rely on a poll that began then.
func (g *gate) valid(poll time.Time) bool {
	return g.blocks == 0 && poll.After(g.unblockedAt) && recent(poll, maxPollAge)
}

// openForPerson reports whether a call outside any job may leave, or why not.
func (g *gate) openForPerson() (open bool, why *fault.Error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for _, trouble := range g.failing {
		return false, trouble.Fault
	}
	if g.killSwitch {
		return false, FaultStopped.With()
	}
	return g.valid(g.polledAt), nil
}

// mayClaim reports whether to try a claim. When only writes have failed, the claim
// shows whether they work again.
func (g *gate) mayClaim() bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	others := len(g.failing)
	if g.failing[writing] != nil {
		others--
	}
	return others == 0 && !g.killSwitch && g.valid(g.polledAt) && recent(g.lastHeartbeat, maxHeartbeatAge)
}

// recent reports whether a time is not older than age by the monotonic clock and by
// the wall clock. The monotonic clock stops while a machine is suspended.
func recent(at time.Time, age time.Duration) bool {
	return !at.IsZero() && time.Since(at) <= age && time.Now().Round(0).Sub(at.Round(0)).Abs() <= age
}

// restored reports whether sending was held at the last poll because the database is an
// older copy.
func (g *gate) restored() bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.held
}

// block stops all calls of this process until unblock is called.
func (g *gate) block() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.blocks++
}

// unblock ends a block once its reason is saved. Only later polls count.
func (g *gate) unblock() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.blocks--
	g.unblockedAt = time.Now()
}

// allow counts a claim that began then as a poll of its job.
func (g *gate) allow(j job, began time.Time) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.allowed[j.id] = permission{began, j.state == jobs.Cancelled}
}

// wait waits until a time. It returns false when calls of the batch are stopped before.
func (g *gate) wait(ctx context.Context, b *batch, until time.Time) bool {
	return waitWhile(ctx, until, func() bool { return g.open(b) })
}

func waitWhile(ctx context.Context, until time.Time, may func() bool) bool {
	for {
		if !may() {
			return false
		}
		remaining := time.Until(until)
		if remaining <= 0 {
			return true
		}
		if !sleep(ctx, min(remaining, pollEvery)) {
			return false
		}
	}
}

// maySend returns the jobs of the app $1 that may send, how the kill switch stands by its
// row and by the log, whether it holds an older copy, whether the app probes, and the sends,
// compared with those that are known, and whether the app is served at the address $4 in the
// environment $5. It returns at least one row of a database that is whole.
const maySend = `
	SELECT COALESCE(j.id, ''), COALESCE(j.state, ''), k.thrown_at > 0,
		(SELECT COALESCE(MAX(seq), 0) FROM audit_lines WHERE code = 'kill_switch.thrown'),
		(SELECT COALESCE(MAX(seq), 0) FROM audit_lines WHERE code = 'kill_switch.lifted'), k.hold <> '', a.probe_at > 0,
		s.sent, s.last, ` + jobs.OlderSQL + `, a.domain = $4 AND a.environment = $5
	FROM apps a JOIN kill_switch k ON k.id = 1 JOIN sends s ON s.id = 1
	LEFT JOIN jobs j ON j.app_id = a.id AND j.finished_at = 0 AND k.thrown_at = 0
		AND (j.state IN ('queued', 'running', 'cancelled') OR j.state = 'halted' AND j.halt_recovers = 1 AND a.probe_at > 0)
	WHERE a.id = $1`

func (g *gate) poll(ctx context.Context) {
	began := time.Now()
	type seen struct {
		id      string
		state   jobs.State
		stop    switchState
		held    bool
		probing bool
		sends   jobs.Sends
		older   bool
		here    bool
	}
	known := g.engine.sends.last()
	within, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if g.engine.Store.Replaced() {
		g.report(ctx, comparing, FaultReplaced.With())
		return
	}
	offset, err := g.engine.Store.ClockOffset(within)
	var all []seen
	if err == nil {
		all, err = store.Collect(within, g.engine.Store.Reserved(), func(row store.Scanner) (s seen, err error) {
			return s, row.Scan(&s.id, &s.state, &s.stop.thrown, &s.stop.stops, &s.stop.resumes, &s.held, &s.probing, &s.sends.Number,
				&s.sends.Last, &s.older, &s.here)
		}, maySend, g.engine.App.ID, known.Number, known.Last, g.engine.App.Domain, g.engine.App.Environment)
	}
	if err == nil && len(all) == 0 {
		err = jobs.FaultIncomplete.With()
	}
	on := false
	if err == nil {
		on, err = g.isOn(within, all[0].stop)
	}
	if g.report(ctx, polling, err) || !g.engine.compareSends(ctx, all[0].sends, all[0].older, known) {
		return
	}
	var moved error
	if !all[0].here {
		moved = FaultMoved.With()
	}
	if g.report(ctx, addressing, moved) {
		return
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	allowed := map[string]permission{}
	g.killSwitch, g.probing, g.held = on, all[0].probing, on && all[0].held
	if on {
		all, g.allowed = nil, nil
	}
	for id, p := range g.allowed {
		if p.at.After(began) { // a claim that this poll may have missed
			allowed[id] = p
		}
	}
	for _, s := range all {
		if s.id != "" && allowed[s.id] == (permission{}) {
			allowed[s.id] = permission{began, s.state == jobs.Cancelled}
		}
	}
	g.polledAt, g.offset, g.allowed = began, offset, allowed
}

// heartbeatWritten records that a heartbeat which began then is saved.
func (g *gate) heartbeatWritten(began time.Time) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if !g.lastHeartbeat.IsZero() && !recent(g.lastHeartbeat, maxHeartbeatAge) {
		g.validSince = began
	}
	g.lastHeartbeat = began
}

// time is the database's time.
func (g *gate) time() time.Time {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return time.Now().Add(g.offset)
}

// now is the database's time in unix milliseconds.
func (g *gate) now() int64 { return g.time().UnixMilli() }

// report records the result of a database operation and returns whether it failed.
// A shutdown or an ended claim is no error of the database.
func (g *gate) report(ctx context.Context, w operation, err error) (failed bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if err == nil {
		delete(g.failing, w)
		return false
	}
	if ctx.Err() != nil || errors.Is(err, errLost) {
		return true
	}
	known, is := errors.AsType[*fault.Error](store.AsTrouble(err))
	if !is {
		known = FaultStore.Because(err)
	}
	if g.failing[w] == nil {
		g.failing[w] = &jobs.Trouble{Since: time.Now()}
		g.engine.Log.Error("no call is made: the database cannot be used", "work", w, "err", err)
	}
	g.failing[w].Fault = known
	return true
}

// addUnwritten counts batches whose outcome waits to be saved.
func (g *gate) addUnwritten(more int) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.unwritten += more
}

// Trouble returns what keeps the engine from making calls, nil when nothing does.
func (e *Engine) Trouble() *jobs.Trouble {
	e.gate.mutex.Lock()
	defer e.gate.mutex.Unlock()
	var shown *jobs.Trouble
	for work, failing := range e.gate.failing {
		// What does not end by itself comes first, then what began first.
		if shown == nil || work == comparing || e.gate.failing[comparing] == nil && failing.Since.Before(shown.Since) {
			first := *failing
			shown = &first
		}
	}
	if shown != nil {
		shown.Unwritten = e.gate.unwritten
	}
	return shown
}
