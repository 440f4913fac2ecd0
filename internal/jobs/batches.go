package jobs

import (
	"time"

	"tagsweep/internal/snapshot"
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
// intent down: its accounts are sending; or their tags are being read, and they
// are as they were.
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

	Kind     Kind
	Policy   snapshot.Policy
	Snapshot bool               // of the job: tags are kept before they are changed
	Was      Outcome            // the accounts' when it was taken: waiting, in doubt, or of a verification a final one
	Verify   bool               // the tags are read to see whether the change is there
	Touched  bool               // a call that changes tags may have left for the batch before
	Lost     int                // how many such calls in a row stayed without an answer
	Wanted   map[int64][]string // by place, of restore, add_tags and remove_tags: the tags to add or remove
	Only     []string           // of Wanted only these; nil: all
	Change   map[int64][]string // by place, of a call that adds or removes tags: those of this call
	Known    map[int64][]string // by place: the tags it had before it was changed, as far as they are known

	Refused  int // of a part of a split batch: calls of the whole that were refused for their accounts
	Accepted int // and those that were accepted
}

// names returns the accounts as the service wants them.
func (c Claim) names() []string {
	names := make([]string, len(c.Accounts))
	for i, p := range c.Accounts {
		names[i] = p.Account
	}
	return names
}

// changes returns the accounts with their tags as the service wants them.
func (c Claim) changes() []tim.AccountTags {
	changes := make([]tim.AccountTags, 0, len(c.Accounts))
	for _, p := range c.Accounts {
		if tags := c.Change[p.Seq]; len(tags) > 0 {
			changes = append(changes, tim.AccountTags{Account: p.Account, Tags: tags})
		}
	}
	return changes
}

// triesFor is how often in a row the batch has met the code before, or others
// that ask for the same. A batch that is being verified keeps the code of its
// outcome, so there all tries count.
func (c Claim) triesFor(code int) int {
	if !c.Verify && (tim.RuleOf(c.LastCode) != tim.RuleOf(code) || (c.LastCode < 0) != (code < 0)) { // those below 0 are ours
		return 0
	}
	return c.Tries
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
	Found   map[int64][]string // by place: tags that a reading found; the store keeps them as those of before

	Next   tim.Command        // what the rest waits for while its outcome is open; of a claim that settles nothing, what it was taken for; "" of a verification that has ended
	Change map[int64][]string // by place: what that call adds or removes; shadows the claim's
	Lost   int                // the new number; shadows the claim's
	Read   int64              // of a verification: how many accounts were read
	Reopen []int64            // of a verification: places that are not as they should be; they wait in doubt for a person
	Stop   bool               // this job halts with CodeGained

	Halt     int // every job of the app stops, for this code; 0: none does
	HaltInfo string
	Hold     time.Duration // no call of the command leaves for so long
	HoldAll  bool          // nor of any other command
	Slow     bool          // the service found calls too frequent: the pace of the command is lowered
	GoOn     bool          // the service is well: probing ends
}

// unexpected reports whether something went otherwise than it mostly does.
func (s Settlement) unexpected() bool {
	settled := s.Answer.OK() && s.Wait == 0 && s.Parts < 2 && !s.Ask && !s.Stop && len(s.Reopen) == 0
	return !settled && (s.Rest.Open() || s.Verify)
}

// Own is the outcome of a single account that differs from the rest of its batch.
type Own struct {
	Seq     int64
	Outcome Outcome
	Code    int
	Message string
}

// Call is a line of the ledger.
type Call struct {
	ID         string
	Batch      int64 // number in the plan
	First      int64 // place in the job of the first account of the part of the batch that it was made for
	Command    tim.Command
	Random     uint32
	At         time.Time // when it left; of one that did not, when it was intended
	Duration   time.Duration
	Delivery   string // intended, not_sent, answered, lost
	HTTPStatus int
	Code       int
	Message    string
	Accounts   int
}
