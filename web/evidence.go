package web

import (
	"crypto/rand"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/web/templates"
)

const (
	sampleSize  = 20
	mostSampled = 500
	longestSeed = 100 // characters
)

var faultSample = fault.Declare(fault.Invalid, "sample.form",
	"No sample was drawn: the number of rows must be 1 to %d. The seed can have up to %d letters, digits and "+
		"symbols. Leave it empty for a new seed.")

// downloadEvidence sends the evidence pack of a sealed job.
func (s *Server) downloadEvidence(v *request) error {
	pack, err := s.Evidence.Pack(v.Request().Context(), v.actor(), v.Param("id"))
	if err != nil {
		return err
	}
	h := v.Response().Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": pack.Job.ID + ".zip"}))
	v.Response().WriteHeader(http.StatusOK)
	return pack.Write(v.Response())
}

// drawSample shows a random sample of the rows of a job. Without a seed it makes one and
// redirects to the address with that seed.
func (s *Server) drawSample(v *request) error {
	j, err := s.jobWithRows(v)
	if err != nil {
		return err
	}
	page := templates.SamplePage{Job: j, Seed: v.QueryParam("seed"), Number: v.QueryParam("n"), Most: mostSampled}
	if page.Number == "" {
		page.Number = strconv.Itoa(sampleSize)
	}
	n, err := strconv.ParseInt(page.Number, 10, 64)
	if err != nil || n < 1 || n > mostSampled || !seedFits(page.Seed) {
		f := faultSample.With(mostSampled, longestSeed)
		if v.wantsJSON() {
			return f
		}
		return s.samplePage(v, http.StatusUnprocessableEntity, page, f)
	}
	if page.Seed == "" {
		drawn := url.Values{"n": {page.Number}, "seed": {rand.Text()[:16]}}
		return v.Redirect(http.StatusSeeOther, jobPath(j.ID)+"/sample?"+drawn.Encode())
	}
	if page.Rows, err = s.Jobs.DrawSample(v.Request().Context(), v.actor(), j, page.Seed, n); err != nil {
		return err
	}
	if v.wantsJSON() {
		return v.JSON(http.StatusOK, s.asSampleJSON(v, page))
	}
	return s.samplePage(v, http.StatusOK, page, nil)
}

// seedFits reports whether people can copy a seed from a page.
func seedFits(seed string) bool {
	for _, c := range seed {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(seed) <= longestSeed
}

func (s *Server) samplePage(v *request, status int, page templates.SamplePage, f *fault.Error) error {
	view := s.view(v, "jobs")
	view.OfJob(page.Job, page.Job.CreatedBy)
	if f != nil {
		view.Problem = v.text.Fault(f)
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Sample(view, page) })
}

type sampleJSON struct {
	Job  string           `json:"job"`
	App  appJSON          `json:"app"`
	Seed string           `json:"seed"`
	Of   int64            `json:"of"` // rows of the file
	Rows []sampledRowJSON `json:"rows"`
}

type sampledRowJSON struct {
	Row     int64      `json:"row"`
	Value   string     `json:"value"`   // the account, or what stood in its place
	Outcome string     `json:"outcome"` // of the account, or rejected, duplicate or protected
	Code    string     `json:"code"`    // of the service, or why it was rejected
	Message string     `json:"message"`
	Batch   int64      `json:"batch"`
	At      *time.Time `json:"at"`
	Calls   []callJSON `json:"calls"`
}

func (s *Server) asSampleJSON(v *request, page templates.SamplePage) sampleJSON {
	out := sampleJSON{Job: page.Job.ID, App: s.asAppJSON(v, page.Job.AppID), Seed: page.Seed, Of: page.Job.Rows,
		Rows: make([]sampledRowJSON, len(page.Rows))}
	for i, r := range page.Rows {
		if a := r.Aside; a != nil {
			out.Rows[i] = sampledRowJSON{Row: r.Row, Value: a.Value, Outcome: string(a.Kind), Code: a.Reason,
				Message: v.text.SetAside(a.Kind, a.Reason, a.Repeats), Calls: []callJSON{}}
			continue
		}
		placed := asAccountJSON(v, jobs.Event{Placed: jobs.Placed{Account: r.Account, Job: page.Job}, Calls: r.Calls}, jobJSON{})
		out.Rows[i] = sampledRowJSON{Row: r.Row, Value: placed.Account, Outcome: string(placed.Outcome),
			Code: strconv.Itoa(placed.Code), Message: placed.Message, Batch: placed.Batch, At: placed.At,
			Calls: placed.Calls}
	}
	return out
}
