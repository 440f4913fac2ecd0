package snapshot

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/tim"
)

// anyTag draws tags of any letters, the empty one and repeated ones among them.
func anyTag() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom([]string{"vip", "gold", "会员", "", "\x00", "\ufffd", "<a&b>", "\u2028", "a,b",
		"city-shanghai", "city-singapore"}), rapid.String())
}

// anyAccounts draws a batch: ascending places, some of which are missing.
func anyAccounts(most, tags int) *rapid.Generator[[]Account] {
	return rapid.Custom(func(t *rapid.T) []Account {
		first := rapid.OneOf(rapid.Int64Range(0, 200), rapid.Int64Range(0, 1<<53)).Draw(t, "first")
		seqs := rapid.SliceOfNDistinct(rapid.Int64Range(first, first+MaxAccounts-1), 0, most, rapid.ID[int64]).Draw(t, "places")
		slices.Sort(seqs)
		accounts := make([]Account, len(seqs))
		for i, seq := range seqs {
			accounts[i] = Account{seq, rapid.SliceOfN(anyTag(), 0, tags).Draw(t, "tags")}
		}
		return accounts
	})
}

// kept is what a snapshot keeps of accounts: tags once, none as nil.
func kept(accounts []Account) []Account {
	out := make([]Account, len(accounts))
	for i, account := range accounts {
		out[i].Seq = account.Seq
		for _, tag := range account.Tags {
			if !slices.Contains(out[i].Tags, tag) {
				out[i].Tags = append(out[i].Tags, tag)
			}
		}
	}
	return out
}

// names makes tags as companies name them.
func names(n int) []string {
	groups := []string{"city", "campaign", "lang", "plan", "segment", "device", "source", "interest", "region", "会员"}
	tags := make([]string, n)
	for i := range tags {
		tags[i] = fmt.Sprintf("%s-%03d", groups[i%len(groups)], i)
	}
	return tags
}

// batch draws accounts with least to most of some tags.
func batch(dice *rand.Rand, tags []string, accounts, least, most int) []Account {
	drawn := make([]Account, accounts)
	for i := range drawn {
		order := dice.Perm(len(tags))
		drawn[i].Seq = int64(1000 + i)
		for _, at := range order[:least+dice.IntN(most-least+1)] {
			drawn[i].Tags = append(drawn[i].Tags, tags[at])
		}
	}
	return drawn
}

func TestLimitsAreThoseOfTheService(t *testing.T) {
	require.Equal(t, tim.MaxAccounts, MaxAccounts)
	require.Equal(t, tim.MaxStored, storedTags)
}

func TestLimitsOfAccountsFitAFullBatch(t *testing.T) {
	full := make([]Account, MaxAccounts)
	for i := range full {
		full[i].Seq = int64(i)
		for j := range MaxTags {
			full[i].Tags = append(full[i].Tags, fmt.Sprintf("%0*d", maxBytes/MaxTags, i*MaxTags+j))
		}
		require.True(t, Fits(full[i].Tags))
	}
	_, err := Encrypt(NewKey(), Before, "job", 1, full)
	require.NoError(t, err)

	require.False(t, Fits(append(full[0].Tags, "")), "one tag more")
	require.True(t, Fits([]string{string(make([]byte, maxBytes))}))
	require.False(t, Fits([]string{string(make([]byte, maxBytes+1))}))
}
