package jobs

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/tim"
)

// verifying is a reading of accounts that are settled.
func verifying(kind Kind, accounts ...string) Claim {
	c := planning(kind, accounts...)
	c.Was, c.Verify, c.Touched = kind.Done(), true, true
	return c
}

func TestVerificationReopensMismatches(t *testing.T) {
	for _, kind := range []Kind{Clear, Restore, AddTags, RemoveTags} {
		t.Run(string(kind), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := newModel(t, kind)
				c := Claim{Command: tim.GetTags, Kind: kind, Was: kind.Done(), Verify: true, Wanted: m.wanted, Only: m.only, Accounts: m.parts[0].Accounts}
				m.run()
				answer, tags := code(0), map[string][]string{}
				var reopened []int64
				read := int64(0)
				for _, p := range c.Accounts {
					has := m.tags[p.Seq]
					if rapid.Bool().Draw(t, "changed") {
						has = someTags(t, "has now")
					}
					switch rapid.IntRange(0, 5).Draw(t, "how") {
					case 0:
						answer.AccountErrors = append(answer.AccountErrors, tim.AccountError{Account: p.Account, Code: 70107})
						continue
					case 1:
						has = nil // left out
					default:
						tags[p.Account] = has
					}
					read++
					for _, tag := range slices.Concat(modelTags, has) {
						wanted := kind == Clear || slices.Contains(m.wanted[p.Seq], tag) && (m.only == nil || slices.Contains(m.only, tag))
						there := slices.Contains(has, tag)
						if wanted && there != (kind == Restore || kind == AddTags) && !slices.Contains(reopened, p.Seq) {
							reopened = append(reopened, p.Seq)
						}
					}
				}
				s := decide(c, answer, tags, 0, &past{})
				require.Equal(t, kind.Done(), s.Rest)
				require.Empty(t, s.Next)
				require.Equal(t, read, s.Read)
				require.Equal(t, reopened, s.Reopen)
				require.Empty(t, s.Own)
				require.Empty(t, s.Found, "what there is now is not what was before")
			})
		})
	}
}

func TestVerificationFailureChangesNone(t *testing.T) {
	one := code(0)
	one.AccountErrors = []tim.AccountError{{Account: "bob", Code: 91000, Info: "busy"}}
	for name, test := range map[string]struct {
		answer tim.Answer
		tries  int
		next   tim.Command
		halt   int
		read   int64
	}{
		"server error":              {answer: code(91000), next: tim.GetTags},
		"server error, too often":   {answer: code(91000), tries: 10, next: tim.GetTags, halt: 91000},
		"the answer is lost":        {answer: tim.Answer{Delivery: tim.Lost}, next: tim.GetTags},
		"never left":                {answer: tim.Answer{Delivery: tim.NotSent}, next: tim.GetTags},
		"too frequent":              {answer: code(60007), next: tim.GetTags},
		"arrears":                   {answer: code(60020), next: tim.GetTags, halt: 60020},
		"reading is not allowed":    {answer: code(60027)},
		"an account is gone":        {answer: code(70107)},
		"too many accounts":         {answer: code(90011)},
		"not readable, or its JSON": {answer: code(90001)},
		"one could not be read":     {answer: one, next: tim.GetTags},
		"one can never be read":     {answer: one, tries: 10, read: 1},
	} {
		t.Run(name, func(t *testing.T) {
			for _, was := range []Outcome{Cleared, Failed, Untagged} { // others of the batch may have outcomes of their own
				c := verifying(Clear, "ann", "bob")
				c.Was, c.Tries = was, test.tries
				if was == Failed {
					c.LastCode = 70107
				}
				s := decide(c, test.answer, map[string][]string{"ann": {}}, 0, &past{blamed: map[tim.Command]map[int]int{tim.GetTags: {90001: 2}}})
				require.Equal(t, was, s.Rest)
				require.Equal(t, test.next, s.Next)
				require.Equal(t, test.halt, s.Halt)
				require.Equal(t, test.read, s.Read)
				require.Empty(t, s.Reopen)
				require.Zero(t, s.Parts)
				require.False(t, s.Ask)
				if s.Wait > 0 {
					require.Equal(t, test.tries+1, s.Tries, "it waits longer each time")
				}
				if s.Next == "" {
					require.Zero(t, s.Code)
					require.Empty(t, s.Message)
				}
			}
		})
	}
}
