package accounts

import (
	"bytes"
	"strings"

	"tagsweep/internal/accounts/text"
)

// sampleRow is a row that detection looks at.
type sampleRow struct {
	line   int64 // counted from the beginning of the sample, from 0
	cells  []string
	typed  []bool // cells of a workbook that are no text or whole number
	broken bool   // it could not be split
}

func (row sampleRow) isAccount(column int, r rules) bool {
	return column < len(row.cells) && (row.typed == nil || !row.typed[column]) &&
		r.judge(row.cells[column], false) == ""
}

// candidate is one way to read a file, and what speaks for it.
type candidate struct {
	separator, quote string

	named    bool    // a header of several cells names the account column
	agreeing float64 // share of rows with the same number of cells
	clean    float64 // share of rows with that number and an account
	first    float64 // share of rows that begin with an account
	line     int64   // of the header or the first row, counted from the beginning of the sample
	header   []string
	several  bool // every row seems to hold several accounts
	unread   bool // the line that should be the header could not be split
	column   int
	columns  int
	rows     []sampleRow // below the header
}

// detect understands a sample that ends at a line end or at the end of the file.
func detect(sample []byte, c Choices, r rules) candidate {
	quotes := quotesOf(c, sample)
	if c.Separator != "" {
		return try(sample, c.Separator, quotes, c, r)
	}
	best := try(sample, OnePerLine, quotes, c, r)
	found := false
	for _, separator := range []string{"\t", "|", ";", ","} {
		next := try(sample, separator, quotes, c, r)
		if next.columns < 2 || !next.named && next.agreeing < 0.5 {
			continue
		}
		// The column that was chosen must be there, if it can be.
		chosen := max(c.Column, c.TagColumn)
		has, had := next.columns >= chosen, best.columns >= chosen
		if !found || has && !had || has == had && next.better(best) {
			best, found = next, true
		}
	}
	return best
}

func (c candidate) better(than candidate) bool {
	switch {
	case c.named != than.named:
		return c.named
	case c.clean != than.clean:
		return c.clean > than.clean
	case c.first != than.first:
		return c.first > than.first
	}
	return c.columns > than.columns
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

// try splits the sample in one dialect.
func try(sample []byte, separator, quote string, c Choices, r rules) candidate {
	var rows []sampleRow
	text.Split(sample, dialectOf(separator, quote), func(record *text.Record) {
		row := sampleRow{line: record.Line, broken: record.Problem != 0}
		if !row.broken {
			row.cells = originals(record.Cells())
		}
		rows = append(rows, row)
	})
	found := findTable(rows, c, r)
	found.separator, found.quote = separator, quote
	return found
}

// findTable finds where the table begins, its header, and its account column.
func findTable(rows []sampleRow, c Choices, r rules) candidate {
	found := candidate{columns: 1}
	if len(rows) == 0 {
		return found
	}
	if c.FirstLine == 0 && c.Header != No {
		rows = rows[preamble(rows, r):]
	}
	found.line = rows[0].line
	first, below := rows[0], rows[1:]
	isNamed := isHeader(first, below, r)
	switch {
	case c.Header == No:
	case first.broken:
		found.unread = c.Header == Yes
	case isNamed:
		found.header, found.named = first.cells, len(first.cells) > 1
	case c.Header == Yes, looksLikeHeader(first.cells, below, r), r.tags && isTagHeader(first.cells, below):
		found.header = first.cells
	}
	if found.header != nil {
		rows = below
		if first.typed != nil {
			found.header = withoutBlankEnd(found.header)
			rows = ofWidth(rows, len(found.header))
		}
		found.columns = len(found.header)
	} else {
		found.columns = commonLength(rows)
	}
	others, tags := rows, c.TagColumn-1
	if r.tags && tags < 0 {
		tags = namedTags(found.header, c.Column-1)
	}
	if tags >= 0 {
		others = without(rows, tags)
	}
	switch {
	case c.Column > 0:
		found.column = c.Column - 1
	case found.header != nil && isNamed:
		found.column = namedByLooks(found.header, others, r)
	default:
		found.column = accountColumn(others, found.columns, r)
		found.several = found.header == nil && found.columns > 1 && c.Separator == "" && tags < 0 &&
			severalPerLine(rows, r)
	}
	found.rows = rows
	found.weigh(rows, r)
	return found
}

// ofWidth cuts the rows of a workbook, which are as wide as its widest one.
func ofWidth(rows []sampleRow, columns int) []sampleRow {
	cut := make([]sampleRow, len(rows))
	for i, row := range rows {
		cut[i] = sampleRow{line: row.line, cells: row.cells[:columns], typed: row.typed[:columns]}
	}
	return cut
}

func (c *candidate) weigh(rows []sampleRow, r rules) {
	if len(rows) == 0 {
		return
	}
	agreeing, clean, first := 0, 0, 0
	for _, row := range rows {
		if row.broken || len(row.cells) != c.columns {
			continue
		}
		agreeing++
		if row.isAccount(c.column, r) {
			clean++
		}
		if row.isAccount(0, r) {
			first++
		}
	}
	n := float64(len(rows))
	c.agreeing, c.clean, c.first = float64(agreeing)/n, float64(clean)/n, float64(first)/n
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

// separatorLine reads a first line such as "sep=;", which Excel understands.
func separatorLine(sample []byte) (separator string, length int) {
	end, next := text.LineEnd(sample)
	line := sample[:end]
	if len(line) == 5 && bytes.EqualFold(line[:4], []byte("sep=")) && bytes.IndexByte([]byte("\t|;,"), line[4]) >= 0 {
		return string(line[4:]), next
	}
	return "", 0
}
