package web

import (
	"bytes"
	"context"
	"net/url"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"tagsweep/web/templates"
)

// view returns what every page needs. A notice is shown once.
func (s *Server) view(v *request, area string) templates.View {
	view := templates.View{
		Text: v.text, App: s.App, Here: here(v), Area: area, Version: s.Version, Asset: assets.path,
	}
	if v.signedIn() {
		view.User = templates.User{Name: v.user.Name, Role: v.user.Role}
		view.Theme = v.user.Theme
		view.SendStatus = s.status.now(v.Request().Context())
	}
	return view
}

// page shows a page with the notices of the last action.
func (s *Server) page(v *request, status int, view templates.View, page func(templates.View) templ.Component) error {
	if v.session != nil {
		for _, flash := range v.session.Flashes() {
			if text, ok := flash.(string); ok {
				view.Notices = append(view.Notices, text)
			}
		}
		for _, flash := range v.session.Flashes(failedKey) {
			view.FailedSignIns, _ = flash.(string)
		}
		if len(view.Notices) > 0 || view.FailedSignIns != "" {
			s.sessions.keep(v)
		}
	}
	return s.render(v, status, page(view))
}

// notice is shown on the next page.
func (s *Server) notice(v *request, text string) {
	if v.session == nil { // a script sees no pages
		return
	}
	v.session.AddFlash(text)
	s.sessions.keep(v)
}

// render uses a buffer, so that an error does not send half a page. A request that was cut
// off is still answered.
func (s *Server) render(v *request, status int, component templ.Component) error {
	var b bytes.Buffer
	if err := component.Render(context.WithoutCancel(v.Request().Context()), &b); err != nil {
		return err
	}
	return v.Blob(status, echo.MIMETextHTMLCharsetUTF8, b.Bytes())
}

// here is the current page: the address of a GET, or the page of the form.
func here(v *request) string {
	r := v.Request()
	if r.Method == "GET" {
		return r.URL.RequestURI()
	}
	if u, err := url.Parse(r.Referer()); err == nil && u.Host == r.Host {
		return local(u.RequestURI())
	}
	return "/"
}

// local limits an address to a path of this console, which no browser takes for
// another host.
func local(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "/"
	}
	if len(u.Path) == 0 || u.Path[0] != '/' || len(address) > 1 && (address[1] == '/' || address[1] == '\\') {
		return "/"
	}
	for _, c := range address {
		if c == '\\' || c < ' ' {
			return "/"
		}
	}
	return address
}
