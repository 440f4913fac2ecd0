// Package templates holds the pages and fragments people see. Components take
// a View, which says who looks and in which language, and the things to show;
// they decide nothing.
package templates

import (
	"cmp"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/web/templates/messages"
)

// View is what every page needs.
type View struct {
	*messages.Text
	App     jobs.App
	User    User   // zero when signed out
	Here    string // the address to come back to after the language was switched
	Area    string // the part of the console that the navigation marks, such as "jobs"
	Version string
	Theme   string   // see auth.Preferences
	Notices []string // what the last action did
	Problem string   // why it was not done

	FailedSignIns string // that somebody failed to sign in with the person's name; told once

	Asset     func(string) string // the address of a file of the console's own
	Refresh   bool                // reload every few seconds where scripts are off
	Elsewhere bool                // the page is of a job whose app this console does not serve
	Others    bool                // the page is of a job of somebody else, and the person is an operator
	SendStatus
}

// SendStatus is how the sending stands: what keeps the console from sending, and
// how fast it sends.
type SendStatus struct {
	Stopped     jobs.KillSwitch
	Sending     jobs.SendStatus
	DownSince   time.Time     // while single calls check whether the service works again; zero: not known since when
	Trouble     *jobs.Trouble // nil: none
	Alarm       *audit.Alarm  // why the log is not signed; nil: it is
	ClockJumped time.Time     // when the clock was found to be set, unless an admin has confirmed it

	Apps     map[string]jobs.App // by id: that of this console, and of others that have jobs here
	Stranded []jobs.Stranded

	Emergencies []audit.Entry // starts without a second person that nobody has signed off

	Requests []jobs.Approval  // that wait for a second person
	Unseen   map[string]int64 // decisions about requests, by who asked, that they have not seen
}

// approvalsLink is what the navigation says: how many requests of others wait, and how many
// of the person's own were decided.
func (v View) approvalsLink() string {
	n := v.Unseen[v.User.Name]
	for _, a := range v.Requests {
		if a.Asker.Name != v.User.Name && v.May(auth.Approve) {
			n++
		}
	}
	if n == 0 {
		return v.T("nav.approvals")
	}
	return v.T("nav.approvals.waiting", n)
}

// Named returns an app as it is called everywhere: its name, and its environment in
// brackets.
func (s SendStatus) Named(appID string) string {
	app, known := s.Apps[appID]
	if !known {
		return appID
	}
	return app.Name + " (" + app.Environment + ")"
}

// Probing reports whether single calls find out if the service works again.
func (s SendStatus) Probing() bool { return !s.Sending.ProbeAt.IsZero() }

// Restored reports whether sending is held because the database is an older copy.
func (s SendStatus) Restored() bool { return s.Stopped.Restored() }

// Budget is the gauge of a command.
func (s SendStatus) Budget(command string) (jobs.Gauge, bool) {
	for _, g := range s.Sending.Gauges {
		if string(g.Command) == command {
			return g, true
		}
	}
	return jobs.Gauge{}, false
}

// User is who is signed in.
type User struct {
	Name string
	Role auth.Role
}

// colorScheme is what the page offers a browser, and darkMedia when it is dark.
func (v View) colorScheme() string { return cmp.Or(v.Theme, "light dark") }

func (v View) darkMedia() string {
	if v.Theme == auth.Dark {
		return "all"
	}
	return "(prefers-color-scheme: dark)"
}

// May reports whether the person may do something.
func (v View) May(p auth.Permission) bool {
	return v.User.Name != "" && v.User.Role.May(p)
}

// Runs reports whether the person may start, continue and undo the job of the page, and
// make others of it.
func (v View) Runs() bool {
	return v.May(auth.RunJobs) && !v.Elsewhere && !(v.Others && !v.Sending.OthersRun)
}

// Stops reports whether the person may pause and cancel the job of the page.
func (v View) Stops() bool { return v.May(auth.RunJobs) && !(v.Others && !v.Sending.OthersStop) }

// OfJob makes the page one of a job of somebody, whose app its banner names. A job of an app that this
// console does not serve can be looked at, paused and cancelled.
func (v *View) OfJob(j jobs.Job, owner string) {
	if app, known := v.Apps[j.AppID]; known && j.AppID != v.App.ID {
		v.App, v.Elsewhere = app, true
	}
	v.Others = v.User.Role == auth.Operator && v.User.Name != owner
}

// Governs reports whether the person may change how the app sends.
func (v View) Governs() bool { return v.May(auth.Govern) }

// Environment sorts an app's environment into what its colour and words warn
// of. Whatever is not known to be harmless counts as production.
func (v View) Environment() string {
	return jobs.EnvironmentOf(v.App.Environment)
}

