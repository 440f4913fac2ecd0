package timtest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyWhatNoStandstillExplainsExceedsTheLimit(t *testing.T) {
	const second = 1_000_000
	s := &Service{}
	require.Equal(t, 1, s.excess(burst{0, second - 1, 101}))
	s.standstills = []standstill{{2 * second, 3 * second}}
	require.Equal(t, 1, s.excess(burst{0, second - 1, 101}), "a standstill after it")
	require.Equal(t, 1, s.excess(burst{4 * second, 5*second - 1, 101}), "a standstill before it")
	s.standstills = []standstill{{second / 2, second/2 + 70_000}}
	require.Equal(t, 0, s.excess(burst{0, second - 1, 107}))
	require.Equal(t, 1, s.excess(burst{0, second - 1, 108}))
	require.Equal(t, 1, s.excess(burst{second/2 + 110_000, second, 108}), "what waited is seen soon after it")
}
