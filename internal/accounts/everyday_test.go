package accounts

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"tagsweep/internal/accounts/filetest"
)

// An export is a file as a program writes it every day.
type export struct {
	program string
	mayAsk  bool // the file alone does not say which accounts are meant
	content string
	truth   []string
	aside   int // rows that are no accounts
}

// TestEverydayFilesAskLittle reads exports as real programs write them: none is
// read wrong, and no more than a quarter of them ask anything.
func TestEverydayFilesAskLittle(t *testing.T) {
	var list strings.Builder
	asked, files := 0, 0
	for _, exports := range [][]export{spreadsheetExports(t), databaseExports(t), serviceExports(t),
		chineseExports(t), plainLists()} {
		for _, e := range exports {
			files++
			t.Run(e.program, func(t *testing.T) {
				s := specimen{name: e.program, content: e.content, truth: e.truth}
				f := s.read(t, Choices{})
				verdict := "read"
				switch {
				case f.refused != nil:
					verdict = "refused"
				case len(f.asked) > 0:
					asked++
					verdict = "asked"
				}
				if fault := f.fault(s); fault != "" {
					verdict += ", wrong"
					t.Errorf("%s\n%s", fault, f)
				} else if verdict == "asked" && !e.mayAsk {
					verdict += " needlessly"
					t.Errorf("asks needlessly\n%s", f)
				} else if verdict == "asked" {
					after := s.answered(t, f)
					verdict += fmt.Sprintf(", right as suggested: %t", after.refused == nil && after.wrong(s) == "")
				} else if rows := len(f.rows) - len(f.accepted()); !e.mayAsk && (f.refused != nil || rows != e.aside) {
					verdict += ", with complaint"
					t.Errorf("reads with complaint: %d rows set aside, not %d\n%s", rows, e.aside, f)
				}
				fmt.Fprintf(&list, "%-40s %-34s %s\n", e.program, verdict, f)
			})
		}
	}
	t.Logf("%d of %d exports ask\n%s", asked, files, list.String())
	require.GreaterOrEqual(t, files, 40)
	require.LessOrEqual(t, asked*4, files, "exports that ask")
}

var people = strings.Fields("Ann Ben Cleo Dan Eve Finn Gus Hana Ida Jon Kim Leo Mia Ned Ola Pia Quin Rae Sam Tom")

var chinesePeople = strings.Fields("张伟 王芳 李娜 刘洋 陈静 杨帆 赵磊 黄敏 周杰 吴倩 徐涛 孙丽 马超 朱琳 胡军 郭婷 何平 林峰 罗兰 高山")

// rowsOf writes a row for each account, under a header if there is one. In a row, {} is
// the account, {n} its number from 1, {name} and {姓名} a person, {day} a date.
func rowsOf(header, row, eol string, accounts []string) string {
	var out strings.Builder
	if header != "" {
		out.WriteString(header + eol)
	}
	for i, account := range accounts {
		out.WriteString(filled(row, account, i) + eol)
	}
	return out.String()
}

func filled(row, account string, i int) string {
	return strings.NewReplacer("{}", account, "{n}", fmt.Sprint(i+1), "{name}", people[i%len(people)],
		"{姓名}", chinesePeople[i%len(chinesePeople)], "{mail}",
		strings.ToLower(people[i%len(people)])+fmt.Sprint(i)+"@example.com",
		"{phone}", fmt.Sprint(13800138000+37*i), "{day}", fmt.Sprintf("2026-11-%02d", i%28+1), "{hex}", hexOf(i),
		"{count}", fmt.Sprint(i*7%5), "{uuid}", fmt.Sprintf("0d1f5c7a-93b2-4e0c-8f5d-%012x",
			78187493520+i*7919)).Replace(row)
}

// hexOf is an id such as databases give.
func hexOf(i int) string {
	return fmt.Sprintf("%08x%08x%08x", 1730419200+i*977, 2654435761*uint32(i+1), 40503*uint32(i+7))
}

func hexes(n int) (list []string) {
	for i := range n {
		list = append(list, hexOf(i))
	}
	return list
}

// inEncoding writes a text in another encoding.
func inEncoding(t *testing.T, e encoding.Encoding, text string) string {
	out, err := e.NewEncoder().String(text)
	require.NoError(t, err)
	return out
}

var (
	utf16LE = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	utf16BE = unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	bareLE  = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	bareBE  = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
)

// sheetOf makes a workbook with the same placeholders as rowsOf; cells are parted by |.
func sheetOf(t *testing.T, above [][]any, header, row string, accounts []string) string {
	rows := append([][]any(nil), above...)
	for i, line := range append([]string{header}, accounts...) {
		if i > 0 {
			line = filled(row, line, i-1)
		}
		var cells []any
		for _, cell := range strings.Split(line, "|") {
			cells = append(cells, cell)
		}
		if line != "" {
			rows = append(rows, cells)
		}
	}
	return filetest.Workbook(t, rows)
}

const bom = "\xEF\xBB\xBF"

