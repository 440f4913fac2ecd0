package accounts

import (
	"regexp"
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
	"memberid", "playerid", "customerid", "会员id", "会员账号", "客户id", "客户账号", "loginid", "login",
}

// weakWords name the account column as well as anything else.
var weakWords = []string{"user", "users", "username", "用户", "用户名", "用戶", "用戶名", "id", "ids"}

// affixes are header words that longer names end with, such as im_account_id and t.user_id.
var affixes = []string{"userid", "accountid", "account", "imuid", "账号", "帐号", "帳號", "账号id", "帐号id", "帳號id", "用户id", "用戶id"}

// notTheirs begin the names of accounts of somebody or something else.
var notTheirs = []string{"备用", "上级", "推荐", "邀请", "客服", "操作", "parent", "inviter", "backup", "old", "operator", "agent"}

// plainWord is a header cell without what people vary: case, spaces and signs.
func plainWord(cell string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return unicode.ToLower(c)
		}
		return -1
	}, cell)
}

// remark is what people add to a header's cell in brackets.
var remark = regexp.MustCompile(`\s*(\([^()]*\)|（[^（）]*）|【[^【】]*】)\s*$`)

// A header's cell names the account column in one of these ways, the surest last.
const (
	unnamed = iota
	weakly
	byAffix
	surely
)

// naming tells how a header's cell names the account column; of two that do so
// in the same way the lower rank does it better.
func naming(cell string) (way, rank int) {
	if strings.HasSuffix(cell, accountMark) {
		return surely, -1
	}
	word := plainWord(cell)
	if at := slices.Index(headerWords, word); at >= 0 {
		return surely, at
	}
	if at := slices.Index(weakWords, word); at >= 0 {
		return weakly, at
	}
	if len(cell) > 60 {
		return unnamed, 0
	}
	if bare := plainWord(remark.ReplaceAllString(cell, "")); bare != word && bare != "" {
		if way, rank := naming(bare); way >= byAffix {
			return way, rank + len(headerWords)
		}
	}
	if slices.ContainsFunc(notTheirs, func(first string) bool { return strings.HasPrefix(word, first) }) {
		return unnamed, 0
	}
	for i, affix := range affixes {
		if strings.HasSuffix(word, affix) && !hasDigit(word) {
			return byAffix, i
		}
	}
	return unnamed, 0
}

// namedColumn finds the column that its header says is the account's.
func namedColumn(header []string) (column int, ok bool) {
	column, way := namedHow(header)
	return column, way != unnamed
}

func namedHow(header []string) (column, how int) {
	best := 0
	for i, cell := range header {
		if way, rank := naming(cell); way > how || way == how && way != unnamed && rank < best {
			column, how, best = i, way, rank
		}
	}
	return column, how
}

// isHeader reports whether a row is a header by its words. One that only ends
// with a word, and in ASCII, might be an account like test_account: it is a
// header only when no cell of several has a digit and the rows below do.
func isHeader(row sampleRow, below []sampleRow, r rules) bool {
	column, how := namedHow(row.cells)
	if how != byAffix {
		return how != unnamed && !isValue(row, below, column, how)
	}
	cell := row.cells[column]
	if strings.ContainsFunc(cell, func(c rune) bool { return c > unicode.MaxASCII }) || endsWithID(cell) {
		return true
	}
	for _, cell := range row.cells {
		if hasDigit(cell) {
			return false
		}
	}
	withDigit, n := 0, 0
	for _, row := range below {
		if row.isAccount(column, r) {
			n++
			if hasDigit(row.cells[column]) {
				withDigit++
			}
		}
	}
	return len(row.cells) > 1 && withDigit > 0 && withDigit*2 > n
}

