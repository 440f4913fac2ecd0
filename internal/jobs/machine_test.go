package jobs_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
)

// machine is a job that a test drives, and the batches of it that are in hand.
type machine struct {
	s     *jobstest.Console
	id    string
	kind  jobs.Kind
	n     int64 // batches
	hands map[int64]*jobstest.Hand
	sent  map[int64]bool // of those in hand: a call that changes tags may have left
}

// anyJob starts a job of any kind, of an app that is as careful as it likes.
func anyJob(r *rapid.T, s *jobstest.Console) *machine {
	kind := rapid.SampledFrom([]jobs.Kind{jobs.Clear, jobs.Clear, jobs.Inspect, jobs.AddTags, jobs.RemoveTags}).Draw(r, "kind")
	require.NoError(r, s.DB.Exec(ctx,
		`UPDATE apps SET canary = $1, failure_limit = $2, verify_share = $3, snapshot = $4, probe_at = 0`,
		rapid.IntRange(0, 1).Draw(r, "careful"), rapid.SampledFrom([]int{1, 20, 100}).Draw(r, "limit"),
		rapid.SampledFrom([]int{0, 500_000}).Draw(r, "verify"), rapid.IntRange(0, 1).Draw(r, "keep")))
	var file strings.Builder
	file.WriteString("user_id,tags\n")
	name, n := jobstest.Serial(), rapid.IntRange(1, 450).Draw(r, "accounts")
	for i := range n {
		fmt.Fprintf(&file, "any%d_%d,vip\n", name, i)
	}
	j, err := jobstest.Draft(s, operator, jobs.Upload{Kind: kind}, file.String())
	require.NoError(r, err)
	j = start(r, s, j)
	require.Equal(r, []any{jobs.Queued, int64(n)}, []any{j.State, j.Counts[jobs.Waiting]})
	return &machine{s: s, id: j.ID, kind: kind, n: j.Batches, hands: map[int64]*jobstest.Hand{}, sent: map[int64]bool{}}
}

// now is the job as it stands, but for how often it was written.
func (m *machine) now(r *rapid.T) jobs.Job {
	j := jobNow(r, m.s, m.id)
	j.Version = 0
	return j
}

// person lets a person act, which counts when it fits and changes nothing else.
func (m *machine) person(a jobs.Action) func(r *rapid.T) {
	return func(r *rapid.T) {
		if a == jobs.Cancel && rapid.IntRange(0, 4).Draw(r, "rarely") > 0 {
			r.Skip()
		}
		before := m.now(r)
		to, fits := before.State.Next(a)
		fits = fits && a != jobs.StartNow // it waits for no time
		var after jobs.Job
		var err error
		if a == jobs.Resume {
			after, err = m.s.Resume(ctx, operator, m.id, snapshot.Skip)
		} else {
			after, err = m.s.Act(ctx, operator, m.id, a)
		}
		m.came(r, before, after, to, fits, err)
	}
}

func (m *machine) came(r *rapid.T, before, after jobs.Job, to jobs.State, fits bool, err error) {
	now := m.now(r)
	if !fits {
		require.True(r, jobs.FaultWrongState.Is(err), "%v", err)
		require.Equal(r, before, now)
		return
	}
	require.NoError(r, err)
	after.Version = 0
	require.Equal(r, now, after)
	switch {
	case now.Counts.Open() == 0:
	case now.State == jobs.Halted && now.HaltCode == jobs.CodeFailures && to == jobs.Queued: // what failed while it stood still
	default:
		require.Equal(r, to, now.State)
	}
}

func (m *machine) take(r *rapid.T) {
	number := rapid.Int64Range(1, m.n).Draw(r, "batch")
	before := m.now(r)
	h, err := m.s.Take(ctx, m.id, number)
	require.NoError(r, err)
	if h == nil {
		require.Equal(r, before, m.now(r))
		return
	}
	require.Nil(r, m.hands[number], "in two hands")
	m.hands[number], m.sent[number] = h, false
	if before.State == jobs.Queued {
		require.Equal(r, jobs.Running, m.now(r).State)
	} else {
		require.Equal(r, before.State, m.now(r).State)
	}
}

// inHand is any batch that is in hand.
func (m *machine) inHand(r *rapid.T) (number int64, h *jobstest.Hand) {
	numbers := slices.Sorted(maps.Keys(m.hands))
	if len(numbers) == 0 {
		r.Skip()
	}
	number = rapid.SampledFrom(numbers).Draw(r, "in hand")
	return number, m.hands[number]
}

