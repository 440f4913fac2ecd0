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

// common are words of other columns, by which a row is seen to be a header.
var common = set("name names nickname realname phone mobile tel email mail city date day time no index status state level " +
	"vip tag tags note notes remark remarks count amount sex gender age group groupid type country createdat orderno orderid " +
	"姓名 名称 昵称 手机 手机号 手机号码 电话 邮箱 城市 地区 日期 时间 序号 编号 备注 状态 等级 级别 标签 数量 金额 性别 年龄 客户 " +
	"客户名称 会员 名字 订单号")

// weakWords are those of them that name something else as often.
var weakWords = set("user users username id ids login 用户 用户名 用戶 用戶名")

// Persons: words for somebody's name or number in a header, also as parts of longer ones.
var persons = strings.Fields("user account member owner creator author inviter invitee invited referrer referred parent agent " +
	"operator admin customer client buyer seller sender receiver recipient person player contact friend follower staff " +
	"employee manager teacher student driver guest login identifier openid benutzer konto kunde mitglied nutzer usuario " +
	"usuário cuenta cliente miembro utilisateur compte membre utente conto conta membro пользовател аккаунт учетн клиент " +
	"участник kullanıcı hesap pengguna akun anggota người tài khoản ผู้ใช้ บัญชี สมาชิก ユーザ 会員 アカウント 利用者 사용자 계정 회원 " +
	"아이디 مستخدم حساب عضو उपयोगकर्ता खाता gebruiker användare medlem uživatel účet felhasználó fiók użytkownik " +
	"用户 用戶 账号 帐号 帳號 账户 帐户 帳戶 会员 會員 成员 成員 客户 客戶 买家 卖家 上级 推荐 邀请 创建 群主 好友 主播 玩家 学员 学生 老师 员工 司机 代理 人 " +
	"粉丝 顾问 销售 经理 主管 老板 店主 店员 团长 顧客 お客 メンバー 担当 友達 고객 친구 담당 관리자 작성자 khách viên üye müşteri sahip ลูกค้า เจ้าของ เพื่อน " +
	"عميل مالك صديق موظف владел созда автор друг сотрудник покупат продав получат отправит socio käufer acheteur comprador vendedor " +
	"vendeur empfänger absender besitzer inhaber eigentümer ersteller propietario propriétaire dueño freund amigo mitarbeiter " +
	"empleado employé funcionário teilnehmer participant partner colleague subscriber patient visitor viewer holder assignee " +
	"reporter leader captain supervisor mentor coach doctor broker merchant tenant sponsor kunden")

// personTokens are such words that count only as a whole.
var personTokens = set("by to from uid id ids uuid guid fan fans host lid")

// Names end with what they are the name of: these are called so, but may be accounts by their look.
var softEndings = set("name names nick nickname username fullname firstname lastname title 名 姓名 昵称 名称 名字 用户名 暱稱 vorname nachname")

// hardEndings are of columns that hold no accounts, whatever their cells look like.
var hardEndings = set("phone phones mobile timestamp line tel telephone cell mail email emails date day time at on year month birthday age gender " +
	"sex city country region state province address street zip postcode level grade rank tier vip status type kind role " +
	"group groups tag tags label labels note notes remark remarks comment reason count total amount balance price points score " +
	"currency percent rate language lang locale timezone url link image avatar ip device platform os version channel source " +
	"order orders invoice ticket sku product item session card flag enabled active verified fax company department index row")

var hardSuffixes = strings.Fields("手机 手机号 手机号码 电话 電話 邮箱 邮件 信箱 日期 时间 時間 城市 地区 省份 国家 地址 等级 級別 级别 状态 狀態 类型 類型 角色 " +
	"标签 標籤 备注 備註 原因 数 数量 次数 金额 余额 积分 价格 性别 年龄 生日 语言 设备 平台 版本 渠道 来源 订单 订单号 订单编号 序号 部门 公司 职务 职位 机型")

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

// isUnmistakable reports whether a header's cell names nothing but the account.
func isUnmistakable(cell string) bool {
	if len(cell) > longestName || len(cell) < 4 {
		return false
	}
	return strings.HasSuffix(cell, accountMark) || unmistakable[plainWord(bare(cell))]
}

func isAccountWord(cell string) bool {
	return len(cell) <= longestName && accountWords[plainWord(bare(cell))] || isUnmistakable(cell)
}

func isKnownWord(cell string) bool {
	return isAccountWord(cell) || len(cell) <= longestName && common[plainWord(bare(cell))] ||
		namingTags(cell) != noTags
}

// tokens are the words of a name such as created_by or UserName, in lower case.
func tokens(cell string) []string {
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

// How the name of a column speaks of what it holds.
const (
	unknownName = iota
	somebodys   // a person's name, number or account
	softly      // the name of somebody, unless its cells look like accounts
	elses       // something that is no account, such as a phone number
)

// naming tells what the name of a column says about its cells.
func naming(cell string) int {
	words := tokens(cell)
	for len(words) > 1 && slices.Contains([]string{"no", "number", "num", "nr", "code", "id"}, words[len(words)-1]) {
		words = words[:len(words)-1]
	}
	if len(words) == 0 || len(cell) > longestName {
		return unknownName
	}
	last, all := words[len(words)-1], strings.Join(words, "")
	switch {
	case namingTags(cell) != noTags, hardEndings[last],
		slices.ContainsFunc(hardSuffixes, func(s string) bool { return strings.HasSuffix(last, s) }):
		return elses
	case softEndings[last], softEndings[all], strings.HasSuffix(last, "名"), strings.HasSuffix(last, "昵称"):
		return softly
	case slices.ContainsFunc(words, func(word string) bool { return personTokens[word] && word != "id" && word != "ids" }),
		slices.ContainsFunc(persons, func(person string) bool { return strings.Contains(all, person) }):
		return somebodys
	}
	return unknownName
}

// resultColumns begin the header of results.csv.
var resultColumns = strings.Fields("row account outcome code message batch at")

func isResults(header []string) bool {
	return len(header) >= len(resultColumns) && slices.Equal(header[:len(resultColumns)], resultColumns)
}

func set(words string) map[string]bool {
	all := map[string]bool{}
	for _, word := range strings.Fields(words) {
		all[word] = true
	}
	return all
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
