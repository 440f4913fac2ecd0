package store_test

import (
	"fmt"
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
)

// torn is a batch whose calls a test invents: split anywhere, accounts settled
// alone or with the rest, read again in the end.
type torn struct {
	now   time.Time
	calls int
	truth map[int64][]string // the calls an account was in
	open  []tornPart
	done  []tornPart
	own   map[int64]jobs.Outcome
}

type tornPart struct {
	first, size int64
	pending     []int64
	outcome     jobs.Outcome
	at          time.Time
}

func (b *torn) call(r *rapid.T, s *store.Store, jobID string, first int64, command string, accounts []int64) {
	b.now = b.now.Add(time.Duration(rapid.IntRange(1, 3).Draw(r, "ms")) * time.Millisecond)
	b.calls++
	id := fmt.Sprintf("%s-%03d", jobID, b.calls)
	require.NoError(r, s.LedgerCall(ctx, jobID, id, 1, first, len(accounts), command, b.now))
	for _, seq := range accounts {
		b.truth[seq] = append(b.truth[seq], id)
	}
	b.now = b.now.Add(time.Duration(rapid.IntRange(0, 2).Draw(r, "ms")) * time.Millisecond)
}

func (b *torn) step(r *rapid.T, s *store.Store, j jobs.Job) {
	i := rapid.IntRange(0, len(b.open)-1).Draw(r, "part")
	p := b.open[i]
	b.open = slices.Delete(b.open, i, i+1)
	b.call(r, s, j.ID, p.first, rapid.SampledFrom([]string{"get_tags", "remove_all_tags"}).Draw(r, "command"), p.pending)
	var rest []int64
	for at, seq := range p.pending {
		if (at < len(p.pending)-1 || len(rest) > 0) && rapid.IntRange(0, 4).Draw(r, "own") == 0 {
			o := rapid.SampledFrom([]jobs.Outcome{jobs.Cleared, jobs.Failed, jobs.Untagged}).Draw(r, "outcome")
			b.own[seq] = o
			require.NoError(r, s.Exec(ctx, `INSERT INTO own_outcomes (job_id, seq, outcome, settled_at) VALUES ($1, $2, $3, $4)`, j.ID, seq, o, b.now.UnixMilli()))
			continue
		}
		rest = append(rest, seq)
	}
	p.pending = rest
	switch rapid.IntRange(0, 3).Draw(r, "then") {
	case 0:
		b.open = append(b.open, p)
	case 1:
		n := min(len(rest), rapid.IntRange(2, 4).Draw(r, "parts"))
		end := p.first + p.size
		for i := n - 1; i >= 0; i-- {
			some := rest[i*len(rest)/n : (i+1)*len(rest)/n]
			first := p.first
			if i > 0 {
				first = some[0]
			}
			b.open = append(b.open, tornPart{first: first, size: end - first, pending: some})
			end = first
		}
	default:
		p.outcome, p.at = rapid.SampledFrom([]jobs.Outcome{jobs.Cleared, jobs.Failed}).Draw(r, "outcome"), b.now
		b.done = append(b.done, p)
	}
}

func TestHistoryHoldsAnAccountsCalls(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.Keep(t, s, 10_000)
		rapid.Check(t, func(r *rapid.T) {
			n := rapid.IntRange(1, 14).Draw(r, "accounts")
			j, err := storetest.Draft(s, operator, store.NewJob{}, lines(n))
			require.NoError(r, err)
			b := &torn{now: time.Now().Add(-time.Hour).Truncate(time.Millisecond), truth: map[int64][]string{}, own: map[int64]jobs.Outcome{}}
			whole := tornPart{first: 1, size: int64(n)}
			for seq := range int64(n) {
				whole.pending = append(whole.pending, seq+1)
			}
			b.open = []tornPart{whole}
			for len(b.open) > 0 && b.calls < 40 {
				b.step(r, s, j)
			}
			require.NoError(r, s.Exec(ctx, `DELETE FROM batches WHERE job_id = $1`, j.ID))
			for _, p := range append(b.done, b.open...) {
				settled := int64(0)
				if p.outcome == "" {
					p.outcome = jobs.Waiting
				} else {
					settled = p.at.UnixMilli()
				}
				require.NoError(r, s.Exec(ctx, `INSERT INTO batches (job_id, first, size, number, pending, outcome, settled_at) VALUES ($1, $2, $3, 1, $4, $5, $6)`,
					j.ID, p.first, p.size, len(p.pending), p.outcome, settled))
				var cleared []int64
				for seq := p.first; seq < p.first+p.size; seq++ {
					if b.own[seq] == jobs.Cleared || b.own[seq] == "" && p.outcome == jobs.Cleared {
						cleared = append(cleared, seq)
					}
				}
				if len(b.open) == 0 && len(cleared) > 0 && rapid.Bool().Draw(r, "verify") {
					b.call(r, s, j.ID, p.first, "get_tags", cleared)
				}
			}
			for seq := int64(1); seq <= int64(n); seq++ {
				events, err := s.History(ctx, fmt.Sprintf("user_%05d", seq), 1)
				require.NoError(r, err)
				var calls []string
				for _, c := range events[0].Calls {
					calls = append(calls, c.ID)
				}
				require.Equal(r, b.truth[seq], calls, "account %d", seq)
			}
		})
	})
}

