package accounts

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/archive"
	"tagsweep/internal/accounts/filetest"
)

// A small file that unpacks to a large one is refused before it costs much.
func TestWhatInflatesIsRefused(t *testing.T) {
	row := `<row><c t="inlineStr"><is><t>a</t></is></c><c/><c/><c/><c/></row>`
	sheet := filetest.Sheet(t, filetest.Texted("account")+strings.Repeat(row, 100<<20/len(row)))
	require.Less(t, len(sheet), 1<<20)
	text := strings.Repeat("account\n", 100<<17)
	for name, file := range map[string]string{
		"workbook": sheet, "workbook in ZIP": filetest.ZIP(t, "a.xlsx", sheet), "gzip": filetest.Gzip(t, text),
		"ZIP": filetest.ZIP(t, "a.csv", text),
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			r, err := Open(filetest.Section(file), Options{})
			for err == nil {
				_, err = r.Next()
			}
			require.NotEqual(t, io.EOF, err)
			require.True(t, archive.FaultInflated.Is(err), "%v", err)
			t.Log(time.Since(began))
		})
	}
}
