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