func TestTheHistoryOfAnAccountHasItsTags(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.Keep(t, s, 10_000)
		before := vips(150)
		delete(before, 7)
		before[8] = nil
		of := ended(t, s, jobs.Clear, 150, before, jobs.Cleared, jobs.Own{Seq: 7, Outcome: jobs.Failed, Code: 70107})
		restore, err := s.Undo(ctx, operator, of.ID, store.Undo{Policy: snapshot.Merge, Tags: []string{"vip"}}, t.TempDir())
		require.NoError(t, err)
		read(t, s, restore)
		history := func(account string) []store.Event {
			events, err := s.History(ctx, account, 10)
			require.NoError(t, err)
			return events
		}
		require.Empty(t, history("user_001"))
		events := history("user_00120")
		require.Len(t, events, 2)
		require.Equal(t, []any{restore.ID, jobs.Waiting, []string{"vip"}, []string(nil), false, false},
			[]any{events[0].Job.ID, events[0].Outcome, events[0].Wanted, events[0].Before, events[0].Known, events[0].Erased})
		require.Equal(t, []any{of.ID, jobs.Cleared, []string(nil), []string{"vip", "t1"}, true, false, int64(120), int64(2)},
			[]any{events[1].Job.ID, events[1].Outcome, events[1].Wanted, events[1].Before, events[1].Known, events[1].Erased, events[1].Row, events[1].Batch})
		unread, untagged := history("user_00007")[0], history("user_00008")[0]
		require.Equal(t, []any{false, 70107, true, 0}, []any{unread.Known, unread.Code, untagged.Known, len(untagged.Before)})

		require.NoError(t, s.Erase(ctx, operator, of.ID))
		events = history("user_00120")
		require.Equal(t, []any{false, true}, []any{events[1].Known, events[1].Erased})
		require.Equal(t, []string{"vip"}, events[0].Wanted, "the job that is to put them back keeps its own")
		s.UseKey([32]byte{9})
		events = history("user_00120")
		require.True(t, snapshot.FaultOtherKey.Is(events[0].Fault))
		require.Equal(t, []any{false, true}, []any{events[0].Erased, events[1].Erased})
	})
}

func TestSnapshotTagsListInFileOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.Keep(t, s, 10_000)
		before := vips(2_150) // more than one page
		delete(before, 2_001)
		before[2_002] = nil
		of := ended(t, s, jobs.Clear, 2_150, before, jobs.Cleared, jobs.Own{Seq: 2_001, Outcome: jobs.Failed, Code: 70107})
		seq := int64(0)
		for a, err := range s.TagsBefore(ctx, of.ID) {
			require.NoError(t, err)
			seq++
			had, known := before[seq]
			require.Equal(t, []any{fmt.Sprintf("user_%05d", seq), known, strings.Join(had, ";"), (seq-1)/100 + 1},
				[]any{a.Account.Account, a.Known, strings.Join(a.Before, ";"), a.Batch})
		}
		require.Equal(t, int64(2_150), seq)
		free(t, s)
		for _, err := range s.TagsBefore(ctx, started(t, s, 1).ID) {
			require.True(t, store.FaultNotKept.Is(err), "%v", err)
		}
	})
}
