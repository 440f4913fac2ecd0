package web

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/web/templates/messages"
)

// healthJSON says whether the console works, and whether it sends.
type healthJSON struct {
	Status  string     `json:"status"`            // ok, unavailable
	Sending string     `json:"sending"`           // running, stopped, probing, held
	Since   *time.Time `json:"since,omitempty"`   // of anything but running
	Message string     `json:"message,omitempty"` // why it is held
}

// health answers 200 while the database works, even if sending is stopped.
func (s *Server) health(v *request) error {
	ctx := v.Request().Context()
	now := s.status.now(ctx)
	var failing time.Time
	var err error
	if now.Trouble == nil { // else it is known, and to find out again may take long
		failing, err = s.readiness.check(ctx, s.DB.Ready)
	}
	out, status := healthJSON{Status: "ok", Sending: "running"}, http.StatusOK
	switch {
	case now.Trouble != nil:
		out.Status, out.Sending, out.Since, status = "unavailable", "held", moment(now.Trouble.Since), http.StatusServiceUnavailable
		out.Message = messages.English.Fault(now.Trouble.Fault)
	case err != nil:
		s.Log.Error("database is not ready", "error", err)
		out.Status, out.Sending, out.Since, status = "unavailable", "held", moment(failing), http.StatusServiceUnavailable
		f, known := errors.AsType[*fault.Error](err)
		if !known {
			f = faultBusy.With()
		}
		out.Message = messages.English.Fault(f)
	case now.Stopped.Thrown():
		out.Sending, out.Since = "stopped", moment(now.Stopped.ThrownAt)
	case now.Probing():
		out.Sending, out.Since = "probing", moment(now.DownSince)
	}
	return v.JSON(status, out)
}

// readiness caches an answer for a second: anybody may ask, and the check is a write.
type readiness struct {
	mutex   sync.Mutex
	at      time.Time
	err     error
	failing time.Time // since when
}

func (r *readiness) check(ctx context.Context, ready func(context.Context) error) (failing time.Time, err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if time.Since(r.at) < time.Second {
		return r.failing, r.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	r.err = ready(ctx)
	r.at = time.Now()
	switch {
	case r.err == nil:
		r.failing = time.Time{}
	case r.failing.IsZero():
		r.failing = r.at
	}
	return r.failing, r.err
}
