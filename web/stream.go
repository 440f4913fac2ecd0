package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/web/templates"
	"tagsweep/web/templates/messages"
)

// heartbeat is how often something is sent when nothing has changed.
const heartbeat = 15 * time.Second

// published is the content of a job's page at one moment. It is rendered once for each
// audience, and so is what has changed.
type published struct {
	templates.JobView
	number   int64 // from 1
	mutex    sync.Mutex
	rendered map[audience][]rendered
	events   map[change][]byte
}

// change is from a view, 0 for none, to a later one.
type change struct {
	audience
	since int64
}

// audience is a group of watchers who see the same page.
type audience struct {
	language *messages.Text
	role     auth.Role
	address  string
	others   bool // see templates.View
}

// rendered is a part of a page, ready to send.
type rendered struct{ id, html string }

// event returns the parts of the page for an audience, and as an event those that are not
// in an earlier view; nil for none.
func (p *published) event(ctx context.Context, c change, earlier []rendered, of func() []templates.Part) ([]rendered, []byte, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	parts, err := p.parts(ctx, c.audience, of)
	if err != nil {
		return nil, nil, err
	}
	event, done := p.events[c]
	if !done {
		event = eventOf(parts, earlier)
		p.events[c] = event
	}
	return parts, event, nil
}

func eventOf(parts, earlier []rendered) []byte {
	var changed, event bytes.Buffer
	for _, part := range parts {
		if !slices.Contains(earlier, part) {
			changed.WriteString(part.html)
		}
	}
	if changed.Len() == 0 {
		return nil
	}
	for line := range bytes.Lines(bytes.ReplaceAll(changed.Bytes(), []byte("\r"), nil)) { // a CR would end a line, too
		fmt.Fprintf(&event, "data: %s\n", bytes.TrimSuffix(line, []byte("\n")))
	}
	event.WriteString("\n")
	return event.Bytes()
}

func (p *published) parts(ctx context.Context, a audience, of func() []templates.Part) ([]rendered, error) {
	if all, done := p.rendered[a]; done {
		return all, nil
	}
	var all []rendered
	for _, part := range of() {
		var html strings.Builder
		if err := templates.Partial(part).Render(ctx, &html); err != nil {
			return nil, err
		}
		all = append(all, rendered{part.ID, html.String()})
	}
	p.rendered[a] = all
	return all, nil
}

// followJob streams the changes of a job's page.
func (s *Server) followJob(v *request) error {
	defer s.hold(v)()
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
	stream := eventStream{v: v, connection: http.NewResponseController(v.Response())}
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
			err = stream.write([]byte(": still here\n\n"))
		case view := <-views:
			over := !view.Live() || reading && view.Job.State != jobs.Reading
			page := s.view(v, "jobs")
			page.OfJob(view.Job, view.Owner)
			parts := templates.Parts
			if reading {
				parts = templates.ReadingParts
			}
			if !reading || !over {
				err = stream.send(view, audience{page.Text, page.User.Role, page.Here, page.Others}, func() []templates.Part { return parts(page, view.JobView) })
			}
			if err == nil && over {
				return stream.write([]byte("event: done\ndata: done\n\n"))
			}
		}
		if err != nil {
			return nil // the watcher is gone
		}
	}
}

// eventStream remembers the view that was sent last, and sends only what has changed.
type eventStream struct {
	v          *request
	connection *http.ResponseController
	since      int64
	sent       []rendered
}

func (e *eventStream) send(view *published, to audience, of func() []templates.Part) error {
	parts, event, err := view.event(e.v.Request().Context(), change{to, e.since}, e.sent, of)
	if err != nil {
		return err
	}
	if e.since, e.sent = view.number, parts; event == nil {
		return nil
	}
	return e.write(event)
}

func (e *eventStream) write(event []byte) error {
	if _, err := e.v.Response().Write(event); err != nil {
		return err
	}
	return e.connection.Flush()
}
