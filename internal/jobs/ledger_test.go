package jobs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
)

// Whatever calls were made for a batch, of whichever of its accounts: the history
// of an account has those that held it, and no others.
func TestHistoryHoldsAnAccountsCalls(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		rapid.Check(t, func(r *rapid.T) {
			n := rapid.IntRange(1, 230).Draw(r, "accounts")
			j, err := jobstest.Draft(s, operator, jobs.Upload{}, lines(n))
			require.NoError(r, err)
			at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
			truth := map[int64][]string{}
			for call := range rapid.IntRange(0, 12).Draw(r, "calls") {
				number := rapid.Int64Range(1, j.Batches).Draw(r, "batch")
				from := rapid.Int64Range((number-1)*100+1, min(number*100, int64(n))).Draw(r, "from")
				var held []int64
				for seq := from; seq <= min(number*100, int64(n)); seq++ {
					if seq == from || rapid.IntRange(0, 2).Draw(r, "held") > 0 {
						held = append(held, seq)
					}
				}
				id := fmt.Sprintf("%s-%03d", j.ID, call)
				command := rapid.SampledFrom([]string{"get_tags", "remove_all_tags"}).Draw(r, "command")
				require.NoError(r, s.LedgerCall(ctx, j.ID, id, number, held, command, at.Add(time.Duration(call/2)*time.Millisecond)))
				for _, seq := range held {
					truth[seq] = append(truth[seq], id)
				}
			}
			for seq := int64(1); seq <= int64(n); seq++ {
				events, err := s.History(ctx, fmt.Sprintf("user_%05d", seq), 1)
				require.NoError(r, err)
				var calls []string
				for _, c := range events[0].Calls {
					calls = append(calls, c.ID)
				}
				require.Equal(r, truth[seq], calls, "account %d", seq)
			}
		})
	})
}

func TestTheHistoryOfAnAccountHasItsTags(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		before := vips(150)
		delete(before, 7)
		before[8] = nil
		of := ended(t, s, jobs.Clear, 150, before, jobs.Cleared, jobstest.Own{Seq: 7, Outcome: jobs.Failed, Code: 70107})
		restore, err := s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Merge, Tags: []string{"vip"}}, t.TempDir())
		require.NoError(t, err)
		read(t, s, restore)
		history := func(account string) []jobs.Event {
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
			[]any{events[1].Job.ID, events[1].Outcome, events[1].Wanted, events[1].Before, events[1].Known, events[1].Erased,
				events[1].Row, events[1].Batch})
		unread, untagged := history("user_00007")[0], history("user_00008")[0]
		require.Equal(t, []any{false, 70107, true, 0}, []any{unread.Known, unread.Code, untagged.Known, len(untagged.Before)})

		require.NoError(t, s.Erase(ctx, operator, of.ID))
		events = history("user_00120")
		require.Equal(t, []any{false, true}, []any{events[1].Known, events[1].Erased})
		require.Equal(t, []string{"vip"}, events[0].Wanted, "the job that is to put them back keeps its own")
		s.Snapshots.UseKey([32]byte{9})
		events = history("user_00120")
		require.True(t, snapshot.FaultOtherKey.Is(events[0].Fault))
		require.Equal(t, []any{false, true}, []any{events[0].Erased, events[1].Erased})
	})
}

func TestSnapshotTagsListInFileOrder(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		before := vips(2_150) // more than one page
		delete(before, 2_001)
		before[2_002] = nil
		of := ended(t, s, jobs.Clear, 2_150, before, jobs.Cleared, jobstest.Own{Seq: 2_001, Outcome: jobs.Failed, Code: 70107})
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
			require.True(t, jobs.FaultNoSnapshot.Is(err), "%v", err)
		}
	})
}
