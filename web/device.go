package web

import (
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
)

// devices remembers, in a cookie, that a person has signed in with this browser. Attempts
// to sign in there have a limit of their own (auth.Attempt), so that strangers who try the
// person's name cannot keep the person out. The cookie opens nothing.
type devices struct {
	codec  *securecookie.SecureCookie
	cookie http.Cookie
}

const deviceLife = 365 * 24 * time.Hour

// device is the content of the cookie.
type device struct {
	ID   string
	User string
}

func newDevices(c Config) *devices {
	d := &devices{
		codec: securecookie.New(c.CookieKey[:32], c.CookieKey[32:]).MaxAge(int(deviceLife.Seconds())),
		cookie: http.Cookie{
			Name:     "device",
			Path:     "/",
			MaxAge:   int(deviceLife.Seconds()),
			HttpOnly: true,
			Secure:   c.SecureCookies,
			SameSite: http.SameSiteLaxMode,
		},
	}
	if c.SecureCookies {
		d.cookie.Name = "__Host-device"
	}
	return d
}

// of returns the id of the browser if the person has signed in with it, or "".
func (d *devices) of(r *http.Request, user string) string {
	var known device
	cookie, err := r.Cookie(d.cookie.Name)
	if err != nil || d.codec.Decode(d.cookie.Name, cookie.Value, &known) != nil || !strings.EqualFold(known.User, user) {
		return ""
	}
	return known.ID
}

// remember sets the cookie, with a new id if there is none yet.
func (d *devices) remember(w http.ResponseWriter, id, user string) (err error) {
	if id == "" {
		id = rand.Text()
	}
	cookie := d.cookie
	cookie.Value, err = d.codec.Encode(cookie.Name, device{id, user})
	http.SetCookie(w, &cookie)
	return err
}
