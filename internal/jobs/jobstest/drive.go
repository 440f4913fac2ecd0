package jobstest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
)

var ctx = context.Background()

// Operator is who acts in tests.
var Operator = audit.Actor{ID: "u1", Name: "olga", Role: "operator", Address: "127.0.0.1"}

// checker is a *testing.T or a *rapid.T.
type checker interface {
	require.TestingT
	Helper()
}

// Accounts uploads a file of n accounts, the same ones each time.
func Accounts(t checker, s *Console, n int) jobs.Job {
	t.Helper()
	return AccountsOf(t, s, "user", n)
}

// AccountsOf uploads a file of n accounts whose names begin with a prefix.
func AccountsOf(t checker, s *Console, prefix string, n int) jobs.Job {
	t.Helper()
	j, err := Draft(s, Operator, jobs.Upload{}, lines(prefix, n))
	require.NoError(t, err)
	return j
}

var serial atomic.Int64

// Serial is another number each time, to name accounts by that no other job holds.
func Serial() int64 { return serial.Add(1) }

// Started uploads and starts a job of n accounts that no other job holds.
func Started(t checker, s *Console, n int) jobs.Job {
	t.Helper()
	return Start(t, s, AccountsOf(t, s, fmt.Sprintf("user%d", Serial()), n))
}

// Start starts a draft.
func Start(t checker, s *Console, j jobs.Job) jobs.Job {
	t.Helper()
	j, err := s.Start(ctx, Operator, j.ID, jobs.StartRequest{Confirm: j.Accounts})
	require.NoError(t, err)
	return j
}

// RequireSums recounts all jobs.
func RequireSums(t checker, s *Console) {
	t.Helper()
	found, err := s.Recount(ctx)
	require.NoError(t, err)
	require.Empty(t, found.Wrong)
}

// Free lets jobs begin without care, and never halts them for failures.
func Free(t checker, s *Console) {
	require.NoError(t, s.ChangeSettings(ctx, Operator, App.ID, jobs.Settings{FailureLimit: 100, KeepDays: 30}))
}

// Take takes a batch in hand, which must be there to take.
func Take(t checker, s *Console, jobID string, number int64) *Hand {
	t.Helper()
	h, err := s.Take(ctx, jobID, number)
	require.NoError(t, err)
	require.NotNil(t, h, "batch %d", number)
	return h
}

// Sent takes a batch in hand and lets a call that changes tags leave for all of it.
func Sent(t checker, s *Console, j jobs.Job, number int64) *Hand {
	t.Helper()
	h := Take(t, s, j.ID, number)
	require.NoError(t, h.Send(ctx, string(j.Kind.Command())))
	return h
}

// Carry carries batches of a job out, each with a call.
func Carry(t checker, s *Console, jobID string, came Came, numbers ...int64) {
	t.Helper()
	j := JobNow(t, s, jobID)
	for _, number := range numbers {
		h := Take(t, s, jobID, number)
		command := "get_tags"
		if came.Rest == j.Kind.Done() && j.Kind.Command() != "" {
			command = string(j.Kind.Command())
		}
		require.NoError(t, h.Send(ctx, command))
		require.NoError(t, h.Settle(ctx, came))
	}
}

// JobNow is a job as it stands.
func JobNow(t checker, s *Console, id string) jobs.Job {
	t.Helper()
	j, err := s.Get(ctx, id)
	require.NoError(t, err)
	return j
}

// Codes lists the events in the log, oldest first.
func Codes(t checker, s *Console, f audit.Filter) (codes []audit.Code) {
	f.Limit = 100
	entries, err := s.Audit.Entries(ctx, f)
	require.NoError(t, err)
	for _, e := range slices.Backward(entries) {
		codes = append(codes, e.Code)
	}
	return codes
}

// Lines is a file of n accounts.
func Lines(n int) string { return lines("user", n) }

func lines(prefix string, n int) string {
	var file strings.Builder
	file.WriteString("account\n")
	for i := range n {
		fmt.Fprintf(&file, "%s_%05d\n", prefix, i+1)
	}
	return file.String()
}
