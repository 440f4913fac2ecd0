package accounts

import (
	"io"
	"slices"
	"strings"

	"tagsweep/internal/accounts/text"
)

// textTable is the rows of a text.
type textTable struct {
	records       *text.Records
	understanding Understanding
	rules         rules
	number        int64 // of the last row
	named         int   // columns in which there may be text
	doubts        doubts
}

func newTextTable(lines *text.Lines, u Understanding, limit int) *textTable {
	t := &textTable{understanding: u, rules: rules{limit: limit, wholeLine: u.WholeLine}, named: u.Columns}
	t.doubts = newDoubts(&t.understanding)
	for u.Header != nil && t.named > u.Required && t.named <= len(u.Header) && isBlank(u.Header[t.named-1]) {
		t.named--
	}
	if u.Like.Class == "" { // a row that was split too often cannot be seen by its account
		t.named = min(t.named, u.Required)
	}
	t.records = lines.Records(dialectOf(u.Separator, u.Quote), u.Column, t.isRow)
	return t
}

// begin goes to the first row.
func (t *textTable) begin() error {
	err := error(nil)
	if t.understanding.Header == nil {
		err = t.records.SkipTo(t.understanding.FirstLine, nil)
	} else {
		err = t.records.SkipHeader(t.understanding.FirstLine)
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// reasons are those of records that cannot be split.
var reasons = map[text.Problem]Reason{text.StrayQuote: StrayQuote, text.OpenQuote: OpenQuote, text.TooLong: RowTooLong}

func (t *textTable) next(row *Row) error {
	record, err := t.records.Next()
	if err != nil {
		return err
	}
	t.number++
	*row = Row{Number: t.number, Line: record.Line}
	if record.Problem != 0 {
		row.setAside(reasons[record.Problem], record.First)
	} else {
		t.judge(row, record)
	}
	return nil
}

// judge decides on a row that could be split.
func (t *textTable) judge(row *Row, record *text.Record) {
	u := &t.understanding
	row.Fields = originals(record.Cells())
	if u.Column < len(row.Fields) {
		row.Value = row.Fields[u.Column]
	}
	indented, whole := false, row.Value
	if u.Column < record.Len() && !record.Quoted(u.Column) {
		indented = strings.HasPrefix(row.Value, " ") && !isIndented(u.Header, u.Column)
		row.Value = trimmed(row.Value)
	}
	switch {
	case record.NotText:
		row.notText()
	case record.InQuote:
		row.Reason = InQuote
	case t.doubts.middle(row.Fields, row.Value):
		row.Reason = RepeatedHeader
	case record.Len() > u.Columns, filledIn(row.Fields[min(t.named, record.Len()):]) > 0:
		row.Reason = Ragged
	default:
		judged := t.rules.judge(row.Value)
		if judged == "" && indented && !u.WholeLine {
			judged = SeveralValues
		}
		row.settle(&t.doubts, judged, false, t.isShort(row.Fields), true)
		if row.Reason != "" {
			row.Value = whole
		}
		return
	}
	row.mark(u.Column)
}

// isShort reports whether a row lacks cells other than empty ones at its end: one
// that nearly every row has, or what is left was split too seldom.
func (t *textTable) isShort(fields []string) bool {
	u := &t.understanding
	if len(fields) >= u.Columns {
		return false
	}
	return len(fields) < u.Required ||
		slices.ContainsFunc(u.Filled, func(i int) bool { return i >= len(fields) || isBlank(fields[i]) }) ||
		slices.ContainsFunc(u.WithDigit, func(i int) bool { return i < len(fields) && !isBlank(fields[i]) && !hasDigit(fields[i]) })
}

// isRow reports whether a line inside quotes, read alone, has an account in its
// place that is like the others of the file; of a table, with a cell beside it, and
// with as many as there are columns where accounts are not alike.
func (t *textTable) isRow(cells []string) bool {
	u := &t.understanding
	if u.Column >= len(cells) || len(cells) < min(u.Columns, 2) || u.Like.Class == "" && len(cells) < u.Columns {
		return false
	}
	cell := strings.Trim(cells[u.Column], " ")
	if u.Columns > 1 && strings.HasSuffix(cell, u.Quote) && !strings.HasPrefix(cell, u.Quote) {
		return false // the end of the cell that began above
	}
	value := trimmed(original(strings.Trim(cell, u.Quote+" ")))
	reason := t.rules.judge(value)
	return (reason == "" || reason == SeveralValues && u.Like.Class != "") && u.Like.fits(value)
}

// originals undoes what an export did to cells.
func originals(cells []string) []string {
	for i, cell := range cells {
		cells[i] = original(cell)
	}
	return cells
}
