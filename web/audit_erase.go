package web

import (
	"net/http"
	"strconv"

	"github.com/a-h/templ"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/web/templates"
)

const erasePath = auditPath + "/erase"

// showErasure asks whose personal data is to be erased from the log, and shows what would go.
func (s *Server) showErasure(v *request) error {
	preview, err := s.erasure(v)
	if err != nil {
		return again(v, err, func(v *request, status int, f *fault.Error) error { return s.erasePage(v, status, audit.Erasure{}, f) })
	}
	if v.wantsJSON() {
		return v.JSON(http.StatusOK, preview)
	}
	return s.erasePage(v, http.StatusOK, preview, nil)
}

// erasure returns what erasing the subject of the form would take; nothing when none is named.
// That entries are shown is recorded first, without the name.
func (s *Server) erasure(v *request) (preview audit.Erasure, err error) {
	ctx, of := v.Request().Context(), subject(v)
	if of.Value == "" && !v.wantsJSON() {
		return preview, nil
	}
	if err := s.recordRead(ctx, audit.Entry{Code: audit.LogRead, Actor: v.actor(), Details: map[string]any{"erasure": true}}); err != nil {
		return preview, err
	}
	after, _ := strconv.ParseInt(v.QueryParam("after"), 10, 64) // not a number: from the first
	return s.Audit.Erasure(ctx, of, after)
}

func subject(v *request) audit.Subject {
	return audit.Subject{Kind: audit.SubjectKind(v.FormValue("kind")), Value: v.FormValue("value")}
}

// erasePage shows the form, what would be erased, and an error above them.
func (s *Server) erasePage(v *request, status int, preview audit.Erasure, f *fault.Error) error {
	view := s.view(v, "audit")
	page := templates.ErasePage{Of: subject(v), Preview: preview, Later: v.QueryParam("after") != ""}
	var err error
	if page.Waiting, err = s.Audit.ErasuresAsked(v.Request().Context()); err != nil {
		return err
	}
	if preview.Value != "" {
		switch asked, err := s.Audit.AskedFor(v.Request().Context(), v.actor(), preview.Subject); {
		case err == nil:
			page.Asked = &asked
		case !audit.FaultEraseAlone.Is(err):
			return err
		}
	}
	if f != nil {
		view.Here, view.Problem, page.Wrong = erasePath, v.text.Fault(f), f.Sentence
		page.Reason = v.FormValue("reason")
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Erase(view, page) })
}

// askErasure asks another admin to erase the personal data of somebody from the log.
func (s *Server) askErasure(v *request) error {
	if err := s.Audit.AskErasure(v.Request().Context(), v.actor(), subject(v), v.FormValue("reason")); err != nil {
		return again(v, err, s.erasureAgain)
	}
	s.notice(v, v.text.T("audit.erase.asked"))
	return v.Redirect(http.StatusSeeOther, erasePath)
}

// erasureAgain shows the page after a fault, with what there is now.
func (s *Server) erasureAgain(v *request, status int, f *fault.Error) error {
	preview, err := s.erasure(v)
	if err != nil {
		preview = audit.Erasure{} // the first fault says what to do
	}
	return s.erasePage(v, status, preview, f)
}

// erase erases the personal data of somebody from the log, as another admin has asked, once
// the number of entries that the preview showed is typed.
func (s *Server) erase(v *request) error {
	last, _ := strconv.ParseInt(v.FormValue("last"), 10, 64) // not a number: not the one that was shown
	seen := audit.Confirmed{Entries: typedCount(v.FormValue("confirm")), Last: last}
	n, err := s.Audit.Erase(v.Request().Context(), v.actor(), subject(v), seen)
	if err != nil {
		return again(v, err, s.erasureAgain)
	}
	s.notice(v, v.text.T("audit.erase.done", int64(n)))
	return v.Redirect(http.StatusSeeOther, proofPath)
}
