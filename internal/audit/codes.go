package audit

// Code names an event. Codes are stable and language-neutral; what went wrong
// has a code of its own rather than a flag. docs/audit.md is their catalogue.
type Code string

const (
	SignInSucceeded    Code = "sign_in.succeeded"
	SignInFailed       Code = "sign_in.failed"
	SignedOut          Code = "signed_out"
	SessionEnded       Code = "session.ended"          // by its person, from another session
	SessionEndedBy     Code = "session.ended_by_admin" // of another user
	PasswordConfirmed  Code = "password.confirmed"     // it was asked for again before an action
	AccessDenied       Code = "access.denied"
	JobUploaded        Code = "job.uploaded"
	JobUploadRefused   Code = "job.upload_refused"
	JobRead            Code = "job.read"    // the file became a draft
	JobReread          Code = "job.reread"  // a person said how, or answered a question about it; or the protected list has changed
	JobRefused         Code = "job.refused" // the file could not be read
	JobStarted         Code = "job.started"
	JobEmergency       Code = "job.emergency"      // an admin started it alone, although a second person was needed
	ApprovalAsked      Code = "approval.asked"     // a second person was asked to let a job run
	ApprovalGiven      Code = "approval.given"     // and the job does
	ApprovalRefused    Code = "approval.refused"   // and it does not
	ApprovalWithdrawn  Code = "approval.withdrawn" // by who asked
	JobPaused          Code = "job.paused"
	JobResumed         Code = "job.resumed"
	JobCancelled       Code = "job.cancelled"
	JobFinished        Code = "job.finished"
	JobHalted          Code = "job.halted"
	JobSealed          Code = "job.sealed"        // the result of every row, as digests
	JobAnsweredLate    Code = "job.answered_late" // a call that counted as lost, after the job was sealed
	JobStartNow        Code = "job.start_now"     // a job that was to start later
	JobPutFirst        Code = "job.put_first"     // served before all others
	JobPutBack         Code = "job.put_back"      // no longer
	JobDecided         Code = "job.decided"       // what becomes of accounts in doubt
	JobRetried         Code = "job.retried"       // a new job was made of accounts of another
	JobUndone          Code = "job.undone"        // a new job undoes what another did
	JobRestored        Code = "job.restored"      // it comes from an older copy of the database, and may have been sent since
	SnapshotErased     Code = "snapshot.erased"
	TagsRead           Code = "tags.read" // of one account, from the service
	KillSwitchThrown   Code = "kill_switch.thrown"
	KillSwitchLifted   Code = "kill_switch.lifted"
	AppChanged         Code = "app.changed"  // what an admin chose of how it sends: before and after
	ServiceWell        Code = "service.well" // a probe was answered: what halted for the service continues
	ResultsDownloaded  Code = "results.downloaded"
	RejectsDownloaded  Code = "rejects.downloaded"
	TagsDownloaded     Code = "tags.downloaded"   // those a job's accounts had before it
	ReportDownloaded   Code = "report.downloaded" // what they came to
	EvidenceDownloaded Code = "evidence.downloaded"
	SampleDrawn        Code = "sample.drawn" // rows of a job, by chance
	AccountsProtected  Code = "accounts.protected"
	AccountUnprotected Code = "account.unprotected"
	UserCreated        Code = "user.created"
	UserPasswordSet    Code = "user.password_set"
	PasswordChanged    Code = "user.password_changed"  // by the user
	PreferencesSet     Code = "user.preferences_set"   // by the user
	TokenCreated       Code = "token.created"          // by its person, for scripts
	TokenRevoked       Code = "token.revoked"          // by its person
	TokenRevokedBy     Code = "token.revoked_by_admin" // of another user
	UserRoleSet        Code = "user.role_set"
	UserDisabled       Code = "user.disabled"
	UserEnabled        Code = "user.enabled"
	JobLogRead         Code = "job.log_read" // the entries of one job, also by the operator it belongs to
	LogRead            Code = "log.read"     // its page was opened
	LogSearched        Code = "log.searched"
	LogExported        Code = "log.exported"
	LogReviewed        Code = "log.reviewed" // an auditor or admin signed off all entries up to one
	LogVerified        Code = "log.verified"
	LogUnverified      Code = "log.unverified"    // a verification found something wrong
	LogKeepSet         Code = "log.keep_set"      // how long entries are kept
	LogRemoved         Code = "log.removed"       // old entries; their hashes stay
	ErasureAsked       Code = "log.erasure_asked" // another admin was asked to erase personal data
	LogErased          Code = "log.erased"        // the personal parts of entries; their hashes stay
	ClockJumped        Code = "clock.jumped"      // this machine's clock was set, or the console was off for long
	ClockConfirmed     Code = "clock.confirmed"   // an admin says that it is right
	LogAccepted        Code = "log.accepted"      // an admin accepted a log that does not continue what was signed
)

// Codes lists every event, in the order a reader would look for them.
var Codes = []Code{
	SignInSucceeded, SignInFailed, SignedOut, SessionEnded, SessionEndedBy, PasswordConfirmed, AccessDenied,
	JobUploaded, JobUploadRefused, JobRead, JobReread, JobRefused,
	ApprovalAsked, ApprovalGiven, ApprovalRefused, ApprovalWithdrawn, JobEmergency,
	JobStarted, JobPaused, JobResumed, JobCancelled, JobFinished, JobHalted, JobSealed, JobAnsweredLate,
	JobStartNow, JobPutFirst, JobPutBack, JobDecided, JobRetried, JobUndone, JobRestored, SnapshotErased, TagsRead,
	KillSwitchThrown, KillSwitchLifted, AppChanged, ServiceWell,
	ResultsDownloaded, RejectsDownloaded, TagsDownloaded, ReportDownloaded, EvidenceDownloaded, SampleDrawn,
	AccountsProtected, AccountUnprotected,
	UserCreated, UserPasswordSet, PasswordChanged, PreferencesSet, TokenCreated, TokenRevoked, TokenRevokedBy, UserRoleSet, UserDisabled, UserEnabled,
	JobLogRead, LogRead, LogSearched, LogExported, LogReviewed, LogVerified, LogUnverified, LogKeepSet, LogRemoved, ErasureAsked, LogErased, LogAccepted,
	ClockJumped, ClockConfirmed,
}
