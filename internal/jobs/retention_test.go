package jobs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
)

// lines is a file of so many accounts.
func vips(n int) map[int64][]string {
	before := map[int64][]string{}
	for seq := int64(1); seq <= int64(n); seq++ {
		before[seq] = []string{"vip", fmt.Sprint("t", seq%7)}
	}
	return before
}

func TestErasureHappensOnTime(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		require.NoError(t, s.ChangeSettings(ctx, operator, jobstest.App.ID, jobs.Settings{FailureLimit: 20, KeepDays: 10, Snapshot: true}))
		of := ended(t, s, jobs.Clear, 1_234, vips(1_234), jobs.Cleared)
		restore, err := s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Merge}, t.TempDir())
		require.NoError(t, err)
		restore, _ = read(t, s, restore)
		kept, err := s.SnapshotInfo(ctx, of)
		require.NoError(t, err)
		require.Equal(t, int64(13), kept.Batches)
		require.Positive(t, kept.Bytes)
		require.Len(t, kept.Digest, 64)
		require.Equal(t, of.FinishedAt.AddDate(0, 0, 10), kept.EraseAt)
		require.Zero(t, kept.ErasedAt)
		draft, err := s.SnapshotInfo(ctx, restore)
		require.NoError(t, err)
		require.Zero(t, draft.EraseAt, "its time begins when it ends")

		s.DB.ShiftClocks(10*24*time.Hour - time.Minute)
		require.NoError(t, s.Sweep(ctx, s.DB.Now()))
		still, err := s.SnapshotInfo(ctx, of)
		require.NoError(t, err)
		require.Equal(t, kept, still)
		summed := report(t, s, of.ID)

		s.DB.ShiftClocks(2 * time.Minute)
		require.NoError(t, s.Sweep(ctx, time.Time{}))
		still, err = s.SnapshotInfo(ctx, of)
		require.NoError(t, err)
		require.Equal(t, kept, still, "nothing is erased while the clock is not trusted")
		require.NoError(t, s.Sweep(ctx, s.DB.Now()))
		gone, err := s.SnapshotInfo(ctx, of)
		require.NoError(t, err)
		require.Equal(t, []any{kept.Batches, int64(0), kept.Digest, "system"}, []any{gone.Batches, gone.Bytes, gone.Digest, gone.ErasedBy})
		require.WithinDuration(t, kept.EraseAt, gone.ErasedAt, 5*time.Minute)
		require.Equal(t, numbers(summed), numbers(report(t, s, of.ID)))
		for _, err := range s.TagsBefore(ctx, of.ID) {
			require.True(t, snapshot.FaultErased.Is(err), "%v", err)
		}
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.SnapshotErased, Limit: 10})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, []any{of.ID, "system", 13.0, float64(kept.Bytes), kept.Digest, 1_234.0},
			[]any{entries[0].JobID, entries[0].Actor.Name, entries[0].Details["batches"], entries[0].Details["bytes"],
				entries[0].Details["digest"], entries[0].Details["accounts"]})
		require.NoError(t, s.Sweep(ctx, s.DB.Now()))
		require.Len(t, codes(t, s, audit.Filter{Code: audit.SnapshotErased}), 1)

		wanted, err := s.WantedTags(ctx, restore)
		require.NoError(t, err)
		require.Len(t, wanted, 1_234, "the job that was made of it keeps its own")
		end(t, s, restore, vips(5), jobs.Restored)
		require.NoError(t, s.Erase(ctx, operator, restore.ID))
		left, err := s.Count(ctx, `SELECT COUNT(*) FROM wanted_tags`)
		require.NoError(t, err)
		require.Zero(t, left)
		requireSums(t, s)
	})
}

func TestTagsAreErasedWhenAPersonSaysSo(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		running := started(t, s, 10)
		require.True(t, jobs.FaultEraseEarly.Is(s.Erase(ctx, operator, running.ID)))
		require.True(t, jobs.FaultNoJob.Is(s.Erase(ctx, operator, "nonsense")))
		of := ended(t, s, jobs.Clear, 10, vips(10), jobs.Cleared)
		require.NoError(t, s.Erase(ctx, operator, of.ID))
		require.NoError(t, s.Erase(ctx, audit.Actor{ID: "u2", Name: "adam"}, of.ID))
		kept, err := s.SnapshotInfo(ctx, of)
		require.NoError(t, err)
		require.Equal(t, "olga", kept.ErasedBy)
		require.Equal(t, int64(10), report(t, s, of.ID).Accounts, "it was summed up first")
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.SnapshotErased, Limit: 10})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, []string{"olga", of.ID, "users.csv"}, []string{entries[0].Actor.Name, entries[0].JobID, entries[0].Target})
	})
}

func TestErasureOfUnreadableTags(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		of := ended(t, s, jobs.Clear, 10, vips(10), jobs.Cleared)
		s.Snapshots.UseKey([32]byte{2})
		require.True(t, snapshot.FaultOtherKey.Is(s.Sweep(ctx, s.DB.Now())), "it says why there is no report")
		require.NoError(t, s.Erase(ctx, operator, of.ID))
		wrapped, err := wrappedKey(s, of.ID)
		require.NoError(t, err)
		require.Empty(t, wrapped)
		require.NoError(t, s.Sweep(ctx, s.DB.Now()))
		none, err := s.Report(ctx, of.ID)
		require.NoError(t, err)
		require.Nil(t, none)
	})
}

