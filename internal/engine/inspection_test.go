package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim/timtest"
)

// inspects makes the inspection of a job's sample, and waits for its end.
func (c *fixture) inspects(of jobs.Job) jobs.Job {
	c.Helper()
	for range 2 { // once, however often it is asked for
		_, err := c.DeriveInspection(c.Context(), c.TempDir())
		require.NoError(c, err)
		require.NoError(c, jobstest.ReadAll(c.Console))
	}
	made, err := c.DerivedFrom(c.Context(), of.ID)
	require.NoError(c, err)
	require.Len(c, made, 1)
	inspection, err := c.InspectionOf(c.Context(), of.ID)
	require.NoError(c, err)
	require.Equal(c, []any{made[0].ID, jobs.Inspect, of.Kind}, []any{inspection.ID, inspection.Kind, inspection.Checks})
	c.until("it has ended", func() bool { return c.job(*inspection).Settled() })
	return c.job(*inspection)
}

func TestASampleShowsWhatWasNotDone(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, snapshot.All)
		c.faults(timtest.Faults{Ignored: 0.1})
		j := c.starts(jobs.Clear, accounts("a", 250)+"unknown1\n")
		c.run()
		c.ends(j, jobs.Counts{jobs.Cleared: 250, jobs.Failed: 1})
		c.faults(timtest.Faults{})
		tagged := int64(0)
		for name := range c.results(j) {
			if len(c.service.Tags(name)) > 0 {
				tagged++
			}
		}
		require.Positive(c, tagged)
		inspection := c.inspects(j)
		require.Equal(c, []int64{250, tagged, 250 - tagged},
			[]int64{inspection.Accounts, inspection.Counts[jobs.Inspected], inspection.Counts[jobs.Untagged]}, "those that were changed alone")

		again := c.startDerived(c.Retry(c.Context(), audit.System, inspection.ID,
			jobs.RetryRequest{Kind: jobs.Clear, Outcomes: []jobs.Outcome{jobs.Inspected}}, c.TempDir()))
		c.ends(again, jobs.Counts{jobs.Cleared: tagged})
		c.requireMatch(inspection, again)
	})
}

func TestASampleOfAddedTagsIsDoneAgain(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, snapshot.All)
		c.faults(timtest.Faults{Ignored: 0.3})
		j := c.starts(jobs.AddTags, tagged("a", 60, "t1", "t2"))
		c.run()
		c.ends(j, jobs.Counts{jobs.Changed: 60})
		c.faults(timtest.Faults{})
		inspection := c.inspects(j)
		wrong := inspection.Counts[jobs.Inspected]
		require.Positive(c, wrong)
		require.Equal(c, 60-wrong, inspection.Counts[jobs.Unchanged])
		again := c.startDerived(c.Retry(c.Context(), audit.System, inspection.ID,
			jobs.RetryRequest{Kind: jobs.AddTags, Outcomes: []jobs.Outcome{jobs.Inspected}}, c.TempDir()))
		c.ends(again, jobs.Counts{jobs.Changed: wrong})
		for name := range c.results(j) {
			require.Subset(c, c.service.Tags(name), []string{"t1", "t2"})
		}
	})
}

func TestASmallSampleIsOneBatchAtLeast(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, 1) // one in a million
		j := c.starts(jobs.Clear, accounts("a", 550))
		require.NotEmpty(c, j.Verify.Seed)
		c.run()
		c.ends(j, jobs.Counts{jobs.Cleared: 550})
		inspection := c.inspects(j)
		require.Contains(c, []int64{100, 50}, inspection.Accounts)
		require.Equal(c, inspection.Accounts, inspection.Counts[jobs.Untagged])
		c.requireMatch(j, inspection)
	})
}

func TestNothingIsInspectedIfNothingWasDone(t *testing.T) {
	onEach(t, func(c *fixture) {
		jobstest.Keep(t, c.Console, snapshot.All)
		failed, looked := c.starts(jobs.Clear, accounts("unknown", 3)), c.starts(jobs.Inspect, accounts("a", 3))
		c.run()
		c.ends(failed, jobs.Counts{jobs.Failed: 3})
		c.ends(looked, jobs.Counts{jobs.Inspected: 3})
		for found := true; found; {
			var err error
			found, err = c.DeriveInspection(c.Context(), c.TempDir())
			require.NoError(c, err)
		}
		for _, j := range []jobs.Job{failed, looked} {
			made, err := c.DerivedFrom(c.Context(), j.ID)
			require.NoError(c, err)
			require.Empty(c, made)
			require.False(c, c.job(j).Verify.Due)
		}
	})
}
