package snapshot

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRestoreTellsOldTagsFromGained(t *testing.T) {
	add, gained := Missing([]string{"a", "b", "c", "a"}, []string{"x", "b", "x"})
	require.Equal(t, []string{"a", "c"}, add)
	require.Equal(t, []string{"x"}, gained)

	tags := rapid.SliceOfN(rapid.SampledFrom(names(12)), 0, 15)
	rapid.Check(t, func(t *rapid.T) {
		was, now := tags.Draw(t, "was"), tags.Draw(t, "now")
		add, gained := Missing(was, now)
		for _, tag := range names(12) {
			had, has := slices.Contains(was, tag), slices.Contains(now, tag)
			require.Equal(t, had && !has, slices.Contains(add, tag))
			require.Equal(t, has && !had, slices.Contains(gained, tag))
		}
		require.Len(t, unique(add), len(add))
		require.Len(t, unique(gained), len(gained))
		before := gained
		add, gained = Missing(was, slices.Concat(now, add))
		require.Empty(t, add, "nothing is missing once it was added")
		require.Equal(t, gained, before, "adding old tags is no gain")
	})
}

func TestRestorePolicyForGainedTags(t *testing.T) {
	was := []string{"a", "b"}
	for _, c := range []struct {
		name   string
		policy Policy
		now    []string
		action Action
		add    []string
	}{
		{"nothing there", Stop, nil, Add, was},
		{"half way", Stop, []string{"b"}, Add, []string{"a"}},
		{"all there", Stop, []string{"b", "a"}, Complete, nil},
		{"all there and more", Stop, []string{"b", "x", "a"}, Complete, nil},
		{"gained, merge", Merge, []string{"x", "a"}, Add, []string{"b"}},
		{"gained, skip", Skip, []string{"x", "a"}, Leave, nil},
		{"gained, stop", Stop, []string{"x", "a"}, Halt, nil},
		{"gained, nothing chosen", "", []string{"x", "a"}, Halt, nil},
		{"99 tags in the end", Merge, names(97), Add, was},
		{"100 tags in the end", Merge, names(98), Add, was},
		{"101 tags in the end", Merge, names(99), TooFull, nil},
	} {
		action, add := c.policy.Plan(was, nil, c.now)
		require.Equal(t, c.action, action, c.name)
		require.Equal(t, c.add, add, c.name)
	}
	action, add := Stop.Plan(names(150), nil, names(20))
	require.Equal(t, Add, action, "it had more than a hundred before")
	require.Len(t, add, 130)
}

func TestRestoreGoesOnWhereItStopped(t *testing.T) {
	tags := rapid.SliceOfN(rapid.SampledFrom(names(150)), 0, 120)
	rapid.Check(t, func(t *rapid.T) {
		was, now := tags.Draw(t, "was"), tags.Draw(t, "now")
		policy := rapid.SampledFrom([]Policy{Merge, Skip, Stop}).Draw(t, "policy")
		action, add := policy.Plan(was, nil, now)
		require.Equal(t, action == Add, len(add) > 0)
		if action != Add {
			return
		}
		done := rapid.IntRange(0, len(add)).Draw(t, "done")
		action, rest := policy.Plan(was, nil, slices.Concat(now, add[:done]))
		require.Equal(t, done == len(add), action == Complete)
		require.Equal(t, slices.Clone(add[done:]), append([]string{}, rest...))
	})
}

func TestOnlyChosenTagsArePutBack(t *testing.T) {
	was := []string{"a", "b", "c"}
	for _, c := range []struct {
		name   string
		only   []string
		now    []string
		action Action
		add    []string
	}{
		{"one of them", []string{"b"}, nil, Add, []string{"b"}},
		{"in the order of before", []string{"c", "a", "z"}, nil, Add, []string{"a", "c"}},
		{"it is there", []string{"b"}, []string{"b"}, Complete, nil},
		{"it is there, and one gained", []string{"b"}, []string{"b", "x"}, Complete, nil},
		{"another old one is there", []string{"b"}, []string{"a"}, Add, []string{"b"}},
		{"gained", []string{"b"}, []string{"x"}, Halt, nil},
		{"it never had it", []string{"z"}, []string{"x"}, Complete, nil},
		{"none chosen", []string{}, nil, Complete, nil},
	} {
		action, add := Stop.Plan(was, c.only, c.now)
		require.Equal(t, c.action, action, c.name)
		require.Equal(t, c.add, add, c.name)
	}
	action, add := Merge.Plan(names(30), names(1), names(130)[31:])
	require.Equal(t, Add, action, "what is not put back takes no room")
	require.Equal(t, names(1), add)
}

func TestPolicyIsChosenByName(t *testing.T) {
	for _, policy := range []Policy{Merge, Skip, Stop} {
		parsed, err := ParsePolicy(string(policy))
		require.NoError(t, err)
		require.Equal(t, policy, parsed)
	}
	for _, name := range []string{"", "Merge", "overwrite"} {
		_, err := ParsePolicy(name)
		require.True(t, FaultPolicy.Is(err), name)
	}
}
