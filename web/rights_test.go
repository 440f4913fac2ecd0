package web

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store"
)

// doSlowly sends half of the body, and the rest once halfway has returned.
func (b *browser) doSlowly(r *http.Request) answer {
	b.t.Helper()
	body, err := io.ReadAll(r.Body)
	require.NoError(b.t, err)
	rest := &afterwards{Reader: bytes.NewReader(body[len(body)/2:]), before: sync.OnceFunc(b.halfway)}
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), rest))
	r.AddCookie(b.cookie())
	got := httptest.NewRecorder()
	b.web.Handler().ServeHTTP(got, r)
	return answer{got.Result(), got.Body.String()}
}

// afterwards is read after something else.
type afterwards struct {
	io.Reader
	before func()
}

func (a *afterwards) Read(p []byte) (int, error) {
	a.before()
	return a.Reader.Read(p)
}

// Whatever a person sends changes nothing if the person may no longer send it when all of it
// has come. This holds for every route that takes a form or a file: there is no list here.
func TestNoBodyIsUsedAfterTheRight(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		_, err := s.Users.Create(t.Context(), audit.System, "other-admin", auth.Admin, jobstest.PasswordHash)
		require.NoError(t, err)
		victim, err := s.Users.Create(t.Context(), audit.System, "victim", auth.Operator, jobstest.PasswordHash)
		require.NoError(t, err)
		_, err = s.Protect(t.Context(), audit.System, jobstest.App.ID, "why", []string{"vip"})
		require.NoError(t, err)
		id := c.as(auth.Admin).draft(3)
		c.untilRead(id)
		for _, r := range routes {
			if r.method != http.MethodPost || r.permission == auth.Public {
				continue
			}
			takings := c.takings(auth.Admin)
			lesser := slices.IndexFunc(auth.Roles, func(role auth.Role) bool { return !role.May(r.permission) })
			takings["signed out"] = nil
			for name, take := range takings {
				b, want := c.as(auth.Admin), http.StatusUnauthorized
				who, err := s.Users.ByName(t.Context(), "admin")
				require.NoError(t, err)
				switch name {
				case "signed out":
					take = func() { require.Equal(t, http.StatusSeeOther, b.post("/logout").StatusCode) }
				case "another role":
					if lesser < 0 { // every role may
						continue
					}
					want = http.StatusForbidden
					take = func() { require.NoError(t, s.Users.SetRole(t.Context(), audit.System, who.ID, auth.Roles[lesser])) }
				}
				var before contents
				var entries int
				b.headers.Set("Accept", "application/json")
				b.halfway = func() {
					b.halfway = nil
					take()
					before, entries = c.contents(), c.entriesOf("admin")
				}
				got := b.try(r, id, victim.ID)
				where := fmt.Sprintf("POST %s, %s", r.path, name)
				require.Equal(t, want, got.StatusCode, where+got.body)
				require.Equal(t, before, c.contents(), where)
				require.Equal(t, entries, c.entriesOf("admin"), where)
				c.give(auth.Admin)
			}
		}
	})
}

// entriesOf counts what a person did, except to be refused.
func (c *console) entriesOf(person string) int {
	all := c.recorded(audit.Filter{Actor: person})
	return len(slices.DeleteFunc(all, func(e audit.Entry) bool { return e.Code == audit.AccessDenied }))
}

// takings are ways in which a role's right to run jobs ends.
func (c *console) takings(role auth.Role) map[string]func() {
	c.t.Helper()
	user, err := c.store.Users.ByName(c.t.Context(), string(role))
	require.NoError(c.t, err)
	do := func(err error) { require.NoError(c.t, err) }
	return map[string]func(){
		"disabled":     func() { do(c.store.Users.SetDisabled(c.t.Context(), audit.System, user.ID, true)) },
		"another role": func() { do(c.store.Users.SetRole(c.t.Context(), audit.System, user.ID, auth.Auditor)) },
		"ended":        func() { do(c.store.Users.EndSessions(c.t.Context(), audit.System, user.ID, "")) },
		"password":     func() { do(c.store.Users.SetPassword(c.t.Context(), audit.System, user.ID, jobstest.PasswordHash)) },
	}
}

