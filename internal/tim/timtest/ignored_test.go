package timtest_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// A service that says done and has not done it is found by nothing but reading
// again: the ledger says whom it was.
func TestIgnoredAccountsAreAcknowledgedAndStayAsTheyAre(t *testing.T) {
	service, base := start(t, timtest.Config{RateLimit: -1, Faults: timtest.Faults{Ignored: 0.2, Commands: []tim.Command{tim.RemoveAllTags, tim.AddTags}}})
	c := client(t, base, 0)
	ignored := 0
	for batch := range 20 {
		var names []string
		for i := range 50 {
			names = append(names, fmt.Sprintf("user%d-%d", batch, i))
			service.SetTags(names[i], "vip")
		}
		require.True(t, c.RemoveAllTags(t.Context(), uint32(batch), names).OK())
		calls := service.Ledger()
		call := calls[len(calls)-1]
		require.True(t, call.Acknowledged())
		for _, name := range names {
			if slices.Contains(call.Ignored, name) {
				require.Equal(t, []string{"vip"}, service.Tags(name))
				ignored++
			} else {
				require.Empty(t, service.Tags(name))
			}
		}
	}
	require.InDelta(t, 200, ignored, 60)
	tags, answer := c.GetTags(t.Context(), 99, []string{"user0-0"})
	require.True(t, answer.OK())
	require.Equal(t, service.Tags("user0-0"), tags["user0-0"])
	post(t, base, editing(removes[tim.AllMemberPush], user("user0-0", "vip")))
	require.Empty(t, service.Tags("user0-0"), "another command is carried out")
	for _, share := range []float64{-0.1, 1.1} {
		require.Error(t, service.SetFaults(timtest.Faults{Ignored: share}))
	}
}

// From the first tags, the edits and the calls, in their order, the tags of every
// account at any time can be told.
func TestEditsAndCallsHaveOneOrder(t *testing.T) {
	service, base := start(t, timtest.Config{Seed: 3})
	control := timtest.NewControl(base)
	states, err := control.Accounts(t.Context(), []string{"amy"})
	require.NoError(t, err)
	require.NotEmpty(t, states[0].First)
	require.Equal(t, states[0].Tags, states[0].First)

	service.SetTags("amy", "vip")
	c := client(t, base, 0)
	require.True(t, c.RemoveAllTags(t.Context(), 1, []string{"amy"}).OK())
	require.NoError(t, control.SetTags(t.Context(), map[string][]string{"amy": {"gold"}}))
	post(t, base, editing(adds[tim.AllMemberPush], user("amy", "beta")))
	edits, err := control.Edits(t.Context())
	require.NoError(t, err)
	require.Equal(t, []timtest.Edit{{Order: 1, Account: "amy", Tags: []string{"vip"}}, {Order: 3, Account: "amy", Tags: []string{"gold"}}}, edits)
	require.Equal(t, edits, service.Edits())
	calls := service.Ledger()
	require.Equal(t, []int64{2, 4}, []int64{calls[0].Order, calls[1].Order})
	require.Equal(t, [][]string{{"beta"}}, calls[1].Tags)
	states, err = control.Accounts(t.Context(), []string{"amy"})
	require.NoError(t, err)
	require.Equal(t, []string{"gold", "beta"}, states[0].Tags)
}
