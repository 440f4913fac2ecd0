package snapshot

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The numbers come from openssl:
//
//	printf 17 | openssl dgst -sha256 -hmac auditor   begins with 7bf291792ba25f47
func TestSampleIsReproducedByOtherTools(t *testing.T) {
	for n, h := range map[int64]uint64{0: 0xa8e5fa878a4bf8a7, 1: 0xf631f77e433b4538, 17: 0x7bf291792ba25f47, 1000000: 0xc845d3cb94190658} {
		least := Share(math.Ldexp(float64(h), -64)*1e6) + 1 // the share that is just large enough
		require.True(t, Sample("auditor", n, least), n)
		require.False(t, Sample("auditor", n, least-1), n)
	}
	require.True(t, Sample("auditor", 17, 484_171))
	require.False(t, Sample("auditor", 17, 484_170))
}

func TestSampleContainsSmallerOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, n := rapid.String().Draw(t, "seed"), rapid.Int64().Draw(t, "n")
		smaller := rapid.Int64Range(0, int64(All)).Draw(t, "smaller")
		larger := rapid.Int64Range(smaller, int64(All)).Draw(t, "larger")
		if Sample(seed, n, Share(smaller)) {
			require.True(t, Sample(seed, n, Share(larger)))
		}
		require.True(t, Sample(seed, n, All))
		require.False(t, Sample(seed, n, 0))
		require.False(t, Sample(seed, n, -1))
	})
}

func TestSampleIsAboutAsLargeAsItsShare(t *testing.T) {
	for seed := range 2 {
		for _, share := range []Share{1_000, 10_000, 500_000} {
			held, other := 0, 0
			for n := range int64(20_000) {
				if Sample(fmt.Sprint("seed", seed), n, share) {
					held++
					if Sample("another", n, share) {
						other++
					}
				}
			}
			want := float64(share) / 50
			require.InDelta(t, want, held, 5*math.Sqrt(want))
			require.Less(t, float64(other), 0.6*float64(held), "another seed picks others")
		}
	}
}
