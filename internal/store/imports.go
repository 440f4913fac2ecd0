package store

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
)

// NewJob is an upload that is to become a draft.
type NewJob struct {
	AppID        string
	Kind         jobs.Kind
	Note         string
	FileName     string
	AccountBytes int // the longest account, see accounts.Options
	File         io.ReadSeeker
}

// ImportJob keeps the file and reads it into a draft. When the file is refused
// nothing is kept but an entry in the log.
func (s *Store) ImportJob(ctx context.Context, by audit.Actor, n NewJob) (jobs.Job, error) {
	if _, err := accounts.NewReader(n.File, accounts.Options{AccountBytes: n.AccountBytes}); err != nil {
		if f, known := errors.AsType[*fault.Error](err); known {
			err = errors.Join(err, s.Record(ctx, audit.Entry{Code: audit.JobUploadRefused, Actor: by, Target: n.FileName,
				Details: map[string]any{"reason": f.Code, "file": n.FileName}}))
		}
		return jobs.Job{}, err
	}
	if _, err := n.File.Seek(0, io.SeekStart); err != nil {
		return jobs.Job{}, err
	}
	digest, size, err := digestOf(n.File)
	if err != nil {
		return jobs.Job{}, err
	}
	now := s.now()
	id := newID(now)
	// The job holds on to the file from the first moment: another that gives the same file up leaves it alone.
	err = s.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO uploads (sha256, bytes, created_at) VALUES ($1, $2, $3) ON CONFLICT (sha256) DO NOTHING`,
			digest, size, millis(now))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
		INSERT INTO jobs (id, app_id, kind, state, note, file_name, file_sha256, file_bytes, account_bytes, created_by, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			id, n.AppID, n.Kind, jobs.Reading, clean(n.Note, 1000), clean(n.FileName, 300), digest, size, n.AccountBytes, clean(by.Name, 100), millis(now))
		return err
	})
	if err != nil {
		return jobs.Job{}, err
	}
	j, err := s.keepAndRead(ctx, by, id, digest, n)
	if err != nil {
		// A context of its own: the usual reason is that the request was given up.
		err = errors.Join(err, s.discard(context.WithoutCancel(ctx), id))
	}
	return j, err
}

func (s *Store) keepAndRead(ctx context.Context, by audit.Actor, id, digest string, n NewJob) (jobs.Job, error) {
	if err := s.keepChunks(ctx, digest, n.File); err != nil {
		return jobs.Job{}, err
	}
	if _, err := n.File.Seek(0, io.SeekStart); err != nil {
		return jobs.Job{}, err
	}
	reader, err := accounts.NewReader(n.File, accounts.Options{AccountBytes: n.AccountBytes})
	if err != nil {
		return jobs.Job{}, err
	}
	return s.readInto(ctx, by, id, reader)
}

// sliceRows is how many rows one transaction of an import holds: a running job
// and the pages never wait longer than for one slice.
const sliceRows = 5_000

func (s *Store) readInto(ctx context.Context, by audit.Actor, id string, reader *accounts.Reader) (draft jobs.Job, err error) {
	plan := plan{job: id, seen: map[string]int64{}}
	for end := false; !end; {
		plan.newAccounts, plan.newAside = plan.newAccounts[:0], plan.newAside[:0]
		for range sliceRows {
			row, err := reader.Next()
			if end = errors.Is(err, io.EOF); end {
				break
			}
			if err != nil {
				return draft, err
			}
			plan.add(row)
		}
		if err := s.tx(ctx, func(tx *sql.Tx) error { return plan.insert(ctx, tx, end) }); err != nil {
			return draft, err
		}
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		err := one(ctx, tx, jobs.FaultNoJob.With(id), `
			UPDATE jobs SET state = $2, row_count = $3, rejected = $4, duplicate = $5, accounts = $6, outcome_waiting = $6, batches = $7
			WHERE id = $1 AND state = 'reading'`,
			id, jobs.Draft, plan.rows, plan.rejected, plan.duplicate, plan.accounts, plan.batches())
		if err == nil {
			draft, err = job(ctx, tx, id)
		}
		if err != nil {
			return err
		}
		return s.record(ctx, tx, audit.Entry{Code: audit.JobUploaded, Actor: by, JobID: id, Target: draft.FileName, Details: summary(draft)})
	})
	return draft, err
}

// discard removes a job whose file could not be read to the end.
func (s *Store) discard(ctx context.Context, id string) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		var digest string
		if err := tx.QueryRowContext(ctx, `SELECT file_sha256 FROM jobs WHERE id = $1 AND state = 'reading'`, id).Scan(&digest); err != nil {
			return err
		}
		for _, table := range []string{"set_asides", "accounts", "batches"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE job_id = $1`, id); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM jobs WHERE id = $1`, id); err != nil {
			return err
		}
		for _, table := range []string{"upload_chunks", "uploads"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE sha256 = $1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE file_sha256 = $1)`, digest); err != nil {
				return err
			}
		}
		return nil
	})
}

