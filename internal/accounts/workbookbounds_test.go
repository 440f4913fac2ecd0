package accounts

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/fault"
)

// TestSmallWorkbooksCostLittle: of a few KB, or of many that say the same again.
func TestSmallWorkbooksCostLittle(t *testing.T) {
	times := strings.Repeat
	sheets := func(n int, name string) (list string) {
		var all strings.Builder
		for i := range n {
			fmt.Fprintf(&all, `<sheet name="%d%s" sheetId="1" r:id="s"/>`, i, name)
		}
		return all.String()
	}
	formats := func(n int, code string) string {
		var all strings.Builder
		for i := range n {
			fmt.Fprintf(&all, `<numFmt numFmtId="%d" formatCode="%s"/>`, 170+i, code)
		}
		return `<styleSheet><numFmts>` + all.String() + `</numFmts><cellXfs>` + times(`<xf numFmtId="170"/>`, 1000) + `</cellXfs></styleSheet>`
	}
	rows := texted("account") + numbers("5")
	declared := new(strings.Builder)
	for i := range 20_000 {
		fmt.Fprintf(declared, ` xmlns:a%d=""`, i)
	}
	of := func(sheets, rows, shared, styles string) string {
		return buildWorkbook(t, "", sheets, rows, shared, styles)
	}
	for name, test := range map[string]struct {
		file string
		want *fault.Sentence
	}{
		"a long format of many styles":    {of(oneSheet, rows, shared, formats(1, times("A", 1<<19))), nil},
		"many formats":                    {of(oneSheet, rows, shared, formats(maxFormats+1, "0")), FaultWorkbookLarge},
		"many styles":                     {of(oneSheet, rows, shared, `<s><cellXfs>`+times(`<xf/>`, maxStyles+1)+`</cellXfs></s>`), FaultWorkbookLarge},
		"blank sheets of one part":        {of(sheets(maxSheets, ""), times("<row/>", 100_000), shared, styles), FaultEmpty},
		"many sheets":                     {of(sheets(maxSheets+1, ""), rows, shared, styles), FaultWorkbookLarge},
		"long names of sheets":            {of(sheets(3, times("A", nameBytes)), rows, shared, styles), FaultDamaged},
		"two sheets of one name":          {of(oneSheet+oneSheet, rows, shared, styles), FaultDamaged},
		"many declarations":               {of(oneSheet, times("<a"+declared.String()+">", depth-10), shared, styles), FaultDamaged},
		"a long shared text in each cell": {of(oneSheet, times(`<row><c t="s"><v>0</v></c></row>`, 100_000), "<sst><si><t>"+times("x", 1<<19)+"</t></si></sst>", styles), nil},
		"many relations":                  {relating(t, maxRelations+1), FaultWorkbookLarge},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Open(section(test.file), Options{}) // unbounded, it would take hours
			if test.want != nil {
				require.True(t, test.want.Is(err), "%v", err)
				return
			}
			require.NoError(t, err)
			require.NoError(t, r.Close())
		})
	}
}

func relating(t *testing.T, n int) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, `<Relationship Id="%d" Type="image" Target="x"/>`, i)
	}
	return zipOf(t, "[Content_Types].xml", "<Types/>", "xl/workbook.xml", "<w/>", "_rels/.rels", "<R>"+all.String()+"</R>")
}

func TestWhatCellsShareCountsAsUnpacked(t *testing.T) {
	rows := texted("account") + strings.Repeat(`<row><c t="s"><v>0</v></c></row>`, 100)
	file := buildWorkbook(t, "", oneSheet, rows, "<sst><si><t>"+strings.Repeat("x", 1<<15)+"</t></si></sst>", styles)
	r, err := Open(section(file), Options{UnpackedBytes: 1 << 20})
	if err == nil {
		_, err = rest(r)
	}
	require.True(t, FaultUnpacked.Is(err), "%v", err)
}

func TestWorkbookUnpackingIsBounded(t *testing.T) {
	const row = `<row><c t="s"><v>0</v></c></row>`
	blank := "<sst><si><t>" + strings.Repeat(" ", maxRecord) + "</t></si></sst>"
	_, err := Open(section(buildWorkbook(t, "", oneSheet, strings.Repeat(row, openingBytes/maxRecord+1), blank, styles)), Options{})
	require.True(t, FaultWorkbookLarge.Is(err), "%v", err)
}

func TestARowOfOneCellTooLongIsSetAside(t *testing.T) {
	long := `<row><c t="inlineStr"><is><t>` + strings.Repeat("x", maxRecord+1) + `</t></is></c></row>`
	_, rows := readAll(t, rawWorkbook(t, "", oneSheet, texted("account")+long+numbers("5")))
	require.Equal(t, "2!row_too_long 3=5", brief(rows))
}

func TestTheListOfSheetsIsBounded(t *testing.T) {
	var sheets strings.Builder
	for i := range 2 * sheetsShown {
		fmt.Fprintf(&sheets, `<sheet name="%d" sheetId="1" r:id="s"/>`, i)
	}
	file := rawWorkbook(t, "", sheets.String(), texted("account")+numbers("5"))
	r, err := Open(section(file), Options{Choices: Choices{Sheet: "300"}})
	require.NoError(t, err)
	require.Len(t, r.Understanding().Sheets, sheetsShown)
	require.Equal(t, "300", r.Understanding().Sheet)
}

func TestAHiddenSheetIsReadOnlyWhenChosen(t *testing.T) {
	file := made["refused/only-hidden.xlsx"](t)
	r, err := Open(section(file), Options{Choices: Choices{Sheet: "Old"}})
	require.NoError(t, err)
	rows, err := rest(r)
	require.NoError(t, err)
	require.Equal(t, "2=o1", brief(rows))
}
