package jobs

import (
	"slices"

	"tagsweep/internal/tim"
)

// decideReadBack settles accounts in doubt by the tags they have now. An account
// fails only when the service does not know it, never by a fault of the reading.
func (s *Settlement) decideReadBack(class tim.Class, tags map[string][]string) {
	rule := s.Answer.Rule()
	switch {
	case class == tim.OK && s.Kind == Clear:
		s.decideTags(tags)
	case class == tim.OK: // adding or removing the same tags twice does no harm
		s.decidePlan(tags)
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

// decideTags tells apart, by the tags of accounts that were to lose all: none,
// and the lost call did its work; some, and it must be made again; some that were
// not there when they were read before, and somebody has given them since: a
// person decides.
func (s *Settlement) decideTags(tags map[string][]string) {
	refused := refusals(s.Answer)
	var own []Own
	var unread, untouched, tagged int
	for _, p := range s.Accounts {
		e, named := refused[p.Account]
		has, listed := tags[p.Account]
		switch {
		case named && s.passes(e):
			unread++
			s.Code, s.Message = e.Code, e.Info
		case named:
			own = append(own, Own{p.Seq, Failed, e.Code, e.Info})
		case listed && len(has) == 0:
			own = append(own, Own{Seq: p.Seq, Outcome: Cleared})
		case s.newTags(p.Seq, has):
			tagged++
		default:
			untouched++ // one that was left out is sent again, as when planning
			if listed {
				s.found(p.Seq, has)
			}
		}
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
	case untouched > 0 && s.Lost >= mostLost:
		s.Ask, s.Code = true, CodeLost
	case untouched > 0:
		s.Rest, s.Next = Waiting, s.Kind.Command()
	default:
		s.settle(own)
		return
	}
	s.Own = own
}

// newTags reports whether an account has tags that an earlier reading did not find.
func (s *Settlement) newTags(seq int64, has []string) bool {
	known, read := s.Known[seq]
	return read && slices.ContainsFunc(has, func(tag string) bool { return !slices.Contains(known, tag) })
}
