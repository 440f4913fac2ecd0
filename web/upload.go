package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/a-h/templ"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/heavy"
	"tagsweep/internal/jobs"
	"tagsweep/web/templates"
	"tagsweep/web/templates/messages"
)

// Faults of an upload.
var (
	faultNoFile = fault.Declare(fault.Invalid, "upload.none",
		"Upload failed: no file was chosen and no accounts were pasted. Choose a file or paste accounts, then try "+
			"again.")
	faultBoth = fault.Declare(fault.Invalid, "upload.both",
		"Upload failed: a file was chosen and accounts were pasted. Keep only one of them.")
	faultTooLarge = fault.Declare(fault.Invalid, "upload.too_large",
		"Upload failed: %s is larger than the limit of %s. Nothing was saved. Split the file, and upload the parts "+
			"one by one.")
	faultLongText = fault.Declare(fault.Invalid, "upload.text",
		"Upload failed: the pasted text is larger than %s. Save it as a file, and upload that file.")
	faultBroken = fault.Declare(fault.Invalid, "upload.broken",
		"The upload was interrupted. Nothing was saved. Upload the file again.")
	faultNoUpload = fault.Declare(fault.Invalid, "upload.form",
		"Upload failed: the request did not contain a file. Use the page “New job”.")
	faultKind = fault.Declare(fault.Invalid, "upload.kind",
		"Upload failed: %q is not a valid operation. Choose one on the page “New job”. To restore tags, use the "+
			"page of the job that removed them.")
	faultLongNote = fault.Declare(fault.Invalid, "upload.note",
		"Upload failed: the note is longer than %d characters. Shorten it, choose the file again, and upload it.")
)

const (
	uploadPath     = "/jobs"
	noteCharacters = 300
	mostPasted     = 4_000_000    // bytes of text; it is held in memory
	pastedName     = "pasted.txt" // the file that pasted text becomes
	fieldBytes     = 300          // of a field that is typed or chosen
	mostSheets     = 1000         // that can be chosen
)

// mostDrained is the most of a refused upload that is still read, in bytes. A
// browser shows the answer only after it has sent everything; what is larger is
// cut off instead.
const mostDrained = 1 << 30

func (s *Server) newJob(v *request) error {
	return s.uploadForm(v, http.StatusOK, &upload{kind: jobs.Clear}, nil)
}

func (s *Server) uploadForm(v *request, status int, up *upload, f *fault.Error) error {
	view := s.view(v, "new")
	view.Here = "/jobs/new"
	if f != nil {
		view.Problem = v.text.Fault(f)
	}
	form := templates.NewJob{
		Kinds: uploadKinds, Kind: up.kind, TagColumn: strings.TrimSpace(up.fields.Get("tag_column")), Note: up.note,
		Pasted: up.pasted, Limit: s.UploadLimit, TextLimit: s.pasteLimit(), NoteLimit: noteCharacters,
		TooLarge: v.text.Fault(faultTooLarge.With("{name}", messages.Bytes(s.UploadLimit))),
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.NewJobForm(view, form) })
}

