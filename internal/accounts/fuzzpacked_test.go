package accounts

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/filetest"
)

// FuzzPacked: what is in an archive is read as it would be without.
func FuzzPacked(f *testing.F) {
	seeds(f, func(text []byte) {
		if format := formatOf(text); format == "" {
			f.Add(string(text))
		}
	})
	f.Fuzz(func(t *testing.T, text string) {
		if formatOf([]byte(text)) == zipped {
			t.Skip()
		}
		plain, why := Open(filetest.Section(text), Options{})
		for _, file := range []string{filetest.Gzip(t, text), filetest.ZIP(t, "a.csv", text)} {
			r, err := Open(filetest.Section(file), Options{})
			if why != nil {
				require.Error(t, err)
				continue
			}
			require.NoError(t, err)
			rows, err := rest(r)
			require.NoError(t, err)
			again, err := Open(filetest.Section(text), Options{})
			require.NoError(t, err)
			want, err := rest(again)
			require.NoError(t, err)
			require.Equal(t, want, rows)
			require.Equal(t, plain.Understanding().Shape, r.Understanding().Shape)
		}
	})
}

// FuzzWorkbook: whatever a sheet and its texts hold, as XML.
func FuzzWorkbook(f *testing.F) {
	f.Add(filetest.Texted("uid")+filetest.Numbers("1", "1E+17", "0.5", "x"), filetest.Shared, filetest.Styles, uint8(0))
	f.Add(`<row r="1"><c r="B1" t="s"><v>7</v></c></row>`+
		`<row r="4" spans="1:3"><c r="A4" t="b"><v>1</v></c><c r="C4" t="e"><v>#N/A</v></c></row>`,
		filetest.Shared, filetest.Styles, uint8(1))
	f.Add(`<row><c t="str"><f>A1</f><v>_x0000_</v></c><c t="d"><v>2024</v></c>`+
		`<c t="inlineStr"><is><r><t>a</t></r><rPh><t>b</t></rPh></is></c></row>`,
		`<sst><si/></sst>`, ``, uint8(2))
	f.Add(`<row r="1048577"><c r="ZZZZ1"><v> </v></c></row><row/><c/><!-- --><x>&amp;&#65;</x>`,
		`<sst><si><t/></si>`, `<styleSheet><cellXfs><xf numFmtId="x"/></cellXfs></styleSheet>`, uint8(3))
	f.Fuzz(func(t *testing.T, rows, texts, formats string, n uint8) {
		file := filetest.BuildWorkbook(t, "", filetest.OneSheet, rows, texts, formats)
		c := Choices{Header: of([]string{Yes, No}, n), Column: int(n % 4), FirstLine: int64(n % 5)}
		readAnything(t, []byte(file), Options{Choices: c})
	})
}
