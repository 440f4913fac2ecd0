package accounts

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"tagsweep/internal/accounts/text"
)

// sampleRow is a row that detection looks at.
type sampleRow struct {
	line   int64 // as in the file
	cells  []string
	typed  []bool // cells of a workbook that are no text or whole number
	quoted bool   // one of its cells
	broken bool   // it could not be split
}

func (row sampleRow) cell(i int) string {
	if i < len(row.cells) {
		return row.cells[i]
	}
	return ""
}

// account returns the value of a column if it could be an account, "" else;
// several says that it has a separator or a space.
func (row sampleRow) account(column int, r rules) (value string, several bool) {
	value = row.cell(column)
	if row.typed != nil && column < len(row.typed) && row.typed[column] {
		return "", false
	}
	switch r.judge(value, false) {
	case "":
		return value, false
	case SeveralValues:
		return value, true
	}
	return "", false
}

func (row sampleRow) filled() int { return filledIn(row.cells) }

func filledIn(cells []string) (filled int) {
	for _, cell := range cells {
		if !isBlank(cell) {
			filled++
		}
	}
	return filled
}

// layout is one way to read a file, and the questions that it leaves open.
type layout struct {
	separator, quote string
	line             int64       // of the header or the first row
	header           []string    // nil: none
	rows             []sampleRow // below the header
	column, columns  int         // of the accounts, and how many
	byName           bool        // the header names the accounts, and nothing else could be them
	speaks           bool        // the header is one by its words
	unread           bool        // the line that should be the header could not be split
	unsure           []Question
}

// detect understands a sample of a text that begins at a line.
func detect(sample []byte, line int64, c Choices, r rules) layout {
	quote := quotesOf(c, sample)
	if c.Separator != "" {
		return try(sample, line, c.Separator, quote, c, r)
	}
	one := try(sample, line, OnePerLine, quote, c, r)
	var best layout
	var split, spoken []string
	for _, separator := range []string{"\t", "|", ";", ","} {
		if bytes.IndexByte(sample, separator[0]) < 0 {
			continue
		}
		next := try(sample, line, separator, quote, c, r)
		if next.columns < 2 || next.agreeing() < 0.5 && !next.speaks {
			continue
		}
		if next.speaks && next.agreeing() >= 0.8 {
			spoken = append(spoken, separator)
		}
		if split == nil || next.better(best, r) {
			best = next
		}
		split = append(split, separator)
	}
	switch {
	case split == nil:
		return one
	case !r.tags && c.Column == 0 && best.oneValueALine(sample, line, c, r):
		return one
	case len(spoken) == 1 && best.speaks, best.separator == "\t" && (best.speaks || best.agreeing() >= 0.9),
		len(best.used()) < 2, best.isQuoted():
		return best
	}
	suggested := best
	if !r.tags && len(spoken) == 0 && best.constantFirst() && len(accountsIn(one.rows, 0, r)) == len(one.rows) {
		suggested = one.whole(sample, line, c, r)
	}
	question := Question{Name: AskSeparator, Suggested: suggested.separator}
	for _, separator := range append(split, OnePerLine) {
		l := try(sample, line, separator, quote, c, r)
		question.Choices = append(question.Choices, Choice{Value: separator, First: l.firstValues(l.column)})
	}
	suggested.unsure = append([]Question{question}, suggested.unsure...)
	return suggested
}

// whole reads the whole line as the account.
func (l layout) whole(sample []byte, line int64, c Choices, r rules) layout {
	r.wholeLine = true
	return try(sample, line, OnePerLine, l.quote, c, r)
}

// try splits the sample in one dialect.
func try(sample []byte, line int64, separator, quote string, c Choices, r rules) layout {
	var rows []sampleRow
	text.Split(sample, dialectOf(separator, quote), func(record *text.Record) {
		row := sampleRow{line: line + record.Line, broken: record.Problem != 0}
		if !row.broken {
			for i := range record.Len() {
				row.quoted = row.quoted || record.Quoted(i)
			}
			row.cells = originals(record.Cells())
		}
		rows = append(rows, row)
	})
	found := findTable(rows, c, r)
	found.separator, found.quote = separator, quote
	return found
}

// agreeing is the share of rows that have as many cells as the table, or fewer
// because empty ones at the end are missing.
func (l *layout) agreeing() float64 {
	agreeing, all := 0, 0
	for _, row := range l.rows {
		if row.broken {
			continue
		}
		all++
		if len(row.cells) == l.columns || l.header != nil && len(row.cells) > 1 && len(row.cells) < l.columns {
			agreeing++
		}
	}
	if all == 0 {
		return 1
	}
	return float64(agreeing) / float64(all)
}

