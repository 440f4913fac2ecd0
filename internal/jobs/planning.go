package jobs

import (
	"cmp"
	"slices"

	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// planned is what becomes of an account whose tags were read.
type planned struct {
	outcome Outcome // Waiting: its tags are to be changed
	code    int     // why it failed
	change  []string
	stop    bool // it has gained tags, and the job is to stop then
}

// plan says what becomes of an account with these tags; listed is false when the
// service left it out of a good answer.
func (c Claim) plan(seq int64, now []string, listed bool) planned {
	switch c.Kind {
	case Inspect:
		if len(now) > 0 {
			return planned{outcome: Inspected}
		}
	case Clear:
		// One that was left out has shown no tags that could be lost, and nothing
		// that proves it clear: the call settles it.
		if len(now) > 0 || !listed {
			return planned{outcome: Waiting}
		}
	case Restore, AddTags:
		policy := c.Policy
		if c.Kind == AddTags {
			policy = snapshot.Merge
		}
		switch action, add := policy.Plan(c.Wanted[seq], c.Only, now); {
		case action == snapshot.Add:
			return planned{outcome: Waiting, change: add[:min(len(add), tim.MaxTags)]}
		case action == snapshot.Halt:
			return planned{stop: true}
		case action != snapshot.Whole && c.begun(seq, now):
			return planned{outcome: Failed, code: CodeCutShort}
		case action == snapshot.Leave:
			return planned{outcome: Skipped}
		case action == snapshot.TooFull:
			return planned{outcome: Failed, code: CodeTooFull}
		}
	case RemoveTags:
		if remove := inBoth(c.target(seq), now); len(remove) > 0 {
			return planned{outcome: Waiting, change: remove[:min(len(remove), tim.MaxTags)]}
		}
	}
	if c.Touched {
		return planned{outcome: c.Kind.Done()}
	}
	return planned{outcome: c.Kind.Nothing()}
}

// target returns which tags of an account are to be added or removed.
func (c Claim) target(seq int64) []string { return snapshot.Chosen(c.Wanted[seq], c.Only) }

// begun reports whether the job may have added some of its tags to an account already.
func (c Claim) begun(seq int64, now []string) bool {
	added, _ := snapshot.Missing(inBoth(c.target(seq), now), c.Known[seq])
	return c.Touched && len(added) > 0
}

// complete reports whether an account is as it should be once the service has
// accepted the claim's call.
func (c Claim) complete(seq int64) bool {
	if !c.Kind.Tagged() {
		return true
	}
	sent := len(c.Change[seq])
	return sent > 0 && (sent < tim.MaxTags || len(c.target(seq)) <= sent)
}

// inVain reports whether calls are accepted and change nothing: there were more
// than the tags of any account need.
func (c Claim) inVain() bool {
	need := 0
	for _, p := range c.Accounts {
		need = max(need, len(c.target(p.Seq))/tim.MaxTags)
	}
	return c.triesFor(CodeMore) > need+mostInVain
}

// decidePlanning settles a reading of accounts that are about to be changed. No
// account is at risk, so one that stands alone may fail by it.
func (s *Settlement) decidePlanning(class tim.Class, tags map[string][]string) {
	switch class {
	case tim.OK:
		s.decidePlan(tags)
	case tim.Account, tim.Split:
		s.isolate(class)
	default:
		s.decideCall(class)
	}
}

// decidePlan says for every account, by the tags it has, whether it is to be
// changed and how. What was tried before goes on being counted: a reading in
// between settles nothing of it.
func (s *Settlement) decidePlan(tags map[string][]string) {
	refused := refusals(s.Answer)
	var own []Own
	change := map[int64][]string{}
	open, unread := 0, false
	for _, p := range s.Accounts {
		now, listed := tags[p.Account]
		e, named := refused[p.Account]
		switch {
		case named && s.passes(e):
			unread = true
			s.Code, s.Message = e.Code, e.Info
			continue
		case named:
			own = append(own, Own{p.Seq, Failed, e.Code, e.Info})
			continue
		case listed && !s.found(p.Seq, now):
			own = append(own, Own{Seq: p.Seq, Outcome: Failed, Code: CodeTooMany})
			continue
		}
		next := s.plan(p.Seq, now, listed)
		switch {
		case next.stop: // known not to be changed, so in doubt no more
			*s = Settlement{Claim: s.Claim, Answer: s.Answer, Rest: Waiting, Next: tim.GetTags, Lost: s.Claim.Lost, Stop: true, HaltInfo: p.Account}
			return
		case next.outcome == Waiting:
			open++
			if next.change != nil {
				change[p.Seq] = next.change
			}
		default:
			own = append(own, Own{Seq: p.Seq, Outcome: next.outcome, Code: next.code})
		}
	}
	switch {
	case unread: // what was read stands; the rest is read again before anything is sent
		s.Own = own
		s.later()
	case open == 0:
		s.settle(own)
	case s.Was == InDoubt && s.Lost >= mostLost:
		s.Own, s.Ask, s.Code = own, true, CodeLost
	case s.Claim.inVain():
		s.Own, s.Rest, s.Ask, s.Code = own, InDoubt, true, CodeNotSo
	default:
		s.Own, s.Rest, s.Next = own, Waiting, s.Kind.Command()
		s.Tries, s.Code, s.Message = s.Claim.Tries, s.LastCode, ""
		if s.Kind.Tagged() {
			s.Change = change
		}
	}
}

// passes reports whether the code an account was given in ErrorList asks for
// another try. An account in doubt fails only when the service does not know it.
func (s *Settlement) passes(e tim.AccountError) bool {
	rule := tim.RuleOf(e.Code)
	if s.Command == tim.GetTags && s.Was == InDoubt {
		return !rule.BlamesAccount()
	}
	switch rule.After(s.triesFor(e.Code)) {
	case tim.Retry, tim.Slow, tim.Resign, tim.WaitMinute:
		return true
	}
	return false
}

// found keeps the tags an account has as those of before. Of an account that may
// have been changed already they are not, but where all its tags go: what it has
// now goes too. It returns false when they are too many to keep.
func (s *Settlement) found(seq int64, now []string) bool {
	before := now
	if s.Touched {
		known, read := s.Known[seq]
		_, gained := snapshot.Missing(known, now)
		if s.Kind != Clear || read && len(gained) == 0 {
			return true
		}
		before = slices.Concat(known, gained)
	}
	if !snapshot.Fits(before) {
		return false
	}
	if s.Found == nil {
		s.Found = map[int64][]string{}
	}
	s.Found[seq] = before
	return true
}

// settle gives every account its final outcome. The most frequent one is that of
// the rest; of as many, the one that needs no reason.
func (s *Settlement) settle(own []Own) {
	count := map[Own]int{}
	var rest Own
	for _, o := range own {
		o.Seq = 0
		count[o]++
		if n := cmp.Compare(count[o], count[rest]); n > 0 || n == 0 && rest.Code != 0 {
			rest = o
		}
	}
	s.Rest, s.Code, s.Message = rest.Outcome, rest.Code, rest.Message
	s.Own = slices.DeleteFunc(own, func(o Own) bool { o.Seq = 0; return o == rest })
}
