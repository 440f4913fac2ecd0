package accounts

import (
	"io"

	"tagsweep/internal/accounts/text"
)

// textTable is the rows of a text.
type textTable struct {
	records       *text.Records
	understanding Understanding
	rules         rules
	number        int64 // of the last row
	joined        joined
}

func newTextTable(lines *text.Lines, u Understanding, limit int) *textTable {
	t := &textTable{understanding: u, rules: rules{limit: limit, wholeLine: u.WholeLine}, joined: newJoined(u)}
	t.records = lines.Records(dialectOf(u.Separator, u.Quote), t.isRow)
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

func (t *textTable) next() (Row, error) {
	record, err := t.records.Next()
	if err != nil {
		return Row{}, err
	}
	t.number++
	row := Row{Number: t.number, Line: record.Line}
	if record.Problem != 0 {
		row.setAside(reasons[record.Problem], record.First)
	} else {
		t.judge(&row, record)
	}
	return row, nil
}

// judge decides on a row that could be split.
func (t *textTable) judge(row *Row, record *text.Record) {
	column := t.understanding.Column
	row.Fields = originals(record.Cells())
	if column < len(row.Fields) {
		row.Value = row.Fields[column]
	}
	middle := t.joined.reason(row.Fields, row.Value, t.understanding)
	switch {
	case record.NotText:
		row.notText()
	case record.InQuote:
		row.Reason = InQuote
	case middle != "":
		row.Reason = middle
	case !t.fits(record):
		row.Reason = Ragged
	default:
		row.Reason = t.rules.judge(row.Value, record.Quoted(column))
		row.settle(&t.understanding, true)
		return
	}
	row.mark(column)
}

// fits reports whether a record has the cells a row must have, and nothing
// beyond the last column that has a name.
func (t *textTable) fits(record *text.Record) bool {
	return record.Len() >= t.understanding.Required && record.BlankFrom(t.understanding.Required)
}

// isRow reports whether a line, read alone, would be the row of an account, or
// the beginning of one.
func (t *textTable) isRow(line *text.Record) bool {
	column := t.understanding.Column
	whole := line.Problem == 0 && t.fits(line)
	begun := line.Problem == text.OpenQuote && column < line.Len()
	return (whole || begun) && t.rules.judge(original(line.Cell(column)), line.Quoted(column)) == ""
}

// originals undoes what an export did to cells.
func originals(cells []string) []string {
	for i, cell := range cells {
		cells[i] = original(cell)
	}
	return cells
}
