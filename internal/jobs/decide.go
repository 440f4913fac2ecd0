package jobs

import (
	"math/rand/v2"
	"time"

	"tagsweep/internal/tim"
)

const (
	slowHold     = time.Second
	refusedHold  = time.Minute
	firstBackOff = 250 * time.Millisecond
	longestWait  = 30 * time.Second
	// badThroughout is how many calls of a batch must be refused for their
	// accounts, and none accepted, before each account is sent alone: halving
	// would cost twice as many calls.
	badThroughout = 7
	// mostLost is how many calls in a row that change a batch may stay without an
	// answer before a person decides.
	mostLost = 10
	// mostInVain is how many calls for a batch more than its tags need may be
	// accepted before a person decides.
	mostInVain = 10
)

// decide turns an answer into what becomes of each account of the claim. It is
// the only place that does. tags are those a reading found, by account; accounts
// in doubt are read back after a wait; past is shared by all calls.
func decide(c Claim, a tim.Answer, tags map[string][]string, readBackAfter time.Duration, past *past) Settlement {
	s := c.unsettled()
	s.Answer, s.Code, s.Message, s.Tries = a, a.Code, a.Info, 0
	class := s.class()
	switch {
	case c.Command != tim.GetTags:
		s.decideChange(class, readBackAfter)
	case c.Verify:
		s.decideVerification(class, tags)
	case c.Was == InDoubt:
		s.decideReadBack(class, tags)
	default:
		s.decidePlanning(class, tags)
	}
	past.judge(&s, class)
	if !s.Rest.Open() && !s.Verify {
		s.Next, s.Change = "", nil
	}
	return s
}

// unsettled gives the claim back as it was.
func (c Claim) unsettled() Settlement {
	return Settlement{Claim: c, Rest: c.Was, Code: c.LastCode, Tries: c.Tries, Next: c.Command, Change: c.Change, Lost: c.Lost}
}

// class is what the answer asks for, given how often the batch has met it in a
// row. That the service does not work is no reason to halt for a probe, which
// is there to find out when it does.
func (s *Settlement) class() tim.Class {
	rule := s.Answer.Rule()
	class := rule.After(s.triesFor(s.Answer.Code))
	if s.Probe && rule.Unwell && class == tim.Halt {
		return tim.Retry
	}
	return class
}

func (s *Settlement) decideChange(class tim.Class, readBackAfter time.Duration) {
	if s.Answer.Delivery == tim.Answered {
		s.Lost = 0
	}
	switch class {
	case tim.OK:
		s.decideAccounts()
	case tim.InDoubt:
		s.Rest, s.Wait = InDoubt, readBackAfter
		s.Lost++
		s.read()
	case tim.Account, tim.Split:
		s.isolate(class)
	default:
		s.decideCall(class)
	}
}

// read lets the tags be read before anything else is done.
func (s *Settlement) read() { s.Next, s.Change = tim.GetTags, nil }

// decideAccounts settles a call that was accepted, except for the accounts the
// service names in ErrorList, and those with more tags than fit into a call:
// they are read again, and so it is seen what is left.
func (s *Settlement) decideAccounts() {
	refused := refusals(s.Answer)
	var own []Own
	again := false
	for _, p := range s.Accounts {
		e, named := refused[p.Account]
		switch {
		case named && s.passes(e):
			again = true
			s.Code, s.Message = e.Code, e.Info
		case named:
			own = append(own, Own{p.Seq, Failed, e.Code, e.Info})
		case s.complete(p.Seq):
			own = append(own, Own{Seq: p.Seq, Outcome: s.Kind.Done()})
		}
	}
	if len(own) == len(s.Accounts) {
		s.settle(own)
		return
	}
	s.Own = own
	switch {
	case again:
		s.later()
	case s.Kind.Tagged():
		s.Code, s.Tries = CodeMore, s.triesFor(CodeMore)+1
	}
	if s.Kind.Tagged() {
		s.read()
	}
}

// decideCall handles the classes that say nothing about single accounts.
func (s *Settlement) decideCall(class tim.Class) {
	switch class {
	case tim.Halt:
		s.halt(s.Answer.Code, s.Answer.Info)
		if s.Command == tim.GetTags && s.Was == InDoubt { // a cancelled job cannot be halted, and is read back all the same
			s.Hold = refusedHold
		}
	case tim.Slow:
		s.Hold, s.Slow = slowHold, true
	case tim.WaitMinute:
		s.Hold, s.HoldAll = s.Answer.Rule().Wait, true
		s.Tries = s.triesFor(s.Answer.Code) + 1
	case tim.Resign:
		s.Tries = s.triesFor(s.Answer.Code) + 1
	default:
		s.later()
	}
}

// halt stops every job of the app, with what the service said.
func (s *Settlement) halt(code int, info string) { s.Halt, s.HaltInfo = code, info }

// isolate divides the batch until the account that is refused stands alone.
func (s *Settlement) isolate(class tim.Class) {
	switch {
	case len(s.Accounts) > 1:
		s.split(class)
	case class == tim.Split: // the service finds one account too many: it is not the account
		s.decideCall(tim.Halt)
	default:
		s.Rest = Failed
	}
}

// split halves the batch, or sends each account alone when the whole is bad.
// What is added or removed is worked out anew for each part.
func (s *Settlement) split(class tim.Class) {
	if s.Kind.Tagged() {
		s.read()
	}
	s.Parts = 2
	if class == tim.Account && s.Accepted == 0 && s.Refused+1 >= badThroughout {
		s.Parts = len(s.Accounts)
	}
	s.Tries = s.triesFor(s.Answer.Code) // a code that was tried often enough is not tried as often with each part
}

// later tries the rest again after a wait that doubles and is spread, so that
// batches that failed together do not return together.
func (s *Settlement) later() {
	tries := s.triesFor(s.Code)
	wait := min(longestWait, firstBackOff<<min(tries, 10))
	s.Wait = wait/2 + rand.N(wait/2)
	s.Tries = tries + 1
}

// refusals are the accounts that an otherwise accepted call names as refused.
func refusals(a tim.Answer) map[string]tim.AccountError {
	refused := make(map[string]tim.AccountError, len(a.AccountErrors))
	for _, e := range a.AccountErrors {
		refused[e.Account] = e
	}
	return refused
}
