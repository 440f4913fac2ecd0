package web

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/web/templates"
)

const undoPath = "/jobs/:id/undo"

// retryJob makes a new job of accounts of another: those with an outcome, or all of them
// to inspect or clear them.
func (s *Server) retryJob(v *request) error {
	again := jobs.RetryRequest{Kind: jobs.Kind(v.FormValue("kind")), Outcomes: chosenOutcomes(v)}
	j, err := s.Jobs.Retry(v.Request().Context(), v.actor(), v.Param("id"), again, s.TempDir)
	if err != nil {
		return err
	}
	return v.Redirect(http.StatusSeeOther, jobPath(j.ID))
}

func chosenOutcomes(v *request) (list []jobs.Outcome) {
	for _, o := range v.Request().Form["outcome"] {
		if o != "" {
			list = append(list, jobs.Outcome(o))
		}
	}
	return list
}

// undoJob makes a job that undoes an ended one.
func (s *Server) undoJob(v *request) error {
	list, err := s.readUndo(v)
	defer list.discard()
	if err != nil {
		drain(v)
	}
	if ended := s.permitAfterBody(v); ended != nil {
		return ended
	}
	var made jobs.Job
	if err == nil {
		undo := jobs.UndoRequest{
			Policy:   snapshot.Policy(v.FormValue("policy")),
			Tags:     typedLines(v.FormValue("tags")),
			Outcomes: chosenOutcomes(v),
		}
		if list.file != nil {
			undo.List, undo.ListName = list.content(), list.name
		}
		made, err = s.Jobs.Undo(v.Request().Context(), v.actor(), v.Param("id"), undo, s.TempDir)
	}
	if err != nil {
		return s.jobAgain(v, err)
	}
	return v.Redirect(http.StatusSeeOther, jobPath(made.ID))
}

// readUndo reads the form, and the list of accounts if there is one. The other values
// are then in the form as usual.
func (s *Server) readUndo(v *request) (*upload, error) {
	list := &upload{}
	kind, _, _ := mime.ParseMediaType(v.Request().Header.Get(echo.HeaderContentType))
	if kind != echo.MIMEMultipartForm { // once asked for its parts, it could not be read as a form any more
		return list, readForm(v)
	}
	parts, err := v.Request().MultipartReader()
	if err != nil {
		return list, faultForm.Because(err)
	}
	typed, room := url.Values{}, int64(formLimit)
	v.Request().Form, v.Request().PostForm = typed, typed
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return list, faultBroken.Because(err)
		}
		if part.FormName() == "list" {
			err = s.readFile(v, list, part)
		} else {
			err = readTyped(part, typed, &room)
		}
		if err != nil {
			return list, err
		}
	}
	return list, nil
}

// readTyped reads one value of a form, up to the number of bytes left.
func readTyped(part *multipart.Part, typed url.Values, room *int64) error {
	value, err := io.ReadAll(io.LimitReader(part, *room+1))
	if err != nil {
		return faultBroken.Because(err)
	}
	if *room -= int64(len(value) + len(part.FormName())); *room < 0 {
		return faultLongForm.With()
	}
	typed.Add(part.FormName(), string(value))
	return nil
}

// typedLines are the lines that are not blank.
func typedLines(text string) (list []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}

// undoTyped returns the refused values, to show the form again.
func undoTyped(v *request, f *fault.Error) templates.UndoForm {
	return templates.UndoForm{Policy: v.FormValue("policy"), Tags: v.FormValue("tags"), Outcomes: v.Request().Form["outcome"],
		Mistaken: true, NoPolicy: snapshot.FaultPolicy.Is(f)}
}

// resumeJob resumes a job. If it halted at an account with new tags, a choice for such
// accounts is required.
func (s *Server) resumeJob(v *request) error {
	id := v.Param("id")
	if _, err := s.Jobs.Resume(v.Request().Context(), v.actor(), id, snapshot.Policy(v.FormValue("policy"))); err != nil {
		return s.jobAgain(v, err)
	}
	s.status.changed() // the service may be tried at once
	return v.Redirect(http.StatusSeeOther, jobPath(id))
}

// eraseTags erases the saved tags of an ended job early.
func (s *Server) eraseTags(v *request) error {
	id := v.Param("id")
	if err := s.Jobs.Erase(v.Request().Context(), v.actor(), id); err != nil {
		return err
	}
	s.notice(v, v.text.T("kept.erase.done"))
	return v.Redirect(http.StatusSeeOther, jobPath(id))
}

// jobAgain shows the job's page again after a refused form, with the typed values.
func (s *Server) jobAgain(v *request, err error) error {
	if fault.KindOf(err) != fault.Invalid && !jobs.FaultNothingToUndo.Is(err) && !jobs.FaultSecondPerson.Is(err) {
		return err
	}
	return again(v, err, func(v *request, status int, f *fault.Error) error {
		j, err := s.Jobs.Get(v.Request().Context(), v.Param("id"))
		if err != nil {
			return err
		}
		return s.jobPage(v, status, j, f)
	})
}
