package timtest

import (
	"context"
	"slices"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// replayed is the state of an account during the replay of all calls. Lists of tags
// are replaced, never changed.
type replayed struct {
	known bool
	now   []string
	end   []string // what the simulator says in the end
	last  int      // the job that called for it last; -1: none
}

// accountResult is the result of one account of one job: from the records, and from
// the replay.
type accountResult struct {
	batch        int64
	place        int
	outcome      jobs.Outcome
	code         int
	lostCall     bool     // it was in a call without an answer
	changed      bool     // a change of this job was carried out on it, soon or late
	acknowledged []string // tags whose change was acknowledged, unless a later reading showed otherwise; "" for a removal of all
	readAt       int64    // when its tags were last read for this job, Unix microseconds; 0: never
	seen         []string // every tag such a reading has shown
	named        []string // every tag in calls of this job; for a removal of all, the tags there were
	applied      []string // those that were really added or removed
	after        []string // what it had after the last call of this job
}

// union is a and the tags of b that are not in a.
func union(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	out := a[:len(a):len(a)]
	for _, tag := range b {
		if !slices.Contains(a, tag) {
			out = append(out, tag)
		}
	}
	return out
}

// difference is a without the tags of b.
func difference(a, b []string) (left []string) {
	for _, tag := range a {
		if !slices.Contains(b, tag) {
			left = append(left, tag)
		}
	}
	return left
}

// readAccounts learns what every account of the jobs had at first and has now.
func (c *comparer) readAccounts(ctx context.Context) error {
	var names []string
	for _, results := range c.results {
		for name := range results {
			if c.accounts[name] == nil {
				c.accounts[name] = &replayed{last: -1}
				names = append(names, name)
			}
		}
	}
	for some := range slices.Chunk(names, 1000) {
		states, err := c.sim.Accounts(ctx, some)
		if err != nil {
			return err
		}
		for _, s := range states {
			*c.accounts[s.Account] = replayed{known: s.Known, now: s.First, end: s.Tags, last: -1}
		}
	}
	return nil
}

// later are effects without an arriving call: late ones, and edits.
type later struct {
	calls []Call
	edits []Edit
}

func (c *comparer) laterEffects(ctx context.Context) (l later, err error) {
	if l.edits, err = c.sim.Edits(ctx); err != nil {
		return l, err
	}
	for call, err := range c.sim.Ledger(ctx, 0) {
		if err != nil {
			return l, err
		}
		if call.Fault == LateApply && call.Order > 0 {
			l.calls = append(l.calls, call)
		}
	}
	slices.SortFunc(l.calls, func(a, b Call) int { return int(a.Order - b.Order) })
	return l, nil
}

// until applies the effects before an order.
func (l *later) until(c *comparer, order int64) {
	for {
		edit := len(l.edits) > 0 && l.edits[0].Order < order
		call := len(l.calls) > 0 && l.calls[0].Order < order
		switch {
		case edit && (!call || l.edits[0].Order < l.calls[0].Order):
			if s := c.accounts[l.edits[0].Account]; s != nil {
				s.now = l.edits[0].Tags
			}
			l.edits = l.edits[1:]
		case call:
			c.effect(l.calls[0], c.recordOf(l.calls[0]))
			l.calls = l.calls[1:]
		default:
			return
		}
	}
}

// freshFor is how old a reading may be when the change that follows it arrives:
// a minute when the change is claimed, and 0.9 s until its first byte.
const freshFor = 62 * time.Second

// arrive compares a change that arrives with what was acknowledged and read before.
func (c *comparer) arrive(call Call, record *recorded) {
	job := c.jobs[record.job]
	if call.Command != tim.GetTags && call.Command != job.Kind.Command() {
		c.report(&c.Inconsistent, "a job of kind %s made a call of %s", job.Kind, call.Command)
	}
	for i, account := range call.Accounts {
		r := c.results[record.job][account]
		if r == nil {
			continue
		}
		r.lostCall = r.lostCall || record.delivery == "lost"
		if call.Command == tim.GetTags {
			continue
		}
		if slices.ContainsFunc(tagsOf(call, i), func(tag string) bool { return slices.Contains(r.acknowledged, tag) }) {
			c.report(&c.Resent, "account %s was sent again after it was acknowledged", account)
		}
		readsFirst := job.Kind != jobs.Clear || job.Snapshot
		if readsFirst && (r.readAt == 0 || call.At-r.readAt > freshFor.Microseconds()) {
			c.report(&c.Inconsistent, "account %s was sent in call %d, and its tags were not read just before", account, call.Number)
		}
	}
}

// tagsOf are the tags a call is to change of its account number i; "" stands for all.
func tagsOf(call Call, i int) []string {
	if call.Command == tim.RemoveAllTags {
		return []string{""}
	}
	return call.Tags[i]
}

// take applies the effect of a call that has it on arrival.
func (c *comparer) take(call Call, record *recorded) {
	if call.Order > 0 && call.Fault != LateApply {
		c.effect(call, record)
	}
}

// effect applies a call to the accounts and to the results.
func (c *comparer) effect(call Call, record *recorded) {
	for i, account := range call.Accounts {
		s := c.accounts[account]
		if s == nil || slices.Contains(call.ErrorAccounts, account) {
			continue
		}
		before := s.now
		if carriedOut := call.Applied && s.known && !slices.Contains(call.Ignored, account); carriedOut {
			switch call.Command {
			case tim.RemoveAllTags:
				s.now = nil
			case tim.AddTags:
				s.now = union(before, call.Tags[i])
			case tim.RemoveTags:
				s.now = difference(before, call.Tags[i])
			}
		}
		// A reading that nobody got an answer to tells nothing, and a late one may come
		// when other jobs have changed the account since.
		if record == nil || call.Command == tim.GetTags && !call.Acknowledged() {
			continue
		}
		r := c.results[record.job][account]
		if r == nil {
			continue
		}
		s.last, r.after = record.job, s.now
		if call.Command == tim.GetTags {
			c.read(r, c.jobs[record.job].Kind, call, s.now)
		} else {
			c.change(r, record.job, account, call, i, before, s.now)
		}
	}
}

// read notes what a reading that was answered has shown.
func (c *comparer) read(r *accountResult, kind jobs.Kind, call Call, tags []string) {
	r.readAt = call.At
	r.seen = union(r.seen, tags)
	r.acknowledged = slices.DeleteFunc(r.acknowledged, func(tag string) bool {
		switch kind {
		case jobs.Clear:
			return len(tags) > 0
		case jobs.RemoveTags:
			return slices.Contains(tags, tag)
		}
		return !slices.Contains(tags, tag)
	})
}

// change notes what a change has done.
func (c *comparer) change(r *accountResult, job int, account string, call Call, i int, before, now []string) {
	r.changed = r.changed || call.Applied && !slices.Contains(call.Ignored, account)
	named := before
	if call.Command != tim.RemoveAllTags {
		named = call.Tags[i]
	}
	r.named = union(r.named, named)
	r.applied = union(r.applied, union(difference(before, now), difference(now, before)))
	if c.jobs[job].Snapshot && call.Command == tim.RemoveAllTags {
		for _, tag := range difference(difference(before, now), r.seen) {
			c.report(&c.Unsaved, "tag %q of account %s was removed in call %d, and was never read before",
				tag, account, call.Number)
		}
	}
	if call.Acknowledged() {
		r.acknowledged = append(r.acknowledged, tagsOf(call, i)...)
	}
}

// compareAccounts compares the tags after all calls and edits with the simulator's.
func (c *comparer) compareAccounts() {
	for name, s := range c.accounts {
		if len(difference(s.now, s.end))+len(difference(s.end, s.now)) > 0 {
			c.report(&c.Inconsistent, "account %s has %q, and after all that was done to it should have %q", name, s.end, s.now)
		}
	}
}
