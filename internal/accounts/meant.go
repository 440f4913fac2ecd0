package accounts

import (
	"slices"
	"strings"
)

// What a cell or a column's name says of the accounts of a row.
const (
	saysNothing = 0
	isMeant     = 1  // they are to go
	isSpared    = -1 // they are to stay
	isUnclear   = 2  // only of columns: a person must look
)

// removing and sparing are words of such columns, in the languages of those who write them.
var (
	removing = set("remove removal delete clear clean cleanup erase purge wipe untag touch include included approve approved " +
		"accept accepted todo löschen entfernen bereinigen supprimer " +
		"effacer retirer eliminar borrar quitar remover apagar limpar eliminare rimuovere cancellare verwijderen wissen " +
		"usuń usunąć удалить удалять убрать очистить видалити sil kaldır hapus xóa")
	sparing = set("keep keeping retain preserve exclude excluded skip ignore spare protect protected whitelist whitelisted exempt " +
		"exempted exemption exclusion exception hold reject rejected decline declined done processed " +
		"behalten ausschließen garder conserver ignorer exclure conservar mantener ignorar manter mantenere escludere " +
		"behouden houden zachować pominąć оставить сохранить исключить tut giữ")
	removingSigns = strings.Fields("删除 清除 移除 清理 清空 去除 刪除 清掉 削除 消去 삭제 제거 해제 同意")
	sparingSigns  = strings.Fields("保留 排除 豁免 白名单 白名單 跳过 跳過 忽略 不删 不刪 不清 不移 不要 勿 残す 除外 유지 제외 对象外 対象外 拒绝 拒絕 驳回 已处理 已完成 完了")
	negations     = set("not no don dont never nicht nie pas ne non niet не")

	states     = set("status action decision approval review result outcome check checked ok")
	asserted   = set("true t false f 0 1") // as programs write yes and no, of anything
	attributes = set("verified confirmed enabled active subscribed subscriber newsletter marketing consent locked banned admin vip " +
		"member premium paid mfa otp phone email mobile student")
	stateSigns     = strings.Fields("状态 狀態 处理 處理 审批 審批 审核 審核 结果 結果 操作")
	attributeSigns = strings.Fields("会员 會員 认证 認證 实名 启用 在线 激活 订阅 绑定 验证 驗證 冻结 登录")

	yes = set("yes y true t 1 x on ok ja j oui o si sí sì sim có s tak da да д evet igen ano áno kyllä ναι ya " +
		"نعم כן हाँ ใช่ はい 예 是 对 對 要 需要 有 対象 ○ √ ✓ ✔ ✅ ☑")
	no = set("no n false f 0 off nein non não nao nie nee không нет н hayır nem nej nei ne ei όχι tidak nu не لا לא नहीं ไม่ ไม่ใช่ " +
		"いいえ 아니요 아니오 否 不 不是 不用 不需要 无 × ✗ ✘ ❌ ☐")
)

// columnSays tells what a yes in a column of that name means. Flags of a database, such
// as is_deleted, say what has been, not what is to be done.
func columnSays(name string) int {
	words := wordsIn(name)
	if len(words) == 0 || len(name) > longestName {
		return saysNothing
	}
	says := wordsSay(name, words)
	switch words[0] {
	case "is", "was", "has", "can", "may":
		return min(says, saysNothing)
	}
	return says
}

// wordsSay looks for what is to be done in words such as "do not remove".
func wordsSay(text string, words []string) int {
	for _, sign := range sparingSigns {
		if strings.Contains(text, sign) {
			return isSpared
		}
	}
	for _, sign := range removingSigns {
		if strings.Contains(text, sign) {
			return isMeant
		}
	}
	says, negated := saysNothing, false
	for _, word := range words {
		switch {
		case negations[word]:
			negated = true
		case says != saysNothing:
		case removing[word]:
			says = isMeant
		case sparing[word]:
			says = isSpared
		}
	}
	if negated {
		says = -says
	}
	return says
}

// cellSays tells what a cell says under a column of which columnSays says column; known
// is false of a cell that is no such word. A blank cell says nothing.
func cellSays(cell string, column int) (says int, known bool) {
	cell = trimmed(cell)
	if cell == "" {
		return saysNothing, true
	}
	if len(cell) > 4*len("do not remove") {
		return saysNothing, false
	}
	if column != saysNothing {
		switch word := strings.ToLower(cell); {
		case yes[word]:
			return column, true
		case no[word]:
			return -column, true
		}
	}
	words := wordsIn(cell)
	if len(words) > 4 {
		return saysNothing, false
	}
	says = wordsSay(cell, words)
	return says, says != saysNothing
}

