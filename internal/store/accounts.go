package store

import (
	"context"
	"errors"
	"io"
	"iter"

	"tagsweep/internal/accounts"
	"tagsweep/internal/jobs"
)

// Result is an account with its outcome and the user's own cells.
type Result struct {
	jobs.Account
	Fields []string
}

// Reject is a row that was set aside and the user's own cells.
type Reject struct {
	jobs.SetAside
	Fields []string
}

// An account's outcome is its own, or else its batch's.
const accountColumns = `a.row_number, a.account, COALESCE(a.outcome, b.outcome),
	CASE WHEN a.outcome IS NULL THEN b.code ELSE a.code END,
	CASE WHEN a.outcome IS NULL THEN b.message ELSE a.message END,
	b.number,
	CASE WHEN a.outcome IS NULL THEN b.settled_at ELSE a.settled_at END`

const batchOfAccount = `JOIN batches b ON b.job_id = a.job_id
	AND b.first = (SELECT MAX(p.first) FROM batches p WHERE p.job_id = a.job_id AND p.first <= a.seq)`

func scanAccount(row scanner) (a jobs.Account, err error) {
	var at int64
	err = row.Scan(&a.Row, &a.Account, &a.Outcome, &a.Code, &a.Message, &a.Batch, &at)
	a.At = fromMillis(at)
	return a, err
}

// pageRows is how many rows one query of a long listing returns: short queries
// keep SQLite's log from growing while a slow reader downloads.
const pageRows = 2_000

// Results lists the accounts of a job with an outcome, or all when it is "",
// in file order.
func (s *Store) Results(ctx context.Context, jobID string, outcome jobs.Outcome) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		file, err := s.rereadFile(ctx, jobID)
		if err != nil {
			yield(Result{}, err)
			return
		}
		defer file.Close()
		for seq := int64(0); ; seq += pageRows {
			page, err := collect(ctx, s.read, scanAccount, `
				SELECT `+accountColumns+` FROM accounts a `+batchOfAccount+`
				WHERE a.job_id = $1 AND a.seq > $2 AND a.seq <= $3 ORDER BY a.seq`, jobID, seq, seq+pageRows)
			if err != nil || len(page) == 0 {
				if err != nil {
					yield(Result{}, err)
				}
				return
			}
			for _, a := range page {
				if outcome != "" && a.Outcome != outcome {
					continue
				}
				fields, err := file.row(a.Row)
				if !yield(Result{a, fields}, err) || err != nil {
					return
				}
			}
		}
	}
}

// FirstAccounts returns the first accounts of a job.
func (s *Store) FirstAccounts(ctx context.Context, jobID string, limit int) (first []Result, err error) {
	for r, err := range s.Results(ctx, jobID, "") {
		if err != nil {
			return nil, err
		}
		if first = append(first, r); len(first) == limit {
			break
		}
	}
	return first, nil
}

// Rejects lists the rows of a job that were set aside, in file order.
func (s *Store) Rejects(ctx context.Context, jobID string) iter.Seq2[Reject, error] {
	return func(yield func(Reject, error) bool) {
		file, err := s.rereadFile(ctx, jobID)
		if err != nil {
			yield(Reject{}, err)
			return
		}
		defer file.Close()
		for last := int64(0); ; {
			page, err := s.setAsidesAfter(ctx, jobID, last, pageRows)
			if err != nil || len(page) == 0 {
				if err != nil {
					yield(Reject{}, err)
				}
				return
			}
			for _, aside := range page {
				fields, err := file.row(aside.Row)
				if !yield(Reject{aside, fields}, err) || err != nil {
					return
				}
			}
			last = page[len(page)-1].Row
		}
	}
}

// SetAsides returns the first rows of a job that were set aside.
func (s *Store) SetAsides(ctx context.Context, jobID string, limit int) ([]jobs.SetAside, error) {
	return s.setAsidesAfter(ctx, jobID, 0, limit)
}

