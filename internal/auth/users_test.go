package auth_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
)

func TestLastAdminStaysAdmin(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		one, err := s.Users.Create(ctx, operator, "one", auth.Admin, "hash")
		require.NoError(t, err)
		two, err := s.Users.Create(ctx, operator, "two", auth.Admin, "hash")
		require.NoError(t, err)
		require.NoError(t, s.Users.SetDisabled(ctx, operator, one.ID, true))
		require.True(t, auth.FaultLastAdmin.Is(s.Users.SetDisabled(ctx, operator, two.ID, true)))
		require.True(t, auth.FaultLastAdmin.Is(s.Users.SetRole(ctx, operator, two.ID, auth.Auditor)))
		require.NoError(t, s.Users.SetDisabled(ctx, operator, one.ID, false))
		require.NoError(t, s.Users.SetRole(ctx, operator, two.ID, auth.Auditor))
	})
}

func TestUserNamesAreUniqueAndPlain(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		_, err := s.Users.Create(ctx, operator, "ann", auth.Admin, "hash")
		require.NoError(t, err)
		for _, same := range []string{"ann", "Ann", "ANN"} {
			_, err = s.Users.Create(ctx, operator, same, auth.Operator, "hash")
			require.True(t, auth.FaultUserTaken.Is(err), "%v", err)
			found, err := s.Users.ByName(ctx, same)
			require.NoError(t, err)
			require.Equal(t, "ann", found.Name)
		}
		for _, name := range []string{"", "a b", "<b>", string(make([]byte, 65))} {
			_, err = s.Users.Create(ctx, operator, name, auth.Operator, "hash")
			require.True(t, auth.FaultUserName.Is(err), "%q: %v", name, err)
		}
		_, err = s.Users.Create(ctx, operator, "bob", "root", "hash")
		require.True(t, auth.FaultUserRole.Is(err), "%v", err)
	})
}

func signIn(t *testing.T, s *jobstest.Console, u auth.User) auth.Session {
	t.Helper()
	now := time.Now()
	session := auth.Session{ID: "public-" + u.Name, TokenHash: "hash-" + u.Name, UserID: u.ID, Data: "{}", CreatedAt: now,
		SeenAt: now, ExpiresAt: now.Add(time.Hour)}
	require.NoError(t, s.Users.SignIn(ctx, audit.Actor{ID: u.ID, Name: u.Name, Session: session.ID, Address: "127.0.0.1"},
		session, u.PasswordHash))
	return session
}

func TestSessionEndsForEveryReason(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		u, err := s.Users.Create(ctx, operator, "ann", auth.Operator, "hash")
		require.NoError(t, err)
		for name, end := range map[string]func(auth.Session) error{
			"sign out": func(x auth.Session) error { return s.Users.SignOut(ctx, audit.Actor{Name: "ann", Session: x.ID}) },
			"expiry": func(x auth.Session) error {
				x.ExpiresAt = time.Now().Add(-time.Minute)
				return s.Users.SaveSession(ctx, x)
			},
			"password": func(auth.Session) error { return s.Users.SetPassword(ctx, operator, u.ID, "hash") },
			"disabled": func(auth.Session) error {
				if err := s.Users.SetDisabled(ctx, operator, u.ID, true); err != nil {
					return err
				}
				return s.Users.SetDisabled(ctx, operator, u.ID, false)
			},
		} {
			session := signIn(t, s, u)
			_, who, err := s.Users.Session(ctx, session.TokenHash)
			require.NoError(t, err)
			require.Equal(t, "ann", who.Name)
			require.NoError(t, end(session))
			_, _, err = s.Users.Session(ctx, session.TokenHash)
			require.True(t, auth.FaultNoSession.Is(err), "%s: %v", name, err)
		}
	})
}

func TestSignInBackOffIsPerSource(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		var waits []time.Duration
		for range 5 {
			wait, err := s.Users.TrySignIn(ctx, "ann", "10.0.0.1")
			require.NoError(t, err)
			waits = append(waits, (wait + time.Second).Truncate(2*time.Second))
		}
		require.Equal(t, []time.Duration{0, 0, 0, 2 * time.Second, 2 * time.Second}, waits, "asking again too early does not lengthen the wait")
		wait, err := s.Users.TrySignIn(ctx, "ann", "10.0.0.2")
		require.NoError(t, err)
		require.Zero(t, wait, "nobody can lock a colleague out")

		u, err := s.Users.Create(ctx, operator, "ann", auth.Operator, "hash")
		require.NoError(t, err)
		now := time.Now()
		require.NoError(t, s.Users.SignIn(ctx, audit.Actor{Name: "ann", Address: "10.0.0.1", Session: "x"},
			auth.Session{ID: "x", TokenHash: "y", UserID: u.ID, Data: "{}", CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}, "hash"))
		wait, err = s.Users.TrySignIn(ctx, "ann", "10.0.0.1")
		require.NoError(t, err)
		require.Zero(t, wait, "a success forgets the failures")
	})
}

func TestSignInParallelAttemptsAreSlowed(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		var looked atomic.Int64
		var wait sync.WaitGroup
		for range 30 {
			wait.Go(func() {
				if pause, err := s.Users.TrySignIn(ctx, "ann", "10.0.0.1"); err == nil && pause == 0 {
					looked.Add(1)
				}
			})
		}
		wait.Wait()
		require.Equal(t, int64(3), looked.Load())
	})
}

func TestSessionNeedsTheCurrentPassword(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		u, err := s.Users.Create(ctx, operator, "ann", auth.Operator, "old")
		require.NoError(t, err)
		require.NoError(t, s.Users.SetPassword(ctx, operator, u.ID, "new"))
		now := time.Now()
		session := auth.Session{ID: "x", TokenHash: "y", UserID: u.ID, Data: "{}", CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}
		err = s.Users.SignIn(ctx, audit.Actor{Name: "ann", Session: "x"}, session, u.PasswordHash)
		require.True(t, auth.FaultNoSession.Is(err), "%v", err)
		_, _, err = s.Users.Session(ctx, "y")
		require.True(t, auth.FaultNoSession.Is(err), "%v", err)
	})
}
