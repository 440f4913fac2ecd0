package jobs

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/tim"
)

// claimed is a batch of a job that removes all tags, and was claimed for a call;
// one that reads is of accounts in doubt.
func claimed(command tim.Command, accounts ...string) Claim {
	c := Claim{Command: command, Kind: Clear, Was: Waiting}
	if command == tim.GetTags {
		c.Was, c.Touched = InDoubt, true
	}
	for i, a := range accounts {
		c.Accounts = append(c.Accounts, Pending{int64(i + 1), a})
	}
	return c
}

func code(n int) tim.Answer {
	return tim.Answer{Delivery: tim.Answered, HTTPStatus: 200, Code: n, Info: "because"}
}

func TestAnAnswerSettlesEveryAccountOnce(t *testing.T) {
	partial := code(0)
	partial.AccountErrors = []tim.AccountError{{Account: "bob", Code: 70107, Info: "absent"}}
	transient := code(0)
	transient.AccountErrors = []tim.AccountError{{Account: "bob", Code: 91000, Info: "busy"}}
	tags := map[string][]string{"ann": {}, "bob": {"vip"}, "cid": {}}

	for name, test := range map[string]struct {
		claim  Claim
		answer tim.Answer
		tags   map[string][]string
		rest   Outcome
		own    []Own
		parts  int
		halt   int
		ask    bool
	}{
		"accepted":                      {claim: claimed(tim.RemoveAllTags, "ann", "bob"), answer: code(0), rest: Cleared},
		"accepted but for one":          {claim: claimed(tim.RemoveAllTags, "ann", "bob"), answer: partial, rest: Cleared, own: []Own{{2, Failed, 70107, "absent"}}},
		"accepted, one again":           {claim: claimed(tim.RemoveAllTags, "ann", "bob"), answer: transient, rest: Waiting, own: []Own{{Seq: 1, Outcome: Cleared}}},
		"server error":                  {claim: claimed(tim.RemoveAllTags, "ann", "bob"), answer: code(91000), rest: Waiting},
		"never left":                    {claim: claimed(tim.RemoveAllTags, "ann"), answer: tim.Answer{Delivery: tim.NotSent}, rest: Waiting},
		"answer lost":                   {claim: claimed(tim.RemoveAllTags, "ann", "bob"), answer: tim.Answer{Delivery: tim.Lost}, rest: InDoubt},
		"too often":                     {claim: claimed(tim.RemoveAllTags, "ann"), answer: code(60007), rest: Waiting},
		"arrears":                       {claim: claimed(tim.RemoveAllTags, "ann"), answer: code(60020), rest: Waiting, halt: 60020},
		"one of several is bad":         {claim: claimed(tim.RemoveAllTags, "ann", "bob"), answer: code(70107), rest: Waiting, parts: 2},
		"the one is bad":                {claim: claimed(tim.RemoveAllTags, "bob"), answer: code(70107), rest: Failed},
		"too many accounts":             {claim: claimed(tim.RemoveAllTags, "ann", "bob"), answer: code(90018), rest: Waiting, parts: 2},
		"one is too many":               {claim: claimed(tim.RemoveAllTags, "ann"), answer: code(90018), rest: Waiting, halt: 90018},
		"read: all clear":               {claim: claimed(tim.GetTags, "ann", "cid"), answer: code(0), tags: tags, rest: Cleared},
		"read: one has tags":            {claim: claimed(tim.GetTags, "ann", "bob"), answer: code(0), tags: tags, rest: Waiting, own: []Own{{Seq: 1, Outcome: Cleared}}},
		"read: one is left out":         {claim: claimed(tim.GetTags, "ann", "dot"), answer: code(0), tags: tags, rest: Waiting, own: []Own{{Seq: 1, Outcome: Cleared}}},
		"read: one is unknown":          {claim: claimed(tim.GetTags, "ann", "bob"), answer: partial, tags: tags, rest: Cleared, own: []Own{{2, Failed, 70107, "absent"}}},
		"read: one could not be read":   {claim: claimed(tim.GetTags, "ann", "bob"), answer: transient, tags: tags, rest: InDoubt, own: []Own{{Seq: 1, Outcome: Cleared}}},
		"read: server error":            {claim: claimed(tim.GetTags, "ann"), answer: code(91000), rest: InDoubt},
		"read: answer lost":             {claim: claimed(tim.GetTags, "ann"), answer: tim.Answer{Delivery: tim.Lost}, rest: InDoubt},
		"read: one of several is bad":   {claim: claimed(tim.GetTags, "ann", "bob"), answer: code(70107), rest: InDoubt, parts: 2},
		"read: the one is bad":          {claim: claimed(tim.GetTags, "bob"), answer: code(70107), rest: Failed},
		"read: not the account's fault": {claim: claimed(tim.GetTags, "ann"), answer: code(90001), rest: InDoubt},
		"read: arrears":                 {claim: claimed(tim.GetTags, "ann"), answer: code(60020), rest: InDoubt, halt: 60020},
		"read: not allowed to us":       {claim: claimed(tim.GetTags, "ann", "bob"), answer: code(60027), rest: InDoubt, ask: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := decide(test.claim, test.answer, test.tags, 5*time.Second, &past{})
			require.Equal(t, test.rest, s.Rest)
			require.ElementsMatch(t, test.own, s.Own)
			require.Equal(t, test.parts, s.Parts)
			require.Equal(t, test.halt, s.Halt)
			require.Equal(t, test.ask, s.Ask)
		})
	}
}

