package tim

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// classes repeats docs/tim-api.md section 3: what each code asks for, from the
// first time on.
var classes = map[int][]Class{
	60002: {Halt}, 60009: {Halt}, 60025: {Halt},
	60003: {Account}, 90001: {Account},
	60004: {SignAgain, Retry, Retry, Retry, Account}, 60005: {SignAgain, Retry, Retry, Retry, Account},
	60006: {Halt}, 60012: {Halt}, 60016: {Halt}, 60017: {Halt}, 60026: {Halt}, 60027: {Halt},
	60007: {Slow}, 60011: {Slow}, 60018: {Slow}, 60019: {Slow},
	60008: append(slices.Repeat([]Class{Retry}, 10), Account),
	60010: {Halt}, 70403: {Halt}, 90009: {Halt},
	60013: {Retry, Retry, Retry, Halt},
	60014: append(slices.Repeat([]Class{Retry}, 10), Halt),
	60015: {Account},
	60020: {Halt}, 60021: {Halt}, 60028: {Halt},
	70001: {SignAgain, Halt},
	70002: {SignAgain, Halt}, 70003: {SignAgain, Halt}, 70005: {SignAgain, Halt},
	70009: {Halt}, 70013: {Halt}, 70014: {Halt}, 70016: {Halt}, 70020: {Halt}, 70051: {Halt},
	70050: {WaitMinute, Halt},
	70107: {Account}, 90003: {Account}, 90012: {Account}, 90048: {Account}, 70402: {Account},
	70169: append(slices.Repeat([]Class{Retry}, 10), Halt), 70202: append(slices.Repeat([]Class{Retry}, 10), Halt),
	70500: append(slices.Repeat([]Class{Retry}, 10), Halt), 90992: append(slices.Repeat([]Class{Retry}, 10), Halt),
	90994: append(slices.Repeat([]Class{Retry}, 10), Halt), 90995: append(slices.Repeat([]Class{Retry}, 10), Halt),
	91000: append(slices.Repeat([]Class{Retry}, 10), Halt),
	70206: {Split}, 90011: {Split}, 90018: {Split},
	70398: {Halt}, 72000: {Halt}, 72002: {Halt},
	90045: {Halt},
	90020: {Account}, 90034: {Account}, 90032: {Account},

	12345: {Retry, Retry, Retry, Halt}, -1: {Retry, Retry, Retry, Halt}, // not in the table
	0: {OK},
}

func TestEveryCodeHasItsClass(t *testing.T) {
	for code, want := range classes {
		rule := RuleOf(code)
		for tries, class := range want {
			require.Equal(t, class, rule.After(tries), "code %d, sent again %d times", code, tries)
		}
		require.Equal(t, want[len(want)-1], rule.After(1000), "code %d must end in its last class", code)
	}
	for _, code := range Codes() {
		require.Contains(t, classes, code)
	}
	require.Len(t, Codes(), len(classes)-3)
	require.True(t, slices.IsSorted(Codes()))
}

func TestNoCodeIsInTheTableTwice(t *testing.T) {
	seen := map[int]bool{}
	for _, row := range table {
		for _, code := range row.codes {
			require.False(t, seen[code], "code %d", code)
			seen[code] = true
		}
	}
}

func TestAdminLockoutLastsAMinute(t *testing.T) {
	require.Equal(t, time.Minute, RuleOf(70050).Wait)
}

func TestUnparsedJSONBlamesAccountsSoOften(t *testing.T) {
	require.Equal(t, 3, RuleOf(60003).MaxSingles)
	require.Equal(t, 3, RuleOf(90001).MaxSingles)
	require.Zero(t, RuleOf(70107).MaxSingles)
}

func TestRuleFollowsDelivery(t *testing.T) {
	for delivery, want := range map[Delivery]Class{NotSent: Retry, Lost: InDoubt, Answered: Halt, 0: InDoubt} {
		answer := Answer{Delivery: delivery, Code: 60020}
		require.Equal(t, want, answer.Rule().After(1000), delivery.String())
	}
	require.Equal(t, OK, Answer{Delivery: Answered}.Rule().Class)
	require.False(t, Answer{Delivery: Lost}.OK())
	require.False(t, Answer{Delivery: NotSent}.OK())
}

func TestEveryClassHasItsName(t *testing.T) {
	require.Equal(t, "ok", OK.String())
	require.Equal(t, "in_doubt", InDoubt.String())
	require.Equal(t, "lost", Lost.String())
}
