package web

import (
	"context"
	"io"
	"net/http"
	"os"
	"time"

	"tagsweep/internal/heavy"
)

// A client that sends or reads too slowly is cut off: of every so many bytes, the console
// waits for the other side no longer than this. Large files over slow lines pass.
const (
	paceBytes = 128 << 10
	paceWait  = 30 * time.Second
	writeSize = 32 << 10 // of one write, so that progress is seen
)

// pace measures one direction of a request.
type pace struct {
	within time.Duration
	waited time.Duration
	moved  int
}

func (p *pace) deadline() time.Time { return time.Now().Add(p.within - p.waited) }

func (p *pace) add(n int, began time.Time) {
	p.waited += time.Since(began)
	if p.moved += n; p.moved >= paceBytes {
		p.waited, p.moved = 0, 0
	}
}

// pacedBody is the body of a request, which has to arrive at that pace.
type pacedBody struct {
	io.ReadCloser
	connection *http.ResponseController
	request    *request
	pace
}

func (b *pacedBody) Read(p []byte) (n int, err error) {
	ctx := b.request.Request().Context()
	defer rest(ctx, &err)()
	began := time.Now()
	b.connection.SetReadDeadline(b.deadline()) // not every connection has deadlines
	if rightsEnded(ctx) {
		return 0, errRightsEnded
	}
	n, err = b.ReadCloser.Read(p)
	b.add(n, began)
	if !os.IsTimeout(err) { // after that nothing more is read
		b.connection.SetReadDeadline(time.Time{})
	}
	return n, err
}

// pacedWriter is a response, which has to be read at that pace.
type pacedWriter struct {
	http.ResponseWriter
	connection *http.ResponseController
	request    *request
	pace
}

// Unwrap is for http.ResponseController.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *pacedWriter) Write(p []byte) (written int, err error) {
	ctx := w.request.Request().Context()
	defer rest(ctx, &err)()
	for len(p) > 0 && err == nil {
		began, n := time.Now(), 0
		w.connection.SetWriteDeadline(w.deadline())
		if rightsEnded(ctx) {
			return written, errRightsEnded
		}
		n, err = w.ResponseWriter.Write(p[:min(len(p), writeSize)])
		w.add(n, began)
		written, p = written+n, p[n:]
	}
	return written, err
}

// rest lets others compute while a request waits for its client. The function it returns
// waits for a processor again.
func rest(ctx context.Context, err *error) func() {
	task := heavy.Of(ctx)
	if !task.Rest() {
		return func() {}
	}
	return func() {
		if *err == nil {
			*err = task.Work(ctx)
		}
	}
}

// keepPace holds both directions of a request to the pace.
func (s *Server) keepPace(v *request) {
	r, w := v.Request(), v.Response()
	connection := http.NewResponseController(w.Writer)
	w.Writer = &pacedWriter{ResponseWriter: w.Writer, connection: connection, request: v, pace: pace{within: s.PaceWait}}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &pacedBody{ReadCloser: r.Body, connection: connection, request: v, pace: pace{within: s.PaceWait}}
		connection.SetReadDeadline(time.Now().Add(s.PaceWait)) // also for a body that nobody reads
	}
}
