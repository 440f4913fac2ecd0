package web

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
)

func (a answer) table(t *testing.T) [][]string {
	t.Helper()
	require.Equal(t, http.StatusOK, a.StatusCode, a.body)
	content, marked := strings.CutPrefix(a.body, "\uFEFF")
	require.True(t, marked)
	rows, err := csv.NewReader(strings.NewReader(content)).ReadAll()
	require.NoError(t, err)
	return rows
}

func (a answer) lines(t *testing.T) (entries []audit.Entry) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.StatusCode, a.body)
	for line := range strings.Lines(a.body) {
		var e audit.Entry
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		entries = append(entries, e)
	}
	return entries
}

func TestAuditExportHoldsTheFiltered(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		auditor, operator := c.as(auth.Auditor), c.as(auth.Operator)
		id := operator.draft(3)
		c.deny(entriesOnAPage+5, "/users")
		operator.post("/accounts/read", "account", "user-2")
		for _, query := range []string{"", "?code=access.denied", "?job=" + id, "?account=user-2", "?result=failed&q=users", "?actor=nobody"} {
			want := auditor.listed("/audit"+query, func() {})
			lines := auditor.get("/audit/export.jsonl" + query).lines(t)
			rows := auditor.get("/audit/export.csv" + query).table(t)
			require.Equal(t, entryColumns, rows[0])
			if query == "" { // what was written by reading and exporting comes on top
				lines, rows = lines[len(lines)-len(want):], rows[len(rows)-len(want):]
			} else {
				rows = rows[1:]
			}
			require.Len(t, lines, len(want), query)
			require.ElementsMatch(t, want, auditAnswer{Entries: lines}.seqs(), query)
			require.Len(t, rows, len(want), query)
			for i, e := range lines {
				require.Equal(t, string(e.Code), rows[i][2])
				at, err := time.Parse(time.RFC3339, rows[i][1])
				require.NoError(t, err)
				require.Equal(t, e.At, at)
				require.Equal(t, time.UTC, at.Location())
			}
		}
		exported := c.recorded(audit.Filter{Code: audit.LogExported})
		require.Len(t, exported, 12)
		require.Equal(t, "csv", exported[0].Details["format"])
		require.Equal(t, map[string]any{"actor": "nobody"}, exported[0].Details["filter"])
	})
}

func TestAuditExportHoldsEachEntryOnce(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	c.deny(2*entriesAtOnce+1, "/users")
	lines := c.as(auth.Auditor).get("/audit/export.jsonl?code=access.denied").lines(t)
	require.Len(t, lines, 2*entriesAtOnce+1)
	for i := range lines[1:] {
		require.Equal(t, lines[i].Seq-1, lines[i+1].Seq)
	}
}

func TestAnExportIsSafeInASpreadsheet(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	require.NoError(t, c.store.Audit.Record(t.Context(), audit.Entry{Code: audit.AccessDenied, Target: "=1+1",
		Actor: audit.Actor{ID: "u1", Name: "+mallory", UserAgent: "@cmd", Address: "-2"}}))
	got := c.as(auth.Auditor).get("/audit/export.csv?code=access.denied")
	require.Equal(t, "text/csv; charset=utf-8", got.Header.Get("Content-Type"))
	require.Equal(t, "attachment; filename=audit-log.csv", got.Header.Get("Content-Disposition"))
	for _, cell := range got.table(t)[1] {
		require.NotRegexp(t, `^[=+\-@\t\r]`, cell)
	}
}
