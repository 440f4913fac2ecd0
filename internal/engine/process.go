package engine

import (
	"context"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

const (
	// maxReadAge is the age of a reading up to which accounts may be changed. After that,
	// the batch is read again first.
	maxReadAge = 55 * time.Second
	// refusalsBeforeSingles is the number of refused calls of a batch, with none accepted,
	// after which each account is sent alone: halving would cost more.
	refusalsBeforeSingles = 7
	// maxTries is how often an account is tried again after a temporary error of its own.
	maxTries = 3
)

// stopReason is why a batch cannot continue for now; nil: it is done.
type stopReason struct {
	halt   int    // the job halts with this code; 0: it does not
	all    bool   // so does every other job of the app
	info   string // what the service said, or where to look
	call   string // id of the call that showed it
	review int    // the code for which accounts in doubt wait for a person; 0: they do not
}

// notNow is for a batch that must not be sent now. It is claimed again later, unchanged.
var notNow = &stopReason{}

// runBatch processes and settles a claimed batch. Calls end with ctx; their results
// are saved until writing ends.
func (e *Engine) runBatch(ctx, writing context.Context, b *batch) {
	end := e.process(ctx, b)
	e.firstCallSent(b)
	e.settle(writing, b, end)
}

// process reads, plans, saves and changes.
func (e *Engine) process(ctx context.Context, b *batch) *stopReason {
	if end := e.loadTags(ctx, b); end != nil {
		return end
	}
	if b.job.readsFirst() || b.claimedAs == jobs.InDoubt {
		if end := e.read(ctx, b, b.accounts, attempts{}); end != nil {
			return end
		}
		if end := plan(b); end != nil {
			return end
		}
	}
	for {
		todo := toChange(b)
		if len(todo) == 0 || b.onlyReads() {
			return nil
		}
		if end := e.change(ctx, b, todo, &splitCounts{}, attempts{}); end != nil {
			return end
		}
	}
}

// toChange returns the accounts of the next calls that change tags.
func toChange(b *batch) (some []*account) {
	for _, a := range undecided(b.accounts) {
		if !a.lostCall && (b.job.kind == jobs.Clear || len(a.change) > 0) {
			some = append(some, a)
		}
	}
	return some
}

// read reads the tags of accounts. An account that the service refuses alone has
// failed, unless it is in doubt and only reading it fails.
func (e *Engine) read(ctx context.Context, b *batch, accounts []*account, t attempts) *stopReason {
	answer, tags, class, end := e.callWithRetry(ctx, b, tim.GetTags, accounts, &t)
	switch {
	case end != nil:
		return end
	case class == tim.OK:
		return e.recordRead(ctx, b, accounts, answer, tags)
	case len(accounts) > 1:
		half := len(accounts) / 2
		if end := e.read(ctx, b, accounts[:half], t); end != nil {
			return end
		}
		return e.read(ctx, b, accounts[half:], t)
	case class == tim.Split: // "too many" for one account: the account is not the cause
		return b.haltAll(answer)
	case b.claimedAs == jobs.InDoubt && !answer.Rule().IsAccountError():
		accounts[0].unread = true
		return nil
	}
	return e.failAccount(b, tim.GetTags, accounts[0], answer)
}

// recordRead records a good answer for each account.
func (e *Engine) recordRead(ctx context.Context, b *batch, accounts []*account, answer tim.Answer, tags map[string][]string) *stopReason {
	if b.readAt.IsZero() { // the age of a batch is that of its first reading
		b.readAt = answer.SentAt
	}
	refused := refusedAccounts(answer)
	var again []*account
	for _, a := range accounts {
		r, named := refused[a.name]
		a.now, a.listed = tags[a.name]
		a.unread = false
		switch {
		case !named:
		case isTemporary(a, r.Code):
			a.tries, a.unread = a.tries+1, b.claimedAs == jobs.InDoubt
			again = append(again, a)
		case b.claimedAs == jobs.InDoubt && !tim.RuleOf(r.Code).IsAccountError():
			a.unread = true
		default:
			a.end(jobs.Failed, r.Code, r.Info)
		}
	}
	if len(again) == 0 {
		return nil
	}
	if !e.backOff(ctx, b, again[0].tries) {
		return notNow
	}
	return e.read(ctx, b, again, attempts{})
}

// splitCounts counts the refused and accepted calls for parts of a batch.
type splitCounts struct{ refused, accepted int }

// change sends the calls that change tags: one for all accounts, or halves when one
// account is refused, until it is alone.
func (e *Engine) change(ctx context.Context, b *batch, accounts []*account, s *splitCounts, t attempts) *stopReason {
	command := b.job.kind.Command()
	answer, _, class, end := e.callWithRetry(ctx, b, command, accounts, &t)
	switch {
	case end != nil:
		return end
	case class == tim.OK:
		s.accepted++
		return e.recordChanged(ctx, b, accounts, answer)
	case class == tim.InDoubt:
		for _, a := range accounts {
			a.maybeChanged, a.lostCall = true, true
		}
		return nil
	case len(accounts) == 1 && class == tim.Split:
		return b.haltAll(answer)
	case len(accounts) == 1:
		return e.failAccount(b, command, accounts[0], answer)
	}
	s.refused++
	parts := 2
	if class == tim.Account && s.accepted == 0 && s.refused >= refusalsBeforeSingles {
		parts = len(accounts)
	}
	for i := range parts {
		part := accounts[i*len(accounts)/parts : (i+1)*len(accounts)/parts]
		if end := e.change(ctx, b, part, s, t); end != nil {
			return end
		}
	}
	return nil
}

// recordChanged records an accepted call. An account that the answer names as refused
// was not changed: it has failed, or is sent again in the next round.
func (e *Engine) recordChanged(ctx context.Context, b *batch, accounts []*account, answer tim.Answer) *stopReason {
	refused := refusedAccounts(answer)
	tries := 0
	for _, a := range accounts {
		r, named := refused[a.name]
		switch {
		case named && isTemporary(a, r.Code):
			a.tries++
			tries = max(tries, a.tries)
		case named:
			a.end(jobs.Failed, r.Code, r.Info)
		case len(a.change) > tim.MaxTags:
			a.maybeChanged, a.change = true, a.change[tim.MaxTags:]
		default:
			a.maybeChanged, a.change = true, nil
			a.end(b.job.kind.Done(), 0, "")
		}
	}
	if tries > 0 && !e.backOff(ctx, b, tries) {
		return notNow
	}
	return nil
}

// refusedAccounts returns the accounts that an accepted call names as refused.
func refusedAccounts(a tim.Answer) map[string]tim.AccountError {
	refused := make(map[string]tim.AccountError, len(a.AccountErrors))
	for _, e := range a.AccountErrors {
		refused[e.Account] = e
	}
	return refused
}

// isTemporary reports whether an account may be tried again after a code.
func isTemporary(a *account, code int) bool {
	switch tim.RuleOf(code).After(a.tries) {
	case tim.Retry, tim.Slow, tim.SignAgain, tim.WaitMinute:
		return a.tries < maxTries
	}
	return false
}

// failAccount ends an account that was refused alone, unless too many in a row have
// the same code.
func (e *Engine) failAccount(b *batch, command tim.Command, a *account, answer tim.Answer) *stopReason {
	if e.health.tooManyAlike(command, answer) {
		return b.haltAll(answer)
	}
	a.end(jobs.Failed, answer.Code, answer.Info)
	return nil
}

// haltAll stops all jobs of the app until a person acts.
func (b *batch) haltAll(a tim.Answer) *stopReason {
	return &stopReason{halt: a.Code, info: a.Info, all: true, call: b.lastCall()}
}

func (b *batch) lastCall() string {
	if len(b.calls) == 0 {
		return ""
	}
	return b.calls[len(b.calls)-1].id
}
