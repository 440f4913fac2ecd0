package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/web/templates"
)

const (
	lookEvery  = 500 * time.Millisecond
	heartbeat  = 15 * time.Second
	sendWithin = 10 * time.Second // a watcher that takes longer is gone
)

// live follows jobs for the pages that show them: one reader for each job that
// is watched, however many watch it, and none when nobody does.
type live struct {
	audit    *audit.Log
	jobs     *jobs.Jobs
	standing *standings
	log      *slog.Logger
	ended    context.Context
	close    func()

	mu     sync.Mutex
	topics map[string]*topic
}

// topic is a job that is watched.
type topic struct {
	watchers map[chan templates.JobView]bool
	latest   *templates.JobView
	stop     context.CancelFunc
}

func newLive(c Config, standing *standings) *live {
	ended, end := context.WithCancel(context.Background())
	return &live{audit: c.Audit, jobs: c.Jobs, standing: standing, log: c.Log, ended: ended, close: end, topics: map[string]*topic{}}
}

// look reads what the page of a job shows.
func (l *live) look(ctx context.Context, j jobs.Job) (view templates.JobView, err error) {
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
		if view.Asked, err = l.jobs.NeedsReview(ctx, j.ID); err != nil {
			return view, err
		}
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
		if view.Made, err = l.jobs.DerivedFrom(ctx, j.ID); err != nil {
			return view, err
		}
		if view.Sealed, err = l.jobs.Sealed(ctx, j.ID); err != nil {
			return view, err
		}
		if err = l.lookAtInspection(ctx, &view); err != nil {
			return view, err
		}
	}
	if rests(j) {
		if view.Kept, err = l.jobs.SnapshotInfo(ctx, j); err != nil {
			return view, err
		}
		if view.Report, err = l.jobs.Report(ctx, j.ID); err != nil && !errors.As(err, &view.Spoiled) { // no page is lost for what it keeps
			return view, err
		}
	}
	view.History, err = l.audit.Entries(ctx, audit.Filter{JobID: j.ID, Limit: historyShown})
	return view, err
}

// lookAtInspection reads what the inspection of a sample of an ended job found.
func (l *live) lookAtInspection(ctx context.Context, view *templates.JobView) (err error) {
	if view.Job.Verify.Share == 0 {
		return nil
	}
	view.Inspection, err = l.jobs.InspectionOf(ctx, view.Job.ID)
	if i := view.Inspection; err == nil && i != nil && i.Settled() && i.Told() && i.Counts[jobs.Inspected] > 0 {
		var kept snapshot.Info
		kept, err = l.jobs.SnapshotInfo(ctx, *i)
		view.Forgotten = !kept.ErasedAt.IsZero()
	}
	return err
}

// waitsFor returns the job that another waits for, since both hold the same
// accounts; nil when it waits for none.
func (l *live) waitsFor(ctx context.Context, j jobs.Job) (*jobs.Overlap, error) {
	if j.State != jobs.Queued && j.State != jobs.Running || j.Counts[jobs.Waiting] == 0 {
		return nil, nil
	}
	return l.jobs.WaitsFor(ctx, j.ID)
}

// sameWait reports whether both say the same of a job.
func sameWait(a, b *jobs.Overlap) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Job.ID == b.Job.ID && a.Accounts == b.Accounts
}

// rests reports whether a job stands still, so that what is kept of it can be
// summed up: while it moves, that would be done again and again.
func rests(j jobs.Job) bool {
	return j.Settled() || (j.State == jobs.Paused || j.State == jobs.Halted) && j.Counts[jobs.Sending] == 0
}

// watch returns a channel with the newest view of a job, whenever it changes.
// Call leave when it is no longer read.
func (l *live) watch(id string) (views <-chan templates.JobView, leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.topics[id]
	if t == nil {
		ctx, stop := context.WithCancel(l.ended)
		t = &topic{watchers: map[chan templates.JobView]bool{}, stop: stop}
		l.topics[id] = t
		go l.follow(ctx, id, t)
	}
	watcher := make(chan templates.JobView, 1)
	if t.latest != nil {
		watcher <- *t.latest
	}
	t.watchers[watcher] = true
	return watcher, func() { l.leave(id, t, watcher) }
}

