package accounts

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// shownBytes of a line too long to be kept are shown.
const shownBytes = 200

// Row is a row of the file: an account, or set aside for a reason. All text is
// valid UTF-8 without NUL; bytes that are not text are shown as U+FFFD.
type Row struct {
	Number  int64    // from 1, the header and blank lines not counted
	Line    int64    // where it begins, from 1
	Fields  []string // its cells; of a row that cannot be split, its first line as one
	Account string   // set when accepted: what is to be sent, byte for byte
	Reason  Reason   // set when not accepted
	Value   string   // the cell in the account column; of a row that cannot be split, its first line
}

func (r *Reader) read() (Row, error) {
	if err := r.skipBlank(); err != nil {
		return Row{}, err
	}
	r.number++
	row := Row{Number: r.number, Line: r.line}
	w := r.window()
	end, next := lineEnd(w)
	if end > maxRecord {
		row.setAside(RowTooLong, shortened(w))
		r.skipLine()
		return row, nil
	}
	if r.line <= r.doubtful {
		w = w[:next]
	}
	rec := scan(w, r.separator, r.cells[:0])
	r.cells = rec.cells
	switch {
	case rec.problem == "" && rec.end > maxRecord:
		row.setAside(RowTooLong, w[:end])
	case rec.problem == StrayQuote && rec.lines == 0:
		row.setAside(StrayQuote, w[:end])
	case rec.problem == StrayQuote && !opens(w, rec.at, r.separator),
		rec.problem == "" && rec.lines > 0 && r.swallows(w, rec):
		row.setAside(OpenQuote, w[:end])
		r.doubtful = r.line + int64(rec.lines)
	case rec.problem != "":
		row.setAside(OpenQuote, w[:end])
	default:
		r.judge(&row, w, rec)
		r.advance(rec.next, rec.lines+1)
		return row, nil
	}
	r.advance(next, 1)
	return row, nil
}

// judge decides on a row that could be split.
func (r *Reader) judge(row *Row, w []byte, rec record) {
	column := r.understanding.Column
	row.Fields = texts(w, rec)
	if column < len(row.Fields) {
		row.Value = row.Fields[column]
	}
	switch {
	case !isText(w[:rec.end]):
		row.Reason = NotText
		row.Value = readable(row.Value)
		for i, field := range row.Fields {
			row.Fields[i] = readable(field)
		}
	case row.Line <= r.doubtful:
		row.Reason = InQuote
	case !r.fits(w, rec):
		row.Reason = Ragged
	default:
		if row.Reason = judge(row.Value, rec.cells[column].quoted, r.limit); row.Reason == "" {
			row.Account = row.Value
		}
	}
}

// fits reports whether the record has the cells a row must have, and nothing
// beyond the last column.
func (r *Reader) fits(w []byte, rec record) bool {
	if len(rec.cells) < r.required {
		return false
	}
	for _, c := range rec.cells[min(len(rec.cells), r.understanding.Columns):] {
		if !isBlank(w[c.from:c.to]) {
			return false
		}
	}
	return true
}

// swallows reports whether a line inside the record, read alone, would be the
// row of an account, or the beginning of one.
func (r *Reader) swallows(w []byte, rec record) bool {
	column := r.understanding.Column
	_, at := lineEnd(w[:rec.next])
	for at < rec.next {
		_, length := lineEnd(w[at:rec.next])
		line := w[at : at+length]
		at += length
		alone := scan(line, r.separator, r.alone[:0])
		r.alone = alone.cells
		whole := alone.problem == "" && r.fits(line, alone)
		begun := alone.problem == OpenQuote && column < len(alone.cells)
		if (whole || begun) && judge(text(line, alone.cells[column]), alone.cells[column].quoted, r.limit) == "" {
			return true
		}
	}
	return false
}

// setAside is for a row that cannot be split.
func (row *Row) setAside(reason Reason, line []byte) {
	row.Reason, row.Value = reason, readable(string(line))
	row.Fields = []string{row.Value}
}

// texts returns the cells of a record, in one piece of memory.
func texts(w []byte, rec record) []string {
	whole := string(w[:rec.end])
	fields := make([]string, len(rec.cells))
	for i, c := range rec.cells {
		fields[i] = unquoted(whole[c.from:c.to], c)
	}
	return fields
}

func text(w []byte, c cell) string { return unquoted(string(w[c.from:c.to]), c) }

func unquoted(s string, c cell) string {
	if c.doubled {
		s = strings.ReplaceAll(s, `""`, `"`)
	}
	return original(s)
}

func isText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

func readable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func shortened(line []byte) []byte {
	n := shownBytes
	for n > 0 && !utf8.RuneStart(line[n]) {
		n--
	}
	return line[:n]
}
