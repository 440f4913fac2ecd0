package accounts

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/fault"
)

func FuzzReader(f *testing.F) {
	for _, pattern := range []string{"testdata/*.*", "testdata/refused/*.*"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(f, err)
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := NewReader(bytes.NewReader(text), Options{})
		if err != nil {
			require.Equal(t, fault.Invalid, fault.KindOf(err))
			return
		}
		rows, err := rest(r)
		require.NoError(t, err)
		require.NotEmpty(t, rows)
		u := r.Understanding()
		require.LessOrEqual(t, u.Columns, maxColumns)
		require.Less(t, u.Column, u.Columns)
		lines := physicalLines(text)
		for i, row := range rows {
			require.EqualValues(t, i+1, row.Number)
			if i > 0 {
				require.Greater(t, row.Line, rows[i-1].Line)
			}
			for _, field := range append(row.Fields, row.Value) {
				require.True(t, utf8.ValidString(field) && !strings.Contains(field, "\x00"))
			}
			next := int64(len(lines) + 1)
			if i+1 < len(rows) {
				next = rows[i+1].Line
			}
			covered := lines[row.Line-1 : next-1]
			noLineIsLost(t, row, covered)
			if row.Reason == "" {
				require.Empty(t, judge(row.Account, true, UserIDBytes))
				standsInFile(t, row, covered, u.Separator)
			} else {
				require.Contains(t, Reasons, row.Reason)
				require.Empty(t, row.Account)
			}
		}
	})
}

// physicalLines splits a text as an editor does.
func physicalLines(text []byte) []string {
	s := strings.TrimPrefix(string(text), "\uFEFF")
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	return strings.Split(s, "\n")
}

// noLineIsLost: between a row and the next there are only blank lines, and
// those that its cells hold.
func noLineIsLost(t *testing.T, row Row, covered []string) {
	held := 0
	for _, field := range row.Fields {
		held += len(physicalLines([]byte(strings.TrimPrefix(field, "\uFEFF")))) - 1
	}
	for _, line := range covered[1+held:] {
		require.Empty(t, strings.Trim(line, " \t"), "after row %d", row.Number)
	}
}

// standsInFile: the account is a whole cell of the lines of its row, with
// nothing but a separator, a line's end or its quotes beside it.
func standsInFile(t *testing.T, row Row, covered []string, separator rune) {
	border := "\n"
	if separator != 0 {
		border += string(separator)
	}
	text := "\n" + strings.Join(covered, "\n") + "\n"
	written := func(cell string) bool {
		for from := 0; ; {
			at := strings.Index(text[from:], cell)
			if at < 0 {
				return false
			}
			at += from
			before := strings.TrimRight(text[:at], " \t")
			after := strings.TrimLeft(text[at+len(cell):], " \t")
			if strings.ContainsAny(text[at-1:at], border) && strings.ContainsAny(text[at+len(cell):][:1], border) {
				return true
			}
			if cell[0] == '"' && (separator == '\t' || before == "" || strings.ContainsAny(before[len(before)-1:], border)) &&
				(separator == '\t' || strings.ContainsAny(after[:1], border)) {
				return true
			}
			from = at + 1
		}
	}
	quoted := func(cell string) string { return `"` + strings.ReplaceAll(cell, `"`, `""`) + `"` }
	a := row.Account
	require.True(t, written(a) || written(quoted(a)) || written(neutral(a)) || written(quoted(neutral(a))),
		"%q does not stand in %q", a, text)
}

// FuzzWriter: any cells come back from an export as they were.
func FuzzWriter(f *testing.F) {
	f.Add("=1+1", "'=x", "a\r\nb")
	f.Add(" x ", `"`, "'''@")
	f.Add("", "\t", "\r")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, cell := range []string{a, b, c} {
			if !isText([]byte(cell)) || len(cell) > 1000 {
				t.Skip()
			}
		}
		var out bytes.Buffer
		w := NewWriter(&out)
		require.NoError(t, w.Write([]string{"account", "a", "b", "c"}))
		require.NoError(t, w.Write([]string{"id1", a, b, c}))
		require.NoError(t, w.Flush())
		r, err := NewReader(&out, Options{})
		require.NoError(t, err)
		row, err := r.Next()
		require.NoError(t, err)
		if row.Reason == OpenQuote {
			return // one of the cells holds a line that looks like a row
		}
		require.Equal(t, []string{"id1", a, b, c}, row.Fields)
		_, err = r.Next()
		require.Equal(t, io.EOF, err)
	})
}
