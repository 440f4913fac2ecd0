package accounts

import (
	"io"
	"strings"

	"tagsweep/internal/accounts/text"
	"tagsweep/internal/accounts/workbook"
)

const (
	sampleRows  = 2000 // of a sheet are looked at to understand it
	sheetsShown = 200  // by name
)

func (f *file) understandBook(c Choices, limit int) (Understanding, error) {
	// What the workbook is like without any choice decides its shape.
	u, err := f.understandSheets(Choices{}, limit)
	shape := f.digest(u.Header)
	if u.Header == nil || isFault(err) {
		shape = f.digest([]string{"", u.firstSheet(), strings.Join(u.Above, "\n")})
	}
	if !c.IsZero() {
		u, err = f.understandSheets(c, limit)
	}
	u.Shape = shape
	return u, err
}

// understandSheets takes the sheet that was chosen, else the first that has rows.
func (f *file) understandSheets(c Choices, limit int) (u Understanding, err error) {
	sheets := visibleSheets(f.book)
	if len(c.Sheets) > 0 {
		s, ok := f.book.Sheet(c.Sheets[0])
		if !ok {
			return u, FaultNoSheet.With(readable(c.Sheets[0]))
		}
		sheets = []workbook.Sheet{s}
	}
	for _, s := range sheets {
		if f.book.IsBlank(s) {
			continue
		}
		if u, err = f.understandSheet(s, c, limit); err != io.EOF {
			return u, err
		}
	}
	switch {
	case len(c.Sheets) > 0 && c.FirstLine == 0:
		return u, FaultSheetEmpty.With(sheets[0].Name)
	case len(c.Sheets) == 0 && len(sheets) < len(f.book.Sheets):
		return u, FaultHidden.With()
	}
	return u, noTable(io.EOF, c)
}

// visibleSheets are those among which one with rows is looked for: a person has
// not seen what hidden ones hold, unless all are hidden.
func visibleSheets(book *workbook.Workbook) (visible []workbook.Sheet) {
	for _, s := range book.Sheets {
		if !s.Hidden {
			visible = append(visible, s)
		}
	}
	if visible == nil {
		return book.Sheets
	}
	return visible
}

func (f *file) understandSheet(sheet workbook.Sheet, c Choices, limit int) (u Understanding, err error) {
	s, err := f.book.FirstRows(sheet)
	if err != nil {
		return u, err
	}
	defer s.Close()
	u = Understanding{Workbook: true, Chosen: []string{sheet.Name}}
	u.Packed, u.Entry = f.packing()
	for _, s := range f.book.Sheets[:min(len(f.book.Sheets), sheetsShown)] {
		u.Sheets = append(u.Sheets, s.Name)
	}
	var rows []sampleRow
	bytes, widest := 0, 1
	for len(rows) < sampleRows && bytes < 4*text.MaxRecord {
		found, err := s.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			return u, err
		}
		row := sampled(found)
		if found.Line < c.FirstLine {
			u.above(row.asLine())
			continue
		}
		widest = max(widest, len(row.cells))
		bytes += found.Bytes
		rows = append(rows, row)
	}
	if len(rows) == 0 {
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
			u.above(row.asLine())
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
	_, named := namedColumn(rows[0].cells)
	if named || c.FirstLine != 0 || c.Header == No || found.line != rows[0].line {
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
		if !isBlank(cell) {
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
		if isBlank(cell) {
			continue
		}
		reason := r.judge(cell, true)
		sentence := reason == BadCharacter || reason == Annotated || reason == "" && strings.ContainsAny(cell, " :")
		if row.typed[i] || !sentence {
			return false
		}
	}
	return true
}

func sampled(found workbook.Row) sampleRow {
	row := sampleRow{line: found.Line, typed: []bool{}}
	for _, cell := range found.Cells {
		row.cells, row.typed = append(row.cells, original(cell.Text)), append(row.typed, cell.Kind != workbook.Plain)
	}
	return row
}

// asLine is the row as one line to be shown.
func (row sampleRow) asLine() string { return strings.TrimRight(strings.Join(row.cells, "  "), " ") }
