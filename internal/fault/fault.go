// Package fault declares the errors a person may see: each one once, with a
// kind that decides the status, a stable code that names its translation, and
// an English sentence that says what happened, what was kept and what to do.
// Detail for engineers travels as the cause and reaches only the log.
package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Kind sorts faults by what the caller can do about them.
type Kind int

const (
	Invalid     Kind = iota + 1 // the input is wrong: fix it and send it again
	NotFound                    // there is no such thing
	Conflict                    // the thing has changed meanwhile: look again
	Forbidden                   // this person may not do that
	TooMany                     // too often: wait
	Unavailable                 // something we depend on is away: try later
)

// Sentence is one declared fault.
type Sentence struct {
	Kind    Kind
	Code    string // such as "file.empty"; the catalogues hold it as "fault.file.empty"
	English string // fmt format
}

var declared = map[string]*Sentence{}

// Declare registers a fault; call it from package variables only. It panics
// when the code is taken.
func Declare(kind Kind, code, english string) *Sentence {
	if declared[code] != nil {
		panic("fault: " + code + " is declared twice")
	}
	s := &Sentence{Kind: kind, Code: code, English: english}
	declared[code] = s
	return s
}

// All returns every declared fault, ordered by code.
func All() []*Sentence {
	codes := slices.Sorted(maps.Keys(declared))
	all := make([]*Sentence, len(codes))
	for i, code := range codes {
		all[i] = declared[code]
	}
	return all
}

// Error is a fault that happened.
type Error struct {
	*Sentence
	Args  []any
	Cause error // for the log, never for the person
}

// With makes an error of the sentence with its arguments.
func (s *Sentence) With(args ...any) *Error { return &Error{Sentence: s, Args: args} }

// Because makes an error of the sentence that keeps its cause for the log.
func (s *Sentence) Because(cause error, args ...any) *Error {
	return &Error{Sentence: s, Args: args, Cause: cause}
}

// Error returns the English sentence.
func (e *Error) Error() string {
	if len(e.Args) == 0 {
		return e.English
	}
	return fmt.Sprintf(e.English, e.Args...)
}

// kept is a fault as JSON, without its cause.
type kept struct {
	Code string `json:"code"`
	Args []any  `json:"args,omitempty"`
}

// MarshalJSON keeps the fault for Recall: its code and arguments, not its cause.
func (e *Error) MarshalJSON() ([]byte, error) { return json.Marshal(kept{e.Code, e.Args}) }

// Recall returns a fault from its JSON. Arguments come back as text or int64.
func Recall(text []byte) (*Error, error) {
	var k kept
	if err := json.Unmarshal(text, &k); err != nil {
		return nil, fmt.Errorf("fault: %w", err)
	}
	sentence := declared[k.Code]
	if sentence == nil {
		return nil, fmt.Errorf("fault: %q is not declared", k.Code)
	}
	for i, arg := range k.Args {
		if number, is := arg.(float64); is {
			k.Args[i] = int64(number)
		}
	}
	return sentence.With(k.Args...), nil
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether err is an occurrence of s.
func (s *Sentence) Is(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Sentence == s
}

// KindOf returns the kind of err, or 0 when no fault was declared for it.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return 0
}
