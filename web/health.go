package web

import (
	"errors"
	"net/http"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/web/templates/messages"
)

// healthJSON says whether the console works, and whether it sends.
type healthJSON struct {
	Status   string     `json:"status"`             // ok, unavailable
	Sending  string     `json:"sending"`            // running, stopped, probing, held
	Since    *time.Time `json:"since,omitempty"`    // of anything but running
	Message  string     `json:"message,omitempty"`  // why it is held
	Log      string     `json:"log,omitempty"`      // not_signed: an admin must look at the page Integrity proof
	Stranded int64      `json:"stranded,omitempty"` // open jobs of apps that no console serves
}

// health answers 200 while the database works, even if sending is stopped. Anybody may ask,
// so it writes nothing: the engine writes every second, and says when it cannot.
func (s *Server) health(v *request) error {
	now, failing, err := s.status.checked(v.Request().Context())
	out, status := healthJSON{Status: "ok", Sending: "running"}, http.StatusOK
	if now.Alarm != nil {
		out.Log = "not_signed"
	}
	for _, each := range now.Stranded {
		out.Stranded += each.Jobs
	}
	switch {
	case now.Trouble != nil:
		out.Status, out.Sending, out.Since, status = "unavailable", "held", moment(now.Trouble.Since), http.StatusServiceUnavailable
		out.Message = messages.English.Fault(now.Trouble.Fault)
	case err != nil:
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
