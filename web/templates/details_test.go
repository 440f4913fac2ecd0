package templates

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/web/templates/messages"
)

func TestAuditDetailsHowAFileWasRead(t *testing.T) {
	v := View{Text: messages.English}
	require.Equal(t, "all detected", detailValue(v, "before", map[string]any{}))
	require.Equal(t, "Account column: 2, Encoding: GB18030 (GBK), Header: no, Separator: semicolon (;)",
		detailValue(v, "after", map[string]any{"column": 2.0, "encoding": "GB18030", "header": "no", "separator": ";", "sheet": ""}))
	require.Equal(t, "Header: yes, unheard_of: [1]",
		detailValue(v, "understanding", map[string]any{"header": true, "unheard_of": []any{1.0}}), "the log hides nothing")
	require.Equal(t, "auditor", detailValue(v, "after", "auditor"))
}

func TestAuditDetailsOfAnUndo(t *testing.T) {
	v := View{Text: messages.English}
	require.Equal(t, "restore tags", detailValue(v, "kind", "restore"))
	require.Equal(t, "Skip the account", detailValue(v, "policy", "skip"))
	require.Equal(t, "cleared, in doubt", detailValue(v, "outcomes", "cleared, in_doubt"))
	require.Equal(t, "cleared, in doubt", detailValue(v, "outcomes", []any{"cleared", "in_doubt"}))
	require.Equal(t, "all", detailValue(v, "outcome", "all"))
	require.Equal(t, "0.05% of batches, chosen at random", detailValue(v, "verify_share", 500.0))
	require.Equal(t, "Accounts: 2, File: part.csv", detailValue(v, "list", map[string]any{"file": "part.csv", "accounts": 2.0}))
	require.Equal(t, "vip, gold", detailValue(v, "tags", []any{"vip", "gold"}))
}

func TestAuditDetailsOfALogSearch(t *testing.T) {
	v := View{Text: messages.English}
	from := time.Date(2026, 7, 1, 8, 0, 0, 0, time.Local)
	require.Equal(t, "From: 1 Jul 2026, 08:00:00, Event: Job started, Result: failed, Account: vip, Keywords: ops 47",
		detailValue(v, "filter", map[string]any{"from": from.UTC().Format(time.RFC3339), "code": "job.started",
			"result": "failed", "account": "vip", "q": "ops 47"}))
	require.Equal(t, "all", detailValue(v, "filter", map[string]any{}))
}

func TestAuditDetailsOfReasons(t *testing.T) {
	v := View{Text: messages.English}
	restored := map[string]any{"reason": "restored"}
	require.Equal(t, "The database is an older copy.",
		reasonText(v, audit.Entry{Code: audit.KillSwitchThrown, Actor: audit.System, Details: restored}))
	require.Equal(t, "restored", reasonText(v, audit.Entry{Code: audit.KillSwitchThrown, Actor: audit.Actor{ID: "u1"}, Details: restored}))
	require.Equal(t, "Wrong password.",
		reasonText(v, audit.Entry{Code: audit.SignInFailed, Details: map[string]any{"reason": "wrong_password"}}))
	require.Empty(t, reasonText(v, audit.Entry{}))
}
