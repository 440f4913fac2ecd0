package engine

import (
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// batch is a claimed batch in the hands of its worker.
type batch struct {
	job            job
	number         int64              // in the plan, from 1
	claim          string             // every write of this worker names it
	claimed        time.Time          // not before this
	claimedAs      jobs.Outcome       // of its open accounts when it was claimed: waiting or in doubt
	intendedBefore bool               // an intent to change it was saved under an earlier claim
	lost           int                // how many changes in a row stayed without an answer
	probe          bool               // the only call for now: whether the service works again is not known
	plan           jobs.PlannedBatch  // those with an outcome included
	accounts       []*account         // those that were open, in file order
	earlier        map[int64][]string // by place in the job: the earlier tags that are saved already
	key            *key               // shared by the batches of one claim

	lostCallEnds time.Duration // see Config

	intendedNow   bool      // and under this one
	readAt        time.Time // when the first of them were read under this claim; zero: not
	calls         []*call   // ledger lines that are not completed yet, oldest first
	answered      bool      // the service has answered one
	firstCallSent bool      // its first call has left, or none will
}

// job is what a batch needs to know of its job.
type job struct {
	id       string
	kind     jobs.Kind
	state    jobs.State // when it was claimed
	checks   jobs.Kind  // of an inspection: what its accounts are compared with; "": clear
	policy   snapshot.Policy
	only     []string // of the tags to add or remove only these; nil: all
	snapshot bool     // tags are saved before they are changed
	canary   bool     // only its first batch may be sent yet
	probing  bool     // whether the service works is not known
	waits    bool     // waiting batches may be claimed, too
}

// readsFirst reports whether tags are read before they are changed.
func (j job) readsFirst() bool { return j.kind.First(j.snapshot) == tim.GetTags }

// hasTags reports whether the job was told tags for each account.
func (j job) hasTags() bool { return j.kind.Tagged() || j.checks.Tagged() }

// account is an account of a batch on its way to an outcome.
type account struct {
	seq         int64 // place in the job, from 1
	place       int   // in the batch, from 0: its bit in the ledger
	name        string
	wanted      []string // where the job was told: the tags to add or remove
	before      []string // the tags it had before it was changed, as far as they are known
	beforeKnown bool     // before was read
	unsaved     bool     // before is not saved yet

	now          []string // as last read
	listed       bool     // the service listed it then
	change       []string // what is left to add or remove; of clear nil
	tries        int      // how often an answer named it for what may pass
	maybeChanged bool     // a call may have changed it, now or under an earlier claim

	protected bool // nobody may change it any more

	outcome     jobs.Outcome // "": open
	code        int
	message     string
	lostCall    bool // it was in a call without an answer that may have changed it
	unread      bool // it is in doubt still: the service would not read it
	needsReview bool // a person must decide
}

// stored is what the accounts of a batch are in the database, as far as is known:
// an intent may have been written though its commit seemed to fail.
func (b *batch) stored() jobs.Outcome {
	if b.intendedNow {
		return jobs.Sending
	}
	return b.claimedAs
}

func (a *account) open() bool { return a.outcome == "" }

// end gives an account its outcome. The first one stands.
func (a *account) end(o jobs.Outcome, code int, message string) {
	if a.outcome == "" {
		a.outcome, a.code, a.message = o, code, message
	}
}

// undecided are the accounts that were read, if that is needed, and may be changed.
func undecided(accounts []*account) (some []*account) {
	for _, a := range accounts {
		if a.open() && !a.needsReview && !a.unread {
			some = append(some, a)
		}
	}
	return some
}

func names(accounts []*account) []string {
	list := make([]string, len(accounts))
	for i, a := range accounts {
		list[i] = a.name
	}
	return list
}

// accountBits says which accounts of its batch a call holds: bit 0 of byte 0 is the first.
func accountBits(accounts []*account) []byte {
	bits := make([]byte, (jobs.BatchSize+7)/8)
	for _, a := range accounts {
		bits[a.place/8] |= 1 << (a.place % 8)
	}
	return bits
}
