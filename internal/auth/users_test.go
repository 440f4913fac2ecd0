package auth_test

import (
	"fmt"
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
		for _, own := range append(audit.OwnNames, "System", "Command_Line", "CONSOLE") {
			_, err = s.Users.Create(ctx, operator, own, auth.Operator, "hash")
			require.True(t, auth.FaultUserTaken.Is(err), "nobody passes for the console as %s: %v", own, err)
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
	session := auth.Session{ID: "public-" + u.Name, UserID: u.ID, Data: "{}", CreatedAt: now,
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
			"sign out": func(x auth.Session) error {
				return s.Users.SignOut(ctx, audit.Actor{ID: u.ID, Name: "ann", Session: x.ID})
			},
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
			_, who, err := s.Users.Session(ctx, session.ID)
			require.NoError(t, err)
			require.Equal(t, "ann", who.Name)
			require.NoError(t, end(session))
			_, _, err = s.Users.Session(ctx, session.ID)
			require.True(t, auth.FaultNoSession.Is(err), "%s: %v", name, err)
			require.NoError(t, s.Users.Sweep(ctx)) // what has expired
		}
	})
}

func TestAPersonHasABoundedNumberOfSessions(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		u, err := s.Users.Create(ctx, operator, "ann", auth.Operator, "hash")
		require.NoError(t, err)
		now := time.Now()
		for i := range 102 {
			id := fmt.Sprintf("%03d", i)
			at := now.Add(time.Duration(i) * time.Second)
			session := auth.Session{ID: id, UserID: u.ID, Data: "{}", CreatedAt: at, SeenAt: at, ExpiresAt: at.Add(time.Hour)}
			require.NoError(t, s.Users.SignIn(ctx, audit.Actor{ID: u.ID, Name: "ann", Session: id}, session, "hash"))
		}
		_, _, err = s.Users.Session(ctx, "001")
		require.True(t, auth.FaultNoSession.Is(err), "the oldest have ended")
		_, _, err = s.Users.Session(ctx, "002")
		require.NoError(t, err)
	})
}

func TestSessionNeedsTheCurrentPassword(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		u, err := s.Users.Create(ctx, operator, "ann", auth.Operator, "old")
		require.NoError(t, err)
		require.NoError(t, s.Users.SetPassword(ctx, operator, u.ID, "new"))
		now := time.Now()
		session := auth.Session{ID: "x", UserID: u.ID, Data: "{}", CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}
		err = s.Users.SignIn(ctx, audit.Actor{Name: "ann", Session: "x"}, session, u.PasswordHash)
		require.True(t, auth.FaultNoSession.Is(err), "%v", err)
		_, _, err = s.Users.Session(ctx, "x")
		require.True(t, auth.FaultNoSession.Is(err), "%v", err)
	})
}
