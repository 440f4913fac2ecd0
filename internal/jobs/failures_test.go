package jobs

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestGatesFollowEachOther(t *testing.T) {
	var gates []int64
	for gate := Gates[0]; gate > 0; gate = NextGate(gate) {
		gates = append(gates, gate)
	}
	require.Equal(t, []int64{1, 10, 100, 1000}, gates)
	require.Zero(t, NextGate(0))
}

func TestFailuresAreJudgedByTheirShare(t *testing.T) {
	for name, test := range map[string]struct {
		f    Failures
		want Verdict
	}{
		"nothing is settled":                    {Failures{Gate: 1, Limit: 20}, NotYet},
		"the first account is cleared":          {Failures{Settled: 1, Gate: 1, GateSettled: true, Limit: 20}, Pass},
		"the first account failed":              {Failures{Settled: 1, Failed: 1, Gate: 1, GateSettled: true, Limit: 20}, TooMany},
		"two of nine":                           {Failures{Settled: 9, Failed: 2, Gate: 10, GateSettled: true, Limit: 20}, TooMany},
		"two of nine may fail":                  {Failures{Settled: 9, Failed: 2, Gate: 10, GateSettled: true, Limit: 23}, Pass},
		"the gate is not settled":               {Failures{Settled: 8, Failed: 2, Gate: 10, Limit: 20}, NotYet},
		"too many before the gate is":           {Failures{Settled: 3, Failed: 3, Gate: 10, Limit: 20}, TooMany},
		"behind the gates, exactly the limit":   {Failures{Settled: 1000, Failed: 200, Limit: 20}, Pass},
		"behind the gates, one more":            {Failures{Settled: 1000, Failed: 201, Limit: 20}, TooMany},
		"behind the gates, early":               {Failures{Settled: 300, Failed: 201, Limit: 20}, TooMany},
		"behind the gates, too early":           {Failures{Settled: 200, Failed: 200, Limit: 20}, NotYet},
		"many settled at once, share as before": {Failures{Settled: 6400, Failed: 1280, Limit: 20}, Pass},
		"never":                                 {Failures{Settled: 1000, Failed: 1000, Limit: 100}, Pass},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, test.f.Judge()) })
	}
}

func TestFailureLimitRaisedDoesNotReHalt(t *testing.T) {
	require.Zero(t, Failures{Settled: 99, Failed: 99}.Raised(20), "too few to know the list")
	rapid.Check(t, func(t *rapid.T) {
		settled := rapid.Int64Range(100, 10_000).Draw(t, "settled")
		f := Failures{Settled: settled, Failed: rapid.Int64Range(0, settled).Draw(t, "failed")}
		f.Limit = f.Raised(rapid.IntRange(1, 99).Draw(t, "limit"))
		require.LessOrEqual(t, f.Limit, 100)
		f.Settled, f.Failed = 10*f.Settled, 10*f.Failed
		require.Equal(t, Pass, f.Judge())
	})
}
