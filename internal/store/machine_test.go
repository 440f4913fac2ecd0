package store_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

// machine is what a test knows of a job that it drives: each claim must fit it.
type machine struct {
	s       *store.Store
	j       jobs.Job
	wanted  map[int64][]string
	found   map[int64][]string    // tags of before, by place
	ready   map[int64]ready       // accounts that may be changed, for a while
	touched map[int64]bool        // accounts a change may have left for
	taken   map[int64]string      // accounts a call is under way for
	held    map[string]jobs.Claim // claims that are not settled, some of them expired
	since   map[string]time.Time  // when they were made
	jumped  time.Duration
}

// ready is what a reading of an account has led to.
type ready struct {
	at     time.Time
	change []string
}

func (m *machine) now() time.Time { return time.Now().Add(m.jumped) }

// anyJob starts a job of any kind, of an app that keeps and verifies as it likes.
func anyJob(r *rapid.T, s *store.Store) *machine {
	kind := rapid.SampledFrom([]jobs.Kind{jobs.Clear, jobs.Clear, jobs.Inspect, jobs.Restore, jobs.AddTags, jobs.RemoveTags}).Draw(r, "kind")
	keep, share := rapid.IntRange(0, 1).Draw(r, "keep"), rapid.SampledFrom([]snapshot.Share{0, snapshot.All / 2, snapshot.All}).Draw(r, "verify")
	require.NoError(r, s.Exec(ctx, `UPDATE apps SET snapshot = $1, verify_share = $2`, keep, share))
	n := rapid.IntRange(1, 450).Draw(r, "accounts")
	m := &machine{s: s, wanted: map[int64][]string{}, found: map[int64][]string{}, ready: map[int64]ready{}, touched: map[int64]bool{},
		taken: map[int64]string{}, held: map[string]jobs.Claim{}, since: map[string]time.Time{}}
	uploaded := kind
	if kind == jobs.Restore { // which is made of another job; for the engine it is this
		uploaded = jobs.AddTags
	}
	var file strings.Builder
	name := startedJobs.Add(1)
	file.WriteString("account,tags\n")
	for i := range n {
		fmt.Fprintf(&file, "any%d_%d,vip;t%d\n", name, i, i%7)
		if kind.Tagged() {
			m.wanted[int64(i+1)] = []string{"vip", fmt.Sprintf("t%d", i%7)}
		}
	}
	j, err := storetest.Draft(s, operator, store.NewJob{Kind: uploaded}, file.String())
	require.NoError(r, err)
	require.NoError(r, s.Exec(ctx, `UPDATE jobs SET kind = $2 WHERE id = $1`, j.ID, kind))
	m.j = start(r, s, j)
	require.Equal(r, keep == 1 || kind != jobs.Clear, m.j.Snapshot)
	return m
}

func (m *machine) readsFirst() bool { return m.j.Kind.First(m.j.Snapshot) == tim.GetTags }

// claim claims and holds what it gets to what is known.
func (m *machine) claim(r *rapid.T, command tim.Command, limit int) {
	before, err := m.s.Job(ctx, m.j.ID)
	require.NoError(r, err)
	for _, c := range claimNow(r, m.s, command, limit) {
		if c.JobID != m.j.ID {
			continue // of an earlier run
		}
		require.NotEmpty(r, c.Accounts)
		require.Equal(r, []any{m.j.Kind, m.j.Snapshot, command}, []any{c.Kind, c.Snapshot, c.Command})
		m.held[c.Call], m.since[c.Call] = c, m.now()
		known := map[int64][]string{}
		for _, p := range c.Accounts {
			require.Empty(r, m.taken[p.Seq], "account %d is in two calls", p.Seq)
			m.taken[p.Seq] = c.Call
			if tags, is := m.found[p.Seq]; is {
				known[p.Seq] = tags
			}
			require.Equal(r, m.wanted[p.Seq], c.Wanted[p.Seq])
			if !c.Verify { // which is also of accounts that were settled before others of their batch
				require.Equal(r, m.touched[p.Seq], c.Touched, "account %d", p.Seq)
			}
			if command == tim.GetTags || !m.readsFirst() {
				continue
			}
			is, read := m.ready[p.Seq]
			require.True(r, read, "account %d is changed and was not read", p.Seq)
			require.Less(r, m.now().Sub(is.at), time.Minute+time.Second, "account %d was read too long ago", p.Seq)
			require.Equal(r, is.change, c.Change[p.Seq])
		}
		switch {
		case c.Was == jobs.InDoubt:
			require.Equal(r, tim.GetTags, command)
		case before.State == jobs.Cancelled || before.State == jobs.Paused || before.State == jobs.Halted:
			require.Fail(r, "a call was made though the job is "+string(before.State))
		case c.Verify:
			require.Zero(r, before.Counts[jobs.Waiting]+before.Counts[jobs.Sending], "verified before it was all settled")
			m.requireDone(r, c)
		default:
			require.Equal(r, jobs.Waiting, c.Was)
		}
		if command == tim.GetTags && c.Touched && !c.Verify {
			for _, p := range c.Accounts {
				require.Equal(r, known[p.Seq], c.Known[p.Seq])
			}
		}
	}
}