func TestRetriesFollowTheAccountsCode(t *testing.T) {
	refused := code(0)
	refused.AccountErrors = []tim.AccountError{{Account: "bob", Code: 91000, Info: "busy"}}
	c := claimed(tim.RemoveAllTags, "bob")
	c.Tries, c.LastCode = 10, 0 // the service could not be reached for a while
	s := decide(c, refused, nil, 0, &past{})
	require.Equal(t, Waiting, s.Rest)
	require.Equal(t, 91000, s.Code)
	require.Equal(t, 1, s.Tries)
}

func TestReadBackBacksOffWhenRefused(t *testing.T) {
	s := decide(claimed(tim.GetTags, "ann"), code(70013), nil, 0, &past{})
	require.Equal(t, 70013, s.Halt)
	require.Equal(t, time.Minute, s.Hold, "a cancelled job cannot be halted, and is read back all the same")
}

func TestDecideEveryCodeForEveryAccount(t *testing.T) {
	for _, n := range append(tim.Codes(), 0, 123456) {
		for _, command := range []tim.Command{tim.RemoveAllTags, tim.GetTags} {
			for tries := range 12 {
				c := claimed(command, "ann", "bob")
				c.Tries, c.LastCode = tries, n
				s := decide(c, code(n), nil, 5*time.Second, &past{})
				require.Contains(t, []Outcome{Waiting, InDoubt, Cleared, Failed}, s.Rest, "code %d", n)
				require.False(t, command == tim.GetTags && n != 0 && s.Rest == Waiting, "code %d would send again what was not read back", n)
				require.False(t, s.Rest == Cleared && n != 0, "code %d", n)
			}
		}
	}
}

func TestReadBackWaitsForLostCallToExpire(t *testing.T) {
	s := decide(claimed(tim.RemoveAllTags, "ann"), tim.Answer{Delivery: tim.Lost}, nil, 5*time.Second, &past{})
	require.Equal(t, 5*time.Second, s.Wait)
}

func TestRetriesBackOffThenAskAPerson(t *testing.T) {
	c := claimed(tim.RemoveAllTags, "ann")
	var last time.Duration
	for try := 0; ; try++ {
		s := decide(c, code(91000), nil, 0, &past{})
		if s.Halt != 0 {
			require.Equal(t, 10, try)
			return
		}
		wait := s.Wait
		require.GreaterOrEqual(t, wait, min(longestWait, firstBackOff<<try)/2)
		require.LessOrEqual(t, wait, longestWait)
		require.GreaterOrEqual(t, wait, last/2)
		last, c.Tries, c.LastCode = wait, s.Tries, s.Code
	}
}

func TestRetriesOfUserSigCountSeparately(t *testing.T) {
	c := claimed(tim.RemoveAllTags, "ann")
	c.Tries, c.LastCode = 5, 91000
	s := decide(c, code(70001), nil, 0, &past{})
	require.Zero(t, s.Halt, "an expired signature is renewed once")
	c.Tries, c.LastCode = s.Tries, s.Code
	require.Equal(t, 70001, decide(c, code(70001), nil, 0, &past{}).Halt)
}

func TestAdminLockoutStopsCallsForAMinute(t *testing.T) {
	s := decide(claimed(tim.RemoveAllTags, "ann"), code(70050), nil, 0, &past{})
	require.Equal(t, time.Minute, s.Hold)
	require.True(t, s.HoldAll)
}

func TestSplitStopsWhenAllAreBad(t *testing.T) {
	c := claimed(tim.RemoveAllTags, "ann", "bob", "cid")
	c.Refused = badThroughout - 2
	require.Equal(t, 2, decide(c, code(70107), nil, 0, &past{}).Parts)
	c.Refused++
	require.Equal(t, 3, decide(c, code(70107), nil, 0, &past{}).Parts, "each account alone")
	require.Equal(t, 2, decide(c, code(90011), nil, 0, &past{}).Parts, "too many accounts say nothing about any of them")
	c.Accepted = 1
	require.Equal(t, 2, decide(c, code(70107), nil, 0, &past{}).Parts)
}

