package workbook

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/archive"
	"tagsweep/internal/accounts/filetest"
	"tagsweep/internal/fault"
)

const oneRow = `<row><c t="s"><v>0</v></c></row>`

var someRows = filetest.Texted("account") + filetest.Numbers("5")

func open(t require.TestingT, file string, unpacked int64) (*Workbook, error) {
	z, err := archive.OpenZIP(archive.NewSource(filetest.Section(file)))
	require.NoError(t, err)
	return Open(z, Limits{Columns: 100, RowBytes: 64 << 10, Unpacked: unpacked}, "", new(archive.Progress))
}

// firstRows looks for the first row of each sheet.
func firstRows(t require.TestingT, file string) error {
	w, err := open(t, file, 2<<30)
	if err != nil {
		return err
	}
	for _, s := range w.Sheets {
		rows, err := w.FirstRows(s)
		if err != nil {
			return err
		}
		defer rows.Close()
		if _, err := rows.Next(); err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}

// allRows reads the first sheet.
func allRows(t require.TestingT, file string, unpacked int64) (all []Row, err error) {
	w, err := open(t, file, unpacked)
	if err != nil {
		return nil, err
	}
	rows, err := w.Rows(w.Sheets[0])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for {
		row, err := rows.Next()
		if err == io.EOF {
			return all, nil
		} else if err != nil {
			return all, err
		}
		all = append(all, row)
	}
}

// TestSmallWorkbooksCostLittle: of a few KB, or of many that say the same again.
func TestSmallWorkbooksCostLittle(t *testing.T) {
	const one, shared, styles = filetest.OneSheet, filetest.Shared, filetest.Styles
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
		return `<styleSheet><numFmts>` + all.String() + `</numFmts><cellXfs>` +
			times(`<xf numFmtId="170"/>`, 1000) + `</cellXfs></styleSheet>`
	}
	declared := new(strings.Builder)
	for i := range 20_000 {
		fmt.Fprintf(declared, ` xmlns:a%d=""`, i)
	}
	of := func(sheets, rows, shared, styles string) string {
		return filetest.BuildWorkbook(t, "", sheets, rows, shared, styles)
	}
	long := "<sst><si><t>" + times("x", 1<<19) + "</t></si></sst>"
	for name, test := range map[string]struct {
		file string
		want *fault.Sentence
	}{
		"a long format of many styles":    {of(one, someRows, shared, formats(1, times("A", 1<<19))), nil},
		"many formats":                    {of(one, someRows, shared, formats(maxFormats+1, "0")), FaultLarge},
		"many styles":                     {of(one, someRows, shared, `<s><cellXfs>`+times(`<xf/>`, maxStyles+1)+`</cellXfs></s>`), FaultLarge},
		"sheets of one part":              {of(sheets(2, ""), someRows, shared, styles), archive.FaultDamaged},
		"many sheets":                     {of(sheets(maxSheets+1, ""), someRows, shared, styles), FaultLarge},
		"long names of sheets":            {of(sheets(3, times("A", nameBytes)), someRows, shared, styles), archive.FaultDamaged},
		"two sheets of one name":          {of(one+one, someRows, shared, styles), archive.FaultDamaged},
		"many declarations":               {of(one, times("<a"+declared.String()+">", depth-10), shared, styles), archive.FaultDamaged},
		"a long shared text in each cell": {of(one, times(oneRow, 100_000), long, styles), nil},
		"many relations":                  {relating(t, maxRelations+1), FaultLarge},
	} {
		t.Run(name, func(t *testing.T) {
			err := firstRows(t, test.file) // unbounded, it would take hours
			if test.want == nil {
				require.NoError(t, err)
			} else {
				require.True(t, test.want.Is(err), "%v", err)
			}
		})
	}
}

func relating(t *testing.T, n int) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, `<Relationship Id="%d" Type="image" Target="x"/>`, i)
	}
	return filetest.ZIP(t, "[Content_Types].xml", "<Types/>", "xl/workbook.xml", "<w/>",
		"_rels/.rels", "<R>"+all.String()+"</R>")
}

func sharing(t *testing.T, rows, texts string) string {
	return filetest.BuildWorkbook(t, "", filetest.OneSheet, rows, "<sst>"+texts+"</sst>", filetest.Styles)
}

func TestWhatCellsShareCountsAsUnpacked(t *testing.T) {
	file := sharing(t, filetest.Texted("account")+strings.Repeat(oneRow, 100), "<si><t>"+strings.Repeat("x", 1<<15)+"</t></si>")
	_, err := allRows(t, file, 1<<20)
	require.True(t, archive.FaultUnpacked.Is(err), "%v", err)
}

func TestUnpackingBeforeTheRowsIsBounded(t *testing.T) {
	const cell = 64 << 10
	blank := "<si><t>" + strings.Repeat(" ", cell) + "</t></si>"
	err := firstRows(t, sharing(t, strings.Repeat(oneRow, openingBytes/cell+1), blank))
	require.True(t, FaultLarge.Is(err), "%v", err)
}

func TestWorkbookTooLargeIsRefused(t *testing.T) {
	random, text := rand.New(rand.NewPCG(1, 2)), make([]byte, 1<<16) // further apart than what packs it looks back
	for i := range text {
		text[i] = 'a' + byte(random.IntN(26))
	}
	big := strings.Repeat("<si><t>"+string(text)+"</t></si>", sharedBytes>>16+1)
	_, err := open(t, sharing(t, filetest.Texted("a1"), big), 2<<30)
	require.True(t, FaultLarge.Is(err), "%v", err)
	require.Contains(t, err.Error(), "64 MB")

	_, err = open(t, strings.Repeat("x", MaxBytes)+filetest.Sheet(t, someRows), 2<<30)
	require.True(t, FaultLarge.Is(err), "%v", err)
}

func TestXMLOutOfBoundsIsDamage(t *testing.T) {
	row := func(cell string) string { return `<row><c>` + cell + `</c></row>` }
	for name, rows := range map[string]string{
		"a cell":   row(`<v>` + strings.Repeat("1", 4*tokenBytes) + `</v>`),
		"a tag":    `<row r="` + strings.Repeat("1", 4*tokenBytes) + `"></row>`,
		"a remark": `<!--` + strings.Repeat("<>", 4*tokenBytes) + `-->`,
		"depth":    strings.Repeat(`<a>`, 10_000),
		"order":    row(`<v>1</v>`) + `<row r="9"><c r="A9"/><c r="A9"/></row>`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := allRows(t, filetest.Sheet(t, rows), 2<<30)
			require.True(t, archive.FaultDamaged.Is(err), "%v", err)
		})
	}
}