// requireDone holds a verification to be of accounts that were changed.
func (m *machine) requireDone(r *rapid.T, c jobs.Claim) {
	outcomes := map[string]jobs.Outcome{}
	for a, err := range m.s.Results(ctx, m.j.ID, "") {
		require.NoError(r, err)
		outcomes[a.Account.Account] = a.Outcome
	}
	for _, p := range c.Accounts {
		require.Equal(r, m.j.Kind.Done(), outcomes[p.Account])
	}
}

// settle settles a claim; what it says counts only while the batch is still its own.
func (m *machine) settle(r *rapid.T, st jobs.Settlement) {
	now, err := m.s.Job(ctx, m.j.ID)
	require.NoError(r, err)
	counts, err := m.s.Count(ctx, `SELECT COUNT(*) FROM batches WHERE job_id = $1 AND lease = $2`, m.j.ID, st.Call)
	require.NoError(r, err)
	settle(r, m.s, st)
	delete(m.held, st.Call)
	for _, p := range st.Accounts {
		if m.taken[p.Seq] == st.Call {
			delete(m.taken, p.Seq)
		}
	}
	if counts == 0 {
		return
	}
	maps.Copy(m.found, st.Found)
	for _, p := range st.Accounts {
		own := slices.ContainsFunc(st.Own, func(o jobs.Own) bool { return o.Seq == p.Seq })
		switch {
		case st.Command != tim.GetTags && st.Answer.Delivery != tim.NotSent:
			m.touched[p.Seq] = true
		case slices.Contains(st.Reopen, p.Seq):
			m.touched[p.Seq] = true
		case st.Command != tim.GetTags: // an answer that came late says that it never left
			m.touched[p.Seq] = st.Touched
		}
		switch {
		case own || st.Rest != jobs.Waiting || st.Next == tim.GetTags || now.State == jobs.Cancelled:
			delete(m.ready, p.Seq)
		case st.Command == tim.GetTags:
			m.ready[p.Seq] = ready{m.now(), st.Change[p.Seq]}
		}
	}
}

// expire ends the leases of calls, of all or of those that were made long ago.
func (m *machine) expire(r *rapid.T, all bool) {
	_, err := m.s.Expire(ctx, storetest.App.ID, all, time.Millisecond)
	require.NoError(r, err)
	for call, c := range m.held {
		if !all && m.now().Sub(m.since[call]) < lease {
			continue
		}
		for _, p := range c.Accounts {
			if m.taken[p.Seq] != call {
				continue // it had expired before
			}
			delete(m.taken, p.Seq)
			if c.Command != tim.GetTags {
				m.touched[p.Seq] = true
				delete(m.ready, p.Seq)
			}
		}
	}
}

func (m *machine) pass(d time.Duration) {
	m.jumped += d
	m.s.Jump(d)
}

