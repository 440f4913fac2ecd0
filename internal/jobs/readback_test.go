package jobs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

func TestLostCallsOfABatchAreCounted(t *testing.T) {
	for _, kind := range []Kind{Clear, Restore, AddTags, RemoveTags} {
		c := planning(kind, "ann", "bob")
		c.Command, c.Lost, c.Change = kind.Command(), 3, map[int64][]string{1: {"a"}, 2: {"b"}}
		lost := decide(c, tim.Answer{Delivery: tim.Lost}, nil, 0, &past{})
		require.Equal(t, []any{InDoubt, tim.GetTags, 4}, []any{lost.Rest, lost.Next, lost.Lost})
		require.Empty(t, lost.Change)
		unsent := decide(c, tim.Answer{Delivery: tim.NotSent}, nil, 0, &past{})
		require.Equal(t, []any{Waiting, kind.Command(), 3, c.Change}, []any{unsent.Rest, unsent.Next, unsent.Lost, unsent.Change})
		for _, n := range []int{0, 91000, 60007, 70107} {
			require.Zero(t, decide(c, code(n), nil, 0, &past{}).Lost, "an answer ends the row")
		}
		c.Command = tim.GetTags
		require.Equal(t, 3, decide(c, code(0), map[string][]string{"ann": {"x"}, "bob": {"x"}}, 0, &past{}).Lost, "reading says nothing of it")
	}
}

func TestReadBackAsksAPersonIfAllAreLost(t *testing.T) {
	for _, kind := range []Kind{Clear, Restore, AddTags, RemoveTags} {
		t.Run(string(kind), func(t *testing.T) {
			c := planning(kind, "ann", "bob")
			c.Was, c.Touched, c.Policy = InDoubt, true, snapshot.Merge
			tags := map[string][]string{"ann": {"a", "b"}, "bob": {}}
			open, done := int64(2), int64(1)
			if kind == Clear || kind == RemoveTags {
				open, done = 1, 2
			}
			c.Lost = mostLost - 1
			s := decide(c, code(0), tags, 0, &past{})
			require.Equal(t, []any{Waiting, kind.Command(), false}, []any{s.Rest, s.Next, s.Ask})
			require.Equal(t, []Own{{Seq: done, Outcome: kind.Done()}}, s.Own)
			if kind.Tagged() {
				require.Contains(t, s.Change, open)
			}

			c.Lost = mostLost
			s = decide(c, code(0), tags, 0, &past{})
			require.Equal(t, []any{InDoubt, tim.GetTags, true, CodeLost}, []any{s.Rest, s.Next, s.Ask, s.Code})
			require.Equal(t, []Own{{Seq: done, Outcome: kind.Done()}}, s.Own)
			require.Empty(t, s.Change)

			c.Was = Waiting // read back, and the restore was to stop then
			s = decide(c, code(0), tags, 0, &past{})
			require.Equal(t, []any{Waiting, kind.Command(), false}, []any{s.Rest, s.Next, s.Ask}, "nothing is in doubt")

			c.Was = InDoubt
			all := map[string][]string{"ann": tags["ann"], "bob": tags["ann"]}
			if done == 2 {
				all = map[string][]string{"ann": {}, "bob": {}}
			}
			s = decide(c, code(0), all, 0, &past{})
			require.Equal(t, []any{kind.Done(), false}, []any{s.Rest, s.Ask}, "the last lost call did its work")
		})
	}
}

func TestReadBackNamesMissingTags(t *testing.T) {
	for name, test := range map[string]struct {
		answer tim.Answer
		tags   map[string][]string
		rest   Outcome
		next   tim.Command
		own    []Own
		ask    bool
	}{
		"nothing was done": {answer: code(0), tags: map[string][]string{"ann": {}, "bob": {}}, rest: Waiting, next: tim.AddTags},
		"half was done":    {answer: code(0), tags: map[string][]string{"ann": {"a", "b"}, "bob": {"a"}}, rest: Waiting, next: tim.AddTags, own: []Own{{Seq: 1, Outcome: Changed}}},
		"all was done":     {answer: code(0), tags: map[string][]string{"ann": {"a", "b"}, "bob": {"x", "a", "b"}}, rest: Changed},
		"not allowed":      {answer: code(60027), rest: InDoubt, next: tim.GetTags, ask: true},
		"server error":     {answer: code(91000), rest: InDoubt, next: tim.GetTags},
		"one is unreadable": {answer: tim.Answer{Delivery: tim.Answered, HTTPStatus: 200, AccountErrors: []tim.AccountError{{Account: "bob", Code: 90001}}},
			tags: map[string][]string{"ann": {"a", "b"}}, rest: InDoubt, next: tim.GetTags, own: []Own{{Seq: 1, Outcome: Changed}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := planning(AddTags, "ann", "bob")
			c.Was, c.Touched, c.Tries, c.LastCode = InDoubt, true, 50, 90001
			s := decide(c, test.answer, test.tags, 0, &past{})
			require.Equal(t, test.rest, s.Rest)
			require.Equal(t, test.next, s.Next)
			require.ElementsMatch(t, test.own, s.Own)
			require.Equal(t, test.ask, s.Ask)
		})
	}
}

func TestReadBackTagsAreSnapshotForUndo(t *testing.T) {
	c := claimed(tim.GetTags, "ann", "bob")
	c.Known = map[int64][]string{1: {"old"}}
	s := decide(c, code(0), map[string][]string{"ann": {"old"}, "bob": {"vip"}}, 0, &past{})
	require.Equal(t, Waiting, s.Rest)
	require.Equal(t, tim.RemoveAllTags, s.Next)
	require.Equal(t, map[int64][]string{2: {"vip"}}, s.Found)
}
