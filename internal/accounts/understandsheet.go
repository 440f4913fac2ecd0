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
	sheets, err := f.chosenSheets(c)
	if err != nil {
		return u, err
	}
	if len(c.Sheets) == 0 {
		if u, err = f.understandSheet(sheets[0], c, limit); err != nil || len(sheets) == 1 {
			return u, noTable(err, c)
		}
		q := Question{Name: AskSheets, Suggested: sheets[0].Name}
		for _, sheet := range sheets[:min(len(sheets), sheetsShown)] {
			first, err := f.firstOfSheet(sheet, u)
			if err != nil {
				return u, err
			}
			q.Choices = append(q.Choices, Choice{Value: sheet.Name, Label: sheet.Name, First: first})
		}
		u.Unsure = append([]Question{q}, u.Unsure...)
		return u, nil
	}
	if u, err = f.understandSheet(sheets[0], c, limit); err == io.EOF && c.FirstLine == 0 {
		return u, FaultSheetEmpty.With(sheets[0].Name)
	} else if err != nil {
		return u, noTable(err, c)
	}
	for _, sheet := range sheets[1:] {
		if err := f.hasHeader(sheet, u.Header); err != nil {
			return u, err
		}
		u.Chosen = append(u.Chosen, sheet.Name)
	}
	return u, nil
}

// chosenSheets are those that were chosen, in the order of the workbook; else the
// visible ones that have rows, or one that has only a header.
func (f *file) chosenSheets(c Choices) (sheets []workbook.Sheet, err error) {
	for _, name := range c.Sheets {
		if _, ok := f.book.Sheet(name); !ok {
			return nil, FaultNoSheet.With(readable(name))
		}
	}
	for _, sheet := range f.book.Sheets {
		if slices.Contains(c.Sheets, sheet.Name) {
			sheets = append(sheets, sheet)
		}
	}
	if len(c.Sheets) > 0 {
		return sheets, nil
	}
	var oneRow []workbook.Sheet
	for _, sheet := range f.book.Sheets {
		if sheet.Hidden && slices.ContainsFunc(f.book.Sheets, func(s workbook.Sheet) bool { return !s.Hidden }) {
			continue
		}
		has, err := f.book.HasRows(sheet)
		if err == nil && !has && !f.book.IsBlank(sheet) {
			has, err = f.isOneAccount(sheet)
		}
		switch {
		case err != nil:
			return nil, err
		case has:
			sheets = append(sheets, sheet)
		case !f.book.IsBlank(sheet):
			oneRow = append(oneRow, sheet)
		}
	}
	switch {
	case len(sheets) > 0:
		return sheets, nil
	case len(oneRow) > 0:
		return oneRow, nil
	case slices.ContainsFunc(f.book.Sheets, func(s workbook.Sheet) bool { return s.Hidden && !f.book.IsBlank(s) }):
		return nil, FaultHidden.With()
	}
	return nil, noTable(io.EOF, c)
}

// isOneAccount reports whether the only row of a sheet is no header, since it has a digit.
func (f *file) isOneAccount(sheet workbook.Sheet) (bool, error) {
	s, err := f.book.FirstRows(sheet)
	if err != nil {
		return false, err
	}
	defer s.Close()
	found, err := s.Next()
	if err == io.EOF {
		return false, nil
	}
	return err == nil && slices.ContainsFunc(sampled(found).cells, hasDigit), err
}

// hasHeader returns a fault unless the header of the first sheet stands near the
// beginning of another one.
func (f *file) hasHeader(sheet workbook.Sheet, header []string) error {
	if header == nil {
		return nil
	}
	s, err := f.book.FirstRows(sheet)
	if err != nil {
		return err
	}
	defer s.Close()
	for range aboveRows + 1 {
		found, err := s.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		if isHeaderOf(header, sampled(found).cells) {
			return nil
		}
	}
	return FaultSheetHeader.With(sheet.Name)
}

// firstOfSheet are the first values of a sheet in the column of the accounts.
func (f *file) firstOfSheet(sheet workbook.Sheet, u Understanding) (first []string, err error) {
	s, err := f.book.FirstRows(sheet)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for range 2 * shownValues {
		found, err := s.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		row := sampled(found)
		if cell := row.cell(u.Column); !isBlank(cell) && !isHeaderOf(u.Header, row.cells) && len(first) < shownValues {
			first = append(first, shorten(cell))
		}
	}
	return first, nil
}

func (f *file) understandSheet(sheet workbook.Sheet, c Choices, limit int) (u Understanding, err error) {
	s, err := f.book.FirstRows(sheet)
	if err != nil {
		return u, err
	}
	defer s.Close()
	u = Understanding{Workbook: true, Chosen: []string{sheet.Name}, WholeLine: c.Separator == OnePerLine}
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
	r := rules{limit: limit, wholeLine: u.WholeLine, tags: f.tags}
	found := findTable(rows, c, r)
	for _, row := range rows {
		if row.line < found.line {
			u.above(row.asLine())
		}
	}
	if c.Column == 0 && s.HiddenColumn(found.column) && !found.asks(AskColumn) {
		found.unsure = append(found.unsure, found.columnQuestion(found.used()))
	}
	err = u.take(found, c, r)
	u.Separator, u.Quote = "", ""
	return u, err
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
