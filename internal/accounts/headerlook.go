package accounts

import (
	"slices"
	"strings"
	"unicode"
)

// isWord: ASCII letters alone.
func isWord(cell string) bool {
	return cell != "" && !strings.ContainsFunc(cell, func(c rune) bool { return c|0x20 < 'a' || c|0x20 > 'z' })
}

func isBeyondASCII(cell string) bool {
	return strings.ContainsFunc(cell, func(c rune) bool { return c > unicode.MaxASCII && unicode.IsLetter(c) })
}

// beyondASCII: words such as a header or title has, one of them beyond ASCII.
func beyondASCII(row sampleRow) bool {
	found := false
	for _, cell := range row.cells {
		if hasDigit(cell) {
			return false
		}
		found = found || isBeyondASCII(cell)
	}
	return found
}

// allBeyondASCII: no cell could be an account.
func allBeyondASCII(row sampleRow) bool {
	return beyondASCII(row) &&
		!slices.ContainsFunc(row.cells, func(cell string) bool { return !isBlank(cell) && !isBeyondASCII(cell) })
}

// looksLikeHeader judges a first row without a known word by the rows below it:
// a name in place of an account, or words above a column of numbers.
func looksLikeHeader(first []string, rest []sampleRow, r rules) bool {
	if len(first) == 0 || len(rest) == 0 || sharesCell(first, rest) {
		return false
	}
	share := func(is func(sampleRow) bool) float64 {
		n := 0
		for _, row := range rest {
			if is(row) {
				n++
			}
		}
		return float64(n) / float64(len(rest))
	}
	column := accountColumn(rest, len(first), r)
	if isBeyondASCII(first[column]) && share(func(row sampleRow) bool { return row.isAccount(column, r) }) > 0.5 {
		return len(first) > 1 || commonLength(rest) == 1
	}
	for _, cell := range first {
		if cell == "" || strings.ContainsFunc(cell, unicode.IsDigit) || isNoValue(cell) {
			return false
		}
	}
	for i := range first {
		numbers := func(row sampleRow) bool { return i < len(row.cells) && isNumber(row.cells[i]) }
		if len(first) > 1 && share(numbers) >= 0.9 {
			return true
		}
	}
	return false
}

// sharesCell reports whether a value of the first row stands below it again,
// but for the whole row.
func sharesCell(first []string, rest []sampleRow) bool {
	for _, row := range rest {
		for i, cell := range row.cells[:min(len(first), len(row.cells))] {
			if cell != "" && cell == first[i] {
				if !slices.Equal(first, row.cells) {
					return true
				}
				break
			}
		}
	}
	return false
}

func isNumber(cell string) bool {
	return cell != "" && strings.Trim(cell, "0123456789") == ""
}
