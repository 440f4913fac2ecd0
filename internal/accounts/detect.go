package accounts

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
)

// Understanding is how a file was read.
type Understanding struct {
	Encoding  string   // "UTF-8"
	Separator rune     // 0: one account per line
	Header    []string // nil: none
	Column    int      // of the accounts, from 0
	Columns   int
}

// headerWords name the account column, the likeliest first, in the form of plainWord.
var headerWords = []string{
	"toaccount", "userid", "userids", "imuserid", "imaccount", "imid", "用户id", "用户账号", "用户帐号",
	"account", "accounts", "accountid", "useraccount", "账号", "帐号", "账号id", "帐号id", "账户", "帐户", "账户id", "帐户id",
	"identifier", "identifiers", "用户标识", "uid", "uids", "用户编号", "registrationid",
	"user", "users", "username", "用户", "用户名", "id", "ids",
}

// plainWord is a header cell without what people vary: case, spaces and signs.
func plainWord(cell string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return unicode.ToLower(c)
		}
		return -1
	}, cell)
}

// candidate is one way to split a file into cells, and what speaks for it.
type candidate struct {
	separator byte
	named     bool     // a header of several cells names the account column
	agreeing  float64  // share of rows with the same number of cells
	clean     float64  // share of rows with that number and an account
	header    []string // nil: none
	column    int
	columns   int
}

// detect understands a sample that ends at a line end or at the end of the file.
func detect(sample []byte, limit int) candidate {
	best := try(sample, noSeparator, limit)
	found := false
	for _, separator := range []byte("\t|;,") {
		c := try(sample, separator, limit)
		if c.columns < 2 || !c.named && c.agreeing < 0.5 {
			continue
		}
		if !found || c.better(best) {
			best, found = c, true
		}
	}
	return best
}

func (c candidate) better(than candidate) bool {
	if c.named != than.named {
		return c.named
	}
	if c.clean != than.clean {
		return c.clean > than.clean
	}
	return c.columns > than.columns
}

// try splits the sample with one separator.
func try(sample []byte, separator byte, limit int) candidate {
	c := candidate{separator: separator, columns: 1}
	rows, broken := split(sample, separator)
	if len(rows) == 0 {
		return c
	}
	if !broken[0] {
		if column, ok := namedColumn(rows[0]); ok {
			c.header, c.column, c.named = rows[0], column, len(rows[0]) > 1
		} else if looksLikeHeader(rows[0], rows[1:], limit) {
			c.header = rows[0]
		}
	}
	if c.header != nil {
		c.columns, rows, broken = len(c.header), rows[1:], broken[1:]
	} else {
		c.columns = commonLength(rows)
	}
	agreeing, clean := 0, 0
	for i, row := range rows {
		if broken[i] || len(row) != c.columns {
			continue
		}
		agreeing++
		if judge(row[c.column], false, limit) == "" {
			clean++
		}
	}
	if len(rows) > 0 {
		c.agreeing, c.clean = float64(agreeing)/float64(len(rows)), float64(clean)/float64(len(rows))
	}
	return c
}

// split returns the cells of every row; of a row that cannot be read, none.
func split(sample []byte, separator byte) (rows [][]string, broken []bool) {
	for len(sample) > 0 {
		end, next := lineEnd(sample)
		if isBlank(sample[:end]) {
			sample = sample[next:]
			continue
		}
		rec := scan(sample, separator, nil)
		if rec.problem == "" {
			rows, next = append(rows, texts(sample, rec)), rec.next
		} else {
			rows = append(rows, nil)
		}
		broken = append(broken, rec.problem != "")
		sample = sample[next:]
	}
	return rows, broken
}

func namedColumn(row []string) (column int, ok bool) {
	rank := len(headerWords)
	for i, cell := range row {
		if at := slices.Index(headerWords, plainWord(cell)); at >= 0 && at < rank {
			rank, column = at, i
		}
	}
	return column, rank < len(headerWords)
}

// looksLikeHeader judges a first row without a known word by the rows below it.
func looksLikeHeader(first []string, rest [][]string, limit int) bool {
	if len(first) == 0 || len(rest) == 0 {
		return false
	}
	share := func(column int, is func(string) bool) float64 {
		n := 0
		for _, row := range rest {
			if column < len(row) && is(row[column]) {
				n++
			}
		}
		return float64(n) / float64(len(rest))
	}
	isAccount := func(cell string) bool { return judge(cell, false, limit) == "" }
	if strings.ContainsFunc(first[0], func(c rune) bool { return c > unicode.MaxASCII && unicode.IsLetter(c) }) {
		return share(0, isAccount) > 0.5
	}
	for _, cell := range first {
		if cell == "" || strings.ContainsFunc(cell, unicode.IsDigit) {
			return false
		}
	}
	for column := range first {
		if len(first) > 1 && share(column, isNumber) >= 0.9 {
			return true
		}
	}
	return false
}

func isNumber(cell string) bool {
	return cell != "" && strings.Trim(cell, "0123456789") == ""
}

// commonLength is the number of cells most rows have; of equals, the larger.
func commonLength(rows [][]string) int {
	counts := map[int]int{}
	for _, row := range rows {
		if len(row) > 0 { // 0: it could not be split
			counts[len(row)]++
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
func separatorLine(sample []byte) (separator byte, length int) {
	end, next := lineEnd(sample)
	line := sample[:end]
	if len(line) == 5 && bytes.EqualFold(line[:4], []byte("sep=")) && bytes.IndexByte([]byte("\t|;,"), line[4]) >= 0 {
		return line[4], next
	}
	return 0, 0
}
