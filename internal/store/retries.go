package store

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
)

// retryNames are what the file of a new job is called, before the name of the earlier one.
var retryNames = map[jobs.Outcome]string{jobs.Failed: "failed-of-", jobs.Unsent: "unsent-of-"}

// oneALine says of the file of a retry all that would else be detected: every
// line is an account between quotes.
var oneALine = accounts.Choices{Encoding: accounts.UTF8, Separator: accounts.OnePerLine, Quote: `"`, FirstLine: 1, Header: accounts.No, Column: 1}

// Retry makes a new job of the accounts of an ended one that have the outcome:
// failed, or cancelled. It is read and reviewed like an upload. Its file is on
// its way in tempDir, "" for the system's.
func (s *Store) Retry(ctx context.Context, by audit.Actor, jobID string, o jobs.Outcome, tempDir string) (created jobs.Job, err error) {
	of, err := s.Job(ctx, jobID)
	if err != nil {
		return created, err
	}
	prefix, known := retryNames[o]
	switch {
	case !of.Settled():
		return created, jobs.FaultUnsettled.With()
	case !known || of.Counts[o] == 0:
		return created, jobs.FaultNoneToRetry.With()
	}
	file, err := os.CreateTemp(tempDir, "retry-*")
	if err != nil {
		return created, err
	}
	defer file.Close()
	if err := os.Remove(file.Name()); err != nil { // accounts do not outlive the process that reads them
		return created, err
	}
	bytes, err := s.writeAccounts(ctx, file, of.ID, o)
	if err != nil {
		return created, err
	}
	choices, err := json.Marshal(oneALine)
	if err != nil {
		return created, err
	}
	again := NewJob{AppID: of.AppID, Kind: of.Kind, Note: of.Note, File: io.NewSectionReader(file, 0, bytes),
		FileName: prefix + strings.TrimSuffix(path.Base(of.FileName), path.Ext(of.FileName)) + ".csv"}
	if err := s.read.QueryRowContext(ctx, `SELECT account_bytes FROM jobs WHERE id = $1`, of.ID).Scan(&again.AccountBytes); err != nil {
		return created, err
	}
	return s.keepJob(ctx, by, again, string(choices), of.ID, func(jobs.Job) audit.Entry {
		return audit.Entry{Code: audit.JobRetried, Details: map[string]any{"of": of.ID, "outcome": o, "accounts": of.Counts[o]}}
	})
}

// writeAccounts writes the accounts of a job that have an outcome, and returns
// how many bytes.
func (s *Store) writeAccounts(ctx context.Context, to io.Writer, jobID string, o jobs.Outcome) (bytes int64, err error) {
	out := bufio.NewWriterSize(to, 64<<10)
	for number := int64(1); ; number += pageBatches {
		page, err := s.placed(ctx, jobID, number, number+pageBatches-1)
		if err != nil {
			return 0, err
		}
		if page == nil {
			return bytes, out.Flush()
		}
		for _, a := range page {
			if a.Outcome != o {
				continue
			}
			n, err := out.WriteString(`"` + strings.ReplaceAll(a.Account, `"`, `""`) + "\"\n")
			if err != nil {
				return 0, err
			}
			bytes += int64(n)
		}
	}
}

// Retries returns the jobs made of accounts of a job, newest first.
func (s *Store) Retries(ctx context.Context, jobID string) ([]jobs.Job, error) {
	made, err := collect(ctx, s.read, scanJob, `SELECT `+jobColumns+` FROM jobs j WHERE j.retry_of <> '' AND j.retry_of = $1`, clean(jobID, 100))
	slices.SortFunc(made, func(a, b jobs.Job) int { return strings.Compare(b.ID, a.ID) })
	return made, err
}
