package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

func TestSendingSettingsCheckedAndStored(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		app := storetest.App.ID
		for _, bad := range []store.SendingSettings{{Rate: -1, FailureLimit: 20, KeepDays: 30}, {Rate: 101, FailureLimit: 20, KeepDays: 30}} {
			err := s.ChangeSending(ctx, operator, app, bad)
			require.True(t, store.FaultRate.Is(err), "%v", err)
		}
		for _, bad := range []int{0, 101} {
			err := s.ChangeSending(ctx, operator, app, store.SendingSettings{FailureLimit: bad})
			require.True(t, store.FaultFailureLimit.Is(err), "%v", err)
		}
		for _, bad := range []int{-1, 0, 3_651} {
			err := s.ChangeSending(ctx, operator, app, store.SendingSettings{FailureLimit: 20, KeepDays: bad})
			require.True(t, store.FaultKeepDays.Is(err), "%v", err)
		}
		for _, bad := range []snapshot.Share{-1, snapshot.All + 1} {
			err := s.ChangeSending(ctx, operator, app, store.SendingSettings{FailureLimit: 20, KeepDays: 1, VerifyShare: bad})
			require.True(t, store.FaultVerifyShare.Is(err), "%v", err)
		}
		chosen := store.SendingSettings{Rate: 50, FailureLimit: 5, KeepDays: 3_650, VerifyShare: snapshot.All}
		require.NoError(t, s.ChangeSending(ctx, operator, app, chosen))
		require.NoError(t, s.ChangeSending(ctx, operator, app, chosen))
		require.NoError(t, s.SaveApp(ctx, storetest.App)) // as every start does
		now, err := s.Sending(ctx, app)
		require.NoError(t, err)
		require.Equal(t, chosen, now.SendingSettings)
		require.Equal(t, 97, now.Configured)
		require.Equal(t, []float64{100, 50, 50}, []float64{float64(now.Gauges[0].Limit), now.Gauges[0].Set, now.Gauges[0].Allowed})
		entries, err := s.AuditEntries(ctx, store.AuditFilter{Code: audit.AppChanged, Limit: 10})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, map[string]any{
			"before": map[string]any{"rate": 0.0, "failure_limit": 20.0, "canary": true, "snapshot": false, "keep_days": 30.0, "verify_share": 0.0},
			"after":  map[string]any{"rate": 50.0, "failure_limit": 5.0, "canary": false, "snapshot": false, "keep_days": 3_650.0, "verify_share": 1e6},
		}, entries[0].Details)
		require.Equal(t, "Test chat (test)", entries[0].App)
	})
}

func TestSendingGaugeShowsUse(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		started(t, s, 2_000)
		claims := claim(t, s, tim.RemoveAllTags, 9)
		now, err := s.Sending(ctx, storetest.App.ID)
		require.NoError(t, err)
		g := now.Gauges[0]
		require.Equal(t, tim.RemoveAllTags, g.Command)
		require.Equal(t, len(claims), g.InFlight)
		require.LessOrEqual(t, g.Reserved, len(claims))
		require.InDelta(t, float64(len(claims))/5, g.Used, 0.001)
		require.True(t, g.HeldUntil.IsZero())
		for _, c := range claims[1:] {
			settle(t, s, cleared(c))
		}
		settle(t, s, jobs.Settlement{Claim: claims[0], Answer: tim.Answer{Delivery: tim.NotSent}, Rest: jobs.Waiting, Hold: 60e9, HoldAll: true})
		now, err = s.Sending(ctx, storetest.App.ID)
		require.NoError(t, err)
		require.Zero(t, now.Gauges[0].InFlight)
		require.InDelta(t, float64(len(claims)-1)/5, now.Gauges[0].Used, 0.001, "what was not sent was not used")
		require.False(t, now.Gauges[1].HeldUntil.IsZero())
	})
}
