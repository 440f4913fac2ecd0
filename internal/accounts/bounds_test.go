package accounts

import (
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/archive"
	"tagsweep/internal/accounts/filetest"
	"tagsweep/internal/accounts/text"
)

func TestRowTooLongCostsOnlyItself(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for name, test := range map[string]struct{ text, want string }{
		"line":                {"a1\n" + x(3*4*text.MaxRecord) + "\r\na2\r\n", "1=a1 2!row_too_long 3=a2"},
		"line without an end": {"a1\n" + x(3*4*text.MaxRecord), "1=a1 2!row_too_long"},
		"first line":          {x(2*text.MaxRecord) + "\na2\n", "1!row_too_long 2=a2"},
		"first line of cells": {strings.Repeat("x,", 40) + x(2*text.MaxRecord) + "\na2\n", "1!row_too_long 2=a2"},
		"blank line":          {"a1\n" + strings.Repeat(" ", 2*text.MaxRecord) + "\na2\n", "1=a1 2!row_too_long 3=a2"},
		"line of quotes":      {"a1\n" + strings.Repeat(`"`, 2*text.MaxRecord) + "\na2\n", "1=a1 2!row_too_long 3=a2"},
		"exactly the bound":   {"account,note\na1," + x(text.MaxRecord-3) + "\na2,y\n", "2=a1 3=a2"},
		"one over the bound":  {"account,note\na1," + x(text.MaxRecord-2) + "\na2,y\n", "2!row_too_long 3=a2"},
		"quoted over lines": {
			"account,note\na1,\"" + x(text.MaxRecord/2) + "\n" + x(text.MaxRecord/2) + "\"\na2,y\n",
			"2!open_quote 3!stray_quote 4=a2",
		},
		"long tail of a quote": {"account,note\na1,\"x\ny\"," + x(text.MaxRecord) + "\na2,y\n", "2!row_too_long 3!row_too_long 4=a2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, rows := readAll(t, test.text)
			require.Equal(t, test.want, brief(rows))
			for _, row := range rows {
				require.LessOrEqual(t, len(row.Value), text.MaxRecord)
			}
		})
	}
}

func TestOpenQuoteIsGivenUpAtTheBound(t *testing.T) {
	rows := strings.Repeat("b,ok\n", text.MaxRecord/5+10)
	_, read := readAll(t, "account,note\na1,\"open\n"+rows+"c,end\n")
	require.Equal(t, OpenQuote, read[0].Reason)
	require.Len(t, read, text.MaxRecord/5+12)
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
		"names in GB": "a\xd5\xc5\xc8\xfd\n",
	} {
		t.Run(name, func(t *testing.T) {
			require.Less(t, peak(t, repeated("a1\na2\na3\n", line, 6<<20)), uint64(8<<20))
		})
	}
}

// peak is the most memory that reading a file took, beside the file itself.
func peak(t *testing.T, file *io.SectionReader) (most uint64) {
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r, err := Open(file, Options{})
	require.NoError(t, err)
	for n := 0; err != io.EOF; n++ {
		_, err = r.Next()
		require.True(t, err == nil || err == io.EOF)
		if n%500_000 == 0 || err == io.EOF {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
		}
	}
	runtime.KeepAlive(r)
	return most
}

// repeated is a text and then another again and again, about so many bytes in all.
func repeated(begin, text string, bytes int) *io.SectionReader {
	r := again{begin, text}
	return io.NewSectionReader(r, 0, int64(len(begin)+bytes/len(text)*len(text)))
}

type again struct{ begin, text string }

func (r again) ReadAt(b []byte, at int64) (n int, err error) {
	if at < int64(len(r.begin)) {
		n = copy(b, r.begin[at:])
	}
	from := int(max(0, at-int64(len(r.begin)))) % len(r.text)
	for n < len(b) {
		n += copy(b[n:], r.text[from:])
		from = 0
	}
	return n, nil
}

func TestWhatUnpacksToTooMuchIsRefused(t *testing.T) {
	long := strings.Repeat("account\n", 1<<17) // 1 MiB
	sheet := filetest.Sheet(t, filetest.Numbers(strings.Split(strings.Repeat("1,", 1<<16), ",")...))
	for name, file := range map[string]string{
		"gzip":               filetest.Gzip(t, long),
		"gzip, many members": strings.Repeat(filetest.Gzip(t, long[:1<<15]), 64),
		"ZIP":                filetest.ZIP(t, "a.csv", long),
		"workbook":           sheet,
		"workbook in ZIP":    filetest.ZIP(t, "a.xlsx", sheet),
	} {
		t.Run(name, func(t *testing.T) {
			var rows []Row
			r, err := Open(filetest.Section(file), Options{UnpackedBytes: 1 << 19})
			if err == nil {
				rows, err = rest(r)
			}
			require.True(t, archive.FaultUnpacked.Is(err), "%v after %d rows", err, len(rows))
		})
	}
}

func TestMemoryIsBoundedForWhatIsPacked(t *testing.T) {
	text := strings.Repeat("user_id_of_some_length\n", 400_000)
	var rows [][]any
	for i := range 60_000 {
		rows = append(rows, []any{"u" + strconv.Itoa(i), i})
	}
	for name, file := range map[string]string{
		"gzip": filetest.Gzip(t, text), "ZIP": filetest.ZIP(t, "a", text), "workbook": filetest.Workbook(t, rows),
	} {
		t.Run(name, func(t *testing.T) { require.Less(t, peak(t, filetest.Section(file)), uint64(8<<20)) })
	}
}

func TestProgressGrowsToTheEnd(t *testing.T) {
	var lines strings.Builder
	for i := range 200_000 {
		lines.WriteString("user_" + strconv.Itoa(i*7919) + "\n")
	}
	text := lines.String()
	var rows [][]any
	for i := range 50_000 {
		rows = append(rows, []any{"u" + strconv.Itoa(i)})
	}
	for name, file := range map[string]string{
		"text": text, "UTF-16": "\xff\xfe" + strings.ReplaceAll(text, "", "\x00")[1:],
		"gzip": filetest.Gzip(t, text), "ZIP": filetest.ZIP(t, "a", text), "workbook": filetest.Workbook(t, rows),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Open(filetest.Section(file), Options{})
			require.NoError(t, err)
			last, seen := -1, map[int]bool{}
			for err == nil {
				now := r.Read()
				require.GreaterOrEqual(t, now, last)
				last, seen[now] = now, true
				_, err = r.Next()
			}
			require.Equal(t, io.EOF, err)
			require.Equal(t, 1000, r.Read())
			require.Greater(t, len(seen), 5)
		})
	}
}
