package audit

import (
	"slices"

	"tagsweep/internal/store"
)

// tallies count what was refused by name, or by address. There are a few: one that is surely
// of a user takes the place of one that may be made up.
type tallies []tally

type tally struct {
	name  string
	count int
	from  []string // a few addresses
	sure  bool
}

const (
	namedInSum = 20  // names, and addresses
	fromInSum  = 3   // addresses of a name
	maxNamed   = 100 // bytes of a name; all together fit in an entry
)

// add counts a refusal; none for what has no name, or no place.
func (ts *tallies) add(name, address string, sure bool) {
	if t := ts.of(name, sure); t != nil {
		t.count++
		t.cameFrom(address)
	}
}

// merge adds what was counted elsewhere.
func (ts *tallies) merge(others tallies) {
	for _, other := range others {
		if t := ts.of(other.name, other.sure); t != nil {
			t.count += other.count
			t.cameFrom(other.from...)
		}
	}
}

// of returns the tally of a name, in upper or lower case.
func (ts *tallies) of(name string, sure bool) *tally {
	if name = store.Clean(name, maxNamed); name == "" {
		return nil
	}
	at := slices.IndexFunc(*ts, func(t tally) bool { return folded(t.name) == folded(name) })
	switch {
	case at >= 0:
		(*ts)[at].sure = (*ts)[at].sure || sure
	case len(*ts) < namedInSum:
		at = len(*ts)
		*ts = append(*ts, tally{name: name, sure: sure})
	case sure:
		if at = slices.IndexFunc(*ts, func(t tally) bool { return !t.sure }); at >= 0 {
			(*ts)[at] = tally{name: name, sure: true}
		}
	}
	if at < 0 {
		return nil
	}
	return &(*ts)[at]
}

func (t *tally) cameFrom(addresses ...string) {
	for _, address := range addresses {
		if address != "" && len(t.from) < fromInSum && !slices.Contains(t.from, address) {
			t.from = append(t.from, address)
		}
	}
}

func (ts tallies) names() (names []string) {
	for _, t := range ts {
		names = append(names, t.name)
	}
	return names
}

// byName and byAddress are the counts as an entry has them.
func (ts tallies) byName() (list []map[string]any) {
	for _, t := range ts {
		list = append(list, map[string]any{"name": t.name, "count": t.count, "addresses": t.from})
	}
	return list
}

func (ts tallies) byAddress() (list []map[string]any) {
	for _, t := range ts {
		list = append(list, map[string]any{"address": t.name, "count": t.count})
	}
	return list
}
