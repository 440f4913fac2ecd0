package accounts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/filetest"
	"tagsweep/internal/accounts/text"
	"tagsweep/internal/fault"
)

func TestChoicesMustFitTheFile(t *testing.T) {
	workbook := filetest.Workbook(t, [][]any{{"account"}, {"a1"}})
	sheets, err := os.ReadFile(filepath.Join("testdata", "workbook-sheets.xlsx"))
	require.NoError(t, err)
	const table = "account,name\na1,张三\na2,李四\n"
	for name, test := range map[string]struct {
		file string
		c    Choices
		want *fault.Sentence
		says string
	}{
		"column": {table, Choices{Column: 3}, FaultColumn,
			"Column 3 does not exist: with these settings, the file has 2 columns"},
		"column of one":                {table, Choices{Column: 2, Separator: OnePerLine}, FaultColumn, "has 1"},
		"column below 1":               {table, Choices{Column: -4}, FaultChoice, "-4"},
		"column of a workbook":         {workbook, Choices{Column: 2}, FaultColumn, "has 1"},
		"line":                         {table, Choices{FirstLine: 4}, FaultFirstLine, "line 4"},
		"line below 1":                 {table, Choices{FirstLine: -1}, FaultFirstLine, ""},
		"line of a workbook":           {workbook, Choices{FirstLine: 3}, FaultFirstLine, "line 3"},
		"header with nothing below":    {table, Choices{FirstLine: 3, Header: Yes}, FaultEmpty, ""},
		"header in an open quote":      {"a,\"b\na1,x\n", Choices{Header: Yes}, FaultHeader, "Line 1"},
		"sheet":                        {workbook, Choices{Sheets: []string{"Other"}}, FaultNoSheet, "Other"},
		"sheet without rows":           {string(sheets), Choices{Sheets: []string{"Empty"}}, FaultSheetEmpty, "Empty"},
		"sheet of a text":              {table, Choices{Sheets: []string{"Sheet1"}}, FaultNoSheet, "Sheet1"},
		"encoding against the mark":    {"\uFEFF" + table, Choices{Encoding: GB18030}, text.FaultEncodingChosen, "GB18030"},
		"encoding that reads nothing":  {strings.Repeat("张三\xff\xff,a\n", 3), Choices{Encoding: UTF8}, text.FaultEncodingChosen, "UTF-8"},
		"the other UTF-16":             {"\xff\xfea\x00\n\x00", Choices{Encoding: UTF16BE}, text.FaultEncodingChosen, "UTF-16BE"},
		"encoding that is not offered": {table, Choices{Encoding: "KOI8-R"}, FaultChoice, "KOI8-R"},
		"separator not offered":        {table, Choices{Separator: "x"}, FaultChoice, "x"},
		"quote not offered":            {table, Choices{Quote: "x"}, FaultChoice, "x"},
		"neither header nor none":      {table, Choices{Header: "x"}, FaultChoice, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(filetest.Section(test.file), Options{Choices: test.c})
			require.True(t, test.want.Is(err), "%v", err)
			require.Contains(t, err.Error(), test.says)
			require.NotContains(t, err.Error(), "%!")
		})
	}
}

func TestAWrongEncodingInventsNoAccount(t *testing.T) {
	files := []string{
		"gb18030.csv", "gb18030-four-bytes.csv", "gbk-pipe-in-character.txt", "big5.csv", "windows-1252.csv",
		"utf-16.csv", "utf-16-big-endian-no-bom.csv", "tab.tsv",
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join("testdata", file))
		require.NoError(t, err)
		r, err := Open(filetest.Section(string(text)), Options{})
		require.NoError(t, err)
		rows, err := rest(r)
		require.NoError(t, err)
		right := accountsOf(rows)
		u := r.Understanding()
		for _, wrong := range Encodings {
			c := Choices{Encoding: wrong, Separator: u.Separator, Column: u.Column + 1}
			r, err := Open(filetest.Section(string(text)), Options{Choices: c})
			if err != nil {
				require.Equal(t, fault.Invalid, fault.KindOf(err))
				continue
			}
			rows, err := rest(r)
			require.NoError(t, err)
			for _, account := range accountsOf(rows) {
				require.Contains(t, append(right, "", u.Header[u.Column]), account, "%s as %s", file, wrong)
			}
		}
	}
}

