package accounts

import (
	"io"
	"slices"
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
	like := u.Header
	if u.Header == nil || isFault(err) {
		like = []string{"", u.firstSheet(), strings.Join(u.Above, "\n")}
	}
	for _, q := range u.Unsure {
		if q.Name == AskSheets { // who chose among these sheets has not seen others
			for _, sheet := range q.Choices {
				like = append(slices.Clip(like), "\n"+sheet.Value)
			}
		}
	}
	shape := f.digest(like)
	if !c.IsZero() {
		u, err = f.understandSheets(c, limit)
	}
	u.Shape = shape
	return u, err
}

// understandSheets takes the sheets that were chosen, else the only visible one
// that has rows. When several have, it asks.
func (f *file) understandSheets(c Choices, limit int) (u Understanding, err error) {
	sheets, err := f.sheetsFor(c)
	if err != nil {
		return u, err
	}
	if u, err = f.understandSheet(sheets[0], c, limit); err == io.EOF && c.FirstLine == 0 && len(c.Sheets) > 0 {
		return u, FaultSheetEmpty.With(sheets[0].Name)
	} else if err != nil {
		return u, noTable(err, c)
	}
	if len(c.Sheets) == 0 {
		if len(sheets) > 1 {
			err = f.askSheets(sheets, &u)
		}
		return u, err
	}
	for _, sheet := range sheets[1:] {
		rows, _, err := f.firstRows(sheet, 0, aboveRows+1)
		if err != nil {
			return u, err
		}
		if u.Header != nil && !slices.ContainsFunc(rows, func(row sampleRow) bool { return isHeaderOf(u.Header, row.cells) }) {
			return u, FaultSheetHeader.With(sheet.Name)
		}
		u.Chosen = append(u.Chosen, sheet.Name)
	}
	return u, nil
}

func (f *file) askSheets(sheets []workbook.Sheet, u *Understanding) error {
	q := Question{Name: AskSheets, Suggested: sheets[0].Name}
	for _, sheet := range sheets[:min(len(sheets), sheetsShown)] {
		rows, _, err := f.firstRows(sheet, 0, 2*shownValues)
		if err != nil {
			return err
		}
		l := layout{rows: slices.DeleteFunc(rows, func(row sampleRow) bool { return isHeaderOf(u.Header, row.cells) })}
		q.Choices = append(q.Choices, Choice{sheet.Name, sheet.Name, l.firstValues(u.Column)})
	}
	u.Unsure = append([]Question{q}, u.Unsure...)
	return nil
}

// sheetsFor are the sheets that were chosen, in the order of the workbook; else the
// visible ones that have rows, or one that has only a header.
func (f *file) sheetsFor(c Choices) (sheets []workbook.Sheet, err error) {
	for _, name := range c.Sheets {
		if _, ok := f.book.Sheet(name); !ok {
			return nil, FaultNoSheet.With(readable(name))
		}
	}
	var headers, hidden []workbook.Sheet
	for _, sheet := range f.book.Sheets {
		if len(c.Sheets) > 0 {
			if slices.Contains(c.Sheets, sheet.Name) {
				sheets = append(sheets, sheet)
			}
			continue
		}
		rows, _, err := f.firstRows(sheet, 0, 2)
		switch {
		case err != nil && sheet.Hidden: // nobody reads it
		case err != nil:
			return nil, err
		case len(rows) == 0:
		case sheet.Hidden:
			hidden = append(hidden, sheet)
		case len(rows) > 1 || slices.ContainsFunc(rows[0].cells, hasDigit):
			sheets = append(sheets, sheet)
		default:
			headers = append(headers, sheet)
		}
	}
	switch {
	case len(sheets) > 0:
		return sheets, nil
	case len(headers) > 0:
		return headers, nil
	case len(hidden) > 0:
		return nil, FaultHidden.With()
	}
	return nil, noTable(io.EOF, c)
}

// firstRows are at most so many rows of a sheet, with a few of those above a line;
// isHidden tells which columns nobody sees.
func (f *file) firstRows(sheet workbook.Sheet, line int64, most int) (rows []sampleRow, isHidden func(column int) bool, err error) {
	s, err := f.book.FirstRows(sheet)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	for bytes := 0; len(rows) < most && bytes < 4*text.MaxRecord; {
		found, err := s.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			return nil, nil, err
		}
		if found.Line < line && len(rows) >= aboveShown {
			continue
		}
		bytes += found.Bytes
		rows = append(rows, sampled(found))
	}
	return rows, s.HiddenColumn, nil
}

func (f *file) understandSheet(sheet workbook.Sheet, c Choices, limit int) (u Understanding, err error) {
	rows, isHidden, err := f.firstRows(sheet, c.FirstLine, sampleRows)
	if err != nil {
		return u, err
	}
	u = Understanding{Workbook: true, Chosen: []string{sheet.Name}, WholeLine: c.Separator == OnePerLine}
	u.Packed, u.Entry = f.packing()
	for _, s := range f.book.Sheets[:min(len(f.book.Sheets), sheetsShown)] {
		u.Sheets = append(u.Sheets, s.Name)
	}
	begin, widest := 0, 1
	for i, row := range rows {
		if row.line < c.FirstLine {
			begin = i + 1
		} else {
			widest = max(widest, len(row.cells))
		}
	}
	if begin == len(rows) {
		return u, io.EOF
	}
	for i := range rows { // a cell that is not there is only empty
		for len(rows[i].cells) < widest {
			rows[i].cells, rows[i].typed = append(rows[i].cells, ""), append(rows[i].typed, false)
		}
	}
	r := rules{limit: limit, wholeLine: u.WholeLine, tags: f.tags, hidden: isHidden}
	found := findTable(rows[begin:], c, r)
	for _, row := range rows {
		if row.line < found.line {
			u.above(strings.TrimRight(strings.Join(row.cells, "  "), " "))
		}
	}
	if c.Column == 0 && isHidden(found.column) && !found.asks(AskColumn) {
		found.unsure = append(found.unsure, found.columnQuestion(found.used()))
	}
	err = u.take(found, c, r)
	u.Separator, u.Quote = "", ""
	return u, err
}

func sampled(found workbook.Row) sampleRow {
	row := sampleRow{line: found.Line, typed: []bool{}}
	for _, cell := range found.Cells {
		row.cells, row.typed = append(row.cells, trimmed(original(cell.Text))), append(row.typed, cell.Kind != workbook.Plain)
	}
	return row
}
