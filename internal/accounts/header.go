package accounts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// aboveRows are looked at for a header.
const aboveRows = 30

// findTable finds where the table begins, its header, and its account column.
func findTable(rows []sampleRow, c Choices, r rules) layout {
	l := layout{columns: 1}
	if len(rows) == 0 {
		return l
	}
	if c.FirstLine == 0 {
		if start := begins(rows, c); start > 0 {
			l.ask(AskFirstLine, fmt.Sprint(rows[start].line), lineChoice(rows[0]), lineChoice(rows[start]))
			rows = rows[start:]
		}
	}
	first, isText := rows[0], rows[0].typed == nil
	l.line, l.rows = first.line, rows[1:]
	l.columns = max(commonLength(rows), len(first.cells))
	l.findColumn(first, c, r)
	isHeader, certain := l.isHeader(first, c, r)
	switch {
	case first.broken:
		l.unread, isHeader = c.Header == Yes, false
	case !certain:
		suggested := No
		if isHeader {
			suggested = Yes
		}
		l.ask(AskHeader, suggested, Choice{Value: Yes, First: shown(first.cells)},
			Choice{Value: No, First: shown([]string{first.cell(l.column)})})
	}
	switch {
	case isHeader && isText:
		l.header, l.columns = first.cells, len(first.cells)
		if isIndented(l.header, l.column) {
			for _, row := range l.rows {
				for i, cell := range row.cells {
					row.cells[i] = trimmed(cell)
				}
			}
		}
	case isHeader:
		l.header = withoutBlankEnd(first.cells)
	default:
		l.rows, l.speaks = rows, false
		if isText {
			l.columns = max(commonLength(rows), min(l.column+1, widest(rows)))
		}
	}
	if c.Column == 0 {
		l.askColumn(first, certain || first.broken, c, r)
	}
	return l
}

func (l *layout) ask(name, suggested string, choices ...Choice) {
	l.unsure = append(l.unsure, Question{Name: name, Choices: choices, Suggested: suggested})
}

func (l *layout) asks(name string) bool {
	return slices.ContainsFunc(l.unsure, func(q Question) bool { return q.Name == name })
}

func lineChoice(row sampleRow) Choice {
	return Choice{Value: strconv.FormatInt(row.line, 10), First: shown(row.cells)}
}

// begins finds the row at which the table may begin: the header that names the
// accounts, else the first row with as many cells as most have.
func begins(rows []sampleRow, c Choices) (start int) {
	top := rows[:min(len(rows), aboveRows+1)]
	is := func(row sampleRow) bool {
		return !row.broken && (namedColumn(row.cells) >= 0 ||
			slices.ContainsFunc(row.cells, isAccountWord) && !slices.ContainsFunc(row.cells, hasDigit))
	}
	if start = slices.IndexFunc(top, is); start >= 0 && c.Header != No {
		return start
	}
	wide, most := 0, commonLength(rows)
	for _, row := range rows {
		if row.filled() > 1 {
			wide++
		}
	}
	return max(0, slices.IndexFunc(top, func(row sampleRow) bool {
		if row.typed != nil || row.broken {
			return row.broken || wide*2 <= len(rows) || row.filled() > 1
		}
		return len(row.cells) >= most
	}))
}

// isHeader reports whether the first row is the header, and whether that is certain.
func (l *layout) isHeader(first sampleRow, c Choices, r rules) (is, certain bool) {
	cell, digit := first.cell(l.column), slices.ContainsFunc(first.cells, hasDigit)
	single := len(usedIn(first.cells, l.rows)) < 2
	values := accountsIn(l.rows, l.column, r)
	withDigit := share(values, hasDigit)
	named := namedColumn(first.cells)
	word := !digit && slices.ContainsFunc(first.cells, isKnownWord)
	if single {
		word = isAccountWord(cell)
	}
	l.speaks = !single && (word || named >= 0)
	switch {
	case c.Header != "":
		return c.Header == Yes, true
	case named >= 0:
		onItsSide := len(first.cells) > 2 && share(first.cells, hasDigit) >= 0.5 && withDigit < 0.5
		return !onItsSide || len(l.rows) > 0, !onItsSide && !standsBelow(first, l.rows, named)
	case len(l.rows) == 0:
		return word, word || digit
	case word && withDigit > 0.5, beyondASCII(cell) && len(values)*10 >= len(l.rows)*9 && (withDigit > 0.5 || single),
		r.tags && word && namedTags(first.cells, -1) >= 0:
		return true, true
	case sameKind(cell, values):
		return false, true
	}
	return word || !digit && withDigit > 0.5, false
}

// standsBelow reports whether a cell of the first row stands again in its column, in a row that is not the same.
func standsBelow(first sampleRow, below []sampleRow, column int) bool {
	return slices.ContainsFunc(below, func(row sampleRow) bool {
		return row.cell(column) == first.cells[column] && !isHeaderOf(first.cells, row.cells)
	})
}

func beyondASCII(cell string) bool {
	return strings.ContainsFunc(cell, func(c rune) bool { return c > unicode.MaxASCII && unicode.IsLetter(c) })
}

// sameKind reports whether a value is surely one of those below and no header: a
// number, or with the same letters before a digit, or a mail address as they are,
// or a mix as long as they are.
func sameKind(cell string, below []string) bool {
	if isNumber(cell) && (len(cell) >= 5 || share(below, isNumber) >= 0.9) {
		return true
	}
	prefix := beforeDigit(cell)
	return len(below) > 0 && share(below, func(value string) bool {
		return hasDigit(cell) && prefix != "" && hasDigit(value) && beforeDigit(value) == prefix ||
			len(cell) >= 8 && len(cell) == len(value) && classOf(cell) == mixed && classOf(value) == mixed ||
			strings.Contains(cell, "@") && strings.Contains(value, "@")
	}) >= 0.9
}
