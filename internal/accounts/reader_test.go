package accounts

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/fault"
)

// readAll returns every row of a text.
func readAll(t testing.TB, text string) (Understanding, []Row) {
	t.Helper()
	r, err := NewReader(strings.NewReader(text), Options{})
	require.NoError(t, err)
	rows, err := rest(r)
	require.NoError(t, err)
	return r.Understanding(), rows
}

func rest(r *Reader) (rows []Row, err error) {
	for {
		row, err := r.Next()
		if err == io.EOF {
			return rows, nil
		} else if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
}

// brief writes rows as "line=account" or "line!reason".
func brief(rows []Row) string {
	var words []string
	for _, row := range rows {
		if row.Reason == "" {
			words = append(words, fmt.Sprintf("%d=%s", row.Line, row.Account))
		} else {
			words = append(words, fmt.Sprintf("%d!%s", row.Line, row.Reason))
		}
	}
	return strings.Join(words, " ")
}

func (u Understanding) brief() string {
	separator := "-"
	if u.Separator != 0 {
		separator = fmt.Sprintf("%q", u.Separator)
	}
	return fmt.Sprintf("%s %q %d/%d", separator, u.Header, u.Column, u.Columns)
}

func TestEveryFileIsReadAsDecided(t *testing.T) {
	for _, test := range []struct{ file, understanding, rows string }{
		{"comma.csv", `',' ["account" "name"] 0/2`, "2=a1 3=a2"},
		{"bom-crlf.csv", `',' ["UserID" "姓名"] 0/2`, "2=a1 3=a2"},
		{"tab.tsv", `'\t' ["name" "To_Account"] 1/2`, "2=a1 3=a2"},
		{"semicolon-decimal-comma.csv", `';' [] 0/2`, "1=a1 2=a2 3=a3"},
		{"pipe.txt", `'|' ["序号" "用户 ID" "备注"] 1/3`, "2=a1 3=a2"},
		{"one-per-line.txt", `- [] 0/1`, "1=a1 2=a2 3=a3"},
		{"one-per-line-header.txt", `- ["账号"] 0/1`, "2=a1 3=a2"},
		{"one-row.txt", `- [] 0/1`, "1=a1"},
		{"header-by-look.csv", `',' ["客户编码" "手机"] 0/2`, "2=a1 3=a2"},
		{"header-over-numbers.csv", `',' ["member" "level"] 0/2`, "2=ann 3=bob 4=cat"},
		{"no-header-words.txt", `- [] 0/1`, "1=admin 2=u1001 3=u1002"},
		{"account-beats-id.csv", `',' ["id" "account" "name"] 1/3`, "2=a1 3=a2"},
		{"header-of-two-lines.csv", `',' ["name" "User\nID"] 1/2`, "3=a1 4=a2"},
		{"excel-sep-line.csv", `';' ["name" "account"] 1/2`, "3=a1 4=a2"},
		{"semicolon-list-in-comma.csv", `',' ["account" "tags"] 0/2`, "2=a1 3=a2 4=a3"},
		{"pipe-in-every-row.csv", `',' [] 0/3`, "1=a1 2=a2 3=a3"},

		{"mixed-line-ends.txt", `- [] 0/1`, "1=a1 2=a2 3=a3 4=a4 6=a5"},
		{"carriage-returns.csv", `',' ["account" "name"] 0/2`, "2=a1 3=a2"},
		{"blank-lines.csv", `',' ["account" "name"] 0/2`, "5=a1 8=a2"},
		{"blank-cells.csv", `',' ["account" "name"] 0/2`, "2=a1 3!empty 4!empty 5!empty 6!empty 7=a2"},
		{"ragged.csv", `',' ["name" "account" "day"] 1/3`, "2=a1 3!ragged 4!ragged 5=a4 6!ragged 7=a5 8!ragged"},
		{"trailing-separators.csv", `',' ["account" "name" "" ""] 0/4`, "2=a1 3=a2 4=a3"},
		{"byte-order-mark-inside.txt", `- [] 0/1`, "1=a1 2!bad_character 3=a3"},
		{"nul.txt", `- [] 0/1`, "1=a1 2!not_text" + numbered(3, 20, "account-%03d")},
		{"stray-bytes.csv", `',' ["account" "name"] 0/2`, "2!not_text" + numbered(3, 24, "b%d") + " 27!not_text"},

		{"quoted.csv", `',' ["account" "note"] 0/2`, `2=a1 3=a"2 4=a3`},
		{"quoted-lines.csv", `',' ["account" "note" "day"] 0/3`, "2=a1 5=a2 7=a3"},
		{"quoted-lines-first.csv", `',' ["note" "account"] 1/2`, "2=a1 4=a2"},
		{"quote-never-closed.csv", `',' ["account" "note"] 0/2`, "2=a1 3!open_quote 4=a3 5=a4"},
		{"quote-meets-next-quote.csv", `',' ["account" "note"] 0/2`, "2!open_quote 3=a2 4=a3 5=a4"},
		{"quote-swallows-rows.csv", `',' ["account" "note"] 0/2`, "2!open_quote 3!in_quote 4!open_quote 5=a4"},
		{"quote-swallows-one-row.csv", `',' ["account" "note"] 0/2`, "2!open_quote 3!open_quote 4=a3"},
		{"quote-closes-in-text.csv", `',' ["account" "note"] 0/2`, "2!open_quote 3!in_quote 4!stray_quote 5=a3"},
		{"quote-around-accounts.txt", `- [] 0/1`, "1!open_quote 2!in_quote 3!stray_quote 4=a4"},
		{"quote-in-header.csv", `',' [] 0/2`, "1!open_quote 2!in_quote 3!open_quote 4=a3"},
		{"text-after-quote.csv", `',' ["account" "note"] 0/2`, "2!stray_quote 3=a2 4!stray_quote 5=a4"},
		{"quote-inside-cell.csv", `',' ["account" "size"] 0/2`, "2!stray_quote 3!stray_quote 4=a3"},

		{"no-account.csv", `',' ["account" "name"] 0/2`, "2!empty 3!bad_character"},
		{"case-kept.txt", `- [] 0/1`, "1=Ann 2=ann 3=ANN"},
		{"several-in-one-cell.txt", `- [] 0/1`, "1=a1 2!several_values 3!several_values 4=a6,a7 5!several_values 6!bad_character 7=a11"},
		{"outer-spaces.csv", `',' ["account" " name"] 0/2`, "2!outer_space 3!outer_space 4= a3 5=a 4"},
		{"characters.txt", `- [] 0/1`, "1=a1 2=a-_.@#~2 3!bad_character 4!bad_character 5!bad_character 6!bad_character 7!bad_character 8=A1 9!bad_character 10!bad_character"},
		{"too-long.txt", `- [] 0/1`, "1=12345678901234567890123456789012 2!too_long"},
		{"damaged-numbers.csv", `',' ["uid" "name"] 0/2`, "2!damaged_number 3!damaged_number 4!damaged_number 5!damaged_number 6=12e4567 7=1.5 8=123456789012"},
		{"spreadsheet-leftovers.csv", `',' ["uid" "name"] 0/2`, "2!formula 3!formula 4!stray_quote 5!formula 6==x"},
		{"apostrophes.csv", `',' ["account" "name"] 0/2`, "2==x 3='=x 4=-5 5=@me 6='123 7=o'neil"},
	} {
		t.Run(test.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", test.file))
			require.NoError(t, err)
			understanding, rows := readAll(t, string(text))
			require.Equal(t, test.understanding, understanding.brief())
			require.Equal(t, test.rows, brief(rows))
			require.Equal(t, "UTF-8", understanding.Encoding)
		})
	}
}

