package accounts

import (
	"errors"
	"io"
	"slices"
)

// Options say what an account may be, and how the file is to be read.
type Options struct {
	AccountBytes  int            // the longest account; 0 means UserIDBytes
	UnpackedBytes int64          // the most an archive or a workbook may unpack to; 0 means 2 GB
	TempDir       string         // for temporary files; "" = the system's
	Choices       Choices        // what a person says about the file
	Tags          bool           // the file is to have a column of tags; not looked at with Understood
	Understood    *Understanding // read exactly as before: nothing is detected, Choices are not looked at
}

// Reader reads the rows of one file, in file order, in bounded memory. It is for
// one goroutine.
type Reader struct {
	file          *file
	rows          interface{ next(*Row) error }
	closer        io.Closer
	understanding Understanding
	answers       map[Reason]string    // of a person, about rows in doubt
	inDoubt       map[Reason]*Question // rows set aside that no person has decided on; nil: nobody is asked
	row           Row
	ahead         bool  // row is read and not returned yet
	err           error // it does not go away
}

// Open finds out how a file is to be read. It returns one of the faults of this
// package, or of archive, text or workbook, when the file cannot be read or has no
// row, or when a choice does not fit it, and the error of the file when reading
// fails. The file is read at any place, several times; Close ends that.
func Open(r *io.SectionReader, o Options) (*Reader, error) {
	limit := o.AccountBytes
	if limit == 0 {
		limit = UserIDBytes
	}
	f, err := openFile(r, o)
	if err != nil {
		return nil, err
	}
	rd, err := f.reader(o, limit)
	if err != nil {
		f.close()
	}
	return rd, err
}

func (f *file) reader(o Options, limit int) (_ *Reader, err error) {
	f.tags = o.Tags
	var u Understanding
	if o.Understood != nil {
		u = *o.Understood
	} else if u, err = f.understand(o.Choices, limit); err != nil {
		return nil, err
	}
	rd := &Reader{file: f, understanding: u, answers: o.Choices.Rows}
	if o.Understood == nil {
		rd.inDoubt = map[Reason]*Question{}
	}
	if err := rd.begin(limit); err != nil {
		return nil, err
	}
	if err := rd.read(); err != nil {
		rd.closer.Close()
		if err == io.EOF {
			return nil, FaultEmpty.With()
		}
		return nil, err
	}
	rd.ahead = true
	return rd, nil
}

func (r *Reader) begin(limit int) error {
	u := r.understanding
	u.Column = max(u.Column, 0)
	u.Required = max(u.Required, u.Column+1, u.TagColumn)
	u.Columns = max(u.Columns, u.Column+1, u.TagColumn)
	if r.file.book != nil {
		table, err := r.file.newSheetTable(u, limit)
		if err != nil {
			return err
		}
		r.rows, r.closer = table, table
		return nil
	}
	lines, closer, err := r.file.lines(u.Encoding)
	if err != nil {
		return err
	}
	table := newTextTable(lines, u, limit)
	r.rows, r.closer = table, closer
	if err := table.begin(); err != nil {
		closer.Close()
		return err
	}
	return nil
}

// Understanding tells how the file is read.
func (r *Reader) Understanding() Understanding { return r.understanding }

// Unsure lists the questions that are open: those about how the file is written
// and, once Next has returned io.EOF, those about rows in doubt.
func (r *Reader) Unsure() []Question { return r.understanding.Unsure }

// Next returns the next row, io.EOF after the last one. A fault says that the
// rest of the file cannot be read; any other error is that of the file.
func (r *Reader) Next() (Row, error) {
	if !r.ahead && r.err == nil {
		r.err = r.read()
	}
	r.ahead = false
	if r.err != nil {
		return Row{}, r.err
	}
	return r.row, nil
}

// read takes note of rows in doubt, and asks about them in the end.
func (r *Reader) read() error {
	row := &r.row
	err := r.rows.next(row)
	for u := &r.understanding; err == nil && r.inDoubt != nil && row.Sheet != "" && row.Sheet != u.SheetOf(row.Number); {
		u.Begins = append(u.Begins, row.Number)
	}
	switch {
	case r.inDoubt == nil:
	case err == io.EOF:
		for _, reason := range Doubts {
			if q := r.inDoubt[reason]; q != nil {
				q.Choices[1].First = q.Choices[0].First
				r.understanding.Unsure = append(r.understanding.Unsure, *q)
			}
		}
		r.inDoubt = nil
	case row.Reason == "":
	case slices.Contains(Doubts, row.Reason) && r.answers[row.Reason] == "":
		q := r.inDoubt[row.Reason]
		if q == nil {
			q = &Question{Name: string(row.Reason), Suggested: Aside, Choices: []Choice{{Value: Aside}, {Value: Accept}}}
			r.inDoubt[row.Reason] = q
		}
		if q.Rows++; len(q.Choices[0].First) < shownValues {
			q.Choices[0].First = append(q.Choices[0].First, r.understanding.shownInDoubt(row))
		}
	}
	return err
}

// Read is how much of the file has been read, in thousandths.
func (r *Reader) Read() int {
	done := r.file.progress
	if r.err == io.EOF || done.Total <= 0 {
		return 1000
	}
	return int(min(float64(done.Read)/float64(done.Total), 1) * 1000)
}

// Close gives back what reading needed; the file stays open.
func (r *Reader) Close() error { return errors.Join(r.closer.Close(), r.file.close()) }