// isValue reports whether the word that names the column is a value of it: it
// stands there again below, in rows that are no such header.
func isValue(row sampleRow, below []sampleRow, column, how int) bool {
	if len(row.cells) < 2 || how == surely && !slices.ContainsFunc(row.cells, hasDigit) {
		return false
	}
	return slices.ContainsFunc(below, func(other sampleRow) bool {
		return column < len(other.cells) && other.cells[column] == row.cells[column] &&
			!slices.Equal(withoutBlankEnd(other.cells), withoutBlankEnd(row.cells))
	})
}

func endsWithID(cell string) bool {
	cell = strings.ToLower(cell)
	return strings.HasSuffix(cell, "user_id") || strings.HasSuffix(cell, "account_id") || strings.HasSuffix(cell, "im_uid")
}

// preambleRows may stand above a table.
const preambleRows = 30

// preamble returns how many rows stand above a header. It is 0 unless none of
// them could be the row of an account.
func preamble(rows []sampleRow, r rules) int {
	for i, row := range rows[:min(len(rows), preambleRows+1)] {
		if row.broken {
			return 0
		}
		if !isHeader(row, rows[i+1:], r) {
			continue
		}
		column, how := namedHow(row.cells)
		if anyRow(rows[:i], len(row.cells), column, how, r) {
			return 0
		}
		return i
	}
	return titles(rows, r)
}

// anyRow reports whether one of the rows above a header might hold an account.
func anyRow(above []sampleRow, columns, column, how int, r rules) bool {
	words := 0
	for _, row := range above {
		filled := 0
		for _, cell := range row.cells {
			if !isBlank(cell) {
				filled++
			}
		}
		if couldBeRow(row, columns, column, r) || how == weakly && filled > 1 {
			return true
		}
		if filled == 1 && isWord(strings.Trim(strings.Join(row.cells, ""), " \t")) {
			words++
		}
	}
	return words > 1 // one is a title
}

// titles returns how many lines of one sentence or title stand above a header
// that is one by its look.
func titles(rows []sampleRow, r rules) int {
	common := commonLength(rows)
	for i, row := range rows[:min(len(rows), preambleRows+1)] {
		var filled []string
		for _, cell := range row.cells {
			if !isBlank(cell) {
				filled = append(filled, cell)
			}
		}
		switch {
		case row.broken || common < 2:
			return 0
		case len(filled) == 1 && isBeyondASCII(filled[0]) && !couldBeRow(row, common, 0, r):
			continue
		case i == 0 || len(row.cells) != common || len(filled) != common || !beyondASCII(row),
			!looksLikeHeader(row.cells, rows[i+1:], r):
			return 0
		}
		return i
	}
	return 0
}

// couldBeRow reports whether a row above a header might hold an account: it has
// the look of one in any cell, or stands where the header has its column. A
// sentence alone in a table of several columns does not.
func couldBeRow(row sampleRow, columns, column int, r rules) bool {
	digits, long, texts, label := 0, false, 0, false
	for i, cell := range row.cells {
		if row.typed != nil && row.typed[i] {
			continue
		}
		for _, piece := range strings.FieldsFunc(cell, isSeparator) {
			piece = strings.Trim(piece, " ")
			switch {
			case piece == "":
			case isNumber(piece):
				digits++
				long = long || len(piece) >= 5
			case looksLikeID(piece, r):
				return true
			default:
				texts++
				label = label || r.judge(piece, true) == Annotated
			}
		}
	}
	if label && texts == 1 {
		return false
	}
	if long || digits > 0 && texts == 0 {
		return true
	}
	if row.typed == nil && len(row.cells) != columns ||
		column >= len(row.cells) || row.typed != nil && row.typed[column] {
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
	return columns == 1 || !strings.ContainsAny(row.cells[column], " :") && !isWord(row.cells[column])
}

// looksLikeID: one word that could be an account, with a digit or underscore.
func looksLikeID(word string, r rules) bool {
	return !strings.ContainsAny(word, " :") && strings.ContainsAny(word, "0123456789_@") &&
		!dateOrTime.MatchString(word) && r.judge(word, true) == ""
}
