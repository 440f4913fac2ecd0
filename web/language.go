package web

import (
	"net/http"
	"time"

	"tagsweep/web/templates/messages"
)

const languageCookie = "lang"

func languageOf(r *http.Request) *messages.Text {
	chosen := ""
	if cookie, err := r.Cookie(languageCookie); err == nil {
		chosen = cookie.Value
	}
	return messages.Choose(chosen, r.Header.Get("Accept-Language"))
}

// speak lets the browser have a language. It is also that of the pages without a session.
func (s *Server) speak(v *request, lang string) {
	http.SetCookie(v.Response(), &http.Cookie{
		Name: languageCookie, Value: messages.Choose(lang, "").Lang, Path: "/",
		MaxAge: int((365 * 24 * time.Hour).Seconds()), HttpOnly: true, Secure: s.SecureCookies, SameSite: http.SameSiteLaxMode,
	})
}

// setLanguage saves the choice and returns to the page.
func (s *Server) setLanguage(v *request) error {
	s.speak(v, v.FormValue("lang"))
	return v.Redirect(http.StatusSeeOther, local(v.FormValue("next")))
}
