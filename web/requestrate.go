package web

import (
	"sync"

	"golang.org/x/time/rate"

	"tagsweep/internal/auth"
)

// The requests of one person are answered at this rate; beyond it they wait. So a script in
// a loop, refused or not, takes little from running jobs.
const (
	requestsPerSecond = 100
	requestsAtOnce    = 200
)

// requestRates are of the people who have signed in since the start.
type requestRates struct {
	mutex sync.Mutex
	of    map[string]*rate.Limiter // by user
}

func (r *requestRates) limiter(user string) *rate.Limiter {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.of[user] == nil {
		r.of[user] = rate.NewLimiter(requestsPerSecond, requestsAtOnce)
	}
	return r.of[user]
}

// takeTurn waits until a request of its person may be answered. It returns an error when the
// client has left or the session has ended before. Who may stop all sending does not wait for it.
func (s *Server) takeTurn(v *request) error {
	if v.Request().URL.Path == stopPath && v.user.Role.May(auth.Govern) {
		return nil
	}
	limiter := s.rates.limiter(v.user.ID)
	if limiter.Allow() {
		return nil
	}
	if v.token == nil {
		v.needs = auth.SignedIn
		defer s.hold(v)()
	}
	return limiter.Wait(v.Request().Context())
}
