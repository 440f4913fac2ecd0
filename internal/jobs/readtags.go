package jobs

import (
	"context"
	"math/rand/v2"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/tim"
)

// askWithin is how long a person waits for a slot at most.
const askWithin = 4 * time.Second

// Faults of reading the tags of one account for a person.
var (
	FaultNoAccountThere = fault.Declare(fault.NotFound, "account.not_there", "The service gives no tags for account %s: it does not know it. It may have been deleted, or was never imported. Nothing was changed.")
	FaultMayNotRead     = fault.Declare(fault.Unavailable, "account.may_not_read", "The tags of account %s cannot be read: the service does not let this app read tags (code %d). Nothing was changed; Tencent's console shows what the app's plan allows.")
	FaultNotRead        = fault.Declare(fault.Unavailable, "account.not_read", "The tags of account %s could not be read: the service answered with code %d. Nothing was changed; try again in a minute.")
	FaultNoAnswer       = fault.Declare(fault.Unavailable, "account.no_answer", "The tags of account %s could not be read: the service did not answer. Nothing was changed; try again in a minute.")
	FaultNoSlot         = fault.Declare(fault.Unavailable, "account.no_slot", "The tags of account %s were not read: calls to the service are held back for the moment. Nothing was changed; try again in a minute.")
	FaultStopped        = fault.Declare(fault.Conflict, "sending.stopped", "All sending is stopped, and so nothing is read from the service either. Nothing was changed; the page of sending shows who stopped it and why.")
)

// ReadTags reads the tags of one account now, for a person. It takes a slot of
// the budget and waits for it some seconds at most. Errors are faults.
func (r *Runner) ReadTags(ctx context.Context, account string) ([]string, error) {
	l := r.reading.Load()
	if l == nil {
		return nil, FaultNoSlot.With(account)
	}
	deadline := time.Now().Add(askWithin)
	waiting, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for waiting.Err() == nil {
		if trouble := r.Trouble(); trouble != nil {
			return nil, trouble.Fault
		}
		c := taken{Claim: Claim{Command: tim.GetTags, Random: rand.Uint32()}, at: time.Now()}
		var free bool
		if c.turn, free = r.brake.now(); !free {
			sleepUntil(waiting, time.Now().Add(ahead/10))
			continue
		}
		slot, err := r.Store.Slot(waiting, r.App.ID, tim.GetTags)
		switch {
		case err != nil && waiting.Err() == nil:
			return nil, err
		case err != nil || slot.After(deadline):
			return nil, FaultNoSlot.With(account)
		case slot.After(c.at.Add(fresh)): // by then sending may be stopped, so it is asked for again
			sleepUntil(waiting, slot)
			continue
		}
		c.Slot = slot
		call, leaves := l.leave(waiting, c)
		if !leaves {
			continue
		}
		tags, answer := r.Client.GetTags(l.leaving(ctx, c, call), c.Random, []string{account})
		call.ended(answer.Delivery)
		r.resign(answer)
		if answer.Delivery == tim.NotSent && l.stopped(c) {
			continue
		}
		return r.tagsOf(account, tags, answer)
	}
	return nil, FaultNoSlot.With(account)
}

// tagsOf returns what an answer about one account says.
func (r *Runner) tagsOf(account string, tags map[string][]string, a tim.Answer) ([]string, error) {
	code := a.Code
	if has, listed := tags[account]; listed {
		return has, nil
	}
	if len(a.AccountErrors) > 0 {
		code = a.AccountErrors[0].Code
	}
	rule := tim.RuleOf(code)
	r.Log.Warn("the tags of an account could not be read for a person", "delivery", a.Delivery, "http", a.HTTPStatus, "code", code, "info", a.Info, "err", a.Err)
	switch {
	case a.Delivery != tim.Answered:
		return nil, FaultNoAnswer.Because(a.Err, account)
	case code == 0 || rule.BlamesAccount():
		return nil, FaultNoAccountThere.With(account)
	case rule.Reading:
		return nil, FaultMayNotRead.With(account, code)
	}
	return nil, FaultNotRead.With(account, code)
}
