package accounts

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
)

var (
	errOrder  = errors.New("rows or cells of a sheet are not in order")
	errShared = errors.New("a cell refers to a text that is not there")
)

// cellDepth is how deep a cell stands: in a row of the data of a sheet.
const cellDepth = 4

// sheetCell is a cell as it is shown, and why it is no account although it may
// look like one.
type sheetCell struct {
	text   string
	reason Reason
}

// sheetRow is a row that is not blank.
type sheetRow struct {
	line  int64
	cells []sheetCell // up to the last one with text, and not more than MaxColumns
	wide  bool        // there is text beyond them
	bytes int         // of its text
}

// sheet is the stream of a sheet's rows.
type sheet struct {
	*part
	book *workbook
	line int64
	done bool
}

// open begins to read the rows of a sheet, as often as is asked for.
func (w *workbook) open(s sheetPart) (*sheet, error) { return w.openSheet(s, w.file.whole()) }

func (w *workbook) openSheet(s sheetPart, b *budget) (*sheet, error) {
	w.file.read, w.file.total = 0, 1
	if entry := w.parts[partName(s.part)]; entry != nil {
		w.file.total = max(1, int64(min(entry.UncompressedSize64, 1<<62)))
	}
	p, err := w.openPart(s.part, b, &w.file.read)
	if err != nil {
		return nil, err
	}
	return &sheet{part: p, book: w}, nil
}

// next returns the next row that is not blank; io.EOF after the last one.
func (s *sheet) next() (sheetRow, error) {
	for !s.done {
		token, err := s.part.next()
		if err == io.EOF {
			s.done = true
			break
		} else if err != nil {
			return sheetRow{}, s.book.file.source.why(err)
		}
		start, ok := token.(xml.StartElement)
		if ok && start.Name.Local == "c" && s.depth == cellDepth-1 {
			return sheetRow{}, FaultDamaged.Because(errOrder)
		}
		if !ok || start.Name.Local != "row" {
			continue
		}
		line := s.line + 1
		if r := attribute(start, "r"); r != "" {
			if line, err = strconv.ParseInt(r, 10, 64); err != nil || line <= s.line || line > 1<<40 {
				return sheetRow{}, FaultDamaged.Because(errOrder)
			}
		}
		s.line = line
		row := sheetRow{line: line}
		if err := s.readRow(&row); err != nil {
			return sheetRow{}, s.book.file.source.why(err)
		}
		if len(row.cells) > 0 || row.wide {
			return row, nil
		}
	}
	return sheetRow{}, io.EOF
}

func (s *sheet) readRow(row *sheetRow) error {
	column := 0
	for {
		token, err := s.part.next()
		if err != nil {
			return noEnd(err)
		}
		switch token := token.(type) {
		case xml.EndElement:
			if token.Name.Local == "row" {
				return nil
			}
		case xml.StartElement:
			if token.Name.Local == "row" {
				return errOrder
			}
			if token.Name.Local != "c" {
				continue
			}
			at := column
			if r := attribute(token, "r"); r != "" {
				if at = columnOf(r); at < column {
					return errOrder
				}
			}
			column = at + 1
			cell, err := s.readCell(token)
			if err != nil {
				return err
			}
			row.put(at, cell)
		}
	}
}

func (row *sheetRow) put(at int, cell sheetCell) {
	row.bytes += len(cell.text)
	switch {
	case strings.Trim(cell.text, " \t") == "":
		return
	case at >= MaxColumns:
		row.wide = true
		return
	case row.bytes > maxRecord && len(row.cells) > 0:
		return // the row is set aside
	case row.bytes > maxRecord:
		at, cell.text = 0, string(shortened([]byte(cell.text)))
	}
	for len(row.cells) <= at {
		row.cells = append(row.cells, sheetCell{})
	}
	row.cells[at] = cell
}

// readCell reads up to the end of the cell. Nothing is evaluated: of a formula,
// the value that was stored with it is taken.
func (s *sheet) readCell(start xml.StartElement) (cell sheetCell, err error) {
	kind, value, valued, formula := attribute(start, "t"), "", false, false
	for level := 1; level > 0; {
		token, err := s.part.next()
		if err != nil {
			return cell, noEnd(err)
		}
		switch token := token.(type) {
		case xml.EndElement:
			level--
		case xml.StartElement:
			level++
			switch name := token.Name.Local; name {
			case "row", "c":
				err = errOrder
			case "f":
				formula = true
			case "v", "is":
				if valued {
					return cell, errOrder
				}
				valued = true
				value, err = s.text(name == "is")
				level--
			}
			if err != nil {
				return cell, err
			}
		}
	}
	if cell, err = s.cell(kind, attribute(start, "s"), value); err == nil && formula {
		cell.reason = Formula
	}
	return cell, err
}

func (s *sheet) cell(kind, style, value string) (sheetCell, error) {
	switch kind {
	case "s":
		if value == "" {
			return sheetCell{}, nil
		}
		i, err := strconv.Atoi(strings.TrimSpace(value))
		text, ok := s.book.shared.at(i)
		if err != nil || !ok {
			return sheetCell{}, errShared
		}
		// A short cell may refer to a long text again and again.
		return sheetCell{text: text}, s.budget.take(len(text))
	case "str", "inlineStr":
		return sheetCell{text: unescaped(value)}, nil
	case "b":
		text := "FALSE"
		if isTrue(value) {
			text = "TRUE"
		}
		return sheetCell{text, CellType}, nil
	case "e":
		return sheetCell{value, Formula}, nil
	case "d":
		return sheetCell{value, CellType}, nil
	}
	if value == "" {
		return sheetCell{}, nil
	}
	var format numberFormat
	if i, err := strconv.Atoi(style); err == nil && i >= 0 && i < len(s.book.formats) {
		format = s.book.formats[i]
	} else if style != "" && len(s.book.formats) > 0 {
		format = formatOfNumber(-1, "")
	}
	text, reason := numberCell(strings.TrimSpace(value), format, s.book.since1904)
	return sheetCell{text, reason}, nil
}

// columnOf is the column of a cell's name such as AB12, from 0; -1 when it is none.
func columnOf(name string) int {
	column := 0
	for i := 0; i < len(name) && column < 1<<20; i++ {
		b := name[i]
		if b < 'A' || b > 'Z' {
			break
		}
		column = column*26 + int(b-'A') + 1
	}
	return column - 1
}
