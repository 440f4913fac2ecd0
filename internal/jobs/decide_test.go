package jobs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
)

var now = time.Unix(1_800_000_000, 0)

func claimed(command tim.Command, accounts ...string) Claim {
	c := Claim{Command: command}
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
		split  bool
		halt   bool
	}{
		"accepted":                      {claim: claimed(tim.RemoveAllTags, "ann", "bob"), answer: code(0), rest: Cleared},
		"accepted but for one":          {claim: claimed(tim.RemoveAllTags, "ann", "bob"), answer: partial, rest: Cleared, own: []Own{{2, Failed, 70107, "absent"}}},
		"accepted, one again":           {claim: claimed(tim.RemoveAllTags, "ann", "bob"), answer: transient, rest: Waiting, own: []Own{{Seq: 1, Outcome: Cleared}}},
		"server error":                  {claim: claimed(tim.RemoveAllTags, "ann", "bob"), answer: code(91000), rest: Waiting},
		"never left":                    {claim: claimed(tim.RemoveAllTags, "ann"), answer: tim.Answer{Delivery: tim.NotSent}, rest: Waiting},
		"answer lost":                   {claim: claimed(tim.RemoveAllTags, "ann", "bob"), answer: tim.Answer{Delivery: tim.Lost}, rest: InDoubt},
		"too often":                     {claim: claimed(tim.RemoveAllTags, "ann"), answer: code(60007), rest: Waiting},
		"arrears":                       {claim: claimed(tim.RemoveAllTags, "ann"), answer: code(60020), rest: Waiting, halt: true},
		"one of several is bad":         {claim: claimed(tim.RemoveAllTags, "ann", "bob"), answer: code(70107), rest: Waiting, split: true},
		"the one is bad":                {claim: claimed(tim.RemoveAllTags, "bob"), answer: code(70107), rest: Failed},
		"too many accounts":             {claim: claimed(tim.RemoveAllTags, "ann", "bob"), answer: code(90018), rest: Waiting, split: true},
		"one is too many":               {claim: claimed(tim.RemoveAllTags, "ann"), answer: code(90018), rest: Waiting, halt: true},
		"read: all clear":               {claim: claimed(tim.GetTags, "ann", "cid"), answer: code(0), tags: tags, rest: Cleared},
		"read: one has tags":            {claim: claimed(tim.GetTags, "ann", "bob"), answer: code(0), tags: tags, rest: Waiting, own: []Own{{Seq: 1, Outcome: Cleared}}},
		"read: one is left out":         {claim: claimed(tim.GetTags, "ann", "dot"), answer: code(0), tags: tags, rest: Waiting, own: []Own{{Seq: 1, Outcome: Cleared}}},
		"read: one is unknown":          {claim: claimed(tim.GetTags, "ann", "bob"), answer: partial, tags: tags, rest: Cleared, own: []Own{{2, Failed, 70107, "absent"}}},
		"read: one could not be read":   {claim: claimed(tim.GetTags, "ann", "bob"), answer: transient, tags: tags, rest: InDoubt, own: []Own{{Seq: 1, Outcome: Cleared}}},
		"read: server error":            {claim: claimed(tim.GetTags, "ann"), answer: code(91000), rest: InDoubt},
		"read: answer lost":             {claim: claimed(tim.GetTags, "ann"), answer: tim.Answer{Delivery: tim.Lost}, rest: InDoubt},
		"read: one of several is bad":   {claim: claimed(tim.GetTags, "ann", "bob"), answer: code(70107), rest: InDoubt, split: true},
		"read: the one is bad":          {claim: claimed(tim.GetTags, "bob"), answer: code(70107), rest: Failed},
		"read: not the account's fault": {claim: claimed(tim.GetTags, "ann"), answer: code(90001), rest: InDoubt},
		"read: arrears":                 {claim: claimed(tim.GetTags, "ann"), answer: code(60020), rest: InDoubt, halt: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := decide(test.claim, test.answer, test.tags, now, 5*time.Second, &blame{})
			require.Equal(t, test.rest, s.Rest)
			require.ElementsMatch(t, test.own, s.Own)
			require.Equal(t, test.split, s.Split)
			require.Equal(t, test.halt, s.Halt)
		})
	}
}

