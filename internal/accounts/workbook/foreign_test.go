package workbook

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"tagsweep/internal/accounts/archive"
	"tagsweep/internal/accounts/filetest"
)

// cells of a sheet, each on a line of its own.
func cells(texts ...string) (rows string) {
	for _, text := range texts {
		rows += `<row><c t="inlineStr"><is>` + text + `</is></c></row>`
	}
	return rows
}

func firstCells(t *testing.T, file string) (all []Cell) {
	rows, err := allRows(t, file, 1<<20)
	require.NoError(t, err)
	for _, row := range rows {
		all = append(all, row.Cells[0])
	}
	return all
}

func app(program, version string) string {
	return `<Properties><Application>` + program + `</Application><AppVersion>` + version + `</AppVersion></Properties>`
}

func TestEscapesAreReadAsMeant(t *testing.T) {
	for _, test := range []struct{ program, stored, text, kind string }{
		{app("Microsoft Excel", "16.0300"), "srv_x005F_x0041_7", "srv_x0041_7", "Plain"},
		{app("Microsoft Macintosh Excel", "14.0300"), "_x005F_x000D__x005F_x005F_", "_x000D__x005F_", "Plain"},
		{app("Microsoft Excel", "12.0000"), "a_x000D_\nb", "a\r\nb", "Plain"},
		{app("Microsoft Excel", "16.0300"), "srv_x0041_7", "srv_x0041_7", "Plain"},
		{app("Microsoft Excel", "16.0300"), "srv_x005F_7", "srv_x005F_7", "Escaped"},
		{app("Microsoft Excel", "3.1"), "srv_x0041_7", "srv_x0041_7", "Plain"}, // openpyxl
		{app("Microsoft Excel", "3.1"), "srv_x005F_x0041_7", "srv_x0041_7", "Escaped"},
		{app("Apache POI", ""), "map_x0050_y0020", "map_x0050_y0020", "Plain"},
		{app("SheetJS", ""), "a_x0020_b", "a_x0020_b", "Plain"},
		{app("LibreOffice/7.6", "15.0000"), "v_x005F_xa100_e", "v_xa100_e", "Escaped"},
		{"", "srv_x0041_7", "srv_x0041_7", "Plain"},
		{"", "srv_x005f_x0041_7", "srv_x0041_7", "Escaped"},
		{"", "a_x0000_b", "a_x0000_b", "Escaped"},
		{"", "a_xD83D__xDE00_", "a_xD83D__xDE00_", "Escaped"},
		{"", "_x", "_x", "Plain"}, {"", "a_x12_x123_x12345_xyz__", "a_x12_x123_x12345_xyz__", "Plain"},
	} {
		file := filetest.Foreign(t, filetest.Part("docProps/app.xml", test.program),
			filetest.Rows(cells(`<t>`+test.stored+`</t>`)))
		got := firstCells(t, file)[0]
		require.Equal(t, test.text, got.Text, test.stored)
		require.Equal(t, test.kind, map[Kind]string{Plain: "Plain", Escaped: "Escaped"}[got.Kind], test.stored)
		shared := filetest.Foreign(t, filetest.Part("docProps/app.xml", test.program), filetest.Rows(oneRow),
			filetest.Part("xl/sharedStrings.xml", `<sst><si><t>`+test.stored+`</t></si></sst>`))
		require.Equal(t, got, firstCells(t, shared)[0])
	}
}

