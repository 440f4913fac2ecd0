package jobs

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"tagsweep/internal/tim"
)

const (
	slowHold     = time.Second
	refusedHold  = time.Minute
	firstBackOff = 250 * time.Millisecond
	longestWait  = 30 * time.Second
)

// decide turns an answer into what becomes of each account of the claim. It is
// the only place that does. tags are those a read-back found, by account;
// accounts in doubt are read back after a wait; blame is shared by all calls.
func decide(c Claim, a tim.Answer, tags map[string][]string, now time.Time, readBackAfter time.Duration, blame *blame) Settlement {
	s := Settlement{Claim: c, Answer: a, Rest: c.open(), Code: a.Code, Message: a.Info}
	if c.Command == tim.GetTags {
		s.decideReadBack(tags, now)
	} else {
		s.decideRemoval(now, readBackAfter)
	}
	if blame.misplaced(s) {
		s.Rest, s.Halt = c.open(), true
	}
	return s
}

func (s *Settlement) decideRemoval(now time.Time, readBackAfter time.Duration) {
	switch class := s.class(s.Answer.Rule()); class {
	case tim.OK:
		s.decideAccounts(now)
	case tim.InDoubt:
		s.Rest, s.NotBefore = InDoubt, now.Add(readBackAfter)
	case tim.Account, tim.Split:
		s.isolate(class, now)
	default:
		s.decideCall(class, now)
	}
}

// class is what the rule asks for, given how often the batch has met it in a row.
func (s *Settlement) class(rule tim.Rule) tim.Class {
	return rule.After(s.triesFor(s.Answer.Code))
}

// decideAccounts settles a call that was accepted, except for the accounts the
// service names in ErrorList.
func (s *Settlement) decideAccounts(now time.Time) {
	refused := refusals(s.Answer)
	again := false
	for _, p := range s.Accounts {
		e, named := refused[p.Account]
		if !named {
			continue
		}
		if class := tim.RuleOf(e.Code).After(s.triesFor(e.Code)); class == tim.Retry || class == tim.Slow {
			again = true
			s.Code, s.Message = e.Code, e.Info
			continue
		}
		s.Own = append(s.Own, Own{p.Seq, Failed, e.Code, e.Info})
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
	s.later(now)
}

// decideReadBack settles accounts in doubt by the tags they have now: none, and
// the lost call did its work; some, and it must be made again. An account fails
// only when the service does not know it, never by a fault of the reading.
func (s *Settlement) decideReadBack(tags map[string][]string, now time.Time) {
	rule := s.Answer.Rule()
	switch class := s.class(rule); class {
	case tim.OK:
		s.decideTags(tags, now)
	case tim.Account, tim.Split:
		switch {
		case len(s.Accounts) > 1:
			s.Split = true
		case rule.BlamesAccount():
			s.Rest = Failed
		default:
			s.later(now)
		}
	default:
		s.decideCall(class, now)
	}
}

func (s *Settlement) decideTags(tags map[string][]string, now time.Time) {
	refused := refusals(s.Answer)
	s.Rest = Cleared
	unread := false
	for _, p := range s.Accounts {
		e, named := refused[p.Account]
		found, listed := tags[p.Account]
		switch {
		case named && tim.RuleOf(e.Code).BlamesAccount():
			s.Own = append(s.Own, Own{p.Seq, Failed, e.Code, e.Info})
		case named:
			unread = true
			s.Code, s.Message = e.Code, e.Info
		case listed && len(found) == 0:
			s.Own = append(s.Own, Own{Seq: p.Seq, Outcome: Cleared})
		default:
			// An account that a good answer leaves out has shown no tags that could
			// be lost, and nothing that proves it clear: the next call settles it.
			s.Rest = Waiting
		}
	}
	switch {
	case unread: // what was read stands; the rest is read again before anything is sent
		s.Rest = InDoubt
		s.later(now)
	case s.Rest == Cleared:
		s.Own = slices.DeleteFunc(s.Own, func(o Own) bool { return o.Outcome == Cleared })
	}
}

// decideCall handles the classes that say nothing about single accounts.
func (s *Settlement) decideCall(class tim.Class, now time.Time) {
	switch class {
	case tim.Halt:
		s.Halt = true
		if s.Command == tim.GetTags { // a cancelled job cannot be halted, and is read back all the same
			s.Hold = now.Add(refusedHold)
		}
	case tim.Slow:
		s.Hold = now.Add(slowHold)
	case tim.WaitMinute:
		s.Hold, s.HoldAll = now.Add(s.Answer.Rule().Wait), true
		s.Tries = s.triesFor(s.Answer.Code) + 1
	case tim.Resign:
		s.Tries = s.triesFor(s.Answer.Code) + 1
	default:
		s.later(now)
		if s.Answer.Delivery == tim.NotSent {
			s.Hold = now.Add(slowHold) // the service cannot be reached: the next batch would fare no better
		}
	}
}

// isolate halves the batch until the account that is refused stands alone.
func (s *Settlement) isolate(class tim.Class, now time.Time) {
	switch {
	case len(s.Accounts) > 1:
		s.Split = true
	case class == tim.Split: // the service finds one account too many: it is not the account
		s.decideCall(tim.Halt, now)
	default:
		s.Rest = Failed
	}
}

// later tries the rest again after a wait that doubles and is spread, so that
// batches that failed together do not return together.
func (s *Settlement) later(now time.Time) {
	tries := s.triesFor(s.Code)
	wait := min(longestWait, firstBackOff<<min(tries, 10))
	s.NotBefore = now.Add(wait/2 + rand.N(wait/2))
	s.Tries = tries + 1
}

// blame counts, by code, single accounts in a row that failed with it.
type blame struct {
	mutex sync.Mutex
	codes map[int]int
}

// misplaced reports whether a code has been given to so many single accounts in
// a row that it is not the accounts.
func (b *blame) misplaced(s Settlement) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	rule := s.Answer.Rule()
	if rule.Class == tim.OK {
		b.codes = nil
	}
	if s.Rest != Failed || rule.Singles == 0 {
		return false
	}
	if b.codes == nil {
		b.codes = map[int]int{}
	}
	b.codes[s.Answer.Code]++
	return b.codes[s.Answer.Code] >= rule.Singles
}

// refusals are the accounts that an otherwise accepted call names as refused.
func refusals(a tim.Answer) map[string]tim.AccountError {
	refused := make(map[string]tim.AccountError, len(a.AccountErrors))
	for _, e := range a.AccountErrors {
		refused[e.Account] = e
	}
	return refused
}
