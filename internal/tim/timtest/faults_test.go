package timtest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
)

func TestEveryFaultDoesWhatItSays(t *testing.T) {
	for _, c := range []struct {
		fault    Fault
		delivery tim.Delivery
		code     int
		status   int // in the ledger
		applied  bool
	}{
		{ServerError, tim.Answered, 91000, 200, false},
		{Timeout, tim.Answered, 60008, 200, false},
		{TooOften, tim.Answered, 60007, 200, false},
		{BadGateway, tim.Lost, NoAnswer, 502, false},
		{BadGatewayAfter, tim.Lost, NoAnswer, 502, true},
		{Garbage, tim.Lost, NoAnswer, 200, false},
		{GarbageAfter, tim.Lost, NoAnswer, 200, true},
		{HalfAnswer, tim.Lost, NoAnswer, 0, true},
		{ResetBefore, tim.Lost, NoAnswer, 0, false},
		{ResetAfter, tim.Lost, NoAnswer, 0, true},
		{SilentBefore, tim.Lost, NoAnswer, 0, false},
		{SilentAfter, tim.Lost, NoAnswer, 0, true},
		{LateApply, tim.Lost, NoAnswer, 0, true},
		{"", tim.Lost, NoAnswer, 0, true}, // an answer that the client does not wait for
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			service := simulator(t, Config{})
			base, err := service.Start("127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, service.Close()) })
			client, err := tim.New(tim.Config{SDKAppID: 1400000000, SecretKey: secretKey, Identifier: "administrator",
				Domain: base, Family: tim.AllMemberPush})
			require.NoError(t, err)
			t.Cleanup(client.Close)
			service.SetTags("amy", "vip")
			faults := Faults{Shares: map[Fault]float64{c.fault: 1}}
			if c.fault == "" {
				faults = Faults{Latency: time.Hour}
			}
			require.NoError(t, service.SetFaults(faults))

			ctx, goes := context.WithCancel(t.Context())
			answered := make(chan tim.Answer)
			go func() { answered <- client.RemoveAllTags(ctx, 9, []string{"amy"}) }()
			if c.fault == SilentBefore || c.fault == SilentAfter || c.fault == "" {
				require.Eventually(t, func() bool { return len(service.Ledger()) == 1 }, 10*time.Second, time.Millisecond)
				goes()
			}
			require.Equal(t, c.delivery, (<-answered).Delivery)
			goes()
			require.NoError(t, service.Settled(t.Context()))
			require.Equal(t, c.applied, len(service.Tags("amy")) == 0)

			require.Len(t, service.Ledger(), 1)
			call := service.Ledger()[0]
			require.NotZero(t, call.Took)
			require.Equal(t, []any{c.fault, c.code, c.status, c.status == 0, c.applied, c.applied},
				[]any{call.Fault, call.Code, call.Status, call.Dropped, call.Applied, call.AppliedAt != 0})
			require.False(t, call.Acknowledged())
		})
	}
}

// Faults that were asked for and do not come leave a comparison nothing to find.
func TestFaultsAreDrawnAsAsked(t *testing.T) {
	s := simulator(t, Config{Seed: 1, RateLimit: -1})
	drawn := func(faults Faults) (wrong, ignored int) {
		require.NoError(t, s.SetFaults(faults))
		for _, command := range []tim.Command{tim.GetTags, tim.RemoveAllTags} {
			for range 500 {
				call, _ := s.arrive(request{command: command, accounts: []string{"amy"}})
				ignored += len(call.Ignored)
				if call.Code != 0 {
					wrong++
				}
			}
		}
		return wrong, ignored
	}
	clearing := []tim.Command{tim.RemoveAllTags}
	wrong, _ := drawn(Faults{Shares: map[Fault]float64{ServerError: 0.2, BadGateway: 0.1}})
	require.InDelta(t, 300, wrong, 60)
	wrong, _ = drawn(Faults{Shares: map[Fault]float64{ServerError: 1}, Commands: clearing})
	require.Equal(t, 500, wrong)
	wrong, _ = drawn(Faults{Shares: map[Fault]float64{ServerError: 1}, Most: 7})
	require.Equal(t, 7, wrong)
	wrong, _ = drawn(Faults{Code: 60020, CodeFor: "am", Commands: clearing})
	require.Equal(t, 500, wrong)
	wrong, _ = drawn(Faults{Code: 60020, CodeFor: "bob"})
	require.Zero(t, wrong)
	wrong, ignored := drawn(Faults{Ignored: 0.2})
	require.Zero(t, wrong)
	require.InDelta(t, 100, ignored, 40)
	require.Error(t, s.SetFaults(Faults{Shares: map[Fault]float64{"reset": 1}}), "what is mistyped is no fault")
}

// TORTURE_SEED rests on it.
func TestSeedRepeatsTheFaults(t *testing.T) {
	drawn := func(seed uint64) (faults []Fault) {
		s, err := New(Config{SDKAppID: 1, SecretKey: "k", Identifier: "a", Seed: seed, RateLimit: -1,
			Faults: Faults{Shares: map[Fault]float64{ServerError: 0.2, BadGateway: 0.2, TooOften: 0.2}}})
		require.NoError(t, err)
		for range 200 {
			call, _ := s.arrive(request{command: tim.GetTags, accounts: []string{"amy"}})
			faults = append(faults, call.Fault)
		}
		return faults
	}
	require.Equal(t, drawn(7), drawn(7))
	require.NotEqual(t, drawn(7), drawn(8))
}
