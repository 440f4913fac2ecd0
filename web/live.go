package web

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/web/templates"
)

const (
	pollEvery     = time.Second
	publishAtOnce = 50 // watchers
	publishPause  = 20 * time.Millisecond
)

// live reads jobs for the pages that show them, with one reader for each watched job.
type live struct {
	audit  *audit.Log
	jobs   *jobs.Jobs
	status *statusCache
	log    *slog.Logger
	ended  context.Context
	close  func()

	mu     sync.Mutex
	topics map[string]*topic
}

// topic is a job that is watched.
type topic struct {
	watchers map[chan *published]bool
	latest   *published
	views    int64 // so far
	stop     context.CancelFunc
}

func newLive(c Config, status *statusCache) *live {
	ended, end := context.WithCancel(context.Background())
	return &live{audit: c.Audit, jobs: c.Jobs, status: status, log: c.Log, ended: ended, close: end, topics: map[string]*topic{}}
}

// read reads the content of a job's page.
func (l *live) read(ctx context.Context, j jobs.Job) (view templates.JobView, err error) {
	view = templates.JobView{Job: j, Now: time.Now()}
	if j.Counts[jobs.Failed] > 0 {
		if view.Reasons, err = l.jobs.Reasons(ctx, j.ID); err != nil {
			return view, err
		}
	}
	if view.Live() && j.State != jobs.Reading {
		if view.Rate, err = l.jobs.CallsPerSecond(ctx, j.ID); err != nil {
			return view, err
		}
	}
	if j.Counts[jobs.InDoubt] > 0 {
		if view.NeedsReview, err = l.jobs.NeedsReview(ctx, j.ID); err != nil {
			return view, err
		}
	}
	if view.Owner, err = l.jobs.Owner(ctx, j); err != nil {
		return view, err
	}
	if view.FoundRestored, err = l.jobs.FoundRestored(ctx, j); err != nil {
		return view, err
	}
	if view.Waits, err = l.waitsFor(ctx, j); err != nil {
		return view, err
	}
	if j.Source != "" {
		if view.Origin, err = l.jobs.Get(ctx, j.Source); err != nil {
			return view, err
		}
	}
	if j.Settled() {
		if view.Derived, err = l.jobs.DerivedFrom(ctx, j.ID); err != nil {
			return view, err
		}
		if view.Sealed, err = l.jobs.Sealed(ctx, j.ID); err != nil {
			return view, err
		}
		if err = l.readInspection(ctx, &view); err != nil {
			return view, err
		}
	}
	if atRest(j) {
		if view.SnapshotInfo, err = l.jobs.SnapshotInfo(ctx, j); err != nil {
			return view, err
		}
		if view.Report, err = l.jobs.Report(ctx, j.ID); err != nil && !errors.As(err, &view.ReportFault) { // the page is shown without its report
			return view, err
		}
	}
	view.History, err = l.audit.Entries(ctx, audit.Filter{JobID: j.ID, Limit: historyShown})
	return view, err
}

// readInspection reads the inspection of a sample of an ended job.
func (l *live) readInspection(ctx context.Context, view *templates.JobView) (err error) {
	if view.Job.Verify.Share == 0 {
		return nil
	}
	view.Inspection, err = l.jobs.InspectionOf(ctx, view.Job.ID)
	if i := view.Inspection; err == nil && i != nil && i.Settled() && i.Told() && i.Counts[jobs.Inspected] > 0 {
		var kept snapshot.Info
		kept, err = l.jobs.SnapshotInfo(ctx, *i)
		view.TagsErased = !kept.ErasedAt.IsZero()
	}
	return err
}

// waitsFor returns the job with the same accounts that this job waits for; nil for none.
func (l *live) waitsFor(ctx context.Context, j jobs.Job) (*jobs.Overlap, error) {
	if j.State != jobs.Queued && j.State != jobs.Running || j.Counts[jobs.Waiting] == 0 {
		return nil, nil
	}
	return l.jobs.WaitsFor(ctx, j.ID)
}

