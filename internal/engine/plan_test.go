package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
)

// someTags are so many different tags.
func someTags(n int) []string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = fmt.Sprintf("tag%03d", i)
	}
	return tags
}

// listed is an account that was read just now, and is told the tags "a" and "b".
func listed(name string, tags ...string) *account {
	return &account{name: name, listed: true, now: tags, wanted: []string{"a", "b"}}
}

// readBatch is a batch of which all accounts were read just now.
func readBatch(kind jobs.Kind, was jobs.Outcome, accounts ...*account) *batch {
	for i, a := range accounts {
		a.seq, a.place = int64(i+1), i
	}
	return &batch{job: job{id: "j", kind: kind, state: jobs.Running, snapshot: true, policy: snapshot.Stop},
		number: 1, claimedAs: was, intendedBefore: was == jobs.InDoubt, accounts: accounts}
}

func TestRestoreFollowsTheChosenPolicy(t *testing.T) {
	full := someTags(99)
	for name, test := range map[string]struct {
		policy  snapshot.Policy
		only    []string
		has     []string
		touched bool
		ends    jobs.Outcome
		code    int
		change  []string
		stop    bool
	}{
		"nothing there":            {policy: snapshot.Stop, change: []string{"a", "b"}},
		"some there":               {policy: snapshot.Stop, has: []string{"b"}, change: []string{"a"}},
		"all there":                {policy: snapshot.Stop, has: []string{"b", "a", "x"}, ends: jobs.Unchanged},
		"all there after a call":   {policy: snapshot.Stop, has: []string{"b", "a"}, touched: true, ends: jobs.Restored},
		"gained, merge":            {policy: snapshot.Merge, has: []string{"x"}, change: []string{"a", "b"}},
		"gained, skip":             {policy: snapshot.Skip, has: []string{"x"}, ends: jobs.Skipped},
		"gained, stop":             {policy: snapshot.Stop, has: []string{"x"}, stop: true},
		"too full":                 {policy: snapshot.Merge, has: full, ends: jobs.Failed, code: jobs.CodeTooFull},
		"gained half way, skip":    {policy: snapshot.Skip, has: []string{"a", "x"}, touched: true, ends: jobs.Failed, code: jobs.CodeCutShort},
		"gained half way, stop":    {policy: snapshot.Stop, has: []string{"a", "x"}, touched: true, stop: true},
		"gained, no call did work": {policy: snapshot.Skip, has: []string{"x"}, touched: true, ends: jobs.Skipped},
		"too full half way": {policy: snapshot.Merge, has: append([]string{"a"}, full...), touched: true,
			ends: jobs.Failed, code: jobs.CodeCutShort},
		"one chosen":                {policy: snapshot.Stop, only: []string{"b"}, change: []string{"b"}},
		"one chosen, another there": {policy: snapshot.Stop, only: []string{"b"}, has: []string{"a"}, change: []string{"b"}},
		"one chosen, and there":     {policy: snapshot.Stop, only: []string{"b"}, has: []string{"b", "x"}, ends: jobs.Unchanged},
		"one chosen, full but fits": {policy: snapshot.Merge, only: []string{"b"}, has: full, change: []string{"b"}},
		"it never had the one":      {policy: snapshot.Stop, only: []string{"z"}, has: []string{"x"}, ends: jobs.Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			ann := listed("ann", test.has...)
			ann.maybeChanged = test.touched
			b := readBatch(jobs.Restore, jobs.Waiting, ann)
			b.job.policy, b.job.only = test.policy, test.only
			end := plan(b)
			require.Equal(t, test.stop, end != nil)
			require.Equal(t, []any{test.ends, test.code}, []any{ann.outcome, ann.code})
			require.Equal(t, test.change, ann.change)
			if test.stop {
				require.Equal(t, stopReason{halt: jobs.CodeGained, info: "ann"}, *end, "other jobs go on")
			}
		})
	}
}