func (m *machine) send(r *rapid.T) {
	number, h := m.inHand(r)
	command := string(m.kind.Command())
	if command == "" || rapid.Bool().Draw(r, "reads") {
		command = "get_tags"
	}
	require.NoError(r, h.Send(ctx, command))
	m.sent[number] = m.sent[number] || command != "get_tags"
}

func (m *machine) settle(r *rapid.T) {
	number, h := m.inHand(r)
	c := jobstest.Came{Rest: jobs.Waiting, Code: rapid.IntRange(0, 1).Draw(r, "code") * 70107}
	ends := []jobs.Outcome{m.kind.Nothing(), jobs.Failed}
	if m.sent[number] || m.kind == jobs.Inspect {
		ends = append(ends, m.kind.Done(), m.kind.Done())
	}
	switch how := rapid.SampledFrom([]string{"done", "done", "later", "lost", "ask", "not sent"}).Draw(r, "how"); {
	case how == "done":
		c.Rest = rapid.SampledFrom(ends).Draw(r, "rest")
	case how == "not sent":
		c.Rest, c.Delivery = h.Was, "not_sent"
	case how == "ask" && (m.sent[number] || h.Was == jobs.InDoubt):
		c.Rest, c.Ask = jobs.InDoubt, true
	case how == "lost" && (m.sent[number] || h.Was == jobs.InDoubt), h.Was == jobs.InDoubt:
		c.Rest, c.Delivery = jobs.InDoubt, "lost"
	}
	for _, seq := range h.Seqs[1:] { // never all
		if c.Delivery != "not_sent" && rapid.IntRange(0, 9).Draw(r, "own") == 0 {
			c.Own = append(c.Own, jobstest.Own{Seq: seq, Outcome: rapid.SampledFrom(ends).Draw(r, "outcome"), Code: 70107})
		}
	}
	require.NoError(r, h.Settle(ctx, c))
	delete(m.hands, number)
}

func (m *machine) lose(r *rapid.T) {
	number, h := m.inHand(r)
	require.NoError(r, h.Lose(ctx))
	delete(m.hands, number)
}

// halt lets the job halt: what needs a person outranks what does not.
func (m *machine) halt(r *rapid.T) {
	before := m.now(r)
	code := rapid.SampledFrom([]int{jobs.CodeDown, jobs.CodeLostAnswers, 60020, jobs.CodeGained, jobs.CodeUnreadable}).Draw(r, "code")
	require.NoError(r, m.s.Halts(ctx, m.id, code, "why"))
	after := m.now(r)
	switch {
	case before.State == jobs.Queued || before.State == jobs.Running,
		before.State == jobs.Halted && jobs.Recovers(before.HaltCode) && !jobs.Recovers(code):
		require.Equal(r, []any{jobs.Halted, code, "why"}, []any{after.State, after.HaltCode, after.HaltInfo})
	default:
		require.Equal(r, before, after)
	}
}

func (m *machine) recover(r *rapid.T) {
	before := m.now(r)
	require.NoError(r, m.s.Recovers(ctx))
	after := m.now(r)
	if before.State == jobs.Halted && jobs.Recovers(before.HaltCode) {
		require.Equal(r, []any{jobs.Queued, 0}, []any{after.State, after.HaltCode})
	} else {
		require.Equal(r, before, after)
	}
}

func (m *machine) decide(r *rapid.T) {
	asked, err := m.s.NeedsReview(ctx, m.id)
	require.NoError(r, err)
	before := m.now(r)
	d := rapid.SampledFrom([]jobs.Decision{jobs.Retry, jobs.Leave, jobs.ReadBack}).Draw(r, "decision")
	n, err := m.s.Decide(ctx, operator, m.id, d)
	switch {
	case d == jobs.Retry && before.State == jobs.Cancelled:
		require.True(r, jobs.FaultDecision.Is(err), "%v", err)
	case asked.Sum() == 0:
		require.True(r, jobs.FaultNothingAsked.Is(err), "%v", err)
	default:
		require.NoError(r, err)
		require.Equal(r, asked.Sum(), n)
	}
}

