package jobs

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// expected is what becomes of an account that nobody else changes.
func (m *model) expected(seq int64, had []string) (outcomes []Outcome, tags []string) {
	nothing := []Outcome{m.kind.Nothing(), m.kind.Done()} // done when a call may have left for its batch
	target := snapshot.Chosen(m.wanted[seq], m.only)
	missing, _ := snapshot.Missing(target, had)
	_, gained := snapshot.Missing(m.wanted[seq], had)
	switch {
	case m.unknown[seq]:
		return []Outcome{Failed}, nil
	case m.kind == Inspect && len(had) > 0:
		return []Outcome{Inspected}, had
	case m.kind == Inspect:
		return []Outcome{Untagged}, had
	case m.kind == Clear && len(had) > 0:
		return []Outcome{Cleared}, nil
	case m.kind == Clear:
		return nothing, nil
	case m.kind == RemoveTags:
		left, _ := snapshot.Missing(had, target)
		if len(left) == len(had) {
			return nothing, had
		}
		return []Outcome{Changed}, left
	case len(missing) == 0:
		return nothing, had
	case m.policy == snapshot.Skip && len(gained) > 0:
		return []Outcome{Skipped}, had
	case len(had)+len(missing) > max(tim.MaxStored, len(target)) && (m.kind == AddTags || len(gained) > 0):
		return []Outcome{Failed}, had
	}
	return []Outcome{m.kind.Done()}, slices.Concat(had, missing)
}

// Whatever the service does, every account ends with exactly one outcome, and
// with the tags that were wanted.
func TestPlanEndsWithTheWantedTags(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(string(kind), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := newModel(t, kind)
				m.trouble()
				had := maps.Clone(m.tags)
				m.run()
				outcomes := m.outcomes()
				require.Len(t, outcomes, len(had))
				for seq, before := range had {
					want, tags := m.expected(seq, before)
					require.Contains(t, want, outcomes[seq].Outcome, "account %d", seq)
					require.ElementsMatch(t, tags, m.tags[seq], "account %d", seq)
					if m.snapshot && !m.unknown[seq] {
						require.ElementsMatch(t, before, m.kept[seq], "the tags of before are kept")
					}
				}
			})
		})
	}
}

// A batch needs as many calls as its account with the most tags to change, and
// is read once before each, and once more when a full call does not tell that it
// was the last.
func TestPlanNeedsTheFewestCalls(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(string(kind), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := newModel(t, kind)
				if m.policy == snapshot.Stop {
					m.policy = snapshot.Skip
				}
				calls, reads := 0, 0
				if m.kind.First(m.snapshot) == tim.GetTags {
					reads = 1
				}
				for seq, had := range m.tags {
					_, tags := m.expected(seq, had)
					add, remove := snapshot.Missing(tags, had)
					n, target := len(add)+len(remove), len(snapshot.Chosen(m.wanted[seq], m.only))
					switch {
					case kind == Clear && (n > 0 || !m.snapshot):
						calls = 1
					case kind.Tagged() && n > 0:
						need := (n + tim.MaxTags - 1) / tim.MaxTags
						calls, reads = max(calls, need), max(reads, need)
						if n%tim.MaxTags == 0 && target > tim.MaxTags {
							reads = max(reads, need+1)
						}
					}
				}
				m.run()
				require.Equal(t, []int{calls, reads}, []int{m.calls, m.reads}, "calls, readings")
			})
		})
	}
}