// sentAgain is a reading of accounts whose tags were read before.
func sentAgain(accounts ...string) Claim {
	c := claimed(tim.GetTags, accounts...)
	c.Known = map[int64][]string{}
	for _, p := range c.Accounts {
		c.Known[p.Seq] = []string{"vip", "gold"}
	}
	return c
}

func TestReadBackWithNewTagsAsksAPerson(t *testing.T) {
	tags := map[string][]string{"ann": {"vip"}, "bob": {"vip", "new"}, "cid": {}}

	s := decide(sentAgain("ann"), code(0), tags, 0, &past{})
	require.Equal(t, Waiting, s.Rest, "no tag is new")
	require.Empty(t, s.Found, "what it had before is known, and more than this")

	s = decide(sentAgain("bob", "cid"), code(0), tags, 0, &past{})
	require.Equal(t, InDoubt, s.Rest)
	require.True(t, s.Ask)
	require.Empty(t, s.Found, "a new tag must not become a known one")
	require.Equal(t, []Own{{Seq: 2, Outcome: Cleared}}, s.Own)

	s = decide(sentAgain("ann", "bob", "cid"), code(0), tags, 0, &past{})
	require.Equal(t, InDoubt, s.Rest)
	require.False(t, s.Ask, "ann needs no person")
	require.Equal(t, 2, s.Parts)
	require.Empty(t, s.Own, "both parts are read again")
}

// Whatever tags are read, halving ends with every account decided, and no
// account with new tags is ever sent again.
func TestSplitIsolatesAccountsWithNewTags(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var accounts []string
		tags := map[string][]string{}
		for n := range rapid.IntRange(1, 100).Draw(r, "accounts") {
			account := strconv.Itoa(n)
			accounts = append(accounts, account)
			tags[account] = rapid.SampledFrom([][]string{{}, {"vip"}, {"vip", "new"}}).Draw(r, "tags")
		}
		open, calls := []Claim{sentAgain(accounts...)}, 0
		outcomes := map[string]Outcome{}
		for len(open) > 0 {
			c := open[0]
			open = open[1:]
			calls++
			s := decide(c, code(0), tags, 0, &past{})
			if s.Parts == 2 {
				half := len(c.Accounts) / 2
				first, second := c, c
				first.Accounts, second.Accounts = c.Accounts[:half], c.Accounts[half:]
				open = append(open, first, second)
				continue
			}
			for _, p := range c.Accounts {
				outcomes[p.Account] = s.Rest
			}
			for _, own := range s.Own {
				outcomes[accounts[own.Seq-1]] = own.Outcome
			}
			require.Equal(r, s.Ask, s.Rest == InDoubt)
		}
		for account, has := range tags {
			require.Equal(r, []Outcome{Cleared, Waiting, InDoubt}[len(has)], outcomes[account])
		}
		require.LessOrEqual(r, calls, 2*len(accounts))
	})
}

func TestBackOffIsSpreadAndCapped(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := claimed(tim.RemoveAllTags, "ann")
		c.Probe = true // for which nothing is too often
		c.Tries, c.LastCode = rapid.IntRange(0, 1_000_000).Draw(r, "tries"), 91000
		s := decide(c, code(91000), nil, 0, &past{})
		require.Equal(r, c.Tries+1, s.Tries)
		full := min(longestWait, firstBackOff<<min(c.Tries, 20))
		require.GreaterOrEqual(r, s.Wait, full/2)
		require.Less(r, s.Wait, full)
	})
}

func TestUnknownCodeIsShownAndIsNoOutage(t *testing.T) {
	var b past
	for range 3 * outageAfter {
		require.Zero(t, decide(claimed(tim.RemoveAllTags, "ann"), code(12345), nil, 0, &b).Halt)
	}
	c := claimed(tim.RemoveAllTags, "ann")
	c.Tries, c.LastCode = 3, 12345
	require.Equal(t, 12345, decide(c, code(12345), nil, 0, &b).Halt)
}

func TestRetriesEndWhenCodesAlternate(t *testing.T) {
	for _, codes := range [][2]int{{12345, 12346}, {70001, 70002}, {90994, 91000}} {
		var b past
		c := claimed(tim.RemoveAllTags, "ann")
		halted := 0
		for n := 0; n < 2*outageAfter && halted == 0; n++ {
			s := decide(c, code(codes[n%2]), nil, 0, &b)
			c.Tries, c.LastCode, halted = s.Tries, s.Code, s.Halt
			b.calls, b.each = row{}, nil // other batches are well
		}
		require.NotZero(t, halted, "%v", codes)
	}
}
