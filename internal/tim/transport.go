package tim

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

func newTransport(config Config) *http.Transport { return transportTrusting(config, nil) }

// transportTrusting returns HTTP/1.1 with keep-alive over connections that count
// what is written to them. HTTP/2 would let one lost connection put a hundred
// calls in doubt at once, and share its counter among them.
//
// The transport sends a request again by itself only when nothing of it was
// written to a kept connection that had died: a POST is not replayable to it
// as long as no Idempotency-Key header is set (net/http: Request.isReplayable).
func transportTrusting(config Config, roots *x509.CertPool) *http.Transport {
	dialer := &net.Dialer{Timeout: config.Timeout, KeepAlive: 15 * time.Second}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, RootCAs: roots}
	secure := &tls.Dialer{NetDialer: dialer, Config: settings}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         counting(dialer.DialContext),
		DialTLSContext:      counting(secure.DialContext),
		TLSClientConfig:     settings, // behind a proxy the transport does TLS itself
		Protocols:           protocols,
		DisableCompression:  true, // so that the size bound is the size on the wire
		MaxIdleConns:        config.MaxConns,
		MaxIdleConnsPerHost: config.MaxConns,
		MaxConnsPerHost:     config.MaxConns,
		IdleConnTimeout:     idleTimeout,
	}
}

type dial func(ctx context.Context, network, address string) (net.Conn, error)

func counting(next dial) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := next(ctx, network, address)
		if err != nil {
			return nil, err
		}
		discardOnClose(conn)
		return &countedConn{Conn: conn}, nil
	}
}

// discardOnClose makes the system discard undelivered data when a connection is closed.
// Otherwise it would try to deliver for minutes, long after the accounts of an abandoned
// call were read again.
func discardOnClose(conn net.Conn) {
	if secure, is := conn.(*tls.Conn); is {
		conn = secure.NetConn()
	}
	if plain, is := conn.(*net.TCPConn); is {
		plain.SetLinger(0)
	}
}

// countedConn counts the bytes written to it. It is above TLS if possible, so that
// handshakes and alerts do not count.
type countedConn struct {
	net.Conn
	written atomic.Int64
	call    atomic.Pointer[sendTrace] // the call that has the connection now
}

// Write counts the written bytes, also of partly written requests. It writes nothing of
// a call that may no longer leave.
func (c *countedConn) Write(p []byte) (int, error) {
	call := c.call.Load()
	if call != nil && !call.maySend() {
		return 0, ErrSentNothing
	}
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	if call != nil {
		call.recordSent(n)
	}
	return n, err
}

// sendTrace watches the connections of one call and knows whether any byte of its
// request was written. The transport's own hooks do not know it: they fire when the
// request is in a buffer. Ask only after RoundTrip has returned: then its writer has
// ended.
type sendTrace struct {
	gate   SendGate
	cancel func() // ends the call

	mu             sync.Mutex
	conn           *countedConn
	before         int64
	writtenEarlier bool // an earlier connection was written to, or one could not be watched
	sent           bool // or is being written
	refused        bool // it may not leave any more
}

// maySend reports whether bytes of the call may be written. If none was written and none
// may be, it ends the call, because the transport would try another connection.
func (w *sendTrace) maySend() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.sent:
	case w.refused || w.gate.May != nil && !w.gate.May():
		w.refused = true
		w.cancel()
	default:
		w.sent = true
	}
	return w.sent
}

// recordSent records written bytes. After 0 bytes the call may be tried on another
// connection, and maySend is asked again.
func (w *sendTrace) recordSent(n int) {
	w.mu.Lock()
	w.sent = n > 0 || w.wasWritten()
	w.mu.Unlock()
	if n > 0 && w.gate.Sent != nil {
		w.gate.Sent(time.Now())
	}
}

// expire ends a call that still waits for a connection.
func (w *sendTrace) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.sent {
		w.refused = true
		w.cancel()
	}
}

// wasRefused reports whether the call was ended before it left.
func (w *sendTrace) wasRefused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refused
}

func (w *sendTrace) gotConn(info httptrace.GotConnInfo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writtenEarlier = w.wasWritten()
	w.conn = countedConnOf(info.Conn)
	if w.conn == nil {
		w.writtenEarlier = true
		return
	}
	w.before = w.conn.written.Load()
	w.conn.call.Store(w)
}

func (w *sendTrace) wrote() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wasWritten()
}

func (w *sendTrace) wasWritten() bool {
	return w.writtenEarlier || w.conn != nil && w.conn.written.Load() > w.before
}

func countedConnOf(conn net.Conn) *countedConn {
	switch conn := conn.(type) {
	case *countedConn:
		return conn
	case *tls.Conn: // through a proxy
		return countedConnOf(conn.NetConn())
	}
	return nil
}

func newBody(payload []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(payload)) }
