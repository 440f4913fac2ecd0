package text

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// hasCells: a line looks like a row by itself when it has two cells, the first without quotes.
func hasCells(cells []string) bool { return len(cells) > 1 && !strings.Contains(cells[0], `"`) }

func recordsOf(t require.TestingT, text string, d Dialect) *Records {
	lines, err := NewLines(strings.NewReader(text), UTF8)
	require.NoError(t, err)
	return lines.Records(d, 0, hasCells)
}

func TestRecordsAreSplitAsDecided(t *testing.T) {
	for _, test := range []struct{ separator, quote, text, want string }{
		{",", `"`, "a,b\r\n\r\n c , d\re", `1["a" "b"] 3[" c " " d"] 4["e"]`},
		{",", `"`, `"a, ""b""" ,c` + "\n", `1["a, \"b\"" "c"]`},
		{"\t", `"`, "a,b\t\"c\t\"", `1["a,b" "c\t"]`},
		{";", `'`, `'a;b';"c`, `1["a;b" "\"c"]`},
		{",", "", `"a",b"`, `1["\"a\"" "b\""]`},
		{"", `"`, "a,b\n\"c\"", `1["a,b"] 2["c"]`},
		{",", `"`, "a,\"b\nc\",d\n", `1["a" "b\nc" "d"]`},
		{",", `"`, "a,\"b\nc,d\n\"\n", `1!2"a,\"b" 2?["c" "d"] 3!2"\""`},
		{",", `"`, "a,\"b\nc\"\n", `1["a" "b\nc"]`},
		{",", `"`, "=\"01\",b\n=\"1\"2,c\n", `1["=\"01\"" "b"] 2!1"=\"1\"2,c"`},
		{",", `"`, "a,b\"c\nd,\"e\"f\n", `1!1"a,b\"c" 2!1"d,\"e\"f"`},
		{",", `"`, "a,\"b\nc,d\n", `1!2"a,\"b" 2["c" "d"]`},
		{",", `"`, "a\x00\nb\xff\n", `1#["a\x00"] 2#["b\xff"]`},
	} {
		var words []string
		records := recordsOf(t, test.text, DialectOf(test.separator, test.quote))
		for {
			record, err := records.Next()
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			word := fmt.Sprint(record.Line)
			switch {
			case record.Problem != 0:
				words = append(words, fmt.Sprintf("%s!%d%q", word, record.Problem, record.First))
				continue
			case record.InQuote:
				word += "?"
			case record.NotText:
				word += "#"
			}
			words = append(words, fmt.Sprintf("%s%q", word, record.Cells()))
		}
		require.Equal(t, test.want, strings.Join(words, " "), "%q", test.text)
	}
}

func TestUnquoteStopsAtTheClosingQuote(t *testing.T) {
	text, rest, ok := Unquote(`"a ""b"" c";d`)
	require.True(t, ok)
	require.Equal(t, []string{`a "b" c`, ";d"}, []string{text, rest})
	_, _, ok = Unquote(`"a""`)
	require.False(t, ok)
}

// FuzzRecords: whatever the text, every line that is not blank is in exactly one record.
func FuzzRecords(f *testing.F) {
	f.Add("a,\"b\nc,d\"\n\n\"e\"\"\",f\r\rg\r\n", ",", `"`)
	f.Add("a;'b';c\x00\n", ";", `'`)
	f.Fuzz(func(t *testing.T, text, separator, quote string) {
		signs := separator + quote
		if len(separator) > 1 || len(quote) > 1 || separator == quote || strings.ContainsAny(signs, "\r\n ") || !isASCII([]byte(signs)) {
			t.Skip()
		}
		d := DialectOf(separator, quote)
		plain := strings.ReplaceAll(strings.ReplaceAll(strings.TrimPrefix(text, "\uFEFF"), "\r\n", "\n"), "\r", "\n")
		lines := strings.Split(plain, "\n")
		records, next := recordsOf(t, text, d), int64(1)
		blankTo := func(line int64) {
			for ; next < line; next++ {
				require.True(t, IsBlank([]byte(lines[next-1])), "line %d", next)
			}
		}
		for {
			record, err := records.Next()
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			blankTo(record.Line)
			require.Equal(t, next, record.Line)
			if record.Problem == 0 {
				for _, cell := range record.Cells() {
					cell = strings.ReplaceAll(strings.ReplaceAll(cell, "\r\n", "\n"), "\r", "\n")
					next += int64(strings.Count(cell, "\n"))
				}
			}
			next++
		}
		blankTo(int64(len(lines)) + 1)
	})
}
