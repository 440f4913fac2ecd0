package templates

import (
	"slices"

	"tagsweep/internal/jobs"
)

// fitting are the outcomes that accounts of the job can have, and those that
// some have all the same.
func fitting(j jobs.Job) []jobs.Outcome {
	return slices.DeleteFunc(slices.Clone(jobs.Outcomes), func(o jobs.Outcome) bool {
		if j.Counts[o] > 0 || o == j.Kind.Done() {
			return false
		}
		switch o {
		case jobs.Waiting, jobs.Failed, jobs.Unsent:
			return false
		case jobs.Sending, jobs.InDoubt:
			return j.Kind == jobs.Inspect
		case nothing(j):
			return !readsFirst(j)
		case jobs.Skipped:
			return j.Kind != jobs.Restore
		}
		return true
	})
}

// nothing is the outcome of an account of the job for which there was nothing to
// do; of one that a sample verifies, of an account that is as it should be.
func nothing(j jobs.Job) jobs.Outcome {
	if j.Checks != "" {
		return j.Checks.Nothing()
	}
	return j.Kind.Nothing()
}

// readsFirst reports whether accounts' tags are read before anything is sent.
func readsFirst(j jobs.Job) bool { return j.Kind.First(j.Snapshot) == "get_tags" }

// command is the call that the job's pace depends on.
func command(k jobs.Kind) string {
	if k.Command() == "" {
		return "get_tags"
	}
	return string(k.Command())
}

// relation says what a job is to the job its accounts come from.
func relation(made, of jobs.Job) string {
	switch {
	case made.Checks != "":
		return "verify"
	case made.Kind == of.Kind:
		return "retry"
	case made.Kind == of.Checks:
		return "again"
	case made.Kind == of.Kind.Undo():
		return "undo"
	case made.Kind == jobs.Inspect:
		return "inspect"
	case of.Kind == jobs.Inspect:
		return "clear"
	}
	return "retry"
}

// reports reports whether a job of this kind shows what was found in tags.
func reports(k jobs.Kind) bool { return k == jobs.Inspect || k == jobs.Clear }

// undoable counts the accounts of an ended job that were, or may have been, changed.
func (j JobView) undoable() int64 {
	if j.Job.Kind.Undo() == "" || !j.Job.Settled() {
		return 0
	}
	n := j.Job.Counts[j.Job.Kind.Done()]
	for _, reason := range j.Reasons {
		if jobs.Uncertain(reason.Code) {
			n += reason.Accounts
		}
	}
	return n
}
