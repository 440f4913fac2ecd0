package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/web/templates"
)

const tokensPath = accountPath + "/tokens"

// tokenDays are the lives of a token that the page offers.
var tokenDays = []int{30, 90, auth.TokenDays}

// bearerOf returns the secret of a token that a script sent.
func bearerOf(r *http.Request) (secret string, is bool) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(secret), strings.EqualFold(scheme, "Bearer")
}

// recogniseToken reads the token of a request and its user, as they are now. A cookie that
// came with it counts for nothing.
func (s *Server) recogniseToken(v *request) error {
	v.session, v.token, v.user = nil, nil, auth.User{}
	token, user, err := s.Users.Token(v.Request().Context(), v.secret)
	switch {
	case auth.FaultToken.Is(err):
		s.signInFailed(v.actor(), "token")
		return err
	case err != nil:
		return faultBusy.Because(err)
	}
	v.token, v.user = &token, user
	if s.DB.Now().Sub(token.UsedAt) > seenEvery && s.Trouble() == nil {
		ctx, cancel := context.WithTimeout(v.Request().Context(), keepWithin)
		defer cancel()
		if err := s.Users.TokenUsed(ctx, token.ID, v.RealIP()); err != nil {
			s.Log.Error("the use of a token could not be saved", "error", err, "request", v.requestID)
		}
	}
	return nil
}

func (s *Server) listTokens(v *request) error { return s.tokenPage(v, http.StatusOK, nil) }

// tokenPage shows a person their tokens, and an error above them.
func (s *Server) tokenPage(v *request, status int, f *fault.Error) error {
	page := templates.TokenPage{Name: v.FormValue("name"), Chosen: chosenRights(v), Days: v.FormValue("days")}
	return s.tokens(v, status, page, f)
}

func (s *Server) tokens(v *request, status int, page templates.TokenPage, f *fault.Error) (err error) {
	if page.Tokens, err = s.Users.Tokens(v.Request().Context(), v.user.ID); err != nil {
		return err
	}
	for _, right := range auth.TokenRights {
		if v.user.Role.May(right) {
			page.Rights = append(page.Rights, right)
		}
	}
	page.Lives = tokenDays
	view := s.view(v, "account")
	view.Here = tokensPath
	if f != nil {
		view.Problem, page.Wrong = v.text.Fault(f), f.Sentence
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Tokens(view, page) })
}

func chosenRights(v *request) (rights []auth.Permission) {
	for _, right := range v.Request().PostForm["right"] {
		if right := auth.Permission(right); !slices.Contains(rights, right) {
			rights = append(rights, right)
		}
	}
	return rights
}

// createToken makes a token and shows its secret, this once.
func (s *Server) createToken(v *request) error {
	days, _ := strconv.Atoi(v.FormValue("days")) // no number is no life
	secret, err := s.Users.CreateToken(v.Request().Context(), v.actor(), v.FormValue("name"), chosenRights(v), days)
	switch {
	case err != nil:
		return again(v, err, s.tokenPage)
	case v.wantsJSON():
		return v.JSON(http.StatusCreated, map[string]any{"token": secret})
	}
	return s.tokens(v, http.StatusOK, templates.TokenPage{Secret: secret}, nil)
}

// revokeOwnToken ends a token of the person.
func (s *Server) revokeOwnToken(v *request) error {
	if err := s.Users.RevokeToken(v.Request().Context(), v.actor(), v.user.ID, v.FormValue("token")); err != nil {
		return again(v, err, s.tokenPage)
	}
	s.notice(v, v.text.T("tokens.done.revoked"))
	return v.Redirect(http.StatusSeeOther, tokensPath)
}
