package web

import (
	"context"
	"sync"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/web/templates"
)

const (
	statusMaxAge     = time.Second     // how old what every page says of the sending may be
	statusTimeout    = 2 * time.Second // a page waits no longer for it
	maxHaltsOfOutage = 20              // jobs that one outage halts, at most, to find when it began
)

// statusCache reads what keeps the console from sending, at most once a second.
type statusCache struct {
	Config
	mutex sync.Mutex
	at    time.Time
	last  templates.SendStatus
}

// now returns what keeps the console from sending. If it cannot be read, the last known
// status is returned, and no page fails.
func (s *statusCache) now(ctx context.Context) templates.SendStatus {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if time.Since(s.at) >= statusMaxAge {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusTimeout)
		defer cancel()
		if err := s.read(ctx); err != nil {
			s.Log.Error("what keeps the console from sending cannot be read", "error", err)
		}
		s.at = time.Now()
	}
	sending := s.last
	sending.Trouble = s.Trouble()
	return sending
}

// changed makes the next call read the status again.
func (s *statusCache) changed() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.at = time.Time{}
}

func (s *statusCache) read(ctx context.Context) (err error) {
	var now templates.SendStatus
	if now.Stopped, err = s.Jobs.KillSwitch(ctx); err != nil {
		return err
	}
	if now.Sending, err = s.Jobs.SendStatus(ctx, s.App.ID); err != nil {
		return err
	}
	if now.Probing() {
		if now.DownSince, err = s.downSince(ctx); err != nil {
			return err
		}
	}
	s.last = now
	return nil
}

// downSince is when the service stopped working: the first halt for that since it last
// worked.
func (s *statusCache) downSince(ctx context.Context) (since time.Time, err error) {
	well, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.ServiceWell, Limit: 1})
	if err != nil {
		return since, err
	}
	halts, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobHalted, Limit: maxHaltsOfOutage})
	for _, halt := range halts {
		if len(well) > 0 && halt.Seq < well[0].Seq {
			break
		}
		if code, _ := halt.Details["code"].(float64); jobs.Recovers(int(code)) {
			since = halt.At
		}
	}
	return since, err
}
