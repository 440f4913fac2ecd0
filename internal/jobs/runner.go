package jobs

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tagsweep/internal/tim"
)

// Store is what the runner needs of storage. It stands here because the store
// imports this package; it is not there for mocking.
type Store interface {
	// Claim takes up to limit batches of the app for calls of the command and
	// gives each a slot of the budget. With none to take it returns when to ask
	// again at the earliest, or the zero time.
	Claim(ctx context.Context, appID string, command tim.Command, limit int, lease time.Duration) ([]Claim, time.Time, error)
	// Settle writes settlements down, each whole or not at all. After an error
	// all may be given again: one that was written changes nothing more.
	Settle(ctx context.Context, appID string, settlements []Settlement) error
	// Expire puts the batches whose owner died in doubt: those whose lease has
	// ended, or all that are claimed. They may be read back after a wait. It
	// returns how many.
	Expire(ctx context.Context, appID string, all bool, readBackAfter time.Duration) (int, error)
	// Shared reports whether other consoles may run on the same database.
	Shared() bool
}

const (
	lease       = 30 * time.Second       // far longer than a call can take, which is the time-out of 10 s
	leaseMargin = 15 * time.Second       // a call leaves only while this much of its lease is left
	ahead       = 100 * time.Millisecond // how far slots are reserved ahead
	idle        = 200 * time.Millisecond // how long a new job waits at most to be seen
	expireEvery = 5 * time.Second
	latest      = 20 * time.Millisecond // so late a call may leave where others share the budget
	settleMost  = 64                    // settlements in one transaction
)

// InFlight is the most calls of each command that wait for an answer at once:
// enough for 97 a second when each takes 2.6 s. The client needs a connection for each.
const InFlight = 256

// Runner carries out the jobs of one app.
type Runner struct {
	App    App
	Client *tim.Client
	Store  Store
	Log    *slog.Logger

	// ReadBackAfter is how long a lost call may still take effect; 0 = 5 s. The
	// service ends its own work within 3 s (docs/tim-api.md).
	ReadBackAfter time.Duration

	blame blame
}

// Run works until ctx ends. It then stops claiming, waits for the calls in
// flight, writes down what became of them and returns.
func (r *Runner) Run(ctx context.Context) error {
	r.ReadBackAfter = cmp.Or(r.ReadBackAfter, 5*time.Second)
	if n, err := r.Store.Expire(ctx, r.App.ID, !r.Store.Shared(), r.ReadBackAfter); err != nil {
		return err
	} else if n > 0 {
		r.Log.Info("calls of an earlier process are in doubt and will be read back", "batches", n)
	}
	settlements := make(chan Settlement, settleMost)
	var lanes, settler errgroup.Group
	for _, command := range []tim.Command{tim.RemoveAllTags, tim.GetTags} {
		lanes.Go(func() error { r.lane(ctx, command, settlements); return nil })
	}
	lanes.Go(func() error { r.expire(ctx); return nil })
	settler.Go(func() error { r.settle(context.WithoutCancel(ctx), settlements); return nil })
	lanes.Wait()
	close(settlements)
	return settler.Wait()
}

// lane makes the calls of one command: one goroutine claims a little ahead, one
// lets the calls leave at their slots.
func (r *Runner) lane(ctx context.Context, command tim.Command, settlements chan<- Settlement) {
	claims := make(chan Claim)
	var calls sync.WaitGroup
	go func() { defer close(claims); r.claim(ctx, command, claims) }()
	var window window
	seats := make(chan struct{}, InFlight)
	for c := range claims {
		seats <- struct{}{}
		done, ok := window.wait(ctx, c.Slot)
		// A claim that grew old while this process stood still is given back: its
		// batch may be another's by now, or its slot may. Round drops the monotonic
		// clock, which stands still while a machine is suspended.
		if !ok || time.Until(c.LeaseUntil.Round(0)) < leaseMargin || r.Store.Shared() && time.Since(c.Slot) > latest {
			<-seats
			settlements <- Settlement{Claim: c, Answer: tim.Answer{Delivery: tim.NotSent}, Rest: c.open(), Code: c.LastCode, Tries: c.Tries}
			continue
		}
		calls.Go(func() {
			settlement := r.call(context.WithoutCancel(ctx), c)
			done()
			settlements <- settlement
			<-seats
		})
	}
	calls.Wait()
}

