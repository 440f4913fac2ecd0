package jobs

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// planning is a reading of accounts that have the tags "a" and "b" to gain.
func planning(kind Kind, accounts ...string) Claim {
	c := Claim{Command: tim.GetTags, Kind: kind, Was: Waiting, Snapshot: true, Policy: snapshot.Stop, Wanted: map[int64][]string{}}
	for i, a := range accounts {
		c.Accounts = append(c.Accounts, Pending{int64(i + 1), a})
		c.Wanted[int64(i+1)] = []string{"a", "b"}
	}
	return c
}

func TestPlanAfterEachReadAnswer(t *testing.T) {
	listing := func(code int) tim.Answer {
		return tim.Answer{Delivery: tim.Answered, HTTPStatus: 200, AccountErrors: []tim.AccountError{{Account: "bob", Code: code, Info: "why"}}}
	}
	both := []string{"ann", "bob"}
	tags := map[string][]string{"ann": {"x"}, "bob": {"x"}}
	for name, test := range map[string]struct {
		accounts []string
		tries    int
		answer   tim.Answer
		tags     map[string][]string
		rest     Outcome
		own      []Own
		next     tim.Command
		halt     int
		parts    int
		waits    bool
	}{
		"read":                     {accounts: both, answer: code(0), tags: tags, rest: Waiting, next: tim.RemoveAllTags},
		"one has none":             {accounts: both, answer: code(0), tags: map[string][]string{"ann": {}, "bob": {"x"}}, rest: Waiting, next: tim.RemoveAllTags, own: []Own{{Seq: 1, Outcome: Untagged}}},
		"none has any":             {accounts: both, answer: code(0), tags: map[string][]string{"ann": {}, "bob": {}}, rest: Untagged},
		"one is left out":          {accounts: both, answer: code(0), tags: map[string][]string{"ann": {}}, rest: Waiting, next: tim.RemoveAllTags, own: []Own{{Seq: 1, Outcome: Untagged}}},
		"one is not known":         {accounts: both, answer: listing(70107), tags: map[string][]string{"ann": {"x"}}, rest: Waiting, next: tim.RemoveAllTags, own: []Own{{2, Failed, 70107, "why"}}},
		"one could not be read":    {accounts: both, answer: listing(91000), tags: map[string][]string{"ann": {"x"}}, rest: Waiting, next: tim.GetTags, waits: true},
		"one can never be read":    {accounts: both, tries: 10, answer: listing(91000), tags: map[string][]string{"ann": {"x"}}, rest: Waiting, next: tim.RemoveAllTags, own: []Own{{2, Failed, 91000, "why"}}},
		"server error":             {accounts: both, answer: code(91000), rest: Waiting, next: tim.GetTags, waits: true},
		"server error, too often":  {accounts: both, tries: 10, answer: code(91000), rest: Waiting, next: tim.GetTags, halt: 91000},
		"too frequent":             {accounts: both, answer: code(60007), rest: Waiting, next: tim.GetTags},
		"signature expired":        {accounts: both, answer: code(70001), rest: Waiting, next: tim.GetTags},
		"signature expired, again": {accounts: both, tries: 1, answer: code(70001), rest: Waiting, next: tim.GetTags, halt: 70001},
		"locked out":               {accounts: both, answer: code(70050), rest: Waiting, next: tim.GetTags},
		"arrears":                  {accounts: both, answer: code(60020), rest: Waiting, next: tim.GetTags, halt: 60020},
		"reading is not allowed":   {accounts: both, answer: code(60027), rest: Waiting, next: tim.GetTags, halt: 60027},
		"a code nobody knows":      {accounts: both, answer: code(12345), rest: Waiting, next: tim.GetTags, waits: true},
		"one of several is bad":    {accounts: both, answer: code(70107), rest: Waiting, next: tim.GetTags, parts: 2},
		"the one is bad":           {accounts: []string{"bob"}, answer: code(70107), rest: Failed},
		"too many accounts":        {accounts: both, answer: code(90011), rest: Waiting, next: tim.GetTags, parts: 2},
		"one is too many":          {accounts: []string{"ann"}, answer: code(90011), rest: Waiting, next: tim.GetTags, halt: 90011},
		"never left":               {accounts: both, answer: tim.Answer{Delivery: tim.NotSent}, rest: Waiting, next: tim.GetTags, waits: true},
		"the answer is lost":       {accounts: both, answer: tim.Answer{Delivery: tim.Lost}, rest: Waiting, next: tim.GetTags, waits: true},
		"an error page":            {accounts: both, answer: tim.Answer{Delivery: tim.Lost, HTTPStatus: 502}, rest: Waiting, next: tim.GetTags, waits: true},
		"more tags than can be kept": {accounts: both, answer: code(0), tags: map[string][]string{"ann": {"x"}, "bob": slices.Repeat([]string{"x"}, snapshot.MaxTags+1)}, rest: Waiting, next: tim.RemoveAllTags,
			own: []Own{{Seq: 2, Outcome: Failed, Code: CodeTooMany}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := planning(Clear, test.accounts...)
			c.Tries, c.LastCode = test.tries, test.answer.Code
			if len(test.answer.AccountErrors) > 0 {
				c.LastCode = test.answer.AccountErrors[0].Code
			}
			s := decide(c, test.answer, test.tags, 0, &past{})
			require.Equal(t, test.rest, s.Rest)
			require.Equal(t, test.next, s.Next)
			require.ElementsMatch(t, test.own, s.Own)
			require.Equal(t, test.halt, s.Halt)
			require.Equal(t, test.parts, s.Parts)
			require.Equal(t, test.waits, s.Wait > 0)
			require.False(t, s.Ask)
			if test.halt != 0 {
				require.Zero(t, s.Hold, "once it is mended nothing need be waited for")
			}
		})
	}
	s := decide(planning(Clear, "ann"), code(60007), nil, 0, &past{})
	require.True(t, s.Slow)
	s = decide(planning(Clear, "ann"), code(70050), nil, 0, &past{})
	require.True(t, s.HoldAll)
}

