package audit

import (
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"tagsweep/internal/store"
)

// Proofs are compared with the log.
type Proofs struct {
	Checkpoints iter.Seq2[string, error] // signed notes, beside those of the files of SignWith; nil for none
	Key         string                   // the public key they were signed with; "": that of SignWith
}

// Verified is the result of a verification.
type Verified struct {
	Wrong       []string // a sentence for each thing that is wrong, the place first
	More        int      // further things that are wrong
	Notes       []string // what the log itself says is missing
	Unsigned    bool     // there was no key to check signatures with
	Alarm       Why      // the log does not continue what this console signed
	resumed     int      // how often signing was resumed before
	At          time.Time
	Entries     int64
	Checkpoints int64 // of the database
	Published   int64 // of Proofs
	Jobs        int64
	Seals       int64
}

// Bounds of the findings that are listed, and of those in an entry of the log, in bytes.
const (
	maxFindings     = 200
	maxFinding      = 500
	maxFindingsSaid = 15_000
)

// Add adds a sentence about something that is wrong.
func (v *Verified) Add(format string, args ...any) {
	if len(v.Wrong) == maxFindings {
		v.More++
		return
	}
	v.Wrong = append(v.Wrong, fmt.Sprintf(format, args...))
}

// entry is what the log says of the result, from which verifiedIn reads it again.
func (v Verified) entry(by Actor, now time.Time) (Entry, error) {
	e := Entry{Code: LogVerified, Actor: by, Details: map[string]any{"to": v.Entries, "checkpoints": v.Checkpoints,
		"published": v.Published, "jobs": v.Jobs, "seals": v.Seals, "took_ms": now.Sub(v.At).Milliseconds()}}
	if v.Unsigned {
		e.Details["unsigned"] = true
	}
	if len(v.Wrong) > 0 {
		e.Code = LogUnverified
		e.Details["wrong"] = len(v.Wrong) + v.More
	}
	room := maxFindingsSaid
	for _, of := range []struct {
		name string
		all  []string
	}{{"findings", v.Wrong}, {"notes", v.Notes}} {
		said := []string{}
		for _, finding := range of.all {
			finding = store.Clean(finding, maxFinding)
			text, err := json.Marshal(finding)
			if err != nil {
				return e, err
			}
			if room -= len(text) + 1; room < 0 {
				break
			}
			said = append(said, finding)
		}
		if len(said) > 0 {
			e.Details[of.name] = said
		}
	}
	return e, nil
}

// verifiedIn reads the result that an entry of the log says.
func verifiedIn(e Entry) Verified {
	number := func(name string) int64 { return WholeNumber(e.Details[name]) }
	texts := func(name string) (list []string) {
		parts, _ := e.Details[name].([]any)
		for _, part := range parts {
			text, _ := part.(string)
			list = append(list, text)
		}
		return list
	}
	v := Verified{Wrong: texts("findings"), Notes: texts("notes"), At: e.At.Add(-time.Duration(number("took_ms")) * time.Millisecond),
		Entries: number("to"), Checkpoints: number("checkpoints"), Published: number("published"), Jobs: number("jobs"), Seals: number("seals")}
	v.Unsigned, _ = e.Details["unsigned"].(bool)
	v.More = int(number("wrong")) - len(v.Wrong)
	return v
}
