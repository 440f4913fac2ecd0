package engine

import (
	"context"
	"math/rand/v2"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

const (
	firstBackOff = 250 * time.Millisecond
	maxBackOff   = 30 * time.Second
	// connectTimeout is how long a call may wait for a connection.
	connectTimeout = 600 * time.Millisecond
	// slowHold is how long calls of a command pause after one was too frequent.
	slowHold = 300 * time.Millisecond
)

// call is a line of the ledger.
type call struct {
	id       string
	command  tim.Command
	random   uint32
	accounts []*account
	written  bool // the intent is in the database
	answer   tim.Answer
}

func (e *Engine) newCall(b *batch, command tim.Command, accounts []*account) *call {
	c := &call{id: store.NewID(e.gate.time()), command: command, random: rand.Uint32(), accounts: accounts}
	b.calls = append(b.calls, c)
	return c
}

// nextCall returns the ledger line of the next call: the line that the claim wrote,
// if that call was not made yet, or a new one.
func (e *Engine) nextCall(b *batch, command tim.Command, accounts []*account) *call {
	if n := len(b.calls); n > 0 {
		if c := b.calls[n-1]; c.answer.Delivery == 0 && c.command == command {
			return c
		}
	}
	return e.newCall(b, command, accounts)
}

// attempts counts the codes of one rule in a row. The halves of a batch continue the
// count of the whole.
type attempts struct {
	rule  tim.Rule
	count int
}

// callWithRetry makes a call, and repeats it after temporary errors, until the answer is
// about its accounts: OK, Account, Split, or InDoubt for a change. Otherwise it returns
// a stopReason: all calls must stop, or a person is needed.
func (e *Engine) callWithRetry(ctx context.Context, b *batch, command tim.Command, accounts []*account, t *attempts) (
	answer tim.Answer, tags map[string][]string, class tim.Class, end *stopReason) {
	for {
		if answer, tags, end = e.call(ctx, b, command, accounts); end != nil {
			return answer, nil, 0, end
		}
		rule := answer.Rule()
		if rule != t.rule {
			*t = attempts{rule: rule}
		}
		class = rule.After(t.count)
		if class == tim.InDoubt && command == tim.GetTags { // reading changes nothing
			class = tim.Retry
		}
		if rule.Class == tim.SignAgain || rule.Class == tim.WaitMinute {
			e.Client.RenewSignature(answer.UserSigID)
		}
		if end = e.health.judge(answer, command, class, b.probe); end != nil {
			end.call = b.lastCall()
			return answer, nil, class, end
		}
		switch class {
		case tim.OK, tim.Account, tim.Split, tim.InDoubt:
			return answer, tags, class, nil
		case tim.Halt:
			if command == tim.GetTags && b.claimedAs == jobs.InDoubt && rule.Reading {
				return answer, nil, class, &stopReason{review: answer.Code}
			}
			return answer, nil, class, b.haltAll(answer)
		case tim.Slow:
			e.limiters[command].slowDown(ctx, slowHold)
			continue // this attempt does not count
		case tim.WaitMinute:
			for _, p := range e.limiters {
				p.hold(ctx, rule.Wait)
			}
		case tim.SignAgain: // at once, with the new signature
		default:
			if !e.backOff(ctx, b, t.count) {
				return answer, nil, class, notNow
			}
		}
		t.count++
	}
}

// backOff waits before a batch is tried again: longer each time, and with a random
// part, so that batches that failed together return at different times. It returns
// false when calls are stopped in the meantime.
func (e *Engine) backOff(ctx context.Context, b *batch, tries int) bool {
	wait := min(maxBackOff, firstBackOff<<min(tries, 10))
	return e.gate.wait(ctx, b, time.Now().Add(wait/2+rand.N(wait/2)))
}

// call makes one call at its slot, unless calls are stopped.
func (e *Engine) call(ctx context.Context, b *batch, command tim.Command,
	accounts []*account) (answer tim.Answer, tags map[string][]string, end *stopReason) {
	c := e.nextCall(b, command, accounts)
	if !c.written {
		if end := e.keep(ctx, b, c); end != nil {
			return answer, nil, end
		}
	}
	may := func() bool { return e.gate.open(b) && b.mayChange(command) }
	sent, ok := e.limiters[command].next(ctx, may)
	if !ok {
		return answer, nil, notNow
	}
	e.firstCallSent(b)
	gate := tim.SendGate{Until: time.Now().Add(connectTimeout), May: may, Sent: sent}
	calling := tim.WithSendGate(context.WithoutCancel(ctx), gate)
	switch command {
	case tim.GetTags:
		tags, answer = e.Client.GetTags(calling, c.random, names(accounts))
	case tim.AddTags:
		answer = e.Client.AddTags(calling, c.random, changes(accounts))
	case tim.RemoveTags:
		answer = e.Client.RemoveTags(calling, c.random, changes(accounts))
	case tim.RemoveAllTags:
		answer = e.Client.RemoveAllTags(calling, c.random, names(accounts))
	default:
		panic("engine: no such command: " + string(command))
	}
	c.answer = answer
	if answer.Delivery == tim.NotSent && !may() {
		return answer, nil, notNow
	}
	b.answered = b.answered || answer.Delivery == tim.Answered
	e.logCall(b, c)
	return answer, tags, nil
}

// mayChange reports whether the reading is recent enough for a change.
func (b *batch) mayChange(command tim.Command) bool {
	return command == tim.GetTags || !b.job.readsFirst() || recent(b.readAt, maxReadAge)
}

// logCall writes a call that was not fully accepted to the program log.
func (e *Engine) logCall(b *batch, c *call) {
	a := c.answer
	if a.OK() && len(a.AccountErrors) == 0 {
		return
	}
	e.Log.Warn("a call was not accepted for all its accounts", "job", b.job.id, "kind", b.job.kind, "batch", b.number, "call", c.id,
		"command", c.command, "accounts", len(c.accounts), "delivery", a.Delivery, "http", a.HTTPStatus,
		"code", a.Code, "info", a.Info, "named", len(a.AccountErrors), "was", b.claimedAs, "err", a.Err)
}

// changes are the next tags of accounts, as many as fit into a call.
func changes(accounts []*account) []tim.AccountTags {
	list := make([]tim.AccountTags, len(accounts))
	for i, a := range accounts {
		list[i] = tim.AccountTags{Account: a.name, Tags: a.change[:min(len(a.change), tim.MaxTags)]}
	}
	return list
}
