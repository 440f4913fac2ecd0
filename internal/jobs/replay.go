package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

// Replay is what the jobs, the settings of the apps, the kill switch and the protected
// accounts ought to be by the log. It keeps no job that was sealed: its seal says what it
// ought to be.
type Replay struct {
	apps    map[string]Settings // by the app's id
	stopped bool                // sending, by the kill switch
	said    int64               // by this entry; 0: by none
	jobs    map[string]*oughtJob
	list    oughtProtected
	last    int64 // the last entry
	removed int64 // the last entry that is not there
}

// oughtJob is what a job ought to be.
type oughtJob struct {
	state   State
	started int64 // the entry that starts it; 0: none
	by      string
	maker   string
	action  int64 // the entry that last changed its state
	terms   string
	said    said
}

// NewReplay returns the replay of a log of no entries.
func NewReplay() *Replay {
	return &Replay{apps: map[string]Settings{}, jobs: map[string]*oughtJob{},
		list: oughtProtected{map[int64]*oughtGroup{}, map[string]map[string][]protect{}}}
}

// defaultSettings are those of an app that nobody changed, as the schema has them.
var defaultSettings = Settings{FailureLimit: 20, Canary: true, Snapshot: true, KeepDays: 30, VerifyShare: 10_000}

// Learn implements audit.Replay.
func (r *Replay) Learn(e audit.Entry, v *audit.Verified) {
	if e.Seq != r.last+1 {
		r.removed = e.Seq - 1
	}
	r.last = e.Seq
	switch e.Code {
	case audit.AppChanged:
		r.appChanged(e, v)
	case audit.KillSwitchThrown, audit.KillSwitchLifted:
		r.stopped, r.said = e.Code == audit.KillSwitchThrown, e.Seq
	case audit.AccountsProtected, audit.AccountUnprotected:
		r.list.learn(e, v)
	case audit.JobUploaded, audit.JobRetried, audit.JobUndone:
		r.jobs[e.JobID] = &oughtJob{state: Reading, action: e.Seq, maker: e.Actor.Name}
	case audit.JobRead, audit.JobReread, audit.JobRefused, audit.JobSealed:
		r.jobChanged(e, v)
	default:
		if _, is := actions[e.Code]; is {
			r.jobChanged(e, v)
		}
	}
}

func (r *Replay) appChanged(e audit.Entry, v *audit.Verified) {
	id, _ := e.Details["app_id"].(string)
	before, after := settingsOf(e.Details["before"]), settingsOf(e.Details["after"])
	if was := r.settings(id); was != before {
		v.Add("entry %d of the log: the rate and limits of app %s were not as the log says before: %s", e.Seq, id, different(before, was))
	}
	r.apps[id] = after
}

func (r *Replay) settings(app string) Settings {
	if s, changed := r.apps[app]; changed {
		return s
	}
	return defaultSettings
}

func settingsOf(detail any) (s Settings) {
	text, err := json.Marshal(detail)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return Settings{}
	}
	return s
}

// different names a setting that differs.
func different(is, ought Settings) string {
	var have, want map[string]any
	for into, s := range map[*map[string]any]Settings{&have: is, &want: ought} {
		text, _ := json.Marshal(s)
		_ = json.Unmarshal(text, into)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if have[name] != want[name] {
			return fmt.Sprintf("%s is %v, but the log says %v", name, have[name], want[name])
		}
	}
	return ""
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
		} else if saidBy(e).terms != j.terms {
			v.Add("job %s: entry %d of the log seals another job than entry %d started", e.JobID, e.Seq, j.started)
		}
		delete(r.jobs, e.JobID)
		return
	}
	action, acts := actions[e.Code]
	if acts && j.action > r.removed && !j.fits(action) {
		v.Add("job %s: entry %d of the log (%s) does not follow from the state %s", e.JobID, e.Seq, e.Code, j.state)
	}
	if action == Start {
		if j.started > 0 {
			v.Add("job %s: entry %d of the log starts it once more", e.JobID, e.Seq)
		}
		j.started, j.by = e.Seq, e.Actor.Name
	} else if j.started > 0 && saidBy(e).terms != j.terms {
		v.Add("job %s: by entry %d of the log it was no longer the job that entry %d started", e.JobID, e.Seq, j.started)
	}
	j.action, j.said = e.Seq, saidBy(e)
	if j.started == 0 || action == Start {
		j.terms = j.said.terms
	}
	j.state = Refused
	if state, _ := e.Details["state"].(string); e.Code != audit.JobRefused {
		j.state = State(state)
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
	thrown, err := store.Value[bool](ctx, tx, `SELECT thrown_at <> 0 FROM kill_switch WHERE id = 1`)
	switch {
	case err != nil:
		return err
	case r.stopped && !thrown:
		v.Add("kill switch: sending is not stopped, but entry %d of the log stopped it", r.said)
	case thrown && !r.stopped:
		v.Add("kill switch: sending is stopped, but no entry of the log says so")
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

func (r *Replay) verifyApps(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	return store.Each(ctx, tx, func(row store.Scanner) error {
		var is Settings
		var id string
		err := row.Scan(append(is.dest(), &id)...)
		if wrong := different(is, r.settings(id)); err == nil && wrong != "" {
			v.Add("app %s: %s", id, wrong)
		}
		return err
	}, `SELECT `+settingsColumns+`, id FROM apps ORDER BY id`)
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
	}
	return ""
}

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
