package accounts

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/filetest"
	"tagsweep/internal/accounts/text"
)

// readAll returns every row of a text.
func readAll(t testing.TB, text string) (Understanding, []Row) {
	t.Helper()
	r, err := Open(filetest.Section(text), Options{})
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

func TestRowSaysWhatWasFound(t *testing.T) {
	_, rows := readAll(t, "name,account,note\nAnn,a1,\"x\ny\"\nBob,a 2 ,z\nCat,a3\nDan,a4,\"z\" z\n")
	require.Equal(t, []Row{
		{Number: 1, Line: 2, Fields: []string{"Ann", "a1", "x\ny"}, Account: "a1", Value: "a1"},
		{Number: 2, Line: 4, Fields: []string{"Bob", "a 2 ", "z"}, Reason: SeveralValues, Value: "a 2 "},
		{Number: 3, Line: 5, Fields: []string{"Cat", "⚠ a3"}, Reason: ShortRow, Value: "a3"},
		{Number: 4, Line: 6, Fields: []string{`Dan,a4,"z" z`}, Reason: StrayQuote, Value: `Dan,a4,"z" z`},
	}, rows)
}

func TestBytesThatAreNoTextAreShownAsSuch(t *testing.T) {
	_, rows := readAll(t, "account,name\na1,M\xfcller\xfc\n"+strings.Repeat("a2,好\n", 20)+"a3\x00,x\n")
	require.Equal(t, []string{"⚠ a1", "M\uFFFDller\uFFFD"}, rows[0].Fields)
	require.Equal(t, Row{Number: 22, Line: 23, Fields: []string{"a3\uFFFD", "x"}, Reason: NotText, Value: "a3\uFFFD"}, rows[21])
}

func TestLongestAccountIsAnOption(t *testing.T) {
	id := strings.Repeat("x", 64)
	r, err := Open(filetest.Section(id+"\n"+id+"x\n"), Options{AccountBytes: 64})
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

func TestUploadBrokenOffIsAnError(t *testing.T) {
	long := strings.Repeat("account\n", text.MaxRecord)
	for name, file := range map[string]string{
		"text": long, "gzip": filetest.Gzip(t, long), "ZIP": filetest.ZIP(t, "a.csv", long),
		"workbook": filetest.Workbook(t, [][]any{{"a1"}, {"a2"}}),
	} {
		for _, why := range []error{io.ErrUnexpectedEOF, errors.New("connection reset")} {
			for _, at := range []int{0, len(file) / 3, len(file) - 1} {
				r, err := Open(io.NewSectionReader(broken{strings.NewReader(file), int64(at), why}, 0, int64(len(file))), Options{})
				if err == nil {
					_, err = rest(r)
					_, again := r.Next()
					require.Equal(t, err, again)
				}
				require.ErrorIs(t, err, why, "%s, broken at %d", name, at)
			}
		}
	}
}

// broken gives an error for what stands at a place.
type broken struct {
	io.ReaderAt
	at  int64
	why error
}

func (b broken) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) <= b.at {
		return b.ReaderAt.ReadAt(p, at)
	}
	n, _ := b.ReaderAt.ReadAt(p[:max(0, b.at-at)], at)
	return n, b.why
}

func TestWorkbookRowHasItsOwnCells(t *testing.T) {
	_, rows := readAll(t, made["workbook.xlsx"](t))
	require.Equal(t, []Row{
		{Number: 1, Line: 2, Fields: []string{"Ann", "a1", "2024-02-29 00:00:00"}, Account: "a1", Value: "a1"},
		{Number: 2, Line: 4, Fields: []string{"Bob", "a2", ""}, Account: "a2", Value: "a2"},
	}, rows)
	_, rows = readAll(t, made["workbook-cells.xlsx"](t))
	require.Equal(t, Row{Number: 3, Line: 4, Fields: []string{"⚠ a1", ""}, Reason: Formula, Value: "a1"}, rows[2])
	require.Equal(t, Row{Number: 5, Line: 6, Fields: []string{"2024-02-29", ""}, Reason: CellType, Value: "2024-02-29"}, rows[4])
	_, rows = readAll(t, made["workbook-numbers.xlsx"](t))
	const rounded = "1.2345678901234567E+17"
	require.Equal(t, Row{Number: 5, Line: 6, Fields: []string{rounded}, Reason: DamagedNumber, Value: rounded}, rows[4])
}
