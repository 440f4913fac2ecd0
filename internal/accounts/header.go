package accounts

import (
	"slices"
	"strings"
	"unicode"
)

// headerWords name the account column, the likeliest first, in the form of plainWord.
var headerWords = []string{
	"toaccount", "userid", "userids", "imuserid", "imaccount", "imid", "用户id", "用户账号", "用户帐号",
	"account", "accounts", "accountid", "useraccount", "账号", "帐号", "账号id", "帐号id", "账户", "帐户", "账户id", "帐户id",
	"identifier", "identifiers", "用户标识", "uid", "uids", "用户编号", "registrationid",
	"用戶id", "用戶帳號", "帳號", "帳號id", "帳戶", "帳戶id", "用戶編號",
	"memberid", "customerid", "会员id", "会员账号", "客户id", "客户账号",
	"user", "users", "username", "用户", "用户名", "用戶", "用戶名", "id", "ids",
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

// namedColumn finds the column that its header says is the account's.
func namedColumn(header []string) (column int, ok bool) {
	rank := len(headerWords)
	for i, cell := range header {
		if strings.HasSuffix(cell, accountMark) {
			return i, true
		}
		if at := slices.Index(headerWords, plainWord(cell)); at >= 0 && at < rank {
			rank, column = at, i
		}
	}
	return column, rank < len(headerWords)
}

// onlyAHeader reports whether a value is a header's word that is nobody's account.
func onlyAHeader(value string) bool {
	if len(value) < 4 || len(value) > 12 || !isLetter(value[0]) || !isLetter(value[len(value)-1]) {
		return false
	}
	switch plainWord(value) {
	case "toaccount", "userid", "userids", "imuserid", "imaccount", "imid", "accountid":
		return true
	}
	return false
}

// preambleRows may stand above a table.
const preambleRows = 30

// preamble returns how many rows stand above a header that names the account
// column. It is 0 unless none of them could be the row of an account.
func preamble(rows []sampleRow, r rules) int {
	for i, row := range rows[:min(len(rows), preambleRows+1)] {
		column, named := namedColumn(row.cells)
		if row.broken {
			return 0
		}
		if !named {
			continue
		}
		for _, above := range rows[:i] {
			if couldBeRow(above, len(row.cells), column, r) {
				return 0
			}
		}
		return i
	}
	return 0
}

// couldBeRow reports whether a row above a header might hold an account. A
// sentence alone in a table of several columns does not.
func couldBeRow(row sampleRow, columns, column int, r rules) bool {
	if row.typed == nil && len(row.cells) != columns || column >= len(row.cells) || row.typed != nil && row.typed[column] {
		return false
	}
	if reason := r.judge(row.cells[column], true); reason == Empty || reason == BadCharacter {
		return false
	}
	for i, cell := range row.cells {
		if i != column && strings.Trim(cell, " \t") != "" {
			return true
		}
	}
	return columns == 1 || !strings.ContainsAny(row.cells[column], " :")
}

// looksLikeHeader judges a first row without a known word by the rows below it:
// a name in place of an account, or words above a column of numbers.
func looksLikeHeader(first []string, rest []sampleRow, r rules) bool {
	if len(first) == 0 || len(rest) == 0 {
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
	if strings.ContainsFunc(first[column], func(c rune) bool { return c > unicode.MaxASCII && unicode.IsLetter(c) }) &&
		share(func(row sampleRow) bool { return row.isAccount(column, r) }) > 0.5 {
		return true
	}
	for _, cell := range first {
		if cell == "" || strings.ContainsFunc(cell, unicode.IsDigit) {
			return false
		}
	}
	for i := range first {
		if len(first) > 1 && share(func(row sampleRow) bool { return i < len(row.cells) && isNumber(row.cells[i]) }) >= 0.9 {
			return true
		}
	}
	return false
}

func isNumber(cell string) bool {
	return cell != "" && strings.Trim(cell, "0123456789") == ""
}
