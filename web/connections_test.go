package web

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
)

// dial opens a connection to the console from an address of this machine.
func (c *console) dial(from string) *net.TCPConn {
	c.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.DialContext(c.t.Context(), "tcp", strings.TrimPrefix(c.url, "http://"))
	require.NoError(c.t, err)
	c.t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// slowly begins a sign-in, and sends one byte of its body.
func (c *console) slowly(from string) *net.TCPConn {
	c.t.Helper()
	conn := c.dial(from)
	_, err := io.WriteString(conn, "POST /login HTTP/1.1\r\nHost: console\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: 1000\r\n\r\nu")
	require.NoError(c.t, err)
	return conn
}

func (cs *connections) count() int {
	cs.mutex.Lock()
	defer cs.mutex.Unlock()
	return cs.open.Len()
}

func closed(conn net.Conn) bool {
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err := io.Copy(io.Discard, conn)
	return err == nil || strings.Contains(err.Error(), "reset")
}

func TestVisitorsHaveFewConnections(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	operator := c.as(auth.Operator)
	id := operator.draft(3)
	require.Equal(t, http.StatusSeeOther, operator.post("/jobs/"+id+"/start", "confirm", "3").StatusCode)
	require.NotEmpty(t, operator.follow(id).next())
	var open []*net.TCPConn
	for range boundsOfVisitors.each + 40 {
		open = append(open, c.slowly("127.0.0.1"))
	}
	for _, conn := range open[:20] {
		require.True(t, closed(conn), "the oldest ones are closed")
	}
	require.Equal(t, http.StatusOK, c.browser().get("/healthz").StatusCode)
	require.Equal(t, http.StatusSeeOther, c.browser().post("/login", "username", "admin", "password", jobstest.Password).StatusCode)
	require.Eventually(t, func() bool { return c.web.visitors.count() <= boundsOfVisitors.each }, 10*time.Second, time.Millisecond)
	require.Equal(t, http.StatusOK, operator.get("/jobs").StatusCode)
	require.GreaterOrEqual(t, c.web.people.count(), 2, "a person's count for the person, and stay open")
}

func TestAllVisitorsHaveFewConnections(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	admin := c.as(auth.Admin)
	for i := range boundsOfVisitors.all + 150 {
		c.slowly(fmt.Sprintf("127.0.1.%d", i%40+1))
		if i%100 == 0 {
			began := time.Now()
			require.Equal(t, http.StatusOK, c.browser().get("/healthz").StatusCode)
			require.Less(t, time.Since(began), time.Second)
		}
	}
	require.Eventually(t, func() bool { return c.web.visitors.count() <= boundsOfVisitors.all }, 10*time.Second, time.Millisecond,
		"the oldest is closed right after a new one is accepted")
	require.Equal(t, http.StatusSeeOther, admin.post("/sending/stop", "reason", "why").StatusCode)
	require.Equal(t, http.StatusSeeOther, c.browser().post("/login", "username", "admin", "password", jobstest.Password).StatusCode)
}

// People who come at once are not taken for visitors while their sessions are read.
func TestPeopleMayComeAtOnce(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	b.client.CloseIdleConnections()
	require.Eventually(t, func() bool { return c.web.people.count() == 0 }, 10*time.Second, time.Millisecond)
	var reading []*sql.Rows // on all connections to the database there are
	for range 8 {
		rows, err := c.store.DB.Reader().QueryContext(t.Context(), `SELECT id FROM users`)
		require.NoError(t, err)
		reading = append(reading, rows)
	}
	var open []*net.TCPConn
	for i := range boundsOfVisitors.each + 40 {
		open = append(open, b.unread("/jobs"))
		require.Eventually(t, func() bool { return c.web.people.count() == i+1 }, 10*time.Second, time.Millisecond)
	}
	for _, rows := range reading {
		require.NoError(t, rows.Close())
	}
	for _, conn := range open {
		require.Equal(t, http.StatusOK, mustRead(t, conn).StatusCode)
	}
}

func TestWhoHasSignedOutIsAVisitor(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	cookie := b.cookie().String()
	require.Equal(t, "/login", b.post("/logout").location())
	b.client.CloseIdleConnections()
	old := c.browser()
	old.headers.Set("Cookie", cookie)
	require.Equal(t, http.StatusSeeOther, old.get("/jobs").StatusCode)
	require.Eventually(t, func() bool { return c.web.people.count() == 0 && c.web.visitors.count() == 1 }, 10*time.Second, time.Millisecond)
}

func TestTheOldestConnectionIsClosed(t *testing.T) {
	var cs connections
	cs.bounds = bounds{3, 5}
	add := func(holder string) (*connection, net.Conn) {
		ours, theirs := net.Pipe()
		c := &connection{Conn: ours}
		cs.add(c, holder)
		return c, theirs
	}
	first, theirs := add("ann")
	for range 3 {
		add("ann")
	}
	require.True(t, closed(theirs))
	require.Equal(t, 3, cs.count())
	require.NoError(t, first.Close(), "closing twice is nothing")
	_, oldest := add("bob")
	add("bob")
	require.Equal(t, 5, cs.count())
	for range 3 {
		add("eve")
	}
	require.Equal(t, 5, cs.count())
	add("dan")
	require.True(t, closed(oldest))
	for holder, own := range cs.holders {
		require.Positive(t, own.Len(), holder)
	}
}

func TestATrustedProxyIsNoVisitor(t *testing.T) {
	_, here, err := net.ParseCIDR("127.0.0.0/8")
	require.NoError(t, err)
	c := newConsole(t, jobstest.SQLite(t), func(config *Config) { config.TrustedProxies = []*net.IPNet{here} })
	for range boundsOfVisitors.each + 20 {
		c.slowly("127.0.0.1")
	}
	require.Zero(t, c.web.visitors.count())
	require.Eventually(t, func() bool { return c.web.proxies.count() >= boundsOfVisitors.each+20 }, 10*time.Second, time.Millisecond)
}

func paced(config *Config) { config.PaceWait, config.UploadLimit = 300*time.Millisecond, 100_000_000 }

func TestABodyThatComesTooSlowlyIsCut(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t), paced)
	conn := c.slowly("127.0.0.1")
	trickling := make(chan struct{})
	go func() { // a byte now and then does not help
		defer close(trickling)
		for range 1000 {
			if _, err := conn.Write([]byte("u")); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode)
	require.True(t, closed(conn))
	<-trickling

	// A body that nobody reads, and one of a person.
	for _, request := range []string{"POST /jobs/x/start HTTP/1.1\r\n", "POST /nowhere HTTP/1.1\r\n", "POST /jobs HTTP/1.1\r\n"} {
		b := c.as(auth.Operator)
		if strings.Contains(request, "/jobs/x") {
			b = c.browser()
		}
		conn := c.dial("127.0.0.1")
		cookie := ""
		if session := b.cookie(); session != nil {
			cookie = "Cookie: " + session.String() + "\r\n"
		}
		_, err := io.WriteString(conn, request+"Host: console\r\n"+cookie+"Content-Type: multipart/form-data; boundary=x\r\n"+
			"Content-Length: 1000\r\n\r\n--x")
		require.NoError(t, err)
		require.True(t, closed(conn), request)
	}
}

