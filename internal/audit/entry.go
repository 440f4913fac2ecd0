// Package audit says what the log records: which events exist, who acted from
// where, and what an entry holds. It is pure: the store writes entries in the
// same transaction as the change they record, so that no change goes unlogged.
package audit

import "time"

// Code names an event. Codes are stable and language-neutral; what went wrong
// has a code of its own rather than a flag.
type Code string

const (
	SignInSucceeded    Code = "sign_in.succeeded"
	SignInFailed       Code = "sign_in.failed"
	SignedOut          Code = "signed_out"
	AccessDenied       Code = "access.denied"
	JobUploaded        Code = "job.uploaded"
	JobUploadRefused   Code = "job.upload_refused"
	JobRead            Code = "job.read"    // the file became a draft
	JobReread          Code = "job.reread"  // a person said how the file is to be read
	JobRefused         Code = "job.refused" // the file could not be read
	JobStarted         Code = "job.started"
	JobPaused          Code = "job.paused"
	JobResumed         Code = "job.resumed"
	JobCancelled       Code = "job.cancelled"
	JobFinished        Code = "job.finished"
	JobHalted          Code = "job.halted"
	JobStartNow        Code = "job.start_now" // a job that was to start later
	JobPutFirst        Code = "job.put_first" // served before all others
	JobPutBack         Code = "job.put_back"  // no longer
	JobDecided         Code = "job.decided"   // what becomes of accounts in doubt
	JobRetried         Code = "job.retried"   // a new job was made of accounts of another
	JobUndone          Code = "job.undone"    // a new job takes back what another did
	SnapshotErased     Code = "snapshot.erased"
	TagsRead           Code = "tags.read" // of one account, from the service
	KillSwitchThrown   Code = "kill_switch.thrown"
	KillSwitchLifted   Code = "kill_switch.lifted"
	AppChanged         Code = "app.changed"  // what an admin chose of how it sends: before and after
	ServiceWell        Code = "service.well" // a probe was answered: what halted for the service goes on
	ResultsDownloaded  Code = "results.downloaded"
	RejectsDownloaded  Code = "rejects.downloaded"
	TagsDownloaded     Code = "tags.downloaded"   // those a job's accounts had before it
	ReportDownloaded   Code = "report.downloaded" // what they came to
	AccountsProtected  Code = "accounts.protected"
	AccountUnprotected Code = "account.unprotected"
	UserCreated        Code = "user.created"
	UserPasswordSet    Code = "user.password_set"
	UserRoleSet        Code = "user.role_set"
	UserDisabled       Code = "user.disabled"
	UserEnabled        Code = "user.enabled"
)

// Codes lists every event, in the order a reader would look for them.
var Codes = []Code{
	SignInSucceeded, SignInFailed, SignedOut, AccessDenied,
	JobUploaded, JobUploadRefused, JobRead, JobReread, JobRefused, JobStarted, JobPaused, JobResumed, JobCancelled, JobFinished, JobHalted,
	JobStartNow, JobPutFirst, JobPutBack, JobDecided, JobRetried, JobUndone, SnapshotErased, TagsRead,
	KillSwitchThrown, KillSwitchLifted, AppChanged, ServiceWell,
	ResultsDownloaded, RejectsDownloaded, TagsDownloaded, ReportDownloaded,
	AccountsProtected, AccountUnprotected,
	UserCreated, UserPasswordSet, UserRoleSet, UserDisabled, UserEnabled,
}

// Failure reports whether the event says that something was refused or stopped.
func (c Code) Failure() bool {
	switch c {
	case SignInFailed, AccessDenied, JobUploadRefused, JobRefused, JobHalted:
		return true
	}
	return false
}

// Actor is who acted and from where. It is the first argument of every change,
// never fished out of a context.
type Actor struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Role      string `json:"role"`
	Session   string `json:"session,omitempty"` // the session's public id, never its secret
	Address   string `json:"address,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// System acts when the program does something of itself, such as finishing a job.
var System = Actor{ID: "system", Name: "system", Role: "system"}

// CommandLine is the role of somebody who acts on the machine itself.
const CommandLine = "command_line"

// Entry is one line of the log.
type Entry struct {
	Seq     int64          `json:"seq"` // from 1, without gaps
	At      time.Time      `json:"at"`
	Code    Code           `json:"code"`
	Actor   Actor          `json:"actor"`
	JobID   string         `json:"job,omitempty"`
	Target  string         `json:"target,omitempty"`  // a user's name, a file's name
	App     string         `json:"app,omitempty"`     // the app's name and environment at that time
	Details map[string]any `json:"details,omitempty"` // counts, digests, before and after
}
