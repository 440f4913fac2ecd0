package jobs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/accounts"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
)

// Whatever signs an account holds: the file of a made job is read as the same
// accounts, and as no others.
func TestDerivedJobHasTheSameAccounts(t *testing.T) {
	s := jobstest.SQLite(t)
	jobstest.Keep(t, s, 10_000)
	anyLine := rapid.OneOf(
		rapid.StringMatching(`'{0,3}[=+@-]{0,2}[a-c]{1,2}`),
		rapid.StringMatching(`[-a-c0-9'"=+@,;|\\#: .E]{1,8}`),
		rapid.SampledFrom([]string{"sep=;", "sep=,", `"a"`, `"a`, `a"`, `","`, `a,"b"`, `'a'`, "user_id", "account", "'=a", "''=a", "=a"}))
	rapid.Check(t, func(r *rapid.T) {
		lines := append(rapid.SliceOfN(anyLine, 1, 40).Draw(r, "lines"), "plain_1")
		quote := rapid.SampledFrom([]string{accounts.NoQuote, `"`}).Draw(r, "quote")
		if quote != accounts.NoQuote { // so that spaces around an account are meant
			for i, line := range lines {
				lines[i] = `"` + strings.ReplaceAll(line, `"`, `""`) + `"`
			}
		}
		file := section(strings.Join(lines, "\n") + "\n")
		n := jobs.Upload{AppID: jobstest.App.ID, Kind: jobs.Clear, FileName: "u.txt", AccountBytes: 32, File: file,
			Choices: accounts.Choices{Encoding: accounts.UTF8, Separator: accounts.OnePerLine, Quote: quote, FirstLine: 1,
				Header: accounts.No, Column: 1, Rows: accounts.AcceptAll()}}
		of, err := s.Create(ctx, operator, n)
		require.NoError(r, err)
		of, want := read(r, s, of)
		made, err := s.Retry(ctx, operator, of.ID, jobs.RetryRequest{Kind: jobs.Inspect}, "")
		require.NoError(r, err)
		made, got := read(r, s, made)
		require.Equal(r, want, got)
		for _, j := range []jobs.Job{of, made} {
			_, err = s.Act(ctx, operator, j.ID, jobs.Cancel)
			require.NoError(r, err)
		}
	})
}

func TestRetryTakesOnlyTheFailedAccount(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		of, err := jobstest.Draft(s, operator, jobs.Upload{Choices: accounts.Choices{Rows: accounts.AcceptAll()}}, "user_id\n=ann\n''=ann\n")
		require.NoError(t, err)
		of = end(t, s, of, map[int64][]string{1: {"vip"}, 2: {"gold"}}, jobs.Cleared, jobstest.Own{Seq: 2, Outcome: jobs.Failed, Code: 70107})
		retry, err := s.Retry(ctx, operator, of.ID, jobs.RetryRequest{Outcomes: []jobs.Outcome{jobs.Failed}}, t.TempDir())
		require.NoError(t, err)
		_, accounts := read(t, s, retry)
		require.Equal(t, []string{"'=ann "}, accounts)
		undo, err := s.Undo(ctx, operator, of.ID,
			jobs.UndoRequest{Policy: snapshot.Merge, Outcomes: []jobs.Outcome{jobs.Cleared, jobs.Failed}}, t.TempDir())
		require.NoError(t, err)
		_, accounts = read(t, s, undo)
		require.Equal(t, []string{"=ann vip", "'=ann gold"}, accounts)
	})
}

// A cancelled job may have changed an account in part, and one that was protected
// after it was sent may have been changed.
func TestUndoCoversPossiblyChanged(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		add, err := jobstest.Draft(s, operator, jobs.Upload{Kind: jobs.AddTags},
			"user_id,tags\nann,"+strings.Join(tags(12), ";")+"\nbob,vip\ncid,vip\ndan,gold\n")
		require.NoError(t, err)
		add = end(t, s, add, map[int64][]string{1: {"t003"}, 2: {"old"}, 3: nil, 4: nil}, jobs.Changed,
			jobstest.Own{Seq: 1, Outcome: jobs.Failed, Code: jobs.CodeCutShort},
			jobstest.Own{Seq: 3, Outcome: jobs.Failed, Code: 70107}, jobstest.Own{Seq: 4, Outcome: jobs.Failed, Code: jobs.CodeProtected})
		undo, err := s.Undo(ctx, operator, add.ID, jobs.UndoRequest{}, t.TempDir())
		require.NoError(t, err)
		_, accounts := read(t, s, undo)
		require.Equal(t,
			[]string{"ann " + strings.Join(slices.DeleteFunc(tags(12), func(tag string) bool { return tag == "t003" }), "+"),
				"bob vip", "dan gold"}, accounts)
	})
}

// The tags that were named are written down as text.
func TestUndoPutsBackTagsOfAnyLetters(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		of := ended(t, s, jobs.Clear, 2, map[int64][]string{1: {"vip", "a;b", "\n\"|,", "\x00"}, 2: {"<a>"}}, jobs.Cleared)
		for _, tag := range []string{"a;b", "\n\"|,", "\x00"} {
			part, err := s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Merge, Tags: []string{tag}}, t.TempDir())
			require.NoError(t, err)
			_, accounts := read(t, s, part)
			require.Equal(t, []string{"user_00001 vip+a;b+\n\"|,+\x00"}, accounts)
		}
		whole, err := s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Merge}, t.TempDir())
		require.NoError(t, err)
		_, accounts := read(t, s, whole)
		require.Equal(t, []string{"user_00001 vip+a;b+\n\"|,+\x00", "user_00002 <a>"}, accounts)
	})
}
