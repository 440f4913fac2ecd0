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
	Slot       time.Time // the call may not leave before; by this process's monotonic clock
	Probe      bool      // the only call for now: whether the service works again is not known

	Known    map[int64][]string // by place: tags an earlier reading of this job found
	Refused  int                // of a part of a split batch: calls of the whole that were refused for their accounts
	Accepted int                // and those that were accepted
}

// names returns the accounts as the service wants them.
func (c Claim) names() []string {
	names := make([]string, len(c.Accounts))
	for i, p := range c.Accounts {
		names[i] = p.Account
	}
	return names
}

// triesFor is how often in a row the batch has met the code before, or others
// that ask for the same.
func (c Claim) triesFor(code int) int {
	if tim.RuleOf(c.LastCode) != tim.RuleOf(code) {
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

// Settlement is what becomes of a claim. Waits are durations, for the store's
// clock counts them.
type Settlement struct {
	Claim
	Answer  tim.Answer
	Rest    Outcome // of every account not in Own
	Code    int     // why the rest is as it is; 0 for no reason but success
	Message string
	Own     []Own
	Tries   int                // the new number; shadows the claim's
	Wait    time.Duration      // until the rest may be claimed again
	Parts   int                // the rest goes on as so many batches, of even size; 0 or 1: as one
	Ask     bool               // the rest stays in doubt until a person decides
	Found   map[int64][]string // by place: tags that a reading found on accounts of the rest

	Halt     int // every job of the app stops, for this code; 0: none does
	HaltInfo string
	Hold     time.Duration // no call of the command leaves for so long
	HoldAll  bool          // nor of any other command
	Slow     bool          // the service found calls too frequent: the pace of the command is lowered
	GoOn     bool          // the service is well: probing ends
}

// Own is the outcome of a single account that differs from the rest of its batch.
type Own struct {
	Seq     int64
	Outcome Outcome
	Code    int
	Message string
}
