package auth_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs/jobstest"
)

// signedInAdmin is an admin who is signed in, and who acts then.
func signedInAdmin(t *testing.T, s *jobstest.Console, name string) (auth.User, audit.Actor) {
	t.Helper()
	u, err := s.Users.Create(ctx, operator, name, auth.Admin, "hash")
	require.NoError(t, err)
	session := signIn(t, s, u)
	return u, audit.Actor{ID: u.ID, Name: u.Name, Role: string(u.Role), SignedIn: audit.ByPassword, Session: session.ID}
}

// No event is recorded of somebody whose right to cause it has ended, and so nothing is
// changed: whoever changes something records it in the same transaction.
func TestNothingIsRecordedOfALostRight(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		_, other := signedInAdmin(t, s, "other")
		ends := map[string]func(auth.User, audit.Actor) error{
			"disabled":   func(u auth.User, _ audit.Actor) error { return s.Users.SetDisabled(ctx, other, u.ID, true) },
			"password":   func(u auth.User, _ audit.Actor) error { return s.Users.SetPassword(ctx, other, u.ID, "new") },
			"signed out": func(_ auth.User, by audit.Actor) error { return s.Users.SignOut(ctx, by) },
			"expired": func(_ auth.User, by audit.Actor) error {
				return s.Users.SaveSession(ctx, auth.Session{ID: by.Session, Data: "{}", ExpiresAt: time.Now().Add(-time.Second)})
			},
			"an operator now": func(u auth.User, _ audit.Actor) error { return s.Users.SetRole(ctx, other, u.ID, auth.Operator) },
			"an auditor now":  func(u auth.User, _ audit.Actor) error { return s.Users.SetRole(ctx, other, u.ID, auth.Auditor) },
		}
		for name, end := range ends {
			u, by := signedInAdmin(t, s, fmt.Sprintf("admin-%d", jobstest.Serial()))
			for _, code := range audit.Codes {
				if !changes(code) {
					require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: code, Actor: by}), "%s by an admin", code)
				}
			}
			require.NoError(t, end(u, by))
			role := map[string]auth.Role{"an operator now": auth.Operator, "an auditor now": auth.Auditor}[name]
			for _, code := range audit.Codes {
				if changes(code) {
					continue
				}
				switch err := s.Audit.Record(ctx, audit.Entry{Code: code, Actor: by}); {
				case role == "":
					require.True(t, auth.FaultNoSession.Is(err), "%s, %s: %v", name, code, err)
				case err != nil:
					require.True(t, auth.FaultDenied.Is(err), "%s, %s: %v", name, code, err)
				default:
					said, err := s.Audit.Entries(ctx, audit.Filter{Code: code, Limit: 1})
					require.NoError(t, err)
					require.Equal(t, string(role), said[0].Actor.Role, "the role is what it is now")
				}
			}
			for _, code := range []audit.Code{audit.KillSwitchLifted, audit.AppChanged, audit.AccountUnprotected, audit.LogKeepSet,
				audit.LogErased, audit.SnapshotErased, audit.JobPutFirst, audit.ClockConfirmed, audit.LogAccepted} {
				require.Error(t, s.Audit.Record(ctx, audit.Entry{Code: code, Actor: by}), "%s, %s", name, code)
			}
			before, err := s.Users.List(ctx)
			require.NoError(t, err)
			_, failed := s.Users.Create(ctx, by, "mallory", auth.Admin, "hash")
			for what, err := range map[string]error{
				"create": failed, "role": s.Users.SetRole(ctx, by, u.ID, auth.Admin), "password": s.Users.SetPassword(ctx, by, u.ID, "mine"),
				"enable": s.Users.SetDisabled(ctx, by, u.ID, false), "disable": s.Users.SetDisabled(ctx, by, other.ID, true),
			} {
				require.Equal(t, fault.Forbidden, fault.KindOf(err), "%s, %s: %v", name, what, err)
			}
			after, err := s.Users.List(ctx)
			require.NoError(t, err)
			require.Equal(t, before, after, name)
		}
	})
}

// changes are the events that end the right to cause them, when somebody changes themselves:
// it is asked for before.
func changes(code audit.Code) bool {
	switch code {
	case audit.SignedOut, audit.UserPasswordSet, audit.UserRoleSet, audit.UserDisabled, audit.UserEnabled:
		return true
	}
	return false
}
