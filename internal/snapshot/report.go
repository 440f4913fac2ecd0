package snapshot

import (
	"cmp"
	"encoding/json"
	"slices"
)

// What a report may hold, whatever the accounts have.
const (
	maxListed      = 100_000  // distinct tags
	maxListedBytes = 32 << 20 // of their names together
)

// Report sums up the tags of accounts, batch by batch, in bounded memory. The
// zero Report is empty.
type Report struct {
	Accounts    int64 // Tagged + Untagged + Unknown
	Tagged      int64 // accounts with at least one tag
	Untagged    int64 // accounts without any
	Unknown     int64 // accounts the service does not know
	Assignments int64 // tags of accounts, summed over accounts
	Others      int64 // those of Assignments whose tag is not listed, because the list was full

	listed map[string]int64
	bytes  int
}

// TagCount is a tag and how many accounts have it.
type TagCount struct {
	Tag      string `json:"tag"`
	Accounts int64  `json:"accounts"`
}

// Add counts a batch: the accounts that were read, and how many the service
// does not know. A tag that repeats within an account counts once.
func (r *Report) Add(accounts []Account, unknown int64) {
	r.Accounts += int64(len(accounts)) + unknown
	r.Unknown += unknown
	for _, account := range accounts {
		tags := unique(account.Tags)
		if len(tags) == 0 {
			r.Untagged++
			continue
		}
		r.Tagged++
		r.Assignments += int64(len(tags))
		for _, tag := range tags {
			r.count(tag, 1)
		}
	}
}

// Merge adds another report. As long as Others is 0, the order of adding and
// merging makes no difference; beyond that, a tag's count may leave out
// accounts that the other report had counted under Others.
func (r *Report) Merge(other *Report) {
	list := other.Tags() // taken first, so that a report can be merged with itself
	r.Accounts += other.Accounts
	r.Tagged += other.Tagged
	r.Untagged += other.Untagged
	r.Unknown += other.Unknown
	r.Assignments += other.Assignments
	r.Others += other.Others
	for _, t := range list {
		r.count(t.Tag, t.Accounts)
	}
}

func (r *Report) count(tag string, accounts int64) {
	if _, listed := r.listed[tag]; !listed {
		if len(r.listed) >= maxListed || r.bytes+len(tag) > maxListedBytes {
			r.Others += accounts
			return
		}
		if r.listed == nil {
			r.listed = map[string]int64{}
		}
		r.bytes += len(tag)
	}
	r.listed[tag] += accounts
}

// Tags returns the listed tags, those of most accounts first, then by name.
func (r *Report) Tags() []TagCount {
	list := make([]TagCount, 0, len(r.listed))
	for tag, accounts := range r.listed {
		list = append(list, TagCount{tag, accounts})
	}
	slices.SortFunc(list, func(a, b TagCount) int {
		return cmp.Or(cmp.Compare(b.Accounts, a.Accounts), cmp.Compare(a.Tag, b.Tag))
	})
	return list
}

// Distinct returns how many tags are listed: all there are when Others is 0.
func (r *Report) Distinct() int { return len(r.listed) }

// reportJSON is a report as it is stored.
type reportJSON struct {
	Accounts    int64      `json:"accounts"`
	Tagged      int64      `json:"tagged"`
	Untagged    int64      `json:"untagged"`
	Unknown     int64      `json:"unknown"`
	Assignments int64      `json:"assignments"`
	Others      int64      `json:"others"`
	Tags        []TagCount `json:"tags"`
}

// MarshalJSON writes all counts and the listed tags.
func (r Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(reportJSON{r.Accounts, r.Tagged, r.Untagged, r.Unknown, r.Assignments, r.Others, r.Tags()})
}

// UnmarshalJSON reads what MarshalJSON wrote; the report can be added to further.
func (r *Report) UnmarshalJSON(text []byte) error {
	var stored reportJSON
	if err := json.Unmarshal(text, &stored); err != nil {
		return err
	}
	*r = Report{Accounts: stored.Accounts, Tagged: stored.Tagged, Untagged: stored.Untagged, Unknown: stored.Unknown,
		Assignments: stored.Assignments, Others: stored.Others}
	for _, t := range stored.Tags {
		r.count(t.Tag, t.Accounts)
	}
	return nil
}
