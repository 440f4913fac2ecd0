package jobs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
)

func TestRetryTakesFailedAccounts(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		free(t, s)
		j, err := jobstest.Draft(s, operator, jobs.Upload{FileName: "churned.users.xlsx", Note: "June"},
			"city,user_id\nRome,ann\nOslo,bob\nLima,cid\nBonn,dan\n")
		require.NoError(t, err)
		start(t, s, j)
		h := sent(t, s, j, 1)
		_, err = s.Retry(ctx, operator, j.ID, jobs.RetryRequest{Outcomes: []jobs.Outcome{jobs.Failed}}, t.TempDir())
		require.True(t, jobs.FaultUnsettled.Is(err), "%v", err)
		require.NoError(t, h.Settle(ctx,
			jobstest.Came{Rest: jobs.Cleared,
				Own: []jobstest.Own{{Seq: 2, Outcome: jobs.Failed, Code: 70107}, {Seq: 4, Outcome: jobs.Failed, Code: 70107}}}))
		for _, o := range []jobs.Outcome{jobs.Unsent, jobs.Cleared, "nonsense"} {
			_, err = s.Retry(ctx, operator, j.ID, jobs.RetryRequest{Outcomes: []jobs.Outcome{o}}, t.TempDir())
			require.True(t, jobs.FaultNoneToRetry.Is(err), "%v", err)
		}
		made, err := s.Retry(ctx, operator, j.ID, jobs.RetryRequest{Outcomes: []jobs.Outcome{jobs.Failed}}, t.TempDir())
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Reading, "failed-of-churned.users.csv", j.ID, "June"},
			[]any{made.State, made.FileName, made.Source, made.Note})
		require.NoError(t, jobstest.ReadAll(s))
		made, err = s.Get(ctx, made.ID)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Draft, int64(2), int64(2)}, []any{made.State, made.Rows, made.Accounts})
		var rows []string
		for r, err := range s.Results(ctx, made.ID, "") {
			require.NoError(t, err)
			rows = append(rows, fmt.Sprint(r.Row, r.Account.Account, r.Fields))
		}
		require.Equal(t, []string{"1bob[bob]", "2dan[dan]"}, rows)
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobRetried, JobID: made.ID, Limit: 10})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, map[string]any{"of": j.ID, "kind": "clear", "outcome": "failed", "accounts": 2.0}, entries[0].Details)
		retries, err := s.DerivedFrom(ctx, j.ID)
		require.NoError(t, err)
		require.Len(t, retries, 1)
		require.Equal(t, made.ID, retries[0].ID)
		start(t, s, made)
		requireSums(t, s)
	})
}

func TestRetryTakesUnsentAfterCancel(t *testing.T) {
	s := jobstest.SQLite(t)
	jobstest.Keep(t, s, 10_000)
	j := started(t, s, 5_000)
	_, err := s.Act(ctx, operator, j.ID, jobs.Cancel)
	require.NoError(t, err)
	made, err := s.Retry(ctx, operator, j.ID, jobs.RetryRequest{Outcomes: []jobs.Outcome{jobs.Unsent}}, t.TempDir())
	require.NoError(t, err)
	require.Equal(t, "unsent-of-users.csv", made.FileName)
	require.NoError(t, jobstest.ReadAll(s))
	made, err = s.Get(ctx, made.ID)
	require.NoError(t, err)
	require.Equal(t, int64(5_000), made.Accounts)
}

