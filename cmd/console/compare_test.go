package main

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// Each kind of untruth is made on purpose, and must be found.
func TestTheComparisonFindsEveryKindOfUntruth(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tamper string
		kind   func(*timtest.Comparison) int64
	}{
		"an account is missing":                {"UPDATE jobs SET accounts = accounts + 1", func(c *timtest.Comparison) int64 { return c.Missing }},
		"a cleared account is said to fail":    {"UPDATE batches SET outcome = 'failed', code = 70107 WHERE first = 1", func(c *timtest.Comparison) int64 { return c.Untrue }},
		"a call is said not to have been sent": {"UPDATE calls SET delivery = 'not_sent' WHERE first = 1", func(c *timtest.Comparison) int64 { return c.Unrecorded }},
		"a call was never written down":        {"DELETE FROM calls WHERE first = 101", func(c *timtest.Comparison) int64 { return c.Foreign }},
		"an answer came from nowhere": {"INSERT INTO calls (id, job_id, batch, first, accounts, command, random, delivery, sent_at) SELECT 'x', id, 1, 1, 100, 'remove_all_tags', 7, 'answered', 1 FROM jobs",
			func(c *timtest.Comparison) int64 { return c.Unrecorded }},
		"the sums are off": {"UPDATE jobs SET outcome_cleared = outcome_cleared - 1, outcome_failed = outcome_failed + 1", func(c *timtest.Comparison) int64 { return c.Unsound }},
	} {
		t.Run(name, func(t *testing.T) {
			_, base := simulate(t, func(c *timtest.Config) { c.UnknownShare, c.UntaggedShare = 0, 0 })
			database := storetest.SQLiteFile(t)
			con := opened(t, database, base, "all_member_push")
			job := carryOut(t, con, startedJob(t, con.store, accountFile(300)).ID)
			found, err := timtest.Compare(t.Context(), con.store, timtest.NewControl(base), job.ID)
			require.NoError(t, err)
			require.Empty(t, found.Wrong)
			require.Zero(t, test.kind(found))
			tamper(t, database, test.tamper)
			found, err = timtest.Compare(t.Context(), con.store, timtest.NewControl(base), job.ID)
			require.NoError(t, err)
			require.Positive(t, test.kind(found), found.Wrong)
		})
	}
}

func TestTheComparisonFindsAccountsThatWereSentAgainOrTwiceAtOnce(t *testing.T) {
	t.Parallel()
	simulator, base := simulate(t, func(c *timtest.Config) { c.UnknownShare, c.UntaggedShare = 0, 0 })
	con := opened(t, storetest.SQLiteFile(t), base, "all_member_push")
	job := carryOut(t, con, startedJob(t, con.store, accountFile(100)).ID)
	ledger := slices.DeleteFunc(simulator.Ledger(), func(call timtest.Call) bool { return call.Command != tim.RemoveAllTags })
	call := ledger[len(ledger)-1]
	require.NoError(t, simulator.SetFaults(timtest.Faults{Latency: 300 * time.Millisecond}))
	ended := make(chan tim.Answer, 2)
	for range cap(ended) {
		go func() { ended <- con.client.RemoveAllTags(t.Context(), call.Random, call.Accounts) }()
	}
	for range cap(ended) {
		require.True(t, (<-ended).OK())
	}
	found, err := timtest.Compare(t.Context(), con.store, timtest.NewControl(base), job.ID)
	require.NoError(t, err)
	require.EqualValues(t, 2*len(call.Accounts), found.Resent)
	require.EqualValues(t, len(call.Accounts), found.Together)
	require.EqualValues(t, 2, found.Unrecorded)
}
