package accounts

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// shownBytes of a line too long to be kept are shown.
const shownBytes = 200

// Row is a row of the file: an account, or set aside for a reason. All text is
// valid UTF-8 without NUL; bytes that are not text are shown as U+FFFD.
//
// Written with [Writer] and read again, a row that was set aside is set aside
// again: where its account column would read as if nothing were wrong, Fields
// has it in the form ="a1", which no account can have.
type Row struct {
	Number  int64    // from 1, the header and blank lines not counted
	Line    int64    // where it begins, from 1; of a workbook, the sheet's row
	Fields  []string // its cells; of a row that cannot be split, its first line as one
	Account string   // set when accepted: what is to be sent, byte for byte
	Tags    []string // of an accepted row, where the file has a column of them; each once
	Unusual bool     // accepted with a character that Tencent advises against: not a letter, digit, _ or -
	Reason  Reason   // set when not accepted
	Value   string   // the cell in the account column; of a row that cannot be split, its first line
}

// table is the rows of a text.
type table struct {
	text
	understanding Understanding
	rules         rules
	dialect       dialect
	decoded       bool  // bytes that are no text have become U+FFFD
	number        int64 // of the last row
	doubtful      int64 // lines up to this one may belong to a quote
	joined        joined
	cells, alone  []cell
}

func newTable(t text, u Understanding, limit int) *table {
	return &table{text: t, understanding: u, rules: rules{limit: limit, wholeLine: u.WholeLine}, dialect: dialectOf(u.Separator, u.Quote), decoded: codings[u.Encoding] != nil, joined: newJoined(u)}
}

// begin goes to the first row.
func (t *table) begin() error {
	if _, err := t.skipTo(t.understanding.FirstLine); err != nil || t.understanding.Header == nil {
		return err
	}
	if err := t.skipBlank(); err != nil {
		return err
	}
	w := t.window()
	if rec := scan(w, t.dialect, nil); rec.problem == "" && rec.end <= maxRecord {
		t.advance(rec.next, rec.lines+1)
	} else {
		t.skipLine()
	}
	return nil
}

// headerHolds reports whether the header at hand can be read as one, and no
// quote in it may hold rows.
func (t *table) headerHolds() bool {
	w := t.window()
	rec := scan(w, t.dialect, nil)
	return rec.problem == "" && rec.end <= maxRecord && (rec.lines == 0 || !t.swallows(w, rec))
}

func (t *table) next() (Row, error) {
	if err := t.skipBlank(); err != nil {
		return Row{}, err
	}
	t.number++
	row := Row{Number: t.number, Line: t.line}
	w := t.window()
	end, next := lineEnd(w)
	if end > maxRecord {
		row.setAside(RowTooLong, shortened(w))
		t.skipLine()
		return row, nil
	}
	if t.line <= t.doubtful {
		w = w[:next]
	}
	rec := scan(w, t.dialect, t.cells[:0])
	t.cells = rec.cells
	switch {
	case rec.problem == "" && rec.end > maxRecord:
		row.setAside(RowTooLong, w[:end])
	case rec.problem == StrayQuote && rec.lines == 0:
		row.setAside(StrayQuote, w[:end])
	case rec.problem == StrayQuote && !opens(w, rec.at, t.dialect.separator),
		rec.problem == "" && rec.lines > 0 && t.swallows(w, rec):
		row.setAside(OpenQuote, w[:end])
		t.doubtful = t.line + int64(rec.lines)
	case rec.problem != "":
		row.setAside(OpenQuote, w[:end])
	default:
		t.judge(&row, w, rec)
		t.advance(rec.next, rec.lines+1)
		return row, nil
	}
	t.advance(next, 1)
	return row, nil
}