func TestALargeFileMayTakeItsTime(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t), paced)
	b := c.as(auth.Operator)
	body, part := io.Pipe()
	go func() {
		io.WriteString(part, "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\nuser_id,note\r\n")
		for i := range 10 {
			long := strings.Repeat("x", 60_000)
			fmt.Fprintf(part, "user-%d,%s\r\nuser-x%d,%s\r\n", i, long, i, long)
			time.Sleep(100 * time.Millisecond)
		}
		io.WriteString(part, "\r\n--x--\r\n")
		part.Close()
	}()
	got := b.do("POST", "/jobs", body, "multipart/form-data; boundary=x")
	require.Equal(t, http.StatusSeeOther, got.StatusCode, got.body)
}

// large returns a draft whose results are larger than what systems buffer.
func (b *browser) large() string {
	b.t.Helper()
	var file strings.Builder
	file.WriteString("user_id,note\n")
	for i := range 20_000 {
		fmt.Fprintf(&file, "user-%d,%s\n", i, strings.Repeat("note ", 150))
	}
	return b.draftOf(file.String())
}

// unread asks for an address and reads nothing of the answer.
func (b *browser) unread(address string) *net.TCPConn {
	b.t.Helper()
	conn := b.dial("127.0.0.1")
	require.NoError(b.t, conn.SetReadBuffer(64<<10))
	_, err := io.WriteString(conn, "GET "+address+" HTTP/1.1\r\nHost: console\r\nCookie: "+b.cookie().String()+"\r\n\r\n")
	require.NoError(b.t, err)
	return conn
}

func TestADownloadThatIsNotReadIsCut(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t), paced)
	b := c.as(auth.Operator)
	id := b.large()
	b.untilRead(id)
	b.client.CloseIdleConnections()
	conn := b.unread("/jobs/" + id + "/results.csv")
	require.Eventually(t, func() bool { return c.web.people.count() == 1 }, 10*time.Second, time.Millisecond)
	// It ends although 15 MB are more than the system takes in.
	require.Eventually(t, func() bool { return c.web.people.count() == 0 }, 10*time.Second, time.Millisecond)
	require.NoError(t, conn.Close())
}
