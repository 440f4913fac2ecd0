package web

import (
	"net/http"
	"time"

	"github.com/a-h/templ"

	"tagsweep/internal/jobs"
	"tagsweep/web/templates"
)

const placesShown = 100

// findAccounts shows what was done with one account: exact to the letter.
func (s *Server) findAccounts(v *visit) error {
	found := templates.Found{Query: v.QueryParam("q"), Limit: placesShown}
	if found.Query != "" {
		var err error
		if found.List, err = s.Store.FindAccounts(v.Request().Context(), found.Query, placesShown); err != nil {
			return err
		}
	}
	if v.wantsJSON() {
		list := make([]placedJSON, len(found.List))
		for i, placed := range found.List {
			list[i] = asPlacedJSON(v, placed)
		}
		return v.JSON(http.StatusOK, map[string]any{"accounts": list})
	}
	return s.page(v, http.StatusOK, s.view(v, "accounts"), func(view templates.View) templ.Component {
		return templates.Accounts(view, found)
	})
}

type placedJSON struct {
	Account string       `json:"account"`
	Row     int64        `json:"row"`
	Outcome jobs.Outcome `json:"outcome"`
	Code    int          `json:"code"`
	Message string       `json:"message"`
	Batch   int64        `json:"batch"`
	At      *time.Time   `json:"at"`
	Job     jobJSON      `json:"job"`
}

func asPlacedJSON(v *visit, p jobs.Placed) placedJSON {
	return placedJSON{
		Account: p.Account.Account, Row: p.Row, Outcome: p.Outcome, Code: p.Code, Message: v.text.Explain(p.Account),
		Batch: p.Batch, At: moment(p.At), Job: asJobJSON(v, p.Job),
	}
}

// moment is null for a time that has not come.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}
