package timtest

import (
	"slices"

	"tagsweep/internal/jobs"
)

// compareAccount compares the recorded outcome of an account with what was done to
// it and with its tags: the current ones, unless another job called for it later.
func (c *comparer) compareAccount(job int, name string, r *accountResult) {
	if r.lostCall {
		c.InDoubt++
	}
	kind, s := c.jobs[job].Kind, c.accounts[name]
	has := r.after
	if s.last == job && kind != jobs.Inspect {
		has = s.end
	}
	read := r.readAt > 0
	switch {
	case r.outcome == kind.Done() && !r.changed && !read:
		c.report(&c.Mismatched, "account %s is %s, and no call of the job did it or read its tags", name, r.outcome)
	case r.outcome == jobs.Cleared && len(has) > 0:
		c.report(&c.Mismatched, "account %s is cleared, and has %d tags", name, len(has))
	case r.outcome != kind.Done() && !r.outcome.Open() && len(r.acknowledged) > 0:
		c.report(&c.Mismatched, "account %s is %s, and its change was acknowledged", name, r.outcome)
	case r.outcome != kind.Done() && !r.outcome.Open() && r.code >= 0 && r.changed:
		c.report(&c.Mismatched, "account %s is %s (%d), and its tags were changed", name, r.outcome, r.code)
	case (r.outcome == kind.Nothing() || r.outcome == jobs.Skipped || r.outcome == jobs.Inspected) && !read:
		c.report(&c.Mismatched, "account %s is %s, and its tags were never read", name, r.outcome)
	case r.outcome == jobs.Inspected && len(has) == 0 && !c.jobs[job].Told() || r.outcome == jobs.Untagged && len(has) > 0:
		c.report(&c.Mismatched, "account %s is %s, and has %d tags", name, r.outcome, len(has))
	case kind == jobs.Inspect && r.changed:
		c.report(&c.Mismatched, "account %s was inspected, and its tags were changed", name)
	}
	done := r.outcome == kind.Done() || r.outcome == jobs.Unchanged
	switch kind {
	case jobs.Restore:
		c.compareRestored(job, name, r, has, done)
	case jobs.AddTags:
		if lacks := difference(r.named, has); done && len(lacks) > 0 {
			c.report(&c.Mismatched, "account %s is %s, and lacks %q", name, r.outcome, lacks)
		}
	case jobs.RemoveTags:
		c.compareRemoved(job, name, r, has, done)
	}
}

// sourceOf returns the result of an account in the job that this job undoes.
func (c *comparer) sourceOf(job int, name string) *accountResult {
	for {
		at := slices.IndexFunc(c.jobs, func(j jobs.Job) bool { return c.jobs[job].Source != "" && j.ID == c.jobs[job].Source })
		switch {
		case at < 0:
			return nil
		case c.jobs[at].Kind.Undo() == c.jobs[job].Kind:
			return c.results[at][name]
		}
		job = at // of which it is a retry
	}
}

// only returns the tags that the job was told to restore or remove.
func (c *comparer) only(job int, tags []string) []string {
	chosen := c.jobs[job].Only
	if chosen == nil {
		return tags
	}
	return slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return !slices.Contains(chosen, tag) })
}

func (c *comparer) compareRestored(job int, name string, r *accountResult, has []string, done bool) {
	source := c.sourceOf(job, name)
	if source == nil {
		c.report(&c.Inconsistent, "account %s was put back, and no job had removed its tags", name)
		return
	}
	for _, tag := range difference(r.named, c.only(job, source.seen)) {
		c.report(&c.WronglyChanged, "account %s was given %q back, which it had not had, or not so chosen", name, tag)
	}
	wanted := c.only(job, source.applied)
	if done {
		for _, tag := range difference(wanted, has) {
			c.report(&c.NotRestored, "account %s is %s, and has not got %q back", name, r.outcome, tag)
		}
	}
	if r.outcome == jobs.Skipped && (c.jobs[job].Policy != "skip" || len(difference(has, source.applied)) == 0) {
		c.report(&c.Mismatched, "account %s was skipped, and has gained no tags, or it was not so chosen", name)
	}
}

func (c *comparer) compareRemoved(job int, name string, r *accountResult, has []string, done bool) {
	if left := difference(r.named, difference(r.named, has)); done && len(left) > 0 {
		c.report(&c.NotRestored, "account %s is %s, and still has %q", name, r.outcome, left)
	}
	if c.jobs[job].Source == "" {
		return
	}
	source := c.sourceOf(job, name)
	if source == nil { // a retry of a job with a file of tags
		return
	}
	for _, tag := range difference(r.named, c.only(job, source.named)) {
		c.report(&c.WronglyChanged, "account %s lost %q, which no job had given it, or not so chosen", name, tag)
	}
	if done {
		for _, tag := range difference(c.only(job, source.applied), difference(source.applied, has)) {
			c.report(&c.NotRestored, "account %s is %s, and still has %q", name, r.outcome, tag)
		}
	}
}
