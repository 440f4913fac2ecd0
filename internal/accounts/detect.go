package accounts

import (
	"bytes"
	"slices"
	"strings"

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

// separatorLine reads a first line such as "sep=;", which Excel understands.
func separatorLine(sample []byte) (separator string, length int) {
	end, next := text.LineEnd(sample)
	line := sample[:end]
	if len(line) == 5 && bytes.EqualFold(line[:4], []byte("sep=")) && bytes.IndexByte([]byte("\t|;,"), line[4]) >= 0 {
		return string(line[4:]), next
	}
	return "", 0
}
