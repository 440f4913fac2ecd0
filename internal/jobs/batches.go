package jobs

import (
	"time"

	"tagsweep/internal/tim"
)

// BatchSize is the most accounts the service takes in one call (docs/tim-api.md, "The tag family").
const BatchSize = 100

// Pending is an account of a batch that has no outcome of its own yet.
type Pending struct {
	Seq     int64 // place in the job, from 1
	Account string
}

// Claim is a batch that was taken for one call. The store has written the
// intent down: its accounts are sending, or in doubt and being read back.
type Claim struct {
	JobID      string
	Batch      int64 // number in the plan
	First      int64 // with JobID the key of the batch
	Tries      int   // how many calls in a row gave LastCode and settled nothing
	LastCode   int
	Accounts   []Pending
	Command    tim.Command
	Call       string // id in the ledger, and the token of the lease
	Random     uint32
	LeaseUntil time.Time
	Slot       time.Time // the call may not leave before
}

// names returns the accounts as the service wants them.
func (c Claim) names() []string {
	names := make([]string, len(c.Accounts))
	for i, p := range c.Accounts {
		names[i] = p.Account
	}
	return names
}

// triesFor is how often in a row the batch has met the code before.
func (c Claim) triesFor(code int) int {
	if c.LastCode != code {
		return 0
	}
	return c.Tries
}

// open is the outcome the batch was claimed in, and returns to when the call settles nothing.
func (c Claim) open() Outcome {
	if c.Command == tim.GetTags {
		return InDoubt
	}
	return Waiting
}

// Settlement is what becomes of a claim.
type Settlement struct {
	Claim
	Answer    tim.Answer
	Rest      Outcome // of every account not in Own
	Code      int     // why the rest is as it is; 0 for no reason but success
	Message   string
	Own       []Own
	Split     bool      // the rest goes on as two batches, half each
	Tries     int       // the new number; shadows the claim's
	NotBefore time.Time // when the rest may be claimed again
	Halt      bool      // every job of the app stops until a person acts
	Hold      time.Time // no call of the command leaves before; zero: no hold
	HoldAll   bool      // nor of any other command
}

// Own is the outcome of a single account that differs from the rest of its batch.
type Own struct {
	Seq     int64
	Outcome Outcome
	Code    int
	Message string
}
