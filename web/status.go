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
	reading sync.Mutex // held by the one that reads
	mutex   sync.Mutex
	at      time.Time
	last    templates.SendStatus
	err     error     // of the last read
	failing time.Time // since when it cannot be read; zero: it can
}

// now returns what keeps the console from sending. If it cannot be read, the last known
// status is returned, and no page fails.
func (s *statusCache) now(ctx context.Context) templates.SendStatus {
	now, _, _ := s.checked(ctx)
	return now
}

// checked is now, and says since when the database cannot be read, and why. While one
// reads, the others are told what is known, unless nothing is.
func (s *statusCache) checked(ctx context.Context) (now templates.SendStatus, failing time.Time, err error) {
	s.mutex.Lock()
	known, stale := !s.at.IsZero(), time.Since(s.at) >= statusMaxAge
	s.mutex.Unlock()
	if stale && (s.reading.TryLock() || !known && s.waitForReader()) {
		s.refresh(ctx)
		s.reading.Unlock()
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now = s.last
	now.Trouble, now.Alarm = s.Trouble(), s.Audit.Alarm()
	return now, s.failing, s.err
}

func (s *statusCache) waitForReader() bool { s.reading.Lock(); return true }

// refresh reads the status, unless somebody just has. Whoever calls it holds reading.
func (s *statusCache) refresh(ctx context.Context) {
	s.mutex.Lock()
	fresh := time.Since(s.at) < statusMaxAge
	s.mutex.Unlock()
	if fresh {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusTimeout)
	defer cancel()
	began := time.Now()
	read, err := s.read(ctx)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.at, s.err = began, err
	switch {
	case err == nil:
		s.last, s.failing = read, time.Time{}
		return
	case s.failing.IsZero():
		s.failing = began
	}
	s.Log.Error("what keeps the console from sending cannot be read", "error", err)
}

// changed makes the next call read the status again.
func (s *statusCache) changed() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.at = time.Time{}
}

func (s *statusCache) read(ctx context.Context) (now templates.SendStatus, err error) {
	if now.Stopped, err = s.Jobs.KillSwitch(ctx); err != nil {
		return now, err
	}
	if now.Sending, err = s.Jobs.SendStatus(ctx, s.App.ID); err != nil {
		return now, err
	}
	if now.Apps, err = s.Jobs.Apps(ctx); err != nil {
		return now, err
	}
	if now.Stranded, err = s.Jobs.Stranded(ctx); err != nil {
		return now, err
	}
	if now.ClockJumped, err = s.Audit.ClockJumped(ctx); err != nil {
		return now, err
	}
	if now.Requests, err = s.Jobs.Waiting(ctx); err != nil {
		return now, err
	}
	if now.Unseen, err = s.Jobs.Unseen(ctx); err != nil {
		return now, err
	}
	if now.Emergencies, err = s.Audit.Unreviewed(ctx, audit.JobEmergency); err != nil {
		return now, err
	}
	if now.Probing() {
		now.DownSince, err = s.downSince(ctx)
	}
	return now, err
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
