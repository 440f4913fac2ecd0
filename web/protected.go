package web

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/a-h/templ"

	"tagsweep/internal/accounts"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/web/templates"
)

// Faults of the form that protects accounts.
var (
	faultProtectNone = fault.Declare(fault.Invalid, "protected.nothing",
		"No accounts were added: no account was entered. Enter one account per line.")
	faultProtectWhat = fault.Declare(fault.Invalid, "protected.account",
		"No accounts were added: %q in line %d is not a valid account. %s Fix the list and try again.")
	faultProtectWhy = fault.Declare(fault.Invalid, "protected.note",
		"No accounts were added: the reason is missing. Enter why these accounts must be protected.")
	faultProtectNote = fault.Declare(fault.Invalid, "protected.note_long",
		"No accounts were added: the reason is longer than %d characters. Shorten it and try again.")
)

const (
	protectPath      = "/protected"
	protectedOnAPage = 100
)

func (s *Server) listProtected(v *request) error { return s.protectedPage(v, http.StatusOK, nil) }

// protectedPage shows the list, and an error above it.
func (s *Server) protectedPage(v *request, status int, f *fault.Error) error {
	ctx, after := v.Request().Context(), v.QueryParam("after")
	page := templates.ProtectedPage{Query: v.QueryParam("q"), NoteLimit: noteCharacters}
	found, err := s.Jobs.ProtectedAccounts(ctx, s.App.ID, jobs.ProtectedFilter{Prefix: page.Query, After: after, Limit: protectedOnAPage + 1})
	if err != nil {
		return err
	}
	if page.Count, err = s.Jobs.CountProtected(ctx, s.App.ID); err != nil {
		return err
	}
	var next *string
	if len(found) > protectedOnAPage {
		found = found[:protectedOnAPage]
		next = &found[protectedOnAPage-1].Account
	}
	if v.wantsJSON() {
		return v.JSON(status, map[string]any{"app": s.asAppJSON(v, s.App.ID), "count": page.Count,
			"accounts": asProtectedJSON(found), "next": next})
	}
	page.List = found
	if next != nil {
		page.Next = withQuery(v, "after", *next)
	}
	if after != "" {
		page.First = withQuery(v, "after", "")
	}
	view := s.view(v, "protected")
	if f != nil {
		view.Here, view.Problem = protectPath, v.text.Fault(f)
		page.Typed, page.TypedNote = v.FormValue("accounts"), v.FormValue("note")
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Protected(view, page) })
}

func (s *Server) protectAccounts(v *request) error {
	note := strings.TrimSpace(v.FormValue("note"))
	names, err := s.typedAccounts(v)
	switch {
	case err != nil:
	case note == "":
		err = faultProtectWhy.With()
	case utf8.RuneCountInString(note) > noteCharacters:
		err = faultProtectNote.With(noteCharacters)
	}
	added := 0
	if err == nil {
		added, err = s.Jobs.Protect(v.Request().Context(), v.actor(), s.App.ID, note, names)
	}
	if added == 0 {
		return s.protectionChanged(v, err, "protected.done.none")
	}
	return s.protectionChanged(v, err, "protected.done.added", int64(added))
}

func (s *Server) unprotectAccount(v *request) error {
	account := v.FormValue("account")
	err := s.Jobs.Unprotect(v.Request().Context(), v.actor(), s.App.ID, account)
	return s.protectionChanged(v, err, "protected.done.removed", account)
}

// protectionChanged returns to the list with a confirmation or an error.
func (s *Server) protectionChanged(v *request, err error, key string, args ...any) error {
	if err != nil {
		return again(v, err, s.protectedPage)
	}
	s.notice(v, v.text.T(key, args...))
	return v.Redirect(http.StatusSeeOther, protectPath)
}

// typedAccounts reads one account from each line, as strictly as those of a file.
func (s *Server) typedAccounts(v *request) (names []string, err error) {
	typed := v.FormValue("accounts")
	if strings.TrimSpace(typed) == "" {
		return nil, faultProtectNone.With()
	}
	number := int64(0)
	for line := range strings.Lines(typed) {
		number++
		if strings.Contains(line, "\t") { // cells of a table
			return nil, faultProtectWhat.With(strings.TrimSpace(line), number, v.text.Reason(accounts.SeveralValues))
		}
	}
	answers := accounts.AcceptAll()
	delete(answers, accounts.SeveralValues)
	rows, err := accounts.Open(io.NewSectionReader(strings.NewReader(typed), 0, int64(len(typed))), accounts.Options{
		AccountBytes: s.App.AccountBytes(),
		// Not the whole line as the account: “ceo,cfo” is to be asked about, not to protect nobody.
		Choices: accounts.Choices{Encoding: accounts.UTF8, Separator: "\t", Quote: `"`, FirstLine: 1, Header: accounts.No,
			Column: 1, Rows: answers},
	})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for {
		row, err := rows.Next()
		switch {
		case errors.Is(err, io.EOF):
			return names, nil
		case err != nil:
			return nil, err
		case row.Reason != "":
			return nil, faultProtectWhat.With(row.Value, row.Line, v.text.Reason(row.Reason))
		}
		names = append(names, row.Account)
	}
}

type protectedJSON struct {
	Account string     `json:"account"`
	Note    string     `json:"note"`
	By      string     `json:"by"`
	At      *time.Time `json:"at"`
}

func asProtectedJSON(list []jobs.ProtectedAccount) []protectedJSON {
	out := make([]protectedJSON, len(list))
	for i, a := range list {
		out[i] = protectedJSON{Account: a.Account, Note: a.Note, By: a.By, At: moment(a.At)}
	}
	return out
}
