package web

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/a-h/templ"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/web/templates"
	"tagsweep/web/templates/messages"
)

// Faults of an upload.
var (
	faultNoFile   = fault.Declare(fault.Invalid, "upload.none", "Nothing was uploaded: no file was chosen. Choose the file of accounts and upload it.")
	faultTooLarge = fault.Declare(fault.Invalid, "upload.too_large", "The file was not taken: it is larger than the limit of %s. Nothing of it was kept. Split it, and upload the parts one after the other.")
	faultBroken   = fault.Declare(fault.Invalid, "upload.broken", "The upload broke off before the file had arrived. Nothing was kept; upload it again.")
	faultNoUpload = fault.Declare(fault.Invalid, "upload.form", "Nothing was taken: what came was not an upload of a file. Use the page “New job”.")
	faultLongNote = fault.Declare(fault.Invalid, "upload.note", "Nothing was uploaded: the note is longer than %d characters. Shorten it, choose the file again and upload it.")
)

const (
	uploadPath     = "/jobs"
	noteCharacters = 300
	uploadPause    = 1 * time.Minute // the longest silence while a file arrives
)

func (s *Server) newJob(v *visit) error { return s.uploadForm(v, http.StatusOK, "", nil) }

func (s *Server) uploadForm(v *visit, status int, note string, f *fault.Error) error {
	view := s.view(v, "new")
	view.Here = "/jobs/new"
	if f != nil {
		view.Problem = v.text.Fault(f)
	}
	form := templates.NewJob{Note: note, Limit: s.UploadLimit, NoteLimit: noteCharacters}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.NewJobForm(view, form) })
}

// createJob takes an upload and makes a draft of it.
func (s *Server) createJob(v *visit) error {
	up, err := s.receive(v)
	defer up.discard()
	if f, ok := errors.AsType[*fault.Error](err); ok {
		// A browser shows the answer only after it has sent everything.
		io.CopyN(io.Discard, patient{v.Request().Body, http.NewResponseController(v.Response())}, 4*s.UploadLimit)
		refusal := audit.Entry{Code: audit.JobUploadRefused, Actor: v.actor(), Target: up.name, Details: map[string]any{"reason": f.Code, "file": up.name}}
		// A context of its own: the usual reason is that the upload was given up.
		if err := s.Store.Record(context.WithoutCancel(v.Request().Context()), refusal); err != nil {
			return err
		}
	}
	var j jobs.Job
	if err == nil {
		j, err = s.Store.ImportJob(v.Request().Context(), v.actor(), store.NewJob{
			AppID: s.App.ID, Kind: jobs.Clear, Note: up.note, FileName: up.name, AccountBytes: s.App.AccountBytes(), File: up.file,
		})
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.Invalid && !v.wantsJSON() {
		status, _ := statusOf(v, f)
		return s.uploadForm(v, status, up.note, f)
	}
	if err != nil {
		return err
	}
	return v.Redirect(http.StatusSeeOther, jobPath(j.ID))
}

// upload is a file on its way: on disk, never whole in memory.
type upload struct {
	file *os.File
	name string
	note string
}

func (u *upload) discard() {
	if u.file != nil {
		u.file.Close()
		os.Remove(u.file.Name())
	}
}

// receive streams the parts of the form. What it has read so far is returned
// with every fault, so that the form can be shown with it again.
func (s *Server) receive(v *visit) (*upload, error) {
	up := &upload{}
	parts, err := v.Request().MultipartReader()
	if err != nil {
		return up, faultNoUpload.Because(err)
	}
	body := http.NewResponseController(v.Response())
	for {
		body.SetReadDeadline(time.Now().Add(uploadPause)) // not every writer has deadlines
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return up, faultBroken.Because(err)
		}
		switch part.FormName() {
		case "note":
			err = up.readNote(part)
		case "file":
			err = s.readFile(body, up, part)
		}
		if err != nil {
			return up, err
		}
	}
	body.SetReadDeadline(time.Time{})
	if up.file == nil {
		return up, faultNoFile.With()
	}
	_, err = up.file.Seek(0, io.SeekStart)
	return up, err
}

func (u *upload) readNote(part *multipart.Part) error {
	note, err := io.ReadAll(io.LimitReader(part, 4*noteCharacters+1))
	if err != nil {
		return faultBroken.Because(err)
	}
	u.note = strings.TrimSpace(strings.ToValidUTF8(string(note), "\uFFFD"))
	if utf8.RuneCountInString(u.note) > noteCharacters {
		return faultLongNote.With(noteCharacters)
	}
	return nil
}

func (s *Server) readFile(body *http.ResponseController, up *upload, part *multipart.Part) (err error) {
	name := strings.ToValidUTF8(part.FileName(), "\uFFFD")
	if name == "" { // the field was left empty
		return nil
	}
	up.discard() // of two files, the last one counts
	up.name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	if up.file, err = os.CreateTemp(s.TempDir, "upload-*"); err != nil {
		return err
	}
	size, err := io.Copy(up.file, io.LimitReader(patient{part, body}, s.UploadLimit+1))
	switch {
	case err != nil:
		return faultBroken.Because(err)
	case size > s.UploadLimit:
		return faultTooLarge.With(messages.Bytes(s.UploadLimit))
	}
	return nil
}

// patient reads for as long as something keeps coming.
type patient struct {
	io.Reader
	body *http.ResponseController
}

func (p patient) Read(b []byte) (int, error) {
	p.body.SetReadDeadline(time.Now().Add(uploadPause)) // not every writer has deadlines
	return p.Reader.Read(b)
}
