package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tagsweep/internal/accounts"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
)

// Faults of the form that has a file read again, and of a file that never was.
var (
	faultChoice = fault.Declare(fault.Invalid, "reread.choice",
		"The file was not read again: %q is not a valid option. Nothing was changed. Choose from the lists on the "+
			"page.")
	faultFirstLine = fault.Declare(fault.Invalid, "reread.first_line",
		"The file was not read again: %q is not a valid line number. Nothing was changed. Enter a whole number "+
			"from 1, or leave the field empty.")
	faultUnread = fault.Declare(fault.Conflict, "job.unread",
		"There is nothing to download: the job ended before its file was read. See the job page for the reason.")
)

const rereadPath = "/jobs/:id/reread"

// How long a request waits for a file to be read: a browser shows the progress
// instead, a script expects the draft.
const (
	browserWaits = 2 * time.Second
	scriptWaits  = 60 * time.Second
	lookAgain    = 25 * time.Millisecond
)

// awaitRead returns when the file of a job has been read, or when it takes too
// long to wait for.
func (s *Server) awaitRead(v *request, id string) error {
	ctx, patience := v.Request().Context(), scriptWaits
	if strings.Contains(v.Request().Header.Get("Accept"), "text/html") {
		patience = browserWaits
	}
	enough := time.After(patience)
	for {
		j, err := s.Jobs.Get(ctx, id)
		if err != nil || j.State != jobs.Reading {
			return err
		}
		select {
		case <-time.After(lookAgain):
		case <-enough:
			return nil
		case <-s.live.ended.Done(): // the console stops
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// rereadJob has the file of a draft read again as the person says.
func (s *Server) rereadJob(v *request) error {
	id := v.Param("id")
	choices, err := choicesOf(v)
	if err == nil {
		_, err = s.Jobs.Reread(v.Request().Context(), v.actor(), id, choices)
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.Invalid && !v.wantsJSON() {
		j, err := s.Jobs.Get(v.Request().Context(), id)
		if err != nil {
			return err
		}
		return s.jobPage(v, http.StatusUnprocessableEntity, j, f)
	}
	if err == nil {
		err = s.awaitRead(v, id)
	}
	if err != nil {
		return err
	}
	return v.Redirect(http.StatusSeeOther, jobPath(id))
}

// choicesOf reads the form: an empty field leaves it to the console. With a
// fault it returns what could be read, so that the form can show it again.
func choicesOf(v *request) (c accounts.Choices, err error) {
	one := func(name string, known []string) string {
		value := v.FormValue(name)
		if value != "" && !slices.Contains(known, value) {
			err = faultChoice.With(value)
			return ""
		}
		return value
	}
	if sheet := v.FormValue("sheet"); sheet != "" {
		c.Sheets = v.Request().Form["sheet"]
	}
	encodings := make([]string, len(accounts.Encodings))
	for i, e := range accounts.Encodings {
		encodings[i] = string(e)
	}
	c.Encoding = accounts.Encoding(one("encoding", encodings))
	c.Separator = one("separator", accounts.Separators)
	c.Quote = one("quote", accounts.Quotes)
	c.Header = one("header", []string{accounts.Yes, accounts.No})
	column := func(name string) int {
		value := v.FormValue(name)
		number, wrong := strconv.Atoi(value)
		if value != "" && (wrong != nil || number < 1 || number > accounts.MaxColumns) {
			err = faultChoice.With(value)
			return 0
		}
		return number
	}
	c.Column, c.TagColumn = column("column"), column("tag_column")
	if typed := strings.TrimSpace(v.FormValue("first_line")); typed != "" {
		if c.FirstLine = typedCount(typed); c.FirstLine < 1 {
			c.FirstLine, err = 0, faultFirstLine.With(typed)
		}
	}
	return c, err
}
