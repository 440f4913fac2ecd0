package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/web/templates"
	"tagsweep/web/templates/messages"
)

const (
	accountPath  = "/account"
	passwordPath = accountPath + "/password"
)

// signInsShown is how far back people see their sign-ins, and how many of them.
const (
	signInsShown = 50
	signInDays   = 90
)

var faultWrongPassword = fault.Declare(fault.Invalid, "password.wrong",
	"Nothing was changed: your current password is wrong. Type it again.")

func (s *Server) showAccount(v *request) error { return s.ownPage(v, http.StatusOK, nil) }

// ownPage shows a person their sessions and sign-ins, and an error above them.
func (s *Server) ownPage(v *request, status int, f *fault.Error) error {
	ctx := v.Request().Context()
	sessions, err := s.Users.Sessions(ctx, v.user.ID)
	if err != nil {
		return err
	}
	signIns, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.SignInSucceeded, Actor: v.user.Name,
		From: s.DB.Now().AddDate(0, 0, -signInDays), Limit: signInsShown})
	if err != nil {
		return err
	}
	page := templates.AccountPage{Days: signInDays, Idle: s.SessionIdle, Life: s.SessionLife, Preferences: v.user.Preferences}
	failed, err := s.Audit.FailedSignIns(ctx, v.user.Name, s.DB.Now().AddDate(0, 0, -signInDays))
	if err != nil {
		return err
	}
	page.Failed = failedText(v.text, failed)
	for _, session := range sessions {
		page.Sessions = append(page.Sessions, s.sessionRow(v, session))
	}
	for _, e := range signIns {
		if e.Actor.ID == v.user.ID {
			page.SignIns = append(page.SignIns, templates.SignInRow{At: e.At, Address: e.Actor.Address, Browser: browserOf(e.Actor.UserAgent)})
		}
	}
	view := s.view(v, "account")
	view.Here = accountPath
	if f != nil {
		view.Problem, page.Wrong = v.text.Fault(f), f.Sentence
		if auth.FaultTimeZone.Is(f) {
			page.Preferences = preferencesOf(v)
		}
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Account(view, page) })
}

// failedSince is what a person is told when they sign in: what failed since they last did.
func (s *Server) failedSince(ctx context.Context, user auth.User) (audit.FailedSignIns, error) {
	since := user.LastSignIn
	if since.IsZero() {
		since = user.CreatedAt
	}
	if err := s.refusals.FlushOf(ctx, user.Name); err != nil {
		return audit.FailedSignIns{}, err
	}
	return s.Audit.FailedSignIns(ctx, user.Name, since)
}

// failedText says so in one sentence; "" where nothing failed.
func failedText(t *messages.Text, f audit.FailedSignIns) string {
	switch from := t.List(f.Addresses); {
	case f.Count == 0:
		return ""
	case f.More:
		return t.T("failed.many", f.Count, f.Since, from)
	default:
		return t.T("failed.since", f.Count, f.Since, from)
	}
}

func (s *Server) sessionRow(v *request, session auth.Session) templates.SessionRow {
	return templates.SessionRow{ID: session.ID, Address: session.Address, Browser: browserOf(session.UserAgent),
		CreatedAt: session.CreatedAt, SeenAt: session.SeenAt, Current: session.ID == v.session.ID}
}

// accountChanged returns to the page with a confirmation or an error.
func (s *Server) accountChanged(v *request, err error, done string) error {
	if err != nil {
		return again(v, err, s.ownPage)
	}
	s.notice(v, done)
	return v.Redirect(http.StatusSeeOther, accountPath)
}

// changePassword sets a person's own password, after the old one.
func (s *Server) changePassword(v *request) error {
	user, err := s.typedOwn(v, v.FormValue(currentPassword))
	hash := ""
	if err == nil {
		hash, err = auth.HashPassword(user.Name, v.FormValue("password"))
	}
	if err == nil {
		err = s.Users.ChangePassword(v.Request().Context(), v.actor(), user.PasswordHash, hash)
	}
	return s.accountChanged(v, err, v.text.T("account.done.password"))
}

// setPreferences keeps how the person wants to see the pages.
func (s *Server) setPreferences(v *request) error {
	to := preferencesOf(v)
	if err := s.Users.SetPreferences(v.Request().Context(), v.actor(), to); err != nil {
		return s.accountChanged(v, err, "")
	}
	if to.Language != "" {
		s.speak(v, to.Language)
		v.text = messages.Choose(to.Language, "").In(to.TimeZone)
	}
	return s.accountChanged(v, nil, v.text.T("account.done.preferences"))
}

// preferencesOf reads the form; a language that the pages do not speak is that of the browser.
func preferencesOf(v *request) auth.Preferences {
	to := auth.Preferences{TimeZone: strings.TrimSpace(v.FormValue("time_zone")), Theme: v.FormValue("theme")}
	if lang := v.FormValue("language"); messages.Choose(lang, "").Lang == lang {
		to.Language = lang
	}
	return to
}

// endOwnSession ends a session of the person, or all but this one.
func (s *Server) endOwnSession(v *request) error {
	session, done := v.FormValue("session"), v.text.T("account.done.ended")
	if session == "" {
		done = v.text.T("account.done.ended.all")
	}
	return s.accountChanged(v, s.Users.EndSessions(v.Request().Context(), v.actor(), v.user.ID, session), done)
}

// typedOwn compares what somebody who is signed in typed as their password. A wrong one is
// a failed sign-in.
func (s *Server) typedOwn(v *request, typed string) (auth.User, error) {
	user, _, err := s.authenticate(v, v.user.Name, typed)
	if faultWrongSignIn.Is(err) {
		err = faultWrongPassword.With()
	}
	return user, err
}

// sessionLimits are how long a session lasts: after its last request, and at most.
func sessionLimits(idle, life time.Duration) (time.Duration, time.Duration) {
	if life <= 0 || life > auth.SessionLife {
		life = auth.SessionLife
	}
	if idle <= 0 {
		idle = sessionIdle
	}
	return min(idle, life), life
}
