package accounts

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"

	"tagsweep/internal/accounts/filetest"
)

// bookOf makes a workbook of sheets, each a name and rows of cells parted by |.
func bookOf(t *testing.T, sheets ...[]string) string {
	return bookWith(t, func(*excelize.File) {}, sheets...)
}

func bookWith(t *testing.T, finish func(*excelize.File), sheets ...[]string) string {
	return filetest.WorkbookWith(t, func(f *excelize.File) {
		for i, sheet := range sheets {
			if i == 0 {
				require.NoError(t, f.SetSheetName("Sheet1", sheet[0]))
			} else {
				_, err := f.NewSheet(sheet[0])
				require.NoError(t, err)
			}
			for row, line := range sheet[1:] {
				cells := strings.Split(line, "|")
				require.NoError(t, f.SetSheetRow(sheet[0], fmt.Sprint("A", row+1), &cells))
			}
		}
		finish(f)
	})
}

// tab is a sheet with a header and a row for each account.
func tab(name, header, row string, accounts []string) []string {
	return append([]string{name, header}, strings.Split(strings.TrimSpace(rowsOf("", row, "\n", accounts)), "\n")...)
}

func sheetSpecimens(t *testing.T) (list []specimen) {
	first, second, third := im(1001, 1012), im(2001, 2009), im(3001, 3004)
	add := func(kind, name, content string, truth []string, expect string) {
		list = append(list, specimen{kind: kind, name: name + ".xlsx", content: content, truth: truth, expect: expect})
	}
	users, more := tab("Users", "user_id|name", "{}|{name}", first), tab("More", "user_id|name", "{}|{name}", second)
	both := slices.Concat(first, second)
	active := func(n int) func(*excelize.File) { return func(f *excelize.File) { f.SetActiveSheet(n) } }
	hide := func(name string, visible bool) func(*excelize.File) {
		return func(f *excelize.File) { require.NoError(t, f.SetSheetVisible(name, visible)) }
	}
	guide := []string{"说明", "请在第二个工作表填写用户ID", "不要修改表头", "有问题请联系 admin_7"}
	add("K8", "two", bookOf(t, users, more), both, "asked: sheet")
	add("K8", "two-chinese", bookOf(t, tab("一月", "用户ID|昵称", "{}|{姓名}", first),
		tab("二月", "用户ID|昵称", "{}|{姓名}", second)), both, "asked: sheet")
	add("K8", "three", bookOf(t, users, more, tab("Third", "user_id", "{}", third)), slices.Concat(both, third),
		"asked: sheet")
	add("K8", "other-columns", bookOf(t, users, tab("Orders", "order|user_id", "SO{n}77|{}", second)), both,
		"asked: sheet")
	add("K8", "no-headers", bookOf(t, tab("A", "im_1", "{}", first), tab("B", "im_2", "{}", second)),
		slices.Concat(both, im(1, 2)), "asked: sheet")
	add("K8", "active-second", bookWith(t, active(1), tab("Alt", "Benutzer-ID", "alt_{n}", first), more), second,
		"asked: sheet")
	add("K8", "active-third", bookWith(t, active(2), users, more, tab("Now", "user_id", "{}", third)), third,
		"asked: sheet")
	add("K8", "instructions-first", bookOf(t, guide, users), first, "asked: sheet")
	add("K8", "instructions-first-english", bookOf(t, []string{"Read me", "How to use this file", "Fill_in",
		"ask admin_7"}, users), first, "asked: sheet")
	add("K8", "instructions-last", bookOf(t, users, guide), first, "asked: sheet")
	add("K8", "summary-first", bookOf(t, []string{"Summary", "Region|Users", "EU|12", "US|9"}, users), first,
		"asked: sheet")
	add("K8", "codes-behind", bookOf(t, users, []string{"Codes", "code|meaning", "c_1|vip", "c_2|old"}), first,
		"asked: sheet")
	add("K8", "one-row-behind", bookOf(t, users, []string{"Sheet2", "im_9999"}),
		append([]string{"im_9999"}, first...), "asked: sheet")
	add("K8", "hidden-behind", bookWith(t, hide("More", false), users, more), first, "")
	add("K8", "hidden-first", bookWith(t, func(f *excelize.File) { f.SetActiveSheet(1); hide("Users", false)(f) },
		users, more), second, "")
	add("K25", "header-only-first", bookOf(t, []string{"Tabelle1", "user_id|name"}, users), first, "read")
	add("K25", "header-only-first-chinese", bookOf(t, []string{"模板", "用户ID|昵称|备注"},
		tab("数据", "用户ID|昵称|备注", "{}|{姓名}|", first)), first, "read")
	add("K25", "header-only-twice", bookOf(t, []string{"A", "user_id"}, []string{"B", "user_id"}, users), first, "read")
	add("K25", "empty-first", bookOf(t, []string{"A"}, users), first, "read")
	add("K25", "empty-last", bookOf(t, users, []string{"B"}, []string{"C"}), first, "read")
	add("K25", "header-only-last", bookOf(t, users, []string{"B", "user_id|name"}), first, "read")
	add("K25", "title-only-first", bookOf(t, []string{"Cover", "Churned users November"}, users), first, "")
	add("K25", "blanks-only-first", bookOf(t, []string{"A", " | ", "  "}, users), first, "read")
	add("K25", "chart-last", bookWith(t, func(f *excelize.File) {
		require.NoError(t, f.AddChartSheet("Chart", &excelize.Chart{Type: excelize.Col,
			Series: []excelize.ChartSeries{{Name: "Users!$A$1", Values: "Users!$A$2:$A$5"}}}))
	}, users), first, "read")
	return append(list, hiddenSpecimens(t)...)
}