func TestRestoreFollowsTheChosenPolicy(t *testing.T) {
	full := modelTags[:99]
	for name, test := range map[string]struct {
		policy  snapshot.Policy
		only    []string
		has     []string
		touched bool
		rest    Outcome
		code    int
		change  []string
		stop    bool
	}{
		"nothing there":             {policy: snapshot.Stop, rest: Waiting, change: []string{"a", "b"}},
		"some there":                {policy: snapshot.Stop, has: []string{"b"}, rest: Waiting, change: []string{"a"}},
		"all there":                 {policy: snapshot.Stop, has: []string{"b", "a", "x"}, rest: Unchanged},
		"all there after a call":    {policy: snapshot.Stop, has: []string{"b", "a"}, touched: true, rest: Restored},
		"gained, merge":             {policy: snapshot.Merge, has: []string{"x"}, rest: Waiting, change: []string{"a", "b"}},
		"gained, skip":              {policy: snapshot.Skip, has: []string{"x"}, rest: Skipped},
		"gained, stop":              {policy: snapshot.Stop, has: []string{"x"}, rest: Waiting, stop: true},
		"too full":                  {policy: snapshot.Merge, has: full, rest: Failed, code: CodeTooFull},
		"gained half way, skip":     {policy: snapshot.Skip, has: []string{"a", "x"}, touched: true, rest: Failed, code: CodeCutShort},
		"gained half way, stop":     {policy: snapshot.Stop, has: []string{"a", "x"}, touched: true, rest: Waiting, stop: true},
		"gained, no call did work":  {policy: snapshot.Skip, has: []string{"x"}, touched: true, rest: Skipped},
		"too full half way":         {policy: snapshot.Merge, has: append([]string{"a"}, full...), touched: true, rest: Failed, code: CodeCutShort},
		"one chosen":                {policy: snapshot.Stop, only: []string{"b"}, rest: Waiting, change: []string{"b"}},
		"one chosen, another there": {policy: snapshot.Stop, only: []string{"b"}, has: []string{"a"}, rest: Waiting, change: []string{"b"}},
		"one chosen, and there":     {policy: snapshot.Stop, only: []string{"b"}, has: []string{"b", "x"}, rest: Unchanged},
		"one chosen, full but fits": {policy: snapshot.Merge, only: []string{"b"}, has: full, rest: Waiting, change: []string{"b"}},
		"it never had the one":      {policy: snapshot.Stop, only: []string{"z"}, has: []string{"x"}, rest: Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			c := planning(Restore, "ann")
			c.Policy, c.Only, c.Touched = test.policy, test.only, test.touched
			s := decide(c, code(0), map[string][]string{"ann": test.has}, 0, &past{})
			require.Equal(t, test.rest, s.Rest)
			require.Equal(t, test.code, s.Code)
			require.Equal(t, test.stop, s.Stop)
			require.Equal(t, test.change, s.Change[1])
			switch {
			case test.stop:
				require.Equal(t, "ann", s.HaltInfo)
				require.Zero(t, s.Halt, "other jobs go on")
				require.Equal(t, tim.GetTags, s.Next)
			case s.Rest == Waiting:
				require.Equal(t, tim.AddTags, s.Next)
			}
		})
	}
}

