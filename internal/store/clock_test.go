package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

const day = 24 * time.Hour

func TestAClockThatJumpsMakesNoBurst(t *testing.T) {
	for _, jump := range []time.Duration{day, -day, time.Minute, -50 * time.Millisecond} {
		t.Run(jump.String(), func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				free(t, s)
				started(t, s, 6_000)
				var slots []time.Time
				for len(slots) < 50 {
					if before := len(slots); before < 25 {
						for _, c := range claim(t, s, tim.RemoveAllTags, 9) {
							slots = append(slots, c.Slot)
						}
						if len(slots) >= 25 {
							s.Jump(jump)
						}
						continue
					}
					for _, c := range claim(t, s, tim.RemoveAllTags, 9) {
						slots = append(slots, c.Slot)
					}
				}
				require.True(t, slices.IsSortedFunc(slots, time.Time.Compare))
				for i := 1; i < len(slots); i++ {
					require.GreaterOrEqual(t, slots[i].Sub(slots[i-1]), time.Second/time.Duration(storetest.App.Rate), "slot %d", i)
				}
				require.Less(t, time.Until(slots[len(slots)-1]), time.Second, "whatever the clock says, calls leave soon")
			})
		})
	}
}

func TestClockJumpLosesAndDelaysNothing(t *testing.T) {
	for _, jump := range []time.Duration{day, -day} {
		t.Run(jump.String(), func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				fast(t, s)
				free(t, s)
				j := started(t, s, 500)
				claims := claim(t, s, tim.RemoveAllTags, 4)
				require.Len(t, claims, 4)
				settle(t, s,
					jobs.Settlement{Claim: claims[0], Answer: answered(91000), Rest: jobs.Waiting, Wait: 30 * time.Second},
					jobs.Settlement{Claim: claims[1], Answer: answered(70050), Rest: jobs.Waiting, Hold: time.Minute, HoldAll: true, Wait: time.Minute},
					jobs.Settlement{Claim: claims[2], Answer: answered(60007), Rest: jobs.Waiting, Slow: true, Hold: time.Second})
				s.Jump(jump)
				// Waits and holds are over at once: a day too early or too late nobody can tell.
				require.Equal(t, []int64{1, 101, 201, 401}, firsts(claim(t, s, tim.RemoveAllTags, 9)))
				n, err := s.Expire(ctx, storetest.App.ID, false, 5*time.Second)
				require.NoError(t, err)
				require.Equal(t, 1, n, "the lease of before the jump")
				s.Jump(14 * time.Second)
				require.Empty(t, claimNow(t, s, tim.GetTags, 9), "its call may be young, whatever the clock says")
				settle(t, s, cleared(claims[3])) // it was
				now, err := s.Job(ctx, j.ID)
				require.NoError(t, err)
				require.Equal(t, []int64{400, 100, 500}, []int64{now.Counts[jobs.Sending], now.Counts[jobs.Cleared], now.Counts.Sum()})
				requireSums(t, s)
			})
		})
	}
}

func TestClockJumpDoesNotDelayProbes(t *testing.T) {
	for _, jump := range []time.Duration{day, -day} {
		t.Run(jump.String(), func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				fast(t, s)
				free(t, s)
				started(t, s, 500)
				settle(t, s, down(claim(t, s, tim.RemoveAllTags, 1)[0]))
				s.Jump(jump)
				require.Len(t, claim(t, s, tim.RemoveAllTags, 9), 1)
			})
		})
	}
}

func TestLeaseEndIsReadBackOnSharedDB(t *testing.T) {
	s := storetest.Open(t, storetest.PostgresURL(t))
	fast(t, s)
	free(t, s)
	started(t, s, 100)
	require.Len(t, claim(t, s, tim.RemoveAllTags, 1), 1)
	s.Jump(lease + 4*time.Second)
	n, err := s.Expire(ctx, storetest.App.ID, false, 5*time.Second)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Len(t, claim(t, s, tim.GetTags, 1), 1)
}

func TestLeaseAndSlotsUseProcessClock(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		s.Jump(-day) // the database's clock is not this machine's
		started(t, s, 100)
		before := time.Now()
		c := claim(t, s, tim.RemoveAllTags, 1)[0]
		require.WithinRange(t, c.Slot, before.Add(-time.Second), time.Now().Add(time.Second))
		require.WithinRange(t, c.LeaseUntil, before.Add(lease-time.Second), time.Now().Add(lease+time.Second))
		sending, err := s.Sending(ctx, storetest.App.ID)
		require.NoError(t, err)
		require.Equal(t, 1, sending.Gauges[0].InFlight)
	})
}

func TestClockSetBackKeepsStartedJobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		j := draft(t, s, 500)
		_, err := s.StartJob(ctx, operator, j.ID, store.Start{Confirm: 500, At: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		s.Jump(day)
		require.Len(t, claim(t, s, tim.RemoveAllTags, 1), 1)
		s.Jump(-day)
		require.Len(t, claim(t, s, tim.RemoveAllTags, 1), 1)
	})
}

func TestClockSetAheadReadsNothingBack(t *testing.T) {
	s := storetest.SQLite(t)
	fast(t, s)
	free(t, s)
	started(t, s, 100)
	require.Len(t, claim(t, s, tim.RemoveAllTags, 1), 1)
	s.Jump(lease + 4*time.Second)
	_, err := s.Expire(ctx, storetest.App.ID, false, 5*time.Second)
	require.NoError(t, err)
	s.Jump(14 * time.Second)
	require.Empty(t, claimNow(t, s, tim.GetTags, 1), "it may take ten seconds, and five more to take effect")
	s.Jump(time.Second)
	require.Len(t, claimNow(t, s, tim.GetTags, 1), 1)
}