func hiddenSpecimens(t *testing.T) (list []specimen) {
	ids := im(1001, 1040)
	for _, form := range []struct {
		name   string
		hidden func(row int) bool // of 2 to 41
	}{
		{"every-third", func(row int) bool { return row%3 == 0 }}, {"last-ten", func(row int) bool { return row > 31 }},
		{"one", func(row int) bool { return row == 17 }}, {"all-but-one", func(row int) bool { return row != 17 }},
		{"first-data-row", func(row int) bool { return row == 2 }},
	} {
		var truth []string
		content := bookWith(t, func(f *excelize.File) {
			for row := 2; row <= 41; row++ {
				if form.hidden(row) {
					require.NoError(t, f.SetRowVisible("名单", row, false))
				} else {
					truth = append(truth, ids[row-2])
				}
			}
		}, tab("名单", "用户ID|状态", "{}|流失", ids))
		list = append(list, specimen{kind: "K9", name: "rows-" + form.name + ".xlsx", content: content, truth: truth,
			expect: "asked: hidden"})
	}
	row := func(attributes, id string) string {
		return `<row ` + attributes + `><c t="inlineStr"><is><t>` + id + `</t></is></c></row>`
	}
	for i, hidden := range []string{`hidden="true"`, `hidden="1" outlineLevel="1"`, `ht="0" customHeight="1"`,
		`hidden='1'`} {
		rows := ""
		for j, id := range ids[:12] {
			if j%4 == 3 {
				rows += row(hidden, id)
			} else {
				rows += row("", id)
			}
		}
		truth := slices.DeleteFunc(slices.Clone(ids[:12]), func(id string) bool { return slices.Index(ids, id)%4 == 3 })
		list = append(list, specimen{kind: "K9", name: fmt.Sprintf("raw-%d.xlsx", i), truth: truth,
			expect:  "asked: hidden",
			content: filetest.Sheet(t, row("", "user_id")+rows)})
	}
	column := func(name, hidden, header, line string, expect string) {
		list = append(list, specimen{kind: "K9", name: name + ".xlsx", truth: ids, expect: expect,
			content: bookWith(t, func(f *excelize.File) {
				require.NoError(t, f.SetColVisible("U", hidden, false))
			}, tab("U", header, line, ids))})
	}
	column("hidden-id-column", "A", "user_id|用户编号|x", "old_{n}|{}|y", "")
	column("hidden-second-id", "C", "user_id|name|user_id", "{}|{name}|old_{n}", "")
	column("hidden-note", "B", "user_id|note|city", "{}|x|Rome", "")
	column("hidden-only-named", "A", "user_id|Mitglied", "old_{n}|{}", "")
	return list
}