func TestAddingAndRemovingNamedTags(t *testing.T) {
	for name, test := range map[string]struct {
		kind    jobs.Kind
		has     []string
		left    bool // the service left it out
		touched bool
		ends    jobs.Outcome
		code    int
		change  []string
	}{
		"add: has none":            {kind: jobs.AddTags, change: []string{"a", "b"}},
		"add: left out":            {kind: jobs.AddTags, left: true, change: []string{"a", "b"}},
		"add: has others":          {kind: jobs.AddTags, has: []string{"x", "a"}, change: []string{"b"}},
		"add: has all":             {kind: jobs.AddTags, has: []string{"b", "a"}, ends: jobs.Unchanged},
		"add: has all after":       {kind: jobs.AddTags, has: []string{"b", "a"}, touched: true, ends: jobs.Changed},
		"add: full":                {kind: jobs.AddTags, has: someTags(99), ends: jobs.Failed, code: jobs.CodeTooFull},
		"remove: has one":          {kind: jobs.RemoveTags, has: []string{"x", "b"}, change: []string{"b"}},
		"remove: has others":       {kind: jobs.RemoveTags, has: []string{"x"}, ends: jobs.Unchanged},
		"remove: has none":         {kind: jobs.RemoveTags, ends: jobs.Unchanged},
		"remove: left out":         {kind: jobs.RemoveTags, left: true, ends: jobs.Unchanged},
		"remove: has others after": {kind: jobs.RemoveTags, has: []string{"x"}, touched: true, ends: jobs.Changed},
	} {
		t.Run(name, func(t *testing.T) {
			ann := listed("ann", test.has...)
			ann.listed, ann.maybeChanged = !test.left, test.touched
			require.Nil(t, plan(readBatch(test.kind, jobs.Waiting, ann)))
			require.Equal(t, []any{test.ends, test.code}, []any{ann.outcome, ann.code})
			require.Equal(t, test.change, ann.change)
		})
	}
}

func TestAnAccountLeftOutIsClearedAllTheSame(t *testing.T) {
	ann, bob := listed("ann"), listed("bob")
	bob.listed = false
	b := readBatch(jobs.Clear, jobs.Waiting, ann, bob)
	require.Nil(t, plan(b))
	require.Equal(t, jobs.Untagged, ann.outcome)
	require.Equal(t, []*account{bob}, toChange(b), "it showed no tags, and nothing proves that it has none")
	require.False(t, bob.unsaved, "nothing of it was read")
}

func TestInspectingChangesNothing(t *testing.T) {
	b := readBatch(jobs.Inspect, jobs.Waiting, listed("ann", "x"), listed("bob"), &account{name: "cid"})
	require.Nil(t, plan(b))
	require.Empty(t, toChange(b))
	require.Equal(t, []jobs.Outcome{jobs.Inspected, jobs.Untagged, jobs.Untagged}, outcomes(b))
	require.Equal(t, []bool{true, true, false}, []bool{b.accounts[0].unsaved, b.accounts[1].unsaved, b.accounts[2].unsaved})
}

func outcomes(b *batch) (list []jobs.Outcome) {
	for _, a := range b.accounts {
		list = append(list, a.outcome)
	}
	return list
}

func TestASampleIsHeldAgainstItsJob(t *testing.T) {
	for kind, want := range map[jobs.Kind][]jobs.Outcome{ // has none, a and b, a, x
		jobs.Clear:      {jobs.Untagged, jobs.Inspected, jobs.Inspected, jobs.Inspected},
		jobs.AddTags:    {jobs.Inspected, jobs.Unchanged, jobs.Inspected, jobs.Inspected},
		jobs.Restore:    {jobs.Inspected, jobs.Unchanged, jobs.Inspected, jobs.Inspected},
		jobs.RemoveTags: {jobs.Unchanged, jobs.Inspected, jobs.Inspected, jobs.Unchanged},
	} {
		b := readBatch(jobs.Inspect, jobs.Waiting, listed("ann"), listed("bob", "a", "b"), listed("cid", "a"), listed("dot", "x"))
		b.job.checks = kind
		require.Nil(t, plan(b))
		require.Equal(t, want, outcomes(b), kind)
	}
	b := readBatch(jobs.Inspect, jobs.Waiting, listed("ann", "b", "x"))
	b.job.checks, b.job.only = jobs.RemoveTags, []string{"a"}
	require.Nil(t, plan(b))
	require.Equal(t, jobs.Unchanged, b.accounts[0].outcome, "only the chosen tags count")
}

func TestMoreTagsThanCanBeKeptAreNotTouched(t *testing.T) {
	for _, kind := range []jobs.Kind{jobs.Clear, jobs.AddTags, jobs.RemoveTags} {
		ann, bob := listed("ann", someTags(snapshot.MaxTags+1)...), listed("bob", "a")
		b := readBatch(kind, jobs.Waiting, ann, bob)
		require.Nil(t, plan(b))
		require.Equal(t, []any{jobs.Failed, jobs.CodeTooMany}, []any{ann.outcome, ann.code})
		require.Equal(t, []*account{bob}, toChange(b))
	}
}

