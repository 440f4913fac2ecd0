package store_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

func TestWarningsCountSharedAccounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		file := func(from, to, step int) string {
			var names []string
			for i := from; i < to; i += step {
				names = append(names, fmt.Sprintf("user_%05d", i))
			}
			rand.New(rand.NewPCG(3, 4)).Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
			return "account\n" + strings.Join(names, "\n") + "\n"
		}
		make := func(content string, start bool) jobs.Job {
			j, err := storetest.Draft(s, operator, store.NewJob{}, content)
			require.NoError(t, err)
			if start {
				j, err = s.StartJob(ctx, operator, j.ID, store.Start{Confirm: j.Accounts})
				require.NoError(t, err)
			}
			return j
		}
		all := make(file(0, 3_000, 1), true)
		thirds := make(file(0, 3_000, 3), true)
		apart := make(file(5_000, 5_100, 1), true)
		later := make(file(2_990, 3_010, 1), false)
		same := make(file(0, 3_000, 3), false)

		warnings, err := s.Warnings(ctx, same.ID)
		require.NoError(t, err)
		require.Len(t, warnings.SameFile, 1)
		require.Equal(t, thirds.ID, warnings.SameFile[0].ID)
		require.Equal(t, map[string]int64{all.ID: 1_000, thirds.ID: 1_000}, shares(warnings))

		warnings, err = s.Warnings(ctx, later.ID)
		require.NoError(t, err)
		require.Empty(t, warnings.SameFile)
		require.Equal(t, map[string]int64{all.ID: 10, thirds.ID: 3}, shares(warnings))
		// A job that was read later and started first is seen as well.
		_, err = s.StartJob(ctx, operator, same.ID, store.Start{Confirm: same.Accounts})
		require.NoError(t, err)
		warnings, err = s.Warnings(ctx, later.ID)
		require.NoError(t, err)
		require.Equal(t, map[string]int64{all.ID: 10, thirds.ID: 3, same.ID: 3}, shares(warnings))
		warnings, err = s.Warnings(ctx, apart.ID)
		require.NoError(t, err)
		require.Empty(t, warnings.Overlaps)
	})
}

// Two warnings nobody needs would hide the one that matters.
func TestWarningsSkipInspectAndOrigin(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		const file = "account\nann\nbob\n"
		look, err := storetest.Draft(s, operator, store.NewJob{Kind: jobs.Inspect}, file)
		require.NoError(t, err)
		start(t, s, look)
		settle(t, s, jobs.Settlement{Claim: claim(t, s, tim.GetTags, 1)[0], Answer: answered(0), Rest: jobs.Inspected})
		clear, err := s.Again(ctx, operator, look.ID, store.Again{Kind: jobs.Clear}, t.TempDir())
		require.NoError(t, err)
		clear, _ = read(t, s, clear)
		start(t, s, clear)
		warnings, err := s.Warnings(ctx, clear.ID)
		require.NoError(t, err)
		require.Zero(t, warnings)
		again, err := storetest.Draft(s, operator, store.NewJob{}, file)
		require.NoError(t, err)
		warnings, err = s.Warnings(ctx, again.ID)
		require.NoError(t, err)
		require.Equal(t, map[string]int64{clear.ID: 2}, shares(warnings))
		look, err = storetest.Draft(s, operator, store.NewJob{Kind: jobs.Inspect}, file)
		require.NoError(t, err)
		warnings, err = s.Warnings(ctx, look.ID)
		require.NoError(t, err)
		require.Zero(t, warnings)
	})
}

func shares(w store.Warnings) map[string]int64 {
	shares := map[string]int64{}
	for _, o := range w.Overlaps {
		shares[o.Job.ID] = o.Accounts
	}
	return shares
}

func TestWarningsOfFilesReadTogether(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for range 20 {
			one, err := create(ctx, s, section("account\nann\nbob\n"))
			require.NoError(t, err)
			two, err := create(ctx, s, section("account\nbob\ncid\n"))
			require.NoError(t, err)
			var readers errgroup.Group
			for range 2 {
				readers.Go(func() error { return storetest.ReadAll(s) })
			}
			require.NoError(t, readers.Wait())
			_, err = s.StartJob(ctx, operator, one.ID, store.Start{Confirm: 2})
			require.NoError(t, err)
			warnings, err := s.Warnings(ctx, two.ID)
			require.NoError(t, err)
			require.Equal(t, int64(1), shares(warnings)[one.ID])
		}
	})
}

func TestWarningsNameUnusualAccounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		j, err := storetest.Draft(s, operator, store.NewJob{}, "account\nann\nbob@example.com\nAnn Lee\n")
		require.NoError(t, err)
		require.Equal(t, int64(3), j.Accounts)
		warnings, err := s.Warnings(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, jobs.Unusual{Rows: 2, First: []jobs.Named{{Account: "bob@example.com", Row: 2}, {Account: "Ann Lee", Row: 3}}}, warnings.Unusual)
	})
}
