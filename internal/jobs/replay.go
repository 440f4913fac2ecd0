package jobs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

// Replay is what the jobs, the apps, the kill switch, the protected accounts, the mappings
// and the snapshots ought to be by the log. It keeps no job that was sealed: its seal says
// what it ought to be.
type Replay struct {
	apps      map[string]appState // by the app's id
	first     map[string]order    // by job: the last that put it first, or back
	stop      oughtSwitch
	jobs      map[string]*oughtJob
	approvals map[string]*oughtApproval
	saved     map[string]oughtSnapshot // by job, until it is erased
	mappings  map[string]string        // what was said of files, see mappingOf
	list      oughtProtected
	last      int64 // the last entry
	removed   int64 // the last entry that is not there
}

// oughtJob is what a job ought to be.
type oughtJob struct {
	state   State
	started int64 // the entry that starts it; 0: none
	by      string
	action  int64 // the entry that last changed its state
	terms   string
	said    said

	made       bool // its first entry is there
	maker      string
	kind       Kind
	source     string
	file, name string  // its digest, and its name
	note       *string // nil: not known
	draft      string  // see Job.draft
	questions  int64   // that are open
	restored   bool

	startedAt, endedAt time.Time
	turn, limit        int64
	careful            bool
	haltCode           int
}

// NewReplay returns the replay of a log of no entries.
func NewReplay() *Replay {
	return &Replay{apps: map[string]appState{}, first: map[string]order{}, jobs: map[string]*oughtJob{},
		approvals: map[string]*oughtApproval{},
		saved:     map[string]oughtSnapshot{}, mappings: map[string]string{},
		list: oughtProtected{map[int64]*oughtGroup{}, map[string]map[string][]protect{}, map[string]int64{}}}
}

// Learn implements audit.Replay.
func (r *Replay) Learn(e audit.Entry, v *audit.Verified) {
	if e.Seq != r.last+1 {
		r.removed = e.Seq - 1
	}
	r.last = e.Seq
	r.mapped(e)
	switch e.Code {
	case audit.AppChanged:
		r.appChanged(e, v)
	case audit.JobPutFirst, audit.JobPutBack:
		r.first[e.JobID] = order{e.Seq, e.Code == audit.JobPutFirst}
	case audit.KillSwitchThrown, audit.KillSwitchLifted:
		r.stop.learn(e)
	case audit.AccountsProtected, audit.AccountUnprotected:
		r.list.learn(e, v)
	case audit.SnapshotErased:
		r.erased(e, v)
	case audit.JobUploaded, audit.JobRetried, audit.JobUndone:
		r.jobs[e.JobID] = made(e)
	case audit.JobRestored:
		if j := r.jobs[e.JobID]; j != nil {
			j.restored = true
		}
	case audit.JobRead, audit.JobReread, audit.JobRefused, audit.JobSealed:
		r.jobChanged(e, v)
	case audit.ApprovalAsked, audit.ApprovalGiven, audit.ApprovalRefused, audit.ApprovalWithdrawn:
		r.approvalChanged(e, v)
	default:
		if _, is := actions[e.Code]; is {
			r.jobChanged(e, v)
		}
	}
}

// made is a job as the entry that creates it says.
func made(e audit.Entry) *oughtJob {
	j := &oughtJob{state: Reading, action: e.Seq, made: true, maker: e.Actor.Name, name: e.Target}
	kind, _ := e.Details["kind"].(string)
	j.kind = Kind(kind)
	j.source, _ = e.Details["of"].(string)
	j.file, _ = e.Details["sha256"].(string)
	if note, said := e.Details["note"].(string); said {
		j.note = &note
	}
	return j
}

