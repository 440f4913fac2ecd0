package accounts

import (
	"io"
	"slices"

	"tagsweep/internal/accounts/text"
	"tagsweep/internal/accounts/workbook"
)

// sheetTable is the rows of a workbook's sheets, one after the other.
type sheetTable struct {
	book          *workbook.Workbook
	rows          *workbook.Rows // of the sheet at hand
	further       []string       // sheets still to be read
	understanding Understanding
	rules         rules
	doubts        doubts
	number        int64
	begun         bool // past the header of the sheet at hand
	first         bool // the sheet at hand is the first
}

func (f *file) newSheetTable(u Understanding, limit int) (*sheetTable, error) {
	t := &sheetTable{book: f.book, further: u.Chosen, understanding: u, first: true}
	t.rules = rules{limit: limit, wholeLine: u.WholeLine}
	t.doubts = newDoubts(&t.understanding)
	if len(u.Chosen) == 0 {
		return nil, FaultNoSheet.With("")
	}
	return t, t.open()
}

// open begins the next sheet.
func (t *sheetTable) open() error {
	sheet, ok := t.book.Sheet(t.further[0])
	if !ok {
		return FaultNoSheet.With(t.further[0])
	}
	rows, err := t.book.Rows(sheet)
	t.rows, t.further, t.begun = rows, t.further[1:], t.understanding.Header == nil
	return err
}

func (t *sheetTable) Close() error { return t.rows.Close() }

func (t *sheetTable) next(row *Row) error {
	for {
		found, err := t.rows.Next()
		if err == io.EOF && len(t.further) > 0 {
			t.rows.Close()
			if err := t.open(); err != nil {
				return err
			}
			t.first, t.doubts.changed = false, false
			continue
		} else if err != nil {
			return err
		}
		if t.first && found.Line < t.understanding.FirstLine {
			continue
		}
		if !t.begun {
			t.begun = t.first || isHeaderOf(t.understanding.Header, sampled(found).cells)
			continue
		}
		t.number++
		*row = t.row(found)
		return nil
	}
}

// isHeaderOf compares the header of the first sheet with a row of another one.
func isHeaderOf(header, cells []string) bool {
	return slices.Equal(withoutBlankEnd(header), withoutBlankEnd(cells))
}

// cellReasons are why cells are no account although they may look like one.
var cellReasons = map[workbook.Kind]Reason{
	workbook.Rounded: DamagedNumber, workbook.Formula: Formula, workbook.Other: CellType,
	workbook.Escaped: CellType,
}

func (t *sheetTable) row(found workbook.Row) Row {
	column, tags := t.understanding.Column, t.understanding.TagColumn
	row := Row{Number: t.number, Line: found.Line}
	if chosen := t.understanding.Chosen; len(chosen) > 1 {
		row.Sheet = chosen[len(chosen)-len(t.further)-1]
	}
	if found.Bytes > text.MaxRecord {
		row.setAside(RowTooLong, shortened(firstText(found)))
		return row
	}
	row.Fields = make([]string, max(t.understanding.Columns, len(found.Cells), column+1, tags))
	isText := true
	for i, cell := range found.Cells {
		row.Fields[i] = original(cell.Text)
		isText = isText && isReadable(cell.Text)
	}
	row.Value = trimmed(row.Fields[column])
	var typed Reason
	if column < len(found.Cells) {
		typed = cellReasons[found.Cells[column].Kind]
	}
	switch {
	case !isText:
		row.notText()
	case t.doubts.middle(row.Fields, row.Value):
		row.Reason = RepeatedHeader
	case found.Wide:
		row.Reason = Ragged
	case typed != "":
		row.Reason = typed
	default:
		row.settle(&t.doubts, t.rules.judge(row.Value), found.Hidden, false,
			tags == 0 || tags > len(found.Cells) || found.Cells[tags-1].Kind == workbook.Plain)
		return row
	}
	row.mark(column)
	return row
}

func firstText(row workbook.Row) string {
	for _, cell := range row.Cells {
		if cell.Text != "" {
			return cell.Text
		}
	}
	return ""
}
