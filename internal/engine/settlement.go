package engine

import (
	"time"

	"tagsweep/internal/jobs"
)

// refusedHold is how long accounts in doubt wait when their reading is refused, and
// the job does not halt for it.
const refusedHold = time.Minute

// settlement is what a batch comes to.
type settlement struct {
	stored      jobs.Outcome // of the accounts until now
	rest        jobs.Outcome // of every account that has no outcome of its own
	code        int
	message     string
	own         []*account    // with another outcome than the rest
	needsReview bool          // the rest is in doubt until a person decides
	wait        time.Duration // until the rest may be claimed again
	lost        int
	unread      bool // what was restored is still to be read
	moves       jobs.Counts
}

// settlementOf says what the accounts of a batch have become, which were stored as
// one outcome until now. Those that are open still share one: in doubt when any of
// them is, for then all are read again.
func settlementOf(b *batch, end *stopReason, stored jobs.Outcome) settlement {
	s := settlement{stored: stored, moves: jobs.Counts{}, lost: b.lost}
	if b.changeAnswered() {
		s.lost = 0
	}
	var open, doubted, unread, asking int
	for _, a := range b.accounts {
		if !a.open() {
			continue
		}
		open++
		if end != nil && end.review != 0 && a.unread {
			a.needsReview, a.code = true, end.review
		}
		switch {
		case a.lostCall:
			doubted++
		case a.needsReview:
			asking++
			s.code = a.code
		case a.unread:
			unread++
		}
	}
	switch {
	case open == 0:
		s.settle(b)
	case doubted > 0:
		s.rest, s.wait, s.lost, s.code = jobs.InDoubt, b.lostCallEnds, s.lost+1, 0
	case asking == open:
		s.rest, s.needsReview = jobs.InDoubt, true
	case asking > 0 || unread > 0:
		s.rest, s.code = jobs.InDoubt, 0
		switch {
		case end == nil && unread > 0: // the service would not read them
			s.wait = refusedHold
		case end != nil && end.all && b.job.state == jobs.Cancelled:
			s.wait = refusedHold
		}
	case b.claimedAs != jobs.InDoubt && stored == jobs.InDoubt: // put in doubt meanwhile
		s.rest = jobs.InDoubt
	default:
		s.rest = jobs.Waiting
	}
	s.unread = s.rest.Open() && (b.claimedAs != jobs.InDoubt || s.rest != jobs.Waiting)
	if open > 0 {
		for _, a := range b.accounts {
			if !a.open() {
				s.own = append(s.own, a)
			}
		}
	}
	s.moves[stored] -= int64(len(b.accounts))
	s.moves[s.rest] += int64(len(b.accounts) - len(s.own))
	for _, a := range s.own {
		s.moves[a.outcome]++
	}
	return s
}

// settle gives the most frequent outcome to the batch; in a tie, one without an error code.
func (s *settlement) settle(b *batch) {
	type reason struct {
		outcome jobs.Outcome
		code    int
		message string
	}
	of := func(a *account) reason { return reason{a.outcome, a.code, a.message} }
	count := map[reason]int{}
	var rest reason
	for _, a := range b.accounts {
		r := of(a)
		if count[r]++; count[r] > count[rest] || count[r] == count[rest] && rest.code != 0 {
			rest = r
		}
	}
	s.rest, s.code, s.message, s.lost = rest.outcome, rest.code, rest.message, 0
	for _, a := range b.accounts {
		if of(a) != rest {
			s.own = append(s.own, a)
		}
	}
}
