package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim/timtest"
)

// The comparison itself must be able to fail: the service and every table of a
// real store say what is not so.
func TestACompareThatShouldFailFails(t *testing.T) {
	t.Parallel()
	simulator, base := simulate(t, func(c *timtest.Config) { c.UnknownShare, c.UntaggedShare = 0, 0 })
	database := storetest.SQLiteFile(t)
	con := opened(t, database, base, "all_member_push")
	job := carryOut(t, con, startedJob(t, con.jobs, accountFile(300)).ID)
	compare := func() *timtest.Comparison {
		found, err := timtest.Compare(t.Context(), con.jobs, timtest.NewControl(base), job.ID)
		require.NoError(t, err)
		return found
	}
	require.Empty(t, compare().Wrong)
	simulator.SetTags("member_0000007", "vip")
	require.Equal(t, []string{"account member_0000007 is cleared, and has 1 tags"}, compare().Wrong)

	for _, lie := range [][2]string{
		{"UPDATE jobs SET outcome_cleared = outcome_cleared - 1, outcome_failed = outcome_failed + 1", "are cleared, the job says 299"},
		{"UPDATE jobs SET accounts = accounts + 1", "have no result"},
		{"UPDATE batches SET outcome = 'failed', code = 70107 WHERE number = 1", "its change was acknowledged"},
		{"UPDATE calls SET delivery = 'not_sent' WHERE batch = 2", "the ledger says not_sent"},
		{"DELETE FROM calls WHERE command = 'get_tags' AND batch = 3", "its tags were not read just before"},
	} {
		require.NotContains(t, strings.Join(compare().Wrong, "\n"), lie[1])
		tamper(t, database, lie[0])
		require.Contains(t, strings.Join(compare().Wrong, "\n"), lie[1])
	}
}
