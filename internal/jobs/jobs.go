package jobs

import (
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/snapshot"
)

// Kind is what a job does with its accounts.
type Kind string

// The kinds. What each does with an account stands in operation.go.
const (
	Clear      Kind = "clear"       // removes all tags
	Inspect    Kind = "inspect"     // reads the tags and changes nothing
	Restore    Kind = "restore"     // puts back tags that an earlier job removed
	AddTags    Kind = "add_tags"    // adds the tags its file names
	RemoveTags Kind = "remove_tags" // removes the tags its file names, or that an earlier job added
)

// Kinds lists every kind.
var Kinds = []Kind{Clear, Inspect, Restore, AddTags, RemoveTags}

// State is where a job stands. Others are shown and not stored: see Job.Shown.
type State string

const (
	Reading   State = "reading"   // its file is being read; nothing can be decided yet
	Refused   State = "refused"   // its file could not be read
	Draft     State = "draft"     // uploaded, being reviewed
	Queued    State = "queued"    // started, no call made yet
	Running   State = "running"   // batches are being sent
	Paused    State = "paused"    // a person stopped it and may resume it
	Halted    State = "halted"    // it stopped itself: nothing will work until a person acts
	Cancelled State = "cancelled" // a person ended it; what was not sent stays unsent
	Finished  State = "finished"  // every account has its final outcome
)

// States lists the states a page can filter by.
var States = []State{Reading, Draft, Queued, Running, Paused, Halted, Cancelled, Finished, Refused}

// Action is what changes the state of a job.
type Action string

const (
	// A person's.
	Start    Action = "start"
	StartNow Action = "start-now" // do not wait for the time the start was set to
	Pause    Action = "pause"
	Resume   Action = "resume"
	Cancel   Action = "cancel"
	Reread   Action = "reread" // read the file again, as a person says

	// The program's.
	Read    Action = "read"    // its file was read
	Refuse  Action = "refuse"  // its file cannot be read
	Begin   Action = "begin"   // its first batch was claimed
	Halt    Action = "halt"    // nothing of it will work until a person acts
	Recover Action = "recover" // the service works again
	Finish  Action = "finish"  // no account is open any more
)

// transitions are all changes of state there are.
var transitions = map[Action]map[State]State{
	Start:    {Draft: Queued},
	StartNow: {Queued: Queued},
	Pause:    {Queued: Paused, Running: Paused},
	Resume:   {Paused: Queued, Halted: Queued},
	Cancel: {Reading: Cancelled, Draft: Cancelled, Queued: Cancelled, Running: Cancelled, Paused: Cancelled,
		Halted: Cancelled},
	Reread: {Draft: Reading},

	Read:    {Reading: Draft},
	Refuse:  {Reading: Refused},
	Begin:   {Queued: Running},
	Halt:    {Queued: Halted, Running: Halted, Halted: Halted},
	Recover: {Halted: Queued},
	Finish:  {Queued: Finished, Running: Finished, Paused: Finished, Halted: Finished, Cancelled: Cancelled},
}

// Next returns the state an action leads to, and false when the action does
// not fit the state.
func (s State) Next(a Action) (State, bool) {
	to, fits := transitions[a][s]
	return to, fits
}

// Outcome is an account's state. Waiting, sending and in doubt are open; the
// others are final.
type Outcome string

const (
	Waiting Outcome = "waiting"
	Sending Outcome = "sending"
	InDoubt Outcome = "in_doubt"
	Cleared Outcome = "cleared"
	Failed  Outcome = "failed"
	Unsent  Outcome = "cancelled" // nothing was changed: the job was cancelled first

	Untagged  Outcome = "untagged"  // of clear and inspect: it had no tags; nothing was sent
	Inspected Outcome = "inspected" // it has tags
	Restored  Outcome = "restored"  // it has its old tags again
	Changed   Outcome = "changed"   // of add_tags and remove_tags: its tags were changed
	Unchanged Outcome = "unchanged" // of restore, add_tags and remove_tags: its tags were as wanted; nothing was sent
	Skipped   Outcome = "skipped"   // of restore: it has gained other tags, and was left alone as chosen
)

// Outcomes lists every outcome in the order pages show them.
var Outcomes = []Outcome{Waiting, Sending, InDoubt, Cleared, Inspected, Restored, Changed, Untagged, Unchanged, Skipped, Failed, Unsent}

// Open reports whether the outcome may still change.
func (o Outcome) Open() bool { return o == Waiting || o == Sending || o == InDoubt }

// Counts holds how many accounts have each outcome.
type Counts map[Outcome]int64

// Sum adds all counts up; for every job it equals Job.Accounts.
func (c Counts) Sum() (sum int64) {
	for _, n := range c {
		sum += n
	}
	return sum
}

// Open counts the accounts whose outcome may still change.
func (c Counts) Open() int64 { return c[Waiting] + c[Sending] + c[InDoubt] }