func numbered(line, n int, format string) (words string) {
	for i := range n {
		words += fmt.Sprintf(" %d="+format, line+i, i)
	}
	return words
}

func TestWhatIsNoTextWithRowsIsRefusedByName(t *testing.T) {
	for _, test := range []struct {
		file string
		want *fault.Sentence
		name string // in the sentence
	}{
		{"empty.csv", FaultEmpty, ""},
		{"only-bom.csv", FaultEmpty, ""},
		{"only-blank.csv", FaultEmpty, ""},
		{"only-header.csv", FaultEmpty, ""},
		{"columns-101.csv", FaultColumns, "101 columns"},
		{"workbook.xlsx", FaultBinary, "XLSX"},
		{"archive.zip", FaultBinary, "ZIP"},
		{"accounts.csv.gz", FaultBinary, "gzip"},
		{"picture.csv", FaultBinary, "PNG"},
		{"old-workbook.xls", FaultBinary, "XLS"},
		{"table.xls", FaultBinary, "HTML"},
		{"list.json", FaultBinary, "JSON"},
		{"utf-16.csv", FaultEncoding, "UTF-16"},
		{"utf-16-no-bom.csv", FaultEncoding, "UTF-16"},
		{"gbk.csv", FaultEncoding, "GBK"},
		{"gbk-below-ascii-header.csv", FaultEncoding, "GBK"},
		{"nuls.csv", FaultNotText, ""},
	} {
		t.Run(test.file, func(t *testing.T) {
			file, err := os.Open(filepath.Join("testdata", "refused", test.file))
			require.NoError(t, err)
			defer file.Close()
			_, err = NewReader(file, Options{})
			require.True(t, test.want.Is(err), "%v", err)
			require.Contains(t, err.Error(), test.name)
			require.NotContains(t, err.Error(), "%!")
		})
	}
}

