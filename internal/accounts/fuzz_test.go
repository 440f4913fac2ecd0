package accounts

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/archive"
	"tagsweep/internal/accounts/filetest"
	"tagsweep/internal/accounts/text"
	"tagsweep/internal/fault"
)

// seeds are the files of testdata; packed ones and workbooks are small, so that
// their damage is found quickly.
func seeds(f *testing.F, add func(text []byte)) {
	for _, pattern := range []string{"testdata/*.*", "testdata/refused/*.*", "testdata/tags/*.*"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(f, err)
			add(text)
		}
	}
}

// FuzzReader: whatever the bytes, no row is lost and no account is invented.
func FuzzReader(f *testing.F) {
	seeds(f, func(text []byte) { f.Add(text) })
	f.Fuzz(func(t *testing.T, text []byte) { readAnything(t, text, Options{}) })
}

// FuzzTags: likewise where every account has tags, which are all in its cell.
func FuzzTags(f *testing.F) {
	seeds(f, func(text []byte) {
		f.Add(text, uint8(0), uint8(0))
		f.Add(text, uint8(1), uint8(2))
	})
	f.Fuzz(func(t *testing.T, text []byte, column, tags uint8) {
		readAnything(t, text, Options{Tags: true, Choices: Choices{Column: int(column), TagColumn: int(tags)}})
	})
}

// haveTags: the tags of an accepted row are what the service allows, and stand in its cell.
func haveTags(t *testing.T, row Row, u Understanding) {
	require.True(t, len(row.Tags) > 0 && len(row.Tags) <= MostTags)
	cell := row.Fields[u.TagColumn-1]
	for i, tag := range row.Tags {
		require.True(t, tag != "" && len(tag) <= TagBytes && !strings.ContainsFunc(tag, unicode.IsControl))
		require.NotContains(t, row.Tags[:i], tag)
		require.True(t, strings.Contains(cell, tag) || strings.Contains(cell, strings.ReplaceAll(tag, `"`, `""`)), "%q in %q", tag, cell)
	}
	again, reason := SplitTags(JoinTags(row.Tags))
	require.Empty(t, reason)
	require.Equal(t, row.Tags, again)
}

// FuzzChoices: likewise, whatever a person says about the file.
func FuzzChoices(f *testing.F) {
	n := uint8(0)
	seeds(f, func(text []byte) {
		f.Add(text, n, n/2, n/3, n%4, n%3, n%5)
		f.Add(text, uint8(0), n, n, uint8(0), n, uint8(0))
		n++
	})
	f.Fuzz(func(t *testing.T, text []byte, encoding, separator, quote, line, header, column uint8) {
		readAnything(t, text, Options{Choices: Choices{
			Encoding:  of(Encodings, encoding),
			Separator: of(Separators, separator),
			Quote:     of(Quotes, quote),
			FirstLine: int64(line),
			Header:    of([]string{Yes, No}, header),
			Column:    int(column),
		}})
	})
}

// of picks one of a list, or none.
func of[T ~string](list []T, n uint8) (choice T) {
	if i := int(n) % (len(list) + 1); i > 0 {
		choice = list[i-1]
	}
	return choice
}

