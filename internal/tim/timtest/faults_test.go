package timtest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

func client(t *testing.T, base string, timeout time.Duration) *tim.Client {
	t.Helper()
	c, err := tim.New(tim.Config{
		SDKAppID: 1400000000, SecretKey: secretKey, Identifier: "administrator", Domain: base,
		Family: tim.AllMemberPush, Timeout: timeout,
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func always(fault timtest.Fault) timtest.Faults {
	return timtest.Faults{Shares: map[timtest.Fault]float64{fault: 1}}
}

func TestEveryFaultDoesWhatItSays(t *testing.T) {
	for _, c := range []struct {
		fault    timtest.Fault
		delivery tim.Delivery
		code     int
		status   int // in the ledger
		applied  bool
	}{
		{timtest.ServerError, tim.Answered, 91000, 200, false},
		{timtest.Timeout, tim.Answered, 60008, 200, false},
		{timtest.TooOften, tim.Answered, 60007, 200, false},
		{timtest.BadGateway, tim.Lost, timtest.NoAnswer, 502, false},
		{timtest.BadGatewayAfter, tim.Lost, timtest.NoAnswer, 502, true},
		{timtest.Garbage, tim.Lost, timtest.NoAnswer, 200, false},
		{timtest.GarbageAfter, tim.Lost, timtest.NoAnswer, 200, true},
		{timtest.HalfAnswer, tim.Lost, timtest.NoAnswer, 0, true},
		{timtest.ResetBefore, tim.Lost, timtest.NoAnswer, 0, false},
		{timtest.ResetAfter, tim.Lost, timtest.NoAnswer, 0, true},
		{timtest.SilentBefore, tim.Lost, timtest.NoAnswer, 0, false},
		{timtest.SilentAfter, tim.Lost, timtest.NoAnswer, 0, true},
		{timtest.LateApply, tim.Lost, timtest.NoAnswer, 0, true},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			service, base := start(t, timtest.Config{})
			service.SetTags("amy", "vip")
			require.NoError(t, service.SetFaults(always(c.fault)))
			timeout := 10 * time.Second
			if c.fault == timtest.SilentBefore || c.fault == timtest.SilentAfter {
				timeout = time.Second
			}
			answer := client(t, base, timeout).RemoveAllTags(t.Context(), 9, []string{"amy"})
			require.Equal(t, c.delivery, answer.Delivery)
			require.NoError(t, service.Settled(t.Context()))
			require.Equal(t, c.applied, len(service.Tags("amy")) == 0)

			ledger := service.Ledger()
			require.Len(t, ledger, 1)
			call := ledger[0]
			require.Equal(t, c.fault, call.Fault)
			require.Equal(t, c.code, call.Code)
			require.Equal(t, c.status, call.Status)
			require.Equal(t, c.status == 0, call.Dropped)
			require.Equal(t, c.applied, call.Applied)
			require.Equal(t, c.applied, call.AppliedAt != 0)
			require.NotZero(t, call.Took)
			require.False(t, call.Acknowledged())
			require.EqualValues(t, 1, service.Stats().Faults[c.fault])
		})
	}
}

func TestFaultsAreDrawnByShareAndSeed(t *testing.T) {
	draw := func(seed uint64) (faults []timtest.Fault) {
		service, base := start(t, timtest.Config{Seed: seed, RateLimit: -1, Faults: timtest.Faults{
			Shares: map[timtest.Fault]float64{timtest.ServerError: 0.2, timtest.BadGateway: 0.1},
		}})
		c := client(t, base, 0)
		for i := range 500 {
			c.RemoveAllTags(t.Context(), uint32(i), []string{"amy"})
		}
		for _, call := range service.Ledger() {
			faults = append(faults, call.Fault)
		}
		return faults
	}
	count := func(faults []timtest.Fault, want timtest.Fault) (n int) {
		for _, fault := range faults {
			if fault == want {
				n++
			}
		}
		return n
	}
	one := draw(1)
	require.Equal(t, one, draw(1))
	require.NotEqual(t, one, draw(2))
	require.InDelta(t, 100, count(one, timtest.ServerError), 40)
	require.InDelta(t, 50, count(one, timtest.BadGateway), 30)
}

func TestFaultsEndAfterMostAndSpareOtherCommands(t *testing.T) {
	service, base := start(t, timtest.Config{})
	faults := always(timtest.ResetAfter)
	faults.Most, faults.Commands = 2, []tim.Command{tim.RemoveAllTags}
	require.NoError(t, service.SetFaults(faults))
	c := client(t, base, 0)
	_, answer := c.GetTags(t.Context(), 1, []string{"amy"})
	require.True(t, answer.OK())
	require.Equal(t, tim.Lost, c.RemoveAllTags(t.Context(), 2, []string{"amy"}).Delivery)
	require.Equal(t, tim.Lost, c.RemoveAllTags(t.Context(), 3, []string{"amy"}).Delivery)
	require.True(t, c.RemoveAllTags(t.Context(), 4, []string{"amy"}).OK())
}

func TestLateChangeWipesWhatCameBetween(t *testing.T) {
	service, base := start(t, timtest.Config{})
	faults := always(timtest.LateApply)
	faults.LateWithin = time.Hour
	require.NoError(t, service.SetFaults(faults))
	service.SetTags("amy", "old")
	require.Equal(t, tim.Lost, client(t, base, 0).RemoveAllTags(t.Context(), 1, []string{"amy"}).Delivery)
	require.Equal(t, []string{"old"}, service.Tags("amy"))
	require.False(t, service.Ledger()[0].Applied)
	require.Positive(t, service.Stats().Open)
	service.SetTags("amy", "new")
	require.NoError(t, service.Close()) // what was to come late comes now
	require.Empty(t, service.Tags("amy"))
	require.True(t, service.Ledger()[0].Applied)
}

func TestCloseEndsCallsThatAreNeverAnswered(t *testing.T) {
	service, base := start(t, timtest.Config{Faults: always(timtest.SilentAfter)})
	c := client(t, base, time.Minute)
	var callers sync.WaitGroup
	for range 5 {
		callers.Go(func() { c.RemoveAllTags(t.Context(), 1, []string{"amy"}) })
	}
	require.Eventually(t, func() bool { return len(service.Ledger()) == 5 }, 10*time.Second, time.Millisecond)
	began := time.Now()
	require.NoError(t, service.Close())
	callers.Wait()
	require.Less(t, time.Since(began), 5*time.Second)
	for _, call := range service.Ledger() {
		require.True(t, call.Dropped)
	}
	require.Zero(t, service.Stats().Open)
}

func TestClientThatGoesIsNoted(t *testing.T) {
	service, base := start(t, timtest.Config{Faults: timtest.Faults{Latency: time.Hour}})
	ctx, cancel := context.WithCancel(t.Context())
	c := client(t, base, time.Minute)
	done := make(chan tim.Answer)
	go func() { done <- c.RemoveAllTags(ctx, 1, []string{"amy"}) }()
	require.Eventually(t, func() bool { return len(service.Ledger()) == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	require.Equal(t, tim.Lost, (<-done).Delivery)
	require.NoError(t, service.Settled(t.Context()))
	call := service.Ledger()[0]
	require.True(t, call.Dropped)
	require.True(t, call.Applied)
	require.Equal(t, timtest.NoAnswer, call.Code)
}

func TestLatencyAndItsSpreadAreKept(t *testing.T) {
	_, base := start(t, timtest.Config{Faults: timtest.Faults{Latency: 20 * time.Millisecond, Spread: 10 * time.Millisecond}})
	c := client(t, base, 0)
	for i := range 5 {
		answer := c.RemoveAllTags(t.Context(), uint32(i), []string{"amy"})
		require.True(t, answer.OK())
		require.GreaterOrEqual(t, answer.Duration, 20*time.Millisecond)
	}
}

func TestImpossibleFaultsAreRefused(t *testing.T) {
	service, _ := start(t, timtest.Config{})
	for _, faults := range []timtest.Faults{
		always("reset"), always(""),
		{Shares: map[timtest.Fault]float64{timtest.ResetAfter: 0.6, timtest.ResetBefore: 0.6}},
		{Shares: map[timtest.Fault]float64{timtest.ResetAfter: -0.1}},
		{Unknown: "maybe"}, {Latency: -1}, {Most: -1},
	} {
		require.Error(t, service.SetFaults(faults), fmt.Sprint(faults))
		_, err := timtest.New(timtest.Config{SDKAppID: 1, SecretKey: "k", Identifier: "a", Faults: faults})
		require.Error(t, err)
	}
	require.Empty(t, service.Faults().Shares)
}
