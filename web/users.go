package web

import (
	"net/http"

	"github.com/a-h/templ"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/web/templates"
)

func (s *Server) listUsers(v *request) error { return s.userPage(v, http.StatusOK, nil) }

// userPage shows the users, and an error above them.
func (s *Server) userPage(v *request, status int, f *fault.Error) error {
	users, err := s.Users.List(v.Request().Context())
	if err != nil {
		return err
	}
	sessions, err := s.Users.Sessions(v.Request().Context(), "")
	if err != nil {
		return err
	}
	open := map[string][]templates.SessionRow{}
	for _, session := range sessions {
		open[session.UserID] = append(open[session.UserID], s.sessionRow(v, session))
	}
	tokens, err := s.Users.Tokens(v.Request().Context(), "")
	if err != nil {
		return err
	}
	have := map[string][]auth.Token{}
	for _, token := range tokens {
		have[token.UserID] = append(have[token.UserID], token)
	}
	page := templates.UserPage{Name: v.FormValue("name"), Role: auth.Role(v.FormValue("role"))}
	for _, u := range users {
		page.Users = append(page.Users, templates.UserRow{
			ID: u.ID, Name: u.Name, Role: u.Role, CreatedAt: u.CreatedAt, DisabledAt: u.DisabledAt, LastSignIn: u.LastSignIn,
			Sessions: open[u.ID], Tokens: have[u.ID],
		})
	}
	view := s.view(v, "users")
	view.Here = "/users"
	if f != nil {
		view.Problem = v.text.Fault(f)
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Users(view, page) })
}

// changed returns to the list with a confirmation or an error.
func (s *Server) changed(v *request, err error, key string, args ...any) error {
	if err != nil {
		return again(v, err, s.userPage)
	}
	s.notice(v, v.text.T(key, args...))
	return v.Redirect(http.StatusSeeOther, "/users")
}

func (s *Server) createUser(v *request) error {
	name, role := v.FormValue("name"), auth.Role(v.FormValue("role"))
	hash, err := auth.HashPassword(name, v.FormValue("password"))
	if err == nil {
		_, err = s.Users.Create(v.Request().Context(), v.actor(), name, role, hash)
	}
	return s.changed(v, err, "users.done.created", name)
}

func (s *Server) setRole(v *request) error {
	role := auth.Role(v.FormValue("role"))
	user, err := s.change(v, func(by audit.Actor, user auth.User) error {
		return s.Users.SetRole(v.Request().Context(), by, user.ID, role)
	})
	return s.changed(v, err, "users.done.role", user.Name, role)
}

func (s *Server) setPassword(v *request) error {
	user, err := s.change(v, func(by audit.Actor, user auth.User) error {
		hash, err := auth.HashPassword(user.Name, v.FormValue("password"))
		if err != nil {
			return err
		}
		return s.Users.SetPassword(v.Request().Context(), by, user.ID, hash)
	})
	if err == nil && user.ID == v.user.ID {
		s.sessions.forget(v) // their own sessions have ended too
		return v.Redirect(http.StatusSeeOther, "/login")
	}
	return s.changed(v, err, "users.done.password", user.Name)
}

// endSessions ends a session of a user, or all of them.
func (s *Server) endSessions(v *request) error {
	user, err := s.change(v, func(by audit.Actor, user auth.User) error {
		return s.Users.EndSessions(v.Request().Context(), by, user.ID, v.FormValue("session"))
	})
	return s.changed(v, err, "users.done.ended", user.Name)
}

// revokeToken ends a token of a user.
func (s *Server) revokeToken(v *request) error {
	_, err := s.change(v, func(by audit.Actor, user auth.User) error {
		return s.Users.RevokeToken(v.Request().Context(), by, user.ID, v.FormValue("token"))
	})
	return s.changed(v, err, "tokens.done.revoked")
}

func setDisabled(disabled bool) func(*Server, *request) error {
	return func(s *Server, v *request) error {
		user, err := s.change(v, func(by audit.Actor, user auth.User) error {
			return s.Users.SetDisabled(v.Request().Context(), by, user.ID, disabled)
		})
		if err == nil && disabled && user.ID == v.user.ID {
			s.sessions.forget(v)
			return v.Redirect(http.StatusSeeOther, "/login")
		}
		if disabled {
			return s.changed(v, err, "users.done.disabled", user.Name)
		}
		return s.changed(v, err, "users.done.enabled", user.Name)
	}
}

// change loads the user of the address and changes them.
func (s *Server) change(v *request, do func(by audit.Actor, user auth.User) error) (auth.User, error) {
	user, err := s.Users.ByID(v.Request().Context(), v.Param("id"))
	if err != nil {
		return user, err
	}
	return user, do(v.actor(), user)
}
