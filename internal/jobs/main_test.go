package jobs_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
)

func TestMain(m *testing.M) {
	flag.Set("rapid.checks", "10") // each a job with some thirty steps on a real database; make prove makes 100
	storetest.Main(m)
}

var (
	ctx      = context.Background()
	operator = audit.Actor{ID: "u1", Name: "olga", Role: "operator", Address: "127.0.0.1"}
)

// checker is a *testing.T or a *rapid.T.
type checker interface {
	require.TestingT
	Helper()
}

// draft uploads a file of n accounts, the same ones each time.
func draft(t checker, s *jobstest.Console, n int) jobs.Job {
	t.Helper()
	return draftOf(t, s, "user", n)
}

func draftOf(t checker, s *jobstest.Console, prefix string, n int) jobs.Job {
	t.Helper()
	var file strings.Builder
	file.WriteString("account\n")
	for i := range n {
		fmt.Fprintf(&file, "%s_%05d\n", prefix, i+1)
	}
	j, err := jobstest.Draft(s, operator, jobs.Upload{}, file.String())
	require.NoError(t, err)
	return j
}

var startedJobs atomic.Int64

// started uploads and starts a job of n accounts that no other job holds.
func started(t checker, s *jobstest.Console, n int) jobs.Job {
	t.Helper()
	return start(t, s, draftOf(t, s, fmt.Sprintf("user%d", startedJobs.Add(1)), n))
}

func start(t checker, s *jobstest.Console, j jobs.Job) jobs.Job {
	t.Helper()
	j, err := s.Start(ctx, operator, j.ID, jobs.StartRequest{Confirm: j.Accounts})
	require.NoError(t, err)
	return j
}

func requireSums(t checker, s *jobstest.Console) {
	t.Helper()
	found, err := s.VerifyJobs(ctx)
	require.NoError(t, err)
	require.Empty(t, found.Wrong)
}