func readAnything(t *testing.T, file []byte, o Options) {
	const unpacked = 1 << 20
	o.UnpackedBytes = unpacked
	r, err := Open(filetest.Section(string(file)), o)
	if err != nil {
		require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
		return
	}
	rows, err := rest(r)
	require.True(t, err == nil || text.FaultEncodingUnknown.Is(err) || FaultDamaged.Is(err) || archive.FaultUnpacked.Is(err), "%v", err)
	require.NotEmpty(t, rows)
	u := r.Understanding()
	require.NoError(t, r.Close())
	require.LessOrEqual(t, u.Columns, MaxColumns+len(RejectColumns))
	require.Less(t, u.Column, u.Columns)
	require.NotEmpty(t, u.Shape)
	require.Equal(t, o.Tags, u.TagColumn > 0)
	require.True(t, u.TagColumn <= u.Columns && u.TagColumn != u.Column+1)
	for i, row := range rows {
		require.EqualValues(t, i+1, row.Number)
		require.True(t, row.Line >= u.FirstLine && (i == 0 || row.Line > rows[i-1].Line))
		for _, field := range append(row.Fields, row.Value) {
			require.True(t, utf8.ValidString(field) && !strings.Contains(field, "\x00"))
		}
		if row.Reason == "" {
			if o.Tags {
				haveTags(t, row, u)
			}
			require.Empty(t, rules{limit: UserIDBytes, wholeLine: u.WholeLine}.judge(row.Account))
		} else {
			require.Contains(t, Reasons, row.Reason)
			require.Empty(t, row.Account)
			require.Empty(t, row.Tags)
		}
	}
	if u.Workbook {
		standInSheet(t, file, rows, u, unpacked)
	} else {
		standInText(t, file, rows, u, unpacked)
	}
	readsTheSameAgain(t, file, rows, u, unpacked)
	if err == nil {
		suggestionsChangeNothing(t, file, rows, u, o)
	}
}

// suggestionsChangeNothing: a file is read as its questions suggest, which are about
// every row in doubt; whoever answers so is asked nothing more, and no row changes. Of
// a text whose lines above the table are gone, the separator may be another one.
func suggestionsChangeNothing(t *testing.T, file []byte, rows []Row, u Understanding, o Options) {
	for _, row := range rows {
		if slices.Contains(Doubts, row.Reason) && o.Choices.Rows[row.Reason] == "" {
			require.True(t, slices.ContainsFunc(u.Unsure, func(q Question) bool { return q.Name == string(row.Reason) }))
		}
	}
	isAbove := func(q Question) bool { return q.Name == AskFirstLine }
	if len(u.Unsure) == 0 || !u.Workbook && slices.ContainsFunc(u.Unsure, isAbove) {
		return
	}
	for _, q := range u.Unsure {
		require.True(t, slices.ContainsFunc(q.Choices, func(c Choice) bool { return c.Value == q.Suggested }), "%v", q)
		o.Choices.answer(q.Name, q.Suggested)
	}
	r, err := Open(filetest.Section(string(file)), o)
	require.NoError(t, err, "%v", o.Choices)
	again, err := rest(r)
	require.NoError(t, err)
	require.Equal(t, rows, again, "%v", o.Choices)
	require.Empty(t, r.Unsure(), "%v", o.Choices)
}

// readsTheSameAgain: with what was understood, nothing is detected anew.
func readsTheSameAgain(t *testing.T, file []byte, rows []Row, u Understanding, unpacked int64) {
	kept, err := json.Marshal(u)
	require.NoError(t, err)
	var understood Understanding
	require.NoError(t, json.Unmarshal(kept, &understood))
	r, err := Open(filetest.Section(string(file)), Options{Understood: &understood, UnpackedBytes: unpacked, Choices: Choices{Column: 99}})
	require.NoError(t, err)
	again, _ := rest(r)
	require.Equal(t, rows, again)
}

func standInText(t *testing.T, file []byte, rows []Row, u Understanding, unpacked int64) {
	in, err := openFile(filetest.Section(string(file)), Options{UnpackedBytes: unpacked})
	require.NoError(t, err)
	r, err := in.open()
	require.NoError(t, err)
	defer r.Close()
	content, err := io.ReadAll(r)
	require.NoError(t, err)
	if coding := codings[u.Encoding]; coding != nil {
		content, err = coding.NewDecoder().Bytes(content)
		require.NoError(t, err)
	}
	if strings.HasPrefix(string(u.Encoding), "UTF") {
		content = bytes.TrimPrefix(content, []byte(byteOrderMark))
	}
	lines := physicalLines(content)
	for i, row := range rows {
		next := int64(len(lines) + 1)
		if i+1 < len(rows) {
			next = rows[i+1].Line
		}
		covered := lines[row.Line-1 : next-1]
		noLineIsLost(t, row, covered)
		if row.Reason == "" {
			standsInFile(t, row, covered, u)
		}
	}
}

