package jobs_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// A lane makes the calls of its command and no others; what it adds or removes
// is what the claim says, whatever else is wanted.
func TestEachClaimBecomesTheCallItNames(t *testing.T) {
	const key = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
	service, err := timtest.New(timtest.Config{SDKAppID: 1400000000, SecretKey: key, Identifier: "administrator"})
	require.NoError(t, err)
	base, err := service.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	client, err := tim.New(tim.Config{SDKAppID: 1400000000, SecretKey: key, Identifier: "administrator", Domain: base, Family: tim.AllMemberPush})
	require.NoError(t, err)
	for _, test := range []struct {
		kind    jobs.Kind
		command tim.Command
		becomes jobs.Outcome
		next    tim.Command
		tags    []string
		logged  bool
	}{
		{jobs.Clear, tim.GetTags, jobs.Waiting, tim.RemoveAllTags, []string{"old", "a"}, false},
		{jobs.Clear, tim.RemoveAllTags, jobs.Cleared, "", []string{}, false},
		{jobs.Restore, tim.AddTags, jobs.Restored, "", []string{"old", "a", "b"}, false},
		{jobs.AddTags, tim.GetTags, jobs.Waiting, tim.AddTags, []string{"old", "a"}, false},
		{jobs.AddTags, tim.AddTags, jobs.Changed, "", []string{"old", "a", "b"}, false},
		{jobs.RemoveTags, tim.RemoveTags, jobs.Changed, "", []string{"old", "a"}, false},
		{jobs.Restore, tim.GetTags, jobs.Waiting, tim.GetTags, []string{"old", "a"}, true}, // it has gained a tag, and is to stop then
	} {
		service.SetTags("ann", "old", "a")
		var log strings.Builder
		r := &jobs.Runner{Client: client, Log: slog.New(slog.NewTextHandler(&log, nil))}
		s := r.CallNow(t.Context(), jobs.Claim{
			Kind: test.kind, Command: test.command, Was: jobs.Waiting, Snapshot: true, Policy: snapshot.Stop,
			Accounts: []jobs.Pending{{Seq: 1, Account: "ann"}}, Wanted: map[int64][]string{1: {"a", "b"}}, Change: map[int64][]string{1: {"b"}},
		})
		require.Equal(t, []any{test.becomes, test.next}, []any{s.Rest, s.Next}, "%s of %s: %v", test.command, test.kind, s.Answer.Err)
		require.Equal(t, test.tags, service.Tags("ann"))
		calls := service.Ledger()
		require.Equal(t, test.command, calls[len(calls)-1].Command)
		require.Equal(t, test.logged, log.Len() > 0, log.String())
		if test.logged {
			require.Contains(t, log.String(), "kind=restore")
		}
	}
}
