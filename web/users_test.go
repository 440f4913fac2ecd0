package web

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
)

func TestAnAdminManagesUsers(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Admin)
		require.Equal(t, "/users", b.post("/users", "name", "grace", "role", "operator", "password", "a good long password").location())
		require.Contains(t, b.get("/users").body, "User grace was created.")
		require.NotContains(t, b.get("/users").body, "was created", "a notice is shown once")
		user, err := s.Users.ByName(t.Context(), "grace")
		require.NoError(t, err)

		b.post("/users/"+user.ID+"/role", "role", "auditor")
		require.Contains(t, b.get("/users").body, "grace now has the role auditor.")
		b.post("/users/"+user.ID+"/password", "password", "another good password")
		grace := c.browser()
		require.Equal(t, http.StatusUnprocessableEntity, grace.post("/login", "username", "grace", "password", "a good long password").StatusCode)
		require.Equal(t, http.StatusSeeOther, grace.post("/login", "username", "grace", "password", "another good password").StatusCode)
		b.post("/users/" + user.ID + "/disable")
		require.Equal(t, http.StatusSeeOther, grace.get("/jobs").StatusCode)
		b.post("/users/" + user.ID + "/enable")
		require.Equal(t, http.StatusSeeOther, grace.post("/login", "username", "grace", "password", "another good password").StatusCode)

		var codes []audit.Code
		for _, e := range c.recorded(audit.Filter{Actor: "admin"}) {
			if e.Target == "grace" {
				codes = append(codes, e.Code)
				require.NotContains(t, e.Details, "password")
			}
		}
		require.Equal(t, []audit.Code{audit.UserEnabled, audit.UserDisabled, audit.UserPasswordSet, audit.UserRoleSet, audit.UserCreated}, codes)
	})
}

func TestUserFormErrorKeepsTheForm(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Admin)
	admin, err := c.store.Users.ByName(t.Context(), "admin")
	require.NoError(t, err)
	before := c.contents()
	for _, bad := range []struct {
		address string
		form    []string
		status  int
		says    string
	}{
		{"/users", []string{"name", "grace", "role", "operator", "password", "short"}, 422, "fewer than 10 characters"},
		{"/users", []string{"name", "a b", "role", "operator", "password", jobstest.Password}, 422, "a user name has 1 to 64 characters"},
		{"/users", []string{"name", "operator", "role", "operator", "password", jobstest.Password}, 409, "the user name operator already exists"},
		{"/users", []string{"name", "grace", "role", "king", "password", jobstest.Password}, 422, "the role must be operator, admin or auditor"},
		{"/users/" + admin.ID + "/role", []string{"role", "auditor"}, 409, "the last admin"},
		{"/users/" + admin.ID + "/disable", nil, 409, "the last admin"},
		{"/users/unknown/disable", nil, 404, "This user does not exist."},
	} {
		got := b.post(bad.address, bad.form...)
		require.Equal(t, bad.status, got.StatusCode, bad.says)
		require.Contains(t, got.body, bad.says)
		require.Contains(t, got.body, `action="/users"`)
		require.NotContains(t, got.body, jobstest.Password)
	}
	require.Equal(t, before, c.contents())
	require.Contains(t, b.post("/users", "name", "grace", "role", "auditor", "password", "short").body, `value="grace"`)
}

func TestUserPasswordChangeSignsOut(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Admin)
	admin, err := c.store.Users.ByName(t.Context(), "admin")
	require.NoError(t, err)
	require.Equal(t, "/login", b.post("/users/"+admin.ID+"/password", "password", "my next good password").location())
	require.Equal(t, http.StatusSeeOther, b.get("/users").StatusCode)
}
