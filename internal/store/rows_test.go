package store_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

// Page by page, rows are those of the whole file that fit, each once and in its order.
func TestRowsPagesHoldEachMatchOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		j := started(t, s, 2_650)
		for range 3 {
			settle(t, s, cleared(claim(t, s, tim.RemoveAllTags, 1)[0]))
			settle(t, s, failed(claim(t, s, tim.RemoveAllTags, 1)[0]))
		}
		var all []jobs.Account
		for r, err := range s.Results(ctx, j.ID, "") {
			require.NoError(t, err)
			all = append(all, r.Account)
		}
		require.Len(t, all, 2_650)
		name := all[7].Account
		for _, f := range []store.RowFilter{{}, {Outcome: jobs.Failed}, {Outcome: jobs.Waiting}, {Outcome: jobs.Skipped}, {Prefix: name}, {Prefix: name[:len(name)-1]},
			{Prefix: all[2_100].Account, Outcome: jobs.Waiting}, {Prefix: all[2_100].Account, Outcome: jobs.Failed}, {Prefix: name[:2], Outcome: jobs.Cleared}, {Prefix: "nobody"}, {Prefix: "\\xff"}} {
			var want, got []jobs.Account
			for _, a := range all {
				if (f.Outcome == "" || f.Outcome == a.Outcome) && strings.HasPrefix(a.Account, f.Prefix) {
					want = append(want, a)
				}
			}
			for f.Limit = 211; ; {
				page, err := s.Rows(ctx, j.ID, f)
				require.NoError(t, err)
				if got = append(got, page...); len(page) < f.Limit {
					break
				}
				f.After = page[len(page)-1].Row
			}
			require.Equal(t, want, got, "%+v", f)
		}
		none, err := s.Rows(ctx, "nosuchjob", store.RowFilter{Limit: 5})
		require.NoError(t, err)
		require.Empty(t, none)
	})
}