func shapeOf(t *testing.T, file string, c Choices) string {
	r, err := Open(filetest.Section(file), Options{Choices: c})
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return r.Understanding().Shape
}

func TestShapeDependsOnHeaderOnly(t *testing.T) {
	const header = "用户ID,姓名"
	want := shapeOf(t, header+"\na1,张三\n", Choices{})
	for _, file := range []string{
		header + "\r\nb1,x\r\nb2,y\r\n",
		"\uFEFF" + header + "\nzz,\n",
		strings.ReplaceAll(header, ",", ";") + "\na1;x\n",
		"导出时间：今天\n" + header + "\na1,x\n",
		encoded(t, header+"\na1,张三\n", GB18030, false),
		encoded(t, header+"\na1,张三\n", UTF16LE, true),
		filetest.Gzip(t, header+"\na1,x\n"),
		filetest.Workbook(t, [][]any{{"用户ID", "姓名"}, {"a1", "x"}}),
	} {
		require.Equal(t, want, shapeOf(t, file, Choices{}), "%q", file)
	}
	for _, c := range []Choices{
		{Header: No}, {Column: 2}, {Separator: OnePerLine}, {FirstLine: 2}, {Quote: NoQuote}, {Encoding: Windows1252},
	} {
		require.Equal(t, want, shapeOf(t, header+"\na1,b1\n", c), "%v", c)
	}
	for _, file := range []string{"用户ID,名\na1,x\n", "姓名,用户ID\nx,a1\n", "a1,x\n", "a2,x\n"} {
		require.NotEqual(t, want, shapeOf(t, file, Choices{}))
	}
	require.NotEqual(t, shapeOf(t, "a1,x\n", Choices{}), shapeOf(t, "a2,x\n", Choices{}), "rows are no header")
}

func TestExportHeaderNamesAccountColumn(t *testing.T) {
	for _, test := range []struct {
		header []string
		column int
		want   []string
	}{
		{nil, 1, nil},
		{[]string{"name", "user_id"}, 1, []string{"name", "user_id"}},
		{[]string{"name", "user_id"}, 0, []string{"name [account]", "user_id"}},
		{[]string{"a", "b"}, 1, []string{"a", "b [account]"}},
		{[]string{"a [account]", "b"}, 1, []string{"a", "b [account]"}},
	} {
		u := Understanding{Header: test.header, Column: test.column}
		u.ByName = test.want != nil && test.want[test.column] == test.header[test.column]
		got := u.ExportHeader()
		require.Equal(t, test.want, got)
		if got != nil {
			require.Equal(t, test.column, namedColumn(got))
		}
	}
}

// Numbers below user_id may be those of a database: the logins beside them are the accounts.
func TestALoginBesideAUserIDIsAskedAbout(t *testing.T) {
	for _, header := range []string{"user_id,login", "user_id,tim_name", "user_id,IM login"} {
		asked, _ := askedOf(t, rowsOf(header, "7{n}1022,{}", "\n", strings.Fields("alice bruno carla dmitri elena farid hugo")))
		require.Contains(t, asked, AskColumn, header)
	}
}

// Below a name stand no numbers.
func TestNamesInPlaceOfAccountsAreAskedAbout(t *testing.T) {
	for _, ids := range [][]string{im(1001, 1012), span("%d", 83120455, 83120466)} {
		asked, _ := askedOf(t, rowsOf("user_id,name", "{name},{}", "\n", ids))
		require.Equal(t, []string{AskColumn}, asked)
	}
}
