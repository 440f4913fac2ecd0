package accounts

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRejectsHoldHeadersOfJoinedSheets(t *testing.T) {
	_, rows := readAll(t, string(workbookOf(t, [][]any{
		{"user_id", "name"}, {"a1", "Ann"},
		{"UserID", "NAME"}, {"a2", "Bob"},
		{"name", "user_id"}, {"Cat", "b1"},
		{"user_id", "name"}, {"a3", "Dan"},
	})))
	require.Equal(t, "2=a1 3!repeated_header 4=a2 5!repeated_header 6!columns_changed 7!repeated_header 8=a3", brief(rows))
}

func TestIDsSideBySideInASheetAreSetAside(t *testing.T) {
	_, rows := readAll(t, string(workbookOf(t, [][]any{{"u1001", "u1002"}, {"u1003", "u1004"}})))
	require.Equal(t, "1!several_values 2!several_values", brief(rows))
}
