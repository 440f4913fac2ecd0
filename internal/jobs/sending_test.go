package jobs_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

func TestSendingSettingsCheckedAndStored(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		app := jobstest.App.ID
		for _, bad := range []jobs.Settings{{Rate: -1, FailureLimit: 20, KeepDays: 30}, {Rate: 101, FailureLimit: 20, KeepDays: 30}} {
			err := s.ChangeSettings(ctx, operator, app, bad)
			require.True(t, jobs.FaultRate.Is(err), "%v", err)
		}
		for _, bad := range []int{0, 101} {
			err := s.ChangeSettings(ctx, operator, app, jobs.Settings{FailureLimit: bad})
			require.True(t, jobs.FaultFailureLimit.Is(err), "%v", err)
		}
		for _, bad := range []int{-1, 0, 3_651} {
			err := s.ChangeSettings(ctx, operator, app, jobs.Settings{FailureLimit: 20, KeepDays: bad})
			require.True(t, jobs.FaultKeepDays.Is(err), "%v", err)
		}
		for _, bad := range []snapshot.Share{-1, snapshot.All + 1} {
			err := s.ChangeSettings(ctx, operator, app, jobs.Settings{FailureLimit: 20, KeepDays: 1, VerifyShare: bad})
			require.True(t, jobs.FaultVerifyShare.Is(err), "%v", err)
		}
		chosen := jobs.Settings{Rate: 50, FailureLimit: 5, KeepDays: 3_650, VerifyShare: snapshot.All}
		require.NoError(t, s.ChangeSettings(ctx, operator, app, chosen))
		require.NoError(t, s.ChangeSettings(ctx, operator, app, chosen))
		require.NoError(t, s.SaveApp(ctx, jobstest.App)) // as every start does
		now, err := s.SendStatus(ctx, app)
		require.NoError(t, err)
		require.Equal(t, chosen, now.Settings)
		require.Equal(t, 97, now.Configured)
		require.Equal(t, []float64{100, 50, 50}, []float64{float64(now.Gauges[0].Limit), now.Gauges[0].Set, now.Gauges[0].Allowed})
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.AppChanged, Limit: 10})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		as := func(set map[string]any) map[string]any { // the configuration stands beside what was chosen
			maps.Copy(set, map[string]any{"name": "Test chat", "environment": "test", "sdkappid": 1.4e9, "domain": jobstest.App.Domain,
				"family": "all_member_push", "identifier": "administrator", "configured_rate": 97.0})
			return set
		}
		require.Equal(t, map[string]any{"app_id": app,
			"before": as(map[string]any{"rate": 0.0, "failure_limit": 20.0, "canary": true, "snapshot": false, "keep_days": 30.0,
				"verify_share": 0.0, "others_stop": true, "others_run": false}),
			"after": as(map[string]any{"rate": 50.0, "failure_limit": 5.0, "canary": false, "snapshot": false,
				"keep_days": 3_650.0, "verify_share": 1e6, "others_stop": false, "others_run": false}),
		}, entries[0].Details)
		require.Equal(t, "Test chat (test)", entries[0].App)
	})
}

func TestSendingGaugeShowsUse(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		j := started(t, s, 2_000)
		gauges := func() []jobs.Gauge {
			now, err := s.SendStatus(ctx, jobstest.App.ID)
			require.NoError(t, err)
			return now.Gauges
		}
		removing, reading := gauges()[0], gauges()[1]
		require.Equal(t, []tim.Command{tim.RemoveAllTags, tim.GetTags}, []tim.Command{removing.Command, reading.Command})
		require.Equal(t, []int{0, 0}, []int{removing.InFlight, reading.InFlight})
		var hands []*jobstest.Hand
		for number := int64(1); number <= 5; number++ {
			hands = append(hands, sent(t, s, j, number))
		}
		read := take(t, s, j.ID, 6)
		require.NoError(t, read.Send(ctx, "get_tags"))
		removing, reading = gauges()[0], gauges()[1]
		require.Equal(t, []int{5, 1}, []int{removing.InFlight, reading.InFlight})
		require.InDelta(t, 1, removing.Used, 0.001)
		require.InDelta(t, 0.2, reading.Used, 0.001)
		for _, h := range hands[1:] {
			require.NoError(t, h.Settle(ctx, jobstest.Came{Rest: jobs.Cleared}))
		}
		require.NoError(t, hands[0].Settle(ctx, jobstest.Came{Rest: jobs.Waiting, Delivery: "not_sent"}))
		require.NoError(t, read.Settle(ctx, jobstest.Came{Rest: jobs.Waiting}))
		removing, reading = gauges()[0], gauges()[1]
		require.Equal(t, []int{0, 0}, []int{removing.InFlight, reading.InFlight})
		require.InDelta(t, 0.8, removing.Used, 0.001, "what was not sent was not used")
		s.DB.ShiftClocks(6 * time.Second)
		require.Zero(t, gauges()[0].Used, "it was a while ago")
	})
}

