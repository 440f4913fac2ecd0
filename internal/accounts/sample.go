package accounts

import (
	"regexp"
	"strings"
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

func (row sampleRow) filled() int { return filledIn(row.cells) }

func filledIn(cells []string) (filled int) {
	for _, cell := range cells {
		if !isBlank(cell) {
			filled++
		}
	}
	return filled
}

// account returns the value of a column if it could be an account, "" else;
// several says that it has a separator or a space.
func (row sampleRow) account(column int, r rules) (value string, several bool) {
	value = trimmed(row.cell(column))
	if row.broken || column < len(row.typed) && row.typed[column] {
		return "", false
	}
	switch r.judge(value) {
	case "":
		return value, !r.wholeLine && strings.HasPrefix(row.cell(column), " ")
	case SeveralValues:
		return value, true
	}
	return "", false
}

// accountsIn are the values of a column that could be accounts; those with
// separators or spaces only where all have some.
func accountsIn(rows []sampleRow, column int, r rules) []string {
	var plain, several []string
	for _, row := range rows {
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

// usedIn are the columns with a name or a value.
func usedIn(header []string, rows []sampleRow) (used []int) {
	var filled []bool
	mark := func(cells []string) {
		for i, cell := range cells {
			if i >= len(filled) {
				filled = append(filled, false)
			}
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

// widest is the number of cells of the longest row.
func widest(rows []sampleRow) (most int) {
	for _, row := range rows {
		most = max(most, len(row.cells))
	}
	return most
}

// shownValues of a row or a column are shown.
const shownValues = 10

// shown are the first cells that are not blank.
func shown(cells []string) (first []string) {
	for _, cell := range cells {
		if !isBlank(cell) && len(first) < shownValues {
			first = append(first, shorten(cell))
		}
	}
	return first
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

// isDistinct: hardly a value repeats.
func isDistinct(values []string) bool { return (len(values)-distinct(values))*10 <= len(values) }

// repeats: there are few values, again and again.
func repeats(values []string) bool { return distinct(values)*2 <= len(values) }

func distinct(values []string) int {
	all := map[string]bool{}
	for _, value := range values {
		all[value] = true
	}
	return len(all)
}

// otherIDs: fractions, mail and IPv4 addresses, mobile numbers of China and with a plus, days and Unix times.
var otherIDs = regexp.MustCompile(`^([-+$€£¥]?[0-9]+[.,][0-9]+%?|[^@]+@[^@]+[.][A-Za-z]+|([0-9]{1,3}[.]){3}[0-9]{1,3}|` +
	`[+][-0-9 ]+|(86)?[- ]?1[3-9][0-9]{9}|(19|20)[0-9]{2}(0[1-9]|1[0-2])[0-3][0-9]|1[0-9]{9}|1[0-9]{12})$`)

func isOther(cell string) bool { return dateOrTime.MatchString(cell) || otherIDs.MatchString(cell) }

// isID: a mix of letters and digits, or a number that counts nothing.
func isID(cell string) bool {
	return hasDigit(cell) && (!isNumber(cell) || len(cell) >= 5) && !isOther(cell)
}

func hasDigit(s string) bool {
	for i := range len(s) {
		if isDigit(s[i]) {
			return true
		}
	}
	return false
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isNumber(cell string) bool {
	for i := range len(cell) {
		if !isDigit(cell[i]) {
			return false
		}
	}
	return cell != ""
}
