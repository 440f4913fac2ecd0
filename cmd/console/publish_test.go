package main

import (
	"context"
	"database/sql"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
)

// Checkpoints reach the file, the webhook and syslog; what fails is tried again
// and shown, and nothing else waits for it.
func TestCheckpointsArePublishedElsewhere(t *testing.T) {
	t.Parallel()
	_, base := simulate(t, nil)
	var status atomic.Int64
	status.Store(http.StatusServiceUnavailable)
	var posted atomic.Value
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if _, err := audit.OpenCheckpoint(string(body), ""); err == nil && status.Load() == http.StatusOK { // else a mark
			posted.Store(string(body))
		}
		w.WriteHeader(int(status.Load()))
	}))
	t.Cleanup(hook.Close)
	logs, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { logs.Close() })

	p := newProgram(t, base, storetest.SQLiteFile(t))
	file := filepath.Join(t.TempDir(), "checkpoints")
	p.settings = append(p.settings, "CONSOLE_CHECKPOINT_FILE="+file, "CONSOLE_CHECKPOINT_WEBHOOK="+hook.URL+"/secret-path",
		"CONSOLE_CHECKPOINT_SYSLOG=udp://"+logs.LocalAddr().String())
	p.start()
	olga := p.signIn("olga")
	id := olga.draft(accountFile(150))
	olga.start(id)
	until(t, "the job is finished", func() bool { return olga.ended(id) })
	published := func() []string {
		return slices.DeleteFunc(notesIn(t, file), func(note string) bool { _, err := audit.OpenCheckpoint(note, ""); return err != nil })
	}
	until(t, "its seal is covered", func() bool { return len(published()) >= 3 }) // of starting, of its end, of its seal
	datagram := make([]byte, 4_000)
	n, _, err := logs.ReadFrom(datagram)
	require.NoError(t, err)
	require.Contains(t, string(datagram[:n]), `checkpoint "tagsweep/`)
	until(t, "it is said that the webhook does not work", func() bool { return strings.Contains(p.logged(), "publish to webhook") })
	require.NotContains(t, p.logged(), "secret-path")
	status.Store(http.StatusOK)
	until(t, "the webhook has all of them", func() bool { return posted.Load() == published()[len(published())-1] })
	require.NoError(t, p.stop(syscall.SIGTERM))

	out, err := p.command("", "verify", "--checkpoints", file)
	require.NoError(t, err, out)
	require.Contains(t, out, "Verification passed")
	tamper(t, p.database, `DROP TRIGGER audit_lines_no_update`)
	tamper(t, p.database, `UPDATE audit_lines SET line = REPLACE(line, 'job.started', 'job.retried') WHERE code = 'job.started'`)
	out, err = p.command("", "verify", "--checkpoints", file)
	require.ErrorContains(t, err, "exit status 1")
	require.Regexp(t, `(?m)^entry \d+ of the log: the entry was changed$`, out)
}

// What nobody has taken is not said to be delivered.
func TestCheckpointsAreDeliveredOnlyWhenTaken(t *testing.T) {
	t.Parallel()
	var arrived atomic.Int64
	end := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
	t.Cleanup(end.Close)
	for _, status := range []int{301, 302, 303, 307, 308, 304, 400, 500} {
		hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", end.URL)
			w.WriteHeader(status)
		}))
		t.Cleanup(hook.Close)
		require.ErrorContains(t, toWebhook(t.Context(), hook.URL, "note"), strconv.Itoa(status))
	}
	require.Zero(t, arrived.Load(), "no redirect is followed")
	require.NoError(t, toWebhook(t.Context(), end.URL, "note"))

	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, toSyslog(t.Context(), "udp", udp.LocalAddr().String(), "note"))
	require.NoError(t, udp.Close())
	require.Error(t, toSyslog(t.Context(), "udp", udp.LocalAddr().String(), "note"), "nobody listens")

	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	taken := make(chan string, 2)
	go func() {
		for i := 0; ; i++ {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			if i > 0 { // breaks off without reading
				conn.(*net.TCPConn).SetLinger(0)
				conn.Close()
				continue
			}
			all, _ := io.ReadAll(conn)
			taken <- string(all)
			conn.Close()
		}
	}()
	require.NoError(t, toSyslog(t.Context(), "tcp", tcp.Addr().String(), "a\nb"))
	require.Regexp(t, `^<85>1 \S+ \S+ tagsweep \d+ - - checkpoint "a\\nb"\n$`, <-taken)
	require.Error(t, toSyslog(t.Context(), "tcp", tcp.Addr().String(), "note"), "the server breaks off")
	require.NoError(t, tcp.Close())
	require.Error(t, toSyslog(t.Context(), "tcp", tcp.Addr().String(), "note"), "nobody listens")
}