func TestAnAccountIsRetriedAsOftenAsItsOwnCodeAllows(t *testing.T) {
	refused := code(0)
	refused.AccountErrors = []tim.AccountError{{Account: "bob", Code: 91000, Info: "busy"}}
	c := claimed(tim.RemoveAllTags, "bob")
	c.Tries, c.LastCode = 10, 0 // the service could not be reached for a while
	s := decide(c, refused, nil, now, 0, &blame{})
	require.Equal(t, Waiting, s.Rest)
	require.Equal(t, 91000, s.Code)
	require.Equal(t, 1, s.Tries)
}

func TestReadingBackDoesNotHammerAServiceThatRefusesIt(t *testing.T) {
	s := decide(claimed(tim.GetTags, "ann"), code(70013), nil, now, 0, &blame{})
	require.True(t, s.Halt)
	require.Equal(t, now.Add(time.Minute), s.Hold, "a cancelled job cannot be halted, and is read back all the same")
}

func TestEveryCodeOfTheServiceLeavesNoAccountUndecided(t *testing.T) {
	for _, n := range append(tim.Codes(), 0, 123456) {
		for _, command := range []tim.Command{tim.RemoveAllTags, tim.GetTags} {
			for tries := range 12 {
				c := claimed(command, "ann", "bob")
				c.Tries, c.LastCode = tries, n
				s := decide(c, code(n), nil, now, 5*time.Second, &blame{})
				require.Contains(t, []Outcome{Waiting, InDoubt, Cleared, Failed}, s.Rest, "code %d", n)
				require.False(t, command == tim.GetTags && n != 0 && s.Rest == Waiting, "code %d would send again what was not read back", n)
				require.False(t, s.Rest == Cleared && n != 0, "code %d", n)
			}
		}
	}
}

func TestALostCallIsReadBackOnlyWhenItCanNoLongerTakeEffect(t *testing.T) {
	s := decide(claimed(tim.RemoveAllTags, "ann"), tim.Answer{Delivery: tim.Lost}, nil, now, 5*time.Second, &blame{})
	require.Equal(t, now.Add(5*time.Second), s.NotBefore)
}

func TestRetriesWaitLongerEachTimeAndThenAskAPerson(t *testing.T) {
	c := claimed(tim.RemoveAllTags, "ann")
	var last time.Duration
	for try := 0; ; try++ {
		s := decide(c, code(91000), nil, now, 0, &blame{})
		if s.Halt {
			require.Equal(t, 10, try)
			return
		}
		wait := s.NotBefore.Sub(now)
		require.GreaterOrEqual(t, wait, min(longestWait, firstBackOff<<try)/2)
		require.LessOrEqual(t, wait, longestWait)
		require.GreaterOrEqual(t, wait, last/2)
		last, c.Tries, c.LastCode = wait, s.Tries, s.Code
	}
}

func TestOtherTroublesDoNotCountAgainstASignature(t *testing.T) {
	c := claimed(tim.RemoveAllTags, "ann")
	c.Tries, c.LastCode = 5, 91000
	s := decide(c, code(70001), nil, now, 0, &blame{})
	require.False(t, s.Halt, "an expired signature is renewed once")
	c.Tries, c.LastCode = s.Tries, s.Code
	require.True(t, decide(c, code(70001), nil, now, 0, &blame{}).Halt)
}

func TestALockedOutAdminCallsNothingForAMinute(t *testing.T) {
	s := decide(claimed(tim.RemoveAllTags, "ann"), code(70050), nil, now, 0, &blame{})
	require.Equal(t, now.Add(time.Minute), s.Hold)
	require.True(t, s.HoldAll)
}

func TestACodeGivenToSeveralSingleAccountsInARowIsNotTheirs(t *testing.T) {
	var b blame
	single := func(answer tim.Answer) Settlement {
		return decide(claimed(tim.RemoveAllTags, "ann"), answer, nil, now, 0, &b)
	}
	require.Equal(t, Failed, single(code(90001)).Rest)
	require.Equal(t, Failed, single(code(90001)).Rest)
	require.Equal(t, Cleared, single(code(0)).Rest, "a success in between: they were to blame")
	require.Equal(t, Failed, single(code(90001)).Rest)
	require.Equal(t, Failed, single(code(90001)).Rest)
	s := single(code(90001))
	require.Equal(t, Waiting, s.Rest)
	require.True(t, s.Halt)
}
