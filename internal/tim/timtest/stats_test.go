package timtest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

func TestSumsAreThoseOfTheLedger(t *testing.T) {
	service, base := start(t, timtest.Config{Seed: 3, UnknownShare: 0.1, RateLimit: 40, Faults: timtest.Faults{
		Shares: map[timtest.Fault]float64{timtest.ServerError: 0.2, timtest.ResetBefore: 0.1, timtest.LateApply: 0.1}}})
	c := client(t, base, 0)
	for i := range 100 {
		c.RemoveAllTags(t.Context(), uint32(i), []string{fmt.Sprint("user", i), "amy"}[:1+i%2])
		c.GetTags(t.Context(), uint32(i), []string{"amy"})
	}
	require.NoError(t, service.Settled(t.Context()))
	want := timtest.Stats{Commands: map[tim.Command]timtest.CommandStats{}, Codes: map[int]int64{}, Faults: map[timtest.Fault]int64{}}
	arrivals := map[tim.Command][]int64{}
	for _, call := range service.Ledger() {
		want.Calls++
		want.Largest = max(want.Largest, len(call.Accounts))
		want.Codes[call.Code]++
		if call.Fault != "" {
			want.Faults[call.Fault]++
		}
		sum, times := want.Commands[call.Command], append(arrivals[call.Command], call.At)
		sum.Calls++
		sum.Accounts += int64(len(call.Accounts))
		if call.Applied {
			sum.Applied++
		}
		if call.Throttled {
			sum.Throttled++
		}
		sum.FirstAt, sum.LastAt = times[0], call.At
		within := 0
		for _, at := range times {
			if call.At-at < 1_000_000 {
				within++
			}
		}
		sum.MaxInAnySecond = max(sum.MaxInAnySecond, within)
		want.Commands[call.Command], arrivals[call.Command] = sum, times
	}
	stats := service.Stats()
	require.Positive(t, stats.Commands[tim.RemoveAllTags].Throttled)
	want.Changed = stats.Changed
	require.Equal(t, want, stats)
}

func TestSumsAloneAreKeptOfALongLoad(t *testing.T) {
	service, base := start(t, timtest.Config{SumsOnly: true})
	tags := service.Tags("amy")
	c := client(t, base, 0)
	for i := range 5 {
		require.True(t, c.RemoveAllTags(t.Context(), uint32(i), []string{"amy", "bob"}).OK())
	}
	require.Empty(t, service.Ledger())
	require.Equal(t, tags, service.Tags("amy"))
	stats := service.Stats()
	require.EqualValues(t, 5, stats.Calls)
	require.EqualValues(t, 10, stats.Commands[tim.RemoveAllTags].Accounts)
	require.Zero(t, stats.Changed)
}

func TestAServiceThatWasDownComesBackWithWhatItKnew(t *testing.T) {
	service, base := start(t, timtest.Config{})
	c := client(t, base, 0)
	require.True(t, c.RemoveAllTags(t.Context(), 1, []string{"amy"}).OK())
	require.NoError(t, service.Stop())
	require.Equal(t, tim.NotSent, client(t, base, 0).RemoveAllTags(t.Context(), 2, []string{"bob"}).Delivery)
	again, err := service.Start(base[len("http://"):])
	require.NoError(t, err)
	require.Equal(t, base, again)
	// A new client: a kept connection may not have noticed that its other end is gone.
	require.True(t, client(t, base, 0).RemoveAllTags(t.Context(), 3, []string{"bob"}).OK())
	require.Empty(t, service.Tags("amy"))
	require.Len(t, service.Ledger(), 2)
}
