package engine

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// model is one batch and the tags its accounts have at the service.
type model struct {
	*rapid.T
	b     *batch
	had   map[string][]string
	tags  map[string][]string
	calls int
}

func drawTags(t *rapid.T, label string) []string {
	most := rapid.SampledFrom([]int{0, 1, 3, 10, 12, 30, 100}).Draw(t, label+": most")
	first, all := rapid.IntRange(0, 119).Draw(t, label+": first"), someTags(120)
	var tags []string
	for n := range rapid.IntRange(0, most).Draw(t, label+": count") {
		tags = append(tags, all[(first+n)%len(all)])
	}
	return tags
}

func newModel(t *rapid.T, kind jobs.Kind) *model {
	m := &model{T: t, had: map[string][]string{}, tags: map[string][]string{}}
	var accounts []*account
	for i := range rapid.IntRange(1, 12).Draw(t, "accounts") {
		a := &account{name: fmt.Sprint("account", i)}
		m.had[a.name] = drawTags(t, "has")
		m.tags[a.name] = m.had[a.name]
		if kind.Tagged() {
			a.wanted = drawTags(t, "wanted")
		}
		accounts = append(accounts, a)
	}
	m.b = readBatch(kind, jobs.Waiting, accounts...)
	m.b.job.policy = rapid.SampledFrom([]snapshot.Policy{snapshot.Merge, snapshot.Skip, snapshot.Stop}).Draw(t, "policy")
	if kind == jobs.Restore || kind == jobs.RemoveTags {
		m.b.job.only = rapid.SampledFrom([][]string{nil, someTags(40), {}}).Draw(t, "only")
	}
	return m
}

// claim claims the batch, reads it and plans. A person continues where a restore stops.
func (m *model) claim(was jobs.Outcome) {
	m.b.claimedAs = was
	var open []*account
	for _, a := range m.b.accounts {
		if a.open() {
			a.lostCall, a.change, a.now, a.listed, a.unsaved = false, nil, m.tags[a.name], true, false
			open = append(open, a)
		}
	}
	if end := plan(m.b); end != nil {
		require.Equal(m, []any{jobs.CodeGained, snapshot.Stop}, []any{end.halt, m.b.job.policy})
		m.b.job.policy = snapshot.Merge
		require.Nil(m, plan(m.b))
	}
	for _, a := range open {
		require.False(m, a.needsReview, "nobody else tags them")
	}
}

// change makes the next call: what it is to do has to be just what is needed.
func (m *model) change(todo []*account) {
	m.calls++
	for i, next := range changes(todo) {
		a, has := todo[i], m.tags[next.Account]
		if m.b.job.kind == jobs.Clear {
			require.Subset(m, a.before, has, "what is removed is kept")
			m.tags[a.name] = nil
			continue
		}
		require.NotEmpty(m, next.Tags, "nothing is sent that is as wanted")
		require.LessOrEqual(m, len(next.Tags), tim.MaxTags)
		for _, tag := range next.Tags {
			require.Contains(m, m.b.target(a), tag)
			require.Equal(m, m.b.job.kind == jobs.RemoveTags, slices.Contains(has, tag), "only what it lacks is added, only what it has is removed")
		}
		if m.b.job.kind == jobs.RemoveTags {
			m.tags[a.name], _ = snapshot.Missing(has, next.Tags)
		} else {
			m.tags[a.name] = slices.Concat(has, next.Tags)
		}
	}
}

// want is what becomes of an account that nobody else changes.
func (m *model) want(a *account) (outcomes []jobs.Outcome, tags []string) {
	kind, had, target := m.b.job.kind, m.had[a.name], m.b.target(a)
	nothing := []jobs.Outcome{kind.Nothing(), kind.Done()} // done when a call may have left for its batch
	missing, _ := snapshot.Missing(target, had)
	_, gained := snapshot.Missing(a.wanted, had)
	left, _ := snapshot.Missing(had, target)
	switch {
	case kind == jobs.Inspect && len(had) > 0:
		return []jobs.Outcome{jobs.Inspected}, had
	case kind == jobs.Inspect:
		return []jobs.Outcome{jobs.Untagged}, had
	case kind == jobs.Clear && len(had) > 0:
		return []jobs.Outcome{jobs.Cleared}, nil
	case kind == jobs.Clear:
		return nothing, nil
	case kind == jobs.RemoveTags && len(left) == len(had):
		return nothing, had
	case kind == jobs.RemoveTags:
		return []jobs.Outcome{jobs.Changed}, left
	case len(missing) == 0:
		return nothing, had
	case kind == jobs.Restore && m.b.job.policy == snapshot.Skip && len(gained) > 0:
		return []jobs.Outcome{jobs.Skipped}, had
	case len(had)+len(missing) > max(tim.MaxStored, len(a.wanted)):
		return []jobs.Outcome{jobs.Failed}, had
	}
	return []jobs.Outcome{kind.Done()}, slices.Concat(had, missing)
}

func (m *model) requireWanted() {
	for _, a := range m.b.accounts {
		outcomes, tags := m.want(a)
		require.Contains(m, outcomes, a.outcome, "%s had %d tags", a.name, len(m.had[a.name]))
		require.ElementsMatch(m, tags, m.tags[a.name])
	}
}