func TestEveryFileOfTestdataIsTested(t *testing.T) {
	source, err := os.ReadFile("reader_test.go")
	require.NoError(t, err)
	for _, pattern := range []string{"testdata/*.*", "testdata/refused/*.*"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			require.Contains(t, string(source), `{"`+filepath.Base(file)+`"`)
		}
	}
}

func TestRowSaysWhatWasFound(t *testing.T) {
	_, rows := readAll(t, "name,account,note\nAnn,a1,\"x\ny\"\nBob,a 2 ,z\nCat,a3\nDan,a4,\"z\" z\n")
	require.Equal(t, []Row{
		{Number: 1, Line: 2, Fields: []string{"Ann", "a1", "x\ny"}, Account: "a1", Value: "a1"},
		{Number: 2, Line: 4, Fields: []string{"Bob", "a 2 ", "z"}, Reason: OuterSpace, Value: "a 2 "},
		{Number: 3, Line: 5, Fields: []string{"Cat", "a3"}, Reason: Ragged, Value: "a3"},
		{Number: 4, Line: 6, Fields: []string{`Dan,a4,"z" z`}, Reason: StrayQuote, Value: `Dan,a4,"z" z`},
	}, rows)
}

func TestBytesThatAreNoTextAreShownAsSuch(t *testing.T) {
	_, rows := readAll(t, "account,name\na1,M\xfcller\xfc\n"+strings.Repeat("a2,ok\n", 20)+"a3\x00,x\n")
	require.Equal(t, []string{"a1", "M\uFFFDller\uFFFD"}, rows[0].Fields)
	require.Equal(t, Row{Number: 22, Line: 23, Fields: []string{"a3\uFFFD", "x"}, Reason: NotText, Value: "a3\uFFFD"}, rows[21])
}

func TestLongestAccountIsAnOption(t *testing.T) {
	id := strings.Repeat("x", 64)
	r, err := NewReader(strings.NewReader(id+"\n"+id+"x\n"), Options{AccountBytes: 64})
	require.NoError(t, err)
	rows, err := rest(r)
	require.NoError(t, err)
	require.Equal(t, "1="+id+" 2!too_long", brief(rows))
}

func TestColumnsUpToAHundredAreRead(t *testing.T) {
	understanding, rows := readAll(t, "account"+strings.Repeat(",c", 99)+"\na1"+strings.Repeat(",x", 99)+"\na2"+strings.Repeat(",x", 100))
	require.Equal(t, 100, understanding.Columns)
	require.Equal(t, "2=a1 3!ragged", brief(rows))
}

func TestReadingDoesNotDependOnHowTheFileArrives(t *testing.T) {
	files, err := filepath.Glob("testdata/*.*")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		_, want := readAll(t, string(text))
		r, err := NewReader(iotest.DataErrReader(iotest.OneByteReader(strings.NewReader(string(text)))), Options{})
		require.NoError(t, err)
		rows, err := rest(r)
		require.NoError(t, err)
		require.Equal(t, want, rows)
	}
}

func TestBrokenUploadIsAnErrorAndNotTheEndOfTheFile(t *testing.T) {
	for _, broken := range []error{io.ErrUnexpectedEOF, errors.New("connection reset")} {
		_, err := NewReader(io.MultiReader(strings.NewReader("a1\na2\n"), iotest.ErrReader(broken)), Options{})
		require.ErrorIs(t, err, broken)

		long := strings.Repeat("account\n", bufferBytes/4)
		r, err := NewReader(io.MultiReader(strings.NewReader(long), iotest.ErrReader(broken)), Options{})
		require.NoError(t, err)
		rows, err := rest(r)
		require.ErrorIs(t, err, broken)
		require.Less(t, len(rows), bufferBytes/4)
		_, err = r.Next()
		require.ErrorIs(t, err, broken)
	}
}

func TestReaderThatGivesNothingIsAnError(t *testing.T) {
	_, err := NewReader(idle{}, Options{})
	require.ErrorIs(t, err, io.ErrNoProgress)
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }
