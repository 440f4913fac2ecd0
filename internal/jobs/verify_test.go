package jobs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// An account counts as changed when a call held it that may have changed it.
func TestVerifyNamesChangesWithoutACall(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		j := started(t, s, 250)
		h := take(t, s, j.ID, 1)
		require.NoError(t, h.Send(ctx, "remove_all_tags", h.Seqs[:50]...))
		require.NoError(t, h.Send(ctx, "remove_all_tags", h.Seqs[50:99]...))
		require.NoError(t, h.Settle(ctx, jobstest.Came{Rest: jobs.Cleared, Own: []jobstest.Own{{Seq: 100, Outcome: jobs.Untagged}}}))
		h = take(t, s, j.ID, 2)
		require.NoError(t, h.Send(ctx, "remove_all_tags", 170))
		require.NoError(t, h.Settle(ctx, jobstest.Came{Rest: jobs.Untagged, Own: []jobstest.Own{{Seq: 170, Outcome: jobs.Cleared}}}))
		require.NoError(t, sent(t, s, j, 3).Lose(ctx)) // a call without an answer may have done it
		carry(t, s, j.ID, jobstest.Came{Rest: jobs.Cleared}, 3)
		requireSums(t, s)
		const unproved = ": accounts cleared without a call: "
		for _, c := range []struct{ name, do, undo, wrong string }{
			{"a call that read", `UPDATE calls SET command = 'get_tags' WHERE batch = 2`,
				`UPDATE calls SET command = 'remove_all_tags' WHERE batch = 2`, "1 counted, but the job says 0"},
			{"a call that did not leave", `UPDATE calls SET delivery = 'not_sent' WHERE batch = 2`,
				`UPDATE calls SET delivery = 'answered' WHERE batch = 2`, "1 counted, but the job says 0"},
			{"a call that was refused", `UPDATE calls SET code = 70107 WHERE batch = 2`,
				`UPDATE calls SET code = 0 WHERE batch = 2`, "1 counted, but the job says 0"},
			{"of other accounts", `UPDATE calls SET batch = 9 WHERE accounts = 49`,
				`UPDATE calls SET batch = 1 WHERE accounts = 49`, "49 counted, but the job says 0"},
			{"no call at all", `UPDATE calls SET batch = batch + 10`, `UPDATE calls SET batch = batch - 10`, "150 counted, but the job says 0"},
		} {
			require.NoError(t, s.DB.Exec(ctx, c.do))
			found, err := s.Recount(ctx)
			require.NoError(t, err)
			require.Equal(t, []string{"job " + j.ID + unproved + c.wrong}, found.Wrong, c.name)
			require.NoError(t, s.DB.Exec(ctx, c.undo))
			requireSums(t, s)
		}
	})
}

// Whatever is counted in two places is counted again.
func TestVerifyRecountsEveryJob(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		_, err := s.Protect(ctx, operator, jobstest.App.ID, "", []string{"user_99999"})
		require.NoError(t, err)
		j, err := jobstest.Draft(s, operator, jobs.Upload{}, lines(250)+"user_00001\n,\nuser_99999\n")
		require.NoError(t, err)
		j = jobstest.AsSuggested(t, s, j.ID)
		j = start(t, s, j)
		h := sent(t, s, j, 1)
		carry(t, s, j.ID, jobstest.Came{Rest: jobs.Failed, Own: []jobstest.Own{{Seq: 102, Outcome: jobs.Untagged}}}, 2)
		requireSums(t, s)
		for _, c := range []struct{ do, undo, wrong string }{
			{`UPDATE jobs SET outcome_failed = outcome_failed - 1, outcome_untagged = 2`,
				`UPDATE jobs SET outcome_failed = outcome_failed + 1, outcome_untagged = 1`,
				"accounts untagged: 1 counted, but the job says 2"},
			{`UPDATE jobs SET rejected = 2, row_count = row_count + 1`,
				`UPDATE jobs SET rejected = 1, row_count = row_count - 1`, "rejected rows: 1 counted, but the job says 2"},
			{`UPDATE jobs SET row_count = row_count + 1`, `UPDATE jobs SET row_count = row_count - 1`, "rows: 253 counted, but the job says 254"},
			{`UPDATE batches SET accounts = accounts - 1 WHERE number = 2`,
				`UPDATE batches SET accounts = accounts + 1 WHERE number = 2`,
				"batches with a wrong number of accounts: 1 counted, but the job says 0"},
			{`UPDATE batches SET ask = 1 WHERE number = 3`, `UPDATE batches SET ask = 0 WHERE number = 3`,
				"batches that need a decision but are not in doubt: 1 counted, but the job says 0"},
			{`UPDATE batches SET console = '' WHERE number = 1`, `UPDATE batches SET console = 'played' WHERE number = 1`,
				"batches with a wrong claim: "},
			{`UPDATE batches SET console = 'x', claim = 'x' WHERE number = 2`,
				`UPDATE batches SET console = '', claim = '' WHERE number = 2`, "batches with a wrong claim: 1 counted"},
			{`UPDATE account_names SET names = REPLACE(names, 'user_00007', 'user_0000x')`,
				`UPDATE account_names SET names = REPLACE(names, 'user_0000x', 'user_00007')`,
				"accounts: the list in file order does not match the sorted list"},
			{`UPDATE planned_batches SET first_row = first_row + 1000 WHERE number = 2`,
				`UPDATE planned_batches SET first_row = first_row - 1000 WHERE number = 2`,
				"accounts: 100 counted, but the job says 250"},
			{`UPDATE set_aside_groups SET row_count = row_count + 1 WHERE kind = 'duplicate'`,
				`UPDATE set_aside_groups SET row_count = row_count - 1 WHERE kind = 'duplicate'`,
				"excluded rows, by reason: 4 counted, but the job says 3"},
		} {
			require.NoError(t, s.DB.Exec(ctx, c.do))
			found, err := s.Recount(ctx)
			require.NoError(t, err)
			require.Contains(t, strings.Join(found.Wrong, "\n"), "job "+j.ID+": "+c.wrong, c.do)
			require.NoError(t, s.DB.Exec(ctx, c.undo))
			requireSums(t, s)
		}
		require.NoError(t, h.Settle(ctx, cleared))
		requireSums(t, s)
	})
}
