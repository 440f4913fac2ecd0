package jobs

import (
	"context"
	"errors"
	"io"
	"iter"

	"tagsweep/internal/accounts"
	"tagsweep/internal/store"
)

// Results lists the accounts of a job with an outcome, or all when it is "",
// in file order.
func (s *Jobs) Results(ctx context.Context, jobID string, outcome Outcome) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		file, err := s.rereadFile(ctx, jobID)
		if err == errNeverRead {
			return
		}
		if err != nil {
			yield(Result{}, err)
			return
		}
		defer file.Close()
		for number := int64(1); ; number += pageBatches {
			page, err := s.placed(ctx, jobID, number, number+pageBatches-1)
			if err == nil {
				err = file.stillReads(ctx, s)
			}
			if err != nil || page == nil {
				if err != nil {
					yield(Result{}, err)
				}
				return
			}
			for _, a := range page {
				if a.Outcome == setAside || outcome != "" && a.Outcome != outcome {
					continue
				}
				fields, err := file.cells(a.Row)
				if !yield(Result{Account: a, Fields: fields}, err) || err != nil {
					return
				}
			}
		}
	}
}

// pageBatches is how much one query of a long listing returns: short queries
// keep SQLite's log from growing while a slow reader downloads.
const pageBatches = 20

// scanPlanned reads a batch's number and accounts.
func scanPlanned(row store.Scanner) (b PlannedBatch, err error) {
	var number int64
	var text string
	if err = row.Scan(&number, &text); err != nil {
		return b, err
	}
	return ReadPlannedBatch(number, text)
}

// placed returns the accounts of some batches of the plan with their outcomes,
// those that were set aside before they were sent included; nil when the plan
// ends before them.
func (s *Jobs) placed(ctx context.Context, jobID string, from, to int64) ([]Account, error) {
	plan, err := store.Collect(ctx, s.db.Reader(), scanPlanned,
		`SELECT number, accounts FROM planned_batches WHERE job_id = $1 AND number >= $2 AND number <= $3 ORDER BY number`, jobID, from, to)
	if err != nil || len(plan) == 0 {
		return nil, err
	}
	// A batch holds the outcome of its accounts …
	outcomes, err := outcomesBetween(ctx, s.db.Reader(), `
			SELECT number, outcome, code, message, settled_at FROM batches
			WHERE job_id = $1 AND number BETWEEN $2 AND $3`,
		jobID, from, plan[len(plan)-1].Number)
	if err != nil {
		return nil, err
	}
	// … but for those that have one of their own.
	own, err := outcomesBetween(ctx, s.db.Reader(),
		`SELECT seq, outcome, code, message, settled_at FROM own_outcomes WHERE job_id = $1 AND seq BETWEEN $2 AND $3`,
		jobID, plan[0].First(), plan[len(plan)-1].First()+BatchSize-1)
	if err != nil {
		return nil, err
	}
	var all []Account
	for _, b := range plan {
		for i, p := range b.Accounts {
			a, has := own[b.First()+int64(i)]
			if !has {
				a = outcomes[b.Number]
			}
			a.Row, a.Account, a.Batch, a.Place = p.Row, p.Account, b.Number, i+1
			all = append(all, a)
		}
	}
	return all, nil
}

// outcomesBetween returns outcomes by what they are found by.
func outcomesBetween(ctx context.Context, q store.Querier, query, jobID string, from, to int64) (map[int64]Account, error) {
	found := map[int64]Account{}
	_, err := store.Collect(ctx, q, func(row store.Scanner) (none struct{}, err error) {
		var by, at int64
		var a Account
		err = row.Scan(&by, &a.Outcome, &a.Code, &a.Message, &at)
		a.At = store.FromMillis(at)
		found[by] = a
		return none, err
	}, query, jobID, from, to)
	return found, err
}

// FirstAccounts returns the first accounts of a job.
func (s *Jobs) FirstAccounts(ctx context.Context, jobID string, limit int) (first []Result, err error) {
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

// fileReader reads a kept upload again, row by row, as it was read the first time.
type fileReader struct {
	*accounts.Reader
	job     string
	reading string // of the job when the listing began
	last    accounts.Row
}

func (s *Jobs) rereadFile(ctx context.Context, jobID string) (*fileReader, error) {
	j, err := s.Get(ctx, jobID)
	if err != nil {
		return nil, err
	}
	file, options, err := s.storedFileOf(ctx, j)
	if err != nil {
		return nil, err
	}
	understood, err := s.Understanding(ctx, jobID)
	if err != nil {
		return nil, err
	}
	if understood.Columns == 0 {
		if j.Settled() {
			return nil, errNeverRead
		}
		return nil, errReadAgain // it is to be read first
	}
	options.Understood = &understood.Understanding
	rows, err := accounts.Open(file, options)
	return &fileReader{Reader: rows, job: j.ID, reading: j.Reading}, err
}

var (
	errReadAgain = errors.New("jobs: the file was read again while its rows were listed")
	errNeverRead = errors.New("jobs: the job ended before its file was read")
)

// stillReads makes sure that what is listed comes from one reading.
func (f *fileReader) stillReads(ctx context.Context, s *Jobs) error {
	j, err := s.Get(ctx, f.job)
	if err == nil && j.Reading != f.reading {
		err = errReadAgain
	}
	return err
}

func (s *Jobs) storedFileOf(ctx context.Context, j Job) (file *io.SectionReader, o accounts.Options, err error) {
	o.Tags = tagColumn(j.Kind, j.Source)
	if o.AccountBytes, err = s.accountBytes(ctx, j.ID); err != nil {
		return nil, o, err
	}
	file, err = s.upload(ctx, j.FileSHA256, j.FileBytes)
	return file, o, err
}

// cells returns the cells of a row; ask for rows in ascending order.
func (f *fileReader) cells(row int64) ([]string, error) {
	for f.last.Number < row {
		next, err := f.Next()
		if err != nil {
			return nil, err
		}
		f.last = next
	}
	return f.last.Fields, nil
}
