package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tagsweep/internal/accounts"
	"tagsweep/internal/fault"
	"tagsweep/internal/heavy"
	"tagsweep/internal/jobs"
)

// Faults of what is said about a file, and of a file that never was read.
var (
	faultChoice = fault.Declare(fault.Invalid, "reread.choice",
		"Nothing was saved: %q is not a valid option. Choose one of the options on the page.")
	faultFirstLine = fault.Declare(fault.Invalid, "reread.first_line",
		"Nothing was saved: %q is not a valid line number. Enter a whole number from 1, or leave the field empty.")
	faultColumn = fault.Declare(fault.Invalid, "reread.column",
		"Nothing was saved: %q is not a valid column number. Enter a whole number from 1 to %d, or leave the field "+
			"empty.")
	faultNoAnswer = fault.Declare(fault.Invalid, "reread.none",
		"Nothing was saved: no answer was chosen. Choose an answer, then save it.")
	faultUnread = fault.Declare(fault.Conflict, "job.unread",
		"There is nothing to download: the job ended before its file was read. See the job page for the reason.")
)

const rereadPath = "/jobs/:id/reread"

// keepField, when it is not empty, keeps what was said about the file before.
const keepField = "keep"

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

// rereadJob takes what the person says about the file of a draft: answers to its
// questions, or all of how it is to be read.
func (s *Server) rereadJob(v *request) error {
	id, ctx := v.Param("id"), v.Request().Context()
	form := v.Request().Form
	choices, err := choicesOf(form)
	keep := form.Get(keepField) != ""
	switch {
	case err != nil:
	case keep && choices.IsZero():
		err = faultNoAnswer.With()
	case keep:
		if _, err = s.Jobs.Answer(ctx, v.actor(), id, choices); err == nil {
			s.notice(v, v.text.T("ask.saved"))
		}
	default:
		_, err = s.Jobs.Reread(ctx, v.actor(), id, choices)
	}
	if err != nil {
		return s.jobAgain(v, err)
	}
	heavy.Of(ctx).End()
	if err := s.awaitRead(v, id); err != nil {
		return err
	}
	return v.Redirect(http.StatusSeeOther, jobPath(id))
}

// choiceFields say how a file is to be read, on its upload and on its draft.
var choiceFields = func() []string {
	fields := []string{
		accounts.AskSheets, accounts.AskSeparator, accounts.AskFirstLine, accounts.AskHeader, accounts.AskColumn,
		"tag_column", "encoding", "quote",
	}
	for _, doubt := range accounts.Doubts {
		fields = append(fields, string(doubt))
	}
	return fields
}()

// choicesOf reads the fields: an empty one leaves it to the console. With a fault it
// returns what could be read, so that the form can show it again.
func choicesOf(form url.Values) (c accounts.Choices, err error) {
	one := func(name string, known ...string) string {
		value := form.Get(name)
		if value != "" && !slices.Contains(known, value) {
			err = faultChoice.With(value)
			return ""
		}
		return value
	}
	column := func(name string) int {
		typed := strings.TrimSpace(form.Get(name))
		number := typedCount(typed)
		if typed != "" && (number < 1 || number > accounts.MaxColumns) {
			err = faultColumn.With(typed, accounts.MaxColumns)
		}
		if typed == "" || err != nil {
			return 0
		}
		return int(number)
	}
	for _, sheet := range form[accounts.AskSheets] {
		if sheet != "" {
			c.Sheets = append(c.Sheets, sheet)
		}
	}
	encodings := make([]string, len(accounts.Encodings))
	for i, e := range accounts.Encodings {
		encodings[i] = string(e)
	}
	c.Encoding = accounts.Encoding(one("encoding", encodings...))
	c.Separator = one(accounts.AskSeparator, accounts.Separators...)
	c.Quote = one("quote", accounts.Quotes...)
	c.Header = one(accounts.AskHeader, accounts.Yes, accounts.No)
	c.Column, c.TagColumn = column(accounts.AskColumn), column("tag_column")
	if typed := strings.TrimSpace(form.Get(accounts.AskFirstLine)); typed != "" {
		if c.FirstLine = typedCount(typed); c.FirstLine < 1 {
			c.FirstLine, err = 0, faultFirstLine.With(typed)
		}
	}
	for _, doubt := range accounts.Doubts {
		if answer := one(string(doubt), accounts.Aside, accounts.Accept); answer != "" {
			if c.Rows == nil {
				c.Rows = map[accounts.Reason]string{}
			}
			c.Rows[doubt] = answer
		}
	}
	return c, err
}
