package web

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/a-h/templ"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/web/templates"
)

const (
	accountsShown = 100
	namesShown    = 50
	readTagsPath  = "/accounts/read"
)

var faultNoAccount = fault.Declare(fault.Invalid, "account.none",
	"No tags were read: no account was entered. Enter the account exactly as in the service.")

// findAccounts shows the history of one account. If there is no exact match, it shows
// the accounts that begin with the typed text.
func (s *Server) findAccounts(v *request) error {
	found, err := s.find(v, v.QueryParam("q"))
	if err != nil {
		return err
	}
	if v.wantsJSON() {
		all, err := s.asFoundJSON(v, found)
		if err != nil {
			return err
		}
		return v.JSON(http.StatusOK, all)
	}
	return s.accountPage(v, http.StatusOK, found, nil)
}

func (s *Server) find(v *request, account string) (found templates.Found, err error) {
	found = templates.Found{Query: account, Limit: accountsShown}
	if account == "" {
		return found, nil
	}
	end, err := s.begin(v)
	if err != nil {
		return found, err
	}
	defer end()
	ctx := v.Request().Context()
	if found.Events, err = s.Jobs.History(ctx, account, accountsShown); err != nil || len(found.Events) > 0 {
		return found, err
	}
	found.Names, found.More, err = s.Jobs.AccountsLike(ctx, account, namesShown)
	return found, err
}

func (s *Server) accountPage(v *request, status int, found templates.Found, f *fault.Error) error {
	view := s.view(v, "accounts")
	view.Here = "/accounts?q=" + url.QueryEscape(found.Query)
	if f != nil {
		view.Problem = v.text.Fault(f)
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Accounts(view, found) })
}

// readAccount reads the current tags of an account from the service, after recording
// it in the log.
func (s *Server) readAccount(v *request) error {
	ctx, account := v.Request().Context(), v.FormValue("account")
	now := &templates.TagsNow{}
	err := s.readNow(v, account, now)
	f, known := errors.AsType[*fault.Error](err)
	switch {
	case err != nil && (!known || f.Kind == fault.Forbidden || v.wantsJSON()):
		return err
	case v.wantsJSON():
		return v.JSON(http.StatusOK, map[string]any{"app": s.asAppJSON(v, s.App.ID), "account": account,
			"at": moment(now.At), "tags": listOf(now.Tags)})
	}
	found, err := s.find(v, account)
	if err != nil {
		return err
	}
	if f != nil {
		status, _ := statusOf(v, f)
		if f.Cause != nil {
			s.Log.ErrorContext(ctx, "tags could not be read", "cause", f.Cause, "request", v.requestID)
		}
		return s.accountPage(v, status, found, f)
	}
	found.Now = now
	return s.accountPage(v, http.StatusOK, found, nil)
}

func (s *Server) readNow(v *request, account string, now *templates.TagsNow) (err error) {
	if account == "" {
		return faultNoAccount.With()
	}
	ctx := v.Request().Context()
	err = s.Audit.Record(ctx, audit.Entry{Code: audit.TagsRead, Actor: v.actor(), Target: account})
	switch {
	case fault.KindOf(err) == fault.Forbidden:
		return err
	case err != nil:
		return faultBusy.Because(err)
	}
	now.Tags, err = s.ReadTags(ctx, account)
	now.At = time.Now()
	return err
}

// foundJSON is the history of an account. Names are the accounts that begin with the
// typed text, if there is no exact match.
type foundJSON struct {
	Accounts []accountJSON `json:"accounts"`
	Names    []string      `json:"names"`
	More     bool          `json:"more"` // there are more names
}

type accountJSON struct {
	Account string       `json:"account"`
	Row     int64        `json:"row"`
	Outcome jobs.Outcome `json:"outcome"`
	Code    int          `json:"code"`
	Message string       `json:"message"`
	Batch   int64        `json:"batch"`
	At      *time.Time   `json:"at"`
	Before  []string     `json:"before"` // the tags it had; null: not known, or erased
	Wanted  []string     `json:"wanted"` // the tags the job was to add or remove; null: none were named
	Erased  bool         `json:"erased"` // the job's tags have been erased
	Calls   []callJSON   `json:"calls"`  // that the account was in
	Job     jobJSON      `json:"job"`
}

type callJSON struct {
	ID         string     `json:"id"`
	Command    string     `json:"command"`
	Random     uint32     `json:"random"`
	At         *time.Time `json:"at"`
	DurationMS float64    `json:"duration_ms"`
	Delivery   string     `json:"delivery"`
	HTTPStatus int        `json:"http_status"`
	Code       int        `json:"code"`
	Message    string     `json:"message"`
	Accounts   int        `json:"accounts"`
}

func (s *Server) asFoundJSON(v *request, found templates.Found) (foundJSON, error) {
	out := foundJSON{Accounts: make([]accountJSON, len(found.Events)), Names: listOf(found.Names), More: found.More}
	for i, e := range found.Events {
		job, err := s.asJobJSON(v, e.Job)
		if err != nil {
			return out, err
		}
		out.Accounts[i] = asAccountJSON(v, e, job)
	}
	return out, nil
}

func asAccountJSON(v *request, e jobs.Event, job jobJSON) accountJSON {
	out := accountJSON{
		Account: e.Account.Account, Row: e.Row, Outcome: e.Outcome, Code: e.Code, Message: v.text.Explain(e.Job, e.Account),
		Batch: e.Batch, At: moment(e.At), Wanted: e.Wanted, Erased: e.Erased, Calls: make([]callJSON, len(e.Calls)), Job: job,
	}
	if e.Known {
		out.Before = listOf(e.Before)
	}
	for i, c := range e.Calls {
		out.Calls[i] = callJSON{ID: c.ID, Command: string(c.Command), Random: c.Random,
			At: moment(c.At), DurationMS: float64(c.Duration.Microseconds()) / 1000, Delivery: c.Delivery,
			HTTPStatus: c.HTTPStatus, Code: c.Code, Message: c.Message, Accounts: c.Accounts}
	}
	return out
}

// listOf makes nil an empty list, which JSON does not show as null.
func listOf(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// moment is null for the zero time.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}