func TestRestoreStopSettlesNothing(t *testing.T) {
	tags := map[string][]string{"ann": {"a", "b"}, "bob": {"x"}, "cid": {}}
	for _, was := range []Outcome{Waiting, InDoubt} {
		c := planning(Restore, "ann", "bob", "cid")
		c.Was = was
		s := decide(c, code(0), tags, 0, &past{})
		require.True(t, s.Stop)
		require.Equal(t, Waiting, s.Rest, "a reading leaves nothing in doubt")
		require.Empty(t, s.Own)
		require.Empty(t, s.Change)
		require.Equal(t, tim.GetTags, s.Next)
	}
}

// A service may confirm a call and not do its work, for ever.
func TestFalseSuccessEndsWithAPerson(t *testing.T) {
	for _, kind := range []Kind{Restore, AddTags, RemoveTags} {
		c := planning(kind, "ann")
		c.Wanted[1] = modelTags[:25]
		var has []string
		if kind == RemoveTags {
			has = modelTags[:25]
		}
		calls := 0
		for ; ; calls++ {
			require.Less(t, calls, 100, "it comes to an end")
			read := decide(c, code(0), map[string][]string{"ann": has}, 0, &past{})
			if read.Ask {
				require.Equal(t, []any{InDoubt, CodeNotSo}, []any{read.Rest, read.Code})
				break
			}
			change := c
			change.Command, change.Change, change.Tries, change.LastCode = read.Next, read.Change, read.Tries, read.Code
			s := decide(change, code(0), nil, 0, &past{})
			require.Equal(t, tim.GetTags, s.Next)
			c.Touched, c.Tries, c.LastCode = true, s.Tries, s.Code
		}
		require.Greater(t, calls, 3+mostInVain-1, "some calls may be in vain")
	}
}

func TestAddingAndRemovingNamedTags(t *testing.T) {
	for name, test := range map[string]struct {
		kind    Kind
		has     []string
		listed  bool
		touched bool
		rest    Outcome
		code    int
		change  []string
	}{
		"add: has none":            {kind: AddTags, listed: true, rest: Waiting, change: []string{"a", "b"}},
		"add: left out":            {kind: AddTags, rest: Waiting, change: []string{"a", "b"}},
		"add: has others":          {kind: AddTags, listed: true, has: []string{"x", "a"}, rest: Waiting, change: []string{"b"}},
		"add: has all":             {kind: AddTags, listed: true, has: []string{"b", "a"}, rest: Unchanged},
		"add: has all after":       {kind: AddTags, listed: true, has: []string{"b", "a"}, touched: true, rest: Changed},
		"add: full":                {kind: AddTags, listed: true, has: modelTags[:99], rest: Failed, code: CodeTooFull},
		"remove: has one":          {kind: RemoveTags, listed: true, has: []string{"x", "b"}, rest: Waiting, change: []string{"b"}},
		"remove: has others":       {kind: RemoveTags, listed: true, has: []string{"x"}, rest: Unchanged},
		"remove: has none":         {kind: RemoveTags, listed: true, rest: Unchanged},
		"remove: left out":         {kind: RemoveTags, rest: Unchanged},
		"remove: has others after": {kind: RemoveTags, listed: true, has: []string{"x"}, touched: true, rest: Changed},
	} {
		t.Run(name, func(t *testing.T) {
			c := planning(test.kind, "ann")
			c.Touched = test.touched
			tags := map[string][]string{}
			if test.listed {
				tags["ann"] = test.has
			}
			s := decide(c, code(0), tags, 0, &past{})
			require.Equal(t, test.rest, s.Rest)
			require.Equal(t, test.code, s.Code)
			require.Equal(t, test.change, s.Change[1])
			if s.Rest == Waiting {
				require.Equal(t, test.kind.Command(), s.Next)
			}
		})
	}
}