// rawBook is a workbook of hand-written parts; the texts of cells are inline.
func rawBook(t *testing.T, change func(name, part string) (string, string), cells ...string) string {
	rows := ""
	for _, cell := range cells {
		rows += `<row>` + cell + `</row>`
	}
	const declared = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	const relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	parts := []string{
		"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`,
		"_rels/.rels", `<Relationships><Relationship Id="w" Type="` + relations +
			`/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml", `<workbook xmlns:r="` + relations +
			`"><sheets><sheet name="Users" sheetId="1" r:id="s"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="s" Type="` + relations +
			`/worksheet" Target="worksheets/sheet1.xml"/>` +
			`<Relationship Id="t" Type="` + relations + `/sharedStrings" Target="sharedStrings.xml"/></Relationships>`,
		"xl/sharedStrings.xml", `<sst><si><t>user_id</t></si><si><t>im_1001</t></si></sst>`,
		"xl/worksheets/sheet1.xml", `<worksheet><sheetData>` + rows + `</sheetData></worksheet>`,
	}
	for i := 0; i < len(parts); i += 2 {
		parts[i], parts[i+1] = change(parts[i], declared+parts[i+1])
	}
	return filetest.ZIP(t, parts...)
}

func inline(cells ...string) (xml string) {
	for _, cell := range cells {
		xml += `<c t="inlineStr"><is><t>` + cell + `</t></is></c>`
	}
	return xml
}

