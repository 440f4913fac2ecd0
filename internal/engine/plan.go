package engine

import (
	"slices"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
)

// maxLostCalls is how many calls in a row that change a batch may stay without an
// answer before a person decides.
const maxLostCalls = 10

// plan says of every account, by the tags it has, whether it needs a change and which.
func plan(b *batch) *stopReason {
	for _, a := range undecided(b.accounts) {
		if b.claimedAs == jobs.InDoubt && b.job.kind == jobs.Clear && a.maybeChanged && a.hasNewTags() {
			a.needsReview = true // somebody has tagged it since it was read: only a person knows
			continue
		}
		if a.listed && !b.saveBefore(a) {
			a.end(jobs.Failed, jobs.CodeTooMany, "")
			continue
		}
		needs, end := b.needs(a)
		left := b.job.state == jobs.Cancelled || a.protected // whatever it needs
		switch {
		case end != nil && !left:
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

// needs reports whether an account must be changed, and says how; one that need
// not be gets its outcome.
func (b *batch) needs(a *account) (bool, *stopReason) {
	switch b.job.kind {
	case jobs.Inspect:
		b.inspect(a)
		return false, nil
	case jobs.Clear:
		// One that was left out has shown no tags that could be lost, and nothing
		// that proves it clear: the call settles it.
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

// inspect says what an inspection found: an account as the kind that it is held
// against wants it, or not; with nothing to compare it with, one without tags.
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

// needsTags is needs of an account that is to get tags.
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

// endCancelled ends an account of a cancelled job that would have to be changed.
func (b *batch) endCancelled(a *account) {
	if b.job.kind.Tagged() && a.maybeChanged {
		a.end(jobs.Failed, jobs.CodeCutShort, "")
		return
	}
	a.end(jobs.Unsent, 0, "")
}

// endUnchanged ends an account that needs no change: by this job, or from the first.
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
// returns false when they are too many to keep.
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