// Whoever destroyed the key and ended before the rest was done: the next one does it.
func TestAnErasureThatBrokeOffIsCompleted(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		of := ended(t, s, jobs.Clear, 700, vips(700), jobs.Cleared)
		require.NoError(t, s.Sweep(ctx, s.DB.Now()))
		full, err := s.SnapshotInfo(ctx, of)
		require.NoError(t, err)
		for half := range 2 {
			require.NoError(t, s.DB.Exec(ctx,
				`UPDATE snapshot_keys SET wrapped = $2, erased_by = 'adam', erased_at = 0, erase_at = $3 WHERE job_id = $1`, of.ID,
				[]byte{}, time.Now().UnixMilli()))
			if half == 1 {
				require.NoError(t, s.DB.Exec(ctx, `UPDATE snapshots SET data = 'x' WHERE number > 3`))
			}
			begun, err := s.SnapshotInfo(ctx, of)
			require.NoError(t, err)
			require.NotZero(t, begun.ErasedAt, "nobody can read them any more")
			_, err = s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Merge}, t.TempDir())
			require.True(t, snapshot.FaultErased.Is(err), "%v", err)
			require.NoError(t, s.Sweep(ctx, s.DB.Now()))
			done, err := s.SnapshotInfo(ctx, of)
			require.NoError(t, err)
			require.Equal(t, []any{full.Batches, int64(0), full.Digest, "adam"}, []any{done.Batches, done.Bytes, done.Digest, done.ErasedBy})
			open, err := s.Count(ctx, `SELECT COUNT(*) FROM snapshot_keys WHERE erased_at = 0 AND erase_at > 0`)
			require.NoError(t, err)
			require.Zero(t, open)
		}
		require.Equal(t, int64(700), report(t, s, of.ID).Accounts)
	})
}

func TestErasureByTwoConsolesHappensOnce(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		for range 5 {
			ended(t, s, jobs.Clear, 900, vips(900), jobs.Cleared)
		}
		s.DB.ShiftClocks(31 * 24 * time.Hour)
		var consoles errgroup.Group
		for range 4 {
			consoles.Go(func() error { return s.Sweep(ctx, s.DB.Now()) })
		}
		require.NoError(t, consoles.Wait())
		require.Len(t, codes(t, s, audit.Filter{Code: audit.SnapshotErased}), 5)
		left, err := s.Count(ctx,
			`SELECT COALESCE(SUM(length(data)), 0) + (SELECT COUNT(*) FROM snapshot_keys WHERE erased_at = 0 OR length(wrapped) > 0) FROM snapshots`)
		require.NoError(t, err)
		require.Zero(t, left)
		reports, err := s.Count(ctx, `SELECT COUNT(*) FROM tag_reports`)
		require.NoError(t, err)
		require.Equal(t, int64(5), reports)
	})
}

// An erased key is nowhere in the files, whatever else was written before, at
// the same time and after.
func TestAnErasedKeyIsInNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.db")
	s := jobstest.Open(t, path)
	var wrapped [][]byte
	var all []jobs.Job
	for range 120 { // several pages of keys, which split
		d, err := jobstest.Draft(s, operator, jobs.Upload{}, "user_id\nann\n")
		require.NoError(t, err)
		key, err := wrappedKey(s, d.ID)
		require.NoError(t, err)
		require.Greater(t, len(key), 60)
		all, wrapped = append(all, d), append(wrapped, key)
	}
	for _, j := range all { // rows grow when their time is set
		require.NoError(t, s.End(ctx, j.ID, jobs.Cleared))
	}
	in := func(key []byte) (files []string) {
		for _, file := range []string{path, path + "-wal", path + "-shm"} {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			if bytes.Contains(content, key[8:40]) {
				files = append(files, filepath.Base(file))
			}
		}
		return files
	}
	require.NotEmpty(t, in(wrapped[7]))
	for i, j := range all {
		if i%2 == 1 {
			require.NoError(t, s.Erase(ctx, operator, j.ID))
			require.Empty(t, in(wrapped[i]), "key %d", i)
		}
	}
	for i := range all {
		require.Equal(t, i%2 == 1, len(in(wrapped[i])) == 0, "key %d", i)
	}
}

// What was copied before stays readable, with the key file: so it is said.
func TestErasureLeavesOlderBackups(t *testing.T) {
	s := jobstest.SQLite(t)
	jobstest.Keep(t, s, 10_000)
	of := ended(t, s, jobs.Clear, 3, vips(3), jobs.Cleared)
	backup := func() string {
		path := filepath.Join(t.TempDir(), "backup.db")
		require.NoError(t, s.DB.Exec(ctx, `VACUUM INTO '`+path+`'`))
		return path
	}
	opens := func(path string, master [32]byte) bool {
		copied := jobstest.Open(t, path)
		copied.Snapshots.UseKey(master)
		for a, err := range copied.TagsBefore(ctx, of.ID) {
			return err == nil && len(a.Before) == 2
		}
		return false
	}
	before := backup()
	require.NoError(t, s.Erase(ctx, operator, of.ID))
	require.True(t, opens(before, [32]byte{1}))
	require.False(t, opens(before, [32]byte{2}), "not without the key file")
	require.False(t, opens(backup(), [32]byte{1}), "one made after holds none")
}
