package engine

import (
	"slices"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// maxLostCalls is the number of changes of a batch in a row without an answer, after
// which a person decides.
const maxLostCalls = 10

// plan decides from the tags of each account whether it needs a change, and which.
func plan(b *batch) *stopReason {
	for _, a := range undecided(b.accounts) {
		if b.claimedAs == jobs.InDoubt && b.job.kind == jobs.Clear && (a.maybeChanged || b.restored) && a.hasNewTags() {
			a.needsReview = true // somebody has tagged it since it was read: a person decides
			continue
		}
		if b.restored && b.afterRestore(a) {
			continue
		}
		if a.listed && !b.saveBefore(a) {
			a.end(jobs.Failed, jobs.CodeTooMany, "")
			continue
		}
		needs, end := b.needs(a)
		untouched := b.job.state == jobs.Cancelled || a.protected // whatever it needs
		switch {
		case end != nil && !untouched:
			return end
		case end == nil && (!needs || !a.open()):
		case b.job.state == jobs.Cancelled:
			b.endCancelled(a)
		case a.protected:
			a.end(jobs.Failed, jobs.CodeProtected, "")
		case b.claimedAs == jobs.InDoubt && b.lost >= maxLostCalls:
			a.needsReview, a.code = true, jobs.CodeLost
		}
	}
	return nil
}

// afterRestore decides about an account that may have been changed after the copy of the
// database was made. If it is as the job wants it, it was changed before or after, and what
// it had before is not known. Otherwise it waits again. It returns false if it needs what
// every account needs.
func (b *batch) afterRestore(a *account) bool {
	target := b.target(a)
	done := a.listed && (b.job.kind == jobs.Clear || len(target) > 0) && b.job.kind.IsDone(target, a.now)
	switch {
	case done && a.maybeChanged:
		a.end(b.job.kind.Done(), 0, "")
	case done:
		a.end(b.job.kind.Done(), jobs.CodeRestored, "")
	case !b.onlyReads():
		return false
	case b.job.state == jobs.Cancelled:
		b.endCancelled(a)
	}
	return true
}

// needs reports whether an account must be changed, and sets the change. An account
// that needs none gets its outcome.
func (b *batch) needs(a *account) (bool, *stopReason) {
	switch b.job.kind {
	case jobs.Inspect:
		b.inspect(a)
		return false, nil
	case jobs.Clear:
		// An account that the answer left out is sent: its tags are not known.
		if len(a.now) > 0 || !a.listed {
			return true, nil
		}
	case jobs.Restore, jobs.AddTags:
		return b.needsTags(a)
	case jobs.RemoveTags:
		if a.change = snapshot.Common(b.target(a), a.now); len(a.change) > 0 {
			return true, nil
		}
	}
	b.endUnchanged(a)
	return false, nil
}

// inspect gives an inspected account its outcome: as the verified job left it, or not.
// Without such a job, it is compared with an account without tags.
func (b *batch) inspect(a *account) {
	against := b.job.checks
	if against == "" {
		against = jobs.Clear
	}
	if against.IsDone(b.target(a), a.now) {
		a.end(against.Nothing(), 0, "")
		return
	}
	a.end(jobs.Inspected, 0, "")
}

// needsTags is needs for jobs that add tags.
func (b *batch) needsTags(a *account) (bool, *stopReason) {
	policy := b.job.policy
	if b.job.kind == jobs.AddTags {
		policy = snapshot.Merge
	}
	action, add := policy.Plan(a.wanted, b.job.only, a.now)
	switch {
	case action == snapshot.Add:
		a.change = add
		return true, nil
	case action == snapshot.Halt:
		return false, &stopReason{halt: jobs.CodeGained, info: a.name, call: b.lastCall()}
	case action != snapshot.Complete && b.partlyAdded(a):
		a.end(jobs.Failed, jobs.CodeCutShort, "")
	case action == snapshot.Leave:
		a.end(jobs.Skipped, 0, "")
	case action == snapshot.TooFull:
		a.end(jobs.Failed, jobs.CodeTooFull, "")
	default:
		b.endUnchanged(a)
	}
	return false, nil
}

// endCancelled ends an account of a cancelled job that would need a change.
func (b *batch) endCancelled(a *account) {
	if b.job.kind.Tagged() && (a.maybeChanged || b.restored && len(b.target(a)) > tim.MaxTags) {
		a.end(jobs.Failed, jobs.CodeCutShort, "")
		return
	}
	a.end(jobs.Unsent, 0, "")
}

// endUnchanged ends an account that needs no more change, or never needed one.
func (b *batch) endUnchanged(a *account) {
	if a.maybeChanged {
		a.end(b.job.kind.Done(), 0, "")
		return
	}
	a.end(b.job.kind.Nothing(), 0, "")
}

// target returns which tags of an account are to be added or removed.
func (b *batch) target(a *account) []string { return snapshot.Chosen(a.wanted, b.job.only) }

// partlyAdded reports whether the job may have added some of its tags to an account already.
func (b *batch) partlyAdded(a *account) bool {
	added, _ := snapshot.Missing(snapshot.Common(b.target(a), a.now), a.before)
	return a.maybeChanged && len(added) > 0
}

// hasNewTags reports whether an account has tags that an earlier reading did not find.
func (a *account) hasNewTags() bool {
	return a.beforeKnown && slices.ContainsFunc(a.now, func(tag string) bool { return !slices.Contains(a.before, tag) })
}

// saveBefore saves the current tags of an account as those it had before. If the account
// may be changed already, it adds them, and only for a job that removes all tags. It
// returns false when there are too many to save.
func (b *batch) saveBefore(a *account) bool {
	before := a.now
	if a.maybeChanged {
		_, more := snapshot.Missing(a.before, a.now)
		if b.job.kind != jobs.Clear || a.beforeKnown && len(more) == 0 {
			return true
		}
		before = slices.Concat(a.before, more)
	}
	if !snapshot.Fits(before) {
		return false
	}
	a.before, a.beforeKnown, a.unsaved = before, true, true
	return true
}