// Done counts the accounts whose outcome is final.
func (c Counts) Done() int64 { return c.Sum() - c.Open() }

// Job is one upload and what is done with its accounts. At every commit
// Rows = Rejected + Duplicate + Protected + Accounts and Accounts = Counts.Sum().
type Job struct {
	ID         string
	AppID      string
	Kind       Kind
	State      State
	Note       string
	FileName   string
	FileSHA256 string // hex, of the file as uploaded
	FileBytes  int64

	AccountBytes int // the longest account its app took, see accounts.Options

	Rows, Rejected, Duplicate, Protected, Accounts int64

	Plan string // SHA-256 of its planned accounts, in hex; "": none are

	Counts  Counts
	Batches int64 // batches of the plan; a batch that had to be split still counts once
	Calls   int64 // requests that were or may have been sent, reading back included

	CreatedBy  string // user name
	StartedBy  string
	ApprovedBy string // the second person; "": none was needed
	Emergency  string // why an admin started it although a second person was needed
	CreatedAt  time.Time
	StartedAt  time.Time // zero until started
	FinishedAt time.Time // zero until nothing can change any more

	Reading  string       // names the reading its rows come from: another one may differ
	Read     int          // while State is Reading: how far, in thousandths
	ReadRows int64        // while State is Reading: rows so far
	Refusal  *fault.Error // why the file could not be read; set while State is Refused

	Unsure []Asked // the open questions about its file: it cannot be started

	StartAt time.Time // nothing is sent before; zero: at once
	Careful bool      // only its first batch may be sent yet
	Source  string    // the job whose accounts these are; "" for an upload

	Snapshot bool            // tags are read and kept before they are changed
	Policy   snapshot.Policy // of a restore: what to do with accounts that have gained other tags
	Only     []string        // of what is put back or taken away again: only these tags; nil: all
	Verify   Verification
	Checks   Kind // of the inspection of a sample: the kind of the job it verifies, its Source; "": it is none

	RestoredAt time.Time // when the database was found to be an older copy while the job had not ended; zero: never

	HaltCode int    // the service's error code or one of ours; set while State is Halted
	HaltInfo string // what the service said; of CodeFailures "failed/settled"
	Version  int64  // grows with every change

	listVersion int64 // of the protected list, when its file was read
	turn        int64 // jobs of an app are served in this order
	limit       int   // of failures, raised by a person; 0: the app's
}

// Verification is the inspection of a part of a job's batches after its end, by a
// job that is made for it. It inspects the accounts that were changed.
type Verification struct {
	Share snapshot.Share // of the batches; 0: none
	Seed  string         // snapshot.Sample(Seed, batch number, Share) says which, but at least one
	Due   bool           // the inspection is still to be made
}

// Shown is the state a person sees: the stored one, "pausing" and "cancelling"
// while calls are still in flight, "scheduled" until the time of the start.
func (j Job) Shown() State {
	switch {
	case j.State == Queued && j.StartAt.After(time.Now()):
		return "scheduled"
	case j.State == Paused && j.Counts[Sending] > 0:
		return "pausing"
	case j.State == Cancelled && j.Counts.Open() > 0:
		return "cancelling"
	}
	return j.State
}

// Restored reports whether the job comes from an older copy of the database: accounts
// of it may have been sent that this database does not know of.
func (j Job) Restored() bool { return !j.RestoredAt.IsZero() }

// Told reports whether a job was told tags for each account: those to add or
// remove, or, of an inspection that verifies such a job, the same.
func (j Job) Told() bool { return j.Kind.Tagged() || j.Checks.Tagged() }

// Settled reports whether nothing about the job can change any more.
func (j Job) Settled() bool {
	return j.State == Finished || j.State == Refused || j.State == Cancelled && j.Counts.Open() == 0
}

// May reports whether the action fits the job as it is.
func (j Job) May(a Action) bool {
	_, fits := j.State.Next(a)
	return fits && !(a == Start && (j.Accounts == 0 || len(j.Unsure) > 0)) && !(a == StartNow && j.Shown() != "scheduled")
}

// Account is one account of a job with its outcome.
type Account struct {
	Row     int64 // in the file, from 1, the header not counted
	Account string
	Outcome Outcome
	Code    int    // the service's error code, when one was given
	Message string // what the service said
	Batch   int64  // from 1
	Place   int    // in the batch, from 1
	At      time.Time
}

// Seq is the account's place in the job, from 1.
func (a Account) Seq() int64 { return (a.Batch-1)*BatchSize + int64(a.Place) }

// Result is an account with its outcome and the user's own cells.
type Result struct {
	Account
	Fields []string
}

// Placed is an account found by name, with the job it stands in.
type Placed struct {
	Account
	Job Job
}

