package web

import (
	"cmp"
	"errors"
	"slices"

	"github.com/a-h/templ"

	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/web/templates"
)

// askedAgain are the routes before which people type their password again, when they last did
// so more than 10 minutes ago: what cannot be undone, lets calls leave, or says who may do
// what. So a session that was left open, or stolen, is not enough. Each has a text that says
// what is about to happen.
var askedAgain = map[string]string{
	"/jobs/:id/emergency": "again.emergency",
	"/jobs/:id/erase":     "again.tags",
	keepPath:              "again.keep",
	tokensPath:            "again.token",
	erasePath:             "again.erase",
	erasePath + "/ask":    "again.erase.ask",
	approvalSettingsPath:  "again.approvals",
	sendingPath + "/lift": "again.lift",
	"/users":              "again.user.create",
	"/users/:id/role":     "again.user.role",
	"/users/:id/password": "again.user.password",
	"/users/:id/end":      "again.user.end",
	"/users/:id/disable":  "again.user.disable",
	"/users/:id/enable":   "again.user.enable",
}

// Fields of the page that asks again. Every other field is kept for the action.
const (
	currentPassword = "current_password"
	askedFrom       = "asked_from"
)

// askAgain lets a request pass if its person typed the password lately, did with the request,
// or does not have to. A wrong one is a failed sign-in. A second factor would be asked for here
// too, and in askPage.
func (s *Server) askAgain(v *request) error {
	if v.token != nil { // no script has a password
		if askedAgain[v.Path()] != "" {
			return auth.FaultTokenDenied.With(v.needs)
		}
		return nil
	}
	record := v.session.Values[recordKey{}].(auth.Session)
	typed := v.FormValue(currentPassword)
	switch {
	case !record.AsksAgain(s.DB.Now()):
		return nil
	case typed == "" && askedAgain[v.Path()] != "":
		return auth.FaultAskAgain.With()
	case typed == "":
		return nil // jobs that are large ask (see jobs.Settings.AskAgain)
	}
	user, err := s.typedOwn(v, typed)
	if err != nil {
		return err
	}
	return s.Users.Confirm(v.Request().Context(), v.actor(), user.PasswordHash)
}

// askPage asks for the password, and then does what the form said. Passwords of the form
// are asked for again too: a page shows none.
func (s *Server) askPage(v *request, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || v.wantsJSON() || auth.Lost(err) {
		return err
	}
	page := templates.AskAgainPage{Action: v.Request().URL.Path, What: cmp.Or(askedAgain[v.Path()], "again.start"), From: here(v)}
	if from := v.FormValue(askedFrom); from != "" {
		page.From = local(from)
	}
	for name, values := range v.Request().PostForm {
		for _, value := range values {
			switch name {
			case currentPassword, askedFrom, "again_user":
			case "password":
				page.NewPassword = true
			default:
				page.Form = append(page.Form, templates.FormValue{Name: name, Value: value})
			}
		}
	}
	slices.SortStableFunc(page.Form, templates.FormValue.ByName)
	view := s.view(v, "")
	view.Here = page.From
	if !auth.FaultAskAgain.Is(err) {
		view.Problem = v.text.Fault(f)
	}
	status, _ := statusOf(v, f)
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.AskAgain(view, page) })
}
