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
		if start, suggested := begins(rows, c, r); start > 0 {
			l.ask(AskFirstLine, fmt.Sprint(rows[suggested].line), lineChoice(rows[0]), lineChoice(rows[start]))
			rows = rows[suggested:]
		}
	}
	first, below := rows[0], rows[1:]
	l.line = first.line
	l.columns = commonLength(below)
	if first.typed == nil {
		l.columns = commonLength(rows)
	}
	l.columns = max(l.columns, len(first.cells))
	l.rows = below
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
	if isHeader {
		l.header = first.cells
		l.columns = len(l.header)
		if first.typed != nil {
			l.header = withoutBlankEnd(l.header)
		}
	} else {
		l.rows, l.speaks = rows, false
		if first.typed == nil && c.Column == 0 {
			l.columns = max(commonLength(rows), l.column+1)
		} else if first.typed == nil {
			l.columns = commonLength(rows)
		}
	}
	if c.Column == 0 {
		l.askColumn(certain || first.broken, r)
	}
	return l
}

func (l *layout) ask(name, suggested string, choices ...Choice) {
	l.unsure = append(l.unsure, Question{Name: name, Choices: choices, Suggested: suggested})
}

func lineChoice(row sampleRow) Choice {
	return Choice{Value: strconv.FormatInt(row.line, 10), First: shown(row.cells)}
}

// shown are the first cells that are not blank.
func shown(cells []string) (first []string) {
	for _, cell := range cells {
		if !isBlank(cell) && len(first) < shownValues {
			first = append(first, shorten(cell))
		}
	}
	return first
}

const shownValues = 10

// firstValues are the first of a column.
func (l *layout) firstValues(column int) (first []string) {
	for _, row := range l.rows {
		if cell := row.cell(column); !isBlank(cell) && len(first) < shownValues {
			first = append(first, shorten(cell))
		}
	}
	return first
}

// begins finds a row below the first at which the table may begin: the header
// that names the accounts, else the first row with as many cells as most have. The
// suggested one is the first row itself when a row above may hold an account.
func begins(rows []sampleRow, c Choices, r rules) (start, suggested int) {
	top := rows[:min(len(rows), aboveRows+1)]
	if c.Header != No {
		for i, row := range top {
			column := namedColumn(row.cells)
			if column < 0 && !slices.ContainsFunc(row.cells, hasDigit) {
				column = slices.IndexFunc(row.cells, isAccountWord)
			}
			if column < 0 || row.broken || isValue(row, rows[i+1:], column) {
				continue
			}
			below := accountsIn(rows[i+1:], column, r)
			if namedColumn(row.cells) < 0 && share(below, hasDigit) < 0.5 {
				continue
			}
			like := likenessOf(below)
			for _, above := range rows[:i] {
				if account, _ := above.account(column, r); account != "" && like.Class != "" && like.fits(account) {
					if len(row.cells) < 2 {
						return 0, 0 // a list that goes on below its own header
					}
					return i, 0
				}
			}
			return i, i
		}
	}
	wide, most := 0, commonLength(rows)
	for _, row := range rows {
		if row.filled() > 1 {
			wide++
		}
	}
	for i, row := range top {
		switch {
		case row.broken:
			return 0, 0
		case row.filled() > 1 && slices.ContainsFunc(row.cells, isKnownWord) && !slices.ContainsFunc(row.cells, hasDigit),
			row.typed != nil && wide*2 > len(rows) && row.filled() > 1, row.typed != nil && wide*2 <= len(rows),
			row.typed == nil && (len(row.cells) >= most || most < 2):
			return i, i
		}
	}
	return 0, 0
}

// isValue reports whether the cell that names a column is a value of it: it stands
// there again below, in a row that is not the same.
func isValue(row sampleRow, below []sampleRow, column int) bool {
	if len(row.cells) < 2 || isUnmistakable(row.cells[column]) && !slices.ContainsFunc(row.cells, hasDigit) {
		return false
	}
	return slices.ContainsFunc(below, func(other sampleRow) bool {
		return other.cell(column) == row.cells[column] && knownIn(other.cells) < 2 &&
			!slices.Equal(withoutBlankEnd(other.cells), withoutBlankEnd(row.cells))
	})
}

func knownIn(cells []string) (words int) {
	for _, cell := range cells {
		if isKnownWord(cell) {
			words++
		}
	}
	return words
}

// accountsIn are the values of a column that could be accounts; those with
// separators or spaces only where all have some.
func accountsIn(rows []sampleRow, column int, r rules) []string {
	var plain, several []string
	for _, row := range rows {
		if row.broken {
			continue
		}
		switch account, more := row.account(column, r); {
		case account == "":
		case more:
			several = append(several, account)
		default:
			plain = append(plain, account)
		}
	}
	if plain == nil {
		return several
	}
	return plain
}

// isHeader reports whether the first row is the header, and whether that is certain.
func (l *layout) isHeader(first sampleRow, c Choices, r rules) (is, certain bool) {
	column, single := l.column, len(usedIn(l.columns, first.cells, l.rows)) < 2
	if named := namedColumn(first.cells); named >= 0 && !isValue(first, l.rows, named) || isResults(first.cells) {
		l.speaks = len(first.cells) > 1
		if c.Header == "" {
			withDigit := share(first.cells, hasDigit)
			return true, len(l.rows) != 1 || len(first.cells) < 3 || withDigit < 0.5 // else the table may lie on its side
		}
	}
	digit := slices.ContainsFunc(first.cells, hasDigit)
	word := slices.ContainsFunc(first.cells, isKnownWord) && !digit
	if single {
		word = isAccountWord(first.cell(column))
	}
	for i, cell := range first.cells {
		word = word && !(isKnownWord(cell) && isValue(first, l.rows, i))
	}
	values := accountsIn(l.rows, column, r)
	withDigit := share(values, hasDigit)
	cell := first.cell(column)
	beyond := strings.ContainsFunc(cell, func(c rune) bool { return c > unicode.MaxASCII && unicode.IsLetter(c) })
	l.speaks = l.speaks || word && !single
	switch {
	case c.Header != "":
		return c.Header == Yes, true
	case len(l.rows) == 0:
		return word, word || digit
	case beyond && len(values)*10 >= len(l.rows)*9 && (withDigit > 0.5 || single), word && withDigit > 0.5,
		r.tags && word && namedTags(first.cells, -1) >= 0:
		return true, true
	case sameKind(cell, values):
		return false, true
	}
	return word || !digit && withDigit > 0.5, false
}

func share(values []string, is func(string) bool) float64 {
	n := 0
	for _, value := range values {
		if is(value) {
			n++
		}
	}
	return float64(n) / float64(max(len(values), 1))
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

// commonLength is the number of cells most rows have; of equals, the larger.
func commonLength(rows []sampleRow) int {
	counts := map[int]int{}
	for _, row := range rows {
		if len(row.cells) > 0 { // 0: it could not be split
			counts[len(row.cells)]++
		}
	}
	common := 1
	for length, n := range counts {
		if n > counts[common] || n == counts[common] && length > common {
			common = length
		}
	}
	return common
}