// protect takes some accounts out of a batch that waits in nobody's hand.
func (m *machine) protect(r *rapid.T) {
	number := rapid.Int64Range(1, m.n).Draw(r, "batch")
	h, err := m.s.Take(ctx, m.id, number)
	require.NoError(r, err)
	if h == nil {
		return
	}
	was, state := h.Was, m.now(r).State
	require.NoError(r, h.Settle(ctx, jobstest.Came{Rest: was, Delivery: "not_sent"}))
	if was != jobs.Waiting || state == jobs.Cancelled {
		return
	}
	before := m.now(r)
	some := h.Seqs[:rapid.IntRange(1, len(h.Seqs)).Draw(r, "protected")]
	at := rapid.IntRange(0, len(some)).Draw(r, "of them sent")
	setAside(r, m.s, m.id, number, some[at:], some[:at])
	after := m.now(r)
	require.Equal(r, []int64{before.Protected + int64(len(some)-at), before.Counts[jobs.Failed] + int64(at)},
		[]int64{after.Protected, after.Counts[jobs.Failed]})
}

// require holds what is true of every job at every moment.
func (m *machine) require(r *rapid.T) {
	requireSums(r, m.s)
	j := m.now(r)
	require.Equal(r, j.Counts.Open() == 0, !j.FinishedAt.IsZero(), "%+v", j)
	require.Equal(r, j.Counts.Open() == 0, j.Settled(), "%+v", j)
	require.Equal(r, j.State == jobs.Halted, j.HaltCode != 0, "%+v", j)
	count := func(query string) int64 {
		n, err := m.s.Count(ctx, query, m.id)
		require.NoError(r, err)
		return n
	}
	require.Equal(r, int64(len(m.hands)), count(`SELECT COUNT(*) FROM batches WHERE job_id = $1 AND console <> ''`))
	if j.State == jobs.Cancelled {
		require.Zero(r, count(`SELECT COUNT(*) FROM batches WHERE job_id = $1 AND outcome = 'waiting' AND console = ''`), "what waits has ended")
		require.Zero(r,
			count(`SELECT COUNT(*) FROM batches b JOIN jobs j ON j.id = b.job_id WHERE b.job_id = $1 AND b.outcome = `+
				`'cancelled' AND b.accounts > 0 AND b.sent = 1 AND j.kind <> 'clear'`),
			"where some tags may have been changed they are read first")
	}
	require.Equal(r, !j.FinishedAt.IsZero(),
		slices.Contains(codes(r, m.s, audit.Filter{JobID: m.id, Code: audit.JobFinished}), audit.JobFinished))
}

// finish brings the job to its end, as well as all goes.
func (m *machine) finish(r *rapid.T) {
	for _, h := range m.hands {
		require.NoError(r, h.Lose(ctx))
	}
	m.hands = map[int64]*jobstest.Hand{}
	for range 20 {
		j := m.now(r)
		if j.Settled() {
			return
		}
		if j.May(jobs.Resume) {
			_, err := m.s.Resume(ctx, operator, m.id, snapshot.Skip)
			require.NoError(r, err)
		}
		if _, err := m.s.Decide(ctx, operator, m.id, jobs.Leave); err != nil {
			require.True(r, jobs.FaultNothingAsked.Is(err), "%v", err)
		}
		for number := int64(1); number <= m.n; number++ {
			if h, err := m.s.Take(ctx, m.id, number); h != nil {
				require.NoError(r, err)
				require.NoError(r, h.Settle(ctx, jobstest.Came{Rest: m.kind.Nothing()}))
			}
		}
	}
	require.Fail(r, "the job does not come to its end")
}

// Whatever people and consoles do to a job of any kind, in whatever order: each
// action does what the table of states says, or nothing; its rows and outcomes add
// up at every commit; and it can be brought to its end.
func TestAJobOfAnyKindKeepsToItsRules(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		rapid.Check(t, func(r *rapid.T) {
			m := anyJob(r, s)
			r.Repeat(map[string]func(*rapid.T){
				"take": m.take, "take one": m.take, "take another": m.take, "send": m.send, "send more": m.send, "settle": m.settle,
				"settle more": m.settle,
				"lose":        m.lose, "halt": m.halt, "recover": m.recover, "decide": m.decide, "protect": m.protect,
				"pause": m.person(jobs.Pause), "resume": m.person(jobs.Resume), "resume again": m.person(jobs.Resume), "cancel": m.person(jobs.Cancel),
				"start now": m.person(jobs.StartNow), "": m.require,
			})
			m.finish(r)
			m.require(r)
		})
	})
}
