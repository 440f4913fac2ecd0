package jobs

import (
	"slices"
	"time"

	"tagsweep/internal/fault"
)

// Kind is what a job does with its accounts.
type Kind string

// Clear removes all tags.
const Clear Kind = "clear"

// State is where a job stands. "Pausing" and "cancelling" are not stored: see Job.Shown.
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

// Action is what a person may ask of a job.
type Action string

const (
	Start  Action = "start"
	Pause  Action = "pause"
	Resume Action = "resume"
	Cancel Action = "cancel"
	Reread Action = "reread" // read the file again, as a person says

	StartNow Action = "start-now" // do not wait for the time the start was set to
)

var transitions = map[Action]struct {
	from []State
	to   State
}{
	Start:  {[]State{Draft}, Queued},
	Pause:  {[]State{Queued, Running}, Paused},
	Resume: {[]State{Paused, Halted}, Queued},
	Cancel: {[]State{Reading, Draft, Queued, Running, Paused, Halted}, Cancelled},
	Reread: {[]State{Draft}, Reading},

	StartNow: {[]State{Queued}, Queued},
}

// Next returns the state an action leads to, and false when the action does
// not fit the state.
func (s State) Next(a Action) (State, bool) {
	t, known := transitions[a]
	if !known || !slices.Contains(t.from, s) {
		return "", false
	}
	return t.to, true
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
	Unsent  Outcome = "cancelled" // its tags were never removed: the job was cancelled first
)

// Outcomes lists every outcome in the order pages show them.
var Outcomes = []Outcome{Waiting, Sending, InDoubt, Cleared, Failed, Unsent}

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

	Rows, Rejected, Duplicate, Protected, Accounts int64

	Counts  Counts
	Batches int64 // batches of the plan; a batch that had to be split still counts once
	Calls   int64 // requests that were or may have been sent, reading back included

	CreatedBy  string // user name
	StartedBy  string
	CreatedAt  time.Time
	StartedAt  time.Time // zero until started
	FinishedAt time.Time // zero until nothing can change any more

	Reading  string       // names the reading its rows come from: another one may differ
	Read     int          // while State is Reading: how far, in thousandths
	ReadRows int64        // while State is Reading: rows so far
	Refusal  *fault.Error // why the file could not be read; set while State is Refused

	StartAt time.Time // nothing is sent before; zero: at once
	Gate    int64     // only its first so many accounts may be sent yet; 0: all
	RetryOf string    // the job whose accounts these are; "" for an upload

	HaltCode int    // the service's error code or one of ours; set while State is Halted
	HaltInfo string // what the service said; of CodeFailures "failed/settled"
	Version  int64  // grows with every change
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

// Settled reports whether nothing about the job can change any more.
func (j Job) Settled() bool {
	return j.State == Finished || j.State == Refused || j.State == Cancelled && j.Counts.Open() == 0
}

// May reports whether the action fits the job as it is.
func (j Job) May(a Action) bool {
	_, fits := j.State.Next(a)
	return fits && !(a == Start && j.Accounts == 0) && !(a == StartNow && j.Shown() != "scheduled")
}

// Account is one account of a job with its outcome.
type Account struct {
	Row     int64 // in the file, from 1, the header not counted
	Account string
	Outcome Outcome
	Code    int    // the service's error code, when one was given
	Message string // what the service said
	Batch   int64  // from 1
	At      time.Time
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

	CodeDown        = -10 // halted: the service cannot be reached or does not work
	CodeLostAnswers = -11 // halted: call after call stays without an answer
	CodeFailures    = -12 // halted: too large a share of accounts failed
)

// Recovers reports whether a job that halted with the code goes on by itself
// once the service answers a probe.
func Recovers(haltCode int) bool { return haltCode == CodeDown || haltCode == CodeLostAnswers }

// Decision is what a person wants done with the accounts of a job that wait in
// doubt for one.
type Decision string

const (
	Again    Decision = "again" // remove their tags again
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
	FaultNoJob        = fault.Declare(fault.NotFound, "job.none", "There is no job %s. It may have been mistyped; the list of jobs shows all there are.")
	FaultWrongState   = fault.Declare(fault.Conflict, "job.state", "The job is %s by now, so this can no longer be done. Nothing was changed; the page shows how it stands.")
	FaultConfirm      = fault.Declare(fault.Invalid, "job.confirm", "The job was not started: it holds %d accounts, and the number typed was not that. Type the number of accounts to confirm.")
	FaultNoAccounts   = fault.Declare(fault.Invalid, "job.no_accounts", "The job was not started: no row of its file is a valid account. Mend the file and upload it again.")
	FaultReadAgain    = fault.Declare(fault.Conflict, "job.read_again", "The job was not started: its file has been read again since the page was shown, perhaps in another way. Look at its rows and numbers once more, then start it.")
	FaultNothingAsked = fault.Declare(fault.Conflict, "job.nothing_asked", "No account of this job waits for a decision any more. Nothing was changed; the page shows how the job stands.")
	FaultDecision     = fault.Declare(fault.Invalid, "job.decision", "Nothing was decided: the choice was missing or does not fit the job. A cancelled job's accounts cannot be sent again. Choose once more.")
	FaultNoneToRetry  = fault.Declare(fault.Conflict, "job.none_to_retry", "No new job was made: no account of this job ended that way.")
	FaultUnsettled    = fault.Declare(fault.Conflict, "job.unsettled", "No new job was made: this job has not ended yet, and more accounts may fail. Wait for its end, or cancel it.")
	FaultStartTime    = fault.Declare(fault.Invalid, "job.start_time", "The job was not started: the time must lie in the future, at most a year ahead, such as 2026-12-24T22:30.")
	FaultStillReads   = fault.Declare(fault.Conflict, "job.reading", "The file of this job is still being read. Nothing was changed; wait until its rows are shown.")
)