// jobChanged follows the state of a job.
func (r *Replay) jobChanged(e audit.Entry, v *audit.Verified) {
	j := r.jobs[e.JobID]
	if j == nil {
		if e.Code == audit.JobSealed || r.removed == 0 {
			v.Add("job %s: entry %d of the log (%s) is about it, but no entry creates or starts it", e.JobID, e.Seq, e.Code)
		}
		j = &oughtJob{} // its state is not known
		r.jobs[e.JobID] = j
	}
	if e.Code == audit.JobSealed {
		if j.started == 0 {
			v.Add("job %s: entry %d of the log seals it, but no entry starts it", e.JobID, e.Seq)
		} else if kind, _ := e.Details["kind"].(string); saidBy(e).terms != j.terms || j.kind != "" && j.kind != Kind(kind) {
			v.Add("job %s: entry %d of the log seals another job than entry %d started", e.JobID, e.Seq, j.started)
		}
		delete(r.jobs, e.JobID)
		return
	}
	if file, said := e.Details["sha256"].(string); said && j.file != "" && file != j.file {
		v.Add("job %s: entry %d of the log is about another file than the one that was uploaded", e.JobID, e.Seq)
	}
	action, acts := actions[e.Code]
	if acts && j.action > r.removed && !j.fits(action) {
		v.Add("job %s: entry %d of the log (%s) does not follow from the state %s", e.JobID, e.Seq, e.Code, j.state)
	}
	if action == Start {
		if j.started > 0 {
			v.Add("job %s: entry %d of the log starts it once more", e.JobID, e.Seq)
		}
		if j.draft != "" && (j.draft != e.Details["draft_sha256"] || j.questions > 0) {
			v.Add("job %s: entry %d of the log starts another job than its file was read as, or one with an open question", e.JobID, e.Seq)
		}
		j.started, j.by, j.startedAt = e.Seq, e.Actor.Name, e.At
	} else if j.started > 0 && saidBy(e).terms != j.terms {
		v.Add("job %s: by entry %d of the log it was no longer the job that entry %d started", e.JobID, e.Seq, j.started)
	}
	if action == Start || action == StartNow || action == Resume {
		r.secondPerson(e, v)
	}
	j.action, j.said = e.Seq, saidBy(e)
	j.learn(e)
	if e.Code == audit.JobFinished {
		r.finished(e, v)
	}
	if j.started == 0 || action == Start {
		j.terms = j.said.terms
	}
	j.state = Refused
	if state, _ := e.Details["state"].(string); e.Code != audit.JobRefused {
		j.state = State(state)
	}
}

// learn takes in what an entry says of how the job goes on.
func (j *oughtJob) learn(e audit.Entry) {
	j.draft, _ = e.Details["draft_sha256"].(string)
	j.questions = audit.WholeNumber(e.Details["questions"])
	if turn := audit.WholeNumber(e.Details["turn"]); turn > 0 {
		j.turn, j.limit = turn, audit.WholeNumber(e.Details["failure_limit"])
		j.careful, _ = e.Details["careful"].(bool)
	}
	switch e.Code {
	case audit.JobHalted:
		j.haltCode = int(audit.WholeNumber(e.Details["code"]))
	case audit.JobFinished:
		j.endedAt = e.At
	}
}

// fits reports whether an action fits the state, which may have become running unnoticed.
func (j *oughtJob) fits(a Action) bool {
	_, fits := j.state.Next(a)
	if !fits && j.state == Queued {
		_, fits = Running.Next(a)
	}
	return fits
}

