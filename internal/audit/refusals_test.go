package audit_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs/jobstest"
)

func failed(name, address, reason string) audit.Entry {
	return audit.Entry{Code: audit.SignInFailed, Actor: audit.Actor{Name: name, Address: address, UserAgent: "x"}, Target: name,
		Details: map[string]any{"reason": reason}}
}

func TestRefusalsAreSummedUp(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		r := audit.NewRefusals(s.Audit)
		for i := range 10_000 {
			r.NoteLater("sign_in", failed(fmt.Sprint("user", i), fmt.Sprint("10.0.0.", i%250), []string{"unknown_user", "waiting"}[i%2]))
		}
		require.NoError(t, r.Flush(ctx))
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.SignInFailed, Limit: 10})
		require.NoError(t, err)
		require.Len(t, entries, 2, "the first, and one for all others")
		first, sum := entries[1], entries[0]
		require.Equal(t, "user0", first.Target)
		require.Equal(t, "10.0.0.0", first.Actor.Address)
		require.Equal(t, map[string]any{"reason": "unknown_user"}, first.Details)
		require.Empty(t, sum.Target+sum.Actor.Name+sum.Actor.Address)
		require.InDelta(t, 9_999, sum.Details["count"], 0)
		require.InDelta(t, 4_999, sum.Details["unknown_user"], 0)
		require.InDelta(t, 5_000, sum.Details["waiting"], 0)
		require.Len(t, sum.Details["by_name"], 20)
		require.Len(t, sum.Details["by_address"], 20)
		since, err := time.Parse(time.RFC3339, sum.Details["since"].(string))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), since, time.Minute)
		found, err := s.Audit.Entries(ctx, audit.Filter{Words: "user7", Limit: 10})
		require.NoError(t, err)
		require.Len(t, found, 1, "a sum is found by the names it has")
	})
}

func TestASumNamesWhatAllHadInCommon(t *testing.T) {
	s := jobstest.SQLite(t)
	r := audit.NewRefusals(s.Audit)
	denied := audit.Entry{Code: audit.AccessDenied, Actor: jobstest.Operator, Target: "/users",
		Details: map[string]any{"method": "GET", "permission": "users.manage"}}
	require.True(t, r.Note("u1 users.manage", denied), "the caller records it")
	for range 50 {
		require.False(t, r.Note("u1 users.manage", denied))
	}
	require.True(t, r.Note("u2 users.manage", denied), "another person")
	require.NoError(t, r.Flush(ctx))
	entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.AccessDenied, Limit: 10})
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, "/users", entries[0].Target)
	require.Equal(t, "olga", entries[0].Actor.Name)
	require.Equal(t, "127.0.0.1", entries[0].Actor.Address)
	require.Equal(t, "users.manage", entries[0].Details["permission"])
	require.InDelta(t, 50, entries[0].Details["count"], 0)
	require.True(t, r.Note("u1 users.manage", denied), "what is flushed is forgotten")
}

func TestSumsOutliveADatabaseThatIsAway(t *testing.T) {
	s := jobstest.SQLite(t)
	r := audit.NewRefusals(s.Audit)
	for range 5 {
		r.NoteLater("sign_in", failed("ann", "10.0.0.1", "wrong_password"))
	}
	ended, end := context.WithCancel(ctx)
	end()
	require.Error(t, r.Flush(ended))
	r.NoteLater("sign_in", failed("bob", "10.0.0.2", "wrong_password"))
	require.NoError(t, r.Flush(ctx))
	entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.SignInFailed, Limit: 10})
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.InDelta(t, 5, entries[0].Details["count"], 0)
	require.Equal(t, []any{counted("ann", 4, "10.0.0.1"), counted("bob", 1, "10.0.0.2")}, entries[0].Details["by_name"])
}

func counted(name string, count float64, from ...any) any {
	return map[string]any{"name": name, "count": count, "addresses": from}
}

// Names that somebody makes up take no place from those of users, and none is too long for
// an entry.
func TestFailedSignInsAreCountedByName(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		r := audit.NewRefusals(s.Audit)
		for i := range 200 {
			r.NoteLater("sign_in", failed(fmt.Sprint(strings.Repeat("<", 90), i), fmt.Sprint("10.0.0.", i), "waiting"))
		}
		for range 3 {
			r.NoteLater("sign_in", failed("ann", "10.0.0.1", "wrong_password"))
			r.NoteLater("sign_in", failed("Ann", "10.0.0.2", "waiting"))
			r.NoteLater("sign_in", failed("bob", "10.0.0.3", "disabled"))
		}
		require.NoError(t, r.FlushOf(ctx, "ann"))
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.SignInFailed, Limit: 1})
		require.NoError(t, err)
		require.InDelta(t, 208, entries[0].Details["count"], 0)
		require.Contains(t, entries[0].Details["by_name"], counted("ann", 6, "10.0.0.1", "10.0.0.2"))
		require.Contains(t, entries[0].Details["by_name"], counted("bob", 3, "10.0.0.3"))
		require.Contains(t, entries[0].Details["by_address"], map[string]any{"address": "10.0.0.1", "count": 4.0})
	})
}

func TestFailedSignInsOfAUserAreSummedUp(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		r := audit.NewRefusals(s.Audit)
		began := s.DB.Now()
		r.NoteLater("sign_in", failed("ann", "10.0.0.1", "wrong_password"))
		require.NoError(t, r.FlushOf(ctx, "annie"))
		none, err := s.Audit.FailedSignIns(ctx, "ann", began.Add(-time.Second))
		require.NoError(t, err)
		require.Zero(t, none, "it was not recorded yet, and nobody asked for it")
		require.NoError(t, r.FlushOf(ctx, "ann"))
		for range 5 {
			r.NoteLater("sign_in", failed("annie", "10.0.0.9", "unknown_user"))
			r.NoteLater("sign_in", failed("ANN", "10.0.0.2", "waiting"))
		}
		require.NoError(t, r.FlushOf(ctx, "ann"))
		found, err := s.Audit.FailedSignIns(ctx, "Ann", began.Add(-time.Second))
		require.NoError(t, err)
		require.EqualValues(t, 6, found.Count)
		require.Equal(t, []string{"10.0.0.2", "10.0.0.1"}, found.Addresses)
		require.False(t, found.More)
		require.WithinDuration(t, began, found.Since, time.Minute)
		later, err := s.Audit.FailedSignIns(ctx, "ann", found.Last)
		require.NoError(t, err)
		require.Zero(t, later)
	})
}
