package jobs_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

func TestLastAdminStaysAdmin(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		one, err := s.CreateUser(ctx, operator, "one", auth.Admin, "hash")
		require.NoError(t, err)
		two, err := s.CreateUser(ctx, operator, "two", auth.Admin, "hash")
		require.NoError(t, err)
		require.NoError(t, s.SetUserDisabled(ctx, operator, one.ID, true))
		require.True(t, jobs.FaultLastAdmin.Is(s.SetUserDisabled(ctx, operator, two.ID, true)))
		require.True(t, jobs.FaultLastAdmin.Is(s.SetUserRole(ctx, operator, two.ID, auth.Auditor)))
		require.NoError(t, s.SetUserDisabled(ctx, operator, one.ID, false))
		require.NoError(t, s.SetUserRole(ctx, operator, two.ID, auth.Auditor))
	})
}

func TestUserNamesAreUniqueAndPlain(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		_, err := s.CreateUser(ctx, operator, "ann", auth.Admin, "hash")
		require.NoError(t, err)
		_, err = s.CreateUser(ctx, operator, "ann", auth.Operator, "hash")
		require.True(t, jobs.FaultUserTaken.Is(err), "%v", err)
		for _, name := range []string{"", "a b", "<b>", string(make([]byte, 65))} {
			_, err = s.CreateUser(ctx, operator, name, auth.Operator, "hash")
			require.True(t, jobs.FaultUserName.Is(err), "%q: %v", name, err)
		}
		_, err = s.CreateUser(ctx, operator, "bob", "root", "hash")
		require.True(t, jobs.FaultUserRole.Is(err), "%v", err)
	})
}

func signIn(t *testing.T, s *jobstest.Console, u jobs.User) jobs.Session {
	t.Helper()
	now := time.Now()
	session := jobs.Session{ID: "public-" + u.Name, TokenHash: "hash-" + u.Name, UserID: u.ID, Data: "{}", CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}
	require.NoError(t, s.SignIn(ctx, audit.Actor{ID: u.ID, Name: u.Name, Session: session.ID, Address: "127.0.0.1"}, session, u.PasswordHash))
	return session
}

func TestSessionEndsForEveryReason(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		u, err := s.CreateUser(ctx, operator, "ann", auth.Operator, "hash")
		require.NoError(t, err)
		for name, end := range map[string]func(jobs.Session) error{
			"sign out": func(x jobs.Session) error { return s.SignOut(ctx, audit.Actor{Name: "ann", Session: x.ID}) },
			"expiry": func(x jobs.Session) error {
				x.ExpiresAt = time.Now().Add(-time.Minute)
				return s.SaveSession(ctx, x)
			},
			"password": func(jobs.Session) error { return s.SetUserPassword(ctx, operator, u.ID, "hash") },
			"disabled": func(jobs.Session) error {
				if err := s.SetUserDisabled(ctx, operator, u.ID, true); err != nil {
					return err
				}
				return s.SetUserDisabled(ctx, operator, u.ID, false)
			},
		} {
			session := signIn(t, s, u)
			_, who, err := s.SessionByToken(ctx, session.TokenHash)
			require.NoError(t, err)
			require.Equal(t, "ann", who.Name)
			require.NoError(t, end(session))
			_, _, err = s.SessionByToken(ctx, session.TokenHash)
			require.True(t, jobs.FaultNoSession.Is(err), "%s: %v", name, err)
		}
	})
}

func TestSignInBackOffIsPerSource(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		var waits []time.Duration
		for range 5 {
			wait, err := s.TrySignIn(ctx, "ann", "10.0.0.1")
			require.NoError(t, err)
			waits = append(waits, (wait + time.Second).Truncate(2*time.Second))
		}
		require.Equal(t, []time.Duration{0, 0, 0, 2 * time.Second, 2 * time.Second}, waits, "asking again too early does not lengthen the wait")
		wait, err := s.TrySignIn(ctx, "ann", "10.0.0.2")
		require.NoError(t, err)
		require.Zero(t, wait, "nobody can lock a colleague out")

		u, err := s.CreateUser(ctx, operator, "ann", auth.Operator, "hash")
		require.NoError(t, err)
		now := time.Now()
		require.NoError(t, s.SignIn(ctx, audit.Actor{Name: "ann", Address: "10.0.0.1", Session: "x"},
			jobs.Session{ID: "x", TokenHash: "y", UserID: u.ID, Data: "{}", CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}, "hash"))
		wait, err = s.TrySignIn(ctx, "ann", "10.0.0.1")
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
				if pause, err := s.TrySignIn(ctx, "ann", "10.0.0.1"); err == nil && pause == 0 {
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
		u, err := s.CreateUser(ctx, operator, "ann", auth.Operator, "old")
		require.NoError(t, err)
		require.NoError(t, s.SetUserPassword(ctx, operator, u.ID, "new"))
		now := time.Now()
		session := jobs.Session{ID: "x", TokenHash: "y", UserID: u.ID, Data: "{}", CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}
		err = s.SignIn(ctx, audit.Actor{Name: "ann", Session: "x"}, session, u.PasswordHash)
		require.True(t, jobs.FaultNoSession.Is(err), "%v", err)
		_, _, err = s.SessionByToken(ctx, "y")
		require.True(t, jobs.FaultNoSession.Is(err), "%v", err)
	})
}
