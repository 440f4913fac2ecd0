package timtest

import (
	"iter"

	"tagsweep/internal/tim"
)

// NoAnswer is a call's code when the service gave none.
const NoAnswer = -1

// Call is one request that arrived whole, in the order of arrival.
type Call struct {
	Number        int64       `json:"number"` // from 1
	At            int64       `json:"at"`     // arrival, Unix microseconds
	Family        tim.Family  `json:"family,omitempty"`
	Command       tim.Command `json:"command,omitempty"` // "" for a path that is no command
	Random        uint32      `json:"random"`
	Accounts      []string    `json:"accounts"`
	Tags          [][]string  `json:"tags,omitempty"`           // to add or remove: a list for each account
	Status        int         `json:"status"`                   // HTTP status sent; 0 while none was
	Code          int         `json:"code"`                     // ErrorCode of the answer, NoAnswer when it has none
	Throttled     bool        `json:"throttled,omitempty"`      // refused for the rate, not by a fault
	Applied       bool        `json:"applied"`                  // the tags were changed as asked, except ErrorAccounts and Ignored
	AppliedAt     int64       `json:"applied_at,omitempty"`     // Unix microseconds
	Order         int64       `json:"order,omitempty"`          // place among all readings and changes of tags, from 1; 0: there was none
	ErrorAccounts []string    `json:"error_accounts,omitempty"` // named in ErrorList
	Ignored       []string    `json:"ignored,omitempty"`        // whose tags were not changed, though it was acknowledged
	Fault         Fault       `json:"fault,omitempty"`
	Took          int64       `json:"took"`              // microseconds from arrival to the end; 0 while it is open
	Dropped       bool        `json:"dropped,omitempty"` // the connection ended without a whole answer, by either side
}

// Edit is a change of tags that somebody made without a call, see SetTags.
type Edit struct {
	Order   int64    `json:"order"` // place among all readings and changes of tags
	Account string   `json:"account"`
	Tags    []string `json:"tags"`
}

// Edits returns every edit so far, in their order.
func (s *Service) Edits() []Edit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Edit{}, s.edits...)
}

// Acknowledged reports whether the service said that it carried the call out.
func (c Call) Acknowledged() bool { return c.Status == 200 && c.Code == 0 }

// Ledger returns every call so far. The accounts are shared: do not change them.
func (s *Service) Ledger() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := make([]Call, len(s.calls))
	for i, call := range s.calls {
		calls[i] = *call
	}
	return calls
}

// since walks over the calls after a number, without holding the lock for long.
func (s *Service) since(after int64) iter.Seq[Call] {
	const page = 500
	return func(yield func(Call) bool) {
		for at := int(max(after, 0)); ; at += page {
			var calls []Call
			s.mu.Lock()
			for i := at; i < min(at+page, len(s.calls)); i++ {
				calls = append(calls, *s.calls[i])
			}
			s.mu.Unlock()
			for _, call := range calls {
				if !yield(call) {
					return
				}
			}
			if len(calls) < page {
				return
			}
		}
	}
}