func (r *Runner) claim(ctx context.Context, command tim.Command, claims chan<- Claim) {
	most := max(1, r.App.Rate*int(ahead/time.Millisecond)/1000)
	for ctx.Err() == nil {
		block, next, err := r.Store.Claim(ctx, r.App.ID, command, most, lease)
		switch {
		case errors.Is(err, context.Canceled):
			return
		case err != nil:
			r.Log.Error("no batch could be claimed; no call is made until one can", "command", command, "err", err)
			next = time.Now().Add(time.Second)
		case len(block) > 0:
			next = block[len(block)-1].Slot.Add(-ahead / 2)
			if !r.Store.Shared() {
				// As soon as there is room again, so that no slot is lost while the database is
				// busy. Where consoles share the budget, none of them sees the others' calls
				// arrive, and slots that are lost then are head-room.
				next = next.Add(time.Second/time.Duration(r.App.Rate) - ahead/2)
			}
		case next.IsZero():
			next = time.Now().Add(idle)
		}
		for _, c := range block {
			claims <- c // the lane takes every claim, also when ctx has ended
		}
		sleepUntil(ctx, next)
	}
}

// call makes one call and decides what its answer means.
func (r *Runner) call(ctx context.Context, c Claim) Settlement {
	var answer tim.Answer
	var tags map[string][]string
	if c.Command == tim.GetTags {
		tags, answer = r.Client.GetTags(ctx, c.Random, c.names())
	} else {
		answer = r.Client.RemoveAllTags(ctx, c.Random, c.names())
	}
	s := decide(c, answer, tags, time.Now(), r.ReadBackAfter, &r.blame)
	if class := answer.Rule().Class; class == tim.Resign || class == tim.WaitMinute {
		r.Client.Resign(answer.UserSigID)
	}
	if s.Rest.Open() {
		r.Log.Warn("a call settled nothing yet", "job", c.JobID, "batch", c.Batch, "call", c.Call, "command", c.Command,
			"delivery", answer.Delivery, "http", answer.HTTPStatus, "code", answer.Code, "info", answer.Info, "tries", c.Tries,
			"becomes", s.Rest, "halt", s.Halt, "err", answer.Err)
	}
	return s
}

// settle writes settlements down, as many at once as have come in meanwhile.
func (r *Runner) settle(ctx context.Context, settlements <-chan Settlement) {
	for s := range settlements {
		group := []Settlement{s}
	more:
		for len(group) < settleMost {
			select {
			case s, open := <-settlements:
				if !open {
					break more
				}
				group = append(group, s)
			default:
				break more
			}
		}
		r.keep(ctx, group)
	}
}

// keep tries until the settlements are written down. It gives up on those whose
// lease ended a minute ago: they are in doubt, and read back by now. One that
// cannot be written does not hold up the others.
func (r *Runner) keep(ctx context.Context, group []Settlement) {
	err := r.Store.Settle(ctx, r.App.ID, group)
	for wait := 50 * time.Millisecond; err != nil; wait = min(2*wait, 2*time.Second) {
		r.Log.Error("answers could not be written down", "batches", len(group), "call", group[0].Call, "err", err)
		sleepUntil(ctx, time.Now().Add(wait))
		err = nil
		group = slices.DeleteFunc(group, func(s Settlement) bool {
			failed := r.Store.Settle(ctx, r.App.ID, []Settlement{s})
			err = cmp.Or(err, failed)
			return failed == nil || time.Now().After(s.LeaseUntil.Add(time.Minute))
		})
		if len(group) == 0 {
			return
		}
	}
}

func (r *Runner) expire(ctx context.Context) {
	for sleepUntil(ctx, time.Now().Add(expireEvery)) {
		n, err := r.Store.Expire(ctx, r.App.ID, false, r.ReadBackAfter)
		if err != nil && ctx.Err() == nil {
			r.Log.Error("ended leases could not be looked for", "err", err)
		}
		if n > 0 {
			r.Log.Warn("calls whose owner gave no answer are in doubt and will be read back", "batches", n)
		}
	}
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
