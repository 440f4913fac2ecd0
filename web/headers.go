package web

import "strings"

// All content comes from this console and none is inline, so that text from a file or
// from the service never runs as a script.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// overHTTPS tells browsers for how long, in seconds, they may only use HTTPS: a year.
const overHTTPS = "max-age=31536000"

func (s *Server) setHeaders(v *request) {
	h := v.Response().Header()
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if s.SecureCookies {
		h.Set("Strict-Transport-Security", overHTTPS)
	}
	if !strings.HasPrefix(v.Request().URL.Path, "/static/") {
		h.Set("Cache-Control", "no-store")
		h.Add("Vary", "Accept, Accept-Language, Cookie")
	}
}
