package store

import (
	"bufio"
	"context"
	"database/sql"
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
// failed, or cancelled. It is read and reviewed like an upload.
func (s *Store) Retry(ctx context.Context, by audit.Actor, jobID string, o jobs.Outcome) (created jobs.Job, err error) {
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
	file, err := os.CreateTemp("", "retry-*")
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
	now := s.now()
	id := newID(now)
	name := prefix + strings.TrimSuffix(path.Base(of.FileName), path.Ext(of.FileName)) + ".csv"
	err = s.keepUpload(ctx, io.NewSectionReader(file, 0, bytes), func(tx *sql.Tx, digest string) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO jobs (id, app_id, kind, state, note, file_name, file_sha256, file_bytes, account_bytes, created_by, created_at, choices, retry_of)
			SELECT $1, app_id, kind, $3, note, $4, $5, $6, account_bytes, $7, $8, $9, id FROM jobs WHERE id = $2`,
			id, of.ID, string(jobs.Reading), clean(name, 300), digest, bytes, clean(by.Name, 100), millis(now), string(choices))
		if err == nil {
			created, err = job(ctx, tx, id)
		}
		if err != nil {
			return err
		}
		return s.record(ctx, tx, audit.Entry{Code: audit.JobRetried, Actor: by, JobID: id, Target: created.FileName,
			Details: map[string]any{"of": of.ID, "outcome": o, "accounts": of.Counts[o]}})
	})
	return created, err
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
