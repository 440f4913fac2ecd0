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
