package accounts

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"tagsweep/internal/accounts/filetest"
	"tagsweep/internal/accounts/text"
)

func TestRejectsHoldHeadersOfJoinedSheets(t *testing.T) {
	_, rows := readAll(t, filetest.Workbook(t, [][]any{
		{"user_id", "name"}, {"a1", "Ann"},
		{"UserID", "NAME"}, {"a2", "Bob"},
		{"name", "user_id"}, {"Cat", "b1"},
		{"user_id", "name"}, {"a3", "Dan"},
	}))
	require.Equal(t, "2=a1 3!repeated_header 4=a2 5!columns_changed 6!columns_changed 7!repeated_header 8=a3", brief(rows))
}

func TestIDsSideBySideInASheetAreAskedAbout(t *testing.T) {
	u, _ := readAll(t, filetest.Workbook(t, [][]any{{"u1001", "u1002"}, {"u1003", "u1004"}}))
	require.Equal(t, `Sheet1 [] 0/2 of ["Sheet1"] asks column`, u.brief())
}

func TestARowOfOneCellTooLongIsSetAside(t *testing.T) {
	long := `<row><c t="inlineStr"><is><t>` + strings.Repeat("x", text.MaxRecord+1) + `</t></is></c></row>`
	_, rows := readAll(t, filetest.Sheet(t, filetest.Texted("account")+long+filetest.Numbers("5")))
	require.Equal(t, "2!row_too_long 3=5", brief(rows))
}

func TestTheListOfSheetsIsBounded(t *testing.T) {
	file := filetest.WorkbookWith(t, func(f *excelize.File) {
		for i := range 2 * sheetsShown {
			_, err := f.NewSheet(fmt.Sprint(i))
			require.NoError(t, err)
		}
		require.NoError(t, f.SetSheetCol("300", "A1", &[]string{"account", "a5"}))
	})
	r, err := Open(filetest.Section(file), Options{Choices: Choices{Sheets: []string{"300"}}})
	require.NoError(t, err)
	require.Len(t, r.Understanding().Sheets, sheetsShown)
	require.Equal(t, "300", r.Understanding().firstSheet())
}

func TestAHiddenSheetIsReadOnlyWhenChosen(t *testing.T) {
	file := made["refused/only-hidden.xlsx"](t)
	r, err := Open(filetest.Section(file), Options{Choices: Choices{Sheets: []string{"Old"}}})
	require.NoError(t, err)
	rows, err := rest(r)
	require.NoError(t, err)
	require.Equal(t, "2=o1", brief(rows))
}

// Who chose among some sheets has not seen others: a workbook with one more has another shape.
func TestAnotherSheetIsAnotherShape(t *testing.T) {
	shape := func(names ...string) string {
		file := filetest.WorkbookWith(t, func(book *excelize.File) {
			require.NoError(t, book.SetSheetName("Sheet1", names[0]))
			for _, name := range names {
				_, err := book.NewSheet(name)
				require.NoError(t, err)
				for i, cell := range []string{"user_id", "im_1001", "im_1002"} {
					require.NoError(t, book.SetCellStr(name, fmt.Sprint("A", i+1), cell))
				}
			}
		})
		r, err := Open(filetest.Section(file), Options{})
		require.NoError(t, err)
		defer r.Close()
		return r.Understanding().Shape
	}
	require.Equal(t, shape("Jan", "Feb"), shape("Jan", "Feb"))
	require.NotEqual(t, shape("Jan", "Feb"), shape("Jan", "Feb", "Mar"))
	require.Equal(t, shape("Jan"), shape("Feb"), "of one sheet the name says nothing")
}

func TestRowsOfSeveralSheetsSayWhichOne(t *testing.T) {
	file := bookOf(t, tab("Jan", "user_id|n", "{}|{n}", im(1001, 1003)), tab("Empty", "user_id|n", "", nil), tab("Feb",
		"user_id|n", "{}|{n}", im(1004, 1005)))
	f := specimen{content: file}.read(t, Choices{Sheets: []string{"Jan", "Empty", "Feb"}})
	var places []string
	for _, row := range f.rows {
		places = append(places, f.inner.Place(row.Number, row.Line))
	}
	require.Equal(t, []string{"Jan!2", "Jan!3", "Jan!4", "Feb!2", "Feb!3"}, places)
	one := specimen{content: file}.read(t, Choices{Sheets: []string{"Feb"}})
	require.Equal(t, "2", one.inner.Place(1, one.rows[0].Line))
}