// give gives the right back.
func (c *console) give(role auth.Role) {
	c.t.Helper()
	user, err := c.store.Users.ByName(c.t.Context(), string(role))
	require.NoError(c.t, err)
	require.NoError(c.t, c.store.Users.SetRole(c.t.Context(), audit.System, user.ID, role))
	require.NoError(c.t, c.store.Users.SetDisabled(c.t.Context(), audit.System, user.ID, false))
}

func TestNoJobIsMadeOfALostRight(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		for name, take := range c.takings(auth.Operator) {
			b := c.as(auth.Operator)
			body, part := io.Pipe()
			go func() {
				io.WriteString(part, "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\nuser_id\r\nann\r\n")
				take()
				io.WriteString(part, "bob\r\n--x--\r\n")
				part.Close()
			}()
			got := b.do("POST", "/jobs", body, "multipart/form-data; boundary=x")
			want := http.StatusSeeOther
			if name == "another role" {
				want = http.StatusForbidden
			}
			require.Equal(t, want, got.StatusCode, name)
			require.NotContains(t, got.location(), "/jobs/", name)
			list, err := c.store.List(t.Context(), jobs.Filter{Limit: 10})
			require.NoError(t, err)
			require.Empty(t, list, name)
			c.give(auth.Operator)
		}
		require.Empty(t, c.recorded(audit.Filter{Code: audit.JobUploaded}))
	})
}

// Whoever acts is asked again in the transaction that acts.
func TestRightsAreAskedWhenTheyAreUsed(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		for name, take := range c.takings(auth.Operator) {
			b := c.as(auth.Operator)
			id := b.draftOf("user_id\nann" + fmt.Sprint(jobstest.Serial()) + "\nbob\n")
			c.untilRead(id)
			session, user, err := c.store.Users.Session(t.Context(), b.sessionID())
			require.NoError(t, err)
			by := audit.Actor{ID: user.ID, Name: user.Name, Role: string(user.Role), SignedIn: audit.ByPassword, Session: session.ID}
			take()
			for what, err := range map[string]error{
				"start":  second(c.store.Start(t.Context(), by, id, jobs.StartRequest{Confirm: 2})),
				"cancel": second(c.store.Act(t.Context(), by, id, jobs.Cancel)),
				"upload": second(c.store.Create(t.Context(), by, jobs.Upload{AppID: jobstest.App.ID, Kind: jobs.Clear, FileName: "a.csv",
					AccountBytes: jobstest.App.AccountBytes(), File: section("user_id\nann\n")})),
			} {
				require.True(t, auth.FaultNoSession.Is(err) || auth.FaultDenied.Is(err), "%s, %s: %v", name, what, err)
			}
			require.Equal(t, jobs.Draft, c.job(id).State)
			c.give(auth.Operator)
		}
	})
}

