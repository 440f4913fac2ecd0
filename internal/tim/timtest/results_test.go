package timtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// step is a call for one account, a second after the one before.
type step struct {
	job     int
	command tim.Command
	tags    []string
	lost    bool // its answer
	ignored bool
	after   time.Duration // instead of a second
}

// lived is what the comparison says of an account that has been through some calls.
func lived(of []jobs.Job, outcomes []jobs.Outcome, first []string, steps ...step) *Comparison {
	c := &comparing{Comparison: &Comparison{}, jobs: of, accounts: map[string]*replayed{"amy": {known: true, now: first, last: -1}}}
	for _, outcome := range outcomes {
		c.results = append(c.results, map[string]*accountResult{"amy": {outcome: outcome}})
	}
	at := time.Now()
	for i, s := range steps {
		at = at.Add(max(s.after, time.Second))
		call := Call{Number: int64(i + 1), Order: int64(i + 1), At: at.UnixMicro(), Command: s.command, Accounts: []string{"amy"}, Status: 200, Applied: s.command != tim.GetTags}
		if s.tags != nil {
			call.Tags = [][]string{s.tags}
		}
		record := &recorded{job: s.job, delivery: "answered"}
		if s.lost {
			call.Status, call.Code, record.delivery = 0, NoAnswer, "lost"
		}
		if s.ignored {
			call.Ignored = call.Accounts
		}
		c.arrive(call, record)
		c.take(call, record)
	}
	c.accounts["amy"].end = c.accounts["amy"].now
	c.compareAccounts()
	for job := range of {
		c.compareAccount(job, "amy", c.results[job]["amy"])
	}
	return c.Comparison
}

