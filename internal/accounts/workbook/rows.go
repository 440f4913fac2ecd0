package workbook

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"

	"tagsweep/internal/accounts/archive"
)

var (
	errOrder  = errors.New("rows or cells of a sheet are not in order")
	errShared = errors.New("a cell refers to a text that is not there")
)

// cellDepth is how deep a cell stands: in a row of the data of a sheet.
const cellDepth = 4

// Kind tells whether the text of a cell is what a person sees there.
type Kind uint8

// The kinds of cells.
const (
	Plain   Kind = iota // text, or a whole number that is shown as it is stored
	Rounded             // a whole number whose last digits are lost
	Formula             // a formula's last value, or an error
	Other               // a date, a truth value, a fraction, or a number shown otherwise than stored
	Escaped             // text that is another one if the program that wrote it escapes signs, which is not known
)

// Cell is a cell as it is shown.
type Cell struct {
	Text string
	Kind Kind
}

// Row is a row that is not blank.
type Row struct {
	Line   int64  // of the sheet, from 1
	Cells  []Cell // up to the last one with text, and not more than Limits.Columns
	Wide   bool   // there is text beyond them
	Bytes  int    // of its text; not all cells are kept when it is over Limits.RowBytes
	Hidden bool   // it is hidden, filtered out, has no height, or a cell of it is struck out
}

// Rows is the stream of a sheet's rows.
type Rows struct {
	*part
	book *Workbook
	line int64
	done bool

	noHeight bool   // a row that does not state its height has none
	noWidth  bool   // and so do columns
	columns  []bool // whether each of those that are stated is hidden
}

// Rows begins to read the rows of a sheet, as often as is asked for. It returns
// the faults of the archive, or the error of its source.
func (w *Workbook) Rows(s Sheet) (*Rows, error) {
	return w.rows(s, archive.UnpackBudget(w.limits.Unpacked))
}

// FirstRows is like Rows; what all of its calls read is bounded together.
func (w *Workbook) FirstRows(s Sheet) (*Rows, error) { return w.rows(s, w.opening) }

func (w *Workbook) rows(s Sheet, b *archive.Budget) (*Rows, error) {
	p, err := w.openPart(s.part, b, w.progress)
	if err != nil {
		return nil, err
	}
	return &Rows{part: p, book: w}, nil
}

// Next returns the next row that is not blank; io.EOF after the last one. It
// returns the faults of the archive, or the error of its source.
func (s *Rows) Next() (Row, error) {
	for !s.done {
		token, err := s.part.next()
		if err == io.EOF {
			s.done = true
			break
		} else if err != nil {
			return Row{}, s.book.zip.Explain(err)
		}
		start, _ := token.(xml.StartElement)
		switch start.Name.Local {
		case "sheetFormatPr":
			s.noHeight, s.noWidth = isTiny(start, "defaultRowHeight"), isTiny(start, "defaultColWidth")
			continue
		case "col":
			s.hideColumns(start)
			continue
		case "c":
			if s.depth == cellDepth-1 {
				return Row{}, archive.FaultDamaged.Because(errOrder)
			}
			continue
		case "row":
		default:
			continue
		}
		line := s.line + 1
		if r := attribute(start, "r"); r != "" {
			if line, err = strconv.ParseInt(r, 10, 64); err != nil || line <= s.line || line > 1<<40 {
				return Row{}, archive.FaultDamaged.Because(errOrder)
			}
		}
		s.line = line
		row := Row{Line: line, Hidden: isHidden(start, "ht", s.noHeight)}
		if err := s.readRow(&row); err != nil {
			return Row{}, s.book.zip.Explain(err)
		}
		if len(row.Cells) > 0 || row.Wide {
			return row, nil
		}
	}
	return Row{}, io.EOF
}

func (s *Rows) readRow(row *Row) error {
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
			row.Hidden = row.Hidden || cell.Text != "" && s.book.format(token).struck
			s.put(row, at, cell)
		}
	}
}

func (s *Rows) put(row *Row, at int, cell Cell) {
	row.Bytes += len(cell.Text)
	long := row.Bytes > s.book.limits.RowBytes
	switch {
	case strings.Trim(cell.Text, " \t") == "":
		return
	case at >= s.book.limits.Columns:
		row.Wide = true
		return
	case long && len(row.Cells) > 0:
		return
	case long: // its beginning is kept, in the first cell
		at, cell.Text = 0, strings.ToValidUTF8(cell.Text[:min(len(cell.Text), shownBytes)], "")
	}
	for len(row.Cells) <= at {
		row.Cells = append(row.Cells, Cell{})
	}
	row.Cells[at] = cell
}

// shownBytes of a row that is too long are kept.
const shownBytes = 200

// readCell reads up to the end of the cell. Nothing is evaluated: of a formula,
// the value that was stored with it is taken.
func (s *Rows) readCell(start xml.StartElement) (cell Cell, err error) {
	value, valued, formula := "", false, ""
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
				formula, err = s.text(false)
				formula = "=" + formula
				level--
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
	if cell, err = s.cell(start, value); err != nil || formula == "" {
		return cell, err
	}
	if !valued || value == "" && attribute(start, "t") != "str" { // the program that wrote it evaluates nothing
		cell.Text = formula
	}
	cell.Kind = Formula
	return cell, nil
}

// format is how a cell is shown.
func (w *Workbook) format(cell xml.StartElement) numberFormat {
	style := attribute(cell, "s")
	if i, err := strconv.Atoi(style); err == nil && i >= 0 && i < len(w.formats) {
		return w.formats[i]
	} else if style != "" && style != "0" {
		return formatOfNumber(-1, "")
	}
	return numberFormat{}
}

func (s *Rows) cell(start xml.StartElement, value string) (Cell, error) {
	switch attribute(start, "t") {
	case "s":
		if value == "" {
			return Cell{}, nil
		}
		i, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil {
			return Cell{}, errShared
		}
		text, ok, err := s.book.shared.at(i)
		if err != nil {
			return Cell{}, s.book.zip.Failed(err)
		} else if !ok {
			return Cell{}, errShared
		}
		// A short cell may refer to a long text again and again.
		return text, s.budget.Take(len(text.Text))
	case "str", "inlineStr":
		return s.book.unescaped(value), nil
	case "b":
		text := "FALSE"
		if isTrue(value) {
			text = "TRUE"
		}
		return Cell{text, Other}, nil
	case "e":
		return Cell{value, Formula}, nil
	case "d":
		return Cell{value, Other}, nil
	}
	if value == "" {
		return Cell{}, nil
	}
	text, seen := numberCell(strings.TrimSpace(value), s.book.format(start), s.book.since1904)
	return Cell{text, seen}, nil
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