// standInSheet: every row of the sheet that is not blank is there once, and an
// account is what its cell holds.
func standInSheet(t *testing.T, file []byte, rows []Row, u Understanding, unpacked int64) {
	in, err := openFile(filetest.Section(string(file)), Options{UnpackedBytes: unpacked})
	require.NoError(t, err)
	sheet, _ := in.book.Sheet(u.firstSheet())
	s, err := in.book.Rows(sheet)
	require.NoError(t, err)
	defer s.Close()
	n, skipped := 0, u.Header == nil
	for {
		found, err := s.Next()
		if err != nil {
			break
		}
		if found.Line < u.FirstLine {
			continue
		}
		if !skipped {
			skipped = true
			continue
		}
		require.Equal(t, found.Line, rows[n].Line)
		if account := rows[n].Account; account != "" {
			require.Equal(t, account, trimmed(original(found.Cells[u.Column].Text)))
		}
		n++
	}
	require.Len(t, rows, n)
}

// physicalLines splits a text as an editor does.
func physicalLines(text []byte) []string {
	s := strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\r", "\n")
	return strings.Split(s, "\n")
}

// noLineIsLost: between a row and the next there are only blank lines, and
// those that its cells hold.
func noLineIsLost(t *testing.T, row Row, covered []string) {
	held := 0
	for _, field := range row.Fields {
		held += len(physicalLines([]byte(field))) - 1
	}
	for _, line := range covered[1+held:] {
		require.Empty(t, strings.Trim(line, " \t"), "after row %d", row.Number)
	}
}

// standsInFile: the account is a whole cell of the lines of its row, with
// nothing but a separator, a line's end or its quotes beside it.
func standsInFile(t *testing.T, row Row, covered []string, u Understanding) {
	border, tab := "\n", u.Separator == "\t"
	if u.Separator != OnePerLine {
		border += u.Separator
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
			if (strings.ContainsAny(text[at-1:at], border) || before == "" || strings.ContainsAny(before[len(before)-1:], border)) &&
				(strings.ContainsAny(text[at+len(cell):][:1], border) || after == "" || strings.ContainsAny(after[:1], border)) {
				return true
			}
			if cell[:1] == u.Quote && (tab || before == "" || strings.ContainsAny(before[len(before)-1:], border)) &&
				(tab || strings.ContainsAny(after[:1], border)) {
				return true
			}
			from = at + 1
		}
	}
	quoted := func(cell string) string {
		q := u.Quote
		if q == NoQuote {
			return cell
		}
		return q + strings.ReplaceAll(cell, q, q+q) + q
	}
	a := row.Account
	formula := `="` + a + `"`
	require.True(t, written(formula) || written(quoted(formula)) || written(a) || written(quoted(a)) || written(neutral(a)) || written(quoted(neutral(a))),
		"%q does not stand in %q", a, text)
}

// FuzzWriter: any cells come back from an export as they were.
func FuzzWriter(f *testing.F) {
	f.Add("=1+1", "'=x", "a\r\nb")
	f.Add(" x ", `"`, "'''@")
	f.Add("", "\t", "\r")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, cell := range []string{a, b, c} {
			if !isReadable(cell) || len(cell) > 1000 {
				t.Skip()
			}
		}
		var out bytes.Buffer
		w := NewWriter(&out)
		require.NoError(t, w.Write([]string{"user_id", "a", "b", "c"}))
		require.NoError(t, w.Write([]string{"id1", a, b, c}))
		require.NoError(t, w.Flush())
		r, err := Open(filetest.Section(out.String()), Options{})
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
