package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"tagsweep/internal/tim"
)

// lane makes the calls of one command: one goroutine claims a little ahead, one
// lets the calls leave at their slots.
type lane struct {
	*Runner
	command     tim.Command
	window      window
	seats       chan struct{} // one is taken before a batch is claimed, and is free again when its answer is written down
	claims      chan taken
	settlements chan<- Settlement
	written     chan struct{} // an answer was written down, after which there may be something to claim
}

// taken is a claim and a time just before it was committed: what stops calls
// after that did not see it.
type taken struct {
	Claim
	at   time.Time
	turn int // of the brake
}

// notSent gives the claim back as it was.
func (c taken) notSent() Settlement {
	s := c.unsettled()
	s.Answer.Delivery = tim.NotSent
	return s
}

func newLane(r *Runner, command tim.Command, settlements chan<- Settlement) *lane {
	return &lane{Runner: r, command: command, settlements: settlements,
		window: window{limit: r.ServiceLimit, shared: r.Store.Shared()},
		seats:  make(chan struct{}, InFlight), claims: make(chan taken, InFlight), written: make(chan struct{}, 1)}
}

func (l *lane) run(ctx context.Context) {
	go func() { defer close(l.claims); l.claim(ctx) }()
	var calls sync.WaitGroup
	for c := range l.claims {
		call, leaves := l.leave(ctx, c)
		if !leaves {
			l.settlements <- c.notSent()
			continue
		}
		calls.Go(func() {
			settlement := l.call(context.WithoutCancel(ctx), c, call)
			call.ended(settlement.Answer.Delivery)
			l.settlements <- settlement
		})
	}
	calls.Wait()
}

// leave waits for the claim's slot and for room in the service's limit. It
// returns false when the claim is to be given back: it grew old, its slot passed
// where others share the budget, or something has stopped all calls since.
func (l *lane) leave(ctx context.Context, c taken) (*departure, bool) {
	until := c.at.Add(fresh)
	if l.Store.Shared() && until.After(c.Slot.Add(latest)) {
		until = c.Slot.Add(latest)
	}
	if !l.may(c, fresh) {
		return nil, false
	}
	call, leaves := l.window.wait(ctx, c.Slot, until)
	if leaves && !l.may(c, fresh) {
		call.ended(tim.NotSent)
		leaves = false
	}
	return call, leaves
}

// may reports whether the claim is fresh and nothing has stopped all calls.
func (l *lane) may(c taken, fresh time.Duration) bool {
	// Round drops the monotonic clock, which stands still while a machine is suspended.
	return !l.stopped(c) && time.Since(c.at) <= fresh && time.Since(c.at.Round(0)) <= fresh
}

// stopped reports whether something has stopped all calls since the claim was made.
func (l *lane) stopped(c taken) bool {
	turn, free := l.brake.now()
	return !free || turn != c.turn || l.troubles.stopped()
}

// errSlow is of a database on which no claim is fresh once it is committed.
var errSlow = errors.New("the claim took so long to be written down that its calls may not leave any more")

// claiming is the lane's work of storage.
func (l *lane) claiming() work { return work("claim " + l.command) }

