package audit_test

import (
	"context"
	"fmt"
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
		require.Len(t, sum.Details["targets"], 20)
		require.Len(t, sum.Details["addresses"], 20)
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
	require.ElementsMatch(t, []any{"ann", "bob"}, entries[0].Details["targets"])
}
