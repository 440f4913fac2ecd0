package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/a-h/templ"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/web/templates"
)

var faultReviewNote = fault.Declare(fault.Invalid, "audit.review_note",
	"Nothing was signed off: the note is longer than %d characters. Shorten it and sign off again.")

const (
	reviewPath  = auditPath + "/review"
	newShown    = 50 // of what is counted one by one, at most
	reviewLimit = 500
)

func (s *Server) showReview(v *request) error { return s.reviewPage(v, http.StatusOK, nil) }

// reviewPage shows what an auditor must review, and an error above it.
func (s *Server) reviewPage(v *request, status int, f *fault.Error) error {
	page, err := s.reviewNow(v.Request().Context(), v.actor())
	if err != nil {
		return err
	}
	page.UpTo, page.NoteLimit = strconv.FormatInt(page.Size, 10), reviewLimit
	if to := v.QueryParam("to"); to != "" {
		page.UpTo = to
	}
	view := s.view(v, "audit")
	if f != nil {
		view.Here, view.Problem = reviewPath, v.text.Fault(f)
		page.UpTo, page.Note, page.Wrong = v.FormValue("to"), v.FormValue("note"), f.Sentence
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.AuditReview(view, page) })
}

// reviewNow collects what happened since the person last read the log, and since the
// last sign-off.
func (s *Server) reviewNow(ctx context.Context, by audit.Actor) (page templates.ReviewPage, err error) {
	if page.Size, err = s.Audit.Size(ctx); err != nil {
		return page, err
	}
	if page.LastRead, err = s.Audit.LastRead(ctx, by); err != nil {
		return page, err
	}
	failed, err := s.since(ctx, page.LastRead, audit.Filter{Result: audit.Failed})
	if err != nil {
		return page, err
	}
	page.Failed = len(failed)
	if page.Ended, err = s.since(ctx, page.LastRead, audit.Filter{Code: audit.JobFinished}); err != nil {
		return page, err
	}
	if page.Own, err = s.Audit.FurthestReview(ctx, by.Name); err != nil {
		return page, err
	}
	page.Last, err = s.Audit.FurthestReview(ctx, "")
	page.Shown = newShown
	return page, err
}

// since returns the entries after another: at most one more than the page shows.
func (s *Server) since(ctx context.Context, last audit.Entry, f audit.Filter) (list []audit.Entry, err error) {
	f.From, f.Limit = last.At, newShown+1
	found, err := s.Audit.Entries(ctx, f)
	for _, e := range found {
		if e.Seq > last.Seq {
			list = append(list, e)
		}
	}
	return list, err
}

// signOff records that a person reviewed all entries up to one.
func (s *Server) signOff(v *request) error {
	upTo, note := typedCount(v.FormValue("to")), strings.TrimSpace(v.FormValue("note"))
	var err error
	if utf8.RuneCountInString(note) > reviewLimit {
		err = faultReviewNote.With(reviewLimit)
	} else {
		err = s.Audit.SignOff(v.Request().Context(), v.actor(), upTo, note)
	}
	if err != nil {
		return again(v, err, s.reviewPage)
	}
	s.status.changed()
	s.notice(v, v.text.T("audit.review.done", upTo))
	return v.Redirect(http.StatusSeeOther, reviewPath)
}
