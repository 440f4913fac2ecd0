package web

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// health says whether the console can do its work: whether the database can be
// written now.
func (s *Server) health(v *visit) error {
	status, word := http.StatusOK, "ok"
	if err := s.readiness.check(v.Request().Context(), s.Store.Ready); err != nil {
		s.Log.Error("database is not ready", "error", err)
		status, word = http.StatusServiceUnavailable, "unavailable"
	}
	return v.JSON(status, map[string]string{"status": word, "version": s.Version})
}

// readiness remembers an answer for a second: anybody may ask, and to find out
// is a write.
type readiness struct {
	mutex sync.Mutex
	at    time.Time
	err   error
}

func (r *readiness) check(ctx context.Context, ready func(context.Context) error) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if time.Since(r.at) < time.Second {
		return r.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	r.err = ready(ctx)
	r.at = time.Now()
	return r.err
}