// verifyIn compares what governs with the log.
func (r *Replay) verifyIn(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	if err := r.verifyApps(ctx, tx, v); err != nil {
		return err
	}
	if err := r.list.verifyIn(ctx, tx, v); err != nil {
		return err
	}
	for _, verify := range []func(context.Context, *store.Tx, *audit.Verified) error{
		r.verifySwitch, r.verifyApprovals, r.verifySnapshots, r.verifyMappings, r.verifyShared, r.verifyOrder,
	} {
		if err := verify(ctx, tx, v); err != nil {
			return err
		}
	}
	unsealed := paged(func(last Job) ([]Job, error) {
		return store.Collect(ctx, tx, scanJob,
			`SELECT `+jobFields+` FROM jobs WHERE sealed <= 0 AND id > $1 ORDER BY id LIMIT 100`, last.ID)
	})
	for j, err := range unsealed {
		if err != nil {
			return err
		}
		if wrong := r.compare(j); wrong != "" {
			v.Add("job %s: %s", j.ID, wrong)
		}
		delete(r.jobs, j.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(r.jobs)) {
		there, err := store.Value[bool](ctx, tx, `SELECT COUNT(*) > 0 FROM jobs WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if !there {
			v.Add("job %s: entry %d of the log is about it, but the job is missing", id, r.jobs[id].action)
		}
	}
	return nil
}

// compare says what is wrong with a job that was not sealed; "" for nothing.
func (r *Replay) compare(j Job) string {
	ought := r.jobs[j.ID]
	ran := !j.StartedAt.IsZero() || !slices.Contains([]State{Reading, Draft, Refused, Cancelled}, j.State)
	switch {
	case ran && (ought == nil || ought.started == 0):
		return fmt.Sprintf("it is %s, but no entry of the log starts it", j.State)
	case ought == nil && r.removed == 0:
		return "no entry of the log creates it"
	case ought == nil:
		return "" // its entries were removed, and it never ran
	case !ought.mayBe(j.State, r.removed):
		return fmt.Sprintf("it is %s, but by entry %d of the log it is %s", j.State, ought.action, ought.state)
	case ought.maker != "" && ought.maker != j.CreatedBy:
		return fmt.Sprintf("it says that %s created it, but the log says %s", cmp.Or(j.CreatedBy, "nobody"), ought.maker)
	case ought.started > 0 && ought.by != "" && ought.by != j.StartedBy:
		return fmt.Sprintf("it says that %s started it, but entry %d of the log says %s", cmp.Or(j.StartedBy, "nobody"), ought.started, ought.by)
	case (ought.started > 0 || j.State == Draft) && ought.terms != j.Terms():
		return fmt.Sprintf("the operation, the file, the options or the rows are not what entry %d of the log says",
			cmp.Or(ought.started, ought.action))
	case ought.started > 0 && ought.action > r.removed && ought.said != j.says():
		return fmt.Sprintf("the time of the start or the policy is not what entry %d of the log says", ought.action)
	case ought.made && ought.isNot(j):
		return "the operation, its origin, the name of the file, the note or a restore is not what the log says"
	case j.State == Draft && ought.draft != "" && (ought.draft != j.draft() || ought.questions != int64(len(j.Unsure))):
		return fmt.Sprintf("the file, the policy or the open questions are not what entry %d of the log says", ought.action)
	case ought.started > 0:
		return ought.runs(j, r.removed)
	}
	return ""
}

// isNot reports whether a job is not what was created.
func (j *oughtJob) isNot(is Job) bool {
	return j.kind != "" && j.kind != is.Kind || j.source != is.Source || j.name != "" && j.name != is.FileName ||
		j.note != nil && *j.note != is.Note || j.restored != is.Restored()
}

// runs says what is wrong with how a job that was started goes on; "" for nothing.
func (j *oughtJob) runs(is Job, removed int64) string {
	switch {
	case !near(is.StartedAt, j.startedAt) || is.FinishedAt.IsZero() != j.endedAt.IsZero() || !near(is.FinishedAt, j.endedAt):
		return "it did not start or end when the log says"
	case j.turn > 0 && (j.turn != is.turn || j.limit != int64(is.limit) || !j.careful && is.Careful):
		return "its turn, its careful start or its limit of failures is not what the log says"
	case is.State == Halted && j.action > removed && j.haltCode != is.HaltCode:
		return fmt.Sprintf("it is halted with the code %d, but entry %d of the log says %d", is.HaltCode, j.action, j.haltCode)
	}
	return ""
}

// near reports whether a time in a row is the time of the entry that was written with it.
func near(row, entry time.Time) bool { return row.Sub(entry).Abs() < time.Minute }

// mayBe reports whether a job may have a state. That of a job that does not send is not
// known once its entries were removed.
func (j *oughtJob) mayBe(state State, removed int64) bool {
	switch {
	case state == j.state, state == Running && j.state == Queued:
		return true
	case j.action < removed:
		return state == Paused || state == Halted || state == Cancelled || j.started == 0
	}
	return false
}
