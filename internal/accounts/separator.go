package accounts

import (
	"bytes"
	"cmp"
	"slices"

	"tagsweep/internal/accounts/text"
)

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

// detect understands a sample of a text that begins at a line. What a person says
// of the header and the column does not change how lines are split.
func detect(sample []byte, line int64, c Choices, r rules) layout {
	if c.Separator != "" {
		return try(sample, line, c.Separator, c, r)
	}
	said := c
	c.Header, c.Column = "", 0
	found := findSeparator(sample, line, c, r)
	if said.Header != "" || said.Column > 0 {
		asked := found
		found = try(sample, line, asked.separator, said, r)
		if asked.asks(AskSeparator) {
			found.unsure = append(asked.unsure[:1], found.unsure...)
		}
	}
	return found
}

func findSeparator(sample []byte, line int64, c Choices, r rules) layout {
	one := try(sample, line, OnePerLine, c, r)
	var split []layout
	spoken := 0
	for _, separator := range []string{"\t", "|", ";", ","} {
		if bytes.IndexByte(sample, separator[0]) < 0 {
			continue
		}
		l := try(sample, line, separator, c, r)
		if l.columns > 1 && (l.agreeing() >= 0.5 || l.speaks) {
			split = append(split, l)
		}
		if l.speaks && l.agreeing() >= 0.8 {
			spoken++
		}
	}
	if split == nil {
		return one
	}
	best := slices.MaxFunc(split, func(a, b layout) int { return cmp.Or(cmp.Compare(a.worth(r), b.worth(r)), cmp.Compare(b.line, a.line)) })
	switch {
	case spoken == 1 && best.speaks && best.agreeing() >= 0.8, best.separator == "\t" && (best.speaks || best.agreeing() >= 0.9),
		len(best.used()) < 2, best.isQuoted():
		return best
	}
	question := Question{Name: AskSeparator, Suggested: best.separator}
	for _, l := range append(split, one) {
		question.Choices = append(question.Choices, Choice{Value: l.separator, First: l.firstValues(l.column)})
	}
	best.unsure = append([]Question{question}, best.unsure...)
	return best
}

// try splits the sample by one separator.
func try(sample []byte, line int64, separator string, c Choices, r rules) layout {
	quote := cmp.Or(c.Quote, `"`)
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

// worth is how many accounts the layout finds; one whose header speaks is worth more.
func (l *layout) worth(r rules) (accounts int) {
	for _, row := range l.rows {
		if account, several := row.account(l.column, r); account != "" && !several && len(row.cells) == l.columns {
			accounts++
		}
	}
	if l.speaks {
		accounts += text.MaxRecord
	}
	return accounts
}

// isQuoted: every row has a cell between quotes, so that the signs beside it separate.
func (l *layout) isQuoted() bool {
	return len(l.rows) > 1 && !slices.ContainsFunc(l.rows, func(row sampleRow) bool { return !row.quoted })
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
