package jobs

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"tagsweep/internal/tim"
)

// So many calls in a row without a good answer are an outage, of all commands or
// of one: readings that go well must not hide that nothing can be changed. Where
// few calls are made at a time, fewer are one that have gone on for a while. A
// call that comes long after the last begins a new row.
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
	calls  row
	each   map[tim.Command]row
	blamed map[tim.Command]map[int]int // by code, single accounts in a row that failed with it
}

// row is of calls without a good answer.
type row struct {
	bad         int
	since, last time.Time // the first and the last of them
}

// and returns the row with one more.
func (r row) and(now time.Time) row {
	if r.bad == 0 || now.Sub(r.last) > outageForgot {
		r = row{since: now}
	}
	return row{r.bad + 1, r.since, now}
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
		delete(p.blamed, s.Command)
	}
	if s.Rest != Failed || s.Verify || rule.Singles == 0 {
		return
	}
	if p.blamed == nil {
		p.blamed = map[tim.Command]map[int]int{}
	}
	if p.blamed[s.Command] == nil {
		p.blamed[s.Command] = map[int]int{}
	}
	p.blamed[s.Command][s.Answer.Code]++
	if p.blamed[s.Command][s.Answer.Code] >= rule.Singles {
		s.Rest = s.Was
		s.halt(s.Answer.Code, s.Answer.Info)
	}
}

// another reports whether a command that did not work just now has yet to show
// that it does: one that works says nothing of it.
func (p *past) another(now time.Time) bool {
	for _, row := range p.each {
		if row.bad >= outageAfter && now.Sub(row.last) <= outageForgot {
			return true
		}
	}
	return false
}

// outage halts when call after call stays without a good answer. Answers that
// say nothing about the service's health, such as that calls come too often or
// that the plan has expired, neither count nor end the row.
func (p *past) outage(s *Settlement, class tim.Class) {
	a := s.Answer
	switch {
	case a.Delivery == tim.Answered && (class == tim.OK || class == tim.Account || class == tim.Split):
		p.calls = row{}
		delete(p.each, s.Command)
		s.GoOn = s.Probe && !p.another(time.Now())
		return
	case a.Delivery == tim.Answered && !a.Rule().Unwell:
		return
	}
	now := time.Now()
	if p.each == nil {
		p.each = map[tim.Command]row{}
	}
	p.calls, p.each[s.Command] = p.calls.and(now), p.each[s.Command].and(now)
	// It stays one until a good answer: a job that was started meanwhile halts too.
	lasts := p.calls.bad >= outageLeast && now.Sub(p.calls.since) >= outageLasts
	if s.Halt != 0 || !lasts && max(p.calls.bad, p.each[s.Command].bad) < outageAfter {
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
