package web

import (
	"cmp"
	"fmt"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/web/templates"
)

var faultNoOutcome = fault.Declare(fault.NotFound, "job.outcome",
	"The outcome %q does not exist. Use the download links on the job page.")

var resultColumns = []string{"row", "account", "outcome", "code", "message", "batch", "at"}

func (s *Server) downloadResults(v *request) error {
	ctx, outcome := v.Request().Context(), jobs.Outcome(v.QueryParam("outcome"))
	if outcome != "" && !slices.Contains(jobs.Outcomes, outcome) {
		return faultNoOutcome.With(string(outcome))
	}
	j, err := s.jobWithRows(v)
	if err != nil {
		return err
	}
	understood, err := s.Jobs.Understanding(ctx, j.ID)
	if err != nil {
		return err
	}
	own := ownColumns(v, understood, slices.Clone(understood.Header), 0)
	name := "results"
	if outcome != "" {
		name += "-" + string(outcome)
	}
	file, err := s.beginDownload(v, j, audit.ResultsDownloaded, name, map[string]any{"outcome": string(outcome)})
	if err != nil {
		return err
	}
	if err := file.Write(append(slices.Clone(resultColumns), own...)); err != nil {
		return err
	}
	for result, err := range s.Jobs.Results(ctx, j.ID, outcome) {
		if err != nil {
			return err
		}
		a := result.Account
		row := []string{strconv.FormatInt(a.Row, 10), a.Account, string(a.Outcome), "", v.text.Explain(j, a), strconv.FormatInt(a.Batch, 10), ""}
		if a.Outcome == jobs.Failed && a.Code > 0 || a.Code == jobs.CodeRestored {
			row[3] = strconv.Itoa(a.Code)
		}
		if !a.At.IsZero() {
			row[6] = a.At.UTC().Format(time.RFC3339)
		}
		if err := file.Write(append(row, result.Fields...)); err != nil {
			return err
		}
	}
	return file.Flush()
}

func (s *Server) downloadRejects(v *request) error {
	ctx := v.Request().Context()
	j, err := s.jobWithRows(v)
	if err != nil {
		return err
	}
	widest := 0 // rows may have more cells than the header has names: the file is read twice
	for reject, err := range s.Jobs.Rejects(ctx, j.ID) {
		if err != nil {
			return err
		}
		widest = max(widest, min(len(reject.Fields), accounts.MaxColumns))
	}
	understood, err := s.Jobs.Understanding(ctx, j.ID)
	if err != nil {
		return err
	}
	own := ownColumns(v, understood, understood.ExportHeader(), widest)
	file, err := s.beginDownload(v, j, audit.RejectsDownloaded, "set-aside", map[string]any{})
	if err != nil {
		return err
	}
	if err := file.Write(append(own, accounts.RejectColumns...)); err != nil {
		return err
	}
	for reject, err := range s.Jobs.Rejects(ctx, j.ID) {
		if err != nil {
			return err
		}
		fields := slices.Clone(reject.Fields)
		if len(fields) > len(own) { // broken beyond mending: what is too much stands in the last cell
			fields = append(fields[:len(own)-1], strings.Join(fields[len(own)-1:], " "))
		}
		row := append(fields, make([]string, len(own)-len(fields))...)
		repeats := ""
		if reject.Repeats > 0 {
			repeats = strconv.FormatInt(reject.Repeats, 10)
		}
		row = append(row, strconv.FormatInt(reject.Row, 10), understood.Place(reject.Row, reject.Line), string(reject.Kind),
			v.text.SetAside(reject.Kind, reject.Reason, reject.Repeats), repeats)
		if err := file.Write(row); err != nil {
			return err
		}
	}
	return file.Flush()
}

// jobWithRows returns the job, if its file has been read.
func (s *Server) jobWithRows(v *request) (jobs.Job, error) {
	j, err := s.Jobs.Get(v.Request().Context(), v.Param("id"))
	switch {
	case err != nil:
		return j, err
	case j.State == jobs.Reading:
		return j, jobs.FaultImporting.With()
	case templates.JobView{Job: j}.Unread():
		return j, faultUnread.With()
	}
	return j, nil
}

// ownColumns names the user's own columns: as in the file, or so that the columns of
// accounts and tags are recognized when the file is uploaded again.
func ownColumns(v *request, understood jobs.Understood, names []string, least int) []string {
	if names == nil {
		for i := range max(least, understood.Columns, understood.Column+1, understood.TagColumn) {
			names = append(names, v.text.T("rejects.column.other", i+1))
		}
		names[understood.Column] = v.text.T("rejects.column.account")
		if understood.TagColumn > 0 {
			names[understood.TagColumn-1] = v.text.T("rejects.column.tags")
		}
		names = understood.Marked(names)
	}
	for len(names) < least {
		names = append(names, v.text.T("rejects.column.surplus"))
	}
	return names
}

// beginDownload records the download before it sends the first byte.
func (s *Server) beginDownload(v *request, j jobs.Job, code audit.Code, what string, details map[string]any) (*accounts.Writer, error) {
	details["sha256"], details["file"] = j.FileSHA256, j.FileName
	err := s.Audit.Record(v.Request().Context(), audit.Entry{Code: code, Actor: v.actor(), JobID: j.ID, Target: j.FileName, Details: details})
	if err != nil {
		return nil, faultBusy.Because(fmt.Errorf("recording a download: %w", err))
	}
	h := v.Response().Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	name := downloadName(j, s.status.now(v.Request().Context()).Named(j.AppID), what)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	v.Response().WriteHeader(http.StatusOK)
	return accounts.NewWriter(v.Response()), nil
}

// downloadName says of which app a job is. It is safe on every system: letters,
// digits, dots and hyphens.
func downloadName(j jobs.Job, app, what string) string {
	name := plainName(strings.TrimSuffix(j.FileName, path.Ext(j.FileName)))
	return cmp.Or(name, j.ID) + "-" + what + "-" + cmp.Or(plainName(app), j.AppID) + ".csv"
}

func plainName(name string) string {
	words := strings.FieldsFunc(name, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	runes := []rune(strings.Join(words, "-"))
	return string(runes[:min(len(runes), 60)])
}
