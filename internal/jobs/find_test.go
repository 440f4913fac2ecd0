package jobs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

func TestNamesAreFoundByTheirBeginning(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		seen := map[string]bool{}
		rapid.Check(t, func(r *rapid.T) {
			name := rapid.OneOf(rapid.StringMatching(`[a-c]{1,4}`), rapid.StringMatching(`x[0-9]{4}`), rapid.StringMatching(`[A-B][ @~]?[a-b]{1,2}`))
			names := rapid.SliceOfN(name, 1, 700).Draw(r, "names")
			j, err := jobstest.Draft(s, operator, jobs.Upload{}, "user_id\n"+strings.Join(names, "\n")+"\n")
			require.NoError(r, err)
			for a, err := range s.Results(ctx, j.ID, "") {
				require.NoError(r, err)
				seen[a.Account.Account] = true
			}
			all := make([]string, 0, len(seen))
			for name := range seen {
				all = append(all, name)
			}
			slices.Sort(all)
			prefixes := []string{"", "a", "ab", "x", "x1", "x99", "A", "A~", "B@", "B\xc3", "zz", "a\t", "\n", names[0], names[0] + "a"}
			for _, prefix := range prefixes {
				limit := rapid.SampledFrom([]int{1, 5, 100, 255, 10_000}).Draw(r, "limit")
				var want []string
				for _, name := range all {
					if strings.HasPrefix(name, prefix) {
						want = append(want, name)
					}
				}
				more := len(want) > min(limit, 255)
				if more {
					want = want[:min(limit, 255)]
				}
				got, gotMore, err := s.AccountsLike(ctx, prefix, limit)
				require.NoError(r, err)
				require.Equal(r, want, got, "%q", prefix)
				require.Equal(r, more, gotMore)
			}
			_, err = s.Act(ctx, operator, j.ID, jobs.Cancel)
			require.NoError(r, err)
		})
	})
}
