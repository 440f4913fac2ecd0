package jobs

import (
	"context"
	"io"
	"iter"
)

// FileRow is a row of a job's file and what became of it.
type FileRow struct {
	Aside   *SetAside // nil: it became an account
	Account Account
}

// FileRows lists every row of a job's file and what became of it, in file order.
func (s *Jobs) FileRows(ctx context.Context, jobID string) iter.Seq2[FileRow, error] {
	return func(yield func(FileRow, error) bool) {
		if err := s.fileRows(ctx, jobID, func(r FileRow) bool { return yield(r, nil) }); err != nil {
			yield(FileRow{}, err)
		}
	}
}

// fileRows merges the accounts, which stand in batches, with what was set aside. It
// ends early, without an error, once give returns false.
func (s *Jobs) fileRows(ctx context.Context, jobID string, give func(FileRow) bool) error {
	asides, err := s.setAsidesAfter(ctx, jobID, 0, pageRows)
	if err != nil {
		return err
	}
	// until gives what was set aside before a row.
	until := func(row int64) (goOn bool, err error) {
		for len(asides) > 0 && asides[0].Row < row {
			a := asides[0]
			if !give(FileRow{Aside: &a}) {
				return false, nil
			}
			if asides = asides[1:]; len(asides) == 0 {
				if asides, err = s.setAsidesAfter(ctx, jobID, a.Row, pageRows); err != nil {
					return false, err
				}
			}
		}
		return true, nil
	}
	for number := int64(1); ; number += pageBatches {
		page, err := s.placed(ctx, jobID, number, number+pageBatches-1)
		if err != nil {
			return err
		}
		if page == nil {
			break
		}
		for _, a := range page {
			if a.Outcome == setAside { // it stands among what was set aside
				continue
			}
			if goOn, err := until(a.Row); !goOn {
				return err
			}
			if !give(FileRow{Account: a}) {
				return nil
			}
		}
	}
	const afterAll = 1 << 62
	_, err = until(afterAll)
	return err
}

// File opens the file of a job, byte for byte as it was uploaded. It may be read by
// one goroutine at a time.
func (s *Jobs) File(ctx context.Context, j Job) (*io.SectionReader, error) {
	return s.upload(ctx, j.FileSHA256, j.FileBytes)
}
