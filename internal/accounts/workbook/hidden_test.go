package workbook

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"tagsweep/internal/accounts/filetest"
)

// seen lists the visible rows of the first sheet by their first cell, and which
// of the first five columns are hidden.
func seen(t *testing.T, file string) (visible []string, hidden []int) {
	w, err := open(t, file, 1<<20)
	require.NoError(t, err)
	rows, err := w.Rows(w.Sheets[0])
	require.NoError(t, err)
	defer rows.Close()
	for {
		row, err := rows.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if !row.Hidden {
			visible = append(visible, row.Cells[0].Text)
		}
	}
	for i := range 5 {
		if rows.HiddenColumn(i) {
			hidden = append(hidden, i)
		}
	}
	return visible, hidden
}

// rowsWith are the rows a, b and c; the attributes are of b.
func rowsWith(attributes string) string {
	cell := func(text string) string { return `<c t="str"><v>` + text + `</v></c></row>` }
	return `<row>` + cell("a") + `<row ` + attributes + `>` + cell("b") + `<row>` + cell("c")
}

func TestRowsThatNobodySeesAreHidden(t *testing.T) {
	for _, attributes := range []string{`hidden="1"`, `hidden="true"`, `hidden="True" outlineLevel="1"`,
		`ht="0" customHeight="1"`,
		`ht="0.0"`, `ht="0.75" customHeight="1"`, `outlineLevel="2" hidden="1" collapsed="1"`} {
		visible, _ := seen(t, filetest.Sheet(t, rowsWith(attributes)))
		require.Equal(t, []string{"a", "c"}, visible, attributes)
	}
	for _, attributes := range []string{``, `hidden="0"`, `hidden="false"`, `ht="15"`, `ht="1.5"`,
		`outlineLevel="1" collapsed="1"`, `ht="x"`} {
		visible, hidden := seen(t, filetest.Sheet(t, rowsWith(attributes)))
		require.Equal(t, []string{"a", "b", "c"}, visible, attributes)
		require.Empty(t, hidden)
	}
}

func TestHiddenIsReadAsOtherProgramsWriteIt(t *testing.T) {
	visible, hidden := seen(t, filetest.WorkbookWith(t, func(f *excelize.File) {
		for i, name := range []string{"id", "im_1", "im_2", "im_3", "im_4"} {
			require.NoError(t, f.SetCellValue("Sheet1", "A"+string(rune('1'+i)), name))
		}
		require.NoError(t, f.SetRowVisible("Sheet1", 3, false))
		require.NoError(t, f.SetRowHeight("Sheet1", 4, 0))
		require.NoError(t, f.SetColVisible("Sheet1", "B:C", false))
		require.NoError(t, f.SetColWidth("Sheet1", "E", "E", 0))
	}))
	require.Equal(t, []string{"id", "im_1", "im_4"}, visible)
	require.Equal(t, []int{1, 2, 4}, hidden)
}

func TestColumnsThatNobodySeesAreHidden(t *testing.T) {
	for _, test := range []struct {
		before string
		hidden []int
	}{
		{`<cols><col min="2" max="3" hidden="1" width="9"/></cols>`, []int{1, 2}},
		{`<cols><col min="1" max="16384" hidden="true"/></cols>`, []int{0, 1, 2, 3, 4}},
		{`<cols><col min="4" max="4" width="0" customWidth="1"/><col min="5" max="5" width="0.0"/></cols>`, []int{3,
			4}},
		{`<sheetFormatPr defaultColWidth="0"/><cols><col min="2" max="2" width="9"/></cols>`, []int{0, 2, 3, 4}},
		{`<sheetFormatPr defaultColWidth="9"/><cols><col min="2" max="2"/><col min="x" max="3" hidden="1"/></cols>`,
			nil},
		{`<sheetFormatPr defaultColWidth="0"/>`, []int{0, 1, 2, 3, 4}},
	} {
		_, hidden := seen(t, filetest.BuildSheet(t, test.before, rowsWith("")))
		require.Equal(t, test.hidden, hidden, test.before)
	}
	visible, _ := seen(t, filetest.BuildSheet(t, `<sheetFormatPr defaultRowHeight="0" zeroHeight="1"/>`,
		rowsWith(`ht="15"`)))
	require.Equal(t, []string{"b"}, visible)
	visible, _ = seen(t, filetest.BuildSheet(t, `<sheetFormatPr defaultRowHeight="15" zeroHeight="1"/>`,
		rowsWith("")))
	require.Equal(t, []string{"a", "b", "c"}, visible, "a row that is written is seen")
}
