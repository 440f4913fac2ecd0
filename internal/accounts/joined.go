package accounts

import "slices"

// joined finds the headers inside files that were joined.
type joined struct {
	header  []string // of the first, in the form of plainWord; nil: none
	column  int
	tags    int  // their column, from 1; 0: none
	digits  bool // in the header's name of the account column
	changed bool // the rows at hand belong to a header with another order
}

func newJoined(u Understanding) joined {
	j := joined{column: u.Column, tags: u.TagColumn}
	for _, cell := range u.Header {
		j.header = append(j.header, plainWord(cell))
	}
	j.header = withoutBlankEnd(j.header)
	j.digits = u.Column < len(u.Header) && hasDigit(u.Header[u.Column])
	return j
}

// reason is why a row is set aside for a header in the middle: it is one, or
// stands below one whose columns are in another order.
func (j *joined) reason(fields []string, value string, u Understanding) Reason {
	switch {
	case !j.digits && hasDigit(value): // no header's word: so it is with most accounts
	case repeatsHeader(u, fields, value), j.names(fields, value):
		j.changed = j.movesTags(fields)
		return RepeatedHeader
	case j.reorders(fields, value):
		j.changed = true
		return RepeatedHeader
	}
	if j.changed {
		return ColumnsChanged
	}
	return ""
}

// names: the account column has a header's word that is nobody's account, or
// the header is the same but for case and signs.
func (j *joined) names(fields []string, value string) bool {
	if len(value) > 60 {
		return false
	}
	word := ""
	if mayName(value) || j.begins(value) {
		word = plainWord(value)
	}
	if word == "" {
		return false
	}
	if sure[word] {
		return !j.swapped(fields)
	}
	if j.column >= len(j.header) || word != j.header[j.column] || len(fields) < len(j.header) {
		return false
	}
	for i, cell := range fields {
		want := ""
		if i < len(j.header) {
			want = j.header[i]
		}
		if plainWord(cell) != want {
			return false
		}
	}
	return true
}

// movesTags: a header that does not have the tags where they were.
func (j *joined) movesTags(fields []string) bool {
	if j.tags == 0 {
		return false
	}
	if j.tags > len(fields) {
		return true
	}
	cell := fields[j.tags-1]
	return namingTags(cell) == noTags && (j.tags > len(j.header) || plainWord(cell) != j.header[j.tags-1])
}

// begins compares the first letter, so that hardly a row takes more.
func (j *joined) begins(value string) bool {
	if j.column >= len(j.header) || j.header[j.column] == "" {
		return false
	}
	for i := range len(value) {
		if b := value[i]; b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b >= 0x80 {
			return b == j.header[j.column][0] || b >= 0x80
		} else if b >= 'A' && b <= 'Z' {
			return b|0x20 == j.header[j.column][0]
		}
	}
	return false
}

// swapped: the header's name of the account column stands in another one.
func (j *joined) swapped(fields []string) bool {
	if j.column >= len(j.header) || j.column >= len(fields) {
		return false
	}
	name := j.header[j.column]
	if name == "" || plainWord(fields[j.column]) == name {
		return false
	}
	return slices.ContainsFunc(fields, func(cell string) bool { return plainWord(cell) == name })
}

// reorders: a header by its words, that names another column.
func (j *joined) reorders(fields []string, value string) bool {
	if len(value) > 40 || hasDigit(value) {
		return false
	}
	other := false
	for i, cell := range fields {
		if i != j.column && (mayName(cell) && sure[plainWord(cell)] ||
			j.column < len(j.header) && len(cell) < 60 && j.begins(cell) && plainWord(cell) == j.header[j.column]) {
			other = true
			break
		}
	}
	if !other {
		return false
	}
	word := plainWord(value)
	if sure[word] || common[word] {
		return true
	}
	for i, name := range j.header {
		if i != j.column && name != "" && name == word {
			return true
		}
	}
	return false
}

func hasDigit(s string) bool {
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			return true
		}
	}
	return false
}

// mayName is a quick look before a word is searched for.
func mayName(cell string) bool {
	if len(cell) < 3 || len(cell) > 40 {
		return false
	}
	switch cell[0] {
	case 't', 'T', 'u', 'U', 'i', 'I', 'a', 'A', 'm', 'M', 'p', 'P', 'c', 'C', 'r', 'R':
		return !hasDigit(cell)
	case 0xE4, 0xE5, 0xE7, 0xE8, 0xEF:
		switch cell[:3] {
		case "用", "账", "帐", "帳", "会", "客", "\uFEFF":
			return true
		}
	}
	return false
}

// sure holds the words that are nobody's account; common those of other columns.
var (
	sure   = set(headerWords)
	common = set(append([]string{
		"name", "names", "nickname", "realname", "phone", "mobile", "tel", "email", "mail", "city", "date", "day", "time",
		"no", "index", "status", "state", "level", "vip", "tag", "tags", "note", "notes", "remark", "remarks",
		"count", "amount", "sex", "gender", "age", "group", "type", "country", "createdat",
		"姓名", "名称", "昵称", "手机", "手机号", "手机号码", "电话", "邮箱", "城市", "地区", "日期", "时间", "序号", "编号", "备注",
		"状态", "等级", "级别", "标签", "数量", "金额", "性别", "年龄", "客户", "客户名称", "会员", "名字",
	}, weakWords...))
)

func set(words []string) map[string]bool {
	all := make(map[string]bool, len(words))
	for _, word := range words {
		all[word] = true
	}
	return all
}