func TestPartsOfATextPutElsewhereMarkIt(t *testing.T) {
	run := func(properties, text string) string { return `<r><rPr>` + properties + `</rPr><t>` + text + `</t></r>` }
	one := `<r><t>im_1001</t></r>`
	for text, want := range map[string]Cell{
		one + run(`<vertAlign val="superscript"/>`, "1"):                     {"im_1001⁽1⁾", Plain},
		one + run(`<b/><vertAlign val="subscript"/>`, "2"):                   {"im_1001⁽2⁾", Plain},
		run(`<strike/>`, "im_1") + one:                                       {"⁽im_1⁾im_1001", Plain},
		one + run(`<strike val="0"/><vertAlign val="baseline"/><b/>`, "3"):   {"im_10013", Plain},
		one + `<rPh sb="0" eb="1"><t>kana</t></rPh><phoneticPr fontId="1"/>`: {"im_1001", Plain},
		`<t>漢</t><rPh sb="0" eb="1"><t>kan</t></rPh>`:                        {"漢", Plain},
		run(`<color rgb="FFFF0000"/>`, "im_") + run(`<u/>`, "1001"):          {"im_1001", Plain},
	} {
		require.Equal(t, want, firstCells(t, filetest.Sheet(t, cells(text)))[0])
		require.Equal(t, want, firstCells(t, sharing(t, oneRow, `<si>`+text+`</si>`))[0])
	}
	file := filetest.WorkbookWith(t, func(f *excelize.File) {
		require.NoError(t, f.SetCellRichText("Sheet1", "A1", []excelize.RichTextRun{
			{Text: "im_1001"}, {Text: "1", Font: &excelize.Font{VertAlign: "superscript"}}}))
	})
	require.Equal(t, []Cell{{"im_1001⁽1⁾", Plain}}, firstCells(t, file))
}

func TestPartsAreReadInTheirEncoding(t *testing.T) {
	little := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	for _, test := range []struct {
		declared string
		encoding encoding.Encoding
		text     string
	}{
		{"UTF-16", little, "用户"}, {"utf-16", unicode.UTF16(unicode.BigEndian, unicode.UseBOM), "Ünal"},
		{"UTF-16LE", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "用户"},
		{"UTF-16BE", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "用户"},
		{"GBK", simplifiedchinese.GBK, "用户"}, {"gb2312", simplifiedchinese.GBK, "用户"}, {"GB18030",
			simplifiedchinese.GB18030, "用户"},
		{"Shift_JIS", japanese.ShiftJIS, "ソ表"}, {"EUC-JP", japanese.EUCJP, "表"}, {"windows-1252", charmap.Windows1252,
			"Ünal–"},
		{"ISO-8859-1", charmap.ISO8859_1, "Ünal"}, {"iso-8859-15", charmap.ISO8859_15, "€"}, {"windows-1251",
			charmap.Windows1251, "Юля"},
		{"IBM437", charmap.CodePage437, "Ünal"}, {"UTF-16", encoding.Nop, "Ünal"}, {"utf8", encoding.Nop, "Ünal"},
		{"us-ascii", encoding.Nop, "a"},
	} {
		in := func(name, text string) filetest.Change {
			text,
				err := test.encoding.NewEncoder().String(`<?xml version="1.0" encoding="` + test.declared + `"?>` + "\n" + text)
			require.NoError(t, err)
			return filetest.Part(name, text)
		}
		got := firstCells(t, filetest.Foreign(t, in("xl/sharedStrings.xml",
			`<sst><si><t>im_1`+test.text+`</t></si></sst>`),
			in("xl/worksheets/sheet1.xml",
				`<worksheet><sheetData>`+oneRow+cells(`<t>`+test.text+`</t>`)+`</sheetData></worksheet>`),
			in("xl/styles.xml", filetest.Styles)))
		require.Equal(t, []Cell{{Text: "im_1" + test.text}, {Text: test.text}}, got, test.declared)
	}
	for _, declared := range []string{"x-mine", "UTF-32", "EBCDIC-INT"} {
		_, err := allRows(t, filetest.Foreign(t, filetest.Part("xl/worksheets/sheet1.xml",
			`<?xml version="1.0" encoding="`+declared+`"?><worksheet><sheetData>`+cells("<t>\xe9</t>")+
				`</sheetData></worksheet>`)), 1<<20)
		require.True(t, archive.FaultDamaged.Is(err), "%s: %v", declared, err)
	}
}

