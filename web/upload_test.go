package web

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/web/templates/messages"
)

func TestUploadErrorKeepsTheNote(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	for name, bad := range map[string]struct {
		content string
		fault   string
	}{
		"empty.csv":   {"", messages.English.Fault(accounts.FaultEmpty.With())},
		"big.csv":     {strings.Repeat("user-1\n", 3000), "big.csv is larger than the limit of 10 KB"},
		"picture.csv": {"\x89PNG\r\n\x1a\n" + strings.Repeat("\x00\x01", 200), "the file seems to be PNG"},
		"cut.zip":     {"PK\x03\x04\x00\x00\x00\x00" + strings.Repeat("\x00\x01", 200), messages.English.Fault(accounts.FaultDamaged.With())},
		"columns.csv": {strings.Repeat(strings.Repeat("a,", 1000)+"a\n", 3), "the file has 1,001 columns, and the maximum is 1,000"},
	} {
		got := b.upload(name, bad.content, "ticket <4711>")
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, name)
		require.Contains(t, got.body, bad.fault, name)
		require.Contains(t, got.body, "ticket &lt;4711&gt;", name)
		refused := c.recorded(audit.Filter{Code: audit.JobUploadRefused})
		require.Equal(t, name, refused[0].Target)
	}
	got := b.do("POST", "/jobs", strings.NewReader("note=x"), "application/x-www-form-urlencoded")
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	got = b.upload("users.csv", "user_id\nann\n", strings.Repeat("字", 301))
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Contains(t, got.body, "longer than 300 characters")
	got = b.do("POST", "/jobs",
		strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\nuser_id\nan"),
		"multipart/form-data; boundary=x")
	require.Contains(t, got.body, messages.English.Fault(faultBroken.With()))

	require.Empty(t, c.contents().jobs)
	left, err := os.ReadDir(c.web.TempDir)
	require.NoError(t, err)
	require.Empty(t, left, "no part of a file stays behind")
}

// An operator who has a thousand files refused fills the log no more than one who opens pages.
func TestRefusedUploadsAreSummedUp(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		b := c.as(auth.Operator)
		for i := range 30 {
			require.Equal(t, http.StatusUnprocessableEntity, b.upload(fmt.Sprintf("empty-%d.csv", i), "", "").StatusCode)
			require.Equal(t, http.StatusUnprocessableEntity, b.upload(fmt.Sprintf("big-%d.csv", i), strings.Repeat("ann\n", 5_000), "").StatusCode)
		}
		refused := c.recorded(audit.Filter{Code: audit.JobUploadRefused})
		require.Len(t, refused, 2, "the first, and one for all others")
		require.Equal(t, "empty-0.csv", refused[1].Target)
		require.InDelta(t, 59, refused[0].Details["count"], 0)
		require.InDelta(t, 29, refused[0].Details["file.empty"], 0)
		require.Len(t, refused[0].Details["targets"], 20)
		require.NotContains(t, refused[0].Details, "file", "it would name one of many")
		require.Empty(t, refused[0].Target)
	})
}

func TestNoFileIsAFault(t *testing.T) {
	b := newConsole(t, jobstest.SQLite(t)).as(auth.Operator)
	got := b.do("POST", "/jobs", strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nwhy\r\n"+
		"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n\r\n\r\n--x--\r\n"), "multipart/form-data; boundary=x")
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Contains(t, got.body, messages.English.Fault(faultNoFile.With()))
	require.Contains(t, got.body, ">why</textarea>")
}

func TestTheNameOfAFileIsNoPath(t *testing.T) {
	b := newConsole(t, jobstest.SQLite(t)).as(auth.Operator)
	for sent, want := range map[string]string{`C:\Users\me\list.csv`: "list.csv", "../../etc/passwd": "passwd", "名单.csv": "名单.csv"} {
		got := b.upload(sent, "user_id\nann\n", "")
		require.Equal(t, want, b.job(strings.TrimPrefix(got.location(), "/jobs/")).FileName)
	}
}

// paste sends the form of a new job with pasted text, and with a file when it has a name.
func (b *browser) paste(text, name, content string) answer {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	require.NoError(b.t, w.WriteField("note", "a note"))
	file, err := w.CreateFormFile("file", name)
	require.NoError(b.t, err)
	_, err = file.Write([]byte(content))
	require.NoError(b.t, err)
	require.NoError(b.t, w.WriteField("text", text))
	require.NoError(b.t, w.Close())
	return b.do("POST", "/jobs", &body, w.FormDataContentType())
}

func TestPastedTextIsReadAsAFileIs(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	got := b.paste("user_id\r\nann\r\nbob\r\nann\r\n", "", "")
	require.Equal(t, http.StatusSeeOther, got.StatusCode, got.body)
	j := c.job(path.Base(got.location()))
	require.Equal(t, "pasted.txt", j.FileName)
	require.Equal(t, []int64{3, 2, 1}, []int64{j.Rows, j.Accounts, j.Duplicate})

	got = b.paste(" \r\n", "users.csv", "user_id\neve\n")
	require.Equal(t, "users.csv", c.job(path.Base(got.location())).FileName, "blank text is no text")
}

func TestUploadFileAndTextIsRefused(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	got := c.as(auth.Operator).paste("ann\r\n<b>bob</b>\r\n", "users.csv", "user_id\neve\n")
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Contains(t, got.body, messages.English.Fault(faultBoth.With()))
	require.Contains(t, got.body, "&lt;b&gt;bob&lt;/b&gt;")
	require.Empty(t, c.contents().jobs)
	got = c.as(auth.Operator).paste(strings.Repeat("ann\r\n", 5_000), "", "")
	require.Contains(t, got.body, messages.English.Fault(faultLongText.With(messages.Bytes(10_000))))
}

// What the browser says of its length is believed before anything is read.
func TestUploadTooLargeIsRefusedUnread(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	b := c.as(auth.Operator)
	began := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"members.csv\"\r\n\r\nuser_id\n"
	rest := strings.Repeat("ann\n", (mostPasted+formLimit+20_000)/4)
	got := b.do("POST", "/jobs", strings.NewReader(began+rest+"\r\n--x--\r\n"), "multipart/form-data; boundary=x")
	require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
	require.Contains(t, got.body, messages.English.Fault(faultTooLarge.With("members.csv", messages.Bytes(10_000))))
	require.Equal(t, "members.csv", c.recorded(audit.Filter{Code: audit.JobUploadRefused})[0].Target)
	left, err := os.ReadDir(c.web.TempDir)
	require.NoError(t, err)
	require.Empty(t, left)

	form := b.get("/jobs/new").body
	require.Contains(t, form, `data-limit="10000"`)
	require.Contains(t, form, "{name} is larger than the limit of 10 KB")
}
