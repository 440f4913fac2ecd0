package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
)

// Unless Config says otherwise, a session ends 12 hours after its last request, and at the
// latest 24 hours after signing in: a working day without interruption, never a forgotten week.
const (
	sessionIdle = 12 * time.Hour
	seenEvery   = time.Minute // how often being seen is saved
	keepWithin  = 2 * time.Second
)

// sessionStore is a gorilla session store whose sessions live in the database,
// so that they can be listed and ended. The cookie carries a random secret,
// signed and encrypted; the database has only a hash of it, the session's id.
type sessionStore struct {
	users   *auth.Users
	trouble func() *jobs.Trouble
	log     *slog.Logger
	codecs  []securecookie.Codec
	idle    time.Duration // after the last request
	life    time.Duration // after signing in
	cookie  sessions.Options
	name    string
	saving  sync.Map // the ids of sessions of which it is being saved that they are seen
}

var _ sessions.Store = (*sessionStore)(nil)

func newSessionStore(c Config) *sessionStore {
	s := &sessionStore{
		idle:    c.SessionIdle,
		life:    c.SessionLife,
		users:   c.Users,
		trouble: c.Trouble,
		log:     c.Log,
		codecs:  securecookie.CodecsFromPairs(c.CookieKey[:32], c.CookieKey[32:]),
		cookie: sessions.Options{
			Path:     "/",
			MaxAge:   int(c.SessionLife.Seconds()),
			HttpOnly: true,
			Secure:   c.SecureCookies,
			SameSite: http.SameSiteLaxMode,
		},
		name: "session",
	}
	if c.SecureCookies {
		s.name = "__Host-session"
	}
	for _, codec := range s.codecs {
		codec.(*securecookie.SecureCookie).MaxAge(s.cookie.MaxAge)
	}
	return s
}

// These keys of Session.Values stay in memory.
type (
	recordKey struct{} // the auth.Session
	userKey   struct{} // the auth.User
	secretKey struct{} // the cookie's secret, of a session that is beginning
)

// Get returns the session of a request.
func (s *sessionStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// cookieOf returns the secret of a genuine cookie, or "". Its session may have ended.
func (s *sessionStore) cookieOf(r *http.Request) (secret string) {
	cookie, err := r.Cookie(s.name)
	if err != nil || securecookie.DecodeMulti(s.name, cookie.Value, &secret, s.codecs...) != nil {
		return "" // made up, or of another key
	}
	return secret
}

// New reads the session of the cookie. IsNew means that there is none.
func (s *sessionStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.Options, session.IsNew = &s.cookie, true
	secret := s.cookieOf(r)
	if secret == "" {
		return session, nil
	}
	record, user, err := s.users.Session(r.Context(), sessionID(secret))
	if auth.FaultNoSession.Is(err) {
		return session, nil
	}
	if err != nil {
		return session, err
	}
	if !time.Now().Before(s.expires(record.CreatedAt, record.SeenAt)) { // it began when sessions lasted longer
		return session, nil
	}
	if err := readValues(record.Data, session.Values); err != nil {
		return session, err
	}
	session.ID, session.IsNew = record.ID, false
	session.Values[recordKey{}], session.Values[userKey{}] = record, user
	return session, nil
}

// Save saves a session, and sets the cookie of a new one.
func (s *sessionStore) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	record, ok := session.Values[recordKey{}].(auth.Session)
	if !ok {
		return fmt.Errorf("web: session %q was never begun", session.ID)
	}
	var err error
	if record.Data, err = writeValues(session.Values); err != nil {
		return err
	}
	session.Values[recordKey{}] = record
	if secret, beginning := session.Values[secretKey{}].(string); beginning {
		value, err := securecookie.EncodeMulti(s.name, secret, s.codecs...)
		if err != nil {
			return err
		}
		delete(session.Values, secretKey{})
		http.SetCookie(w, sessions.NewCookie(s.name, value, session.Options))
	}
	return s.users.SaveSession(r.Context(), record)
}

// recognise reads the session of a request, and its user, as they are now.
func (s *sessionStore) recognise(v *request) error {
	v.session, v.user = nil, auth.User{}
	session, err := s.New(v.Request(), s.name)
	if err != nil {
		return faultBusy.Because(err)
	}
	if session.IsNew {
		return nil
	}
	v.session, v.user = session, session.Values[userKey{}].(auth.User)
	v.text = v.text.In(v.user.TimeZone)
	record := session.Values[recordKey{}].(auth.Session)
	now := time.Now()
	if now.Sub(record.SeenAt) <= seenEvery {
		return nil
	}
	if _, another := s.saving.LoadOrStore(record.ID, true); !another { // of many requests at once, one saves it
		defer s.saving.Delete(record.ID)
		record.SeenAt, record.ExpiresAt = now, s.expires(record.CreatedAt, now)
		session.Values[recordKey{}] = record
		s.keep(v)
	}
	return nil
}

// keep saves the session of a request. An error here does not fail the request: the
// disk may be full, or the database locked.
func (s *sessionStore) keep(v *request) {
	if s.trouble() != nil {
		return // and again once it can be
	}
	ctx, cancel := context.WithTimeout(v.Request().Context(), keepWithin)
	defer cancel()
	if err := v.session.Save(v.Request().WithContext(ctx), v.Response()); err != nil {
		s.log.Error("a session could not be saved", "error", err, "request", v.requestID)
	}
}

// failedKey is of what a person is told once about failed sign-ins.
const failedKey = "failed"

// begin opens a session with a new id and a new secret, never with those of the
// browser, so that nobody can plant one. What failed before is told on its first page.
func (s *sessionStore) begin(v *request, by audit.Actor, user auth.User, failed string) error {
	now, secret := time.Now(), rand.Text()+rand.Text()
	session := sessions.NewSession(s, s.name)
	session.ID, session.Options = sessionID(secret), &s.cookie
	record := auth.Session{
		ID: session.ID, UserID: user.ID, Data: "{}", Address: by.Address, UserAgent: by.UserAgent,
		CreatedAt: now, SeenAt: now, ExpiresAt: s.expires(now, now),
	}
	by.Session = session.ID
	if err := s.users.SignIn(v.Request().Context(), by, record, user.PasswordHash); err != nil {
		return err
	}
	session.Values[recordKey{}], session.Values[secretKey{}] = record, secret
	if failed != "" {
		session.AddFlash(failed, failedKey)
	}
	return session.Save(v.Request(), v.Response())
}

// forget deletes the cookie.
func (s *sessionStore) forget(v *request) {
	gone := s.cookie
	gone.MaxAge = -1
	http.SetCookie(v.Response(), sessions.NewCookie(s.name, "", &gone))
}

func (s *sessionStore) expires(created, seen time.Time) time.Time {
	idle, life := seen.Add(s.idle), created.Add(s.life)
	if idle.Before(life) {
		return idle
	}
	return life
}

// sessionID names the session of a secret, and tells nothing about it.
func sessionID(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}

// readValues reads stored values by name.
func readValues(data string, values map[any]any) error {
	var kept map[string]any
	if err := json.Unmarshal([]byte(data), &kept); err != nil {
		return fmt.Errorf("web: data of a session: %w", err)
	}
	for name, value := range kept {
		values[name] = value
	}
	return nil
}

func writeValues(values map[any]any) (string, error) {
	kept := map[string]any{}
	for key, value := range values {
		if name, ok := key.(string); ok {
			kept[name] = value
		}
	}
	data, err := json.Marshal(kept)
	return string(data), err
}