// Whatever the clocks of this machine and of the database say: a gauge tells of
// slots, holds and pace by this machine's.
func TestSendingGaugeShowsHoldsAndPace(t *testing.T) {
	for _, jump := range []time.Duration{0, 24 * time.Hour, -24 * time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
				s.DB.ShiftClocks(jump)
				gauge := func(slot time.Duration, pace float64, paced time.Duration) jobs.Gauge {
					now := time.Now().Add(jump)
					require.NoError(t, s.DB.Exec(ctx, `DELETE FROM budgets`))
					require.NoError(t, s.DB.Exec(ctx,
						`INSERT INTO budgets (app_id, command, next_slot, pace, paced_at) VALUES ($1, 'remove_all_tags', $2, $3, $4)`,
						jobstest.App.ID, now.Add(slot).UnixMicro(), int64(pace*1000), now.Add(paced).UnixMicro()))
					sending, err := s.SendStatus(ctx, jobstest.App.ID)
					require.NoError(t, err)
					require.Equal(t, 97.0, sending.Gauges[1].Allowed, "reading is a command of its own")
					return sending.Gauges[0]
				}
				for _, past := range []time.Duration{-time.Hour, -time.Millisecond, 91 * time.Second, 24 * time.Hour} { // too far ahead to be true
					g := gauge(past, 0, 0)
					require.Equal(t, []any{97.0, 0, time.Time{}}, []any{g.Allowed, g.Reserved, g.HeldUntil})
				}
				g := gauge(250*time.Millisecond, 0, 0)
				require.Positive(t, g.Reserved)
				require.LessOrEqual(t, g.Reserved, 25)
				require.Zero(t, g.HeldUntil)
				before := time.Now()
				g = gauge(time.Minute, 0.7*97, 0)
				require.WithinRange(t, g.HeldUntil, before.Add(time.Minute-time.Second), time.Now().Add(time.Minute+time.Second))
				require.InDelta(t, 0.7*97, g.Allowed, 3)
				require.InDelta(t, 97, gauge(0, 0.7*97, -20*time.Second).Allowed, 0.001, "it has found back")
				require.InDelta(t, 97, gauge(0, 0.7*97, time.Hour).Allowed, 0.001, "nobody knows when that was")
			})
		})
	}
}

func TestSendingNamesTheProbe(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		s.DB.ShiftClocks(-24 * time.Hour) // the database's clock is not this machine's
		probe := func() time.Time {
			sending, err := s.SendStatus(ctx, jobstest.App.ID)
			require.NoError(t, err)
			return sending.ProbeAt
		}
		require.Zero(t, probe())
		before := time.Now()
		require.NoError(t, s.DB.Exec(ctx, `UPDATE apps SET probe_at = $1`, before.Add(7*time.Second-24*time.Hour).UnixMilli()))
		require.WithinRange(t, probe(), before.Add(6*time.Second), time.Now().Add(8*time.Second))
	})
}

func TestFirstJobIsShownUntilItsEnd(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		first := started(t, s, 100)
		shown := func() string {
			sending, err := s.SendStatus(ctx, jobstest.App.ID)
			require.NoError(t, err)
			return sending.FirstJob
		}
		require.Empty(t, shown())
		require.NoError(t, s.PutFirst(ctx, operator, first.ID, true))
		require.NoError(t, s.PutFirst(ctx, operator, first.ID, true))
		require.Equal(t, first.ID, shown())
		carry(t, s, first.ID, jobstest.Came{Rest: jobs.Cleared}, 1)
		require.Empty(t, shown(), "it has ended")
		err := s.PutFirst(ctx, operator, first.ID, true)
		require.True(t, jobs.FaultWrongState.Is(err), "%v", err)
		require.True(t, jobs.FaultNoJob.Is(s.PutFirst(ctx, operator, "nope", true)))
		require.NoError(t, s.PutFirst(ctx, operator, first.ID, false))
		require.NoError(t, s.PutFirst(ctx, operator, first.ID, false))
		require.Equal(t, []audit.Code{audit.JobPutFirst, audit.JobPutBack},
			slices.DeleteFunc(codes(t, s, audit.Filter{JobID: first.ID}),
				func(c audit.Code) bool { return c != audit.JobPutFirst && c != audit.JobPutBack }))
	})
}

func TestKillSwitchIsThrownAndLiftedOnce(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		for _, reason := range []string{"wrong list", "again"} {
			require.NoError(t, s.ThrowKillSwitch(ctx, operator, reason))
		}
		k, err := s.KillSwitch(ctx)
		require.NoError(t, err)
		require.Equal(t, []any{true, "olga", "wrong list"}, []any{k.Thrown(), k.ThrownBy, k.Reason})
		for range 2 {
			require.NoError(t, s.LiftKillSwitch(ctx, operator))
		}
		k, err = s.KillSwitch(ctx)
		require.NoError(t, err)
		require.Zero(t, k)
		require.Equal(t, []audit.Code{audit.KillSwitchThrown, audit.KillSwitchLifted}, codes(t, s, audit.Filter{}))
	})
}

// A person may choose any name and any reason: neither makes a stop a hold.
func TestNoPersonMakesAHold(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		require.NoError(t, s.ThrowKillSwitch(ctx, audit.Actor{ID: "u2", Name: audit.System.Name}, jobs.RestoredReason))
		for range 2 {
			k, err := s.KillSwitch(ctx)
			require.NoError(t, err)
			require.True(t, k.Thrown())
			require.False(t, k.Restored())
			require.NoError(t, s.DB.Exec(ctx, `UPDATE kill_switch SET thrown_at = 0`)) // by the log it is thrown
		}
		held, err := s.HoldSending(ctx, jobs.Sends{})
		require.NoError(t, err)
		require.True(t, held)
		k, err := s.KillSwitch(ctx)
		require.NoError(t, err)
		require.True(t, k.Restored())
		require.NoError(t, s.DB.Exec(ctx, `UPDATE kill_switch SET thrown_at = 0, hold = ''`))
		k, err = s.KillSwitch(ctx)
		require.NoError(t, err)
		require.True(t, k.Restored(), "by the log")
		require.NoError(t, s.LiftRestored(ctx, operator, 0))
		require.NoError(t, s.ThrowKillSwitch(ctx, operator, jobs.RestoredReason))
		require.NoError(t, s.LiftKillSwitch(ctx, operator))
	})
}