// Calls that no console should make, and outcomes that no console should give,
// are told from those that are right.
func TestTheComparisonKnowsRightFromWrongForEveryKind(t *testing.T) {
	clear := jobs.Job{ID: "clear", Kind: jobs.Clear, Snapshot: true}
	restore := jobs.Job{ID: "restore", Kind: jobs.Restore, Source: "clear", Policy: snapshot.Skip}
	part := jobs.Job{ID: "part", Kind: jobs.Restore, Source: "clear", Only: []string{"vip"}}
	remove := jobs.Job{ID: "remove", Kind: jobs.RemoveTags, Source: "restore"}
	add := jobs.Job{ID: "add", Kind: jobs.AddTags}
	inspect := jobs.Job{ID: "inspect", Kind: jobs.Inspect}
	reads := func(job int) step { return step{job: job, command: tim.GetTags} }
	clears := step{command: tim.RemoveAllTags}
	adds := func(job int, tags ...string) step { return step{job: job, command: tim.AddTags, tags: tags} }
	removes := func(job int, tags ...string) step { return step{job: job, command: tim.RemoveTags, tags: tags} }
	had := []string{"vip", "gold"}
	all := func(list ...jobs.Job) []jobs.Job { return list }
	are := func(list ...jobs.Outcome) []jobs.Outcome { return list }

	for name, test := range map[string]struct {
		jobs     []jobs.Job
		outcomes []jobs.Outcome
		steps    []step
		kind     func(*Comparison) int64 // nil: all is well
	}{
		"cleared and put back": {all(clear, restore), are(jobs.Cleared, jobs.Restored), []step{reads(0), clears, reads(1), adds(1, had...)}, nil},
		"lost and read back": {all(clear), are(jobs.Cleared),
			[]step{reads(0), {command: tim.RemoveAllTags, lost: true}, reads(0)}, nil},
		"ignored, found out and done again": {all(clear), are(jobs.Cleared),
			[]step{reads(0), {command: tim.RemoveAllTags, ignored: true}, reads(0), clears}, nil},
		"a part is put back": {all(clear, part), are(jobs.Cleared, jobs.Restored), []step{reads(0), clears, reads(1), adds(1, "vip")}, nil},
		"an undo is undone": {all(clear, restore, remove), are(jobs.Cleared, jobs.Restored, jobs.Changed),
			[]step{reads(0), clears, reads(1), adds(1, had...), reads(2), removes(2, had...)}, nil},
		"inspected": {all(inspect), are(jobs.Inspected), []step{reads(0)}, nil},

		"sent unread":    {all(clear), are(jobs.Cleared), []step{clears, reads(0)}, func(c *Comparison) int64 { return c.Unsound }},
		"removed unkept": {all(clear), are(jobs.Cleared), []step{clears}, func(c *Comparison) int64 { return c.Unkept }},
		"read too long ago": {all(clear), are(jobs.Cleared),
			[]step{reads(0), {command: tim.RemoveAllTags, after: freshFor + time.Second}}, func(c *Comparison) int64 { return c.Unsound }},
		"never read": {all(clear), are(jobs.Untagged), nil, func(c *Comparison) int64 { return c.Untrue }},
		"not without tags": {all(clear), are(jobs.Untagged), []step{reads(0)},
			func(c *Comparison) int64 { return c.Untrue }},
		"ignored and not found out": {all(clear), are(jobs.Cleared),
			[]step{reads(0), {command: tim.RemoveAllTags, ignored: true}}, func(c *Comparison) int64 { return c.Untrue }},
		"sent again": {all(clear), are(jobs.Cleared), []step{reads(0), clears, clears},
			func(c *Comparison) int64 { return c.Resent }},
		"tags sent again": {all(add), are(jobs.Changed), []step{reads(0), adds(0, "new"), adds(0, "new", "newer")},
			func(c *Comparison) int64 { return c.Resent }},
		"given what it had not": {all(clear, restore), are(jobs.Cleared, jobs.Restored), []step{reads(0), clears, reads(1), adds(1, "vip", "gold", "beta")},
			func(c *Comparison) int64 { return c.PutBack }},
		"given what was not chosen": {all(clear, part), are(jobs.Cleared, jobs.Restored), []step{reads(0), clears, reads(1), adds(1, had...)},
			func(c *Comparison) int64 { return c.PutBack }},
		"not given all back": {all(clear, restore), are(jobs.Cleared, jobs.Restored), []step{reads(0), clears, reads(1), adds(1, "vip")},
			func(c *Comparison) int64 { return c.NotBack }},
		"said to be whole": {all(clear, restore), are(jobs.Cleared, jobs.Unchanged), []step{reads(0), clears, reads(1)},
			func(c *Comparison) int64 { return c.NotBack }},
		"skipped for nothing": {all(clear, restore), are(jobs.Cleared, jobs.Skipped), []step{reads(0), clears, reads(1)},
			func(c *Comparison) int64 { return c.Untrue }},
		"its own tag taken": {all(clear, restore, remove), are(jobs.Cleared, jobs.Restored, jobs.Changed),
			[]step{reads(0), clears, reads(1), adds(1, had...), reads(2), removes(2, "vip", "gold", "own")}, func(c *Comparison) int64 { return c.PutBack }},
		"an undo half undone": {all(clear, restore, remove), are(jobs.Cleared, jobs.Restored, jobs.Changed),
			[]step{reads(0), clears, reads(1), adds(1, had...), reads(2), removes(2, "vip")}, func(c *Comparison) int64 { return c.NotBack }},
		"changed and said to be cancelled": {all(add), are(jobs.Unsent), []step{reads(0), {command: tim.AddTags, tags: []string{"new"}, lost: true}},
			func(c *Comparison) int64 { return c.Untrue }},
		"inspected and changed": {all(inspect), are(jobs.Inspected), []step{reads(0), clears, reads(0)},
			func(c *Comparison) int64 { return c.Unsound }},
		"made of nothing": {all(restore), are(jobs.Restored), []step{reads(0), adds(0, "vip")},
			func(c *Comparison) int64 { return c.Unsound }},
	} {
		found := lived(test.jobs, test.outcomes, had, test.steps...)
		if test.kind == nil {
			require.Empty(t, found.Wrong, name)
		} else {
			require.Positive(t, test.kind(found), "%s: %v", name, found.Wrong)
		}
	}
}
