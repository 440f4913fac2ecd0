package web

import (
	"context"
	"net/http"
	"time"
)

// health says whether the console can do its work: whether the database can be
// written now.
func (s *Server) health(v *visit) error {
	ctx, cancel := context.WithTimeout(v.Request().Context(), 5*time.Second)
	defer cancel()
	status, word := http.StatusOK, "ok"
	if err := s.Store.Ready(ctx); err != nil {
		s.Log.Error("database is not ready", "error", err)
		status, word = http.StatusServiceUnavailable, "unavailable"
	}
	return v.JSON(status, map[string]string{"status": word, "version": s.Version})
}
