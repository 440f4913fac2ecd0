package jobs

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestFailuresAreJudgedByTheirShare(t *testing.T) {
	for name, test := range map[string]struct {
		p    Progress
		want Verdict
	}{
		"nothing is settled":             {Progress{Careful: true, Limit: 20}, GoOn},
		"the first batch is well":        {Progress{Careful: true, First: true, Settled: 100, Limit: 20}, Pass},
		"the first batch failed":         {Progress{Careful: true, First: true, Settled: 100, Failed: 100, Limit: 20}, TooMany},
		"exactly the limit of it":        {Progress{Careful: true, First: true, Settled: 100, Failed: 20, Limit: 20}, Pass},
		"one more":                       {Progress{Careful: true, First: true, Settled: 100, Failed: 21, Limit: 20}, TooMany},
		"a short first batch":            {Progress{Careful: true, First: true, Settled: 9, Failed: 2, Limit: 20}, TooMany},
		"two of nine may fail":           {Progress{Careful: true, First: true, Settled: 9, Failed: 2, Limit: 23}, Pass},
		"the first batch is not settled": {Progress{Careful: true, Settled: 20, Failed: 20, Limit: 20}, GoOn},
		"too many before it is":          {Progress{Careful: true, Settled: 21, Failed: 21, Limit: 20}, TooMany},
		"after it, exactly the limit":    {Progress{Settled: 1000, Failed: 200, Limit: 20}, Pass},
		"after it, one more":             {Progress{Settled: 1000, Failed: 201, Limit: 20}, TooMany},
		"after it, early":                {Progress{Settled: 300, Failed: 201, Limit: 20}, TooMany},
		"after it, too early":            {Progress{Settled: 200, Failed: 200, Limit: 20}, GoOn},
		"many settled at once":           {Progress{Settled: 6400, Failed: 1280, Limit: 20}, Pass},
		"never":                          {Progress{Settled: 1000, Failed: 1000, Limit: 100}, Pass},
		"halted for the service":         {Progress{State: Halted, HaltCode: CodeDown, Settled: 1000, Failed: 201, Limit: 20}, TooMany},
		"halted for it, its first batch well": {Progress{State: Halted, HaltCode: CodeDown, Careful: true, First: true,
			Settled: 100, Limit: 20}, Pass},
		"halted for a person":              {Progress{State: Halted, HaltCode: 60020, Settled: 1000, Failed: 201, Limit: 20}, GoOn},
		"paused":                           {Progress{State: Paused, Settled: 1000, Failed: 201, Limit: 20}, GoOn},
		"cancelled, and some wait":         {Progress{State: Cancelled, Waiting: 1}, Drop},
		"cancelled, and some are in doubt": {Progress{State: Cancelled, Waiting: -1}, GoOn},
	} {
		t.Run(name, func(t *testing.T) {
			p := test.p
			if p.State == "" {
				p.State = Running
			}
			p.Open = 1
			p.Waiting = max(0, p.Waiting)
			require.Equal(t, test.want, p.Judge())
		})
	}
}

func TestAJobEndsWithItsLastAccount(t *testing.T) {
	for _, state := range []State{Queued, Running, Paused, Halted, Cancelled} {
		require.Equal(t, End, Progress{State: state, Settled: 100, Failed: 100, Limit: 20}.Judge(), "however it stands: %s", state)
	}
}

func TestFailuresAreJudgedOnceCertain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 100).Draw(t, "limit")
		careful := rapid.Bool().Draw(t, "careful")
		window := judgedAnew
		if careful {
			window = BatchSize
		}
		bad := rapid.IntRange(0, window).Draw(t, "bad")
		var verdict Verdict
		settled, failed := 0, 0
		for verdict == GoOn {
			settled++
			if rapid.IntRange(1, window-settled+1).Draw(t, "which") <= bad-failed {
				failed++
			}
			verdict = Progress{State: Running, Open: 1, Settled: int64(settled), Failed: int64(failed), Limit: limit,
				Careful: careful, First: settled == window}.Judge()
		}
		require.Equal(t, limit < 100 && bad*100 > limit*window, verdict == TooMany, "the same as if all had been waited for")
	})
}

func TestALimitRaisedDoesNotHaltAgain(t *testing.T) {
	require.Zero(t, Progress{Settled: 99, Failed: 99}.Raised(20), "too few to know the list")
	rapid.Check(t, func(t *rapid.T) {
		settled := rapid.Int64Range(100, 10_000).Draw(t, "settled")
		p := Progress{State: Running, Open: 1, Settled: settled, Failed: rapid.Int64Range(0, settled).Draw(t, "failed")}
		p.Limit = p.Raised(rapid.IntRange(1, 99).Draw(t, "limit"))
		require.LessOrEqual(t, p.Limit, 100)
		p.Settled, p.Failed = 10*p.Settled, 10*p.Failed
		require.Equal(t, Pass, p.Judge())
	})
}
