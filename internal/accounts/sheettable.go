package accounts

import (
	"io"
	"strings"
)

// sheetTable is the rows of a workbook's sheet.
type sheetTable struct {
	sheet         *sheet
	understanding Understanding
	rules         rules
	joined        joined
	number        int64
	begun         bool
}

func (t *sheetTable) next() (Row, error) {
	for {
		found, err := t.sheet.next()
		if err != nil {
			return Row{}, err
		}
		if found.line < t.understanding.FirstLine {
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

func (t *sheetTable) row(found sheetRow) Row {
	column := t.understanding.Column
	row := Row{Number: t.number, Line: found.line}
	if found.bytes > maxRecord {
		row.setAside(RowTooLong, shortened([]byte(found.begins())))
		return row
	}
	row.Fields = make([]string, max(t.understanding.Columns, len(found.cells), column+1, t.understanding.TagColumn))
	text := true
	for i, cell := range found.cells {
		row.Fields[i] = original(cell.text)
		text = text && isText([]byte(cell.text))
	}
	row.Value = row.Fields[column]
	var typed Reason
	if column < len(found.cells) {
		typed = found.cells[column].reason
	}
	middle := t.joined.reason(row.Fields, row.Value, t.understanding)
	switch {
	case !text:
		row.Reason = NotText
		row.Value = readable(row.Value)
		for i, field := range row.Fields {
			row.Fields[i] = readable(field)
		}
	case middle != "":
		row.Reason = middle
	case found.wide:
		row.Reason = Ragged
	case strings.Trim(row.Value, " \t") != "" && typed != "":
		row.Reason = typed
	default:
		row.Reason = t.rules.judge(row.Value, false)
		tags := t.understanding.TagColumn - 1
		row.settle(&t.understanding, tags < 0 || tags >= len(found.cells) || found.cells[tags].reason == "")
		return row
	}
	row.mark(column)
	return row
}

// begins is the first text of a row.
func (r sheetRow) begins() string {
	for _, cell := range r.cells {
		if cell.text != "" {
			return cell.text
		}
	}
	return ""
}

const (
	sampleRows  = 2000 // of a sheet are looked at to understand it
	sheetsShown = 200  // by name
)

func (f *file) understandBook(c Choices, limit int) (Understanding, error) {
	// What the workbook is like without any choice decides its shape.
	u, err := f.understandSheets(Choices{}, limit)
	shape := f.digest(u.Header)
	if u.Header == nil || isFault(err) {
		shape = f.digest([]string{"", u.Sheet, strings.Join(u.Above, "\n")})
	}
	if c != (Choices{}) {
		u, err = f.understandSheets(c, limit)
	}
	u.Shape = shape
	return u, err
}

// understandSheets takes the sheet that was chosen, else the first that has rows.
func (f *file) understandSheets(c Choices, limit int) (u Understanding, err error) {
	sheets := f.book.byDefault()
	if c.Sheet != "" {
		s, ok := f.book.sheet(c.Sheet)
		if !ok {
			return u, FaultNoSheet.With(readable(c.Sheet))
		}
		sheets = []sheetPart{s}
	}
	for _, s := range sheets {
		if f.book.blank[s.part] {
			continue
		}
		if u, err = f.understandSheet(s, c, limit); err != io.EOF {
			return u, err
		}
	}
	switch {
	case c.Sheet != "" && c.FirstLine == 0:
		return u, FaultSheetEmpty.With(sheets[0].name)
	case c.Sheet == "" && len(sheets) < len(f.book.sheets):
		return u, FaultHidden.With()
	}
	return u, noTable(io.EOF, c)
}

func (f *file) understandSheet(part sheetPart, c Choices, limit int) (u Understanding, err error) {
	s, err := f.book.openSheet(part, f.opening)
	if err != nil {
		return u, err
	}
	defer s.Close()
	u = Understanding{Packed: f.packed, Entry: f.entry, Workbook: true, Sheet: part.name}
	for _, s := range f.book.sheets[:min(len(f.book.sheets), sheetsShown)] {
		u.Sheets = append(u.Sheets, s.name)
	}
	var rows []sampleRow
	bytes, widest := 0, 1
	for len(rows) < sampleRows && bytes < 4*maxRecord {
		found, err := s.next()
		if err == io.EOF {
			break
		} else if err != nil {
			return u, err
		}
		row := found.sample()
		if found.line < c.FirstLine {
			u.above(row)
			continue
		}
		widest = max(widest, len(row.cells))
		bytes += found.bytes
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		f.book.blank[part.part] = c.FirstLine == 0
		return u, io.EOF
	}
	for i := range rows { // a cell that is not there is only empty
		for len(rows[i].cells) < widest {
			rows[i].cells, rows[i].typed = append(rows[i].cells, ""), append(rows[i].typed, false)
		}
	}
	found := findBelowTitle(rows, c, rules{limit: limit, tags: f.tags})
	for _, row := range rows {
		if row.line < found.line {
			u.above(row)
		}
	}
	err = u.take(found, c, 0, f.tags)
	u.Separator, u.Quote = "", ""
	return u, err
}

// findBelowTitle finds the table of a sheet whose first rows may be a title: one
// cell that is no account, over rows that are wider. A title is no header, and
// where none stands below it, it counts as a row.
func findBelowTitle(rows []sampleRow, c Choices, r rules) candidate {
	found := findTable(rows, c, r)
	if _, named := namedColumn(rows[0].cells); named || c.FirstLine != 0 || c.Header == No || found.line != rows[0].line {
		return found
	}
	wide, titles := 0, 0
	for _, row := range rows {
		if row.filled() > 1 {
			wide++
		}
	}
	for titles < len(rows)-1 && rows[titles].isTitle(r) {
		titles++
	}
	if titles == 0 || wide*2 <= len(rows) {
		return found
	}
	if below := findTable(rows[titles:], c, r); below.header != nil {
		return below
	} else if found.header == nil {
		return found
	}
	c.Header = No
	return findTable(rows, c, r)
}

func (row sampleRow) filled() (cells int) {
	for _, cell := range row.cells {
		if strings.Trim(cell, " \t") != "" {
			cells++
		}
	}
	return cells
}

func (row sampleRow) isTitle(r rules) bool {
	if row.filled() != 1 {
		return false
	}
	for i, cell := range row.cells {
		if strings.Trim(cell, " \t") == "" {
			continue
		}
		reason := r.judge(cell, true)
		if row.typed[i] || reason != BadCharacter && reason != Annotated && (reason != "" || !strings.ContainsAny(cell, " :")) {
			return false
		}
	}
	return true
}

func (r sheetRow) sample() sampleRow {
	row := sampleRow{line: r.line, typed: []bool{}}
	for _, cell := range r.cells {
		row.cells, row.typed = append(row.cells, original(cell.text)), append(row.typed, cell.reason != "")
	}
	return row
}

func (u *Understanding) above(row sampleRow) {
	if len(u.Above) < aboveShown {
		u.Above = append(u.Above, shorten(strings.TrimRight(strings.Join(row.cells, "  "), " ")))
	}
}
