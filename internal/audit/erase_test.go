package audit_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store"
)

var (
	adam = audit.Actor{ID: "u2", Name: "adam", Role: "admin", Address: "192.0.2.9"}
	eve  = audit.Actor{ID: "u9", Name: "eve", Role: "admin", Address: "192.0.2.10"}
)

func user(name string) audit.Subject { return audit.Subject{Kind: audit.OfUser, Value: name} }

func account(name string) audit.Subject { return audit.Subject{Kind: audit.OfAccount, Value: name} }

func address(ip string) audit.Subject { return audit.Subject{Kind: audit.OfAddress, Value: ip} }

func seen(e audit.Erasure) audit.Confirmed {
	return audit.Confirmed{Entries: e.Entries, Last: e.Last}
}

// erase erases what another admin asks for.
func erase(s *jobstest.Console, of audit.Subject, reason string, c audit.Confirmed) (int, error) {
	err := s.Audit.AskErasure(ctx, eve, of, reason)
	if err != nil && !audit.FaultEraseAsked.Is(err) {
		return 0, err
	}
	return s.Audit.Erase(ctx, adam, of, c)
}

// verifies replays the log by itself: what tests write into it is of no users and jobs.
func verifies(t *testing.T, s *jobstest.Console) {
	t.Helper()
	require.NoError(t, s.DB.ReadTx(ctx, func(tx *store.Tx) error {
		var v audit.Verified
		_, err := s.Audit.VerifyIn(ctx, tx, audit.Proofs{}, &v)
		require.Empty(t, v.Wrong)
		return err
	}))
}

// erased erases what the preview shows, and returns the numbers of the entries that lost
// their personal part.
func erased(t *testing.T, s *jobstest.Console, of audit.Subject) (seqs []int64) {
	t.Helper()
	preview, err := s.Audit.Erasure(ctx, of, 0)
	require.NoError(t, err)
	n, err := erase(s, of, "request 12", seen(preview))
	require.NoError(t, err)
	require.EqualValues(t, preview.Entries, n)
	after, err := s.Audit.Entries(ctx, audit.Filter{Limit: 1_000})
	require.NoError(t, err)
	for _, e := range after {
		if e.Erased {
			seqs = append([]int64{e.Seq}, seqs...)
		}
	}
	require.Len(t, seqs, n)
	return seqs
}

// An admin erases himself, and the console; what erased and sealed stays.
func TestEntriesAboutErasuresStay(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.TagsRead, Actor: jobstest.Operator, Target: "vip"}))
		require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.JobSealed, Actor: audit.System, Target: "vip"}))
		require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.LogRead, Actor: adam}))
		require.Equal(t, []int64{1}, erased(t, s, account("vip")))
		require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.LogRead, Actor: adam})) // after the erasure
		preview, err := s.Audit.Erasure(ctx, user("adam"), 0)
		require.NoError(t, err)
		require.Equal(t, []any{int64(2), int64(1), 2}, []any{preview.Entries, preview.Kept, len(preview.Goes)})
		n, err := erase(s, user("adam"), "request 14", seen(preview))
		require.NoError(t, err)
		require.Equal(t, 2, n)
		_, err = erase(s, user("adam"), "request 14", seen(preview))
		require.True(t, audit.FaultNothingErased.Is(err), "%v", err)
		own, err := s.Audit.Erasure(ctx, address(adam.Address), 0)
		require.NoError(t, err)
		require.Equal(t, []any{int64(0), int64(2)}, []any{own.Entries, own.Kept})
		_, err = erase(s, address(adam.Address), "request 15", audit.Confirmed{Entries: 2, Last: 5})
		require.True(t, audit.FaultNothingErased.Is(err), "%v", err)
		for _, name := range []string{"system", "System", " SYSTEM ", "ｓｙｓｔｅｍ"} {
			_, err = s.Audit.Erasure(ctx, user(name), 0)
			require.True(t, audit.FaultEraseName.Is(err), "the console is no person: %v", err)
		}
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.LogErased, Limit: 10})
		require.NoError(t, err)
		require.Len(t, entries, 2)
		for _, e := range entries {
			require.Equal(t, "adam", e.Actor.Name)
			require.Contains(t, e.Details["reason"], "request 1")
		}
		sealed, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobSealed, Limit: 10})
		require.NoError(t, err)
		require.Equal(t, "vip", sealed[0].Target)
		for _, code := range audit.NeverErased {
			require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: code, Actor: adam, Target: "vip"}))
			require.ErrorContains(t, s.DB.Exec(ctx, `UPDATE audit_lines SET personal = '', actor = '' WHERE code = $1`, code), "append-only", code)
		}
	})
}