// What an account has when it is to be cleared once more goes too, so it is kept too.
func TestSnapshotKeepsTagsOfASecondRead(t *testing.T) {
	for _, test := range []struct {
		kind    jobs.Kind
		touched bool
		known   bool
		before  []string
		kept    []string // nil: nothing more
	}{
		{jobs.Clear, false, false, nil, []string{"new", "old"}},
		{jobs.Clear, false, true, []string{"gone"}, []string{"new", "old"}},
		{jobs.Clear, true, true, []string{"old", "gone"}, []string{"old", "gone", "new"}},
		{jobs.Clear, true, true, []string{"old", "new"}, nil},
		{jobs.Clear, true, false, nil, []string{"new", "old"}},
		{jobs.AddTags, false, false, nil, []string{"new", "old"}},
		{jobs.AddTags, true, true, []string{"old"}, nil},
		{jobs.RemoveTags, true, true, []string{"old"}, nil},
		{jobs.Restore, true, false, nil, nil},
	} {
		ann := listed("ann", "new", "old")
		ann.maybeChanged, ann.beforeKnown, ann.before = test.touched, test.known, test.before
		b := readBatch(test.kind, jobs.Waiting, ann)
		b.job.policy = snapshot.Merge
		require.Nil(t, plan(b))
		require.Equal(t, test.kept != nil, ann.unsaved, "%+v", test)
		if test.kept != nil {
			require.Equal(t, test.kept, ann.before, "%+v", test)
		}
	}
}

func TestTagsGainedInDoubtAreForAPerson(t *testing.T) {
	ann, bob, cid := listed("ann", "vip"), listed("bob", "vip", "new"), listed("cid")
	for _, a := range []*account{ann, bob, cid} {
		a.beforeKnown, a.before, a.maybeChanged = true, []string{"vip", "gold"}, true
	}
	dot := listed("dot", "new") // no call held it: it is like any that waits
	dot.beforeKnown, dot.before = true, []string{"vip"}
	b := readBatch(jobs.Clear, jobs.InDoubt, ann, bob, cid, dot)
	require.Nil(t, plan(b))
	require.Equal(t, []bool{false, true, false, false}, []bool{ann.needsReview, bob.needsReview, cid.needsReview, dot.needsReview})
	require.Equal(t, []*account{ann, dot}, toChange(b), "no tag of ann is new")
	require.Equal(t, []string{"new"}, dot.before)
	require.Equal(t, jobs.Cleared, cid.outcome)
	require.Equal(t, []string{"vip", "gold"}, bob.before, "a new tag must not become a known one")
	require.False(t, bob.unsaved)
}

func TestAfterTenLostCallsAPersonDecides(t *testing.T) {
	for _, kind := range []jobs.Kind{jobs.Clear, jobs.Restore, jobs.AddTags, jobs.RemoveTags} {
		t.Run(string(kind), func(t *testing.T) {
			planned := func(was jobs.Outcome, lost int) (b *batch, open, done *account) {
				tagged, bare := listed("ann", "a", "b"), listed("bob")
				tagged.maybeChanged, bare.maybeChanged = true, true
				b = readBatch(kind, was, tagged, bare)
				b.job.policy, b.lost = snapshot.Merge, lost
				require.Nil(t, plan(b))
				if kind == jobs.Clear || kind == jobs.RemoveTags {
					return b, tagged, bare
				}
				return b, bare, tagged
			}
			b, open, done := planned(jobs.InDoubt, maxLostCalls-1)
			require.False(t, open.needsReview)
			require.Equal(t, []*account{open}, toChange(b))
			require.Equal(t, kind.Done(), done.outcome, "the last lost call did its work")

			b, open, done = planned(jobs.InDoubt, maxLostCalls)
			require.Equal(t, []any{true, jobs.CodeLost}, []any{open.needsReview, open.code})
			require.Empty(t, toChange(b))
			require.Equal(t, kind.Done(), done.outcome)

			_, open, _ = planned(jobs.Waiting, maxLostCalls)
			require.False(t, open.needsReview, "nothing is in doubt")
		})
	}
}

