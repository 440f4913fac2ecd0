package accounts

import (
	"io"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRowTooLongCostsOnlyItself(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for name, test := range map[string]struct{ text, want string }{
		"line":                 {"a1\n" + x(3*bufferBytes) + "\r\na2\r\n", "1=a1 2!row_too_long 3=a2"},
		"line without an end":  {"a1\n" + x(3*bufferBytes), "1=a1 2!row_too_long"},
		"first line":           {x(2*maxRecord) + "\na2\n", "1!row_too_long 2=a2"},
		"first line of cells":  {strings.Repeat("x,", 40) + x(2*maxRecord) + "\na2\n", "1!row_too_long 2!ragged"},
		"blank line":           {"a1\n" + strings.Repeat(" ", 2*maxRecord) + "\na2\n", "1=a1 2!row_too_long 3=a2"},
		"line of quotes":       {"a1\n" + strings.Repeat(`"`, 2*maxRecord) + "\na2\n", "1=a1 2!row_too_long 3=a2"},
		"exactly the bound":    {"account,note\na1," + x(maxRecord-3) + "\na2,y\n", "2=a1 3=a2"},
		"one over the bound":   {"account,note\na1," + x(maxRecord-2) + "\na2,y\n", "2!row_too_long 3=a2"},
		"quoted over lines":    {"account,note\na1,\"" + x(maxRecord/2) + "\n" + x(maxRecord/2) + "\"\na2,y\n", "2!open_quote 3!stray_quote 4=a2"},
		"long tail of a quote": {"account,note\na1,\"x\ny\"," + x(maxRecord) + "\na2,y\n", "2!row_too_long 3!row_too_long 4=a2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, rows := readAll(t, test.text)
			require.Equal(t, test.want, brief(rows))
			for _, row := range rows {
				require.LessOrEqual(t, len(row.Value), maxRecord)
			}
		})
	}
}

func TestOpenQuoteIsGivenUpAtTheBound(t *testing.T) {
	rows := strings.Repeat("b,ok\n", maxRecord/5+10)
	_, read := readAll(t, "account,note\na1,\"open\n"+rows+"c,end\n")
	require.Equal(t, OpenQuote, read[0].Reason)
	require.Len(t, read, maxRecord/5+12)
	for _, row := range read[1:] {
		require.Empty(t, row.Reason)
	}
}

func TestMemoryIsBoundedWhateverTheFile(t *testing.T) {
	for name, line := range map[string]string{
		"one line":    "xxxxxxxxxxxxxxx,",
		"short lines": "account\n",
		"open quotes": "a,\"b\n",
		"quote lines": "\",\n",
		"blank lines": " \r\n",
	} {
		t.Run(name, func(t *testing.T) {
			r, err := NewReader(io.MultiReader(strings.NewReader("a1\na2\na3\n"), &repeated{text: line, left: 6 << 20}), Options{})
			require.NoError(t, err)
			var peak uint64
			var now runtime.MemStats
			for n := 0; err != io.EOF; n++ {
				_, err = r.Next()
				require.True(t, err == nil || err == io.EOF)
				if n%500_000 == 0 || err == io.EOF {
					runtime.GC()
					runtime.ReadMemStats(&now)
					peak = max(peak, now.HeapAlloc)
				}
			}
			runtime.KeepAlive(r)
			require.Less(t, peak, uint64(8<<20))
		})
	}
}

// repeated gives a text again and again, about left bytes in all.
type repeated struct {
	text string
	left int
	at   int
}

func (r *repeated) Read(b []byte) (n int, err error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	for n < len(b) {
		copied := copy(b[n:], r.text[r.at:])
		n, r.at = n+copied, (r.at+copied)%len(r.text)
	}
	r.left -= n
	return n, nil
}

func BenchmarkRead(b *testing.B) {
	const rows = 1_000_000
	var plain, table, lines strings.Builder
	table.WriteString("name,account,note\r\n")
	random := rand.New(rand.NewPCG(1, 2))
	for range rows {
		id := "user_" + strconv.FormatUint(random.Uint64(), 36)
		plain.WriteString(id + "\n")
		table.WriteString("张三," + id + ",\"note, with \"\"quotes\"\"\"\r\n")
		lines.WriteString("\"two\nlines\"," + id + "\n")
	}
	for _, file := range []struct{ name, text string }{{"one per line", plain.String()}, {"quoted table", table.String()}, {"cells of two lines", lines.String()}} {
		b.Run(file.name, func(b *testing.B) {
			b.SetBytes(int64(len(file.text)))
			b.ReportAllocs()
			for b.Loop() {
				r, err := NewReader(strings.NewReader(file.text), Options{})
				require.NoError(b, err)
				n := 0
				for {
					if _, err := r.Next(); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n < rows-1 {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