// createJob takes an upload and makes a job of it.
func (s *Server) createJob(v *request) error {
	task := heavy.Of(v.Request().Context())
	task.Rest() // until all of the file has come
	up, err := s.receive(v)
	defer up.discard()
	if rightsEnded(v.Request().Context()) {
		return errRightsEnded
	}
	if ended := s.permitAfterBody(v); ended != nil {
		drain(v)
		return ended
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		drain(v)
		err = errors.Join(err, s.noteRefusedUpload(v, up, f))
	}
	if err == nil {
		err = task.Work(v.Request().Context())
	}
	var j jobs.Job
	if err == nil {
		j, err = s.Jobs.Create(v.Request().Context(), v.actor(), jobs.Upload{
			AppID: s.App.ID, Kind: up.kind, Choices: up.choices, Note: up.note, FileName: up.name,
			AccountBytes: s.App.AccountBytes(), File: up.content(),
		})
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.Invalid {
			err = errors.Join(err, s.noteRefusedUpload(v, up, f))
		}
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.Invalid && !v.wantsJSON() {
		status, _ := statusOf(v, f)
		return s.uploadForm(v, status, up, f)
	}
	up.discard() // the file is in the database by now
	task.End()
	if err == nil {
		err = s.awaitRead(v, j.ID)
	}
	if err != nil {
		return err
	}
	return v.Redirect(http.StatusSeeOther, jobPath(j.ID))
}

// noteRefusedUpload records that an upload was refused: the first of a person at once, and
// those that follow once a minute.
func (s *Server) noteRefusedUpload(v *request, up *upload, f *fault.Error) error {
	refusal := audit.Entry{
		Code:    audit.JobUploadRefused,
		Actor:   v.actor(),
		Target:  up.name,
		Details: map[string]any{"reason": f.Code, "file": up.name},
	}
	if !s.refusals.Note(v.user.ID+" upload", refusal) {
		return nil
	}
	// A context of its own: the usual reason is that the upload was given up.
	return s.Audit.Record(context.WithoutCancel(v.Request().Context()), refusal)
}

// drain reads the rest of a refused upload when that lets the answer be seen.
func drain(v *request) {
	if length := v.Request().ContentLength; length >= 0 && length <= mostDrained {
		io.Copy(io.Discard, v.Request().Body)
	}
}

// upload is what was sent: a file on disk, never whole in memory, or pasted text.
type upload struct {
	kind    jobs.Kind
	fields  url.Values // what is said about the file, as typed
	choices accounts.Choices

	file   *os.File
	size   int64
	name   string
	pasted string
	note   string
}

// discard gives the file up; it has no name any more.
func (u *upload) discard() {
	if u.file != nil {
		u.file.Close()
	}
}

func (u *upload) content() *io.SectionReader {
	if u.file != nil {
		return io.NewSectionReader(u.file, 0, u.size)
	}
	return io.NewSectionReader(strings.NewReader(u.pasted), 0, int64(len(u.pasted)))
}

// receive streams the parts of the form. What it has read so far is returned
// with every fault, so that the form can be shown with it again.
func (s *Server) receive(v *request) (*upload, error) {
	up := &upload{kind: jobs.Clear, fields: url.Values{}}
	parts, err := v.Request().MultipartReader()
	if err != nil {
		return up, faultNoUpload.Because(err)
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return up, faultBroken.Because(err)
		}
		switch name := part.FormName(); name {
		case "kind":
			err = up.readKind(part)
		case "note":
			err = up.readNote(part)
		case "text":
			err = s.readText(up, part)
		case "file":
			err = s.readFile(v, up, part)
		default:
			if slices.Contains(choiceFields, name) {
				err = up.readChoice(name, part)
			}
		}
		if err != nil {
			return up, err
		}
	}
	if up.choices, err = choicesOf(up.fields); err != nil {
		return up, err
	}
	switch {
	case up.file == nil && up.pasted == "":
		return up, faultNoFile.With()
	case up.file != nil && up.pasted != "":
		return up, faultBoth.With()
	case up.file == nil:
		up.name = pastedName
	}
	return up, nil
}

// uploadKinds are what a file can be uploaded for, in the order of the form.
var uploadKinds = []jobs.Kind{jobs.Clear, jobs.Inspect, jobs.AddTags, jobs.RemoveTags}

func (u *upload) readKind(part *multipart.Part) error {
	field, err := readField(part)
	field = strings.TrimSpace(field)
	if kind := jobs.Kind(field); slices.Contains(uploadKinds, kind) {
		u.kind = kind
	} else if field != "" && err == nil {
		err = faultKind.With(field)
	}
	return err
}

// readChoice reads one of choiceFields. A tab is a value, so nothing is trimmed.
func (u *upload) readChoice(name string, part *multipart.Part) error {
	value, err := readField(part)
	if err == nil && len(u.fields[name]) >= mostSheets {
		err = faultLongForm.With()
	}
	u.fields.Add(name, value)
	return err
}

// readField reads a short field; what is too long for one is cut.
func readField(part *multipart.Part) (string, error) {
	field, err := io.ReadAll(io.LimitReader(part, fieldBytes))
	if err != nil {
		return "", faultBroken.Because(err)
	}
	return strings.ToValidUTF8(string(field), "\uFFFD"), nil
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

func (s *Server) pasteLimit() int64 { return min(mostPasted, s.UploadLimit) }

func (s *Server) readText(up *upload, part *multipart.Part) error {
	text, err := io.ReadAll(io.LimitReader(part, s.pasteLimit()+1))
	switch {
	case err != nil:
		return faultBroken.Because(err)
	case int64(len(text)) > s.pasteLimit():
		return faultLongText.With(messages.Bytes(s.pasteLimit()))
	case len(bytes.TrimSpace(text)) > 0: // an empty field is sent, too
		up.pasted = string(text)
	}
	return nil
}

func (s *Server) readFile(v *request, up *upload, part *multipart.Part) (err error) {
	name := strings.ToValidUTF8(part.FileName(), "\uFFFD")
	if name == "" { // the field was left empty
		return nil
	}
	up.discard() // of two files, the last one counts
	up.name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	tooLarge := faultTooLarge.With(up.name, messages.Bytes(s.UploadLimit))
	if v.Request().ContentLength > s.UploadLimit+mostPasted+formLimit { // more than the rest of the form can be
		up.file = nil
		return tooLarge
	}
	if up.file, err = os.CreateTemp(s.TempDir, "upload-*"); err != nil {
		return err
	}
	if err := os.Remove(up.file.Name()); err != nil { // accounts do not outlive a console that is killed
		return err
	}
	up.size, err = io.Copy(up.file, io.LimitReader(part, s.UploadLimit+1))
	switch {
	case err != nil:
		return faultBroken.Because(err)
	case up.size > s.UploadLimit:
		return tooLarge
	}
	return nil
}