func TestWhatIsErasedIsShownFirst(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		for i := range 30 {
			require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.TagsRead, Actor: jobstest.Operator, Target: fmt.Sprint("m-", i%2)}))
		}
		require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.AccountUnprotected, Actor: adam, Target: "m-1",
			Details: map[string]any{"note": "Olga asked for m-0"}}))
		preview, err := s.Audit.Erasure(ctx, user("OLGA"), 0)
		require.NoError(t, err)
		require.Equal(t, []audit.CodeCount{{audit.TagsRead, 30}}, preview.Codes)
		require.Equal(t, []any{int64(30), int64(30), int64(0)}, []any{preview.Entries, preview.Last, preview.Kept})
		require.Len(t, preview.Goes, 25)
		require.Equal(t, []any{int64(1), "m-0"}, []any{preview.Goes[0].Seq, preview.Goes[0].Target})
		require.Equal(t, []int64{31}, preview.InTexts)
		require.Equal(t, preview.Goes[0].At.UnixMilli(), preview.From.UnixMilli())
		require.False(t, preview.To.Before(preview.From))

		for _, c := range []audit.Confirmed{{29, 30}, {31, 30}, {30, 29}} {
			_, err = erase(s, user("olga"), "request 12", c)
			require.True(t, audit.FaultEraseCount.Is(err), "%v", err)
		}
		for _, c := range []audit.Confirmed{{}, {-1, 30}} {
			_, err = erase(s, user("olga"), "request 12", c)
			require.True(t, audit.FaultEraseConfirm.Is(err), "%v", err)
		}
		// One more entry, and then one fewer: the number is the same, and the entries are not.
		require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.SignedOut, Actor: jobstest.Operator}))
		_, err = erase(s, user("olga"), "request 12", seen(preview))
		require.True(t, audit.FaultEraseCount.Is(err), "%v", err)
		one, err := s.Audit.Erasure(ctx, account("m-0"), 0)
		require.NoError(t, err)
		_, err = erase(s, account("m-0"), "request 11", seen(one))
		require.NoError(t, err)
		left, err := s.Audit.Erasure(ctx, user("olga"), 0)
		require.NoError(t, err)
		require.EqualValues(t, 16, left.Entries)
		_, err = erase(s, user("olga"), "request 12", audit.Confirmed{Entries: 16, Last: preview.Last})
		require.True(t, audit.FaultEraseCount.Is(err), "%v", err)
		n, err := erase(s, user("olga"), "request 12", seen(left))
		require.NoError(t, err)
		require.Equal(t, 16, n)
	})
}

func TestTheReasonOfAnErasureDoesNotName(t *testing.T) {
	s := jobstest.SQLite(t)
	for _, name := range []string{"a", "olga", "王芳", "josé"} {
		require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.TagsRead, Actor: adam, Target: name}))
	}
	for _, c := range []struct {
		name, reason string
		refused      bool
	}{
		{"olga", "Olga left", true}, {"olga", "for OLGA.", true}, {"a", "for a", true}, {"王芳", "王芳女士的申请", true},
		{"olga", "ＯＬＧＡ的申请", true}, {"josé", "for jose\u0301", true}, {"olga", " ", true},
		{"a", "what an auditor asked", false}, {"olga", "volga and olgas", false}, {"王芳", "申请12", false},
	} {
		preview, err := s.Audit.Erasure(ctx, account(c.name), 0)
		require.NoError(t, err)
		require.EqualValues(t, 1, preview.Entries, c.name)
		_, err = erase(s, account(c.name), c.reason, seen(preview))
		require.Equal(t, c.refused, audit.FaultEraseReason.Is(err) || audit.FaultEraseNoReason.Is(err), "%s: %v", c.reason, err)
	}
}

// Somebody with the database adds a word, so that an entry about another is taken.
func TestAPlantedWordErasesNothing(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.TagsRead, Actor: adam, Target: "ann"}))
		require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.TagsRead, Actor: adam, Target: "bob"}))
		require.NoError(t, s.DB.Exec(ctx, `INSERT INTO audit_words (word, seq) VALUES ('=ann', 2)`))
		preview, err := s.Audit.Erasure(ctx, account("ann"), 0)
		require.NoError(t, err)
		_, err = erase(s, account("ann"), "request 12", seen(preview))
		require.ErrorContains(t, err, "entry 2 of the log is found by a word that it does not have")
		found, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.TagsRead, Limit: 10})
		require.NoError(t, err)
		require.Equal(t, []string{"bob", "ann"}, []string{found[0].Target, found[1].Target})
	})
}

// The preview has what the personal parts hold, all of it and nothing else, page by page.
func TestAnErasureShowsEveryValue(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		by := audit.Actor{ID: "u1", Name: "olga", Role: "operator", Address: "192.0.2.1", UserAgent: "Browser 7"}
		for i := range 120 {
			require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.AccountsProtected, Actor: by, Target: fmt.Sprint("m-", i),
				Details: map[string]any{"accounts": []any{fmt.Sprint("m-", i), "x"}, "note": "for olga",
					"left": 2, "list_sha256": "ab", "before": "viewer"}}))
			require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.SignedOut, Actor: adam}))
		}
		var shown []audit.Entry
		for after, pages := int64(0), 1; ; pages++ {
			page, err := s.Audit.Erasure(ctx, user("olga"), after)
			require.NoError(t, err)
			require.EqualValues(t, 120, page.Entries, "on every page")
			shown, after = append(shown, page.Goes...), page.Next
			if after == 0 {
				require.Equal(t, 5, pages)
				break
			}
		}
		require.Len(t, shown, 120)
		for i, e := range shown {
			require.EqualValues(t, 2*i+1, e.Seq)
			var personal string
			require.NoError(t, s.DB.Reader().QueryRowContext(ctx, `SELECT personal FROM audit_lines WHERE seq = $1`, e.Seq).Scan(&personal))
			var goes struct {
				Name, Address, Target string
				UserAgent             string `json:"user_agent"`
				Details               map[string]any
			}
			require.NoError(t, json.Unmarshal([]byte(personal), &goes))
			require.Equal(t, []any{goes.Name, goes.Address, goes.UserAgent, goes.Target, goes.Details},
				[]any{e.Actor.Name, e.Actor.Address, e.Actor.UserAgent, e.Target, e.Details})
		}
	})
}
