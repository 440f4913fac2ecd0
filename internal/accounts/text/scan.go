package text

import "strings"

// none, a line end, stands for the sign of a dialect that there is not.
const none = '\n'

// Dialect is how the cells of a record are told apart.
type Dialect struct {
	separator, quote byte
}

// DialectOf returns the dialect with this separator and this quote, each one
// byte; "" is none: a record has one cell, or no cell is quoted.
func DialectOf(separator, quote string) Dialect {
	d := Dialect{none, none}
	if separator != "" {
		d.separator = separator[0]
	}
	if quote != "" {
		d.quote = quote[0]
	}
	return d
}

// cell is where the text of one cell stands.
type cell struct {
	from, to int
	quoted   bool
	doubled  bool // holds doubled quotes
}

// scanned is the record at the start of a text.
type scanned struct {
	cells   []cell // those before the problem, when there is one
	end     int    // of its text
	next    int    // where the next record begins
	lines   int    // line ends inside it
	problem Problem
	at      int // the quote in question, when the problem is StrayQuote
}

// scan reads the record at the start of w. The end of w ends the record. It
// appends to cells, which may be reused once the record is done with.
func scan(w []byte, d Dialect, cells []cell) scanned {
	separator, quote := d.separator, d.quote
	rec := scanned{cells: cells}
	i := 0
	for {
		start := i
		i = skipPadding(w, i, separator)
		c := cell{from: start}
		if i < len(w) && w[i] == quote && quote != none {
			c = cell{from: i + 1, quoted: true}
			if c.to, c.doubled = closing(w, i+1, quote, &rec.lines); c.to < 0 {
				rec.problem = OpenQuote
				return rec
			}
			i = skipPadding(w, c.to+1, separator)
			if i < len(w) && w[i] != separator && !isLineEnd(w[i]) {
				rec.problem, rec.at = StrayQuote, c.to
				return rec
			}
		} else if end := asFormula(w, i, d); end > 0 {
			i, c.to = end, end
		} else {
			for i = start; i < len(w) && w[i] != separator && !isLineEnd(w[i]); i++ {
				if w[i] == quote {
					rec.problem, rec.at = StrayQuote, i
					return rec
				}
			}
			c.to = i
		}
		rec.cells = append(rec.cells, c)
		if i == len(w) || isLineEnd(w[i]) {
			rec.end, rec.next = i, afterLineEnd(w, i)
			return rec
		}
		i++
	}
}

// asFormula returns the end of a cell such as ="00123", which programs write so that
// a spreadsheet keeps the zeros; 0 when there is none at i.
func asFormula(w []byte, i int, d Dialect) int {
	if d.quote != '"' || i+1 >= len(w) || w[i] != '=' || w[i+1] != '"' {
		return 0
	}
	for i += 2; i < len(w) && w[i] != d.separator && !isLineEnd(w[i]); i++ {
		if w[i] == '"' && (i+1 == len(w) || w[i+1] == d.separator || isLineEnd(w[i+1])) {
			return i + 1
		} else if w[i] == '"' {
			return 0
		}
	}
	return 0
}

// closing finds the quote that closes a cell whose text begins at i, counting
// line ends; -1 when there is none.
func closing(w []byte, i int, quote byte, lines *int) (at int, doubled bool) {
	for ; i < len(w); i++ {
		switch {
		case w[i] == quote && i+1 < len(w) && w[i+1] == quote:
			doubled = true
			i++
		case w[i] == quote:
			return i, doubled
		case w[i] == '\n', w[i] == '\r' && !(i+1 < len(w) && w[i+1] == '\n'):
			*lines++
		}
	}
	return -1, doubled
}

// opens reports whether the quote at i stands where a cell begins.
func opens(w []byte, i int, separator byte) bool {
	for i--; i >= 0 && isPadding(w[i], separator); i-- {
	}
	return i < 0 || w[i] == separator || isLineEnd(w[i])
}

func isLineEnd(b byte) bool { return b == '\n' || b == '\r' }

func isPadding(b, separator byte) bool { return b == ' ' || b == '\t' && separator != '\t' }

func skipPadding(w []byte, i int, separator byte) int {
	for i < len(w) && isPadding(w[i], separator) {
		i++
	}
	return i
}

// LineEnd returns where the first line of w ends and where the next begins.
func LineEnd(w []byte) (end, next int) {
	for end < len(w) && !isLineEnd(w[end]) {
		end++
	}
	return end, afterLineEnd(w, end)
}

func afterLineEnd(w []byte, i int) int {
	switch {
	case i == len(w):
		return i
	case w[i] == '\r' && i+1 < len(w) && w[i+1] == '\n':
		return i + 2
	}
	return i + 1
}

// IsBlank reports whether a line holds nothing but spaces and tabs.
func IsBlank(line []byte) bool {
	for _, b := range line {
		if b != ' ' && b != '\t' {
			return false
		}
	}
	return true
}

// Unquote reads the quoted text at the start of s, with doubled quotes inside,
// and returns what follows it; not ok when no quote closes it.
func Unquote(s string) (text, rest string, ok bool) {
	end, doubled := closing([]byte(s), 1, s[0], new(int))
	if end < 0 {
		return "", "", false
	}
	return unquoted(s[1:end], doubled, s[0]), s[end+1:], true
}

func unquoted(s string, doubled bool, quote byte) string {
	if !doubled {
		return s
	}
	return strings.ReplaceAll(s, string([]byte{quote, quote}), string(quote))
}