// A batch needs as many calls as its account with the most tags to change.
func TestABatchTakesTheFewestCalls(t *testing.T) {
	for _, kind := range jobs.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := newModel(t, kind)
				m.claim(jobs.Waiting)
				least := 0
				for _, a := range m.b.accounts {
					_, tags := m.want(a)
					add, remove := snapshot.Missing(tags, m.had[a.name])
					if n := len(add) + len(remove); kind == jobs.Clear {
						least = max(least, min(n, 1))
					} else {
						least = max(least, (n+tim.MaxTags-1)/tim.MaxTags)
					}
				}
				for todo := toChange(m.b); len(todo) > 0; todo = toChange(m.b) {
					m.change(todo)
					require.Nil(t, (&Engine{}).recordChanged(t.Context(), m.b, todo, code(0)))
				}
				require.Equal(t, least, m.calls)
				m.requireWanted()
			})
		})
	}
}

// Whatever is lost on the way, carried out or not, or cut short, the tags are as
// wanted in the end, and each account has one outcome.
func TestLostCallsEndWithTheWantedTags(t *testing.T) {
	for _, kind := range jobs.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := newModel(t, kind)
				m.claim(jobs.Waiting)
				faults := rapid.IntRange(0, 9).Draw(t, "faults")
				for todo := toChange(m.b); len(todo) > 0; todo = toChange(m.b) {
					fault := ""
					if faults > 0 {
						fault = rapid.SampledFrom([]string{"", "lost before", "lost after", "cut"}).Draw(t, "fault")
						faults--
					}
					if fault != "cut" && fault != "lost before" {
						m.change(todo)
					}
					switch fault {
					case "":
						require.Nil(t, (&Engine{}).recordChanged(t.Context(), m.b, todo, code(0)))
						continue
					case "cut":
						m.claim(jobs.Waiting)
						continue
					}
					for _, a := range todo {
						a.maybeChanged, a.lostCall = true, true
					}
					require.Empty(t, toChange(m.b), "what is in doubt is not sent again")
					m.claim(jobs.InDoubt)
				}
				m.requireWanted()
			})
		})
	}
}

// opened is an engine without a database, whose gate is open for a job.
func opened(t *testing.T, id string) *Engine {
	e := &Engine{}
	e.gate = newGate(e)
	ended := t.Context().Done()
	open := func() {
		e.gate.heartbeatWritten(time.Now())
		e.gate.allow(job{id: id, state: jobs.Running}, time.Now())
	}
	open()
	go func() {
		for tick := time.NewTicker(pollEvery); ; {
			select {
			case <-ended:
				tick.Stop()
				return
			case <-tick.C:
				open()
			}
		}
	}()
	return e
}

// The others of the call are changed, and are not sent again with those.
func TestANamedAccountIsTriedThreeTimesMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann, bob, cid := listed("ann", "x"), listed("bob", "x"), listed("cid", "x")
		b := readBatch(jobs.Clear, jobs.Waiting, ann, bob, cid)
		e := opened(t, b.job.id)
		began := time.Now()
		var sent [][]string
		for todo := toChange(b); len(todo) > 0; todo = toChange(b) {
			answer := code(0)
			answer.AccountErrors = []tim.AccountError{{Account: "bob", Code: 91000, Info: "busy"}, {Account: "cid", Code: 70107, Info: "absent"}}
			sent = append(sent, names(todo))
			require.Nil(t, e.recordChanged(t.Context(), b, todo, answer))
		}
		require.Equal(t, [][]string{{"ann", "bob", "cid"}, {"bob"}, {"bob"}, {"bob"}}, sent)
		require.Equal(t, []jobs.Outcome{jobs.Cleared, jobs.Failed, jobs.Failed}, outcomes(b))
		require.Equal(t, []any{91000, "busy", 70107, "absent"}, []any{bob.code, bob.message, cid.code, cid.message})
		require.False(t, bob.maybeChanged, "the answer said that nothing was done for it")
		require.Greater(t, time.Since(began), firstBackOff, "a little later each time")
	})
}

func TestBackOffGrowsIsSpreadAndCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := readBatch(jobs.Clear, jobs.Waiting)
		e := opened(t, b.job.id)
		different := map[time.Duration]bool{}
		for tries := range 40 {
			began := time.Now()
			require.True(t, e.backOff(t.Context(), b, tries))
			full := min(maxBackOff, firstBackOff<<min(tries, 10))
			require.GreaterOrEqual(t, time.Since(began), full/2)
			require.LessOrEqual(t, time.Since(began), full)
			different[time.Since(began)] = true
		}
		require.Greater(t, len(different), 30)
	})
}

// The parts of a batch that was halved are read one after the other.
func TestABatchIsAsOldAsItsFirstReading(t *testing.T) {
	ann, bob := listed("ann"), listed("bob")
	b := readBatch(jobs.AddTags, jobs.Waiting, ann, bob)
	early, late := code(0), code(0)
	early.SentAt = time.Unix(1_000, 0)
	late.SentAt = early.SentAt.Add(maxReadAge)
	require.Nil(t, (&Engine{}).recordRead(t.Context(), b, b.accounts[:1], early, map[string][]string{"ann": nil}))
	require.Nil(t, (&Engine{}).recordRead(t.Context(), b, b.accounts[1:], late, map[string][]string{"bob": nil}))
	require.Equal(t, early.SentAt, b.readAt)
}
