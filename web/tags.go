package web

import (
	"iter"
	"strconv"
	"strings"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
)

var faultNoReport = fault.Declare(fault.Conflict, "report.none",
	"There is nothing to download: this job read no tags, or they were not saved. To see the current tags, create "+
		"an “Inspect” job.")

// downloadReport sends the tag report of a job: first the sums, then every tag with the
// number of accounts that had it.
func (s *Server) downloadReport(v *request) error {
	j, err := s.jobWithRows(v)
	if err != nil {
		return err
	}
	report, err := s.Jobs.Report(v.Request().Context(), j.ID)
	if err != nil {
		return err
	}
	if report == nil {
		return faultNoReport.With()
	}
	file, err := s.beginDownload(v, j, audit.ReportDownloaded, "report", map[string]any{})
	if err != nil {
		return err
	}
	for _, row := range reportRows(report) {
		if err := file.Write(row); err != nil {
			return err
		}
	}
	return file.Flush()
}

// reportRows has the same names in every language, for programs.
func reportRows(r *snapshot.Report) [][]string {
	rows := [][]string{{"what", "tag", "count"}}
	for _, sum := range []struct {
		what  string
		count int64
	}{
		{"accounts", r.Accounts}, {"accounts_with_tags", r.Tagged}, {"accounts_without_tags", r.Untagged}, {"accounts_unknown", r.Unknown},
		{"assignments", r.Assignments}, {"assignments_not_listed", r.Others}, {"distinct_tags", int64(r.Distinct())},
	} {
		rows = append(rows, []string{sum.what, "", strconv.FormatInt(sum.count, 10)})
	}
	for _, tag := range r.Tags() {
		rows = append(rows, []string{"tag", asText(tag.Tag), strconv.FormatInt(tag.Accounts, 10)})
	}
	return rows
}

var tagColumns = []string{"row", "account", "outcome", "known", "count", "tags"}

// downloadTags sends the earlier tags of every account.
func (s *Server) downloadTags(v *request) error {
	ctx := v.Request().Context()
	j, err := s.jobWithRows(v)
	if err != nil {
		return err
	}
	kept, err := s.Jobs.SnapshotInfo(ctx, j)
	if err != nil {
		return err
	}
	if kept.Batches == 0 {
		return faultNoReport.With()
	}
	next, stop := iter.Pull2(s.Jobs.TagsBefore(ctx, j.ID))
	defer stop()
	a, err, more := next() // what cannot be begun is refused before anything is handed out
	if err != nil {
		return err
	}
	file, err := s.beginDownload(v, j, audit.TagsDownloaded, "tags", map[string]any{})
	if err != nil {
		return err
	}
	if err := file.Write(tagColumns); err != nil {
		return err
	}
	for ; more; a, err, more = next() {
		if err != nil {
			return err
		}
		if err := file.Write(tagsRow(a)); err != nil {
			return err
		}
	}
	return file.Flush()
}

func tagsRow(a jobs.TaggedAccount) []string {
	row := []string{strconv.FormatInt(a.Row, 10), a.Account.Account, string(a.Outcome), "no", "", ""}
	if a.Known {
		row[3], row[4], row[5] = "yes", strconv.Itoa(len(a.Before)), tagsCell(a.Before)
	}
	return row
}

// tagsCell writes tags into one cell, in the format of uploaded files of tags.
func tagsCell(tags []string) string {
	shown := make([]string, len(tags))
	for i, tag := range tags {
		shown[i] = asText(tag)
	}
	return accounts.JoinTags(shown)
}

// asText makes invalid UTF-8 visible: a text file cannot contain it.
func asText(tag string) string { return strings.ToValidUTF8(tag, "\uFFFD") }
