package workbook

import (
	"encoding/xml"
	"strconv"
)

// isHidden reports whether a row or a column is not seen.
func isHidden(e xml.StartElement, size string, unstated bool) bool {
	return isTrue(attribute(e, "hidden")) || isTiny(e, size) || unstated && attribute(e, size) == ""
}

// isTiny reports whether a size is stated, and is less than a point or a letter.
func isTiny(e xml.StartElement, size string) bool {
	n, err := strconv.ParseFloat(attribute(e, size), 64)
	return err == nil && n < 1
}

func (s *Rows) hideColumns(e xml.StartElement) {
	first, err := strconv.Atoi(attribute(e, "min"))
	last, err2 := strconv.Atoi(attribute(e, "max"))
	if err != nil || err2 != nil {
		return
	}
	if s.columns == nil {
		s.columns = make([]bool, s.book.limits.Columns)
		for i := range s.columns {
			s.columns[i] = s.noWidth
		}
	}
	for i := max(first, 1); i <= min(last, len(s.columns)); i++ {
		s.columns[i-1] = isHidden(e, "width", s.noWidth)
	}
}

// HiddenColumn reports whether nobody sees a column, counted from 0. It is known
// once Next was called.
func (s *Rows) HiddenColumn(i int) bool {
	if i < len(s.columns) {
		return s.columns[i]
	}
	return s.noWidth
}