// learnMeant finds the column that says of each row whether it is meant: nearly all of
// its cells are words such as yes and no below a name such as Remove?, or words such as
// keep and remove are among its few values. A row it spares is in doubt, and so is one of
// which it says nothing where others are meant. Else it may be a column of states: then
// all rows are in doubt, and so they are where several columns say something.
func (u *Understanding) learnMeant(rows []sampleRow) {
	if isResults(u.Header) {
		return
	}
	state := 0
	for i := range u.Columns {
		if i == u.Column || i == u.TagColumn-1 || isRejects(u.Header) && i >= u.Columns-len(RejectColumns) {
			continue
		}
		name := ""
		if i < len(u.Header) {
			name = u.Header[i]
		}
		c := cellsMeant(rows, i, columnSays(name))
		switch {
		case c.known > 0 && (c.few || c.known*10 >= c.filled*9):
			if u.MeantBy > 0 || c.crossed {
				c.column = isUnclear
			}
			if u.MeantBy == 0 {
				u.MeantBy = i + 1
			}
			u.MeantYes, u.OthersSpared = c.column, c.meant > 0
		case state == 0 && c.isState(name, len(rows)):
			state = i + 1
		}
	}
	if u.MeantBy == 0 && state > 0 {
		u.MeantBy, u.MeantYes = state, isUnclear
	}
}

// meantCells is what the cells of a column say.
type meantCells struct {
	column               int // what its name says
	filled, known, meant int
	yes, no              int             // in the words of people
	values               map[string]bool // in lower case; one more than fewValues of them, if there are more
	few, crossed         bool
}

func cellsMeant(rows []sampleRow, column, says int) meantCells {
	c := meantCells{column: says, values: map[string]bool{}}
	for _, row := range rows {
		cell := strings.ToLower(trimmed(row.cell(column)))
		if len(c.values) <= fewValues {
			c.values[cell] = true
		}
		if isBlank(cell) {
			continue
		}
		c.filled++
		if says, is := cellSays(cell, c.column); is {
			c.known++
			if says == isMeant {
				c.meant++
			}
		}
		switch {
		case asserted[cell]:
		case yes[cell]:
			c.yes++
		case no[cell]:
			c.no++
		}
	}
	c.few = len(c.values) <= fewValues && len(c.values) < len(rows)
	c.crossed = c.values["x"] && (c.values["o"] || c.values["○"]) // is no mark, but a no
	return c
}

// isState reports whether a column may say in words of its own what is to be done: its
// name says so, or people have answered something there by yes and no that is no attribute.
func (c meantCells) isState(name string, rows int) bool {
	few := c.few && len(c.values) > 1
	switch {
	case few && isState(name):
		return true
	case c.column != saysNothing:
		return (few || c.filled > 0 && c.filled < rows) && (c.column == isSpared || !namesOther(name))
	}
	answered := min(c.yes, max(c.no, rows-c.filled)) // blank is no, too
	return few && answered >= 3 && (c.yes+c.no)*10 >= c.filled*9 && !isAttribute(name)
}

const fewValues = 6

// isState reports whether a column of that name may say what is to be done.
func isState(name string) bool {
	name = trimmed(name)
	return name != "" && (strings.HasSuffix(name, "?") || strings.HasSuffix(name, "？") || plainWord(name) == "" ||
		slices.ContainsFunc(wordsIn(name), func(word string) bool { return states[word] }) ||
		slices.ContainsFunc(stateSigns, func(sign string) bool { return strings.Contains(name, sign) }))
}

// isAttribute reports whether a column of that name says something of a person.
func isAttribute(name string) bool {
	return slices.ContainsFunc(wordsIn(name), func(word string) bool { return attributes[word] }) ||
		slices.ContainsFunc(attributeSigns, func(sign string) bool { return strings.Contains(name, sign) })
}

// spares reports whether the row says that its account is not meant.
func (u *Understanding) spares(fields []string) bool {
	if u.MeantYes == isUnclear {
		return true
	}
	says, _ := cellSays(u.meantCell(fields), u.MeantYes)
	return says == isSpared || says == saysNothing && u.OthersSpared
}

// shownInDoubt is a row in doubt as a question shows it: the account, and what spares it.
func (u *Understanding) shownInDoubt(row *Row) string {
	if row.Reason != Spared {
		return strings.Clone(row.Value)
	}
	said := u.meantCell(row.Fields)
	if u.MeantBy <= len(u.Header) {
		said = u.Header[u.MeantBy-1] + ": " + said
	}
	return row.Value + " (" + shorten(said) + ")"
}

func (u *Understanding) meantCell(fields []string) string {
	if u.MeantBy > len(fields) {
		return ""
	}
	return fields[u.MeantBy-1]
}
