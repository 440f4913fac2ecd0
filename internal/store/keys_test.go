package store_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

// However the tags are lost that the next call needs: nothing is done blindly,
// the job halts, and no other job waits for it.
func TestUnreadableSnapshotHaltsItsJob(t *testing.T) {
	for name, destroy := range map[string]string{
		"its key was erased":           `UPDATE snapshot_keys SET wrapped = '' WHERE job_id = $1`,
		"it has no key":                `DELETE FROM snapshot_keys WHERE job_id = $1`,
		"its key is another job's":     `UPDATE snapshot_keys SET wrapped = (SELECT wrapped FROM snapshot_keys WHERE job_id <> $1 LIMIT 1) WHERE job_id = $1`,
		"what it is to add is gone":    `DELETE FROM wanted_tags WHERE job_id = $1`,
		"what it is to add is damaged": `UPDATE wanted_tags SET data = '' WHERE job_id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				other, j := adding(t, s, 100), adding(t, s, 200)
				_, err := s.ActOnJob(ctx, operator, other.ID, jobs.Pause)
				require.NoError(t, err)
				c := claim(t, s, tim.GetTags, 1)[0]
				settle(t, s, toChange(c))
				_, err = s.ActOnJob(ctx, operator, other.ID, jobs.Resume)
				require.NoError(t, err)
				require.NoError(t, s.Exec(ctx, destroy, j.ID))
				require.Empty(t, claim(t, s, tim.AddTags, 9), "a change")
				now := jobNow(t, s, j.ID)
				require.Equal(t, []any{jobs.Halted, jobs.CodeUnreadable, int64(200)}, []any{now.State, now.HaltCode, now.Counts[jobs.Waiting]})
				require.Contains(t, codes(t, s, store.AuditFilter{JobID: j.ID}), audit.JobHalted)

				_, err = s.ActOnJob(ctx, operator, j.ID, jobs.Resume)
				require.NoError(t, err)
				reading := claim(t, s, tim.GetTags, 9)
				require.Len(t, reading, 1, "a reading")
				require.Equal(t, other.ID, reading[0].JobID)
				require.False(t, reading[0].Probe, "the service is not in question")
				require.Equal(t, jobs.Halted, jobNow(t, s, j.ID).State)
				requireSums(t, s)
			})
		})
	}
}

func TestUnreadableSnapshotAfterCancel(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		j := keeping(t, s, 100)
		settle(t, s, lost(readAndClaimed(t, s)[0]))
		_, err := s.ActOnJob(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
		require.NoError(t, s.Exec(ctx, `UPDATE snapshot_keys SET wrapped = '' WHERE job_id = $1`, j.ID))
		require.Empty(t, claim(t, s, tim.GetTags, 9))
		asked, err := s.Asked(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, store.Asked{Unreadable: 100, Code: jobs.CodeUnreadable}, asked)
		_, err = s.Decide(ctx, operator, j.ID, jobs.Leave)
		require.NoError(t, err)
		require.False(t, jobNow(t, s, j.ID).FinishedAt.IsZero())
		requireSums(t, s)
	})
}

func TestSnapshotFailureRemovesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		j := keeping(t, s, 200)
		reading := inOrder(claim(t, s, tim.GetTags, 9))
		st := toChange(reading[0])
		st.Found[7] = strings.Split(strings.Repeat("x,", 1_100), ",")
		for i := range st.Found[7] {
			st.Found[7][i] += strings.Repeat("y", i)
		}
		st.Own = []jobs.Own{{Seq: 8, Outcome: jobs.Untagged}}
		settle(t, s, st, toChange(reading[1]))
		now := jobNow(t, s, j.ID)
		require.Equal(t, []any{jobs.Halted, jobs.CodeUnreadable, int64(200)}, []any{now.State, now.HaltCode, now.Counts[jobs.Waiting]})
		requireSums(t, s)
		_, err := s.ActOnJob(ctx, operator, j.ID, jobs.Resume)
		require.NoError(t, err)
		require.Equal(t, []int64{101}, firsts(claim(t, s, tim.RemoveAllTags, 9)))
		require.Equal(t, []int64{1}, firsts(claim(t, s, tim.GetTags, 9)), "what was read counts for nothing")
	})
}

func TestWithoutTheKeyFileNoJobIsMade(t *testing.T) {
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "x.db"))
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.SaveApp(ctx, storetest.App))
	_, err = storetest.Draft(s, operator, store.NewJob{}, "account\nann\n")
	require.True(t, store.FaultNoMaster.Is(err), "%v", err)
}

func TestSnapshotRetentionStartsAtJobEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		j := keeping(t, s, 100)
		kept, err := s.Kept(ctx, j.ID)
		require.NoError(t, err)
		require.Zero(t, kept.EraseAt)
		require.NoError(t, s.Exec(ctx, `UPDATE apps SET keep_days = 7`))
		settle(t, s, cleared(readAndClaimed(t, s)[0]))
		j = jobNow(t, s, j.ID)
		kept, err = s.Kept(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []any{int64(1), 7 * 24 * time.Hour}, []any{kept.Batches, kept.EraseAt.Sub(j.FinishedAt)})
		requireSums(t, s)
		require.NoError(t, s.Exec(ctx, `UPDATE snapshots SET digest = 'x' WHERE job_id = $1`, j.ID))
		found, err := s.VerifyJobs(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"job " + j.ID + ": batch 1: the tags that are kept are not as they were written down"}, found.Wrong)
	})
}

func TestSnapshotOffHoldsReadBackToEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		j := started(t, s, 100)
		settle(t, s, lost(claim(t, s, tim.RemoveAllTags, 1)[0]))
		back := toChange(claim(t, s, tim.GetTags, 1)[0])
		settle(t, s, back)
		n, err := s.Count(ctx, `SELECT COUNT(*) FROM snapshots WHERE job_id = $1`, j.ID)
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		settle(t, s, cleared(claim(t, s, tim.RemoveAllTags, 1)[0]))
		n, err = s.Count(ctx, `SELECT COUNT(*) FROM snapshots WHERE job_id = $1`, j.ID)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Equal(t, jobs.Finished, jobNow(t, s, j.ID).State)
	})
}

func TestSnapshotSettingIsFixedAtStart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		j := draftOf(t, s, "later", 250)
		require.False(t, j.Snapshot)
		storetest.Keep(t, s, 0)
		j = start(t, s, j)
		require.True(t, j.Snapshot)
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 9))
		require.Equal(t, []int64{1}, firsts(claim(t, s, tim.GetTags, 9)))
		requireSums(t, s)

		require.NoError(t, s.Exec(ctx, `UPDATE apps SET snapshot = 1`))
		j = draftOf(t, s, "earlier", 250)
		require.True(t, j.Snapshot)
		require.NoError(t, s.Exec(ctx, `UPDATE apps SET snapshot = 0`))
		j = start(t, s, j)
		require.False(t, j.Snapshot)
		require.Equal(t, []int64{1}, firsts(claim(t, s, tim.RemoveAllTags, 9)))
		entries, err := s.AuditEntries(ctx, store.AuditFilter{Code: audit.JobStarted, JobID: j.ID, Limit: 9})
		require.NoError(t, err)
		require.Equal(t, []any{false, 0.0, ""}, []any{entries[0].Details["snapshot"], entries[0].Details["verify_share"], entries[0].Details["verify_seed"]})
	})
}

func TestReadTagsUsesBudgetAndKillSwitch(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		keeping(t, s, 500)
		require.NoError(t, s.SaveApp(ctx, storetest.App))
		interval := time.Second / time.Duration(storetest.App.Rate)
		first, err := s.Slot(ctx, storetest.App.ID, tim.GetTags)
		require.NoError(t, err)
		claims := claim(t, s, tim.GetTags, 1)
		require.GreaterOrEqual(t, claims[0].Slot.Sub(first), interval)
		last, err := s.Slot(ctx, storetest.App.ID, tim.GetTags)
		require.NoError(t, err)
		require.GreaterOrEqual(t, last.Sub(claims[0].Slot), interval)
		require.NoError(t, s.ThrowKillSwitch(ctx, operator, "wrong list"))
		_, err = s.Slot(ctx, storetest.App.ID, tim.GetTags)
		require.True(t, jobs.FaultStopped.Is(err), "%v", err)
	})
}