// finish brings the job to its end, as well as all goes.
func (m *machine) finish(r *rapid.T) jobs.Job {
	for range 100 {
		m.expire(r, true)
		m.held = map[string]jobs.Claim{}
		j, err := m.s.Job(ctx, m.j.ID)
		require.NoError(r, err)
		if !j.FinishedAt.IsZero() {
			return j
		}
		if j.May(jobs.Resume) {
			_, err := m.s.Resume(ctx, operator, j.ID, snapshot.Skip)
			require.NoError(r, err)
		}
		if _, err := m.s.Decide(ctx, operator, j.ID, jobs.Leave); err != nil {
			require.True(r, jobs.FaultNothingAsked.Is(err), "%v", err)
		}
		m.pass(2 * time.Second)
		for _, command := range tim.Commands {
			m.claim(r, command, 9)
			for _, c := range m.held {
				st := cleared(c)
				switch {
				case c.Verify:
					st.Rest, st.Read = c.Was, int64(len(c.Accounts))
				case c.Was == jobs.Waiting && command == tim.GetTags && m.j.Kind != jobs.Inspect:
					st = m.planned(c)
				default:
					st.Rest = m.j.Kind.Done()
				}
				st.GoOn = true
				m.settle(r, st)
			}
		}
	}
	require.Fail(r, "the job does not come to its end")
	return jobs.Job{}
}

// planned is a reading after which every account is to be changed.
func (m *machine) planned(c jobs.Claim) jobs.Settlement {
	st := jobs.Settlement{Claim: c, Answer: answered(0), Rest: jobs.Waiting, Next: c.Kind.Command()}
	if c.Kind.Tagged() {
		st.Change = map[int64][]string{}
		for _, p := range c.Accounts {
			st.Change[p.Seq] = []string{fmt.Sprint("x", p.Seq)}
		}
	}
	return st
}

// Whatever happens to a job of any kind, in whatever order: its rows and outcomes
// add up, no account is in two calls, nothing is changed that was not read just
// now, every claim is told what is known, and the job can be brought to its end.
func TestAJobOfAnyKindKeepsToItsRules(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		rapid.Check(t, func(r *rapid.T) {
			m := anyJob(r, s)
			ignore := func(any, error) {}
			read := func(r *rapid.T) { m.claim(r, tim.GetTags, 3) }
			change := func(r *rapid.T) {
				if command := m.j.Kind.Command(); command != "" {
					m.claim(r, command, 3)
				}
			}
			settle := func(r *rapid.T) {
				for _, call := range slices.Sorted(maps.Keys(m.held)) {
					if rapid.IntRange(0, 3).Draw(r, "settle") > 0 {
						m.settle(r, anySettlementOf(r, m, m.held[call]))
					}
				}
			}
			pass := func(r *rapid.T) {
				m.pass(rapid.SampledFrom([]time.Duration{time.Second, 40 * time.Second, 70 * time.Second}).Draw(r, "passes"))
				if rapid.Bool().Draw(r, "looked at") {
					m.expire(r, false)
				}
			}
			round := func(r *rapid.T) { // as a job mostly goes, and at times something happens in between
				for _, step := range []func(*rapid.T){read, settle, change, settle} {
					step(r)
					if rapid.IntRange(0, 7).Draw(r, "between") == 0 {
						pass(r)
					}
				}
			}
			r.Repeat(map[string]func(*rapid.T){
				"read": read, "change": change, "settle": settle, "time": pass, "round": round, "one more round": round, "yet another": round, "and another": round,
				"expire": func(r *rapid.T) { m.expire(r, true) },
				"decide": func(r *rapid.T) {
					ignore(s.Decide(ctx, operator, m.j.ID, rapid.SampledFrom([]jobs.Decision{jobs.Again, jobs.Leave, jobs.ReadBack}).Draw(r, "decision")))
				},
				"act": func(r *rapid.T) {
					switch act := rapid.SampledFrom([]jobs.Action{jobs.Pause, jobs.Resume, jobs.Resume, jobs.Resume, jobs.Cancel}).Draw(r, "act"); act {
					case jobs.Resume:
						ignore(s.Resume(ctx, operator, m.j.ID, snapshot.Merge))
					default:
						ignore(s.ActOnJob(ctx, operator, m.j.ID, act))
					}
				},
				"": func(r *rapid.T) { requireSums(r, s) },
			})
			j := m.finish(r)
			requireSums(r, s)
			require.Zero(r, j.Verify.Left)
			kept, err := s.Count(ctx, `SELECT COUNT(*) FROM snapshots WHERE job_id = $1`, j.ID)
			require.NoError(r, err)
			if !j.Snapshot {
				require.Zero(r, kept)
			}
			require.NoError(r, s.Exec(ctx, `UPDATE apps SET probe_at = 0`)) // takes no part in the next run
		})
	})
}

