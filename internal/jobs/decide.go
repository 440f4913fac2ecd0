package jobs

import (
	"math/rand/v2"
	"slices"
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
)

// decide turns an answer into what becomes of each account of the claim. It is
// the only place that does. tags are those a read-back found, by account;
// accounts in doubt are read back after a wait; past is shared by all calls.
func decide(c Claim, a tim.Answer, tags map[string][]string, readBackAfter time.Duration, past *past) Settlement {
	s := Settlement{Claim: c, Answer: a, Rest: c.open(), Code: a.Code, Message: a.Info}
	class := s.class()
	if c.Command == tim.GetTags {
		s.decideReadBack(class, tags)
	} else {
		s.decideRemoval(class, readBackAfter)
	}
	past.judge(&s, class)
	return s
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

func (s *Settlement) decideRemoval(class tim.Class, readBackAfter time.Duration) {
	switch class {
	case tim.OK:
		s.decideAccounts()
	case tim.InDoubt:
		s.Rest, s.Wait = InDoubt, readBackAfter
	case tim.Account, tim.Split:
		s.isolate(class)
	default:
		s.decideCall(class)
	}
}

// decideAccounts settles a call that was accepted, except for the accounts the
// service names in ErrorList.
func (s *Settlement) decideAccounts() {
	refused := refusals(s.Answer)
	again := false
	for _, p := range s.Accounts {
		e, named := refused[p.Account]
		if !named {
			continue
		}
		switch tim.RuleOf(e.Code).After(s.triesFor(e.Code)) {
		case tim.Retry, tim.Slow, tim.Resign, tim.WaitMinute:
			again = true
			s.Code, s.Message = e.Code, e.Info
		default:
			s.Own = append(s.Own, Own{p.Seq, Failed, e.Code, e.Info})
		}
	}
	if !again {
		s.Rest = Cleared
		return
	}
	for _, p := range s.Accounts {
		if _, named := refused[p.Account]; !named {
			s.Own = append(s.Own, Own{Seq: p.Seq, Outcome: Cleared})
		}
	}
	s.later()
}

// decideReadBack settles accounts in doubt by the tags they have now. An account
// fails only when the service does not know it, never by a fault of the reading.
func (s *Settlement) decideReadBack(class tim.Class, tags map[string][]string) {
	rule := s.Answer.Rule()
	switch {
	case class == tim.OK:
		s.decideTags(tags)
	case rule.Reading: // what the accounts are can only a person say
		s.Ask = true
	case (class == tim.Account || class == tim.Split) && len(s.Accounts) > 1:
		s.split(class)
	case class == tim.Account && rule.BlamesAccount():
		s.Rest = Failed
	case class == tim.Account || class == tim.Split:
		s.later()
	default:
		s.decideCall(class)
	}
}

// decideTags tells apart, by their tags: none, and the lost call did its work;
// some, and it must be made again; some that were not there when they were read
// before, and somebody has given them since: a person decides.
func (s *Settlement) decideTags(tags map[string][]string) {
	refused := refusals(s.Answer)
	var own []Own
	var unread, untouched, tagged int
	found := map[int64][]string{}
	for _, p := range s.Accounts {
		e, named := refused[p.Account]
		has, listed := tags[p.Account]
		switch {
		case named && tim.RuleOf(e.Code).BlamesAccount():
			own = append(own, Own{p.Seq, Failed, e.Code, e.Info})
		case named:
			unread++
			s.Code, s.Message = e.Code, e.Info
		case listed && len(has) == 0:
			own = append(own, Own{Seq: p.Seq, Outcome: Cleared})
		case s.newTags(p.Seq, has):
			tagged++
		default:
			// An account that a good answer leaves out has shown no tags that could
			// be lost, and nothing that proves it clear: the next call settles it.
			untouched++
			if listed {
				found[p.Seq] = has
			}
		}
	}
	if len(found) > 0 {
		s.Found = found
	}
	switch {
	case tagged > 0 && tagged < len(s.Accounts)-len(own):
		// Both halves are read again, until those that a person decides on are among themselves.
		s.Parts, s.Code, s.Message = 2, 0, ""
		if unread > 0 {
			s.later()
		}
		return
	case tagged > 0:
		s.Ask = true
	case unread > 0: // what was read stands; the rest is read again before anything is sent
		s.later()
	case untouched > 0:
		s.Rest = Waiting
	default:
		s.Rest = Cleared
		own = slices.DeleteFunc(own, func(o Own) bool { return o.Outcome == Cleared })
	}
	s.Own = own
}

// newTags reports whether an account has tags that an earlier reading did not find.
func (s *Settlement) newTags(seq int64, has []string) bool {
	known, read := s.Known[seq]
	return read && slices.ContainsFunc(has, func(tag string) bool { return !slices.Contains(known, tag) })
}

// decideCall handles the classes that say nothing about single accounts.
func (s *Settlement) decideCall(class tim.Class) {
	switch class {
	case tim.Halt:
		s.halt(s.Answer.Code, s.Answer.Info)
		if s.Command == tim.GetTags { // a cancelled job cannot be halted, and is read back all the same
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
func (s *Settlement) split(class tim.Class) {
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
