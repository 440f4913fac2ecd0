package accounts

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	dateOrTime = regexp.MustCompile(`^([0-9]{2,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([ T].*)?|[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)$`)
	fraction   = regexp.MustCompile(`^[-+]?[0-9]+[.][0-9]+%?$`)
)

// looks is what the cells of a column are like.
type looks struct {
	rows     int
	accounts int // could be accounts
	distinct map[string]bool
	times    int // dates, times and fractions
	running  int // whole numbers one above the row before
	digits   int // of those that are only digits
	numbers  int
	words    int // letters alone
	codes    int // letters alone, at most three
	ids      int // letters or a sign, and digits
	last     int64
}

// accountColumn finds the accounts by what the cells look like. The first column
// stands unless its cells are no accounts, or repeat, or are dates, counts,
// running numbers or codes, and another's are not; or its cells are words and
// another's look made by a program. When unsure, it is the first.
func accountColumn(rows []sampleRow, columns int, r rules) int {
	columns = min(columns, MaxColumns)
	if columns < 2 {
		return 0
	}
	all := make([]looks, columns)
	for i := range all {
		all[i].distinct = map[string]bool{}
		for _, row := range rows {
			if !row.broken && len(row.cells) == columns {
				all[i].add(row, i, r)
			}
		}
	}
	plausible := -1
	for i := range all {
		switch {
		case !all[i].plausible():
		case all[i].made():
			if plausible < 0 || all[plausible].words*2 > all[plausible].rows {
				return i
			}
		case plausible < 0:
			plausible = i
		}
	}
	if plausible >= 0 {
		return plausible
	}
	best := 0
	for i := range all {
		if all[best].accounts*2 < all[best].rows && all[i].accounts > all[best].accounts {
			best = i
		}
	}
	return best
}

func (l *looks) add(row sampleRow, column int, r rules) {
	cell := row.cells[column]
	l.rows++
	if !row.isAccount(column, r) {
		return
	}
	l.accounts++
	l.distinct[cell] = true
	hasDigit, hasOther := strings.ContainsAny(cell, "0123456789"), strings.Trim(cell, "0123456789") != ""
	switch {
	case dateOrTime.MatchString(cell), fraction.MatchString(cell):
		l.times++
	case !hasOther:
		l.numbers++
		l.digits += len(cell)
		n, err := strconv.ParseInt(cell, 10, 64)
		if err == nil && n == l.last+1 {
			l.running++
		}
		l.last = n
	case hasDigit:
		l.ids++
	default:
		l.words++
		if len(cell) <= 3 {
			l.codes++
		}
	}
}

// plausible: nearly all cells could be accounts of their own.
func (l *looks) plausible() bool {
	repeats := l.accounts - len(l.distinct)
	return l.rows > 0 && l.accounts*10 >= l.rows*9 &&
		(repeats*10 <= l.accounts || l.accounts < 10 && repeats*2 <= l.accounts) &&
		l.times*2 < l.accounts && l.codes*2 < max(l.accounts, 10) &&
		!(l.numbers*10 >= l.accounts*9 && (l.running*10 >= (l.numbers-1)*9 && l.numbers > 1 || l.digits < 5*l.numbers))
}

// made: most cells hold digits and more than digits.
func (l *looks) made() bool { return l.ids*2 > l.rows }
