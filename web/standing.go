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
	standingFor  = time.Second     // how old what every page says of the sending may be
	readStanding = 2 * time.Second // a page waits no longer for it
	haltsOfOne   = 20              // jobs that one outage halts, at most, to find when it began
)

// standings reads how the sending stands, once a second at most, however many
// pages ask.
type standings struct {
	Config
	mutex sync.Mutex
	at    time.Time
	last  templates.Standing
}

// now returns how the sending stands. What cannot be read is as it last was:
// no page fails for it.
func (s *standings) now(ctx context.Context) templates.Standing {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if time.Since(s.at) >= standingFor {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readStanding)
		defer cancel()
		if err := s.read(ctx); err != nil {
			s.Log.Error("how the sending stands cannot be read", "error", err)
		}
		s.at = time.Now()
	}
	standing := s.last
	standing.Trouble = s.Trouble()
	return standing
}

// changed has it read anew at once.
func (s *standings) changed() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.at = time.Time{}
}

func (s *standings) read(ctx context.Context) (err error) {
	var now templates.Standing
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

// downSince is when the service last stopped working: the first halt for it
// since it was last well.
func (s *standings) downSince(ctx context.Context) (since time.Time, err error) {
	well, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.ServiceWell, Limit: 1})
	if err != nil {
		return since, err
	}
	halts, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobHalted, Limit: haltsOfOne})
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