// DiscardUnread removes the jobs whose upload began before a time and was cut
// off by the end of its process. It returns how many.
func (s *Store) DiscardUnread(ctx context.Context, before time.Time) (int, error) {
	ids, err := collect(ctx, s.read, func(row scanner) (id string, err error) { return id, row.Scan(&id) },
		`SELECT id FROM jobs WHERE state = 'reading' AND created_at < $1`, millis(before))
	for _, id := range ids {
		err = errors.Join(err, s.discard(ctx, id))
	}
	return len(ids), err
}

// plan turns rows into accounts, batches and rows set aside.
type plan struct {
	job                       string
	seen                      map[string]int64 // account → row
	rows, rejected, duplicate int64
	accounts                  int64
	planned                   int64 // accounts that stand in batches already inserted

	newAccounts, newAside []any // of the slice at hand
}

func (p *plan) batches() int64 { return (p.accounts + jobs.BatchSize - 1) / jobs.BatchSize }

func (p *plan) add(row accounts.Row) {
	p.rows++
	if row.Reason != "" {
		p.rejected++
		p.newAside = append(p.newAside, p.job, row.Number, row.Line, jobs.Rejected, clean(row.Value, 200), row.Reason, 0)
		return
	}
	if first, repeated := p.seen[row.Account]; repeated {
		p.duplicate++
		p.newAside = append(p.newAside, p.job, row.Number, row.Line, jobs.Duplicate, row.Account, "", first)
		return
	}
	p.accounts++
	account := strings.Clone(row.Account)
	p.seen[account] = row.Number
	p.newAccounts = append(p.newAccounts, p.job, p.accounts, row.Number, account)
}

func (p *plan) insert(ctx context.Context, tx *sql.Tx, last bool) error {
	if err := insertAll(ctx, tx, `accounts (job_id, seq, row_number, account)`, 4, p.newAccounts); err != nil {
		return err
	}
	if err := insertAll(ctx, tx, `set_asides (job_id, row_number, line, kind, value, reason, repeats)`, 7, p.newAside); err != nil {
		return err
	}
	var batches []any
	for p.planned < p.accounts && (last || p.accounts-p.planned >= jobs.BatchSize) {
		size := min(jobs.BatchSize, p.accounts-p.planned)
		batches = append(batches, p.job, p.planned+1, size, p.planned/jobs.BatchSize+1, size, jobs.Waiting)
		p.planned += size
	}
	return insertAll(ctx, tx, `batches (job_id, first, size, number, pending, outcome)`, 6, batches)
}

// insertAll inserts rows of so many columns, several a statement, prepared once.
// More a statement is slower on SQLite, which looks each parameter up by name
// among all the others; fewer is slower on PostgreSQL, which answers each.
func insertAll(ctx context.Context, tx *sql.Tx, into string, columns int, args []any) error {
	const rowsAtOnce = 20
	whole := len(args) / (rowsAtOnce * columns) * (rowsAtOnce * columns)
	if whole > 0 {
		statement, err := tx.PrepareContext(ctx, insertQuery(into, columns, rowsAtOnce))
		if err != nil {
			return err
		}
		defer statement.Close()
		for some := range slices.Chunk(args[:whole], rowsAtOnce*columns) {
			if _, err := statement.ExecContext(ctx, some...); err != nil {
				return err
			}
		}
	}
	if whole == len(args) {
		return nil
	}
	_, err := tx.ExecContext(ctx, insertQuery(into, columns, (len(args)-whole)/columns), args[whole:]...)
	return err
}

func insertQuery(into string, columns, rows int) string {
	var query strings.Builder
	query.WriteString("INSERT INTO " + into + " VALUES ")
	for i := range rows * columns {
		switch {
		case i == 0:
			query.WriteString("(")
		case i%columns == 0:
			query.WriteString("), (")
		default:
			query.WriteString(", ")
		}
		query.WriteString("$" + strconv.Itoa(i+1))
	}
	return query.String() + ")"
}