// So is whoever governs.
func TestGoverningIsAskedWhenItIsUsed(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		id := jobstest.Started(t, s, 3).ID // before the console reads files too
		c := newConsole(t, s)
		_, err := s.Users.Create(t.Context(), audit.System, "other-admin", auth.Admin, jobstest.PasswordHash)
		require.NoError(t, err)
		_, err = s.Protect(t.Context(), audit.System, jobstest.App.ID, "why", []string{"vip"})
		require.NoError(t, err)
		ctx := t.Context()
		for name, take := range c.takings(auth.Admin) {
			b := c.as(auth.Admin)
			session, user, err := s.Users.Session(ctx, b.sessionID())
			require.NoError(t, err)
			by := audit.Actor{ID: user.ID, Name: user.Name, Role: string(user.Role), SignedIn: audit.ByPassword, Session: session.ID}
			take()
			before := c.contents()
			for what, err := range map[string]error{
				"settings":  s.ChangeSettings(ctx, by, jobstest.App.ID, jobs.Settings{Rate: 9, FailureLimit: 9, KeepDays: 9}),
				"stop":      s.ThrowKillSwitch(ctx, by, ""),
				"first":     s.PutFirst(ctx, by, id, true),
				"protect":   second(s.Protect(ctx, by, jobstest.App.ID, "why", []string{"other"})),
				"unprotect": s.Unprotect(ctx, by, jobstest.App.ID, "vip"),
				"retention": s.Audit.SetRetention(ctx, by, 24),
			} {
				require.True(t, auth.FaultNoSession.Is(err) || auth.FaultDenied.Is(err), "%s, %s: %v", name, what, err)
			}
			require.NoError(t, s.ThrowKillSwitch(ctx, audit.System, ""))
			err = s.LiftKillSwitch(ctx, by)
			require.True(t, auth.FaultNoSession.Is(err) || auth.FaultDenied.Is(err), "%s, lift: %v", name, err)
			k, err := s.KillSwitch(ctx)
			require.NoError(t, err)
			require.True(t, k.Thrown())
			require.NoError(t, s.LiftKillSwitch(ctx, audit.System))
			require.Equal(t, before, c.contents(), name)
			c.give(auth.Admin)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// sessionID is the id of the browser's session.
func (b *browser) sessionID() string {
	b.t.Helper()
	var secret string
	require.NoError(b.t, b.web.sessions.codecs[0].Decode("session", b.cookie().Value, &secret))
	return sessionID(secret)
}

func TestStreamsEndWithTheRight(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s, func(config *Config) { config.UploadLimit = 100_000_000 })
		id := c.as(auth.Operator).large()
		c.untilRead(id)
		require.Equal(t, http.StatusSeeOther, c.as(auth.Operator).post("/jobs/"+id+"/start", "confirm", "20000").StatusCode)
		takings := c.takings(auth.Operator)
		delete(takings, "another role") // auditors may read
		for name, take := range takings {
			b := c.as(auth.Operator)
			other := c.as(auth.Auditor).follow(id)
			require.NotEmpty(t, other.next())
			events := b.follow(id)
			require.NotEmpty(t, events.next())
			download := mustRead(t, b.unread("/jobs/"+id+"/results.csv"))
			require.Equal(t, http.StatusOK, download.StatusCode)
			upload := b.dial("127.0.0.1")
			_, err := io.WriteString(upload, "POST /jobs HTTP/1.1\r\nHost: console\r\nCookie: "+b.cookie().String()+
				"\r\nAccept: application/json\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n--x")
			require.NoError(t, err)
			require.Eventually(t, func() bool {
				c.web.rights.mutex.Lock()
				defer c.web.rights.mutex.Unlock()
				return len(c.web.rights.held) >= 4
			}, 10*time.Second, time.Millisecond)
			take()
			c.web.rights.check(t.Context())
			require.Empty(t, events.next(), name)
			_, err = io.Copy(io.Discard, download.Body)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "half a download does not look whole")
			require.Equal(t, http.StatusUnauthorized, mustRead(t, upload).StatusCode, name)
			c.web.rights.mutex.Lock()
			for h := range c.web.rights.held {
				require.Equal(t, auth.ReadJobs, h.needs)
			}
			c.web.rights.mutex.Unlock()
			other.leave()
			c.give(auth.Operator)
		}
	})
}

// mustRead reads the head of an answer.
func mustRead(t *testing.T, from io.Reader) *http.Response {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(from), nil)
	require.NoError(t, err)
	return answer
}

func TestAHeldJobSaysWhy(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	id := b.draft(3)
	b.post("/jobs/"+id+"/start", "confirm", "3")
	user, err := c.store.Users.ByName(t.Context(), "operator")
	require.NoError(t, err)
	require.NoError(t, c.store.Users.SetDisabled(t.Context(), audit.System, user.ID, true))
	_, err = c.store.Take(t.Context(), id, 1)
	require.ErrorContains(t, err, "may not begin")
	require.NoError(t, c.store.DB.Tx(t.Context(), func(tx *store.Tx) error { return second(c.store.Begin(t.Context(), tx, id)) }))
	admin := c.as(auth.Admin)
	page := admin.get("/jobs/" + id).body
	require.Contains(t, page, "On hold: operator may no longer start jobs")
	require.Contains(t, page, "Nothing was sent.")
	admin.headers.Set("Accept-Language", "zh-CN")
	page = admin.get("/jobs/" + id).body
	require.True(t, strings.Contains(page, "已搁置：operator 已无权启动任务"), page)
}
