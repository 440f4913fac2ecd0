package accounts

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// unmistakable are the header words that name nothing but the account, in the form of plainWord.
var unmistakable = set("userid userids toaccount toaccounts imuserid imaccount 用户id 用戶id im账号 im帐号 im用户id")

// accountWords name the account column, but may name something else.
var accountWords = set("account accounts accountid useraccount imid identifier identifiers uid uids registrationid login " +
	"loginid user users username id ids member memberid playerid customerid 用户账号 用户帐号 账号 帐号 账号id 帐号id 账户 帐户 " +
	"账户id 帐户id 用户标识 用户编号 用戶帳號 帳號 帳號id 帳戶 帳戶id 用戶編號 会员id 会员账号 客户id 客户账号 用户 用户名 用戶 用戶名")

// ofAccounts are words in names of columns that may hold accounts.
var ofAccounts = set("account login im tim")

// personNames name somebody, but not by an account.
var personNames = set("name names nick nickname realname 姓名 名称 昵称 名字")

// others name a column that holds no accounts, whatever its cells look like.
var others = set("phone mobile tel email mail city date day time index status state level vip note notes remark remarks " +
	"reason count amount total price score sex gender age group type country device session url order orders invoice " +
	"no orderno orderid groupid createdat 手机 手机号 手机号码 电话 邮箱 城市 地区 日期 时间 序号 编号 备注 状态 等级 级别 标签 数量 金额 " +
	"性别 年龄 订单 订单号 订单编号 设备 渠道 来源")

// titleWords stand above a part of a list, or below its end.
var titleWords = set("keep remove exclude excluded delete removed except others other agents staff members admins team " +
	"thanks thankyou regards cheers danke merci gracias eof end ende fin fine done")

// remarks are words that people and programs leave among accounts: sums, errors, kinds
// of columns, examples, and none.
var remarks = set("total totals subtotal grandtotal sum summe gesamt gesamtsumme gesamtergebnis insgesamt somme totale " +
	"totaal totalt suma soma razem celkem itogo toplam jumlah finished killed aborted terminated error string varchar text " +
	"integer int bigint char required optional mandatory example sample exampleuser unbekannt keine kein aucun ninguno " +
	"nessuno nenhum nada nothing geen leer vide ditto same pending deleted guest anonymous xxx")

// isRemark reports whether an account is a word that seldom is one.
func isRemark(account string) bool {
	word := wordOf(account)
	return titleWords[word] || remarks[word] || isKnownWord(account)
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

// remark is what people add to a header's cell in brackets, and databases before it (t.user_id).
var remark = regexp.MustCompile(`\s*(\([^()]*\)|（[^（）]*）|【[^【】]*】)\s*$|^[a-z]{1,2}[.]`)

func bare(cell string) string {
	if !strings.ContainsAny(cell, ")）】.") {
		return cell
	}
	return remark.ReplaceAllString(cell, "")
}

const longestName = 100 // bytes of a cell that can be a name

// wordOf is the cell as it stands in the lists; "" when it cannot be a name.
func wordOf(cell string) string {
	if len(cell) > longestName {
		return ""
	}
	return plainWord(bare(cell))
}

// isUnmistakable reports whether a header's cell names nothing but the account.
func isUnmistakable(cell string) bool {
	return len(cell) >= 4 && (isMarked(cell) || unmistakable[wordOf(cell)])
}

func isAccountWord(cell string) bool { return accountWords[wordOf(cell)] || isUnmistakable(cell) }

func isKnownWord(cell string) bool {
	word := wordOf(cell)
	return accountWords[word] || personNames[word] || others[word] || isUnmistakable(cell) || namesTags(cell)
}

func knownIn(cells []string) (words int) {
	for _, cell := range cells {
		if isKnownWord(cell) {
			words++
		}
	}
	return words
}

// namesOther reports whether the last word of a column's name, as in order_id or
// 客户手机, says that it holds no accounts.
func namesOther(cell string) bool {
	words := wordsIn(cell)
	for len(words) > 1 && slices.Contains([]string{"no", "number", "id"}, words[len(words)-1]) {
		words = words[:len(words)-1]
	}
	if len(words) == 0 {
		return false
	}
	last := words[len(words)-1]
	for at := range last { // Chinese has no spaces between words
		if others[last[at:]] && (at == 0 || last[at] >= 0x80) {
			return true
		}
	}
	return namesTags(cell)
}

// wordsIn are the words of a name such as created_by or UserName, in lower case.
func wordsIn(cell string) []string {
	var split strings.Builder
	lower := false
	for _, c := range bare(cell) {
		if unicode.IsUpper(c) && lower {
			split.WriteByte(' ')
		}
		if lower = unicode.IsLower(c); !unicode.IsLetter(c) && !unicode.IsMark(c) {
			c = ' '
		}
		split.WriteRune(unicode.ToLower(c))
	}
	return strings.Fields(split.String())
}

// resultColumns begin the header of results.csv.
var resultColumns = strings.Fields("row account outcome code message batch at")

func isResults(header []string) bool {
	return len(header) >= len(resultColumns) && slices.Equal(header[:len(resultColumns)], resultColumns)
}

// RejectColumns come after the user's own columns in a file of rows set aside. When it
// comes back, they say nothing of its accounts.
var RejectColumns = strings.Fields("row line kind reason repeats_row")

// isRejects reports whether a header is that of a file of rows set aside.
func isRejects(header []string) bool {
	own := len(header) - len(RejectColumns)
	return own > 0 && slices.Equal(header[own:], RejectColumns)
}

// namedColumn is the first column that a header names unmistakably; -1 when there is none.
func namedColumn(header []string) int {
	if isResults(header) {
		return 1
	}
	if marked := slices.IndexFunc(header, isMarked); marked >= 0 {
		return marked
	}
	return slices.IndexFunc(header, isUnmistakable)
}

func set(words string) map[string]bool {
	all := map[string]bool{}
	for _, word := range strings.Fields(words) {
		all[word] = true
	}
	return all
}