func (l *layout) better(than layout, r rules) bool {
	if l.speaks != than.speaks {
		return l.speaks
	}
	accounts := func(l *layout) (n int) {
		for _, row := range l.rows {
			if account, several := row.account(l.column, r); account != "" && !several && len(row.cells) == l.columns {
				n++
			}
		}
		return n
	}
	if a, b := accounts(l), accounts(&than); a != b {
		return a > b
	}
	return l.columns > than.columns
}

// used are the columns with a name or a value.
func (l *layout) used() (columns []int) { return usedIn(l.columns, l.header, l.rows) }

func usedIn(columns int, header []string, rows []sampleRow) (used []int) {
	filled := make([]bool, max(columns, len(header)))
	mark := func(cells []string) {
		for i, cell := range cells[:min(len(cells), len(filled))] {
			filled[i] = filled[i] || !isBlank(cell)
		}
	}
	mark(header)
	for _, row := range rows {
		mark(row.cells)
	}
	for i, is := range filled {
		if is {
			used = append(used, i)
		}
	}
	return used
}

// oneValueALine: there is one line alone, or every cell of every row is the same
// kind of id, as when accounts are typed one behind another.
func (l layout) oneValueALine(sample []byte, line int64, c Choices, r rules) bool {
	if c.Header != "" { // an answer about the header does not change this
		c.Header = ""
		l = try(sample, line, l.separator, l.quote, c, r)
	}
	if l.header != nil {
		return false
	}
	if len(l.rows) == 1 {
		return true
	}
	var ids []string
	for _, row := range l.rows {
		for i, cell := range row.cells {
			cell = strings.Trim(cell, " \t")
			if cell == "" && i == len(row.cells)-1 {
				continue
			}
			if !hasDigit(cell) || r.judge(cell, true) != "" {
				return false
			}
			ids = append(ids, cell)
		}
	}
	first := ids[0]
	for _, id := range ids {
		if beforeDigit(id) != beforeDigit(first) || isNumber(first) && (len(id) != len(first) || len(id) < 5) {
			return false
		}
	}
	return len(ids) > len(l.rows)
}

// isQuoted: every row has a cell between quotes, so that the signs beside it separate.
func (l *layout) isQuoted() bool {
	return len(l.rows) > 1 && !slices.ContainsFunc(l.rows, func(row sampleRow) bool { return !row.quoted })
}

// constantFirst: the first cell is always the same, as in auth0|5f7c.
func (l *layout) constantFirst() bool {
	return l.header == nil && len(l.rows) > 1 &&
		!slices.ContainsFunc(l.rows, func(row sampleRow) bool { return row.cell(0) == "" || row.cell(0) != l.rows[0].cell(0) })
}

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
		l.ask(AskHeader, suggested, Choice{Value: Yes, First: shown(first.cells)}, Choice{Value: No})
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

// quotesOf are double quotes, unless most lines have a cell between single ones
// and none has a double one.
func quotesOf(c Choices, sample []byte) string {
	if c.Quote != "" {
		return c.Quote
	}
	if bytes.IndexByte(sample, '"') >= 0 || bytes.IndexByte(sample, '\'') < 0 {
		return `"`
	}
	lines, quoted := 0, 0
	for len(sample) > 0 {
		end, next := text.LineEnd(sample)
		if !text.IsBlank(sample[:end]) {
			lines++
			if singleQuoted(sample[:end]) {
				quoted++
			}
		}
		sample = sample[next:]
	}
	if quoted >= 2 && quoted*2 > lines {
		return `'`
	}
	return `"`
}

func singleQuoted(line []byte) bool {
	for _, cell := range bytes.FieldsFunc(line, isSeparator) {
		if cell = bytes.Trim(cell, " "); len(cell) > 2 && cell[0] == '\'' && cell[len(cell)-1] == '\'' {
			return true
		}
	}
	return false
}

func isSeparator(c rune) bool { return strings.ContainsRune(",;|\t", c) }

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

// separatorLine reads a first line such as "sep=;", which Excel understands.
func separatorLine(sample []byte) (separator string, length int) {
	end, next := text.LineEnd(sample)
	line := sample[:end]
	if len(line) == 5 && bytes.EqualFold(line[:4], []byte("sep=")) && bytes.IndexByte([]byte("\t|;,"), line[4]) >= 0 {
		return string(line[4:]), next
	}
	return "", 0
}
