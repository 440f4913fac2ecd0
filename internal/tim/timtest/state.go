package timtest

import (
	"hash/fnv"
	"slices"
	"strings"

	"tagsweep/internal/tim"
)

const storedTags = 100 // of one account

// tagNames are the tags accounts have at first; their number is a power of two.
var tagNames = []string{
	"vip", "gold", "silver", "trial", "newsletter", "beta", "churned", "returning",
	"ios", "android", "web", "city-shanghai", "city-singapore", "city-frankfurt", "campaign-618", "campaign-11.11",
	"会员", "黄金会员", "新用户", "沉睡用户", "lang:zh", "lang:en", "lang:ja", "lang:de",
	"age 18-24", "age 25-34", "age 35-44", "age 45+", "support/open", "support/closed", "nps=9", "nps=4",
}

// state holds the tags of every account there could be: those of the seed, and
// what has changed since.
type state struct {
	seed              uint64
	unknown, untagged float64
	fixed             bool // nothing ever changes
	changed           map[string][]string
}

func newState(config Config) *state {
	return &state{
		seed: config.Seed, unknown: config.UnknownShare, untagged: config.UntaggedShare, fixed: config.SumsOnly,
		changed: map[string][]string{},
	}
}

type result struct {
	code     int
	applied  bool
	unknown  []string // named in ErrorList
	ignored  []string // whose tags were not changed
	userTags []tim.AccountTags
}

// apply carries a call out, except the accounts to be ignored.
func (st *state) apply(q request, how Unknown, ignored []string) result {
	r := result{ignored: ignored}
	var unknown []string
	for _, account := range q.accounts {
		if !st.known(account) && !slices.Contains(unknown, account) {
			unknown = append(unknown, account)
		}
	}
	switch how {
	case FailedBatch:
		if len(unknown) > 0 {
			return result{code: 70107}
		}
	case "", ErrorList:
		r.unknown = unknown
	}
	if q.command == tim.AddTags && st.overfull(q) {
		return result{code: 90032} // the code is not documented
	}
	for i, account := range q.accounts {
		isUnknown := slices.Contains(unknown, account)
		switch {
		case q.command == tim.GetTags && (!isUnknown || how == Silent):
			r.userTags = append(r.userTags, tim.AccountTags{Account: account, Tags: st.tags(account)})
		case slices.Contains(ignored, account):
		case q.command == tim.RemoveAllTags && !isUnknown:
			st.set(account, nil)
		case q.command == tim.AddTags && !isUnknown:
			st.set(account, st.with(account, q.tags[i]))
		case q.command == tim.RemoveTags && !isUnknown:
			st.set(account, st.without(account, q.tags[i]))
		}
	}
	r.applied = q.command != tim.GetTags
	return r
}

// overfull reports whether an account would have more tags than are stored;
// it may be named more than once.
func (st *state) overfull(q request) bool {
	adds := map[string][]string{}
	for i, account := range q.accounts {
		adds[account] = append(adds[account], q.tags[i]...)
		if len(st.with(account, adds[account])) > storedTags {
			return true
		}
	}
	return false
}

// with returns the account's tags and those of more it does not have yet.
func (st *state) with(account string, more []string) []string {
	tags := slices.Clone(st.tags(account))
	for _, tag := range more {
		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags
}

// without returns the account's tags except those of fewer; it need not have
// them.
func (st *state) without(account string, fewer []string) []string {
	return slices.DeleteFunc(slices.Clone(st.tags(account)), func(tag string) bool { return slices.Contains(fewer, tag) })
}

func (st *state) set(account string, tags []string) {
	if st.fixed {
		return
	}
	if len(tags) == 0 && len(st.first(account)) == 0 {
		delete(st.changed, account)
		return
	}
	st.changed[account] = tags
}

// tags never returns nil.
func (st *state) tags(account string) []string {
	tags, changed := st.changed[account]
	if !changed {
		tags = st.first(account)
	}
	if tags == nil {
		return []string{}
	}
	return tags
}

func (st *state) known(account string) bool {
	return !strings.HasPrefix(account, "unknown") && share(st.hash(account, 1)) >= st.unknown
}

// first returns the tags the seed gives an account: one to six, or none.
func (st *state) first(account string) []string {
	if !st.known(account) || share(st.hash(account, 2)) < st.untagged {
		return nil
	}
	h := st.hash(account, 3)
	count, at, step := 1+h%6, h>>8, h>>16|1 // an odd step meets no name twice
	tags := make([]string, count)
	for i := range tags {
		tags[i] = tagNames[at%uint64(len(tagNames))]
		at += step
	}
	return tags
}

// hash mixes seed, account and purpose (the finisher is SplitMix64's).
func (st *state) hash(account string, purpose uint64) uint64 {
	h := fnv.New64a()
	h.Write([]byte(account))
	z := h.Sum64() ^ st.seed*0x9E3779B97F4A7C15 ^ purpose<<56
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// share maps a hash to 0 ≤ x < 1.
func share(hash uint64) float64 { return float64(hash>>11) / (1 << 53) }

// Known reports whether the account is registered.
func (s *Service) Known(account string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.known(account)
}

// Tags returns the tags of an account, never nil.
func (s *Service) Tags(account string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.state.tags(account))
}

// SetTags replaces the tags of an account, as somebody else's call would.
func (s *Service) SetTags(account string, tags ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.set(account, slices.Clone(tags))
	if !s.config.SumsOnly {
		s.order++
		s.edits = append(s.edits, Edit{s.order, account, slices.Clone(tags)})
	}
}