func TestPartsAreFoundHoweverTheyAreNamed(t *testing.T) {
	for name, change := range map[string]filetest.Change{
		"as they are": func(name, text string) (string, string) { return name, text },
		"backslashes": func(name, text string) (string, string) { return strings.ReplaceAll(name, "/", `\`), text },
		"backslashes in all": func(name, text string) (string, string) {
			return strings.ReplaceAll(name, "/", `\`), strings.ReplaceAll(text, `"worksheets/`, `"worksheets\`)
		},
		"capital letters": func(name, text string) (string, string) { return strings.ToUpper(name), text },
		"small letters":   func(name, text string) (string, string) { return strings.ToLower(name), text },
		"below a dot":     func(name, text string) (string, string) { return "./" + name, text },
		"below a slash":   func(name, text string) (string, string) { return "/" + name, text },
		"absolute targets": func(name, text string) (string, string) {
			return name, strings.ReplaceAll(text, `Target="worksheets/`, `Target="/xl/worksheets/`)
		},
		"targets with dots": func(name, text string) (string, string) {
			return name, strings.ReplaceAll(text, `Target="worksheets/`, `Target="./../xl/worksheets/`)
		},
		"targets in capitals": func(name, text string) (string, string) {
			return name, strings.ReplaceAll(text, `Target="xl/`, `Target="XL/`)
		},
		"another folder": func(name, text string) (string, string) {
			return strings.ReplaceAll(name, "xl/", "spread/"), strings.ReplaceAll(text, `"xl/`, `"spread/`)
		},
		"no folder": func(name, text string) (string, string) {
			return strings.ReplaceAll(name, "xl/", ""), strings.ReplaceAll(text, `"xl/`, `"`)
		},
		"strict": func(name, text string) (string, string) {
			return name, strings.NewReplacer("http://schemas.openxmlformats.org/officeDocument/2006/relationships",
				"http://purl.oclc.org/ooxml/officeDocument/relationships",
				"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
				"http://purl.oclc.org/ooxml/spreadsheetml/main").Replace(text)
		},
		"prefixed": func(name, text string) (string, string) {
			return name, strings.NewReplacer("<worksheet", `<x:worksheet xmlns:x="m"`, "</", "</x:", "<row", "<x:row",
				"<c ", "<x:c ", "<is", "<x:is", "<t>", "<x:t>",
				"<sheetData", "<x:sheetData", "<workbook", `<x:workbook xmlns:x="m"`, "<sheets", "<x:sheets",
				"<sheet ", "<x:sheet ", "</Rel", "</Rel", "</Prop", "</Prop").Replace(text)
		},
		"no styles or texts": func(name, text string) (string, string) {
			if name == "xl/styles.xml" || name == "xl/sharedStrings.xml" {
				name = "x" + name
			}
			return name, text
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "prefixed" {
				inner := change
				change = func(name, text string) (string, string) {
					if strings.Contains(name, "sheet1") || strings.HasSuffix(name, "workbook.xml") {
						return inner(name, text)
					}
					return name, text
				}
			}
			file := filetest.Foreign(t, filetest.Rows(cells("<t>user_id</t>", "<t>im_1001</t>")), change)
			z, err := archive.OpenZIP(archive.NewSource(filetest.Section(file)))
			require.NoError(t, err)
			require.Equal(t, name != "another folder", Within(z))
			require.Equal(t, []Cell{{Text: "user_id"}, {Text: "im_1001"}}, firstCells(t, file))
		})
	}
}

func TestManyColumnsAreRead(t *testing.T) {
	row := "<row>"
	for i := range 1000 {
		row += fmt.Sprintf(`<c t="str"><v>a%d</v></c>`, i)
	}
	z, err := archive.OpenZIP(archive.NewSource(filetest.Section(filetest.Sheet(t, row+"</row>"))))
	require.NoError(t, err)
	w, err := Open(z, Limits{Columns: 1000, RowBytes: 64 << 10, Unpacked: 1 << 20}, "", new(archive.Progress))
	require.NoError(t, err)
	rows, err := w.Rows(w.Sheets[0])
	require.NoError(t, err)
	defer rows.Close()
	got, err := rows.Next()
	require.NoError(t, err)
	require.Len(t, got.Cells, 1000)
	require.Equal(t, "a999", got.Cells[999].Text)
	require.False(t, got.Wide)
}

func TestNumbersOfUnknownStylesAreNotTrusted(t *testing.T) {
	noStyles := func(name, text string) (string, string) {
		if name == "xl/styles.xml" {
			name = "xl/other.xml"
		}
		return name, text
	}
	rows := `<row><c><v>45351</v></c></row><row><c s="0"><v>45351</v></c></row><row><c s="1"><v>45351</v></c></row>`
	require.Equal(t, []Cell{{"45351", Plain}, {"45351", Plain}, {"45351", Other}}, firstCells(t, filetest.Foreign(t,
		filetest.Rows(rows), noStyles)))
}
