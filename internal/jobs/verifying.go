package jobs

import "tagsweep/internal/tim"

// decideVerification settles a reading of accounts that are settled already.
// Where it cannot be done it is left out: it changes nothing of what is known.
func (s *Settlement) decideVerification(class tim.Class, tags map[string][]string) {
	switch {
	case class == tim.OK:
		s.decideWhetherDone(tags)
	case s.Answer.Rule().Reading || class == tim.Account || class == tim.Split:
		s.verified()
	default:
		s.decideCall(class)
	}
}

// decideWhetherDone looks for accounts that are not as they should be. One that
// a good answer leaves out has no tags.
func (s *Settlement) decideWhetherDone(tags map[string][]string) {
	refused := refusals(s.Answer)
	again, read := false, int64(0)
	var reopen []int64
	for _, p := range s.Accounts {
		e, named := refused[p.Account]
		switch {
		case named && s.passes(e):
			again = true
			s.Code, s.Message = e.Code, e.Info
		case named: // the service knows it no more
		default:
			read++
			if !s.Kind.IsDone(s.target(p.Seq), tags[p.Account]) {
				reopen = append(reopen, p.Seq)
			}
		}
	}
	if again {
		s.later()
		return
	}
	s.verified()
	s.Read, s.Reopen = read, reopen
}

// verified ends the verification of the batch.
func (s *Settlement) verified() { s.Next, s.Code, s.Message = "", 0, "" }