// judge decides on a row that could be split.
func (t *table) judge(row *Row, w []byte, rec record) {
	column := t.understanding.Column
	row.Fields = t.texts(w, rec)
	if column < len(row.Fields) {
		row.Value = row.Fields[column]
	}
	middle := t.joined.reason(row.Fields, row.Value, t.understanding)
	switch {
	case !isText(w[:rec.end]) || t.decoded && bytes.Contains(w[:rec.end], replacement):
		row.Reason = NotText
		row.Value = readable(row.Value)
		for i, field := range row.Fields {
			row.Fields[i] = readable(field)
		}
	case row.Line <= t.doubtful:
		row.Reason = InQuote
	case middle != "":
		row.Reason = middle
	case !t.fits(w, rec):
		row.Reason = Ragged
	default:
		row.Reason = t.rules.judge(row.Value, rec.cells[column].quoted)
		row.settle(&t.understanding, true)
		return
	}
	row.mark(column)
}

// repeatsHeader reports whether a row is the header once more.
func repeatsHeader(u Understanding, fields []string, value string) bool {
	if u.Header == nil || u.Column >= len(u.Header) || u.Column >= len(fields) || u.Column > 0 && value != u.Header[u.Column] {
		return false
	}
	first := strings.TrimPrefix(fields[0], "\uFEFF")
	return first == u.Header[0] && slices.Equal(withoutBlankEnd(fields[1:]), withoutBlankEnd(u.Header[1:]))
}

func withoutBlankEnd(cells []string) []string {
	for len(cells) > 0 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	return cells
}

// fits reports whether the record has the cells a row must have, and nothing
// beyond the last column that has a name.
func (t *table) fits(w []byte, rec record) bool {
	if len(rec.cells) < t.understanding.Required {
		return false
	}
	for _, c := range rec.cells[t.understanding.Required:] {
		if !isBlank(w[c.from:c.to]) {
			return false
		}
	}
	return true
}

// swallows reports whether a line inside the record, read alone, would be the
// row of an account, or the beginning of one.
func (t *table) swallows(w []byte, rec record) bool {
	column := t.understanding.Column
	_, at := lineEnd(w[:rec.next])
	for at < rec.next {
		_, length := lineEnd(w[at:rec.next])
		line := w[at : at+length]
		at += length
		alone := scan(line, t.dialect, t.alone[:0])
		t.alone = alone.cells
		whole := alone.problem == "" && t.fits(line, alone)
		begun := alone.problem == OpenQuote && column < len(alone.cells)
		if (whole || begun) && t.rules.judge(t.text1(line, alone.cells[column]), alone.cells[column].quoted) == "" {
			return true
		}
	}
	return false
}

// setAside is for a row that cannot be split.
func (row *Row) setAside(reason Reason, line []byte) {
	row.Reason, row.Value = reason, readable(string(line))
	row.Fields = []string{row.Value}
	row.mark(0)
}

// mark makes sure that a row set aside is set aside again when it comes back.
func (row *Row) mark(column int) {
	if column < len(row.Fields) && anyRules.judge(row.Fields[column], true) == "" {
		row.Fields[column] = marked(row.Fields[column])
	}
}

// texts returns the cells of a record, in one piece of memory.
func (t *table) texts(w []byte, rec record) []string { return texts(w, rec, t.dialect.quote) }

func texts(w []byte, rec record, quote byte) []string {
	whole := string(w[:rec.end])
	fields := make([]string, len(rec.cells))
	for i, c := range rec.cells {
		fields[i] = unquoted(whole[c.from:c.to], c, quote)
	}
	return fields
}

func (t *table) text1(w []byte, c cell) string {
	return unquoted(string(w[c.from:c.to]), c, t.dialect.quote)
}

func unquoted(s string, c cell, quote byte) string {
	if c.doubled {
		s = strings.ReplaceAll(s, string([]byte{quote, quote}), string(quote))
	}
	return original(s)
}

var replacement = []byte("\uFFFD")

func isText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

func readable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func shortened(line []byte) []byte {
	n := min(shownBytes, len(line))
	for n > 0 && n < len(line) && !utf8.RuneStart(line[n]) {
		n--
	}
	return line[:n]
}