// A backup of the database is restored after more was sent: nothing of it is
// sent again until an admin has said so.
func TestRestoredBackupWaitsForAnAdmin(t *testing.T) {
	t.Parallel()
	simulator, base := simulate(t, nil)
	folder := t.TempDir()
	p := newProgram(t, base, filepath.Join(folder, "console.db"))
	file := filepath.Join(t.TempDir(), "checkpoints")
	p.settings = append(p.settings, "CONSOLE_CHECKPOINT_FILE="+file)
	p.start()
	olga := p.signIn("olga")
	id := olga.draft(accountFile(300))
	require.NoError(t, p.stop(syscall.SIGTERM))
	entries := entriesOf(t, p.database)
	copied := map[string][]byte{}
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(p.database + suffix)
		if !os.IsNotExist(err) {
			require.NoError(t, err)
			copied[suffix] = content
		}
	}

	p.start()
	olga = p.signIn("olga")
	olga.start(id)
	until(t, "the job is finished", func() bool { return olga.ended(id) })
	until(t, "that is published", func() bool {
		return slices.ContainsFunc(notesIn(t, file), func(note string) bool {
			c, err := audit.OpenCheckpoint(note, "")
			return err == nil && c.Size > entries // and else it is a mark
		})
	})
	require.NoError(t, p.stop(syscall.SIGTERM))
	sent := simulator.Stats().Calls
	for _, suffix := range []string{"", "-wal", "-shm"} {
		require.NoError(t, os.RemoveAll(p.database+suffix))
	}
	for suffix, content := range copied {
		require.NoError(t, os.WriteFile(p.database+suffix, content, 0o600))
	}

	p.start()
	until(t, "it says so", func() bool { return strings.Contains(p.logged(), "the log is not signed") })
	olga = p.signIn("olga")
	olga.start(id)
	_, said := p.health()
	require.Equal(t, []string{"stopped", "not_signed"}, []string{said.Sending, said.Log})
	require.Equal(t, sent, simulator.Stats().Calls, "nothing is sent")
	adam := p.signIn("adam")
	_, page := adam.get("/jobs")
	require.Contains(t, page, "The log is no longer signed")
	answer, _ := olga.post("/audit/resume", url.Values{"reason": {"mine"}})
	require.Equal(t, http.StatusForbidden, answer.StatusCode)
	answer, _ = adam.post("/audit/resume", nil)
	require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode)
	answer, body := adam.post("/audit/resume", url.Values{"reason": {"backup of Friday"}})
	require.Equal(t, http.StatusSeeOther, answer.StatusCode, body)
	p.lift()
	until(t, "the job is finished", func() bool { return olga.ended(id) })
	require.NoError(t, p.stop(syscall.SIGTERM))
	out, err := p.command("", "verify", "--checkpoints", file)
	require.NoError(t, err, out)
	require.Contains(t, out, "Note: An admin accepted a log that did not continue what was signed")
	p.start()
	_, said = p.health()
	require.Empty(t, said.Log)
	require.Equal(t, 1, strings.Count(p.logged(), "the log is not signed"), "it is said once")
	require.NoError(t, p.stop(syscall.SIGTERM))
}

func entriesOf(t *testing.T, database string) (number int64) {
	t.Helper()
	db, err := sql.Open("sqlite", database)
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.QueryRow(`SELECT seq FROM audit_head`).Scan(&number))
	return number
}

func notesIn(t *testing.T, file string) (notes []string) {
	t.Helper()
	for note, err := range audit.CheckpointsIn(file) {
		require.NoError(t, err)
		notes = append(notes, note)
	}
	return notes
}

// Somebody with the database says again and again that nothing, or everything, was sent.
func TestDestinationsGoByWhatWasSent(t *testing.T) {
	for name, size := range map[string]string{"nothing was sent": "0", "everything was sent": "(SELECT seq FROM audit_head)"} {
		t.Run(name, func(t *testing.T) {
			jobstest.Each(t, func(t *testing.T, c *jobstest.Console) {
				jobstest.Sign(t, c, [32]byte{7})
				claim := func() {
					require.NoError(t, c.DB.Exec(t.Context(), `UPDATE publications SET size = `+size))
				}
				var sizes []int64
				d := &destination{name: "webhook", send: func(_ context.Context, note string) error {
					checkpoint, err := audit.OpenCheckpoint(note, "")
					sizes = append(sizes, checkpoint.Size)
					require.Less(t, len(sizes), 200, "it is sent to without end")
					claim()
					return err
				}}
				last := int64(0)
				for range 3 {
					for range 50 {
						require.NoError(t, c.Audit.Record(t.Context(), audit.Entry{Code: audit.LogRead, Actor: audit.System}))
						require.NoError(t, c.Audit.Checkpoint(t.Context()))
					}
					newest, err := c.Audit.LastCheckpoint(t.Context(), 0)
					require.NoError(t, err)
					last = newest.Size
					claim()
					require.NoError(t, publish(t.Context(), c.Audit, d))
				}
				require.Equal(t, last, sizes[len(sizes)-1])
				require.True(t, slices.IsSorted(sizes))
				require.Len(t, slices.Compact(sizes), 150, "each was sent once")
			})
		})
	}
}