func plainLists() []export {
	ids, numbers := im(1001, 1015), span("%d", 80032104, 80032118)
	list := func(accounts []string, eol string) string { return rowsOf("", "{}", eol, accounts) }
	names := strings.Fields("alice bob_1 carol.x dave-77 Erin frank2024 g_9 hans im_1001 7788990 kim_a leo")
	return []export{
		{program: "list, LF", content: list(ids, "\n"), truth: ids},
		{program: "list, CRLF", content: list(ids, "\r\n"), truth: ids},
		{program: "list, BOM, CRLF", content: bom + list(ids, "\r\n"), truth: ids},
		{program: "list, no line end at the end", content: strings.TrimSpace(list(ids, "\n")), truth: ids},
		{program: "list, blank lines at the end", content: list(numbers, "\r\n") + "\r\n\r\n\r\n", truth: numbers},
		{program: "list of numbers", content: list(numbers, "\n"), truth: numbers},
		{program: "list of hexadecimal ids", content: list(hexes(12), "\n"), truth: hexes(12)},
		{program: "list of mixed names", mayAsk: true, content: list(names, "\n"), truth: names},
		{program: "list with blank lines between", content: list(ids[:5], "\n") + "\n" + list(ids[5:], "\n"),
			truth: ids},
		{program: "one account", content: "im_1001", truth: ids[:1]},
		{program: "one column, user_id", content: "user_id\n" + list(ids, "\n"), truth: ids},
		{program: "one column, 用户ID, BOM", content: bom + "用户ID\r\n" + list(numbers, "\r\n"), truth: numbers},
		{program: "one column, 账号, GBK", content: "\xD5\xCB\xBA\xC5\r\n" + list(ids, "\r\n"), truth: ids},
		{program: "one column, To_Account", content: "To_Account\n" + list(numbers, "\n"), truth: numbers},
		{program: "one column, UserID above names", content: "UserID\n" + list(names, "\n"), truth: names},
		{program: "Notepad, Unicode", content: "\xFF\xFEi\x00m\x00_\x001\x00\r\x00\n\x00i\x00m\x00_\x002\x00\r\x00\n\x00i\x00m\x00_\x003\x00",
			truth: im(1, 3)},
		{program: "pasted on one line, commas", mayAsk: true, content: strings.Join(ids, ","), truth: ids},
		{program: "pasted from code, quoted", content: `"` + strings.Join(ids, "\",\n\"") + `"`, truth: ids},
	}
}

func chineseExports(t *testing.T) []export {
	ids, numbers := im(2001, 2014), span("1%d", 440132001, 440132014)
	gbk := func(text string) string { return inEncoding(t, simplifiedchinese.GBK, text) }
	return []export{
		{program: "Tencent IM console, accounts", content: bom + rowsOf("用户名(UserID),昵称,账号类型,创建时间",
			"{},{姓名},普通账号,{day} 10:12:33", "\n", ids), truth: ids, mayAsk: true},
		{program: "Tencent IM console, batch import", content: rowsOf("UserID,Nick,FaceUrl", "{},{姓名},", "\n", ids),
			truth: ids},
		{program: "Tencent IM, message records", mayAsk: true, truth: ids, // those who wrote
			content: rowsOf("From_Account,To_Account,MsgTime,MsgType", "{},admin,{day} 09:00:00,TIMTextElem", "\n",
				ids)},
		{program: "神策, user group", mayAsk: true, truth: ids, content: bom + rowsOf("user_id,first_id,second_id",
			"-54321{n}0076123,{hex},{}", "\n", ids)},
		{program: "GrowingIO, group", mayAsk: true, truth: numbers,
			content: bom + rowsOf("访问用户ID,登录用户ID,首次访问时间", "{uuid},{},{day}", "\n", numbers)},
		{program: "友盟, group", mayAsk: true, truth: ids, content: rowsOf("umid,账号ID,机型", "{hex},{},HUAWEI P60",
			"\r\n", ids)},
		{program: "企业微信, contacts", mayAsk: true, truth: ids, content: sheetOf(t, [][]any{{"企业微信通讯录"},
			{"填写须知：请勿删除表头"}},
			"姓名|帐号|职务|部门|手机", "{姓名}|{}|客服|某某公司/客服部|{phone}", ids)},
		{program: "钉钉, contacts", mayAsk: true, truth: ids, content: sheetOf(t, nil, "员工UserID|姓名|手机号|部门|职位",
			"{}|{姓名}|+86-{phone}|某某公司-客服部|客服", ids)},
		{program: "飞书, table", truth: ids, content: sheetOf(t, nil, "用户ID|昵称|标签|更新时间", "{}|{姓名}|流失|{day}", ids)},
		{program: "金数据, form", mayAsk: true, truth: ids, content: sheetOf(t, nil, "序号|您的IM账号|备注|提交时间|填写设备",
			"{n}|{}||{day} 10:12:33|iPhone", ids)},
		{program: "问卷星, answers", mayAsk: true, truth: numbers, content: sheetOf(t, nil,
			"序号|提交答卷时间|所用时间|来源|来自IP|1、您的用户ID是？|总分",
			"{n}|{day} 10:12:33|3{n}秒|微信|10.0.0.{n}(广东-深圳)|{}|0", numbers)},
		{program: "EasyExcel, workbook", truth: numbers, content: sheetOf(t, nil, "用户ID|昵称|最近登录",
			"{}|{姓名}|{day} 10:12:33", numbers)},
		{program: "Navicat, CSV", truth: ids, content: rowsOf(`"user_id","nickname","created_at"`,
			`"{}","{姓名}","{day} 10:12:33"`, "\r\n", ids)},
		{program: "Excel, Chinese Windows, CSV", truth: ids,
			content: gbk(rowsOf("用户ID,昵称,城市", "{},{姓名},深圳", "\r\n", ids))},
		{program: "Excel, Chinese Windows, Unicode text", truth: ids,
			content: inEncoding(t, utf16LE, rowsOf("用户ID\t昵称\t城市", "{}\t{姓名}\t深圳", "\r\n", ids))},
		{program: "WPS, workbook", truth: ids, content: sheetOf(t, nil, "UserID|备注", "{}|十一月流失", ids)},
		{program: "WPS, workbook with a running number", truth: numbers, content: sheetOf(t, nil, "序号|用户ID|姓名",
			"{n}|{}|{姓名}", numbers)},
		{program: "极光, registration list", truth: numbers, content: rowsOf("user_id,平台,标签", "{},Android,vip", "\n",
			numbers)},
	}
}