// sameOverlap compares two overlaps.
func sameOverlap(a, b *jobs.Overlap) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Job.ID == b.Job.ID && a.Accounts == b.Accounts
}

// atRest reports whether a job does not change at the moment. Only then is its tag
// report computed.
func atRest(j jobs.Job) bool {
	return j.Settled() || (j.State == jobs.Paused || j.State == jobs.Halted) && j.Counts[jobs.Sending] == 0
}

// watch returns a channel with the newest view of a job after each change. Call leave
// at the end.
func (l *live) watch(id string) (views <-chan *published, leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.topics[id]
	if t == nil {
		ctx, stop := context.WithCancel(l.ended)
		t = &topic{watchers: map[chan *published]bool{}, stop: stop}
		l.topics[id] = t
		go l.follow(ctx, id, t)
	}
	watcher := make(chan *published, 1)
	if t.latest != nil {
		watcher <- t.latest
	}
	t.watchers[watcher] = true
	return watcher, func() { l.leave(id, t, watcher) }
}

func (l *live) leave(id string, t *topic, watcher chan *published) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(t.watchers, watcher)
	if len(t.watchers) == 0 {
		t.stop()
		if l.topics[id] == t {
			delete(l.topics, id)
		}
	}
}

// follow reads the job while somebody watches it.
func (l *live) follow(ctx context.Context, id string, t *topic) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	var last templates.JobView
	var lastStatus templates.SendStatus
	var shown jobs.State // which changes by itself when the time of a start comes
	for first := true; ; first = false {
		view, err := l.step(ctx, id, last)
		status := l.status.now(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			l.log.Error("following a job", "job", id, "error", err) // and again at the next tick
		case first || view.Job.Version != last.Job.Version || view.Rate != last.Rate || view.NeedsReview != last.NeedsReview ||
			!sameOverlap(view.Waits, last.Waits) || view.Job.Shown() != shown || !reflect.DeepEqual(status, lastStatus):
			last, lastStatus, shown = view, status, view.Job.Shown()
			l.publish(ctx, t, view)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// step reads the job again. It reads the expensive parts, the failure reasons and the
// history, only when they can have changed.
func (l *live) step(ctx context.Context, id string, last templates.JobView) (templates.JobView, error) {
	j, err := l.jobs.Get(ctx, id)
	if err != nil {
		return last, err
	}
	sameState := last.Job.ID != "" && j.Shown() == last.Job.Shown()
	sameFailures := j.Counts[jobs.Failed] == last.Job.Counts[jobs.Failed]
	if !sameState || !sameFailures {
		return l.read(ctx, j)
	}
	view := last
	view.Job, view.Now = j, time.Now()
	if view.Live() && j.State != jobs.Reading {
		view.Rate, err = l.jobs.CallsPerSecond(ctx, id)
	}
	if err == nil {
		view.Waits, err = l.waitsFor(ctx, j)
	}
	view.NeedsReview = jobs.NeedsReview{}
	if err == nil && j.Counts[jobs.InDoubt] > 0 {
		view.NeedsReview, err = l.jobs.NeedsReview(ctx, id)
	}
	if err == nil && view.NeedsReview != last.NeedsReview {
		return l.read(ctx, j)
	}
	return view, err
}

// publish sends every watcher the newest view, and drops an older one that was not read.
// It sends to a few watchers at a time, so that rendering does not delay calls.
func (l *live) publish(ctx context.Context, t *topic, view templates.JobView) {
	l.mu.Lock()
	t.views++
	latest := &published{JobView: view, number: t.views, rendered: map[audience][]rendered{}, events: map[change][]byte{}}
	t.latest = latest
	watchers := slices.Collect(maps.Keys(t.watchers))
	l.mu.Unlock()
	for some := range slices.Chunk(watchers, publishAtOnce) {
		l.mu.Lock()
		for _, watcher := range some {
			select {
			case <-watcher:
			default:
			}
			watcher <- latest // one that has left takes it and is forgotten with it
		}
		l.mu.Unlock()
		if len(watchers) > publishAtOnce {
			select {
			case <-ctx.Done():
				return
			case <-time.After(publishPause):
			}
		}
	}
}
