package accounts

import "strings"

// What a cell or a column's name says of the accounts of a row.
const (
	saysNothing = 0
	isMeant     = 1  // they are to go
	isSpared    = -1 // they are to stay
)

// removing and sparing are words of such columns, in the languages of those who write them.
var (
	removing = set("remove removal delete clear clean cleanup erase purge wipe untag löschen entfernen bereinigen supprimer " +
		"effacer retirer eliminar borrar quitar remover apagar limpar eliminare rimuovere cancellare verwijderen wissen " +
		"usuń usunąć удалить удалять убрать очистить видалити sil kaldır hapus xóa")
	sparing = set("keep keeping retain preserve exclude skip ignore spare protect protected whitelist whitelisted exempt exemption " +
		"exception " +
		"behalten ausschließen garder conserver ignorer exclure conservar mantener ignorar manter mantenere escludere " +
		"behouden houden zachować pominąć оставить сохранить исключить tut giữ")
	removingSigns = strings.Fields("删除 清除 移除 清理 清空 去除 刪除 清掉 削除 消去 삭제 제거 해제")
	sparingSigns  = strings.Fields("保留 排除 豁免 白名单 白名單 跳过 跳過 忽略 不删 不刪 不清 不移 不要 勿 残す 除外 유지 제외")
	negations     = set("not no don dont never nicht nie pas ne non niet не")

	yes = set("yes y true t 1 x on ok ja j oui o si sí sim s tak da да д evet はい 예 是 对 對 要 需要 有 √ ✓ ✔ ✅ ☑")
	no  = set("no n false f 0 off nein non não nao nie nee нет н hayır いいえ 아니요 아니오 否 不 不是 不用 不需要 无 × ✗ ✘ ❌ ☐")
)

// columnSays tells what a yes in a column of that name means. Flags of a database, such
// as is_deleted, say what has been, not what is to be done.
func columnSays(name string) int {
	words := wordsIn(name)
	if len(words) == 0 || len(name) > longestName {
		return saysNothing
	}
	switch words[0] {
	case "is", "was", "has", "can", "may":
		return saysNothing
	}
	return wordsSay(name, words)
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
// keep and remove. A row it spares is in doubt, and so is one of which it says nothing
// where others are meant.
func (u *Understanding) learnMeant(rows []sampleRow) {
	for i := range u.Columns {
		if i == u.Column || i == u.TagColumn-1 {
			continue
		}
		name := ""
		if i < len(u.Header) {
			name = u.Header[i]
		}
		column, filled, known, meant, spared := columnSays(name), 0, 0, 0, 0
		for _, row := range rows {
			if isBlank(row.cell(i)) {
				continue
			}
			filled++
			switch says, is := cellSays(row.cell(i), column); {
			case !is:
			case says == isMeant:
				known, meant = known+1, meant+1
			default:
				known, spared = known+1, spared+1
			}
		}
		if known > 0 && known*10 >= filled*9 && (column != saysNothing || spared > 0 || filled < len(rows)) {
			u.MeantBy, u.MeantYes, u.BlankSpared = i+1, column, meant > 0
			return
		}
	}
}

// spares reports whether the row says that its account is not meant.
func (u *Understanding) spares(fields []string) bool {
	if u.MeantBy == 0 {
		return false
	}
	says, _ := cellSays(u.meantCell(fields), u.MeantYes)
	return says == isSpared || says == saysNothing && u.BlankSpared && isBlank(u.meantCell(fields))
}

// shownInDoubt is a row in doubt as a question shows it: the account, and what spares it.
func (u *Understanding) shownInDoubt(row Row) string {
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
