package jobs_test

import (
	"context"
	"flag"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim/timtest"
)

func TestMain(m *testing.M) {
	flag.Set("rapid.checks", "10") // each a job with some thirty steps on a real database; make prove makes 100
	storetest.Main(m)
}

var (
	ctx      = context.Background()
	operator = jobstest.Operator

	draft       = jobstest.Accounts
	draftOf     = jobstest.AccountsOf
	started     = jobstest.Started
	start       = jobstest.Start
	requireSums = jobstest.RequireSums
	free        = jobstest.Free
	take        = jobstest.Take
	sent        = jobstest.Sent
	carry       = jobstest.Carry
	jobNow      = jobstest.JobNow
	codes       = jobstest.Codes
	lines       = jobstest.Lines
)

// checker is a *testing.T or a *rapid.T.
type checker interface {
	require.TestingT
	Helper()
}

// run lets an engine carry out what there is, against a simulator, until stop is called.
func run(t *testing.T, s *jobstest.Console, faults timtest.Faults) (service *timtest.Service, stop func()) {
	t.Helper()
	service, base := enginetest.Simulate(t, func(c *timtest.Config) { c.Faults = faults })
	return service, enginetest.Run(t, enginetest.New(t, s, base))
}
