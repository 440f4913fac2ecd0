package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/web/templates"
)

// Faults of signing in. Whether the name or the password was wrong stays
// untold, in words and in time.
var (
	faultWrongSignIn = fault.Declare(fault.Invalid, "sign_in.wrong",
		"Sign-in failed: the user name or password is wrong, or the user is disabled.")
	faultWait = fault.Declare(fault.TooMany, "sign_in.wait",
		"Sign-in failed: too many failed attempts. Wait %s, then try again.")
	faultCrowded = fault.Declare(fault.TooMany, "sign_in.crowded",
		"Sign-in is busy: too many attempts at the moment. Try again in a few seconds.")
)

func (s *Server) signInForm(v *request) error {
	next := local(v.QueryParam("next"))
	if v.signedIn() {
		return v.Redirect(http.StatusSeeOther, next)
	}
	return s.signInPage(v, http.StatusOK, nil)
}

func (s *Server) signInPage(v *request, status int, f *fault.Error) error {
	view := s.view(v, "")
	if f != nil {
		view.Problem = v.text.Fault(f)
	}
	return s.page(v, status, view, func(view templates.View) templ.Component {
		return templates.SignIn(view, v.FormValue("username"), local(v.FormValue("next")))
	})
}

func (s *Server) signIn(v *request) error {
	ctx := v.Request().Context()
	user, attempt, err := s.authenticate(v, strings.TrimSpace(v.FormValue("username")), v.FormValue("password"))
	if f, refused := errors.AsType[*fault.Error](err); refused && (f.Kind == fault.Invalid || f.Kind == fault.TooMany) {
		return s.refuseSignIn(v, f)
	}
	if err != nil {
		return err
	}
	if v.signedIn() { // the person signs in again: the old session ends
		if err := s.Users.SignOut(ctx, v.actor()); err != nil && !auth.FaultNoSession.Is(err) {
			return err
		}
	}
	by := v.actor()
	by.ID, by.Name, by.Role, by.SignedIn = user.ID, user.Name, string(user.Role), audit.ByPassword
	failed, err := s.failedSince(ctx, user)
	if err == nil {
		err = s.sessions.begin(v, by, user, failedText(v.text, failed))
	}
	if err != nil {
		return err
	}
	s.belongs(v.Request(), user.ID)
	if user.Language != "" {
		s.speak(v, user.Language)
	}
	if err := s.devices.remember(v.Response(), attempt.Device, user.Name); err != nil {
		return err
	}
	return v.Redirect(http.StatusSeeOther, local(v.FormValue("next")))
}

// authenticate finds who has a name and a password, within the limits of attempts. Faults:
// faultWait, faultCrowded, faultWrongSignIn; each counts as a failed sign-in.
func (s *Server) authenticate(v *request, name, password string) (user auth.User, attempt *auth.Attempt, err error) {
	by := audit.Actor{Name: name, Address: v.RealIP(), UserAgent: v.Request().UserAgent(), RequestID: v.requestID}
	attempt = &auth.Attempt{Name: name, Address: by.Address, Device: s.devices.of(v.Request(), name)}
	if refused := s.Users.TrySignIn(attempt); refused != nil {
		s.signInFailed(by, "waiting")
		wait := refused.Wait.Truncate(time.Second) + time.Second
		retryAfter(v, int64(wait.Seconds()))
		if refused.Crowded {
			return user, attempt, faultCrowded.With()
		}
		return user, attempt, faultWait.With(wait)
	}
	user, reason, err := s.check(v, name, password)
	switch {
	case err != nil:
		return user, attempt, err
	case reason != "":
		s.signInFailed(by, reason)
		return user, attempt, faultWrongSignIn.With()
	}
	s.Users.Succeeded(attempt)
	return user, attempt, nil
}

// signInFailed counts a refused attempt for the log.
func (s *Server) signInFailed(by audit.Actor, reason string) {
	s.refusals.NoteLater("sign_in", audit.Entry{
		Code:    audit.SignInFailed,
		Actor:   by,
		Target:  by.Name,
		Details: map[string]any{"reason": reason},
	})
}

// check compares a password. For an unknown user it takes as long as for a
// known one. The reason is for the log: "" means that the person may enter.
func (s *Server) check(v *request, name, password string) (user auth.User, reason string, err error) {
	user, err = s.Users.ByName(v.Request().Context(), name)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		auth.CheckNobody(password)
		return user, "unknown_user", nil
	case err != nil:
		return user, "", err
	case !auth.CheckPassword(user.PasswordHash, password):
		return user, "wrong_password", nil
	case !user.DisabledAt.IsZero():
		return user, "disabled", nil
	}
	return user, "", nil
}

func (s *Server) refuseSignIn(v *request, f *fault.Error) error {
	if v.wantsJSON() {
		return f
	}
	status, _ := statusOf(v, f)
	return s.signInPage(v, status, f)
}

func (s *Server) signOut(v *request) error {
	by := v.actor()
	if err := s.Users.SignOut(v.Request().Context(), by); err != nil && !auth.FaultNoSession.Is(err) {
		return err
	}
	s.sessions.forget(v)
	if s.SecureCookies { // browsers take it from HTTPS alone
		v.Response().Header().Set("Clear-Site-Data", `"cache", "cookies", "storage"`)
	}
	return v.Redirect(http.StatusSeeOther, "/login")
}
