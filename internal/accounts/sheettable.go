package accounts

import (
	"tagsweep/internal/accounts/text"
	"tagsweep/internal/accounts/workbook"
)

// sheetTable is the rows of a workbook's sheet.
type sheetTable struct {
	rows          *workbook.Rows
	understanding Understanding
	rules         rules
	joined        joined
	number        int64
	begun         bool
}

func (t *sheetTable) next() (Row, error) {
	for {
		found, err := t.rows.Next()
		if err != nil {
			return Row{}, err
		}
		if found.Line < t.understanding.FirstLine {
			continue
		}
		if !t.begun {
			if t.begun = true; t.understanding.Header != nil {
				continue
			}
		}
		t.number++
		return t.row(found), nil
	}
}

// cellReasons are why cells are no account although they may look like one.
var cellReasons = map[workbook.Kind]Reason{
	workbook.Rounded: DamagedNumber, workbook.Formula: Formula, workbook.Other: CellType,
	workbook.Escaped: CellType,
}

func (t *sheetTable) row(found workbook.Row) Row {
	column, tags := t.understanding.Column, t.understanding.TagColumn
	row := Row{Number: t.number, Line: found.Line}
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
	row.Value = row.Fields[column]
	var typed Reason
	if column < len(found.Cells) {
		typed = cellReasons[found.Cells[column].Kind]
	}
	middle := t.joined.reason(row.Fields, row.Value, t.understanding)
	switch {
	case !isText:
		row.notText()
	case middle != "":
		row.Reason = middle
	case found.Wide:
		row.Reason = Ragged
	case !isBlank(row.Value) && typed != "":
		row.Reason = typed
	default:
		row.Reason = t.rules.judge(row.Value, false)
		row.settle(&t.understanding, tags == 0 || tags > len(found.Cells) || found.Cells[tags-1].Kind == workbook.Plain)
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