// Whatever a file held as accounts, its retry holds as the same accounts.
func TestRetryKeepsAccountsExactly(t *testing.T) {
	s := jobstest.SQLite(t)
	jobstest.Keep(t, s, 10_000)
	names := rapid.SliceOfNDistinct(rapid.OneOf(
		rapid.StringMatching(`[ -~]{1,32}`), rapid.StringMatching(`[,;|"' a1]{1,6}`),
		rapid.SampledFrom([]string{"user_id", "account", "UserID", "a,b", "a b", `"a"`, "1;2", "name|x", "=a", "'a", "1.5E+3", " a ", "a:b"})),
		1, 30, rapid.ID)
	rapid.Check(t, func(r *rapid.T) {
		var file strings.Builder
		for _, name := range names.Draw(r, "names") {
			file.WriteString(`"` + strings.ReplaceAll(name, `"`, `""`) + "\"\n")
		}
		how := rapid.SampledFrom([]string{",", accounts.OnePerLine}).Draw(r, "separator")
		j, err := jobstest.Draft(s, operator, jobs.Upload{}, "user_id\n"+file.String())
		if err != nil {
			return // it does not look like a file of accounts
		}
		for range 2 { // rows in doubt can be accepted only once it is said how the file is read
			if _, err := s.Reread(ctx, operator, j.ID,
				accounts.Choices{Separator: how, Quote: `"`, Header: accounts.Yes, FirstLine: 1, Column: 1, Rows: accounts.AcceptAll()}); err != nil {
				return
			}
			require.NoError(r, jobstest.ReadAll(s))
		}
		all := func(id string) (all []string) {
			for a, err := range s.Results(ctx, id, "") {
				require.NoError(r, err)
				all = append(all, a.Account.Account)
			}
			return all
		}
		before := all(j.ID)
		_, err = s.Act(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(r, err)
		if len(before) == 0 {
			return
		}
		made, err := s.Retry(ctx, operator, j.ID, jobs.RetryRequest{Outcomes: []jobs.Outcome{jobs.Unsent}}, t.TempDir())
		require.NoError(r, err)
		require.NoError(r, jobstest.ReadAll(s))
		require.Equal(r, before, all(made.ID))
		require.True(r, slices.IsSorted([]string{j.ID, made.ID}))
		_, err = s.Act(ctx, operator, made.ID, jobs.Cancel)
		require.NoError(r, err)
	})
}

func TestInspectDraftThenClear(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		d := draft(t, s, 3)
		_, err := s.Retry(ctx, operator, d.ID, jobs.RetryRequest{}, t.TempDir())
		require.True(t, jobs.FaultUnsettled.Is(err), "the same once more is of no use: %v", err)
		_, err = s.Retry(ctx, operator, d.ID, jobs.RetryRequest{Kind: jobs.Inspect, Outcomes: []jobs.Outcome{jobs.Waiting}}, t.TempDir())
		require.True(t, jobs.FaultUnsettled.Is(err), "%v", err)
		inspect, err := s.Retry(ctx, operator, d.ID, jobs.RetryRequest{Kind: jobs.Inspect}, t.TempDir())
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Inspect, "inspect-of-users.csv", d.ID, true},
			[]any{inspect.Kind, inspect.FileName, inspect.Source, inspect.Snapshot})
		inspect, accounts := read(t, s, inspect)
		require.Equal(t, []string{"user_00001 ", "user_00002 ", "user_00003 "}, accounts)
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobRetried, Limit: 1})
		require.NoError(t, err)
		require.Equal(t, map[string]any{"of": d.ID, "kind": "inspect", "outcome": "all", "accounts": 3.0}, entries[0].Details)

		inspect = end(t, s, inspect, map[int64][]string{1: {"vip"}, 2: nil, 3: {"vip"}}, jobs.Inspected,
			jobstest.Own{Seq: 2, Outcome: jobs.Untagged})
		for _, kind := range []jobs.Kind{jobs.Restore, jobs.AddTags, jobs.RemoveTags, "nonsense"} {
			_, err = s.Retry(ctx, operator, inspect.ID, jobs.RetryRequest{Kind: kind}, t.TempDir())
			require.True(t, jobs.FaultKind.Is(err), "%v", err)
		}
		clears, err := s.Retry(ctx, operator, inspect.ID,
			jobs.RetryRequest{Kind: jobs.Clear, Outcomes: []jobs.Outcome{jobs.Inspected}}, t.TempDir())
		require.NoError(t, err)
		require.Equal(t, "clear-of-users.csv", clears.FileName)
		_, accounts = read(t, s, clears)
		require.Equal(t, []string{"user_00001 ", "user_00003 "}, accounts)
		whole, err := s.Retry(ctx, operator, inspect.ID, jobs.RetryRequest{Kind: jobs.Clear}, t.TempDir())
		require.NoError(t, err)
		_, accounts = read(t, s, whole)
		require.Len(t, accounts, 3)
	})
}

func TestARetryIsToldTheSameTagsAgain(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		of := ended(t, s, jobs.Clear, 4, map[int64][]string{1: {"vip", "gold"}, 2: {"gold"}, 3: tags(25), 4: {"gold", "vip"}}, jobs.Cleared)
		restore, err := s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Skip, Tags: []string{"gold", "t001"}}, t.TempDir())
		require.NoError(t, err)
		restore, accounts := read(t, s, restore)
		require.Len(t, accounts, 4)
		restore = end(t, s, restore, nil, jobs.Failed, jobstest.Own{Seq: 1, Outcome: jobs.Skipped}, jobstest.Own{Seq: 2, Outcome: jobs.Restored})
		again, err := s.Retry(ctx, operator, restore.ID, jobs.RetryRequest{Outcomes: []jobs.Outcome{jobs.Failed, jobs.Skipped}}, t.TempDir())
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Restore, snapshot.Skip, []string{"gold", "t001"}, "again-of-users.csv"},
			[]any{again.Kind, again.Policy, again.Only, again.FileName})
		_, retried := read(t, s, again)
		require.Equal(t, []string{accounts[0], accounts[2], accounts[3]}, retried)
		require.NoError(t, s.Erase(ctx, operator, restore.ID))
		_, err = s.Retry(ctx, operator, restore.ID, jobs.RetryRequest{Outcomes: []jobs.Outcome{jobs.Failed}}, t.TempDir())
		require.True(t, snapshot.FaultErased.Is(err), "%v", err)
	})
}
