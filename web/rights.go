package web

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"tagsweep/internal/auth"
)

// rightsEvery is how often those who are being sent something, or are sending a file, are
// asked for again.
const rightsEvery = 2 * time.Second

var errRightsEnded = errors.New("web: the session has ended, or its user may no longer do this")

// rights ends what takes long once somebody may no longer have it.
type rights struct {
	users *auth.Users
	mutex sync.Mutex
	held  map[*heldRight]bool
}

// heldRight is of one request.
type heldRight struct {
	holder string // the id of a session or a token
	needs  auth.Permission
	end    context.CancelCauseFunc
}

// hold lets the request end when its session may no longer do what its route needs. Call
// release.
func (s *Server) hold(v *request) (release func()) {
	ctx, end := context.WithCancelCause(v.Request().Context())
	id, _ := v.holder()
	h := &heldRight{id, v.needs, end}
	s.rights.mutex.Lock()
	s.rights.held[h] = true
	s.rights.mutex.Unlock()
	connection := http.NewResponseController(v.Response())
	interrupt := connection.SetWriteDeadline // what waits for the client waits no longer
	if v.Request().Method == http.MethodPost {
		interrupt = connection.SetReadDeadline
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		if rightsEnded(ctx) {
			interrupt(time.Now())
		}
		close(interrupted)
	})
	v.SetRequest(v.Request().WithContext(ctx))
	return func() {
		if !stop() {
			<-interrupted // not the next request on this connection
		}
		s.rights.mutex.Lock()
		delete(s.rights.held, h)
		s.rights.mutex.Unlock()
	}
}

func rightsEnded(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errRightsEnded) }

// run asks until ctx ends. While the database cannot be read, nothing ends.
func (r *rights) run(ctx context.Context) {
	tick := time.NewTicker(rightsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.check(ctx)
		}
	}
}

func (r *rights) check(ctx context.Context) {
	r.mutex.Lock()
	none := len(r.held) == 0
	r.mutex.Unlock()
	if none {
		return
	}
	holders, err := r.users.Holders(ctx)
	if err != nil {
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for h := range r.held {
		if !holders[h.holder].May(h.needs) {
			h.end(errRightsEnded)
		}
	}
}
