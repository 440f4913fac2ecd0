package jobs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/jobs"
)

func TestPlannedBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := jobs.PlannedBatch{Number: rapid.Int64Range(1, 1<<40).Draw(t, "number"), Accounts: []jobs.Planned{}}
		var last jobs.Planned
		for range rapid.IntRange(0, jobs.BatchSize).Draw(t, "size") {
			last = jobs.Planned{
				Row:     last.Row + rapid.Int64Range(1, 3).Draw(t, "row"),
				Line:    last.Line + rapid.Int64Range(0, 3).Draw(t, "line"),
				Account: rapid.StringMatching(`[ -~]{1,64}`).Draw(t, "account"),
			}
			b.Accounts = append(b.Accounts, last)
		}
		read, err := jobs.ReadPlannedBatch(b.Number, b.Text())
		require.NoError(t, err)
		require.Equal(t, b, read)
	})
}

func TestNamesRoundTripAndLookup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		accounts := slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.StringMatching(`[ -~]{1,3}`), 0, 50).Draw(t, "accounts"))))
		names := jobs.Names{}
		for i, account := range accounts {
			names = append(names, jobs.Named{Account: account, Row: int64(i)*3 + 1})
		}
		read, err := jobs.ReadNames(names.Text())
		require.NoError(t, err)
		require.Equal(t, names, read)
		for _, account := range append([]string{"", "longer than any", "a\t1", "a\n"}, accounts...) {
			row, err := jobs.RowIn(names.Text(), account)
			require.NoError(t, err)
			at := slices.IndexFunc(names, func(n jobs.Named) bool { return n.Account == account })
			require.Equal(t, at >= 0, row > 0)
			if at >= 0 {
				require.Equal(t, names[at].Row, row)
			}
		}
		for _, prefix := range append([]string{"", "a", "zzzz", "a\t", "\n"}, accounts...) {
			var like []string
			for _, account := range accounts {
				if strings.HasPrefix(account, prefix) {
					like = append(like, account)
				}
			}
			require.Equal(t, like, slices.Collect(jobs.NamesLike(names.Text(), prefix)))
		}
	})
}

func FuzzReadPlannedBatch(f *testing.F) {
	f.Add("\t1\t2\tann\nbob\n\t7\t9\tcid\n")
	f.Add("\t1\tann\n")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := jobs.ReadPlannedBatch(1, text)
		if err == nil {
			require.Len(t, b.Accounts, strings.Count(text, "\n")+lastWithoutEnd(text))
		}
	})
}

func FuzzReadNames(f *testing.F) {
	f.Add("ann\t1\nbob\t2\n")
	f.Add("ann\n")
	f.Fuzz(func(t *testing.T, text string) {
		names, err := jobs.ReadNames(text)
		if err == nil {
			require.Len(t, names, strings.Count(text, "\n")+lastWithoutEnd(text))
		}
	})
}

func lastWithoutEnd(text string) int {
	if text == "" || strings.HasSuffix(text, "\n") {
		return 0
	}
	return 1
}
