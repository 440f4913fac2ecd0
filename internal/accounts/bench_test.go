package accounts

import (
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/filetest"
)

func BenchmarkRead(b *testing.B) {
	const rows, sheetRows = 1_000_000, 100_000
	var plain, cells, table, lines strings.Builder
	table.WriteString("name,account,note\r\n")
	random := rand.New(rand.NewPCG(1, 2))
	sheet := [][]any{{"account", "name", "n"}}
	for i := range rows {
		id := "user_" + strconv.FormatUint(1e9+random.Uint64N(9e9), 10)
		plain.WriteString(id + "\n")
		cells.WriteString(id + ",Shenzhen,2024-01-02\n")
		table.WriteString("张三," + id + ",\"note, with \"\"quotes\"\"\"\r\n")
		lines.WriteString("\"two\nlines\"," + id + "\n")
		if i < sheetRows {
			sheet = append(sheet, []any{id, "张三", i})
		}
	}
	for _, file := range []struct {
		name, text string
		rows       int
	}{
		{"one per line", plain.String(), rows},
		{"cells", cells.String(), rows},
		{"quoted table", table.String(), rows},
		{"cells of two lines", lines.String(), rows},
		{"GB18030", encoded(b, table.String(), GB18030, false), rows},
		{"UTF-16", encoded(b, table.String(), UTF16LE, true), rows},
		{"gzip", filetest.Gzip(b, cells.String()), rows},
		{"ZIP", filetest.ZIP(b, "a.csv", cells.String()), rows},
		{"XLSX", filetest.Workbook(b, sheet), sheetRows},
	} {
		b.Run(file.name, func(b *testing.B) {
			b.SetBytes(int64(len(file.text)))
			b.ReportAllocs()
			for b.Loop() {
				r, err := Open(filetest.Section(file.text), Options{})
				require.NoError(b, err)
				n := 0
				for {
					row, err := r.Next()
					if err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
					if row.Reason == "" {
						n++
					}
				}
				if n < file.rows-1 {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(file.rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
