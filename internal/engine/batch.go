package engine

import (
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// batch is a claimed batch, owned by its worker.
type batch struct {
	job            job
	number         int64              // in the plan, from 1
	claim          string             // every write of this worker names it
	claimed        time.Time          // not before this
	claimedAs      jobs.Outcome       // the outcome of its open accounts at the claim: waiting or in doubt
	intendedBefore bool               // an earlier claim saved an intent to change it
	restored       bool               // from an older copy of the database: it may have been sent since
	lost           int                // changes in a row without an answer
	probe          bool               // it checks whether the service works again, while no other call is made
	plan           jobs.PlannedBatch  // including accounts that have an outcome
	accounts       []*account         // the open ones, in file order
	earlier        map[int64][]string // the saved tags of its accounts that have an outcome, by place in the job
	key            *key               // shared by the batches of one claim

	lostCallEnds time.Duration // see Config

	intendedNow   bool      // this claim saved one
	readAt        time.Time // the first reading under this claim; zero: none
	calls         []*call   // ledger lines that are not completed yet, oldest first
	answered      bool      // the service has answered a call
	firstCallSent bool      // its first call has left, or none will
}

// job is what a batch needs to know of its job.
type job struct {
	id       string
	kind     jobs.Kind
	state    jobs.State // when it was claimed
	checks   jobs.Kind  // of an inspection: what its accounts are compared with; "": clear
	policy   snapshot.Policy
	only     []string // add or remove only these tags; nil: all
	snapshot bool     // tags are saved before they are changed
	canary   bool     // only its first batch may be sent yet
	probing  bool     // single calls check whether the service works
	waits    bool     // its waiting batches may be claimed too
}

// readsFirst reports whether tags are read before they are changed.
func (j job) readsFirst() bool { return j.kind.First(j.snapshot) == tim.GetTags }

// hasTags reports whether the job has a list of tags for each account.
func (j job) hasTags() bool { return j.kind.Tagged() || j.checks.Tagged() }

// account is an account of a batch on its way to an outcome.
type account struct {
	seq         int64 // place in the job, from 1
	place       int   // in the batch, from 0: its bit in the ledger
	name        string
	wanted      []string // if the job has such a list: the tags to add or remove
	before      []string // the known tags from before the change
	beforeKnown bool     // before is complete
	unsaved     bool     // before is not saved yet

	now          []string // as last read
	listed       bool     // that answer contained the account
	change       []string // tags still to add or remove; nil for a clear job
	tries        int      // temporary errors for this account
	maybeChanged bool     // a call may have changed it, now or under an earlier claim

	protected bool // nobody may change it any more

	outcome     jobs.Outcome // "": open
	code        int
	message     string
	lostCall    bool // it was in a call without an answer that may have changed it
	unread      bool // still in doubt: the service refused to read it
	needsReview bool // a person must decide
}

// stored is the most likely outcome of the accounts in the database: an intent may
// have been written although its commit seemed to fail.
func (b *batch) stored() jobs.Outcome {
	if b.intendedNow {
		return jobs.Sending
	}
	return b.claimedAs
}

// onlyReads reports whether a batch is read and not changed: after a restore, each job
// takes its turn again before it sends.
func (b *batch) onlyReads() bool { return b.restored && b.claimedAs == jobs.InDoubt }

func (a *account) open() bool { return a.outcome == "" }

// end gives an account its outcome, unless it has one.
func (a *account) end(o jobs.Outcome, code int, message string) {
	if a.outcome == "" {
		a.outcome, a.code, a.message = o, code, message
	}
}

// undecided returns the accounts that may be changed.
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

// accountBits marks the accounts of a call in their batch: bit 0 of byte 0 is the first.
func accountBits(accounts []*account) []byte {
	bits := make([]byte, (jobs.BatchSize+7)/8)
	for _, a := range accounts {
		bits[a.place/8] |= 1 << (a.place % 8)
	}
	return bits
}
