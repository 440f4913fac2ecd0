package workbook

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/filetest"
	"tagsweep/internal/fault"
)

func TestRowsHaveTheirCellsAndKinds(t *testing.T) {
	rows, err := allRows(t, filetest.Sheet(t, filetest.Texted("uid")+
		`<row r="3"><c r="B3" t="s"><v>1</v></c><c r="D3"><v>1E+17</v></c></row><row r="4"/>`+
		`<row r="5"><c r="A5" t="str"><f>B1</f><v>a1</v></c><c t="b"><v>1</v></c>`+
		`<c s="1"><v>45351</v></c><c r="CW5"><v>1</v></c></row>`), 1<<20)
	require.NoError(t, err)
	require.Equal(t, []Row{
		{Line: 1, Cells: []Cell{{"uid", Plain}}, Bytes: 3},
		{Line: 3, Cells: []Cell{{}, {"a2", Plain}, {}, {"1E+17", Rounded}}, Bytes: 7},
		{Line: 5, Cells: []Cell{{"a1", Formula}, {"TRUE", Other}, {"2024-02-29", Other}}, Wide: true, Bytes: 17},
	}, rows)
}

// FuzzRows: whatever the parts of a workbook hold, its rows are in order and
// within the limits, or it is refused.
func FuzzRows(f *testing.F) {
	const shared, styles = filetest.Shared, filetest.Styles
	f.Add(filetest.OneSheet, someRows, shared, styles)
	f.Add(filetest.OneSheet,
		`<row r="1"><c r="B1" t="s"><v>7</v></c></row><row r="4"><c r="C4" t="e"><v>#N/A</v></c></row>`,
		shared, styles)
	f.Add(`<sheet name="A" state="hidden" r:id="s"/><sheet name="B" r:id="c"/>`,
		`<row><c t="str"><f>A1</f><v>_x0000_</v></c></row>`, ``, ``)
	f.Add(filetest.OneSheet,
		`<row hidden="1" ht="0"><c t="inlineStr"><is><r><rPr><vertAlign val="superscript"/></rPr>`+
			`<t>_x005F_x0041_</t></r></is></c></row>`,
		`<?xml version="1.0" encoding="GBK"?><sst><si><r><rPr><strike/></rPr><t>a_x000D_</t></r></si></sst>`,
		"\xff\xfe<\x00a\x00/\x00>\x00")
	f.Fuzz(func(t *testing.T, sheets, rows, texts, formats string) {
		w, err := open(t, filetest.BuildWorkbook(t, "", sheets, rows, texts, formats), 1<<20)
		if err != nil {
			require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
			return
		}
		for _, s := range w.Sheets {
			found, err := w.Rows(s)
			require.NoError(t, err)
			line := int64(0)
			for {
				row, err := found.Next()
				if err != nil {
					break
				}
				require.Greater(t, row.Line, line)
				require.LessOrEqual(t, len(row.Cells), 100)
				require.True(t, len(row.Cells) > 0 || row.Wide)
				found.HiddenColumn(int(row.Line))
				line = row.Line
			}
			require.NoError(t, found.Close())
		}
	})
}
