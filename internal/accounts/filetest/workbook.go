package filetest

import (
	"bytes"
	"strings"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
)

// Workbook writes rows into a workbook as another program does.
func Workbook(t require.TestingT, rows [][]any) string {
	f := excelize.NewFile()
	defer f.Close()
	w, err := f.NewStreamWriter("Sheet1")
	require.NoError(t, err)
	for i, row := range rows {
		cell, err := excelize.CoordinatesToCellName(1, i+1)
		require.NoError(t, err)
		require.NoError(t, w.SetRow(cell, row))
	}
	require.NoError(t, w.Flush())
	var out bytes.Buffer
	require.NoError(t, f.Write(&out))
	return out.String()
}

// Parts of a workbook: the list of one sheet, texts that cells share, and styles
// of which 1 is a date and 2 has zeros in front.
const (
	OneSheet = `<sheet name="One" sheetId="1" r:id="s"/>`
	Shared   = `<sst><si><t>a1</t></si><si><r><t>a</t></r><r><t>2</t></r></si><si><t>123456789012345678</t></si>` +
		`<si><t>a_x0033__x005F_x</t></si><si><t>漢</t><rPh sb="0" eb="1"><t>kan</t></rPh></si>` +
		`<si><t xml:space="preserve"> a4</t></si><si><t>'=a5</t></si><si><t>a6,a7</t></si></sst>`
	Styles = `<styleSheet><numFmts><numFmt numFmtId="170" formatCode="000000"/></numFmts>` +
		`<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="170"/></cellXfs></styleSheet>`
)

// Sheet writes a workbook of one sheet, with its rows as XML.
func Sheet(t require.TestingT, rows string) string { return RawWorkbook(t, "", OneSheet, rows) }

// RawWorkbook writes the parts of a workbook as they are given.
func RawWorkbook(t require.TestingT, doctype, sheets, rows string) string {
	return BuildWorkbook(t, doctype, sheets, rows, Shared, Styles)
}

// BuildSheet is like Sheet, with XML that stands before the rows.
func BuildSheet(t require.TestingT, before, rows string) string {
	return ZIP(t, parts("", OneSheet, before+`<sheetData>`+rows+`</sheetData>`, Shared, Styles)...)
}

// BuildWorkbook is like RawWorkbook, with the texts that cells share and the styles.
func BuildWorkbook(t require.TestingT, doctype, sheets, rows, shared, styles string) string {
	return ZIP(t, parts(doctype, sheets, `<sheetData>`+rows+`</sheetData>`, shared, styles)...)
}

// parts are the names and texts of a workbook's parts.
func parts(doctype, sheets, sheet, shared, styles string) []string {
	const relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	// each relation is an id, a kind and a target
	related := func(list ...string) string {
		var all strings.Builder
		for i := 0; i < len(list); i += 3 {
			all.WriteString(`<Relationship Id="` + list[i] + `" Type="` + relations + `/` + list[i+1] + `" Target="` + list[i+2] + `"/>`)
		}
		return `<Relationships>` + all.String() + `</Relationships>`
	}
	return []string{"[Content_Types].xml", "<Types/>",
		"_rels/.rels", related("w", "officeDocument", "xl/workbook.xml", "p", "extended-properties",
			"docProps/app.xml"),
		"xl/workbook.xml",
		doctype + `<workbook xmlns:r="` + relations + `"><sheets>` + sheets + `</sheets></workbook>`,
		"xl/_rels/workbook.xml.rels", related("s", "worksheet", "worksheets/sheet1.xml",
			"c", "chartsheet", "chartsheets/sheet1.xml", "t", "sharedStrings", "sharedStrings.xml", "y", "styles",
			"styles.xml"),
		"docProps/app.xml", "<Properties/>", "xl/sharedStrings.xml", shared, "xl/styles.xml", styles,
		"xl/worksheets/sheet1.xml", `<worksheet>` + sheet + `</worksheet>`}
}

// Texted is a first row with a text.
func Texted(text string) string {
	return `<row r="1"><c r="A1" t="inlineStr"><is><t>` + text + `</t></is></c></row>`
}

// Numbers are rows with a number each.
func Numbers(values ...string) string {
	return `<row><c><v>` + strings.Join(values, `</v></c></row><row><c><v>`) + `</v></c></row>`
}

// Change is what another program does with a part of a workbook: its name and text.
type Change func(name, text string) (string, string)

// Part gives a part another text.
func Part(part, now string) Change {
	return func(name, text string) (string, string) {
		if name == part {
			text = now
		}
		return name, text
	}
}

// Rows gives the sheet other rows.
func Rows(rows string) Change {
	return Part("xl/worksheets/sheet1.xml", `<worksheet><sheetData>`+rows+`</sheetData></worksheet>`)
}

// Foreign writes a workbook as another program does.
func Foreign(t require.TestingT, changes ...Change) string {
	list := parts("", OneSheet, "", Shared, Styles)
	for i := 0; i < len(list); i += 2 {
		for _, change := range changes {
			list[i], list[i+1] = change(list[i], list[i+1])
		}
	}
	return ZIP(t, list...)
}

// WorkbookWith writes a workbook that is filled as another program does.
func WorkbookWith(t require.TestingT, fill func(*excelize.File)) string {
	f := excelize.NewFile()
	defer f.Close()
	fill(f)
	var out bytes.Buffer
	require.NoError(t, f.Write(&out))
	return out.String()
}
