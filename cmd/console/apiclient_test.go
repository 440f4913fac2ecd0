package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts"
	"tagsweep/internal/jobs/jobstest"
)

// apiClient is the client of a signed-in person who uses scripts instead of a browser.
type apiClient struct {
	t       testing.TB
	program *program
	client  *http.Client
}

// another is a console with the same settings, for the same database, and a witness of its own.
func (p *program) another() *program {
	settings := append(slices.Clone(p.settings), "CONSOLE_WITNESS_FILE="+filepath.Join(p.t.TempDir(), "console.witness"))
	return &program{t: p.t, database: p.database, settings: settings, log: p.log}
}

func (p *program) signIn(user string) *apiClient {
	jar, err := cookiejar.New(nil)
	require.NoError(p.t, err)
	v := &apiClient{p.t, p, &http.Client{Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	answer, _ := v.post("/login", url.Values{"username": {user}, "password": {jobstest.Password}})
	require.Equal(p.t, http.StatusSeeOther, answer.StatusCode)
	return v
}

func (v *apiClient) do(request *http.Request) (*http.Response, string) {
	answer, err := v.client.Do(request)
	require.NoError(v.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(v.t, err)
	return answer, string(body)
}

func (v *apiClient) post(path string, form url.Values) (*http.Response, string) {
	form = maps.Clone(form)
	if form == nil {
		form = url.Values{}
	}
	form.Set("current_password", jobstest.Password) // for when it is asked for again
	request, err := http.NewRequest(http.MethodPost, v.program.address+path, strings.NewReader(form.Encode()))
	require.NoError(v.t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(request)
}

func (v *apiClient) get(path string) (*http.Response, string) {
	request, err := http.NewRequest(http.MethodGet, v.program.address+path, nil)
	require.NoError(v.t, err)
	return v.do(request)
}

// upload sends a file and returns the answer.
func (v *apiClient) upload(name string, content []byte) (*http.Response, string) {
	return v.do(v.uploading(name, content, url.Values{"note": {"from a test"}}))
}

func (v *apiClient) uploading(name string, content []byte, form url.Values) *http.Request {
	var around bytes.Buffer
	parts := multipart.NewWriter(&around)
	v.writeFields(parts, form)
	_, err := parts.CreateFormFile("file", name)
	require.NoError(v.t, err)
	before := bytes.Clone(around.Bytes())
	around.Reset()
	require.NoError(v.t, parts.Close())
	body := io.MultiReader(bytes.NewReader(before), bytes.NewReader(content), &around)
	request, err := http.NewRequest(http.MethodPost, v.program.address+"/jobs", body)
	require.NoError(v.t, err)
	request.Header.Set("Content-Type", parts.FormDataContentType())
	return request
}

func (v *apiClient) writeFields(parts *multipart.Writer, form url.Values) {
	for name, values := range form {
		for _, value := range values {
			require.NoError(v.t, parts.WriteField(name, value))
		}
	}
}

// paste uploads text and returns the id of its job.
func (v *apiClient) paste(text string) string {
	return strings.TrimPrefix(v.mustForm("/jobs", url.Values{"text": {text}}, nil), "/jobs/")
}

// everyRow says that rows in doubt are accounts.
func everyRow() url.Values {
	form := url.Values{"note": {"from a test"}}
	for reason, answer := range accounts.AcceptAll() {
		form.Set(string(reason), answer)
	}
	return form
}

// draft uploads a file, whose rows are all accounts, and returns the id of its job.
func (v *apiClient) draft(content []byte) string {
	answer, body := v.do(v.uploading("users.csv", content, everyRow()))
	require.Equal(v.t, http.StatusSeeOther, answer.StatusCode, body)
	return strings.TrimPrefix(answer.Header.Get("Location"), "/jobs/")
}

type jobJSON struct {
	ID           string
	Kind         string
	State        string
	Source       *string
	Read         int
	Rows         int64
	Rejected     int64
	Duplicate    int64
	Protected    int64
	Accounts     int64
	Outcomes     map[string]int64
	Calls        int64
	File         struct{ SHA256 string }
	Verification *verificationJSON
	Halt         *struct {
		Code int
		Info string
	}
}

// ended reports whether a job is finished, and the inspection of its sample too.
func (v *apiClient) ended(id string) bool {
	j := v.job(id)
	if j.State != "finished" || j.awaitsInspection() {
		return false
	}
	return j.Verification == nil || j.Verification.Job == nil || v.job(*j.Verification.Job).State == "finished"
}

func (v *apiClient) job(id string) (j jobJSON) {
	request, err := http.NewRequest(http.MethodGet, v.program.address+"/jobs/"+id, nil)
	require.NoError(v.t, err)
	request.Header.Set("Accept", "application/json")
	answer, body := v.do(request)
	require.Equal(v.t, http.StatusOK, answer.StatusCode, body)
	require.NoError(v.t, json.Unmarshal([]byte(body), &j))
	return j
}

// start waits until a job's file is read, confirms the number of its accounts and
// starts it.
func (v *apiClient) start(id string) {
	until(v.t, "the file is read", func() bool { return v.job(id).State != "reading" })
	answer, body := v.post("/jobs/"+id+"/start", url.Values{"confirm": {strconv.FormatInt(v.job(id).Accounts, 10)}})
	require.Equal(v.t, http.StatusSeeOther, answer.StatusCode, body)
}
