package audit

import (
	"fmt"
	"iter"
	"time"
)

// Proofs are compared with the log.
type Proofs struct {
	Checkpoints iter.Seq2[string, error] // signed notes, beside those of the files of SignWith; nil for none
	Key         string                   // the public key they were signed with; "": that of SignWith
}

// Verified is the result of a verification.
type Verified struct {
	Wrong       []string  `json:"wrong"`              // a sentence for each thing that is wrong, the place first
	More        int       `json:"more,omitempty"`     // further things that are wrong
	Notes       []string  `json:"notes,omitempty"`    // what the log itself says is missing
	Unsigned    bool      `json:"unsigned,omitempty"` // there was no key to check signatures with
	Alarm       Why       `json:"alarm,omitempty"`    // the log does not continue what this console signed
	resumed     int       // how often signing was resumed before
	At          time.Time `json:"at"`
	Entries     int64     `json:"entries"`
	Checkpoints int64     `json:"checkpoints"` // of the database
	Published   int64     `json:"published"`   // of Proofs
	Jobs        int64     `json:"jobs"`
	Seals       int64     `json:"seals"`
}

// maxFindings is how many findings are listed.
const maxFindings = 200

// Add adds a sentence about something that is wrong.
func (v *Verified) Add(format string, args ...any) {
	if len(v.Wrong) == maxFindings {
		v.More++
		return
	}
	v.Wrong = append(v.Wrong, fmt.Sprintf(format, args...))
}