func TestReadBackNamesMissingTags(t *testing.T) {
	for name, test := range map[string]struct {
		ann, bob []string
		ends     []jobs.Outcome
		change   [][]string
	}{
		"nothing was done": {nil, nil, []jobs.Outcome{"", ""}, [][]string{{"a", "b"}, {"a", "b"}}},
		"half was done":    {[]string{"a", "b"}, []string{"a"}, []jobs.Outcome{jobs.Changed, ""}, [][]string{nil, {"b"}}},
		"all was done":     {[]string{"a", "b"}, []string{"x", "a", "b"}, []jobs.Outcome{jobs.Changed, jobs.Changed}, [][]string{nil, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			ann, bob := listed("ann", test.ann...), listed("bob", test.bob...)
			ann.maybeChanged, bob.maybeChanged = true, true
			b := readBatch(jobs.AddTags, jobs.InDoubt, ann, bob)
			require.Nil(t, plan(b))
			require.Equal(t, test.ends, outcomes(b))
			require.Equal(t, test.change, [][]string{ann.change, bob.change})
		})
	}
}

func TestACancelledJobChangesNothingMore(t *testing.T) {
	for kind, code := range map[jobs.Kind]int{jobs.Clear: 0, jobs.AddTags: jobs.CodeCutShort,
		jobs.RemoveTags: jobs.CodeCutShort, jobs.Restore: jobs.CodeCutShort} {
		tagged, bare, apart := listed("ann", "a", "b"), listed("bob"), listed("cid", "a")
		tagged.maybeChanged, bare.maybeChanged = true, true
		b := readBatch(kind, jobs.InDoubt, tagged, bare, apart)
		b.job.state, b.job.policy = jobs.Cancelled, snapshot.Merge
		require.Nil(t, plan(b))
		require.Empty(t, toChange(b))
		open, done := bare, tagged
		if kind == jobs.Clear || kind == jobs.RemoveTags {
			open, done = tagged, bare
		}
		require.Equal(t, kind.Done(), done.outcome, kind)
		require.Equal(t, code, open.code, kind)
		require.Equal(t, []any{jobs.Unsent, 0}, []any{apart.outcome, apart.code}, "no call held it")
		require.False(t, slices.Contains(outcomes(b), ""), "nothing is open")
	}
}

func TestAProtectedAccountIsNotSentAgain(t *testing.T) {
	ann, bob, cid := listed("ann", "x"), listed("bob"), listed("cid", "x")
	for _, a := range []*account{ann, bob, cid} {
		a.maybeChanged, a.protected = true, a != cid
	}
	b := readBatch(jobs.Clear, jobs.InDoubt, ann, bob, cid)
	require.Nil(t, plan(b))
	require.Equal(t, []any{jobs.Failed, jobs.CodeProtected}, []any{ann.outcome, ann.code})
	require.Equal(t, jobs.Cleared, bob.outcome, "the call had done its work")
	require.Equal(t, []*account{cid}, toChange(b))
}

// What a job that may continue would halt for does not halt one that was cancelled.
func TestACancelledRestoreHaltsForNobody(t *testing.T) {
	gained, sent, whole, apart := listed("ann", "x"), listed("bob", "a", "x"), listed("cid", "a", "b"), listed("dot")
	sent.maybeChanged, whole.maybeChanged = true, true
	b := readBatch(jobs.Restore, jobs.InDoubt, gained, sent, whole, apart)
	b.job.state = jobs.Cancelled
	require.Nil(t, plan(b))
	require.Equal(t, []jobs.Outcome{jobs.Unsent, jobs.Failed, jobs.Restored, jobs.Unsent}, outcomes(b))
	require.Equal(t, jobs.CodeCutShort, sent.code)
	require.Empty(t, toChange(b))
}

// Nor does it halt for an account that nobody may change any more.
func TestAProtectedAccountHaltsNoRestore(t *testing.T) {
	ann, bob, cid := listed("ann", "a", "x"), listed("bob", "x"), listed("cid")
	ann.maybeChanged, ann.protected, bob.protected = true, true, true
	b := readBatch(jobs.Restore, jobs.InDoubt, ann, bob, cid)
	require.Nil(t, plan(b))
	for _, a := range []*account{ann, bob} {
		require.Equal(t, []any{jobs.Failed, jobs.CodeProtected}, []any{a.outcome, a.code})
	}
	require.Equal(t, []*account{cid}, toChange(b), "the others go on")
}
