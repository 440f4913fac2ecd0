package templates

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/web/templates/messages"
)

func TestAnEntrySaysInWordsHowAFileWasRead(t *testing.T) {
	v := View{Text: messages.English}
	require.Equal(t, "all detected", detailValue(v, "before", map[string]any{}))
	require.Equal(t, "Account column: 2, Encoding: GB18030 (GBK), Header: no, Separator: semicolon (;)",
		detailValue(v, "after", map[string]any{"column": 2.0, "encoding": "GB18030", "header": "no", "separator": ";", "sheet": ""}))
	require.Equal(t, "Header: yes, unheard_of: [1]", detailValue(v, "understanding", map[string]any{"header": true, "unheard_of": []any{1.0}}), "the log hides nothing")
	require.Equal(t, "auditor", detailValue(v, "after", "auditor"))
}

func TestAnEntrySaysInWordsWhatAnUndoTakesBack(t *testing.T) {
	v := View{Text: messages.English}
	require.Equal(t, "put tags back", detailValue(v, "kind", "restore"))
	require.Equal(t, "Leave such accounts alone", detailValue(v, "policy", "skip"))
	require.Equal(t, "cleared, in doubt", detailValue(v, "outcomes", "cleared, in_doubt"))
	require.Equal(t, "cleared, in doubt", detailValue(v, "outcomes", []any{"cleared", "in_doubt"}))
	require.Equal(t, "all", detailValue(v, "outcome", "all"))
	require.Equal(t, "0.05% of the batches, at random", detailValue(v, "verify_share", 500.0))
	require.Equal(t, "Accounts: 2, File: part.csv", detailValue(v, "list", map[string]any{"file": "part.csv", "accounts": 2.0}))
	require.Equal(t, "vip, gold", detailValue(v, "tags", []any{"vip", "gold"}))
}