// EnvironmentName is the environment in words: known ones translated, others
// as configured.
func (v View) EnvironmentName() string {
	switch strings.ToLower(v.App.Environment) {
	case "simulator", "test", "production":
		return v.T("environment." + strings.ToLower(v.App.Environment))
	case "":
		return v.T("environment.production")
	}
	return v.App.Environment
}

// JobView is a job with what its page shows beside it.
type JobView struct {
	Job          jobs.Job
	Rate         float64 // calls per second, over the last few seconds
	Reasons      []jobs.Reason
	NeedsReview  jobs.NeedsReview // accounts in doubt that wait for a person
	Owner        string
	Origin       jobs.Job         // the job whose accounts these are; without id for an upload
	Derived      []jobs.Job       // of accounts of this one
	Report       *snapshot.Report // nil: nothing was read, or the job still runs
	ReportFault  *fault.Error     // why what is kept cannot be summed up
	SnapshotInfo snapshot.Info    // zero while the job runs

	FoundRestored int64 // accounts that were found changed after the database was restored
	Undo          UndoForm
	History       []audit.Entry
	Waits         *jobs.Overlap // the job it waits for, since both hold the same accounts; nil: it waits for none

	Inspection *jobs.Job // of a sample of its batches; nil: none was made yet, or there is nothing to inspect
	Second     jobs.SecondPerson
	TagsErased bool  // the inspection no longer has the tags that its accounts should have
	Sealed     int64 // the number of the entry that seals the job; 0: none does yet
	Now        time.Time
}

// Live reports whether the page should follow the job.
func (j JobView) Live() bool { return j.Job.State != jobs.Draft && !j.Job.Settled() }

// Left estimates how long the job still takes; false when nobody can say.
func (j JobView) Left() (time.Duration, bool) {
	open := j.Job.Counts[jobs.Waiting] + j.Job.Counts[jobs.Sending]
	if j.Rate <= 0 || open == 0 || j.Job.State != jobs.Running {
		return 0, false
	}
	calls := math.Ceil(float64(open) / jobs.BatchSize)
	if readsFirst(j.Job) && j.Job.Kind != jobs.Inspect {
		calls *= 2
	}
	return max(time.Second, time.Duration(calls/j.Rate*float64(time.Second))), true
}

// Elapsed is how long the job has taken, pauses included.
func (j JobView) Elapsed() (time.Duration, bool) {
	switch {
	case j.Job.StartedAt.IsZero(), j.Job.Shown() == "scheduled":
		return 0, false
	case !j.Job.FinishedAt.IsZero() && j.Job.FinishedAt.Before(j.begun()): // cancelled before its time
		return 0, false
	case j.Job.FinishedAt.IsZero():
		return j.Now.Sub(j.begun()), true
	}
	return j.Job.FinishedAt.Sub(j.begun()), true
}

// begun is when the job began: when it was started, or the time that was set.
func (j JobView) begun() time.Time {
	if j.Job.StartAt.After(j.Job.StartedAt) {
		return j.Job.StartAt
	}
	return j.Job.StartedAt
}

// slice is one part of the stacked bar, in thousandths of its length.
type slice struct {
	outcome  jobs.Outcome
	from, to int64
}

func (s slice) x() string     { return strconv.FormatInt(s.from, 10) }
func (s slice) width() string { return strconv.FormatInt(s.to-s.from, 10) }

// barOrder puts what is done to the left.
var barOrder = []jobs.Outcome{jobs.Cleared, jobs.Inspected, jobs.Restored, jobs.Changed, jobs.Untagged, jobs.Unchanged, jobs.Skipped,
	jobs.Failed, jobs.Unsent, jobs.InDoubt, jobs.Sending, jobs.Waiting}

// barSlices cuts the bar so that every outcome that is present can be seen and
// all together fill it.
func barSlices(counts jobs.Counts) (bar []slice) {
	sum := counts.Sum()
	if sum == 0 {
		return nil
	}
	var before, at int64
	for _, o := range barOrder {
		if counts[o] == 0 {
			continue
		}
		before += counts[o]
		to := max(before*1000/sum, at+4)
		bar = append(bar, slice{o, at, to})
		at = to
	}
	if over := at - 1000; over != 0 { // give the sliver back from the widest part
		widest := 0
		for i, s := range bar {
			if s.to-s.from > bar[widest].to-bar[widest].from {
				widest = i
			}
		}
		bar[widest].to -= over
		for i := widest + 1; i < len(bar); i++ {
			bar[i].from -= over
			bar[i].to -= over
		}
	}
	return bar
}

// jobPath is the address of a job's page or of something below it.
func jobPath(id string, below ...string) string {
	return "/jobs/" + url.PathEscape(id) + strings.Join(below, "")
}

// query is a path with parameters; empty ones are left out.
func query(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// plain writes a number for a program, not for a person.
func (v View) plain(n int) string { return strconv.Itoa(n) }
