package accounts

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"tagsweep/internal/accounts/filetest"
	"tagsweep/internal/accounts/text"
)

// rejectsOf writes the rows set aside as they are offered for download: in the
// user's own columns, and with some behind them.
func rejectsOf(t require.TestingT, u Understanding, rows []Row) (file string, written int) {
	header := u.ExportHeader()
	if header == nil {
		for i := range u.Columns {
			header = append(header, "column "+strconv.Itoa(i+1))
		}
		header = u.Marked(header)
	}
	for _, row := range rows {
		for row.Reason != "" && len(header) < len(row.Fields) {
			header = append(header, "surplus")
		}
	}
	var out bytes.Buffer
	w := NewWriter(&out)
	require.NoError(t, w.Write(append(copied(header), RejectColumns...)))
	for _, row := range rows {
		if row.Reason == "" {
			continue
		}
		cells := append(copied(row.Fields), make([]string, len(header)-len(row.Fields))...)
		number, line := strconv.FormatInt(row.Number, 10), strconv.FormatInt(row.Line, 10)
		require.NoError(t, w.Write(append(cells, number, line, "rejected", "Look, it's not clear; mend it.", "")))
		written++
	}
	require.NoError(t, w.Flush())
	return out.String(), written
}

func TestRejectsMendedUseChosenColumn(t *testing.T) {
	const file = "name;account;other\nAnn;a1;b1\nBob;a2; b2\n"
	r, err := Open(filetest.Section(file), Options{Choices: Choices{Column: 3}})
	require.NoError(t, err)
	rows, err := rest(r)
	require.NoError(t, err)
	require.Equal(t, "2=b1 3!several_values", brief(rows))
	rejects, _ := rejectsOf(t, r.Understanding(), rows)
	_, rows = readAll(t, strings.Replace(rejects, " b2", "b2", 1))
	require.Equal(t, "2=b2", brief(rows))
}

func copied(cells []string) []string { return append([]string(nil), cells...) }

// setAside reads a file, whose rows set aside must stay so, and returns why they were.
func setAside(t require.TestingT, file string, o Options) (reasons []Reason) {
	r, err := Open(filetest.Section(file), o)
	if err != nil {
		return nil
	}
	rows, err := rest(r)
	if err != nil {
		return nil
	}
	staySetAside(t, file, r.Understanding(), rows, o.Tags)
	for _, row := range rows {
		if row.Reason != "" {
			reasons = append(reasons, row.Reason)
		}
	}
	return reasons
}

// staySetAside: rejects that come back as they are become no accounts.
func staySetAside(t require.TestingT, file string, u Understanding, rows []Row, tags bool) {
	rejects, written := rejectsOf(t, u, rows)
	if written == 0 {
		return
	}
	again, err := Open(filetest.Section(rejects), Options{Tags: tags})
	require.NoError(t, err)
	rows, err = rest(again)
	require.NoError(t, err)
	for _, row := range rows {
		if row.Reason == "" {
			require.Fail(t, "an account again", "account %q of %q, rejected from %q", row.Account, rejects, file)
		}
	}
	require.GreaterOrEqual(t, len(rows), written)
}

func TestRejectsUnmendedAreRejectedAgain(t *testing.T) {
	seen := map[Reason]bool{}
	files, err := filepath.Glob("testdata/*.*")
	require.NoError(t, err)
	tagged, err := filepath.Glob("testdata/tags/*.*")
	require.NoError(t, err)
	files = append(files, tagged...)
	texts := []string{
		"a1\n" + strings.Repeat("x", 2*text.MaxRecord) + "\na2\n",
		"user_id\n10001-10020\n138****1234\n#im_1\n", "user_id\n1234567890123456800\n1234567890123457000\n", "user_id,remove\na1,yes\na2,no\n",
		filetest.WorkbookWith(t, func(f *excelize.File) {
			require.NoError(t, f.SetSheetCol("Sheet1", "A1", &[]any{"user_id", "a1", "a2"}))
			require.NoError(t, f.SetRowVisible("Sheet1", 3, false))
		}),
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		texts = append(texts, string(content))
	}
	for _, content := range texts {
		for _, c := range []Choices{
			{}, {Quote: NoQuote}, {Quote: `'`}, {Separator: OnePerLine}, {Separator: ";"},
			{Header: No}, {Column: 2}, {FirstLine: 2}, {TagColumn: 2},
		} {
			for _, tags := range []bool{false, true} {
				for _, reason := range setAside(t, content, Options{Choices: c, Tags: tags}) {
					seen[reason] = true
				}
			}
		}
	}
	for _, reason := range Reasons {
		require.True(t, seen[reason], "no file has a row with reason %s", reason)
	}
}

func TestRejectsNeverBecomeAccounts(t *testing.T) {
	piece := rapid.SampledFrom([]string{
		"a1", "b2", "user_id", "account", "name", " ", `"`, `"`, `""`, `'`, ",", ",", ";", "|", "\t",
		"\n", "\n", "\r\n", "\n\n", "=x", "'=x", "-5", "@",
		"张三", "账号", "tags", "vip", "NULL", "；", "\xff", "\x00", "\uFFFD", "1.23E+12", "#N/A", `="1"`,
		"12345", "2024-01-02", strings.Repeat("x", 33), "\uFEFF", "sep=;\n",
	})
	begin := rapid.SampledFrom([]string{
		"", "account,name\n", "name;账号;n\n", "客户,编码\n", "first,second,third\n", "x\tuser_id\n", "\"account\",\"a\nb\"\n",
		"id,account\n", "a [account],b\n", "account,tags\n",
	})
	rapid.Check(t, func(t *rapid.T) {
		text := begin.Draw(t, "begin") + strings.Join(rapid.SliceOfN(piece, 1, 60).Draw(t, "pieces"), "")
		setAside(t, text, Options{Tags: rapid.Bool().Draw(t, "tags"), Choices: Choices{
			Separator: rapid.SampledFrom([]string{"", "", "", ",", ";", "|", "\t", OnePerLine}).Draw(t, "separator"),
			Quote:     rapid.SampledFrom([]string{"", "", `"`, `'`, NoQuote}).Draw(t, "quote"),
			Header:    rapid.SampledFrom([]string{"", "", Yes, No}).Draw(t, "header"),
			Column:    rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3}).Draw(t, "column"),
			FirstLine: rapid.SampledFrom([]int64{0, 0, 0, 2}).Draw(t, "first line"),
			TagColumn: rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3}).Draw(t, "tag column"),
		}})
	})
}
