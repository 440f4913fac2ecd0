package accounts

import (
	"bytes"
	"io"
)

const (
	maxColumns  = 100
	bufferBytes = 4 * maxRecord
)

// Options say what an account may be.
type Options struct {
	AccountBytes int // the longest account; 0 means UserIDBytes
}

// Reader reads the rows of one file, in file order, in bounded memory.
type Reader struct {
	src           io.Reader
	buf           []byte
	start, end    int // what is buffered and not yet read
	eof           bool
	err           error // of src; it does not go away
	limit         int
	separator     byte
	understanding Understanding
	required      int   // cells a row must have
	line          int64 // of the next row
	number        int64 // of the last row
	doubtful      int64 // lines up to this one may belong to a quote
	cells, alone  []cell
	first         *Row
}

// NewReader finds out how the file is to be read. It returns a fault when the
// file cannot be read or has no row, and the error of r when reading fails.
func NewReader(r io.Reader, o Options) (*Reader, error) {
	limit := o.AccountBytes
	if limit == 0 {
		limit = UserIDBytes
	}
	rd := &Reader{src: r, buf: make([]byte, bufferBytes), limit: limit, line: 1}
	if err := rd.fill(); err == io.EOF {
		return nil, FaultEmpty.With()
	} else if err != nil {
		return nil, err
	}
	sample, whole := rd.sample()
	if err := checkText(sample); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(sample, byteOrderMark) {
		rd.start += len(byteOrderMark)
		sample = sample[len(byteOrderMark):]
	}
	if err := rd.understand(sample, whole); err != nil {
		return nil, err
	}
	first, err := rd.read()
	if err == io.EOF {
		return nil, FaultEmpty.With()
	} else if err != nil {
		return nil, err
	}
	rd.first = &first
	return rd, nil
}

// sample is the beginning of the file, up to a line end if it goes on. Whole is
// false when not even the first line fits.
func (r *Reader) sample() (sample []byte, whole bool) {
	sample = r.buf[r.start:r.end]
	if len(sample) <= maxRecord {
		return sample, true
	}
	sample = sample[:maxRecord]
	if i := bytes.LastIndexAny(sample, "\r\n"); i >= 0 {
		return sample[:i+1], true
	}
	return sample, false
}

func (r *Reader) understand(sample []byte, whole bool) error {
	separator, length := separatorLine(sample)
	if length > 0 {
		r.start, r.line = r.start+length, 2
		sample = sample[length:]
	}
	found := detect(sample, r.limit)
	if length > 0 {
		found = try(sample, separator, r.limit)
	}
	if found.columns > maxColumns {
		return FaultColumns.With(found.columns, maxColumns)
	}
	if !whole {
		found.header, found.column = nil, 0
	}
	r.separator = found.separator
	r.understanding = Understanding{Encoding: "UTF-8", Header: found.header, Column: found.column, Columns: found.columns}
	if found.separator != noSeparator {
		r.understanding.Separator = rune(found.separator)
	}
	r.required = found.columns
	for r.required > found.column+1 && found.header != nil && found.header[r.required-1] == "" {
		r.required--
	}
	if found.header == nil {
		return nil
	}
	for i, cell := range found.header {
		found.header[i] = readable(cell)
	}
	return r.skipHeader()
}

// skipHeader passes over the header, unless a quote in it may hold rows: then
// it is read as a row, and set aside like any other.
func (r *Reader) skipHeader() error {
	if err := r.skipBlank(); err != nil {
		return err
	}
	w := r.window()
	rec := scan(w, r.separator, nil)
	if rec.lines > 0 && r.swallows(w, rec) {
		r.understanding.Header = nil
		return nil
	}
	r.advance(rec.next, rec.lines+1)
	return nil
}

// Understanding tells how the file is read.
func (r *Reader) Understanding() Understanding { return r.understanding }

// Next returns the next row, io.EOF after the last one, or the error of the
// underlying reader.
func (r *Reader) Next() (Row, error) {
	if r.first != nil {
		row := *r.first
		r.first = nil
		return row, nil
	}
	return r.read()
}

// skipBlank goes to the first line that is not blank; io.EOF when there is none.
func (r *Reader) skipBlank() error {
	for {
		if err := r.fill(); err != nil {
			return err
		}
		w := r.window()
		end, next := lineEnd(w)
		if end > maxRecord || !isBlank(w[:end]) {
			return nil
		}
		r.advance(next, 1)
	}
}

// skipLine passes over a line however long it is. An error of the source
// returns with the next fill.
func (r *Reader) skipLine() {
	for r.fill() == nil {
		end, _ := lineEnd(r.buf[r.start:r.end])
		r.start += end
		if r.start == r.end {
			continue
		}
		r.fill() // so that both halves of CRLF are there
		r.start = r.start + afterLineEnd(r.buf[r.start:r.end], 0)
		break
	}
	r.line++
}

// window is what a record may reach into: it holds the record and its line end
// unless the record is too long.
func (r *Reader) window() []byte { return r.buf[r.start:min(r.end, r.start+maxRecord+2)] }

func (r *Reader) advance(bytes, lines int) {
	r.start += bytes
	r.line += int64(lines)
}

// fill sees to it that a whole window is buffered, or all that is left; io.EOF
// when nothing is.
func (r *Reader) fill() error {
	if r.end-r.start < maxRecord+2 && !r.eof {
		r.start, r.end = 0, copy(r.buf, r.buf[r.start:r.end])
		for idle := 0; r.end < len(r.buf) && !r.eof && r.err == nil; idle++ {
			n, err := r.src.Read(r.buf[r.end:])
			r.end += n
			switch {
			case err == io.EOF:
				r.eof = true
			case err != nil:
				r.err = err
			case n > 0:
				idle = 0
			case idle == 100:
				r.err = io.ErrNoProgress
			}
		}
	}
	if r.err != nil {
		return r.err
	}
	if r.start == r.end {
		return io.EOF
	}
	return nil
}