func TestInspectingChangesNothing(t *testing.T) {
	c := planning(Inspect, "ann", "bob", "cid")
	s := decide(c, code(0), map[string][]string{"ann": {"x"}, "bob": {}}, 0, &past{})
	require.Equal(t, Untagged, s.Rest)
	require.Equal(t, []Own{{Seq: 1, Outcome: Inspected}}, s.Own)
	require.Equal(t, map[int64][]string{1: {"x"}, 2: {}}, s.Found)
	require.Empty(t, s.Next)
}

func TestSettlementRestIsMostFrequent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var own []Own
		for seq := range rapid.Int64Range(1, 30).Draw(t, "accounts") {
			own = append(own, rapid.SampledFrom([]Own{{seq, Failed, 70107, "a"}, {seq, Failed, 70107, "b"}, {Seq: seq, Outcome: Untagged}, {Seq: seq, Outcome: Inspected}}).Draw(t, "outcome"))
		}
		count := map[string]int{}
		for _, o := range own {
			count[fmt.Sprint(o.Outcome, o.Code, o.Message)]++
		}
		var s Settlement
		s.settle(slices.Clone(own))
		rest := fmt.Sprint(s.Rest, s.Code, s.Message)
		require.Len(t, own, len(s.Own)+count[rest])
		for key, n := range count {
			require.LessOrEqual(t, n, count[rest], key)
		}
		for _, o := range s.Own {
			require.Contains(t, own, o)
			require.NotEqual(t, rest, fmt.Sprint(o.Outcome, o.Code, o.Message))
		}
	})
}

// What an account has when it is to be cleared once more goes too, so it is kept too.
func TestSnapshotKeepsTagsOfSecondRead(t *testing.T) {
	tags := map[string][]string{"ann": {"new", "old"}}
	for _, test := range []struct {
		kind    Kind
		touched bool
		known   map[int64][]string
		found   map[int64][]string
	}{
		{Clear, false, nil, map[int64][]string{1: {"new", "old"}}},
		{Clear, false, map[int64][]string{1: {"gone"}}, map[int64][]string{1: {"new", "old"}}},
		{Clear, true, map[int64][]string{1: {"old", "gone"}}, map[int64][]string{1: {"old", "gone", "new"}}},
		{Clear, true, map[int64][]string{1: {"old", "new"}}, nil},
		{AddTags, false, nil, map[int64][]string{1: {"new", "old"}}},
		{AddTags, true, map[int64][]string{1: {"old"}}, nil},
		{RemoveTags, true, map[int64][]string{1: {"old"}}, nil},
		{Restore, true, nil, nil},
	} {
		c := planning(test.kind, "ann")
		c.Policy, c.Touched, c.Known = snapshot.Merge, test.touched, test.known
		require.Equal(t, test.found, decide(c, code(0), tags, 0, &past{}).Found, "%+v", test)
	}
}

// A job that reads before each attempt must not try a change for ever.
func TestReadingInBetweenForgetsNoAttempt(t *testing.T) {
	c := planning(Clear, "ann")
	c.Tries, c.LastCode = 9, 91000
	s := decide(c, code(0), map[string][]string{"ann": {"x"}}, 0, &past{})
	require.Equal(t, []any{tim.RemoveAllTags, 9, 91000}, []any{s.Next, s.Tries, s.Code})

	change := claimed(tim.RemoveAllTags, "ann")
	change.Tries, change.LastCode = s.Tries, s.Code
	s = decide(change, code(91000), nil, 0, &past{})
	change.Tries, change.LastCode = s.Tries, s.Code
	require.Equal(t, 91000, decide(change, code(91000), nil, 0, &past{}).Halt)
}

func TestSnapshotReadsPartBeforeChange(t *testing.T) {
	for kind, next := range map[Kind]tim.Command{Clear: tim.RemoveAllTags, Restore: tim.GetTags, AddTags: tim.GetTags, RemoveTags: tim.GetTags} {
		c := planning(kind, "ann", "bob")
		c.Command = kind.Command()
		if kind.Tagged() {
			c.Change = map[int64][]string{1: {"a"}, 2: {"b"}}
		}
		s := decide(c, code(70107), nil, 0, &past{})
		require.Equal(t, []any{Waiting, 2, next}, []any{s.Rest, s.Parts, s.Next}, kind)
		require.Empty(t, s.Change)
	}
}
