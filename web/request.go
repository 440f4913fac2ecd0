package web

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/web/templates/messages"
)

// request is an HTTP request with its user, language and id.
type request struct {
	echo.Context
	requestID string
	text      *messages.Text
	session   *sessions.Session // nil when signed out, and for a script with a token
	token     *auth.Token       // of a script; nil: none
	bearer    bool              // a token was sent, valid or not
	secret    string            // of the token
	user      auth.User         // zero when signed out
	needs     auth.Permission   // of the route
}

const requestKey = "request"

func (s *Server) requestOf(c echo.Context) *request {
	if v, ok := c.Get(requestKey).(*request); ok {
		return v
	}
	return &request{Context: c, text: messages.English}
}

func (v *request) signedIn() bool { return v.session != nil || v.token != nil }

// holder is who sent the request, who is signed in.
func (v *request) holder() (id string, h auth.Holder) {
	if v.token != nil {
		return v.token.ID, auth.Holder{Role: v.user.Role, Token: v.token}
	}
	return v.session.ID, auth.Holder{Role: v.user.Role}
}

// actor is the user, for the log.
func (v *request) actor() audit.Actor {
	a := audit.Actor{Address: v.RealIP(), UserAgent: v.Request().UserAgent(), RequestID: v.requestID}
	if v.signedIn() {
		a.ID, a.Name, a.Role, a.SignedIn = v.user.ID, v.user.Name, string(v.user.Role), audit.ByPassword
		a.Session, _ = v.holder()
	}
	if v.token != nil {
		a.SignedIn = audit.ByToken
	}
	return a
}

// wantsJSON reports whether the client is a script.
func (v *request) wantsJSON() bool {
	accept := v.Request().Header.Get(echo.HeaderAccept)
	return v.bearer || strings.Contains(accept, echo.MIMEApplicationJSON) && !strings.Contains(accept, echo.MIMETextHTML)
}

// fromHTMX reports whether a page requests a fragment of itself.
func (v *request) fromHTMX() bool { return v.Request().Header.Get("HX-Request") == "true" }

// enter begins every request, and answers its errors.
func (s *Server) enter(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		v := &request{Context: c, requestID: newRequestID(), text: languageOf(c.Request())}
		c.Set(requestKey, v)
		v.Response().Header().Set(echo.HeaderXRequestID, v.requestID)
		s.setHeaders(v)
		s.keepPace(v)
		if err := s.proceed(v, next); err != nil {
			s.fail(v, err)
		}
		level := slog.LevelInfo
		if withoutSession(v) {
			level = slog.LevelDebug
		}
		s.Log.Log(c.Request().Context(), level, "request", "method", v.Request().Method, "path", v.Request().URL.Path,
			"status", v.Response().Status, "took", time.Since(began), "user", v.user.Name, "address", v.RealIP(),
			"request", v.requestID)
		return nil
	}
}

func (s *Server) proceed(v *request, next echo.HandlerFunc) (err error) {
	defer func() {
		switch p := recover(); {
		case p == http.ErrAbortHandler:
			panic(p)
		case p != nil:
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	// No browser sends a token by itself, so the rules against forged forms are not for it.
	if v.secret, v.bearer = bearerOf(v.Request()); !v.bearer {
		if err := s.origin.Check(v.Request()); err != nil {
			return faultCrossSite.Because(err)
		}
	}
	if err := refuseSecrets(v); err != nil {
		return err
	}
	if !withoutSession(v) {
		if err := s.recognise(v); err != nil {
			return err
		}
		if v.signedIn() {
			if err := s.takeTurn(v); err != nil {
				return err
			}
		}
	}
	return next(v)
}

// withoutSession reports whether the route needs no session.
func withoutSession(v *request) bool {
	return strings.HasPrefix(v.Request().URL.Path, "/static/") || v.Request().URL.Path == "/healthz"
}

// streams are the routes whose handlers read the body themselves. They ask permitAfterBody.
var streams = []string{uploadPath, undoPath}

// guard checks the permission of the route: before the body, so that it is read for nobody
// who may not send it, and after it, because a client decides how long it takes to come.
func (s *Server) guard(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		v := s.requestOf(c)
		v.needs = r.permission
		err := s.permit(v)
		if err == nil && r.method == http.MethodPost && !slices.Contains(streams, r.path) {
			if err = readForm(v); err == nil {
				err = s.permitAfterBody(v)
			}
			if err == nil && r.permission != auth.Public && r.path != passwordPath {
				if err = s.askAgain(v); err != nil {
					return s.askPage(v, err)
				}
			}
		}
		if err != nil {
			return err
		}
		if err = r.handle(s, v); auth.FaultAskAgain.Is(err) {
			return s.askPage(v, err)
		}
		return err
	}
}

// permit returns FaultNoSession or FaultDenied when whoever sent the request may not use
// its route.
func (s *Server) permit(v *request) error {
	switch {
	case v.needs == auth.Public:
		return nil
	case !v.signedIn():
		return auth.FaultNoSession.With()
	}
	if _, h := v.holder(); !h.May(v.needs) {
		return s.deny(v)
	}
	return nil
}

// permitAfterBody is permit, once the whole body has come: meanwhile the session may have
// ended, and its user may have been disabled or have another role.
func (s *Server) permitAfterBody(v *request) error {
	recognise := s.sessions.recognise
	if v.bearer {
		recognise = s.recogniseToken
	}
	if err := recognise(v); err != nil {
		return err
	}
	return s.permit(v)
}

// deny refuses a person, and records it: the first time at once, and then once a minute for
// each permission.
func (s *Server) deny(v *request) error {
	denied := audit.Entry{
		Code:    audit.AccessDenied,
		Actor:   v.actor(),
		Target:  v.Request().URL.Path,
		Details: map[string]any{"method": v.Request().Method, "permission": v.needs},
	}
	var err error
	if s.refusals.Note(v.user.ID+" "+string(v.needs), denied) {
		err = s.Audit.Record(v.Request().Context(), denied)
	}
	if v.token != nil && v.user.Role.May(v.needs) {
		return auth.FaultTokenDenied.Because(err, v.needs)
	}
	return auth.FaultDenied.Because(err, v.user.Role)
}

// formLimit is more than any form of the console needs, in bytes; only a list
// of accounts to protect may be longer. Who is not signed in has a name and a password to send.
const (
	formLimit    = 64 << 10
	signInLimit  = 8 << 10
	protectLimit = 4 << 20
)

func readForm(v *request) error {
	limit := int64(formLimit)
	switch {
	case v.Path() == protectPath:
		limit = protectLimit
	case !v.signedIn():
		limit = signInLimit
	}
	v.Request().Body = http.MaxBytesReader(v.Response(), v.Request().Body, limit)
	err := v.Request().ParseForm() // ParseMultipartForm keeps to itself what goes wrong here
	if err == nil {
		err = v.Request().ParseMultipartForm(limit)
	}
	if err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return faultForm.Because(err)
	}
	v.Request().Form = v.Request().PostForm // what stands in the address is no part of a form
	return nil
}

// refuseSecrets refuses an address with a password in it: addresses are kept by
// browsers, proxies and logs.
func refuseSecrets(v *request) error {
	for name := range v.QueryParams() {
		switch strings.ToLower(name) {
		case "password", "current_password", "passwd", "secret", "token", "usersig", "secret_key", "access_token":
			return faultSecretInAddress.With()
		}
	}
	return nil
}

func newRequestID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
