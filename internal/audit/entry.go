// Package audit is the log: recording, searching, exporting, proving and removing
// entries.
//
// An entry is written in the transaction of the change that it records, so that
// no change goes unlogged ([Log.RecordIn]). It becomes a line (line.go), a leaf of
// a Merkle tree over all lines (tree.go), and checkpoints of the tree are signed
// and published (checkpoint.go, checkpoints.go). It signs only what continues what was
// signed before, which a file outside the database remembers (signing.go, witness.go),
// and only entries that were written with the key of the console (mac.go);
// otherwise an admin is asked (alarm.go). What is due by the clock waits until the clock
// can be trusted (clock.go). Verification replays the log and compares ([Log.VerifyIn]).
// [Log.Proven] proves a single entry (proven.go).
// docs/audit.md describes all of it for somebody who verifies a log without this program.
//
// The package knows nothing of jobs but their ids. The log is locked last of all:
// see package store.
package audit

import "time"

// Actor is who acted and from where. It is an explicit argument of every change.
type Actor struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Role      string `json:"role"`
	SignedIn  string `json:"signed_in,omitempty"` // how: "password", "command_line"
	Session   string `json:"session,omitempty"`   // the session's public id, never its secret
	Address   string `json:"address,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// IsUser reports whether a user acted, who has to have the right to do so.
func (a Actor) IsUser() bool {
	return a.Session != "" || a.SignedIn == ByPassword || a.SignedIn == ByToken
}

// System is the actor of what the program does by itself, such as finishing a job.
var System = Actor{ID: "system", Name: "system", Role: "system"}

// CommandLine is the role of a person who uses the command line.
const CommandLine = "command_line"

// How an actor signed in.
const (
	ByPassword    = "password"
	ByToken       = "token" // a script did it, in the name of a user; Session is the token's id
	ByCommandLine = "command_line"
)

// OwnNames are what the console itself is called in the log and beside it, in lower case.
// No user has such a name, so that nobody passes for the console.
var OwnNames = []string{System.Name, CommandLine, "command-line", "commandline", "console", "tagsweep",
	"unknown"}

// Entry is one line of the log.
type Entry struct {
	Seq     int64          `json:"seq"` // from 1, without gaps
	At      time.Time      `json:"at"`  // to the millisecond, UTC
	Code    Code           `json:"code"`
	Actor   Actor          `json:"actor"`
	JobID   string         `json:"job,omitempty"`
	Target  string         `json:"target,omitempty"`  // a user's name, a file's name, an account
	App     string         `json:"app,omitempty"`     // the app's name and environment at that time
	Domain  string         `json:"domain,omitempty"`  // of the service, at that time
	Details map[string]any `json:"details,omitempty"` // counts, digests, before and after, the reason
	Erased  bool           `json:"erased,omitempty"`  // its personal data was erased
}
