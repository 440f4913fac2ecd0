package web

import (
	"container/list"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"tagsweep/internal/auth"
)

// Open connections are bounded, and a new one is always let in: beyond a bound the oldest
// is closed. So nobody holds up others by keeping connections open, and the health check
// and the kill switch are always reached. Who is not signed in has little room, by address
// (of IPv6 by /64) and in all. A connection of a person counts for the person; and while the
// session of a genuine cookie is read, for the cookie, so that many people who come at once
// do not close each other's. Those of trusted proxies carry many people, so they only count
// in all.
type bounds struct{ each, all int }

var (
	boundsOfVisitors = bounds{64, 512}
	boundsOfPeople   = bounds{1_200, 4_000}
	boundsOfProxies  = bounds{4_000, 4_000}
)

const (
	headerTime  = 10 * time.Second // for the head of a request
	idleTime    = time.Minute      // between requests
	headerBytes = 32 << 10
)

// HTTP returns the HTTP server. Serve what Listen returns.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug), // anybody can cause these
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, c)
		},
	}
}

// Listen bounds the connections of a listener.
func (s *Server) Listen(l net.Listener) net.Listener { return &boundedListener{l, s} }

type boundedListener struct {
	net.Listener
	server *Server
}

// Accept implements net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	runtime.Gosched() // who has just come says first who it is, so that many people who come at once are not closed
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: accepted}
	within := &l.server.visitors
	if address, err := netip.ParseAddrPort(accepted.RemoteAddr().String()); err == nil {
		c.from, _ = auth.Sources(address.Addr().String())
		if isAmong(l.server.TrustedProxies, address.Addr()) {
			within = &l.server.proxies
		}
	}
	within.add(c, c.from)
	return c, nil
}

func isAmong(ranges []*net.IPNet, address netip.Addr) bool {
	for _, r := range ranges {
		if r.Contains(address.Unmap().AsSlice()) {
			return true
		}
	}
	return false
}

type connectionKey struct{}

// connection is a connection that counts.
type connection struct {
	net.Conn
	from   string // its address, or network
	mutex  sync.Mutex
	closed bool
	counts *connections // in which it is
	holder string       // among them
	leave  func()       // these
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.mutex.Lock()
	leave := c.leave
	c.closed, c.counts, c.leave = true, nil, nil
	c.mutex.Unlock()
	if leave != nil {
		leave()
	}
	return c.Conn.Close()
}

// move has it count there, and no longer where it did.
func (c *connection) move(to *connections, holder string, leave func()) {
	c.mutex.Lock()
	was := c.leave
	if c.closed { // while it was moved
		was = leave
	} else {
		c.counts, c.holder, c.leave = to, holder, leave
	}
	c.mutex.Unlock()
	if was != nil {
		was()
	}
}

// in returns where it counts, and for whom.
func (c *connection) in() (class *connections, holder string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.counts, c.holder
}

// connections are those of one class, the oldest first.
type connections struct {
	bounds
	mutex   sync.Mutex
	open    list.List             // of held
	holders map[string]*list.List // of the same
}

// held is a connection with its holder.
type held struct {
	*connection
	holder string
}

// add counts a connection, and closes the oldest one beyond a bound.
func (cs *connections) add(c *connection, holder string) {
	cs.mutex.Lock()
	if cs.holders == nil {
		cs.holders = map[string]*list.List{}
	}
	own := cs.holders[holder]
	if own == nil {
		own = list.New()
		cs.holders[holder] = own
	}
	h := held{c, holder}
	inAll, inOwn := cs.open.PushBack(h), own.PushBack(h)
	var oldest *connection
	switch {
	case own.Len() > cs.each:
		oldest = own.Front().Value.(held).connection
	case cs.open.Len() > cs.all:
		oldest = cs.open.Front().Value.(held).connection
	}
	cs.mutex.Unlock()
	c.move(cs, holder, func() {
		cs.mutex.Lock()
		defer cs.mutex.Unlock()
		cs.open.Remove(inAll)
		if own.Remove(inOwn); own.Len() == 0 && cs.holders[holder] == own {
			delete(cs.holders, holder)
		}
	})
	if oldest != nil {
		oldest.Close()
	}
}

// recognise reads the session of a request, and counts its connection for who has it.
func (s *Server) recognise(v *request) error {
	if v.bearer {
		err := s.recogniseToken(v)
		if err == nil {
			s.belongs(v.Request(), v.user.ID)
		}
		return err
	}
	c, is := v.Request().Context().Value(connectionKey{}).(*connection)
	if !is {
		return s.sessions.recognise(v)
	}
	if class, _ := c.in(); class == &s.visitors {
		if cookie := s.sessions.cookieOf(v.Request()); cookie != "" {
			s.people.add(c, sessionID(cookie))
		}
	}
	err := s.sessions.recognise(v)
	if class, _ := c.in(); err == nil && class == &s.people && !v.signedIn() {
		s.visitors.add(c, c.from)
	} else if v.signedIn() {
		s.belongs(v.Request(), v.user.ID)
	}
	return err
}

// belongs counts the connection of a request for a person.
func (s *Server) belongs(r *http.Request, person string) {
	c, is := r.Context().Value(connectionKey{}).(*connection)
	if !is {
		return
	}
	if class, holder := c.in(); class != nil && class != &s.proxies && holder != person {
		s.people.add(c, person)
	}
}