func (l *live) leave(id string, t *topic, watcher chan templates.JobView) {
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

// follow reads the job until nobody watches it any more.
func (l *live) follow(ctx context.Context, id string, t *topic) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var last templates.JobView
	var stood templates.Standing
	var shown jobs.State // which changes by itself when the time of a start comes
	for first := true; ; first = false {
		view, err := l.step(ctx, id, last)
		standing := l.standing.now(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			l.log.Error("following a job", "job", id, "error", err) // and again at the next tick
		case first || view.Job.Version != last.Job.Version || view.Rate != last.Rate || view.Asked != last.Asked ||
			!sameWait(view.Waits, last.Waits) || view.Job.Shown() != shown || !reflect.DeepEqual(standing, stood):
			last, stood, shown = view, standing, view.Job.Shown()
			l.publish(t, view)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// step looks again. Why accounts failed and what was done to the job cost more
// to read than the numbers, and are read only when they can have changed.
func (l *live) step(ctx context.Context, id string, last templates.JobView) (templates.JobView, error) {
	j, err := l.jobs.Get(ctx, id)
	if err != nil {
		return last, err
	}
	sameState := last.Job.ID != "" && j.Shown() == last.Job.Shown()
	sameFailures := j.Counts[jobs.Failed] == last.Job.Counts[jobs.Failed]
	if !sameState || !sameFailures {
		return l.look(ctx, j)
	}
	view := last
	view.Job, view.Now = j, time.Now()
	if view.Live() && j.State != jobs.Reading {
		view.Rate, err = l.jobs.CallsPerSecond(ctx, id)
	}
	if err == nil {
		view.Waits, err = l.waitsFor(ctx, j)
	}
	view.Asked = jobs.NeedsReview{}
	if err == nil && j.Counts[jobs.InDoubt] > 0 {
		view.Asked, err = l.jobs.NeedsReview(ctx, id)
	}
	if err == nil && view.Asked != last.Asked {
		return l.look(ctx, j)
	}
	return view, err
}

// publish gives every watcher the newest view; one that has not taken the view
// before it skips that one.
func (l *live) publish(t *topic, view templates.JobView) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.latest = &view
	for watcher := range t.watchers {
		select {
		case <-watcher:
		default:
		}
		watcher <- view
	}
}

// followJob streams what changes on the page of a job.
func (s *Server) followJob(v *visit) error {
	ctx := v.Request().Context()
	j, err := s.Jobs.Get(ctx, v.Param("id"))
	if err != nil {
		return err
	}
	h := v.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // a proxy must not hold events back
	v.Response().WriteHeader(http.StatusOK)
	reading := v.QueryParam("reading") != "" // the page shows how far the file has been read, and ends with that
	stream := eventStream{v: v, connection: http.NewResponseController(v.Response()), sent: map[string]string{}}
	views, leave := s.live.watch(j.ID)
	defer leave()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.live.ended.Done():
			return nil
		case <-beat.C:
			if !s.sessions.alive(v) {
				return nil
			}
			err = stream.write(": still here\n\n")
		case view := <-views:
			over := !view.Live() || reading && view.Job.State != jobs.Reading
			switch page := s.view(v, "jobs"); {
			case !reading:
				err = stream.send(templates.Parts(page, view))
			case !over:
				err = stream.send(templates.ReadingParts(page, view))
			}
			if err == nil && over {
				return stream.write("event: done\ndata: done\n\n")
			}
		}
		if err != nil {
			return nil // the watcher is gone
		}
	}
}

// eventStream remembers what a watcher was sent, so that only what has changed
// is sent again.
type eventStream struct {
	v          *visit
	connection *http.ResponseController
	sent       map[string]string
}

func (e *eventStream) send(parts []templates.Part) error {
	var changed bytes.Buffer
	for _, part := range parts {
		var html bytes.Buffer
		if err := templates.Partial(part).Render(e.v.Request().Context(), &html); err != nil {
			return err
		}
		if e.sent[part.ID] != html.String() {
			e.sent[part.ID] = html.String()
			changed.Write(html.Bytes())
		}
	}
	if changed.Len() == 0 {
		return nil
	}
	var event bytes.Buffer
	for line := range bytes.Lines(bytes.ReplaceAll(changed.Bytes(), []byte("\r"), nil)) { // a CR would end a line, too
		fmt.Fprintf(&event, "data: %s\n", bytes.TrimSuffix(line, []byte("\n")))
	}
	event.WriteString("\n")
	return e.write(event.String())
}

func (e *eventStream) write(text string) error {
	e.connection.SetWriteDeadline(time.Now().Add(sendWithin)) // not every writer has deadlines
	if _, err := e.v.Response().Write([]byte(text)); err != nil {
		return err
	}
	return e.connection.Flush()
}
