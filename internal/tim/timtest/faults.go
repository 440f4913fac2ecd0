package timtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tagsweep/internal/tim"
)

// Fault is a way to misbehave.
type Fault string

const (
	ServerError     Fault = "server_error"      // code 91000, nothing done
	Timeout         Fault = "timeout"           // code 60008, nothing done
	TooOften        Fault = "too_often"         // code 60007, nothing done
	BadGateway      Fault = "bad_gateway"       // a 502 page, nothing done
	BadGatewayAfter Fault = "bad_gateway_after" // a 502 page, though the call was carried out
	Garbage         Fault = "garbage"           // HTTP 200 and no JSON, nothing done
	GarbageAfter    Fault = "garbage_after"     // HTTP 200 and no JSON, though carried out
	HalfAnswer      Fault = "half_answer"       // carried out, but the answer breaks off
	ResetBefore     Fault = "reset_before"      // the connection is reset, nothing done
	ResetAfter      Fault = "reset_after"       // the connection is reset, though carried out
	SilentBefore    Fault = "silent_before"     // no answer ever, nothing done
	SilentAfter     Fault = "silent_after"      // no answer ever, though carried out
	LateApply       Fault = "late_apply"        // the connection is reset at once; carried out within Faults.LateWithin
)

// Unknown is how accounts that are not registered are answered.
type Unknown string

const (
	ErrorList   Unknown = "error_list"   // OK, with code 70107 for each of them in ErrorList
	FailedBatch Unknown = "failed_batch" // code 70107 for the whole call, nothing done
	Silent      Unknown = "silent"       // OK; they have no tags
	Omitted     Unknown = "omitted"      // OK; im_get_tag leaves them out
)

// Faults say how the simulator misbehaves. At most one fault is drawn for a
// call, and only for calls that are in order.
type Faults struct {
	Latency    time.Duration     `json:"latency"`               // before each answer, in nanoseconds as JSON
	Spread     time.Duration     `json:"spread"`                // up to so much more
	Shares     map[Fault]float64 `json:"shares,omitempty"`      // of calls, 0 to 1 together
	Most       int               `json:"most,omitempty"`        // so many faults and then no more; 0 = no end
	Commands   []tim.Command     `json:"commands,omitempty"`    // faults are drawn for these alone; none = for all
	LateWithin time.Duration     `json:"late_within,omitempty"` // of LateApply
	Unknown    Unknown           `json:"unknown,omitempty"`     // "" = ErrorList
	Code       int               `json:"code,omitempty"`        // to every valid call, such as 60020, within Commands and Most; 0 = none
	CodeFor    string            `json:"code_for,omitempty"`    // Code answers only calls with an account whose name starts so
	Limit      int               `json:"limit,omitempty"`       // calls with more accounts are answered 90011; 0 = no such limit
	Ignored    float64           `json:"ignored,omitempty"`     // share of accounts whose change is confirmed and not made, within Commands
}

type breakage int

const (
	intact breakage = iota
	badGateway
	garbage
	halfAnswer
	reset
	silence
)

type behaviour struct {
	code    int
	applies bool
	breaks  breakage
}

var behaviours = map[Fault]behaviour{
	"":              {applies: true},
	ServerError:     {code: 91000},
	Timeout:         {code: 60008},
	TooOften:        {code: 60007},
	BadGateway:      {breaks: badGateway},
	BadGatewayAfter: {breaks: badGateway, applies: true},
	Garbage:         {breaks: garbage},
	GarbageAfter:    {breaks: garbage, applies: true},
	HalfAnswer:      {breaks: halfAnswer, applies: true},
	ResetBefore:     {breaks: reset},
	ResetAfter:      {breaks: reset, applies: true},
	SilentBefore:    {breaks: silence},
	SilentAfter:     {breaks: silence, applies: true},
	LateApply:       {breaks: reset},
}

func (f Faults) check() error {
	sum := 0.0
	for fault, share := range f.Shares {
		if _, known := behaviours[fault]; !known || fault == "" {
			return fmt.Errorf("timtest: there is no fault %q", fault)
		}
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("timtest: the share of %s is not between 0 and 1", fault)
		}
		sum += share
	}
	if sum > 1.000001 {
		return fmt.Errorf("timtest: the shares of faults add up to %g, more than 1", sum)
	}
	switch f.Unknown {
	case "", ErrorList, FailedBatch, Silent, Omitted:
	default:
		return fmt.Errorf("timtest: unknown accounts cannot be answered as %q", f.Unknown)
	}
	if !(f.Ignored >= 0 && f.Ignored <= 1) {
		return fmt.Errorf("timtest: the share of ignored accounts is not between 0 and 1")
	}
	if f.Latency < 0 || f.Spread < 0 || f.LateWithin < 0 || f.Most < 0 || f.Limit < 0 {
		return fmt.Errorf("timtest: latency, spread, late_within, most and limit cannot be negative")
	}
	return nil
}

// Faults returns the faults as they are set.
func (s *Service) Faults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.clone()
}

// SetFaults replaces the faults; Most counts again.
func (s *Service) SetFaults(f Faults) error {
	if err := f.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.drawn = f.clone(), 0
	return nil
}

func (f Faults) clone() Faults {
	f.Shares, f.Commands = maps.Clone(f.Shares), slices.Clone(f.Commands)
	return f
}

// draw picks the fault of a call, "" for none. The caller holds the lock.
func (s *Service) draw(command tim.Command) Fault {
	f := s.faults
	if f.Most > 0 && s.drawn >= f.Most || len(f.Commands) > 0 && !slices.Contains(f.Commands, command) {
		return ""
	}
	u := s.random.Float64()
	for _, fault := range slices.Sorted(maps.Keys(f.Shares)) {
		if u -= f.Shares[fault]; u < 0 {
			s.drawn++
			return fault
		}
	}
	return ""
}

// scripted is the code a call is answered with whatever it asks, 0 for none.
// The caller holds the lock.
func (s *Service) scripted(q request) int {
	f := s.faults
	named := func(account string) bool { return strings.HasPrefix(account, f.CodeFor) }
	switch {
	case f.Limit > 0 && len(q.accounts) > f.Limit:
		return 90011
	case f.Code == 0, f.Most > 0 && s.drawn >= f.Most, len(f.Commands) > 0 && !slices.Contains(f.Commands, q.command),
		f.CodeFor != "" && !slices.ContainsFunc(q.accounts, named):
		return 0
	}
	s.drawn++
	return f.Code
}

// ignored draws the accounts of a change that is acknowledged for them and not
// carried out. The caller holds the lock.
func (s *Service) ignored(q request) (accounts []string) {
	f := s.faults
	if f.Ignored == 0 || q.command == tim.GetTags || len(f.Commands) > 0 && !slices.Contains(f.Commands, q.command) {
		return nil
	}
	for _, account := range q.accounts {
		if s.random.Float64() < f.Ignored {
			accounts = append(accounts, account)
		}
	}
	return accounts
}

// latency draws how long an answer takes. The caller holds the lock.
func (s *Service) latency() time.Duration {
	wait := s.faults.Latency
	if s.faults.Spread > 0 {
		wait += time.Duration(s.random.Int64N(int64(s.faults.Spread)))
	}
	return wait
}
