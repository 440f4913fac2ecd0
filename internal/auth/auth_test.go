package auth

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var (
	permissions = []Permission{Public, SignedIn, ReadJobs, RunJobs, Approve, ReadAudit, Review, ManageUsers, Govern, Protect}
	changing    = []Permission{RunJobs, ManageUsers, Govern, Protect}
	anyRole     = rapid.OneOf(rapid.SampledFrom(Roles), rapid.Map(rapid.String(), func(s string) Role { return Role(s) }))
	anyAsked    = rapid.OneOf(rapid.SampledFrom(permissions), rapid.Map(rapid.String(), func(s string) Permission { return Permission(s) }))
)

func TestAuditorChangesNothing(t *testing.T) {
	for _, permission := range changing {
		require.False(t, Auditor.May(permission), permission)
	}
	for _, permission := range []Permission{ReadJobs, ReadAudit, Review} {
		require.True(t, Auditor.May(permission), permission)
	}
}

func TestRolesGrantKnownPermissions(t *testing.T) {
	require.Len(t, granted, len(Roles))
	for role, list := range granted {
		require.True(t, role.Valid())
		require.Contains(t, list, SignedIn)
		require.Subset(t, permissions, list)
	}
}

func TestRolesGrantNoMoreThanTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		role, asked := anyRole.Draw(t, "role"), anyAsked.Draw(t, "permission")
		may := role.May(asked)
		switch {
		case asked == Public:
			require.True(t, may, "whoever asks")
		case !role.Valid():
			require.False(t, may, "an unknown role")
		case may:
			require.True(t, Admin.May(asked), "an admin may whatever another role may")
			require.Contains(t, permissions, asked)
		}
	})
}

func TestOperatorSeesNoUsersAndNoLog(t *testing.T) {
	require.True(t, Operator.May(RunJobs))
	require.False(t, Operator.May(ManageUsers))
	require.False(t, Operator.May(Protect))
	require.False(t, Operator.May(ReadAudit))
	require.False(t, Operator.May(Review))
}
