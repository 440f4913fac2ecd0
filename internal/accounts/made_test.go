package accounts

import (
	"archive/zip"
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"tagsweep/internal/accounts/filetest"
)

var update = flag.Bool("update", false, "make the packed files and workbooks of testdata anew")

// made are the files of testdata that no editor writes.
var made = map[string]func(*testing.T) string{
	"packed.zip": func(t *testing.T) string {
		return filetest.ZIP(t, "list/", "", "list/churned.csv", "account;name\na1;Ann\na2;Bob\n")
	},
	"packed.csv.gz": func(t *testing.T) string { return filetest.Gzip(t, "account,name\na1,Ann\na2,Bob\n") },
	"packed-gb18030.zip": func(t *testing.T) string {
		return filetest.ZIP(t, "\xc1\xf7\xca\xa7.csv", "\xd5\xcb\xba\xc5,\xd0\xd5\xc3\xfb\na1,\xd5\xc5\xc8\xfd\n")
	},
	"packed-with-litter.zip": func(t *testing.T) string {
		return filetest.ZIP(t, "__MACOSX/._a.csv", "\x00", ".DS_Store", "\x00", "a.csv", "a1\na2\n", "Thumbs.db", "\x00")
	},
	"packed-in-two-members.gz": func(t *testing.T) string {
		return filetest.Gzip(t, "account\na1\n") + filetest.Gzip(t, "account\na2\n")
	},
	"packed-workbook.zip": func(t *testing.T) string {
		return filetest.ZIP(t, "a.xlsx", filetest.Workbook(t, [][]any{{"账号"}, {"a1"}}))
	},
	"packed-workbook.xlsx.gz": func(t *testing.T) string {
		return filetest.Gzip(t, filetest.Workbook(t, [][]any{{"user_id", "n"}, {"a1", 1}}))
	},
	"refused/several.zip": func(t *testing.T) string {
		return filetest.ZIP(t, "a.csv", "a1\n", "b.csv", "b1\n", "c/c.csv", "c1\n")
	},
	"refused/no-file.zip": func(t *testing.T) string { return filetest.ZIP(t, "folder/", "", "__MACOSX/x", "x") },
	"refused/nested.zip": func(t *testing.T) string {
		return filetest.ZIP(t, "inner.zip", filetest.ZIP(t, "a.csv", "a1\n"))
	},
	"refused/nested.csv.gz.gz": func(t *testing.T) string { return filetest.Gzip(t, filetest.Gzip(t, "a1\n")) },
	"refused/nested.tar.gz": func(t *testing.T) string {
		return filetest.Gzip(t, "a.csv"+strings.Repeat("\x00", 252)+"ustar\x0000"+strings.Repeat("\x00", 300))
	},
	"refused/picture.zip": func(t *testing.T) string { return filetest.ZIP(t, "a.csv", "\x89PNG\r\n\x1a\n\x00") },
	"refused/document.docx": func(t *testing.T) string {
		return filetest.ZIP(t, "[Content_Types].xml", "<Types/>", "word/document.xml", "<d/>")
	},
	"refused/workbook.xlsb": func(t *testing.T) string {
		return filetest.ZIP(t, "[Content_Types].xml", "<Types/>", "xl/workbook.bin", "\x83")
	},
	"refused/encrypted.zip": func(t *testing.T) string { return encrypted(filetest.ZIP(t, "a.csv", "a1\n")) },
	"refused/damaged.zip": func(t *testing.T) string {
		return damaged(filetest.ZIP(t, "a.csv", strings.Repeat("a1\nb2\nc3\n", 99)), 40)
	},
	"refused/cut.zip":        func(t *testing.T) string { return filetest.ZIP(t, "a.csv", "a1\n")[:60] },
	"refused/wrong-size.zip": lyingZip,
	"refused/damaged.csv.gz": func(t *testing.T) string {
		return damaged(filetest.Gzip(t, strings.Repeat("a1\nb2\nc3\n", 99)), -6)
	},
	"refused/tail.csv.gz":     func(t *testing.T) string { return filetest.Gzip(t, "a1\n") + "something else" },
	"refused/only-blank.xlsx": func(t *testing.T) string { return filetest.Workbook(t, [][]any{{" "}, {nil}}) },
	"refused/only-charts.xlsx": func(t *testing.T) string {
		return filetest.RawWorkbook(t, "", `<sheet name="C" sheetId="1" r:id="c"/>`, "")
	},
	"refused/doctype.xlsx": func(t *testing.T) string {
		return filetest.RawWorkbook(t, `<!DOCTYPE w [<!ENTITY a "a1">]>`, filetest.OneSheet, `<row r="1"><c r="A1"><v>1</v></c></row>`)
	},
	"refused/cut-sheet.xlsx": func(t *testing.T) string {
		return filetest.Sheet(t, `<row r="1"><c r="A1"><v>1</v></c>`)
	},
	"refused/rows-back.xlsx": func(t *testing.T) string {
		return filetest.Sheet(t, `<row r="2"><c r="A2"><v>1</v></c></row><row r="1"><c r="A1"><v>2</v></c></row>`)
	},
	"refused/no-such-text.xlsx": func(t *testing.T) string {
		return filetest.Sheet(t, `<row r="1"><c r="A1" t="s"><v>99</v></c></row>`)
	},

	"workbook.xlsx": func(t *testing.T) string {
		since := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
		return filetest.Workbook(t, [][]any{{"name", "user_id", "since"}, {"Ann", "a1", since}, {}, {"Bob", "a2"}})
	},
	"workbook-numbers.xlsx": func(t *testing.T) string {
		return filetest.Sheet(t, `<row r="1"><c r="A1" t="inlineStr"><is><t>uid</t></is></c></row>`+filetest.Numbers(
			"8613800138000", "8.613800138E+12", "123456789012345", "1234567890123456", "1.2345678901234567E+17", "1.23E+17",
			"1.5", "-5", "0", "007", "1E400", "0.1E1", "abc"))
	},
	"workbook-texts.xlsx": func(t *testing.T) string {
		return filetest.Sheet(t, filetest.Texted("uid")+
			`<row r="2"><c t="s"><v>0</v></c></row><row r="3"><c r="A3" t="s"><v>1</v></c></row>`+
			`<row r="4"><c r="A4" t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r></is></c></row>`+
			`<row r="5"><c r="A5" t="s"><v>2</v></c></row><row r="6"><c r="A6" t="s"><v>3</v></c></row>`+
			`<row r="7"><c r="A7" t="s"><v>4</v></c></row>`+
			`<row r="8"><c r="A8" t="s"><v>5</v></c></row><row r="9"><c r="A9" t="s"><v>6</v></c></row>`+
			`<row r="10"><c r="A10" t="s"><v>7</v></c></row>`)
	},
	"workbook-cells.xlsx": func(t *testing.T) string {
		return filetest.Sheet(t, filetest.Texted("uid")+
			`<row r="2"><c r="A2" t="b"><v>1</v></c></row><row r="3"><c r="A3" t="e"><v>#N/A</v></c></row>`+
			`<row r="4"><c r="A4" t="str"><f>B1&amp;"1"</f><v>a1</v></c></row>`+
			`<row r="5"><c r="A5"><f>1+1</f><v>2</v></c></row><row r="6"><c r="A6" s="1"><v>45351</v></c></row>`+
			`<row r="7"><c r="A7" s="2"><v>123</v></c></row><row r="8"><c r="A8" s="2"><v>1234567</v></c></row>`+
			`<row r="9"><c r="A9" t="d"><v>2024-02-29</v></c></row>`+
			`<row r="10"><c r="A10"><f>WEBSERVICE("http://example.com")</f></c><c r="B10" t="inlineStr"><is><t>x</t></is></c></row>`)
	},
	"workbook-sheets.xlsx": func(t *testing.T) string {
		return filetest.WorkbookWith(t, func(f *excelize.File) {
			for _, name := range []string{"Old", "Empty", "Churned", "More"} {
				_, err := f.NewSheet(name)
				require.NoError(t, err)
			}
			require.NoError(t, f.DeleteSheet("Sheet1"))
			require.NoError(t, f.SetSheetCol("Old", "A1", &[]any{"account", "o1"}))
			require.NoError(t, f.SetSheetCol("Churned", "B3", &[]any{"account", "a1", "a2"}))
			require.NoError(t, f.SetSheetCol("More", "A1", &[]any{"account", "m1"}))
			f.SetActiveSheet(2)
			require.NoError(t, f.SetSheetVisible("Old", false))
			series := []excelize.ChartSeries{{Name: "More!$A$1", Values: "More!$A$2:$A$2"}}
			require.NoError(t, f.AddChartSheet("Chart", &excelize.Chart{Type: excelize.Col, Series: series}))
		})
	},
	"workbook-merged.xlsx": func(t *testing.T) string {
		return filetest.WorkbookWith(t, func(f *excelize.File) {
			for i, row := range [][]any{{"account", "name"}, {"a1", "Ann"}, {nil, "Ann Two"}, {"a2", "Bob"}} {
				require.NoError(t, f.SetSheetRow("Sheet1", "A"+string(rune('1'+i)), &row))
			}
			require.NoError(t, f.MergeCell("Sheet1", "A2", "A3"))
		})
	},
	"workbook-preamble.xlsx": func(t *testing.T) string {
		return filetest.Workbook(t, [][]any{
			{"Report exported 2026-11-01"}, {},
			{"客户", "账号", "城市"}, {"张三", "a1", "深圳"}, {"李四", 1001}, {"王五", "a3", "北京", "note"},
		})
	},
	"workbook-title.xlsx": func(t *testing.T) string {
		return filetest.Workbook(t, [][]any{{"清理名单"}, {"序号", "会员编号"}, {1, "C7001"}, {2, "C7002"}, {3, "C7003"}})
	},
	"workbook-formats.xlsx": func(t *testing.T) string {
		codes, styles, rows := "", `<xf numFmtId="0"/>`, filetest.Texted("uid")
		for i, code := range []string{
			"0", "0.00", "#,##0", "_ * #,##0_ ", "[Red]#,##0;-0", "@", "G/通用格式", "0.00E+00", // shown as stored
			"&quot;user_&quot;0", "0&quot;号&quot;", "000-00-0000", "0 0000", "#00000", "0%", "# ?/?",
			"0,", ";;;", "[DBNum1]0", "[&lt;9]0;0&quot;x&quot;", "aaaa", "?????0", strings.Repeat("0", 256),
		} {
			id := strconv.Itoa(170 + i)
			codes += `<numFmt numFmtId="` + id + `" formatCode="` + code + `"/>`
			styles += `<xf numFmtId="` + id + `"/>`
			rows += `<row><c s="` + strconv.Itoa(i+1) + `"><v>12345</v></c></row>`
		}
		rows += `<row><c s="3"><v>-5</v></c></row><row><c s="5"><v>-5</v></c></row><row><c s="99"><v>5</v></c></row>`
		return filetest.BuildWorkbook(t, "", filetest.OneSheet, rows, filetest.Shared,
			`<styleSheet><cellXfs>`+styles+`</cellXfs><numFmts>`+codes+`</numFmts></styleSheet>`)
	},
	"refused/only-hidden.xlsx": func(t *testing.T) string {
		return filetest.WorkbookWith(t, func(f *excelize.File) {
			_, err := f.NewSheet("Old")
			require.NoError(t, err)
			require.NoError(t, f.SetSheetCol("Old", "A1", &[]any{"account", "o1"}))
			require.NoError(t, f.SetSheetVisible("Old", false))
		})
	},
	"refused/row-in-row.xlsx": func(t *testing.T) string {
		return filetest.Sheet(t, filetest.Texted("uid")+`<row><row><c><v>1</v></c></row><c><v>2</v></c></row>`)
	},
	"workbook-no-header.xlsx": func(t *testing.T) string {
		return filetest.Workbook(t, [][]any{{"深圳", "u1001"}, {"北京", "u1002"}, {"深圳", "u1003"}})
	},
}

// encrypted says of the only file of a ZIP that it has a password.
func encrypted(text string) string {
	b := []byte(text)
	b[6] |= 1
	b[strings.Index(text, "PK\x01\x02")+8] |= 1
	return string(b)
}

func damaged(text string, at int) string {
	b := []byte(text)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 0x55
	return string(b)
}

// lyingZip says that its file is shorter than it is.
func lyingZip(t *testing.T) string {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.CreateRaw(&zip.FileHeader{Name: "a.csv", Method: zip.Store, CRC32: 1, CompressedSize64: 12, UncompressedSize64: 3})
	require.NoError(t, err)
	_, err = f.Write([]byte("a1\na2\na3\na4\n"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.String()
}

func TestMadeFilesAreInTestdata(t *testing.T) {
	for name, build := range made {
		file := filepath.Join("testdata", name)
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(build(t)), 0o644))
		}
		require.FileExists(t, file)
	}
}