func (s *Store) setAsidesAfter(ctx context.Context, jobID string, row int64, limit int) ([]jobs.SetAside, error) {
	return collect(ctx, s.read, func(row scanner) (a jobs.SetAside, err error) {
		return a, row.Scan(&a.Row, &a.Line, &a.Kind, &a.Value, &a.Reason, &a.Repeats)
	}, `
		SELECT row_number, line, kind, value, reason, repeats FROM set_asides
		WHERE job_id = $1 AND row_number > $2 ORDER BY row_number LIMIT $3`, jobID, row, limit)
}

// SetAsideCount groups the rows set aside for one reason.
type SetAsideCount struct {
	Kind   jobs.SetAsideKind
	Reason string
	Rows   int64
	First  []int64 // the numbers of the first ten
}

// SetAsideReasons counts the rows of a job that were set aside, by reason, most first.
func (s *Store) SetAsideReasons(ctx context.Context, jobID string) ([]SetAsideCount, error) {
	counts, err := setAsideCounts(ctx, s.read, jobID)
	for i := range counts {
		if err == nil {
			counts[i].First, err = collect(ctx, s.read, func(row scanner) (n int64, err error) { return n, row.Scan(&n) }, `
				SELECT row_number FROM set_asides WHERE job_id = $1 AND kind = $2 AND reason = $3 ORDER BY row_number LIMIT 10`,
				jobID, counts[i].Kind, counts[i].Reason)
		}
	}
	return counts, err
}

func setAsideCounts(ctx context.Context, q querier, jobID string) ([]SetAsideCount, error) {
	return collect(ctx, q, func(row scanner) (c SetAsideCount, err error) {
		return c, row.Scan(&c.Kind, &c.Reason, &c.Rows)
	}, `SELECT kind, reason, COUNT(*) FROM set_asides WHERE job_id = $1 GROUP BY kind, reason ORDER BY 3 DESC, kind, reason`, jobID)
}

// FindAccounts returns what happened to an account, exact to the letter, newest job first.
func (s *Store) FindAccounts(ctx context.Context, account string, limit int) ([]jobs.Placed, error) {
	return collect(ctx, s.read, func(row scanner) (p jobs.Placed, err error) {
		var at int64
		p.Job, err = scanJob(prefixed{row, []any{&p.Row, &p.Account.Account, &p.Outcome, &p.Code, &p.Message, &p.Batch, &at}})
		p.At = fromMillis(at)
		return p, err
	}, `
		SELECT `+accountColumns+`, `+jobColumns+` FROM accounts a `+batchOfAccount+` JOIN jobs j ON j.id = a.job_id
		WHERE a.account = $1 AND j.state <> 'reading' ORDER BY j.id DESC LIMIT $2`, clean(account, 300), limit)
}

// FileHeader returns the user's own column names, nil when the file has none.
func (s *Store) FileHeader(ctx context.Context, jobID string) ([]string, error) {
	file, err := s.rereadFile(ctx, jobID)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return file.rows.Understanding().Header, nil
}

// fileReader reads a kept upload again, row by row, as it was read the first time.
type fileReader struct {
	io.Closer
	rows *accounts.Reader
	last accounts.Row
}

func (s *Store) rereadFile(ctx context.Context, jobID string) (*fileReader, error) {
	var digest string
	var accountBytes int
	j, err := s.Job(ctx, jobID)
	if err != nil {
		return nil, err
	}
	digest = j.FileSHA256
	if err := s.read.QueryRowContext(ctx, `SELECT account_bytes FROM jobs WHERE id = $1`, j.ID).Scan(&accountBytes); err != nil {
		return nil, err
	}
	file, err := s.upload(ctx, digest)
	if err != nil {
		return nil, err
	}
	rows, err := accounts.NewReader(file, accounts.Options{AccountBytes: accountBytes})
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &fileReader{Closer: file, rows: rows}, nil
}

// row returns the cells of a row; ask for rows in ascending order.
func (f *fileReader) row(number int64) ([]string, error) {
	for f.last.Number < number {
		var err error
		if f.last, err = f.rows.Next(); err != nil {
			return nil, err
		}
	}
	return f.last.Fields, nil
}
