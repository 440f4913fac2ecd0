package text

import (
	"bytes"
	"strings"
)

// Problem is why a record could not be split into cells.
type Problem int

// The problems of records.
const (
	StrayQuote Problem = iota + 1 // a quote inside a cell, or text after a closing quote
	OpenQuote                     // a quote that does not close as it should
	TooLong                       // over MaxRecord
)

// Record is one record of a text. Its cells are valid until the next one is read.
type Record struct {
	Line    int64 // where it begins, from 1
	Problem Problem
	InQuote bool   // a line that an unclear quote above may have swallowed
	NotText bool   // it holds a NUL, or bytes that are no text in the encoding
	First   string // its first line as it stands, when it has a problem
	text    []byte
	cells   []cell
	quote   byte
}

// Len is the number of its cells.
func (r *Record) Len() int { return len(r.cells) }

// Cell returns the text of a cell.
func (r *Record) Cell(i int) string {
	c := r.cells[i]
	return unquoted(string(r.text[c.from:c.to]), c.doubled, r.quote)
}

// Cells returns the texts of all cells, in one piece of memory.
func (r *Record) Cells() []string {
	whole := string(r.text)
	cells := make([]string, len(r.cells))
	for i, c := range r.cells {
		cells[i] = unquoted(whole[c.from:c.to], c.doubled, r.quote)
	}
	return cells
}

// Quoted reports whether a cell stood between quotes.
func (r *Record) Quoted(i int) bool { return r.cells[i].quoted }

// Records are the records of a text in a dialect, in file order.
type Records struct {
	*Lines
	dialect  Dialect
	column   int
	isRow    func(cells []string) bool
	doubtful int64 // lines up to this one may belong to a quote
	record   Record
}

// Records splits what comes next. IsRow tells of the cells of a line, quotes and
// all, whether it looks like a row by itself; a quote that reaches over such a line
// is unclear, unless it is the line on which the record's cell of a column begins.
func (t *Lines) Records(d Dialect, column int, isRow func(cells []string) bool) *Records {
	return &Records{Lines: t, dialect: d, column: column, isRow: isRow}
}

// SkipHeader passes over the record that begins at a line; io.EOF when there is none.
func (r *Records) SkipHeader(line int64) error {
	if err := r.SkipTo(line, nil); err != nil {
		return err
	}
	w, _, _, err := r.skipBlank()
	if err != nil {
		return err
	}
	if rec := scan(w, r.dialect, nil); rec.problem == 0 && rec.end <= MaxRecord {
		r.advance(rec.next, rec.lines+1)
	} else {
		r.skipLine()
	}
	return nil
}

// IsClear reports whether the record that comes next can be split, and no quote
// in it may hold rows.
func (r *Records) IsClear() bool {
	w := r.window()
	rec := scan(w, r.dialect, nil)
	return rec.problem == 0 && rec.end <= MaxRecord && (rec.lines == 0 || !r.swallows(w, rec))
}

// Next returns the next record; io.EOF after the last one. It returns
// FaultEncodingUnknown when a text in UTF-16 goes on in another encoding.
func (r *Records) Next() (*Record, error) {
	w, end, next, err := r.skipBlank()
	if err != nil {
		return nil, err
	}
	if end > MaxRecord {
		r.record = Record{Line: r.line, Problem: TooLong, First: string(w), cells: r.record.cells[:0]}
		r.skipLine()
		return &r.record, nil
	}
	inQuote := r.line <= r.doubtful
	if inQuote {
		w = w[:next]
	}
	rec := scan(w, r.dialect, r.record.cells[:0])
	record := &r.record
	record.Line, record.Problem, record.InQuote, record.NotText, record.First = r.line, 0, inQuote, false, ""
	record.text, record.cells, record.quote = w[:rec.end], rec.cells, r.dialect.quote
	switch {
	case rec.problem == 0 && rec.end > MaxRecord:
		record.Problem = TooLong
	case rec.problem == StrayQuote && rec.lines == 0:
		record.Problem = StrayQuote
	case rec.problem == StrayQuote && !opens(w, rec.at, r.dialect.separator),
		rec.problem == 0 && rec.lines > 0 && r.swallows(w, rec):
		record.Problem = OpenQuote
		r.doubtful = r.line + int64(rec.lines)
	case rec.problem != 0:
		record.Problem = OpenQuote
	default:
		if r.utf16 && !isASCII(record.text) && isForeign(record.text) {
			return nil, FaultEncodingUnknown.With() // it holds many lines
		}
		record.NotText = !isText(record.text) || r.decoded && bytes.Contains(record.text, replacement)
		r.advance(rec.next, rec.lines+1)
		return record, nil
	}
	record.First = string(w[:end])
	r.advance(next, 1)
	return record, nil
}

// swallows reports whether a line of the record looks like a row by itself.
func (r *Records) swallows(w []byte, rec scanned) bool {
	own := -1
	if r.column < len(rec.cells) {
		own = rec.cells[r.column].from
	}
	for at := 0; at < rec.next; {
		end, length := LineEnd(w[at:rec.next])
		line := w[at : at+end]
		isOwn := own >= at && own <= at+end
		at += length
		if !isOwn && r.isRow(strings.Split(string(line), string([]byte{r.dialect.separator}))) {
			return true
		}
	}
	return false
}

// Split calls f with every record of a short text in a dialect; lines are counted
// from 0. Records with a problem are of one line.
func Split(text []byte, d Dialect, f func(*Record)) {
	for line := int64(0); len(text) > 0; {
		end, next := LineEnd(text)
		lines := 1
		if !IsBlank(text[:end]) {
			rec := scan(text, d, nil)
			if rec.problem == 0 {
				next, lines = rec.next, rec.lines+1
			}
			f(&Record{Line: line, Problem: rec.problem, text: text[:rec.end], cells: rec.cells, quote: d.quote})
		}
		line += int64(lines)
		text = text[next:]
	}
}
