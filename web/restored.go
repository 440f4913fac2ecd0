package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/web/templates"
)

const restoredPath = sendingPath + "/restored"

// showRestored says which accounts may have been sent after the copy of the database was made.
func (s *Server) showRestored(v *request) error { return s.restoredPage(v, http.StatusOK, nil) }

// restoredPage shows the report, and why sending was not resumed.
func (s *Server) restoredPage(v *request, status int, f *fault.Error) error {
	report, err := s.Jobs.RestoreReport(v.Request().Context())
	if err != nil {
		return err
	}
	if v.wantsJSON() {
		return v.JSON(status, s.asRestoredJSON(v, report))
	}
	view := s.view(v, "sending")
	page := templates.RestoredPage{Report: report}
	if f != nil {
		view.Here, view.Problem = restoredPath, v.text.Fault(f)
		page.Typed = v.FormValue("confirm")
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Restored(view, page) })
}

// restoredJSON is the page for scripts. Held is false, and the rest empty, while the
// database is not an older copy.
type restoredJSON struct {
	Held       bool              `json:"held"`
	At         *time.Time        `json:"at"`
	Sends      int64             `json:"sends"`       // batches that the database knows of
	KnownSends int64             `json:"known_sends"` // that are known outside it; 0: that shows nothing
	KnownAt    *time.Time        `json:"known_at"`
	Accounts   int64             `json:"accounts"` // that may have been sent since; "confirm" of POST /sending/lift
	Jobs       []restoredJobJSON `json:"jobs"`
}

type restoredJobJSON struct {
	ID       string     `json:"id"`
	App      appJSON    `json:"app"`
	Kind     jobs.Kind  `json:"kind"`
	State    jobs.State `json:"state"`
	File     string     `json:"file"`
	Accounts int64      `json:"accounts"`
	Unsaved  int64      `json:"unsaved"` // of them: those whose tags are not kept
	CSV      string     `json:"csv"`
}

func (s *Server) asRestoredJSON(v *request, r jobs.RestoreReport) restoredJSON {
	out := restoredJSON{Held: !r.At.IsZero(), At: moment(r.At), Sends: r.Sends, KnownSends: r.Known.Number, KnownAt: moment(r.Known.At),
		Accounts: r.Accounts, Jobs: []restoredJobJSON{}}
	for _, j := range r.Jobs {
		out.Jobs = append(out.Jobs,
			restoredJobJSON{j.ID, s.asAppJSON(v, j.AppID), j.Kind, j.Job.State, j.FileName, j.Unknown, j.Unsaved, jobPath(j.ID) + "/restored.csv"})
	}
	return out
}

var restoredColumns = []string{"row", "account", "outcome", "tags_kept"}

// downloadRestored sends the accounts of a job that may have been changed after the copy of
// the database was made.
func (s *Server) downloadRestored(v *request) error {
	j, err := s.jobWithRows(v)
	if err != nil {
		return err
	}
	file, err := s.beginDownload(v, j, audit.ResultsDownloaded, "restored", map[string]any{"outcome": "restored"})
	if err != nil {
		return err
	}
	if err := file.Write(restoredColumns); err != nil {
		return err
	}
	for a, err := range s.Jobs.RestoredAccounts(v.Request().Context(), j) {
		if err != nil {
			return err
		}
		kept := map[bool]string{true: "yes", false: "no"}[a.Kept]
		if err := file.Write([]string{strconv.FormatInt(a.Row, 10), a.Account.Account, string(a.Outcome), kept}); err != nil {
			return err
		}
	}
	return file.Flush()
}
