package jobs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// Page by page, rows are those of the whole file that fit, each once and in its order.
func TestRowsPagesHoldEachMatchOnce(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		j := started(t, s, 2_650)
		carry(t, s, j.ID, jobstest.Came{Rest: jobs.Cleared}, 1, 3)
		carry(t, s, j.ID, jobstest.Came{Rest: jobs.Failed, Code: 70107}, 2, 4)
		carry(t, s, j.ID, jobstest.Came{Rest: jobs.Cleared,
			Own: []jobstest.Own{{Seq: 407, Outcome: jobs.Failed, Code: 70107}, {Seq: 500, Outcome: jobs.Untagged}}}, 5)
		carry(t, s, j.ID, jobstest.Came{Rest: jobs.Failed, Own: []jobstest.Own{{Seq: 2_601, Outcome: jobs.Cleared}}}, 27)
		var all []jobs.Account
		for r, err := range s.Results(ctx, j.ID, "") {
			require.NoError(t, err)
			all = append(all, r.Account)
		}
		require.Len(t, all, 2_650)
		name := all[7].Account
		for _, f := range []jobs.RowFilter{{}, {Outcome: jobs.Failed}, {Outcome: jobs.Waiting}, {Outcome: jobs.Skipped},
			{Outcome: jobs.Cleared}, {Outcome: jobs.Untagged}, {Prefix: name}, {Prefix: name[:len(name)-1]},
			{Prefix: all[2_100].Account, Outcome: jobs.Waiting}, {Prefix: all[2_100].Account, Outcome: jobs.Failed},
			{Prefix: name[:2], Outcome: jobs.Cleared}, {Prefix: "nobody"}, {Prefix: "\\xff"}} {
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
		none, err := s.Rows(ctx, "nosuchjob", jobs.RowFilter{Limit: 5})
		require.NoError(t, err)
		require.Empty(t, none)
	})
}
