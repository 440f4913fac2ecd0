package jobs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
)

// Whatever else the file holds, in whatever order: the tags of an account are
// those of its row.
func TestTagFileGivesEachRowItsTags(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		rapid.Check(t, func(r *rapid.T) {
			kind := rapid.SampledFrom([]jobs.Kind{jobs.AddTags, jobs.RemoveTags}).Draw(r, "kind")
			accounts := rapid.SliceOfN(rapid.StringMatching(`[a-f]{1,3}`), 1, 250).Draw(r, "accounts")
			var file strings.Builder
			file.WriteString("user_id,tags\n")
			var want []string
			first := map[string]bool{}
			for i, account := range accounts {
				named := rapid.SliceOfNDistinct(rapid.StringMatching(`x[a-z]{0,3}`), 1, 4, rapid.ID).Draw(r, "tags")
				if i%17 == 16 {
					fmt.Fprintf(&file, "%s,\n", account) // no tag: not an account of the job
					continue
				}
				fmt.Fprintf(&file, "%s,%s\n", account, strings.Join(named, ";"))
				if !first[account] {
					first[account] = true
					want = append(want, account+" "+strings.Join(named, "+"))
				}
			}
			if want == nil {
				return
			}
			j, err := s.Create(ctx, operator, jobs.Upload{AppID: jobstest.App.ID, Kind: kind, FileName: "tags.csv",
				AccountBytes: 32, File: section(file.String())})
			require.NoError(r, err)
			j, got := read(r, s, j)
			require.Equal(r, want, got)
			_, err = s.Act(ctx, operator, j.ID, jobs.Cancel)
			require.NoError(r, err)
		})
	})
}

func TestAJobIsOfAKindThatCanBeUploaded(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		for _, kind := range []jobs.Kind{"", "nonsense", jobs.Restore} {
			_, err := s.Create(ctx, operator, jobs.Upload{AppID: jobstest.App.ID, Kind: kind, AccountBytes: 32, File: section("user_id\nann\n")})
			require.True(t, jobs.FaultKind.Is(err), "%v", err)
		}
		for _, keep := range []bool{true, false} {
			require.NoError(t, s.ChangeSettings(ctx, operator, jobstest.App.ID, jobs.Settings{FailureLimit: 20, KeepDays: 30, Snapshot: keep}))
			for _, kind := range []jobs.Kind{jobs.Clear, jobs.Inspect, jobs.AddTags, jobs.RemoveTags} {
				j, err := jobstest.Draft(s, operator, jobs.Upload{Kind: kind}, "user_id,tags\nann,vip\n")
				require.NoError(t, err)
				require.Equal(t, keep || kind != jobs.Clear, j.Snapshot, kind)
				key, err := wrappedKey(s, j.ID)
				require.NoError(t, err)
				require.NotEmpty(t, key, kind)
			}
		}
	})
}

func TestTagFileRestartsAfterBreakOff(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		var file strings.Builder
		file.WriteString("user_id,tags\n")
		var want []string
		for i := range 12_000 {
			fmt.Fprintf(&file, "u%05d,%s\n", i, strings.Repeat("x", 40)+fmt.Sprint(i))
			want = append(want, fmt.Sprintf("u%05d %s%d", i, strings.Repeat("x", 40), i))
		}
		j, err := s.Create(ctx, operator, jobs.Upload{AppID: jobstest.App.ID, Kind: jobs.AddTags, AccountBytes: 32, File: section(file.String())})
		require.NoError(t, err)
		for kill := 0; ; kill++ {
			_, err := interrupted(s, func(save int) error {
				if save == kill {
					return errKilled
				}
				return nil
			}).Next(ctx, 0)
			if err == nil {
				require.Greater(t, kill, 4, "it was broken off at several places")
				break
			}
			require.ErrorIs(t, err, errKilled)
			require.NoError(t, s.ReleaseImports(ctx))
		}
		_, got := read(t, s, j)
		require.Equal(t, want, got)
	})
}

func TestTagFileOutOfOrderIsRefused(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		of := ended(t, s, jobs.Clear, 2, vips(2), jobs.Cleared)
		made, err := s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Merge}, t.TempDir())
		require.NoError(t, err)
		require.NoError(t, s.DB.Exec(ctx, `UPDATE planned_batches SET accounts = $2 WHERE job_id = $1`, of.ID, "user_00002\nuser_00001\n"))
		require.NoError(t, jobstest.ReadAll(s))
		made, err = s.Get(ctx, made.ID)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Refused, jobs.FaultImport.Code}, []any{made.State, made.Refusal.Code},
			"no account may get the tags of another")
	})
}