// anySettlementOf is one that the rules might come to.
func anySettlementOf(r *rapid.T, m *machine, c jobs.Claim) jobs.Settlement {
	st := jobs.Settlement{Claim: c, Answer: answered(0), Rest: c.Was, Next: c.Command, Change: c.Change, Lost: c.Lost, Tries: c.Tries}
	how := rapid.SampledFrom([]string{"not sent", "later", "lost", "done", "some", "some", "some", "parts", "ask", "stop"}).Draw(r, "how")
	tries := rapid.IntRange(1, 3).Draw(r, "tries")
	wait := time.Duration(rapid.IntRange(0, 2).Draw(r, "wait")) * time.Millisecond
	some := c.Accounts[:rapid.IntRange(0, len(c.Accounts)-1).Draw(r, "some")] // never all
	reads := c.Command == tim.GetTags
	if reads && !c.Verify && how != "not sent" && how != "lost" && (m.j.Snapshot || c.Was == jobs.InDoubt) {
		st.Found = map[int64][]string{}
		for _, p := range c.Accounts[len(c.Accounts)/2:] {
			st.Found[p.Seq] = []string{rapid.SampledFrom([]string{"vip", "gold", "北京"}).Draw(r, "tag")}
		}
	}
	owning := func(outcomes ...jobs.Outcome) {
		for _, p := range some {
			st.Own = append(st.Own, jobs.Own{Seq: p.Seq, Outcome: rapid.SampledFrom(outcomes).Draw(r, "own"), Code: 1})
		}
	}
	switch {
	case how == "not sent":
		st.Answer = tim.Answer{Delivery: tim.NotSent}
	case how == "lost" && !reads:
		st.Answer, st.Rest, st.Next, st.Change, st.Lost, st.Wait = tim.Answer{Delivery: tim.Lost}, jobs.InDoubt, tim.GetTags, nil, c.Lost+1, wait
	case how == "later", how == "lost":
		st.Tries, st.Wait = tries, wait
	case c.Verify:
		st.Next, st.Read = "", int64(len(c.Accounts))
		for _, p := range some {
			st.Reopen = append(st.Reopen, p.Seq)
		}
	case how == "parts":
		st.Parts = rapid.IntRange(2, 5).Draw(r, "parts")
		if c.Kind.Tagged() {
			st.Next, st.Change = tim.GetTags, nil
		}
	case how == "ask" && c.Was == jobs.InDoubt:
		st.Ask, st.Code = true, rapid.SampledFrom([]int{0, jobs.CodeLost, 70403}).Draw(r, "code")
		owning(c.Kind.Done())
	case how == "stop" && reads && c.Kind.Tagged():
		st.Rest, st.Stop, st.HaltInfo, st.Found = jobs.Waiting, true, "ann", nil
	case how == "some" && reads && c.Kind != jobs.Inspect:
		found := st.Found
		st = m.planned(c)
		st.Found = found
		owning(c.Kind.Nothing(), c.Kind.Done(), jobs.Failed)
		for _, p := range some {
			delete(st.Change, p.Seq)
		}
	case how == "some" && c.Kind.Tagged():
		st.Rest, st.Next, st.Change = jobs.Waiting, tim.GetTags, nil
		owning(c.Kind.Done())
	default:
		st.Rest, st.Next, st.Change = rapid.SampledFrom([]jobs.Outcome{c.Kind.Done(), c.Kind.Nothing(), jobs.Failed}).Draw(r, "rest"), "", nil
		owning(c.Kind.Done(), jobs.Failed)
	}
	return st
}
