package jobs

import (
	"fmt"
	"maps"
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// model is one batch of a job as the store would keep it, and the service.
type model struct {
	*rapid.T
	kind     Kind
	policy   snapshot.Policy
	only     []string
	snapshot bool
	wanted   map[int64][]string
	parts    []*modelPart
	own      map[int64]Own
	kept     map[int64][]string

	tags    map[int64][]string // at the service
	unknown map[int64]bool     // accounts it does not know
	whole   bool               // for which it refuses the whole call
	most    int                // accounts in a call that it takes
	faults  int                // to come

	reads, calls int
	past         past
}

type modelPart struct {
	Claim
	outcome Outcome
	code    int
	next    tim.Command
	ask     bool
}

var modelTags = func() (tags []string) {
	for n := range 130 {
		tags = append(tags, fmt.Sprintf("tag%03d", n))
	}
	return tags
}()

// someTags draws many or few distinct tags.
func someTags(t *rapid.T, label string) []string {
	most := rapid.SampledFrom([]int{0, 1, 3, 10, 12, 30, 100}).Draw(t, label+": most")
	first := rapid.IntRange(0, len(modelTags)-1).Draw(t, label+": first")
	var tags []string
	for n := range rapid.IntRange(0, most).Draw(t, label+": count") {
		tags = append(tags, modelTags[(first+n)%len(modelTags)])
	}
	return tags
}

func newModel(t *rapid.T, kind Kind) *model {
	m := &model{T: t, kind: kind, snapshot: true, wanted: map[int64][]string{}, own: map[int64]Own{}, kept: map[int64][]string{},
		tags: map[int64][]string{}, unknown: map[int64]bool{}, most: tim.MaxAccounts}
	if kind == Clear {
		m.snapshot = rapid.Bool().Draw(t, "snapshot")
	}
	if kind == Restore {
		m.policy = rapid.SampledFrom([]snapshot.Policy{snapshot.Merge, snapshot.Skip, snapshot.Stop}).Draw(t, "policy")
	}
	if kind == Restore || kind == RemoveTags {
		m.only = rapid.SampledFrom([][]string{nil, modelTags[:40], {}}).Draw(t, "only")
	}
	part := &modelPart{outcome: Waiting, next: kind.First(m.snapshot)}
	for seq := range rapid.Int64Range(1, 12).Draw(t, "accounts") {
		part.Accounts = append(part.Accounts, Pending{seq, fmt.Sprint("account", seq)})
		m.tags[seq] = someTags(t, "has")
		if kind.Tagged() {
			m.wanted[seq] = someTags(t, "wanted")
		}
	}
	m.parts = []*modelPart{part}
	return m
}

// trouble lets the service misbehave.
func (m *model) trouble() {
	m.faults = rapid.IntRange(0, 25).Draw(m.T, "faults")
	m.whole = rapid.Bool().Draw(m.T, "refuses the whole call")
	m.most = rapid.SampledFrom([]int{1, 3, tim.MaxAccounts}).Draw(m.T, "takes at most")
	for _, p := range m.parts[0].Accounts {
		if m.unknown[p.Seq] = rapid.IntRange(0, 9).Draw(m.T, "unknown") == 0; m.unknown[p.Seq] {
			m.tags[p.Seq] = nil
		}
	}
}

// run makes calls until no account is open.
func (m *model) run() {
	for n := 0; ; n++ {
		require.Less(m, n, 2000, "it comes to an end")
		i := slices.IndexFunc(m.parts, func(p *modelPart) bool { return p.outcome.Open() })
		if i < 0 {
			return
		}
		m.step(m.parts[i])
	}
}

func (m *model) step(p *modelPart) {
	if p.ask { // a person decides to do it again
		p.ask, p.outcome, p.Lost, p.next = false, Waiting, 0, m.kind.First(m.snapshot)
		p.Touched = true
	}
	c := p.Claim
	c.Command, c.Kind, c.Policy, c.Only, c.Wanted, c.Snapshot = p.next, m.kind, m.policy, m.only, m.wanted, m.snapshot
	c.Was, c.LastCode = p.outcome, p.code
	if c.Command == tim.GetTags {
		c.Known = m.kept
	} else {
		require.Equal(m, Waiting, p.outcome)
		require.Equal(m, m.kind.Command(), c.Command)
		p.Touched = true
	}
	answer, tags := m.answer(c)
	s := decide(c, answer, tags, 0, &m.past)
	m.past = past{} // other calls are well
	m.check(s, tags)
	m.settle(p, s)
}

// answer is the service's, which may be lost, or not be what was asked for.
func (m *model) answer(c Claim) (tim.Answer, map[string][]string) {
	fault := ""
	if m.faults > 0 {
		fault = rapid.SampledFrom([]string{"", "", "lost before", "lost after", "not sent", "busy", "too often", "one is busy", "signature"}).Draw(m.T, "fault")
	}
	if fault != "" {
		m.faults--
	}
	a := tim.Answer{Delivery: tim.Answered, HTTPStatus: 200}
	refused := slices.ContainsFunc(c.Accounts, func(p Pending) bool { return m.unknown[p.Seq] })
	switch {
	case fault == "not sent":
		return tim.Answer{Delivery: tim.NotSent}, nil
	case fault == "lost before":
		return tim.Answer{Delivery: tim.Lost}, nil
	case fault == "busy":
		a.Code = 91000
	case fault == "too often":
		a.Code = 60007
	case fault == "signature":
		a.Code = 70001
	case len(c.Accounts) > m.most:
		a.Code = 90011
	case refused && m.whole:
		a.Code = 70107
	}
	if a.Code != 0 {
		return a, nil
	}
	tags := map[string][]string{}
	for i, p := range c.Accounts {
		code := 0
		if m.unknown[p.Seq] {
			code = 70107
		} else if fault == "one is busy" && i == 0 {
			code = 91000
		}
		if code != 0 {
			a.AccountErrors = append(a.AccountErrors, tim.AccountError{Account: p.Account, Code: code})
			continue
		}
		m.apply(c, p.Seq)
		tags[p.Account] = slices.Clone(m.tags[p.Seq])
	}
	if c.Command == tim.GetTags {
		m.reads++
	} else {
		m.calls++
	}
	if fault == "lost after" {
		return tim.Answer{Delivery: tim.Lost}, nil
	}
	return a, tags
}

func (m *model) apply(c Claim, seq int64) {
	has := m.tags[seq]
	change := c.Change[seq]
	switch c.Command {
	case tim.RemoveAllTags:
		if m.snapshot {
			require.Subset(m, m.kept[seq], has, "what is removed is kept")
		}
		m.tags[seq] = nil
	case tim.AddTags:
		require.NotEmpty(m, change, "nothing is sent that is as wanted")
		add, _ := snapshot.Missing(change, has)
		m.tags[seq] = slices.Concat(has, add)
		require.LessOrEqual(m, len(m.tags[seq]), max(tim.MaxStored, len(m.wanted[seq])))
	case tim.RemoveTags:
		require.NotEmpty(m, change, "nothing is sent that is as wanted")
		m.tags[seq], _ = snapshot.Missing(has, change)
	}
}

// check keeps what must be so of every settlement.
func (m *model) check(s Settlement, read map[string][]string) {
	own := map[int64]bool{}
	for _, o := range s.Own {
		require.False(m, own[o.Seq], "one outcome each")
		require.True(m, slices.ContainsFunc(s.Accounts, func(p Pending) bool { return p.Seq == o.Seq }))
		require.False(m, o.Outcome.Open())
		own[o.Seq] = true
	}
	require.Contains(m, slices.Concat([]Outcome{Waiting, InDoubt, Failed, Skipped}, []Outcome{m.kind.Done(), m.kind.Nothing()}), s.Rest)
	switch {
	case s.Rest.Open():
		require.Less(m, len(own), len(s.Accounts), "somebody is open")
		require.NotEmpty(m, s.Next)
	default:
		require.Empty(m, s.Next)
	}
	if s.Rest == InDoubt {
		require.Equal(m, tim.GetTags, s.Next, "nothing is sent again without looking")
	}
	if s.Next == tim.GetTags || !m.kind.Tagged() {
		require.Empty(m, s.Change)
	}
	if s.Command == tim.GetTags && s.Next != tim.GetTags {
		require.Contains(m, []tim.Command{m.kind.Command(), ""}, s.Next)
		m.checkChange(s, own, read)
	}
}

// checkChange keeps what is to be sent within what the service takes, and what was read.
func (m *model) checkChange(s Settlement, own map[int64]bool, read map[string][]string) {
	for seq := range s.Change {
		require.False(m, own[seq], "account %d is settled", seq)
	}
	for _, p := range s.Accounts {
		if own[p.Seq] || s.Rest != Waiting {
			continue
		}
		has, change := read[p.Account], s.Change[p.Seq]
		if m.kind == Clear {
			require.NotEmpty(m, has)
			continue
		}
		require.NotEmpty(m, change)
		require.LessOrEqual(m, len(change), tim.MaxTags)
		require.Len(m, slices.Compact(slices.Sorted(slices.Values(change))), len(change), "each once")
		for _, tag := range change {
			require.Contains(m, snapshot.Chosen(m.wanted[p.Seq], m.only), tag)
			require.Equal(m, m.kind == RemoveTags, slices.Contains(has, tag), "only what it lacks is added, only what it has is removed")
		}
	}
}

// settle writes down what the store would.
func (m *model) settle(p *modelPart, s Settlement) {
	maps.Copy(m.kept, s.Found)
	if s.Answer.Delivery == tim.NotSent && s.Command != tim.GetTags {
		p.Touched = s.Touched
	}
	if s.Stop {
		m.policy = snapshot.Merge // a person goes on
	}
	for _, o := range s.Own {
		m.own[o.Seq] = o
	}
	p.Accounts = slices.DeleteFunc(slices.Clone(p.Accounts), func(p Pending) bool { _, own := m.own[p.Seq]; return own })
	p.outcome, p.code, p.next, p.Tries, p.Lost, p.Change, p.ask = s.Rest, s.Code, s.Next, s.Tries, s.Lost, s.Change, s.Ask
	if s.Halt != 0 { // a person resumes
		p.Tries, p.code = 0, 0
	}
	n := max(1, min(s.Parts, len(p.Accounts)))
	for i := 1; i < n; i++ {
		part := *p
		part.Accounts = p.Accounts[i*len(p.Accounts)/n : (i+1)*len(p.Accounts)/n]
		m.parts = append(m.parts, &part)
	}
	p.Accounts = p.Accounts[:len(p.Accounts)/n]
}

// outcomes are those of all accounts in the end.
func (m *model) outcomes() map[int64]Own {
	all := maps.Clone(m.own)
	for _, p := range m.parts {
		for _, a := range p.Accounts {
			_, twice := all[a.Seq]
			require.False(m, twice)
			all[a.Seq] = Own{Seq: a.Seq, Outcome: p.outcome, Code: p.code}
		}
	}
	return all
}