// partSpecimens are workbooks whose parts are named, encoded or escaped as some programs do.
func partSpecimens(t *testing.T) (list []specimen) {
	rows := []string{inline("user_id", "昵称"), inline("im_1001", "张伟"), inline("im_1002", "王芳"), inline("im_1003", "李娜")}
	ascii := []string{inline("user_id"), inline("im_1001"), inline("im_1002"), inline("im_1003")}
	shared := []string{`<c t="s"><v>0</v></c>`, `<c t="s"><v>1</v></c>`, inline("im_1002"), inline("im_1003")}
	renamed := func(rename func(string) string) func(string, string) (string, string) {
		return func(name, part string) (string, string) { return rename(name), part }
	}
	for i, rename := range []func(string) string{
		func(name string) string { return strings.ReplaceAll(name, "/", `\`) },
		func(name string) string { return strings.Replace(name, "xl/", `xl\`, 1) },
		func(name string) string { return strings.Replace(name, "worksheets/", `worksheets\`, 1) },
		func(name string) string { return strings.ReplaceAll(name, "sharedStrings", "SharedStrings") },
	} {
		for j, cells := range [][]string{rows, shared} {
			list = append(list, specimen{kind: "K22", name: fmt.Sprintf("renamed-%d-%d.xlsx", i, j),
				truth: im(1001, 1003), expect: "read",
				content: rawBook(t, renamed(rename), cells...)})
		}
	}
	for _, e := range []struct {
		name     string
		encoding encoding.Encoding
		cells    []string
	}{
		{"UTF-16", utf16LE, rows}, {"UTF-16", utf16BE, rows}, {"GBK", simplifiedchinese.GBK, rows},
		{"GB18030", simplifiedchinese.GB18030, rows},
		{"gb2312", simplifiedchinese.GBK, rows}, {"ISO-8859-1", charmap.ISO8859_1, ascii},
		{"windows-1252", charmap.Windows1252, ascii},
		{"Shift_JIS", japanese.ShiftJIS, ascii}, {"Big5", traditionalchinese.Big5, ascii},
		{"EUC-KR", korean.EUCKR, ascii}, {"US-ASCII", charmap.ISO8859_1, ascii},
		{"windows-1251", charmap.Windows1251, ascii}, {"utf-8", encoding.Nop, rows},
	} {
		for j, which := range []string{"", "sheet1.xml", "xl/workbook.xml"} {
			list = append(list, specimen{kind: "K23", name: fmt.Sprintf("%s-%d-%d.xlsx", e.name, j, len(e.cells[0])),
				truth: im(1001, 1003), expect: "read or refused",
				content: rawBook(t, func(name, part string) (string, string) {
					if !strings.HasSuffix(name, which) {
						return name, part
					}
					return name, inEncoding(t, e.encoding, strings.Replace(part, "UTF-8", e.name, 1))
				}, e.cells...)})
		}
	}
	add := func(kind, name string, truth []string, cells ...string) {
		list = append(list, specimen{kind: kind, name: name + ".xlsx", truth: truth,
			content: rawBook(t, renamed(func(n string) string { return n }), cells...)})
	}
	add("K10", "inline", strings.Fields("a_x0031_1 im_1"), inline("user_id"), inline("a_x0031_1"), inline("im_1"))
	add("K10", "upper", strings.Fields("USER_X0041_9 im_1"), inline("user_id"), inline("USER_X0041_9"), inline("im_1"))
	add("K10", "at-end", strings.Fields("pixel_x0009_ im_1"), inline("user_id"), inline("pixel_x0009_"), inline("im_1"))
	add("K10", "rich", strings.Fields("grid_x0042_7 im_1"), inline("user_id"),
		`<c t="inlineStr"><is><r><t>grid_x00</t></r><r><t>42_7</t></r></is></c>`, inline("im_1"))
	list = append(list, specimen{kind: "K10", name: "excelize.xlsx",
		truth:   strings.Fields("srv_x0041_7 map_x0050_y0020 im_1"),
		content: sheetOf(t, nil, "user_id|name", "{}|{name}", strings.Fields("srv_x0041_7 map_x0050_y0020 im_1"))},
		specimen{kind: "K10", name: "excelize-cells.xlsx", truth: strings.Fields("srv_x0041_7 im_1"),
			content: bookOf(t, tab("U", "user_id|name", "{}|{name}", strings.Fields("srv_x0041_7 im_1")))})
	mark := func(property, text string) string { return `<r><rPr>` + property + `</rPr><t>` + text + `</t></r>` }
	const superscript, subscript = `<vertAlign val="superscript"/>`, `<vertAlign val="subscript"/>`
	rich := func(runs string) string { return `<c t="inlineStr"><is>` + runs + `</is></c>` }
	footnotes := len(list)
	add("K31", "superscript", im(1002, 1002), inline("user_id"), rich(`<r><t>im_1001</t></r>`+mark(superscript, "1")),
		inline("im_1002"))
	add("K31", "superscript-two", im(1002, 1002), inline("用户ID"),
		rich(`<r><t>im_1001</t></r>`+mark(superscript, "12")), inline("im_1002"))
	add("K31", "superscript-first", im(1002, 1002), inline("user_id"),
		rich(mark(superscript, "1")+`<r><t>im_1001</t></r>`), inline("im_1002"))
	add("K31", "superscript-letter", im(1002, 1002), inline("user_id"),
		rich(`<r><t>im_1001</t></r>`+mark("<b/>"+superscript, "a")), inline("im_1002"))
	add("K31", "subscript", im(1002, 1002), inline("user_id"), rich(`<r><t>im_1001</t></r>`+mark(subscript, "2")),
		inline("im_1002"))
	for i := range list[footnotes:] { // set aside, they are shown with the mark
		list[footnotes+i].arguable, list[footnotes+i].expect = im(1001, 1001), "read or aside"
	}
	add("K31", "bold", strings.Fields("im_1001 im_1002"), inline("user_id"),
		rich(`<r><t>im_</t></r>`+mark("<b/>", "1001")), inline("im_1002"))
	add("K31", "baseline", im(1001, 1002), inline("user_id"),
		rich(`<r><t>im_</t></r>`+mark(`<vertAlign val="baseline"/>`, "1001")), inline("im_1002"))
	add("K31", "sign", im(1001, 1003), inline("user_id"), inline("im_1001¹"), inline("im_1002"), inline("im_1003†"))
	return append(list, archiveSpecimens(t)...)
}

func archiveSpecimens(t *testing.T) (list []specimen) {
	const text, litter = "user_id,name\nim_1001,Ann\nim_1002,Ben\nim_1003,Cy\n",
		"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        "
	book := bookOf(t, tab("U", "user_id", "{}", im(1001, 1003)))
	add := func(kind, name, expect string, content string) {
		list = append(list, specimen{kind: kind, name: name, content: content, truth: im(1001, 1003), expect: expect})
	}
	add("K21", "before.zip", "read", filetest.ZIP(t, "._a.csv", litter, "a.csv", text))
	add("K21", "folder.zip", "read", filetest.ZIP(t, "导出/", "", "导出/._名单.csv", litter, "导出/名单.csv", text))
	add("K21", "deep.zip", "read", filetest.ZIP(t, "a/b/c.csv", text, "a/b/._c.csv", litter, "a/__MACOSX/b/._c.csv",
		litter))
	add("K21", "workbook.zip", "read", filetest.ZIP(t, "__MACOSX/._u.xlsx", litter, "u.xlsx", book, "x/._u.xlsx",
		litter))
	add("K21", "backslashes.zip", "", filetest.ZIP(t, `out\__MACOSX\._u.csv`, litter, `out\u.csv`, text))
	add("K21", "two-marks.zip", "read", filetest.ZIP(t, "._", litter, "._.DS_Store", litter, ".DS_Store", "\x00",
		"a.csv", text))
	add("K21", "lock-files.zip", "", filetest.ZIP(t, "a.csv", text, "~$a.xlsx", "\x05Ann", ".~lock.a.csv#",
		",Ann,pc,;"))
	add("K21", "empty-file.zip", "", filetest.ZIP(t, "a.csv", text, "b.csv", ""))
	add("K21", "two-lists.zip", "refused: file.several", filetest.ZIP(t, "a.csv", text, "b.csv", "user_id\nim_9\n"))
	given, err := os.ReadFile(filepath.Join("testdata", "asked", "zip-password-xlsx-inside.zip"))
	require.NoError(t, err)
	locked := unzipped(t, string(given))
	add("K24", "locked.xlsx", "refused: file.encrypted", locked)
	add("K24", "folder.zip", "refused: file.encrypted", filetest.ZIP(t, "导出/", "", "导出/名单.xlsx", locked,
		"导出/._名单.xlsx", litter))
	add("K24", "other-name.zip", "refused: file.encrypted", filetest.ZIP(t, "list.csv", locked))
	add("K24", "gzip.gz", "refused: file.encrypted", filetest.Gzip(t, locked))
	add("K24", "locked-zip.zip", "refused: file.encrypted", encrypted(filetest.ZIP(t, "a.csv", text)))
	add("K24", "locked-zip-inside.zip", "refused", filetest.ZIP(t, "a.zip", encrypted(filetest.ZIP(t, "a.csv", text))))
	for _, n := range []int{101, 150, 500, 999, 1000} {
		for _, at := range []int{0, n / 2, n - 1} {
			header, row := make([]string, n), make([]string, n)
			for i := range n {
				header[i], row[i] = fmt.Sprint("p", i), "x"
			}
			header[at], row[at] = "user_id", "{}"
			add("K26", fmt.Sprintf("columns-%d-at-%d.csv", n, at), "read", rowsOf(strings.Join(header, ","),
				strings.Join(row, ","), "\n", im(1001, 1003)))
			add("K26", fmt.Sprintf("columns-%d-at-%d.xlsx", n, at), "read", sheetOf(t, nil, strings.Join(header, "|"),
				strings.Join(row, "|"), im(1001, 1003)))
		}
	}
	add("K26", "columns-1001.csv", "refused", rowsOf("user_id"+strings.Repeat(",p", 1000),
		"{}"+strings.Repeat(",x", 1000), "\n", im(1001, 1003)))
	return list
}
