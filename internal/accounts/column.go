package accounts

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	dateOrTime = regexp.MustCompile(`^([0-9]{2,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([ T].*)?|[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)$`)
	fraction   = regexp.MustCompile(`^[-+$]?[0-9]+[.][0-9]+%?$`)
	mail       = regexp.MustCompile(`^[^@]+@[^@]+[.][A-Za-z]+$`)
	// otherIDs: mobile numbers of China, IPv4 addresses, days and Unix times.
	otherIDs = regexp.MustCompile(`^([+]?(86)?[- ]?1[3-9][0-9]{9}|([0-9]{1,3}[.]){3}[0-9]{1,3}|` +
		`(19|20)[0-9]{2}(0[1-9]|1[0-2])[0-3][0-9]|1[0-9]{9}|1[0-9]{12})$`)
)

// looks is what the cells of a column are like.
type looks struct {
	rows     int
	accounts int // could be accounts
	distinct map[string]bool
	times    int // dates, times and fractions
	others   int // ids of something else than accounts
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
	column, _ := byLooks(rows, columns, r)
	return column
}

// byLooks also returns what the columns are like.
func byLooks(rows []sampleRow, columns int, r rules) (int, []looks) {
	columns = min(columns, MaxColumns)
	if columns < 2 {
		return 0, nil
	}
	rows = withoutHeaders(rows)
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
			if plausible < 0 || all[plausible].natural() {
				return i, all
			}
		case plausible < 0:
			plausible = i
		}
	}
	for i := range all { // even where a third of the cells are no accounts
		if all[i].made() && all[i].distinctly() && (plausible < 0 || all[plausible].natural()) {
			return i, all
		}
	}
	if plausible >= 0 {
		return plausible, all
	}
	best := 0
	for i := range all {
		if all[best].accounts*2 < all[best].rows && all[i].accounts > all[best].accounts ||
			all[best].counts() && !all[i].counts() && all[i].accounts*2 > all[i].rows {
			best = i
		}
	}
	return best, all
}

// withoutHeaders leaves out titles and headers near the beginning, which say
// nothing about the cells below.
func withoutHeaders(rows []sampleRow) []sampleRow {
	for len(rows) > 1 && allBeyondASCII(rows[0]) {
		rows = rows[1:]
	}
	for i, row := range rows[:min(len(rows), preambleRows)] {
		if _, how := namedHow(row.cells); how == surely && len(rows) > i+1 {
			return append(slices.Clone(rows[:i]), rows[i+1:]...)
		}
	}
	return rows
}

func (l *looks) add(row sampleRow, column int, r rules) {
	cell := row.cells[column]
	l.rows++
	if !row.isAccount(column, r) {
		return
	}
	l.accounts++
	l.distinct[cell] = true
	hasDigit, hasOther := hasDigit(cell), strings.Trim(cell, "0123456789") != ""
	switch {
	case dateOrTime.MatchString(cell), fraction.MatchString(cell):
		l.times++
	case hasOther && mail.MatchString(cell), hasOther && otherIDs.MatchString(cell):
		l.others++
	case !hasOther:
		l.numbers++
		l.digits += len(cell)
		if len(cell) >= 8 && otherIDs.MatchString(cell) {
			l.others++
		}
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
	return l.rows > 0 && l.accounts*10 >= l.rows*9 && l.distinctly() &&
		l.codes*2 < max(l.accounts, 10) && !l.counts()
}

// distinctly: hardly a cell repeats.
func (l *looks) distinctly() bool {
	repeats := l.accounts - len(l.distinct)
	return repeats*10 <= l.accounts || l.accounts < 10 && repeats*2 <= l.accounts
}

// counts: dates, running numbers or short ones.
func (l *looks) counts() bool {
	return l.accounts > 0 && (l.times*2 >= l.accounts ||
		l.numbers*10 >= l.accounts*9 && (l.running*10 >= (l.numbers-1)*9 && l.numbers > 1 || l.digits < 5*l.numbers))
}

// natural: most cells are words, or ids of something else.
func (l *looks) natural() bool { return (l.words+l.others)*2 > l.rows }

// made: most cells hold digits and more than digits.
func (l *looks) made() bool { return l.ids*2 > l.rows }

// namedByLooks takes the column that the header names. A weak name such as id
// gives way to a column that looks made by a program, when its own cells are
// running numbers or words; so does a name that is only alike.
func namedByLooks(header []string, rows []sampleRow, r rules) int {
	named, how := namedHow(header)
	if how == surely {
		return named
	}
	best, all := byLooks(rows, len(header), r)
	if all == nil || named >= len(all) || best == named || !all[best].plausible() || !all[best].made() {
		return named
	}
	l := &all[named]
	if how == weakly && (!l.plausible() || l.natural()) || how == byAffix && l.accounts*2 < l.rows {
		return best
	}
	return named
}

// severalPerLine: every cell of every row is the same kind of id, as when
// accounts were typed one behind another.
func severalPerLine(rows []sampleRow, r rules) bool {
	first, prefix, length := "", true, true
	cells, in := 0, 0
	for _, row := range rows {
		for i, cell := range row.cells {
			cell = strings.Trim(cell, " \t")
			if cell == "" && i == len(row.cells)-1 {
				continue
			}
			if row.typed != nil && (cell == "" || row.typed[i]) || !hasDigit(cell) ||
				r.judge(cell, true) != "" || dateOrTime.MatchString(cell) || fraction.MatchString(cell) {
				return false
			}
			if first == "" {
				first = cell
			}
			cells++
			prefix = prefix && beforeDigit(cell) == beforeDigit(first)
			length = length && len(cell) == len(first) && isNumber(cell) == isNumber(first)
		}
		in++
	}
	return cells > in && (prefix && beforeDigit(first) != "" || length && len(first) >= 5)
}

func beforeDigit(cell string) string { return cell[:strings.IndexAny(cell, "0123456789")] }
