package jobs

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
		kind    Kind
		command tim.Command
		becomes Outcome
		next    tim.Command
		tags    []string
		logged  bool
	}{
		{Clear, tim.GetTags, Waiting, tim.RemoveAllTags, []string{"old", "a"}, false},
		{Clear, tim.RemoveAllTags, Cleared, "", []string{}, false},
		{Restore, tim.AddTags, Restored, "", []string{"old", "a", "b"}, false},
		{AddTags, tim.GetTags, Waiting, tim.AddTags, []string{"old", "a"}, false},
		{AddTags, tim.AddTags, Changed, "", []string{"old", "a", "b"}, false},
		{RemoveTags, tim.RemoveTags, Changed, "", []string{"old", "a"}, false},
		{Restore, tim.GetTags, Waiting, tim.GetTags, []string{"old", "a"}, true}, // it has gained a tag, and is to stop then
	} {
		service.SetTags("ann", "old", "a")
		var log strings.Builder
		r := &Runner{Client: client, Log: slog.New(slog.NewTextHandler(&log, nil))}
		l := &lane{Runner: r, command: test.command, window: window{limit: ServiceLimit}}
		c := planning(test.kind, "ann")
		c.Command, c.Change, c.Policy = test.command, map[int64][]string{1: {"b"}}, snapshot.Stop
		d, free := l.window.depart(time.Now())
		require.True(t, free)
		s := l.call(t.Context(), taken{Claim: c, at: time.Now()}, d)
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
