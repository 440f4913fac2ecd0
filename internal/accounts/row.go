package accounts

import (
	"strings"
	"unicode/utf8"

	"tagsweep/internal/accounts/text"
)

// Row is a row of the file: an account, or set aside for a reason. All text is
// valid UTF-8 without NUL; bytes that are not text are shown as U+FFFD.
//
// Written with [Writer] and read again, a row that was set aside is set aside
// again: where its account column would read as if nothing were wrong, Fields
// has it with a sign before it ("⚠ a1"), which no account can have.
type Row struct {
	Number  int64    // from 1, the header and blank lines not counted
	Line    int64    // where it begins, from 1; of a workbook, the sheet's row
	Sheet   string   // where several sheets are read
	Fields  []string // its cells; of a row that cannot be split, its first line as one
	Account string   // set when accepted: what is to be sent, byte for byte
	Tags    []string // of an accepted row, where the file has a column of them; each once
	Unusual bool     // accepted with a character that Tencent advises against: not a letter, digit, _ or -
	Reason  Reason   // set when not accepted
	Value   string   // the cell in the account column; of a row that cannot be split, its first line
}

// setAside is for a row that cannot be split; a long line is cut.
func (row *Row) setAside(reason Reason, line string) {
	if len(line) > text.MaxRecord {
		line = shortened(line)
	}
	row.Reason, row.Value = reason, readable(line)
	row.Fields = []string{row.Value}
	row.mark(0)
}

// settle decides on a row whose cells are in order. Untyped says that the cell of
// the tags is text or a whole number.
func (row *Row) settle(d *doubts, judged Reason, hidden, short, untyped bool) {
	u := d.understanding
	short = short || u.Wide && !hasDigit(row.Value) && filledIn(row.Fields) < 2
	again := judged != "" // it is set aside again by itself
	switch {
	case judged != "" && judged != SeveralValues:
		row.Reason = judged
	case u.TagColumn > 0 && !untyped:
		row.Reason = BadTag
	case u.TagColumn > 0 && u.TagColumn <= len(row.Fields):
		row.Tags, row.Reason = SplitTags(row.Fields[u.TagColumn-1])
		again = again || row.Reason != ""
	}
	if row.Reason == "" {
		row.Reason = d.reason(row, judged, hidden, short)
	}
	if row.Reason == "" && u.TagColumn > 0 && row.Tags == nil {
		row.Reason, again = NoTag, true
	}
	if row.Reason != "" {
		row.Tags = nil
		if !again {
			row.mark(u.Column)
		}
		return
	}
	row.Account, row.Unusual = row.Value, isUnusual(row.Value)
}

// mark makes sure that a row set aside is set aside again when it comes back.
func (row *Row) mark(column int) {
	if column < len(row.Fields) && anyRules.judge(trimmed(row.Fields[column])) == "" {
		row.Fields[column] = markSign + row.Fields[column]
	}
}

// notText sets a row aside that holds what is no text.
func (row *Row) notText() {
	row.Reason, row.Value = NotText, readable(row.Value)
	for i, field := range row.Fields {
		row.Fields[i] = readable(field)
	}
}

func withoutBlankEnd(cells []string) []string {
	for len(cells) > 0 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	return cells
}

func isReadable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// readable makes a text fit to be shown: valid UTF-8 without NUL.
func readable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// shownBytes of a line too long to be kept are shown.
const shownBytes = 200

// shorten makes a line fit to be shown in a list.
func shorten(line string) string {
	line = readable(line)
	if len(line) > shownBytes {
		line = shortened(line) + "…"
	}
	return line
}

func shortened(line string) string {
	n := min(shownBytes, len(line))
	for n > 0 && n < len(line) && !utf8.RuneStart(line[n]) {
		n--
	}
	return line[:n]
}

func isBlank(cell string) bool { return trimmed(cell) == "" }
