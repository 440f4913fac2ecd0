package web

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
)

// countingConsole counts the statements that it sends to PostgreSQL.
func countingConsole(t *testing.T) (c *console, statements *atomic.Int64) {
	t.Helper()
	database, err := url.Parse(storetest.PostgresURL(t))
	require.NoError(t, err)
	server := database.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	statements = new(atomic.Int64)
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", server)
			if err != nil {
				from.Close()
				continue
			}
			go func() { io.Copy(from, to); from.Close() }()
			go func() { countStatements(to, from, statements); to.Close() }()
		}
	}()
	database.Host = listener.Addr().String()
	return newConsole(t, jobstest.Open(t, database.String())), statements
}

// countStatements copies what a client sends, by the protocol's messages: a first one, and then
// ones with a type in front. Query is Q, and Execute E.
func countStatements(to io.Writer, from io.Reader, statements *atomic.Int64) {
	in := bufio.NewReader(from)
	for first := true; ; first = false {
		head := make([]byte, 5)
		if first {
			head = head[:4]
		}
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		if !first && (head[0] == 'Q' || head[0] == 'E') {
			statements.Add(1)
		}
		body := make([]byte, binary.BigEndian.Uint32(head[len(head)-4:])-4)
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		if _, err := to.Write(append(head, body...)); err != nil {
			return
		}
	}
}

// All who watch a job share what is read for them, and their rights are asked in one statement.
func TestWatchersShareTheirStatements(t *testing.T) {
	c, statements := countingConsole(t)
	b := c.as(auth.Operator)
	id := b.draft(3)
	c.untilRead(id)
	require.Equal(t, http.StatusSeeOther, b.post("/jobs/"+id+"/start", "confirm", "3").StatusCode)
	var streams []*stream
	watch := func(n int) {
		for range n {
			streams = append(streams, b.follow(id))
			require.NotEmpty(t, streams[len(streams)-1].next())
		}
	}
	change := func(a jobs.Action) int64 {
		before := statements.Load()
		_, err := c.store.Act(t.Context(), audit.System, id, a)
		require.NoError(t, err)
		for _, s := range streams {
			require.NotEmpty(t, s.next())
		}
		c.web.rights.check(t.Context())
		return statements.Load() - before
	}
	const many = 150
	watch(1)
	one := change(jobs.Pause)
	require.Positive(t, one)
	watch(many)
	require.Less(t, change(jobs.Resume), one+many/2)
}

// Who is refused again and again costs the reading of the session, and nothing else.
func TestRefusedAccessCostsOneStatement(t *testing.T) {
	c, statements := countingConsole(t)
	b := c.as(auth.Operator)
	require.Equal(t, http.StatusForbidden, b.get("/users").StatusCode, "the first is recorded")
	const many = 150
	before := statements.Load()
	for range many {
		require.Equal(t, http.StatusForbidden, b.get("/users").StatusCode)
	}
	require.Less(t, statements.Load()-before, int64(many+many/2))
}
