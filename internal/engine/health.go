package engine

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// An outage is ten calls of a command in a row without a good answer, or three over ten
// seconds. A call long after the last one begins a new streak.
const (
	outageCalls    = 10
	outageMinCalls = 3
	outageDuration = 10 * time.Second
	streakExpires  = time.Minute // longer than any back-off and the call after it
)

// health judges the service by its last answers. It is not stored.
type health struct {
	mutex   sync.Mutex
	bad     map[tim.Command]streak
	singles map[accountCode]int // refused single accounts in a row
}

// streak counts calls of one command in a row without a good answer.
type streak struct {
	calls       int
	since, last time.Time
}

type accountCode struct {
	command tim.Command
	code    int
}

// judge returns why every job of the app must halt after an answer; nil: none must.
// Answers that do not show the service's health, such as "too frequent", neither count
// nor end the streak. For a probe one bad answer is enough.
func (h *health) judge(a tim.Answer, command tim.Command, class tim.Class, probe bool) *stopReason {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if class == tim.OK {
		for b := range h.singles {
			if b.command == command {
				delete(h.singles, b)
			}
		}
	}
	switch {
	case a.Delivery == tim.Answered && (class == tim.OK || class == tim.Account || class == tim.Split):
		delete(h.bad, command)
		return nil
	case a.Delivery == tim.Answered && !a.Rule().ServiceDown:
		return nil
	}
	now := time.Now()
	r := h.bad[command]
	if now.Sub(r.last) > streakExpires {
		r = streak{since: now}
	}
	r.last = now
	if r.calls < outageMinCalls || !errors.Is(a.Err, tim.ErrSentNothing) { // this program may be the slow one
		r.calls++
	}
	if h.bad == nil {
		h.bad = map[tim.Command]streak{}
	}
	h.bad[command] = r
	lasts := r.calls >= outageMinCalls && now.Sub(r.since) >= outageDuration
	if r.calls < outageCalls && !lasts && !probe {
		return nil
	}
	end := &stopReason{halt: jobs.CodeDown, all: true}
	switch {
	case a.Delivery == tim.Answered:
		end.info = fmt.Sprintf("%d %s", a.Code, a.Info)
	case a.Delivery == tim.NotSent:
	case a.HTTPStatus != 0 && a.HTTPStatus != http.StatusOK:
		end.info = fmt.Sprintf("HTTP %d", a.HTTPStatus)
	default:
		end.halt = jobs.CodeLostAnswers
	}
	return end
}

// tooManyAlike counts single accounts in a row with the same code, and reports whether
// there are so many that the accounts cannot be the cause.
func (h *health) tooManyAlike(command tim.Command, a tim.Answer) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	most := a.Rule().MaxSingles
	if most == 0 {
		return false
	}
	if h.singles == nil {
		h.singles = map[accountCode]int{}
	}
	b := accountCode{command, a.Code}
	if h.singles[b]++; h.singles[b] < most {
		return false
	}
	delete(h.singles, b) // after Resume the count starts again
	return true
}
