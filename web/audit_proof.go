package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/web/templates"
)

var faultNoCheckpoint = fault.Declare(fault.NotFound, "audit.no_checkpoint",
	"There is no checkpoint yet. One is signed every minute and when a job ends. Try again later.")

const (
	proofPath = auditPath + "/proof"
	keepPath  = auditPath + "/keep"

	resumeSigningPath = auditPath + "/resume"
	confirmClockPath  = auditPath + "/clock"

	maxVerification = time.Hour // one that has not ended by then has failed: the program's log says why
)

// verifyRequest remembers when a verification was requested here.
type verifyRequest struct {
	mutex sync.Mutex
	at    time.Time
}

func (a *verifyRequest) record() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.at = time.Now()
}

// pending reports whether the requested verification has no result yet.
func (a *verifyRequest) pending(last *audit.Verified) bool {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	const clock = time.Millisecond // as exact as the store keeps times
	return time.Since(a.at) < maxVerification && (last == nil || last.At.Before(a.at.Add(-clock)))
}

func (s *Server) showProof(v *request) error { return s.proofPage(v, http.StatusOK, nil) }

// proofPage shows the proofs that the log was not changed, and an error above them.
func (s *Server) proofPage(v *request, status int, f *fault.Error) error {
	page, err := s.proofNow(v.Request().Context())
	if err != nil {
		return err
	}
	view := s.view(v, "audit")
	view.Refresh = page.Verifying && !view.Governs() // what an admin types must stay
	if f != nil {
		view.Here, view.Problem, page.Wrong = proofPath, v.text.Fault(f), f.Sentence
		switch v.Path() {
		case keepPath:
			page.Months = v.FormValue("months")
		case confirmClockPath:
			page.ClockReason = v.FormValue("reason")
		case resumeSigningPath:
			page.ResumeOpen, page.ResumeReason = true, v.FormValue("reason")
		}
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Proof(view, page) })
}

func (s *Server) proofNow(ctx context.Context) (page templates.ProofPage, err error) {
	if page.Size, err = s.Audit.Size(ctx); err != nil {
		return page, err
	}
	if page.Checkpoint, err = s.Audit.LastCheckpoint(ctx, 0); err != nil {
		return page, err
	}
	if page.Key, err = s.Audit.Key(ctx); err != nil {
		return page, err
	}
	if page.Sent, err = s.Audit.Publications(ctx); err != nil {
		return page, err
	}
	if page.Verified, err = s.Audit.LastVerified(ctx); err != nil {
		return page, err
	}
	page.Verifying = s.verifyRequest.pending(page.Verified)
	page.Keeping, err = s.Audit.Retention(ctx)
	if page.Keeping.Months > 0 {
		page.Months = strconv.Itoa(page.Keeping.Months)
	}
	return page, err
}

// downloadCheckpoint sends the newest signed checkpoint, to be stored elsewhere.
func (s *Server) downloadCheckpoint(v *request) error {
	last, err := s.Audit.LastCheckpoint(v.Request().Context(), 0)
	switch {
	case err != nil:
		return err
	case last.Size == 0:
		return faultNoCheckpoint.With()
	}
	return v.Blob(http.StatusOK, "text/plain; charset=utf-8", []byte(last.Note))
}

// verifyAll starts a verification of the whole database in the background.
func (s *Server) verifyAll(v *request) error {
	s.verifyRequest.record()
	if s.Verify(v.actor()) {
		s.notice(v, v.text.T("audit.proof.verify.asked"))
	} else {
		s.notice(v, v.text.T("audit.proof.verify.already"))
	}
	return v.Redirect(http.StatusSeeOther, proofPath)
}

// keepAudit sets the retention period of entries; empty means forever.
func (s *Server) keepAudit(v *request) error {
	months := 0
	if typed := strings.TrimSpace(v.FormValue("months")); typed != "" {
		months = typedSetting(typed)
	}
	return s.proofChanged(v, s.Audit.SetRetention(v.Request().Context(), v.actor(), months), "audit.proof.keep.done")
}

// resumeSigning accepts the log as it is, although it does not continue what was signed.
func (s *Server) resumeSigning(v *request) error {
	err := s.Audit.ResumeSigning(v.Request().Context(), v.actor(), v.FormValue("reason"))
	s.status.changed()
	return s.proofChanged(v, err, "alarm.resumed")
}

// confirmClock says that the clock is right, so that what is due is erased again.
func (s *Server) confirmClock(v *request) error {
	err := s.Audit.ConfirmClock(v.Request().Context(), v.actor(), v.FormValue("reason"))
	s.status.changed()
	return s.proofChanged(v, err, "clock.done")
}

// proofChanged returns to the page with a confirmation or an error.
func (s *Server) proofChanged(v *request, err error, key string, args ...any) error {
	if err != nil {
		return again(v, err, s.proofPage)
	}
	s.notice(v, v.text.T(key, args...))
	return v.Redirect(http.StatusSeeOther, proofPath)
}
