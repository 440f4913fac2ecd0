package jobs

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"tagsweep/internal/tim"
)

// So many calls in a row without a good answer are an outage; or, where few are
// made at a time, fewer that have gone on for a while. A call that comes long
// after the last begins a new row.
const (
	outageAfter  = 10
	outageLeast  = 3
	outageLasts  = 10 * time.Second
	outageForgot = time.Minute // longer than any back-off and the call after it
)

// past is what the last calls of an app have in common: what no call shows by
// itself. It belongs to one process and begins anew with it.
type past struct {
	mutex  sync.Mutex
	bad    int         // calls in a row without a good answer
	since  time.Time   // the first of them
	last   time.Time   // the last of them
	blamed map[int]int // by code, single accounts in a row that failed with it
}

// judge corrects what a call by itself would decide.
func (p *past) judge(s *Settlement, class tim.Class) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.misplaced(s, class)
	p.outage(s, class)
}

// misplaced halts when a code has been given to so many single accounts in a
// row that it is not the accounts.
func (p *past) misplaced(s *Settlement, class tim.Class) {
	rule := s.Answer.Rule()
	if class == tim.OK {
		p.blamed = nil
	}
	if s.Rest != Failed || rule.Singles == 0 {
		return
	}
	if p.blamed == nil {
		p.blamed = map[int]int{}
	}
	p.blamed[s.Answer.Code]++
	if p.blamed[s.Answer.Code] >= rule.Singles {
		s.Rest = s.open()
		s.halt(s.Answer.Code, s.Answer.Info)
	}
}

// outage halts when call after call stays without a good answer. Answers that
// say nothing about the service's health, such as that calls come too often or
// that the plan has expired, neither count nor end the row.
func (p *past) outage(s *Settlement, class tim.Class) {
	a := s.Answer
	switch {
	case a.Delivery == tim.Answered && (class == tim.OK || class == tim.Account || class == tim.Split):
		p.bad = 0
		s.GoOn = s.Probe
		return
	case a.Delivery == tim.Answered && !a.Rule().Unwell:
		return
	}
	now := time.Now()
	if p.bad == 0 || now.Sub(p.last) > outageForgot {
		p.bad, p.since = 0, now
	}
	p.bad++
	p.last = now
	// It stays one until a good answer: a job that was started meanwhile halts too.
	if s.Halt != 0 || p.bad < outageAfter && (p.bad < outageLeast || now.Sub(p.since) < outageLasts) {
		return
	}
	switch {
	case a.Delivery == tim.Answered:
		s.halt(CodeDown, fmt.Sprintf("%d %s", a.Code, a.Info))
	case a.Delivery == tim.NotSent:
		s.halt(CodeDown, "")
	case a.HTTPStatus != 0 && a.HTTPStatus != http.StatusOK:
		s.halt(CodeDown, fmt.Sprintf("HTTP %d", a.HTTPStatus))
	default:
		s.halt(CodeLostAnswers, "")
	}
}
