package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// console is a server on a real store, with one user for each role, who is
// called like the role.
type console struct {
	t     *testing.T
	web   *Server
	store *jobstest.Console
	url   string
}

func newConsole(t *testing.T, s *jobstest.Console, change ...func(*Config)) *console {
	t.Helper()
	c := newConsoleThatReadsNothing(t, s, change...)
	c.readAll()
	return c
}

// readAll has uploaded files read from now on.
func (c *console) readAll() {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	importer := &jobs.Importer{Jobs: c.store.Jobs, TempDir: c.t.TempDir(), Log: slog.New(slog.DiscardHandler)}
	go func() { ended <- importer.Run(ctx) }()
	c.t.Cleanup(func() {
		stop()
		require.NoError(c.t, <-ended)
	})
}

// untilRead waits until the file of a job has been read, by whichever reader.
func (c *console) untilRead(id string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return c.job(id).State != jobs.Reading }, time.Minute, 5*time.Millisecond)
}

// refuse ends the reading of a file with a fault.
func (c *console) refuse(id string, why *fault.Error) {
	c.t.Helper()
	im, err := c.store.ClaimImport(c.t.Context(), 0)
	require.NoError(c.t, err)
	require.Equal(c.t, id, im.ID)
	require.NoError(c.t, c.store.RefuseImport(c.t.Context(), im, why))
}

func section(content string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(content), 0, int64(len(content)))
}

func newConsoleThatReadsNothing(t *testing.T, s *jobstest.Console, change ...func(*Config)) *console {
	t.Helper()
	jobstest.Keep(t, s, 10_000) // as apps do unless an admin says otherwise
	for _, role := range auth.Roles {
		_, err := s.Users.Create(t.Context(), audit.System, string(role), role, jobstest.PasswordHash)
		require.NoError(t, err)
	}
	config := Config{DB: s.DB, Audit: s.Audit, Users: s.Users, Jobs: s.Jobs, Evidence: s.Evidence, App: jobstest.App,
		CookieKey: bytes.Repeat([]byte{7}, 64), Version: "v7.6.5-test", UploadLimit: 10_000, TempDir: t.TempDir(),
		ReadTags: func(context.Context, string) ([]string, error) { return []string{"vip", "a b"}, nil }}
	for _, f := range change {
		f(&config)
	}
	web, err := New(config)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(nil)
	server.Config, server.Listener = web.HTTP(), web.Listen(server.Listener)
	server.Start()
	t.Cleanup(func() { web.Close(); server.Close() })
	return &console{t: t, web: web, store: s, url: server.URL}
}

// browser keeps cookies and does not follow redirects.
type browser struct {
	*console
	client  *http.Client
	headers http.Header
	halfway func() // is called when half of a body has been read; nil: the usual way
}

func (c *console) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(c.t, err)
	return &browser{console: c, headers: http.Header{},
		client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}}
}

// as returns a browser in which the user of a role is signed in.
func (c *console) as(role auth.Role) *browser {
	b := c.browser()
	answer := b.post("/login", "username", string(role), "password", jobstest.Password)
	require.Equal(c.t, http.StatusSeeOther, answer.StatusCode)
	return b
}

// another signs in as a user who is created for it.
func (c *console) another(name string, role auth.Role) *browser {
	_, err := c.store.Users.Create(c.t.Context(), audit.System, name, role, jobstest.PasswordHash)
	require.NoError(c.t, err)
	b := c.browser()
	require.Equal(c.t, http.StatusSeeOther, b.post("/login", "username", name, "password", jobstest.Password).StatusCode)
	return b
}

// answer is a response that was read.
type answer struct {
	*http.Response
	body string
}

func (a answer) location() string { return a.Header.Get("Location") }

func (b *browser) do(method, address string, body io.Reader, contentType string) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, b.url+address, body)
	require.NoError(b.t, err)
	for name, values := range b.headers {
		r.Header[name] = values
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if b.halfway != nil {
		return b.doSlowly(r)
	}
	response, err := b.client.Do(r)
	require.NoError(b.t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	return answer{response, string(content)}
}

func (b *browser) get(address string) answer { b.t.Helper(); return b.do("GET", address, nil, "") }

func (b *browser) post(address string, pairs ...string) answer {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.do("POST", address, strings.NewReader(form.Encode()), "application/x-www-form-urlencoded")
}

func (b *browser) upload(name, content, note string) answer {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	require.NoError(b.t, w.WriteField("note", note))
	file, err := w.CreateFormFile("file", name)
	require.NoError(b.t, err)
	_, err = io.WriteString(file, content)
	require.NoError(b.t, err)
	require.NoError(b.t, w.Close())
	return b.do("POST", "/jobs", &body, w.FormDataContentType())
}

// draft uploads a file of n accounts and returns the job's id.
func (b *browser) draft(n int) string {
	b.t.Helper()
	return b.draftOf("user_id\n" + strings.Join(names(n), "\n") + "\n")
}

func (b *browser) draftOf(content string) string {
	b.t.Helper()
	answer := b.upload("users.csv", content, "a note")
	require.Equal(b.t, http.StatusSeeOther, answer.StatusCode, answer.body)
	return path.Base(answer.location())
}

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = "user-" + strconv.Itoa(i+1)
	}
	return list
}

func (b *browser) json(address string, into any) answer {
	b.t.Helper()
	b.headers.Set("Accept", "application/json")
	defer b.headers.Del("Accept")
	answer := b.get(address)
	require.NoError(b.t, json.Unmarshal([]byte(answer.body), into), answer.body)
	return answer
}

func (c *console) job(id string) jobs.Job {
	c.t.Helper()
	j, err := c.store.Get(c.t.Context(), id)
	require.NoError(c.t, err)
	return j
}

// recorded lists the codes of the log, newest first.
func (c *console) recorded(f audit.Filter) []audit.Entry {
	c.t.Helper()
	f.Limit = 1000
	require.NoError(c.t, c.web.Flush(c.t.Context()))
	entries, err := c.store.Audit.Entries(c.t.Context(), f)
	require.NoError(c.t, err)
	return entries
}
