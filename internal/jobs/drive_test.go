package jobs_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/tim/timtest"
)

// free lets jobs begin without care, and never halts them for failures.
func free(t checker, s *jobstest.Console) {
	require.NoError(t, s.ChangeSettings(ctx, operator, jobstest.App.ID, jobs.Settings{FailureLimit: 100, KeepDays: 30}))
}

// take takes a batch in hand, which must be there to take.
func take(t checker, s *jobstest.Console, jobID string, number int64) *jobstest.Hand {
	t.Helper()
	h, err := s.Take(ctx, jobID, number)
	require.NoError(t, err)
	require.NotNil(t, h, "batch %d", number)
	return h
}

// sent takes a batch in hand and lets a call that changes tags leave for all of it.
func sent(t checker, s *jobstest.Console, j jobs.Job, number int64) *jobstest.Hand {
	t.Helper()
	h := take(t, s, j.ID, number)
	require.NoError(t, h.Send(ctx, string(j.Kind.Command())))
	return h
}

// carry carries batches of a job out, each with a call.
func carry(t checker, s *jobstest.Console, jobID string, came jobstest.Came, numbers ...int64) {
	t.Helper()
	j := jobNow(t, s, jobID)
	for _, number := range numbers {
		h := take(t, s, jobID, number)
		command := "get_tags"
		if came.Rest == j.Kind.Done() && j.Kind.Command() != "" {
			command = string(j.Kind.Command())
		}
		require.NoError(t, h.Send(ctx, command))
		require.NoError(t, h.Settle(ctx, came))
	}
}

func jobNow(t checker, s *jobstest.Console, id string) jobs.Job {
	t.Helper()
	j, err := s.Get(ctx, id)
	require.NoError(t, err)
	return j
}

func codes(t checker, s *jobstest.Console, f jobs.AuditFilter) (codes []audit.Code) {
	f.Limit = 100
	entries, err := s.AuditEntries(ctx, f)
	require.NoError(t, err)
	for _, e := range slices.Backward(entries) {
		codes = append(codes, e.Code)
	}
	return codes
}

// run lets an engine carry out what there is, against a simulator, until stop is called.
func run(t *testing.T, s *jobstest.Console, faults timtest.Faults) (service *timtest.Service, stop func()) {
	t.Helper()
	service, base := enginetest.Simulate(t, func(c *timtest.Config) { c.Faults = faults })
	return service, enginetest.Run(t, enginetest.New(t, s, base))
}
