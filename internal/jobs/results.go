package jobs

import (
	"context"
	"errors"
	"io"
	"iter"

	"tagsweep/internal/accounts"
)

// Results lists the accounts of a job with an outcome, or all when it is "",
// in file order.
func (s *Jobs) Results(ctx context.Context, jobID string, outcome Outcome) iter.Seq2[Result, error] {
	return sequence(func(give func(Result) bool) error {
		file, err := s.openFile(ctx, jobID)
		if err != nil || file == nil {
			return err
		}
		defer file.Close()
		for a, err := range s.accounts(ctx, jobID, file.stillCurrent) {
			if err != nil {
				return err
			}
			if a.Outcome == setAside || outcome != "" && a.Outcome != outcome {
				continue
			}
			fields, err := file.cells(a.Row)
			if err != nil || !give(Result{a, fields}) {
				return err
			}
		}
		return nil
	})
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

// Reject is a row that was set aside and the user's own cells.
type Reject struct {
	SetAside
	Fields []string
}

// Rejects lists the rows of a job that were set aside, in file order.
func (s *Jobs) Rejects(ctx context.Context, jobID string) iter.Seq2[Reject, error] {
	return sequence(func(give func(Reject) bool) error {
		file, err := s.openFile(ctx, jobID)
		if err != nil || file == nil {
			return err
		}
		defer file.Close()
		for aside, err := range s.setAsides(ctx, jobID, file.stillCurrent) {
			if err != nil {
				return err
			}
			fields, err := file.cells(aside.Row)
			if err != nil || !give(Reject{aside, fields}) {
				return err
			}
		}
		return nil
	})
}

// uploadedFile parses an upload again, row by row, as it was parsed for the import.
type uploadedFile struct {
	*accounts.Reader
	stillCurrent func() error // what is listed must come from one import
	last         accounts.Row
}

var errImportedAgain = errors.New("jobs: the file was imported again while its rows were listed")

// openFile opens the file of a job; nil when the job ended before it was imported.
func (s *Jobs) openFile(ctx context.Context, jobID string) (*uploadedFile, error) {
	j, err := s.Get(ctx, jobID)
	if err != nil {
		return nil, err
	}
	file, options, err := s.storedFileOf(ctx, j)
	if err != nil {
		return nil, err
	}
	understood, err := s.Understanding(ctx, jobID)
	switch {
	case err != nil:
		return nil, err
	case understood.Columns == 0 && j.Settled():
		return nil, nil
	case understood.Columns == 0: // it is to be imported first
		return nil, errImportedAgain
	}
	options.Understood = &understood.Understanding
	rows, err := accounts.Open(file, options)
	return &uploadedFile{Reader: rows, stillCurrent: func() error {
		now, err := s.Get(ctx, jobID)
		if err == nil && now.Reading != j.Reading {
			err = errImportedAgain
		}
		return err
	}}, err
}

func (s *Jobs) storedFileOf(ctx context.Context, j Job) (*io.SectionReader, accounts.Options, error) {
	file, err := s.File(ctx, j)
	return file, accounts.Options{AccountBytes: j.AccountBytes, Tags: j.tagColumn(), TempDir: s.tempDir}, err
}

// cells returns the cells of a row; ask for rows in ascending order.
func (f *uploadedFile) cells(row int64) ([]string, error) {
	for f.last.Number < row {
		next, err := f.Next()
		if err != nil {
			return nil, err
		}
		f.last = next
	}
	return f.last.Fields, nil
}
