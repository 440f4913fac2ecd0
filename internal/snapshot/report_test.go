package snapshot

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestReportCountsAccountsAndTags(t *testing.T) {
	var r Report
	require.Empty(t, r.Tags())
	r.Add([]Account{{1, []string{"vip", "gold", "vip"}}, {2, nil}, {3, []string{"gold", "beta"}}}, 2)
	r.Add([]Account{{4, []string{"gold", "alpha"}}, {5, []string{}}}, 0)
	require.Equal(t, []TagCount{{"gold", 3}, {"alpha", 1}, {"beta", 1}, {"vip", 1}}, r.Tags())
	require.Equal(t, []int64{7, 3, 2, 2, 6, 0}, []int64{r.Accounts, r.Tagged, r.Untagged, r.Unknown, r.Assignments, r.Others})
	require.Equal(t, 4, r.Distinct())
}

func TestReportIsTheSameInAnyMergeOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batches := rapid.SliceOfN(anyAccounts(8, 6), 0, 8).Draw(t, "batches")
		parts := make([]Report, 3)
		var whole, merged Report
		for i, accounts := range batches {
			whole.Add(accounts, int64(i))
			parts[rapid.IntRange(0, 2).Draw(t, "part")].Add(accounts, int64(i))
		}
		for _, i := range rapid.Permutation([]int{0, 1, 2}).Draw(t, "order") {
			merged.Merge(&parts[i])
		}
		if whole.Distinct() == 0 {
			whole.listed, merged.listed = nil, nil
		}
		require.Equal(t, whole, merged)

		want := map[string]int64{}
		for _, account := range kept(slices.Concat(batches...)) {
			for _, tag := range account.Tags {
				want[tag]++
			}
		}
		require.Len(t, merged.Tags(), len(want))
		for _, count := range merged.Tags() {
			require.Equal(t, want[count.Tag], count.Accounts)
		}
	})
}

func TestReportIsTheSameAfterItWasStored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r, again Report
		for _, accounts := range rapid.SliceOfN(anyAccounts(8, 6), 0, 4).Draw(t, "batches") {
			r.Add(accounts, rapid.Int64Range(0, 3).Draw(t, "unknown"))
		}
		r.Others = rapid.Int64Range(0, 1_000_000).Draw(t, "others")
		text, err := json.Marshal(r)
		require.NoError(t, err)
		require.NotContains(t, string(text), "\x00")
		require.NoError(t, json.Unmarshal(text, &again))
		if r.Distinct() == 0 {
			r.listed = nil
		}
		require.Equal(t, r, again)
	})
}

func TestStoredReportHasTheseNames(t *testing.T) {
	var r Report
	r.Add([]Account{{1, []string{"会员", "vip"}}, {2, []string{"vip", "<a>"}}, {3, nil}}, 4)
	text, err := json.Marshal(&r)
	require.NoError(t, err)
	require.JSONEq(t, `{"accounts":7,"tagged":2,"untagged":1,"unknown":4,"assignments":4,"others":0,
		"tags":[{"tag":"vip","accounts":2},{"tag":"<a>","accounts":1},{"tag":"会员","accounts":1}]}`, string(text))
	require.Error(t, json.Unmarshal([]byte(`[]`), &r))
}

func TestSumsOfAReportAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r Report
		for _, accounts := range rapid.SliceOfN(anyAccounts(10, 6), 0, 6).Draw(t, "batches") {
			r.Add(accounts, rapid.Int64Range(0, 100).Draw(t, "unknown"))
		}
		if rapid.Bool().Draw(t, "twice") {
			r.Merge(&r)
		}
		require.Equal(t, r.Accounts, r.Tagged+r.Untagged+r.Unknown)
		sum := r.Others
		list := r.Tags()
		for i, count := range list {
			sum += count.Accounts
			require.LessOrEqual(t, count.Accounts, r.Tagged)
			if i > 0 {
				before := list[i-1]
				require.True(t, before.Accounts > count.Accounts || before.Accounts == count.Accounts && before.Tag < count.Tag)
			}
		}
		require.Equal(t, r.Assignments, sum)
	})
}

func TestReportCountsExcessTagsAsOthers(t *testing.T) {
	var r, other Report
	for i := range int64(maxListed) + 500 {
		r.Add([]Account{{i, []string{fmt.Sprint("tag", i), "everyone"}}}, 0)
	}
	require.Equal(t, maxListed, r.Distinct())
	require.EqualValues(t, 501, r.Others, "one place of the list is everyone's")
	require.Equal(t, TagCount{"everyone", maxListed + 500}, r.Tags()[0], "the count of a listed tag is exact")

	other.Add([]Account{{1, []string{"new", "everyone"}}}, 0)
	r.Merge(&other)
	require.EqualValues(t, 502, r.Others)
	require.EqualValues(t, maxListed+501, r.Tags()[0].Accounts)
	require.Equal(t, maxListed, r.Distinct())
}

func TestLongTagsDoNotFillTheMemory(t *testing.T) {
	var r Report
	long := strings.Repeat("x", 1<<20)
	for i := range int64(100) {
		r.Add([]Account{{i, []string{fmt.Sprint(i, long)}}}, 0)
	}
	require.LessOrEqual(t, r.Distinct(), maxListedBytes>>20)
	require.EqualValues(t, 100-r.Distinct(), r.Others)
	require.EqualValues(t, 100, r.Assignments)
}