// SetAside is a row that did not become an account.
type SetAside struct {
	Row     int64
	Line    int64
	Kind    SetAsideKind
	Value   string // as found, shortened to 200 bytes
	Reason  string // an accounts.Reason
	Repeats int64  // for duplicates: the row that holds the account
}

// SetAsideKind says why a row was set aside.
type SetAsideKind string

const (
	Rejected  SetAsideKind = "rejected"
	Duplicate SetAsideKind = "duplicate"
	Protected SetAsideKind = "protected"
)

// Codes of ours that stand where the service's do.
const (
	CodeProtected = -1 // protected after it had been sent: what became of it is not known, and it was not sent again
	CodeLeft      = -2 // in doubt, and a person decided to leave it so
	CodeLost      = -4 // in doubt: every call for it has stayed without an answer, again and again: a person decides
	CodeTooFull   = -5 // it has gained so many tags that those to be added no longer fit: none was added
	CodeCutShort  = -7 // the job was cancelled, or the account gained other tags, between two calls for it: some tags may be changed
	CodeRestored  = -8 // changed before or after a restore of the database: it is as wanted, and what it had before was not kept
	CodeTooMany   = -6 // it has more tags than can be kept (snapshot.Fits): nothing was changed

	CodeDown        = -10 // halted: the service cannot be reached or does not work
	CodeLostAnswers = -11 // halted: call after call stays without an answer
	CodeFailures    = -12 // halted: too large a share of accounts failed
	CodeGained      = -13 // halted, this restore alone: an account has gained other tags, and it was chosen to stop then
	CodeUnreadable  = -14 // halted, this job alone: the tags that are kept for it cannot be read, or cannot be kept
	CodeNotStarted  = -15 // halted, this job alone: the log does not say that it was started as it is
	CodeStarter     = -16 // halted before anything was sent: who started it may no longer start jobs
)

// Uncertain reports whether an account that failed with the code may have been changed.
func Uncertain(code int) bool {
	return code == CodeLeft || code == CodeCutShort || code == CodeProtected
}

// Recovers reports whether a job that halted with the code goes on by itself
// once the service answers a probe.
func Recovers(haltCode int) bool { return haltCode == CodeDown || haltCode == CodeLostAnswers }

// Decision is what a person wants done with the accounts of a job that wait in
// doubt for one.
type Decision string

const (
	Retry    Decision = "again" // change them again
	Leave    Decision = "leave" // end them as failed, with CodeLeft
	ReadBack Decision = "read"  // read their tags once more
)

// Reason counts the accounts that failed with one code.
type Reason struct {
	Code     int
	Info     string // what the service said, one example
	Accounts int64
}

// Faults a person may see.
var (
	FaultNoJob = fault.Declare(fault.NotFound, "job.none",
		"Job %s does not exist. Check the ID, or find the job in the list.")
	FaultWrongState = fault.Declare(fault.Conflict, "job.state",
		"This action is not possible: the job status is now “%s”. Nothing was changed. See the job page for the "+
			"latest status.")
	FaultConfirm = fault.Declare(fault.Invalid, "job.confirm",
		"The job was not started: it contains %d accounts, and you typed a different number. Type the number of "+
			"accounts to confirm.")
	FaultNoAccounts = fault.Declare(fault.Invalid, "job.no_accounts",
		"The job was not started: the file contains no valid accounts. Fix the file and upload it again.")
	FaultReimported = fault.Declare(fault.Conflict, "job.read_again",
		"The job was not started: the file was read again after you opened this page, and the result may differ. "+
			"Check the rows again, then start the job.")
	FaultUnsure = fault.Declare(fault.Conflict, "job.unsure",
		"No job was started or created: a question about the file has no answer yet (%s). Answer it on the job page, "+
			"or upload the file again with the answer in the field “%s”.")
	FaultNothingAsked = fault.Declare(fault.Conflict, "job.nothing_asked",
		"No account of this job needs a decision. Nothing was changed. See the job page for the latest status.")
	FaultDecision = fault.Declare(fault.Invalid, "job.decision",
		"No decision was saved: no option was chosen, or the option does not apply to this job. Accounts of a "+
			"cancelled job cannot be sent again. Choose again.")
	FaultNoneToRetry = fault.Declare(fault.Conflict, "job.none_to_retry",
		"No job was created: this job has no accounts with this outcome.")
	FaultUnsettled = fault.Declare(fault.Conflict, "job.unsettled",
		"No job was created: this job has not ended, and results may still change. Wait until it ends, or cancel "+
			"it.")
	FaultStartTime = fault.Declare(fault.Invalid, "job.start_time",
		"The job was not started: the start time must be in the future and within one year, such as "+
			"2026-12-24T22:30.")
	FaultImporting = fault.Declare(fault.Conflict, "job.reading",
		"The file of this job is still being read. Nothing was changed. Wait until the rows are shown.")
)