// claim takes batches for as many calls as fit into the time slots are reserved
// ahead for, and never while answers cannot be written down.
func (l *lane) claim(ctx context.Context) {
	limit, last := 1, time.Time{}
	for ctx.Err() == nil {
		turn, free := l.brake.now()
		if !free || l.troubles.keepFrom(l.claiming()) {
			sleepUntil(ctx, time.Now().Add(ahead/10))
			continue
		}
		seats := l.sit(ctx, limit)
		if seats == 0 {
			return
		}
		within, cancel := context.WithTimeout(ctx, claimWithin)
		block, next, err := l.Store.Claim(within, l.App.ID, l.command, seats, lease)
		cancel()
		for range seats - len(block) {
			<-l.seats
		}
		if err == nil && len(block) > 0 && time.Since(block[0].LeaseUntil.Add(-lease)) > fresh {
			err = errSlow
		}
		troubled := l.troubles.note(ctx, l.claiming(), err)
		for _, c := range block {
			l.claims <- taken{c, c.LeaseUntil.Add(-lease), turn}
		}
		switch {
		case troubled:
			if ctx.Err() == nil {
				l.Log.Error("no batch could be claimed; no call is made until one can", "command", l.command, "err", err)
			}
			next = time.Now().Add(idle)
		case len(block) > 0:
			next = block[len(block)-1].Slot.Add(-ahead)
			for _, c := range block {
				limit = l.most(c.Slot.Sub(last))
				last = c.Slot
			}
		default:
			l.rest(ctx, next)
			continue
		}
		sleepUntil(ctx, next)
	}
}

// rest waits while there is nothing to claim: until a time, but not so long that
// what a person or another console changes is seen late, nor past an answer of
// ours that is written down.
func (l *lane) rest(ctx context.Context, until time.Time) {
	wait := idle
	if !until.IsZero() {
		wait = min(idle, time.Until(until))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-l.written:
	}
}

// most is how many calls leave in the time slots are reserved ahead for, when
// they leave at an interval.
func (l *lane) most(interval time.Duration) int {
	if interval <= 0 {
		return settleMost
	}
	return int(min(settleMost, max(1, ahead/interval)))
}

// sit takes up to so many seats that are free, and waits for the first. It
// returns 0 when ctx ended.
func (l *lane) sit(ctx context.Context, most int) (seats int) {
	select {
	case l.seats <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for seats = 1; seats < most; seats++ {
		select {
		case l.seats <- struct{}{}:
		default:
			return seats
		}
	}
	return seats
}

// call makes one call and decides what its answer means.
func (l *lane) call(ctx context.Context, c taken, d *departure) Settlement {
	ctx = l.leaving(ctx, c, d)
	var answer tim.Answer
	var tags map[string][]string
	switch c.Command {
	case tim.GetTags:
		tags, answer = l.Client.GetTags(ctx, c.Random, c.names())
	case tim.AddTags:
		answer = l.Client.AddTags(ctx, c.Random, c.changes())
	case tim.RemoveTags:
		answer = l.Client.RemoveTags(ctx, c.Random, c.changes())
	default:
		answer = l.Client.RemoveAllTags(ctx, c.Random, c.names())
	}
	if answer.Delivery == tim.NotSent && l.stopped(c) {
		return c.notSent()
	}
	s := decide(c.Claim, answer, tags, l.ReadBackAfter, &l.past)
	if s.stops() {
		l.brake.pull()
	}
	l.resign(answer)
	if s.unexpected() {
		l.Log.Warn("a call did not settle all it was for", "job", c.JobID, "kind", c.Kind, "batch", c.Batch, "call", c.Call, "command", c.Command,
			"delivery", answer.Delivery, "http", answer.HTTPStatus, "code", answer.Code, "info", answer.Info, "tries", c.Tries, "was", c.Was, "verify", c.Verify,
			"becomes", s.Rest, "next", s.Next, "parts", s.Parts, "ask", s.Ask, "reopened", len(s.Reopen), "stop", s.Stop, "halt", s.Halt, "err", answer.Err)
	}
	return s
}

// leaving keeps a call from leaving late, or after something has stopped all calls.
func (l *lane) leaving(ctx context.Context, c taken, d *departure) context.Context {
	return tim.WithLeaving(ctx, tim.Leaving{Until: c.at.Add(connected), May: func() bool { return l.may(c, connected) }, Written: d.written})
}

// resign makes a new signature when the answer asks for one.
func (r *Runner) resign(a tim.Answer) {
	if class := a.Rule().Class; class == tim.Resign || class == tim.WaitMinute {
		r.Client.Resign(a.UserSigID)
	}
}
