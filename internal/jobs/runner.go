package jobs

import (
	"cmp"
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tagsweep/internal/tim"
)

// Store is what the runner needs of storage. It stands here because the store
// imports this package; it is not there for mocking.
type Store interface {
	// Claim takes up to limit batches of the app for calls of the command and
	// gives each a slot of the budget. With none to take it returns when to ask
	// again at the earliest, or the zero time. A lease begins in the claim's
	// transaction, when nothing that stops calls can come before its end.
	Claim(ctx context.Context, appID string, command tim.Command, limit int, lease time.Duration) ([]Claim, time.Time, error)
	// Settle writes settlements down, each whole or not at all. After an error
	// all may be given again: one that was written changes nothing more.
	Settle(ctx context.Context, appID string, settlements []Settlement) error
	// Expire puts the batches whose owner died in doubt: those whose lease has
	// ended, or all that are claimed. They may be read back after a wait. Of those
	// whose tags were only being read, nothing is in doubt: they are free again.
	// What was read so long ago that it may no longer be so is to be read again.
	// It returns how many calls ended without an answer.
	Expire(ctx context.Context, appID string, all bool, readBackAfter time.Duration) (int, error)
	// Slot reserves a slot of the budget for one call that belongs to no job. It is
	// a fault when all sending is stopped.
	Slot(ctx context.Context, appID string, command tim.Command) (time.Time, error)
	// Shared reports whether other consoles may run on the same database.
	Shared() bool
}

const (
	lease       = 20 * time.Second       // a call ends within its time-out of 10 s; the batches of a console that died are another's within 30 s
	fresh       = 500 * time.Millisecond // a call leaves at most so long after its claim was committed
	connected   = 900 * time.Millisecond // with the wait for a connection, its first byte
	claimWithin = 3 * time.Second        // longer than this no claim is waited for: it would hardly be fresh
	ahead       = 100 * time.Millisecond // how far slots are reserved ahead
	idle        = 200 * time.Millisecond // how long a new job waits at most to be seen
	expireEvery = time.Second
	latest      = 20 * time.Millisecond // so late a call may leave where others share the budget
	settleMost  = 64                    // settlements in one transaction
	settleAgain = 10 * time.Second      // longer than this no attempt to write answers down lasts
	settleLast  = 15 * time.Second      // how long a runner that ends tries to write the last answers down
)

// InFlight is the most calls of each command that are claimed and not yet
// settled: enough for 97 a second when each takes 3.2 s. Connections are what
// the client needs for them, and for some calls of ReadTags.
const (
	InFlight    = 320
	Connections = 4*InFlight + 16
)

// Runner carries out the jobs of one app.
type Runner struct {
	App    App
	Client *tim.Client
	Store  Store
	Log    *slog.Logger

	// ReadBackAfter is how long a lost call may still take effect; 0 = 5 s. The
	// service ends its own work within 3 s (docs/tim-api.md).
	ReadBackAfter time.Duration
	// ServiceLimit is how many calls of a command the service takes in any second;
	// 0 = 100, negative = no limit.
	ServiceLimit int

	past     past
	brake    brake
	troubles troubles
	reading  atomic.Pointer[lane] // while it runs, that of GetTags
}

// Run works until ctx ends. It then stops claiming, waits for the calls in
// flight, which end within the client's time-out, writes down what became of
// them and returns. What cannot be written down is in doubt at the next start.
func (r *Runner) Run(ctx context.Context) error {
	r.ReadBackAfter = cmp.Or(r.ReadBackAfter, 5*time.Second)
	r.ServiceLimit = cmp.Or(r.ServiceLimit, ServiceLimit)
	for !r.expireOnce(ctx, !r.Store.Shared()) { // before that, a call of an earlier process could be taken for one of this
		if !sleepUntil(ctx, time.Now().Add(expireEvery)) {
			return nil
		}
	}
	// Room for every claim there can be, so that no call waits for the database to end.
	settlements := make(chan Settlement, len(tim.Commands)*InFlight)
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	lanes := map[tim.Command]*lane{}
	for _, command := range tim.Commands {
		lanes[command] = newLane(r, command, settlements)
	}
	r.reading.Store(lanes[tim.GetTags])
	defer r.reading.Store(nil)
	var calling, settler errgroup.Group
	for _, lane := range lanes {
		calling.Go(func() error { lane.run(ctx); return nil })
	}
	calling.Go(func() error { r.expire(ctx); return nil })
	settler.Go(func() error { r.settle(writing, settlements, lanes); return nil })
	calling.Wait()
	close(settlements)
	defer time.AfterFunc(settleLast, stop).Stop()
	return settler.Wait()
}

func (r *Runner) expire(ctx context.Context) {
	for sleepUntil(ctx, time.Now().Add(expireEvery)) {
		r.expireOnce(ctx, false)
	}
}

// expireOnce returns false when ended leases could not be looked for.
func (r *Runner) expireOnce(ctx context.Context, all bool) bool {
	within, cancel := context.WithTimeout(ctx, settleAgain)
	defer cancel()
	n, err := r.Store.Expire(within, r.App.ID, all, r.ReadBackAfter)
	if n > 0 {
		r.Log.Warn("calls whose owner gave no answer are in doubt and will be read back", "batches", n)
	}
	failed := r.troubles.note(ctx, expiring, err)
	if failed && ctx.Err() == nil {
		r.Log.Error("ended leases could not be looked for", "err", err)
	}
	return !failed
}

// sleepUntil returns false when ctx ended first.
func sleepUntil(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
