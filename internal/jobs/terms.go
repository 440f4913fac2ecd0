package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// What a job was started with, and the state it is in, govern what is sent. Its row could
// be changed by anybody who can write to the database; so the log says it too, and nothing
// is sent, sealed or proved that the log does not bear out. What an entry says is compared
// here and, over all jobs, in replay.go.

// terms are what does not change any more once a job was started. The log holds their digest.
type terms struct {
	App         string         `json:"app"` // its id
	Kind        Kind           `json:"kind"`
	SHA256      string         `json:"sha256"` // of its file
	Rows        int64          `json:"rows"`
	Rejected    int64          `json:"rejected"`
	Duplicate   int64          `json:"duplicate"`
	Plan        string         `json:"plan_sha256"`
	Source      string         `json:"source"`
	Checks      Kind           `json:"checks"`
	OnlyTags    []string       `json:"only_tags"`
	Snapshot    bool           `json:"snapshot"`
	VerifyShare snapshot.Share `json:"verify_share"`
	VerifySeed  string         `json:"verify_seed"`
	ApprovedBy  string         `json:"approved_by"`
	Emergency   string         `json:"emergency"`
}

// Terms is the SHA-256 of what a job was started with, in hex.
func (j Job) Terms() string { return jsonDigest(j.terms()) }

func (j Job) terms() terms {
	return terms{j.AppID, j.Kind, j.FileSHA256, j.Rows, j.Rejected, j.Duplicate, j.Plan, j.Source, j.Checks, j.Only, j.Snapshot,
		j.Verify.Share, j.Verify.Seed, j.ApprovedBy, j.Emergency}
}

// draft is the SHA-256 of what a job is by its file, before a start adds what its app is
// set to. It is the same from one reading of the file up to the start.
func (j Job) draft() string {
	t := j.terms()
	t.Snapshot, t.VerifyShare, t.VerifySeed, t.ApprovedBy, t.Emergency = false, 0, "", "", ""
	return jsonDigest(struct {
		terms
		Policy       snapshot.Policy `json:"policy"`
		AccountBytes int             `json:"account_bytes"`
	}{t, j.Policy, j.AccountBytes})
}

func jsonDigest(v any) string {
	text, err := audit.JSON(v)
	if err != nil {
		panic(err) // it has nothing that JSON does not know
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// said is what an entry says of how a job is to go on.
type said struct{ terms, policy, startAt string }

func saidBy(e audit.Entry) (s said) {
	s.terms, _ = e.Details["terms_sha256"].(string)
	s.policy, _ = e.Details["policy"].(string)
	s.startAt, _ = e.Details["start_at"].(string)
	return s
}

// says is what an entry says of the job as it stands.
func (j Job) says() said { return said{j.Terms(), string(j.Policy), startAt(j.StartAt)} }

func startAt(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// actions are the events that change the state of a job that was started, or start it.
var actions = map[audit.Code]Action{
	audit.JobStarted: Start, audit.JobStartNow: StartNow, audit.JobPaused: Pause, audit.JobResumed: Resume,
	audit.JobCancelled: Cancel, audit.JobHalted: Halt, audit.JobFinished: Finish,
}

// lastAction finds the entry that last changed the state of the job $1.
const lastAction = `SELECT COALESCE(MAX(seq), 0) FROM audit_lines WHERE job_id <> '' AND job_id = $1
	AND code IN ('job.started', 'job.start_now', 'job.paused', 'job.resumed', 'job.cancelled', 'job.halted', 'job.finished')`

var errNotStarted = errors.New("jobs: the log does not say so")

func notStarted(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errNotStarted, fmt.Sprintf(format, args...))
}

// NotStarted reports whether an error says that a job is not as the log says, and why.
func NotStarted(err error) bool { return errors.Is(err, errNotStarted) }

// CheckStart checks that exactly one entry of the log starts a job, with what its row
// says. Its error is for NotStarted.
func (s *Jobs) CheckStart(ctx context.Context, q store.Querier, j Job) error {
	starts, err := s.log.SeqsOf(ctx, q, j.ID, audit.JobStarted)
	if err != nil {
		return err
	}
	if len(starts) != 1 {
		return notStarted("%d entries of the log start this job", len(starts))
	}
	started, err := s.log.Proven(ctx, q, starts[0])
	switch {
	case audit.Unproven(err):
		return notStarted("entry %d of the log, which starts this job, was changed", starts[0])
	case err != nil:
		return err
	case started.Code != audit.JobStarted || started.JobID != j.ID:
		return notStarted("entry %d of the log does not start this job", started.Seq)
	case saidBy(started).terms != j.Terms():
		return notStarted("the job is not the one that entry %d of the log started", started.Seq)
	}
	return nil
}

// Permit is what the log was last found to bear out of a job that runs.
type Permit struct {
	entry int64
	state State
	said  said
}

// Permit checks that the log lets a job run as its row says, and returns what was found.
// What is as it was when it was found last is not looked up again. Its error is for
// NotStarted. The transaction has locked the app.
func (s *Jobs) Permit(ctx context.Context, tx *store.Tx, jobID string, known Permit) (p Permit, err error) {
	j, err := job(ctx, tx, jobID)
	if err != nil {
		return p, err
	}
	p = Permit{state: j.State, said: j.says()}
	if p.state == Queued {
		p.state = Running // what lets it wait lets it run
	}
	if p.entry, err = store.Value[int64](ctx, tx, lastAction, jobID); err != nil || p == known {
		return p, err
	}
	if err := s.CheckStart(ctx, tx, j); err != nil {
		return p, err
	}
	ends := []audit.Code{audit.JobFinished, audit.JobCancelled}
	if j.State == Cancelled {
		ends = ends[:1]
	}
	switch ended, err := s.log.SeqsOf(ctx, tx, j.ID, ends...); {
	case err != nil:
		return p, err
	case len(ended) > 0:
		return p, notStarted("the job is %s, but entry %d of the log ended it", j.State, ended[0])
	}
	last, err := s.log.Proven(ctx, tx, p.entry)
	switch {
	case audit.Unproven(err):
		return p, notStarted("entry %d of the log was changed", p.entry)
	case err != nil:
		return p, err
	case last.JobID != j.ID || !lets(last, p.state):
		return p, notStarted("the job is %s, but entry %d of the log (%s) says otherwise", j.State, last.Seq, last.Code)
	case saidBy(last) != p.said:
		return p, notStarted("the job is not to go on as entry %d of the log says", last.Seq)
	}
	return p, nil
}

// lets reports whether an entry lets a job have a state in which something is sent.
func lets(e audit.Entry, state State) bool {
	switch state {
	case Running:
		return e.Code == audit.JobStarted || e.Code == audit.JobStartNow || e.Code == audit.JobResumed
	case Cancelled:
		return e.Code == audit.JobCancelled
	case Halted:
		return e.Code == audit.JobHalted && Recovers(int(audit.WholeNumber(e.Details["code"])))
	}
	return false
}
