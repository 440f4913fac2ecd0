// Package engine runs jobs.
//
// A worker claims a batch of up to 100 accounts and runs it to its end, alone
// and from top to bottom (process.go):
//
//	claim   one transaction: the next batches of the job whose turn it is; they
//	        are ours while our heartbeat lives (claim.go, console.go)
//	read    the tags of its accounts (call.go)
//	plan    which account needs what; pure (plan.go)
//	keep    one transaction: the snapshot, and the intent of the call (keep.go)
//	change  the call: tags ten at a time, an account that is refused by halves
//	settle  one transaction: an outcome for every account, counts, the ledger;
//	        the claim ends (settle.go)
//
// A batch is never divided in the database. What happens inside is the worker's
// stack and the ledger's lines, which list the accounts of each call. A
// console that dies leaves its batches to others: those without an intent are
// free, the others in doubt, and reading back tells account by account.
//
// Before the first call that changes tags leaves, the number of batches sent so far is
// saved outside the database (sends.go), so that a restored copy is always noticed. What may
// have been sent after such a copy was made is read first (plan.go).
//
// Whether a call may leave is one question (gate.go), asked in the claim and again
// before each call. When it leaves is decided by the rate limiter (ratelimit.go). What an answer
// means is decided by the table of codes in package tim, and for accounts by
// process.go and plan.go; whether the service works at all, by health.go. What
// follows for a job from its counts is decided by jobs.Progress.
//
// Not promised: tags that somebody gives an account between its reading and the
// call that removes all are removed and not kept; where no tags are saved, also
// those given between a lost call that did its work and the first reading.
package engine

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

const (
	// maxInFlight is the in-flight limit for batches: enough for 97 a second that take 4 s each.
	maxInFlight = 400
	// claimAhead is how long before their first calls batches are claimed.
	claimAhead = 200 * time.Millisecond
	// maxClaim is the maximum number of batches in one claim.
	maxClaim = 100
	// maxIdle is how long a new job waits at most until the engine sees it.
	maxIdle = 200 * time.Millisecond
	// lastWrites is how long a console that shuts down tries to save its last answers.
	lastWrites = 15 * time.Second
)

// Connections is how many connections to the service the engine can use at once.
const Connections = 2*maxInFlight + 16

// Config is what an engine needs. All but Witness and LostCallEnds is required.
type Config struct {
	App       jobs.App
	Client    *tim.Client
	Store     *store.DB
	Jobs      *jobs.Jobs
	Audit     *audit.Log
	Snapshots *snapshot.Snapshots
	Log       *slog.Logger
	Witness   Witness // nil: none; for tests
	// LostCallEnds is after how long a call without an answer can no longer take
	// effect; 0 = 5 s (docs/tim-api.md: the service ends its own work within 3 s).
	LostCallEnds time.Duration
}

// Engine carries out the jobs of one app.
type Engine struct {
	Config
	console     string // the id of this run of this process, in claims
	gate        *gate
	sends       sends
	limiters    map[tim.Command]*rateLimiter
	health      health
	last        string // the job that was served last
	permits     map[string]jobs.Permit
	inFlight    chan struct{} // holds one value for each batch in flight
	waiting     atomic.Int64  // batches in flight whose first call has not left
	workChanged chan struct{} // a first call has left, or a batch is settled: there may be something to claim
}

// New returns an engine that does nothing before Run.
func New(c Config) *Engine {
	c.LostCallEnds = cmp.Or(c.LostCallEnds, 5*time.Second)
	e := &Engine{Config: c, console: store.NewID(time.Now()), limiters: map[tim.Command]*rateLimiter{}, permits: map[string]jobs.Permit{},
		inFlight: make(chan struct{}, maxInFlight), workChanged: make(chan struct{}, 1)}
	e.gate = newGate(e)
	for _, command := range tim.Commands {
		e.limiters[command] = newRateLimiter(e, command)
	}
	return e
}

// Run works until ctx ends. It then claims nothing more, waits for the answers of
// the calls in flight, at most the client's time-out, and saves them. Accounts whose
// answers cannot be saved are in doubt at the next start.
func (e *Engine) Run(ctx context.Context) error {
	if !e.register(ctx) {
		return nil
	}
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var watching sync.WaitGroup
	watched, unwatch := context.WithCancel(writing)
	watching.Go(func() {
		for sleep(watched, heartbeatEvery) {
			e.writeHeartbeat(watched, false)
		}
	})
	watching.Go(func() {
		for sleep(watched, pollEvery) {
			e.gate.poll(watched)
		}
	})
	workers := e.claim(ctx, writing)
	context.AfterFunc(ctx, func() { time.AfterFunc(lastWrites, stop) })
	workers.Wait()
	unwatch()
	watching.Wait()
	e.gate.report(writing, witnessing, e.saveKnown()) // what was read since the last heartbeat
	return nil
}

// claim takes batches for as many workers as are free, until ctx ends.
func (e *Engine) claim(ctx, writing context.Context) *sync.WaitGroup {
	var workers sync.WaitGroup
	for ctx.Err() == nil {
		free := e.reserveWorkers(ctx)
		var batches []*batch
		if e.Trouble() != nil {
			sleep(ctx, maxIdle)
		}
		if free > 0 && e.gate.mayClaim() {
			batches = e.claimBatches(ctx, free)
		}
		for range free - len(batches) {
			<-e.inFlight
		}
		e.waiting.Add(int64(len(batches)))
		for _, b := range batches {
			workers.Go(func() {
				defer func() { <-e.inFlight }()
				e.runBatch(ctx, writing, b)
			})
		}
		if len(batches) == 0 {
			e.waitForWork(ctx)
		}
	}
	return &workers
}

// reserveWorkers waits until there is room for half of the batches that are claimed ahead, so
// that one claim takes several, and takes what room there is.
func (e *Engine) reserveWorkers(ctx context.Context) (n int) {
	most := 0
	for ctx.Err() == nil {
		slots := e.limiters[tim.GetTags].slotsIn(claimAhead)
		if most = min(maxClaim, slots-int(e.waiting.Load())); most >= min(maxClaim, slots/2) {
			break
		}
		e.waitForWork(ctx)
	}
	select {
	case e.inFlight <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n = 1; n < most; n++ {
		select {
		case e.inFlight <- struct{}{}:
		default:
			return n
		}
	}
	return n
}

// firstCallSent says that the first call of a batch leaves, or that none does.
func (e *Engine) firstCallSent(b *batch) {
	if !b.firstCallSent {
		b.firstCallSent = true
		e.waiting.Add(-1)
		e.wake()
	}
}

// wake makes the claim look again.
func (e *Engine) wake() {
	select {
	case e.workChanged <- struct{}{}:
	default:
	}
}

// waitForWork waits while there is nothing to claim: at most maxIdle, or until a
// batch of this console makes progress.
func (e *Engine) waitForWork(ctx context.Context) {
	timer := time.NewTimer(maxIdle)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-e.workChanged:
	}
}

// sleep returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
