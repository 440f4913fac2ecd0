package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/internal/heavy"
	"tagsweep/web/templates"
)

// Faults of package web.
var (
	faultNoPage = fault.Declare(fault.NotFound, "page.none",
		"This page does not exist. Check the address, or go to the list of jobs.")
	faultMethod = fault.Declare(fault.Invalid, "page.method",
		"This address does not support this action (%s). Nothing was changed. Go back and use the buttons on the "+
			"page.")
	faultCrossSite = fault.Declare(fault.Forbidden, "request.cross_site",
		"A request from another website was rejected. Nothing was changed. Open this console and try again.")
	faultForm = fault.Declare(fault.Invalid, "request.form",
		"The form could not be read. Nothing was changed. Reload the page and try again.")
	faultSecretInAddress = fault.Declare(fault.Invalid, "request.secret",
		"The address contains a password or another secret. Nothing was done. Change that secret, because addresses "+
			"are stored in browsers and logs, and send it in a form.")
	faultLongForm = fault.Declare(fault.Invalid, "request.long",
		"The form contains too much data. Nothing was changed. Send less at a time.")
	faultBusy = fault.Declare(fault.Unavailable, "busy",
		"The database is not available right now. Nothing was changed. Try again in a moment.")
	faultInternal = fault.Declare(fault.Unavailable, "internal",
		"Something went wrong in the console. Your change may not be saved. Try again. If the error returns, tell "+
			"an admin the request ID below.")
)

// fail answers a failed request with a page, a fragment, or JSON.
func (s *Server) fail(v *request, err error) {
	ctx := v.Request().Context()
	if rightsEnded(ctx) {
		if v.Response().Committed {
			panic(http.ErrAbortHandler) // half an answer must not look whole
		}
		err = auth.FaultNoSession.Because(err)
		v.SetRequest(v.Request().WithContext(context.WithoutCancel(ctx))) // so that it can be said
		http.NewResponseController(v.Response()).SetWriteDeadline(time.Now().Add(s.PaceWait))
	} else if ctx.Err() != nil && (errors.Is(err, context.Canceled) || v.Response().Committed) {
		return // nobody is there to read an answer
	}
	status, f := statusOf(v, err)
	if f.Cause != nil || status >= http.StatusInternalServerError {
		s.Log.Error("request failed", "error", err, "cause", f.Cause, "request", v.requestID, "path", v.Request().URL.Path)
	}
	if v.Response().Committed {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
	if f.Sentence == heavy.FaultOwn || f.Sentence == heavy.FaultFull {
		retryAfter(v, int64(heavy.RetryAfter.Seconds()))
	}
	if err := s.writeFault(v, status, f); err != nil {
		s.Log.Error("error page failed", "error", err, "request", v.requestID)
	}
}

// statusOf is the one place that turns errors into statuses.
func statusOf(v *request, err error) (int, *fault.Error) {
	if h, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch h.Code {
		case http.StatusNotFound:
			return h.Code, faultNoPage.With()
		case http.StatusMethodNotAllowed:
			return h.Code, faultMethod.With(v.Request().Method)
		}
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return http.StatusRequestEntityTooLarge, faultLongForm.Because(err)
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return http.StatusInternalServerError, faultInternal.Because(err)
	}
	if f.Sentence == auth.FaultNoSession || f.Sentence == auth.FaultToken {
		return http.StatusUnauthorized, f
	}
	switch f.Kind {
	case fault.Invalid:
		return http.StatusUnprocessableEntity, f
	case fault.NotFound:
		return http.StatusNotFound, f
	case fault.Conflict:
		return http.StatusConflict, f
	case fault.Forbidden:
		return http.StatusForbidden, f
	case fault.TooMany:
		return http.StatusTooManyRequests, f
	}
	return http.StatusServiceUnavailable, f
}

// again shows a form again, with the typed values, if a fault refused it; not to somebody
// who may no longer see it.
func again(v *request, err error, show func(v *request, status int, f *fault.Error) error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind == fault.Forbidden || v.wantsJSON() {
		return err
	}
	status, _ := statusOf(v, f)
	return show(v, status, f)
}

func (s *Server) writeFault(v *request, status int, f *fault.Error) error {
	sentence := v.text.Fault(f)
	switch {
	case v.wantsJSON():
		return v.JSON(status, errorJSON{errorBody{Code: f.Code, Message: sentence, RequestID: v.requestID}})
	case status == http.StatusUnauthorized && v.fromHTMX():
		v.Response().Header().Set("HX-Redirect", signInPath(v))
		return v.NoContent(status)
	case status == http.StatusUnauthorized:
		return v.Redirect(http.StatusSeeOther, signInPath(v))
	case v.fromHTMX():
		v.Response().Header().Set("HX-Retarget", "#fault")
		v.Response().Header().Set("HX-Reswap", "innerHTML")
		return s.render(v, status, templates.Alert(s.view(v, ""), sentence))
	}
	back, text := backLink(v)
	return s.render(v, status, templates.Error(s.view(v, ""), templates.Problem{
		Status: status, Sentence: sentence, RequestID: v.requestID, Back: back, BackText: text,
	}))
}

type errorJSON struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
}

// signInPath is the sign-in page, which then returns to the requested page.
func signInPath(v *request) string {
	next := here(v)
	if next == "/" || next == "/jobs" {
		return "/login"
	}
	return "/login?next=" + url.QueryEscape(next)
}

// backLink is where to continue after an error.
func backLink(v *request) (path, text string) {
	id := v.Param("id")
	switch {
	case !v.signedIn():
		return "/login", v.text.T("error.back.sign_in")
	case strings.HasPrefix(v.Path(), "/users/") && v.user.Role.May(auth.ManageUsers):
		return "/users", v.text.T("error.back.users")
	case strings.HasPrefix(v.Path(), protectPath) && v.user.Role.May(auth.ReadJobs):
		return protectPath, v.text.T("error.back.protected")
	case strings.HasPrefix(v.Path(), auditPath) && v.user.Role.May(auth.ReadAudit):
		return auditPath, v.text.T("error.back.audit")
	case strings.HasPrefix(v.Path(), "/jobs/:id/") && v.user.Role.May(auth.ReadJobs):
		return "/jobs/" + url.PathEscape(id), v.text.T("error.back.job")
	}
	return "/jobs", v.text.T("error.back.jobs")
}

// retryAfter tells programs how long to wait.
func retryAfter(v *request, seconds int64) {
	v.Response().Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
}
