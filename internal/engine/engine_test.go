package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestClearSettlesEveryAccount(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		_, base := enginetest.Simulate(t)
		jobstest.Keep(t, s, 0)
		draft, err := jobstest.Draft(s, audit.System, jobs.Upload{}, enginetest.Members(1234))
		require.NoError(t, err)
		job := enginetest.Start(t, s, draft)
		enginetest.Run(t, enginetest.New(t, s, base))
		ended := enginetest.Ended(t, s, job.ID)
		require.Equal(t, jobs.Finished, ended.State)
		require.Equal(t, int64(1234), ended.Counts[jobs.Cleared]+ended.Counts[jobs.Untagged]+ended.Counts[jobs.Failed])
		enginetest.RequireMatch(t, s, base, job.ID)
	})
}
