package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

func TestSplitIsEvenAndLosesNoAccount(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		rapid.Check(t, func(r *rapid.T) {
			n := rapid.IntRange(2, 100).Draw(r, "accounts")
			j := started(r, s, n)
			c := claim(r, s, tim.RemoveAllTags, 1)[0]
			st := jobs.Settlement{Claim: c, Answer: answered(70107), Rest: jobs.Waiting, Parts: rapid.IntRange(2, n).Draw(r, "parts"), Tries: 1, Code: 70107}
			rest := map[int64]bool{}
			for _, p := range c.Accounts {
				if rapid.IntRange(0, 4).Draw(r, "own") == 0 {
					st.Own = append(st.Own, jobs.Own{Seq: p.Seq, Outcome: jobs.Failed, Code: 70107})
				} else {
					rest[p.Seq] = true
				}
			}
			settle(r, s, st)
			requireSums(r, s)
			parts := claim(r, s, tim.RemoveAllTags, 200)
			require.Len(r, parts, min(st.Parts, len(rest)))
			even := float64(len(rest)) / float64(len(parts))
			for _, part := range parts {
				require.InDelta(r, even, len(part.Accounts), 1)
				require.Equal(r, []int{1, 70107}, []int{part.Tries, part.LastCode})
				for _, p := range part.Accounts {
					require.True(r, rest[p.Seq], "account %d", p.Seq)
					delete(rest, p.Seq)
				}
				settle(r, s, cleared(part))
			}
			require.Empty(r, rest)
			j, err := s.Job(ctx, j.ID)
			require.NoError(r, err)
			require.Equal(r, jobs.Finished, j.State)
		})
	})
}

func TestSplitPartsKnowOthersOutcome(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		started(t, s, 100)
		split := func(c jobs.Claim, code int) jobs.Settlement {
			return jobs.Settlement{Claim: c, Answer: answered(code), Rest: jobs.Waiting, Parts: 2, Code: code}
		}
		whole := claim(t, s, tim.RemoveAllTags, 9)
		require.Zero(t, whole[0].Refused)
		settle(t, s, split(whole[0], 70107))
		halves := claim(t, s, tim.RemoveAllTags, 9)
		require.Len(t, halves, 2)
		for _, half := range halves {
			require.Equal(t, []int{1, 0}, []int{half.Refused, half.Accepted})
			settle(t, s, split(half, 90018))
		}
		quarters := claim(t, s, tim.RemoveAllTags, 4)
		require.Len(t, quarters, 4)
		require.Equal(t, []int{3, 0}, []int{quarters[0].Refused, quarters[0].Accepted})
		settle(t, s, cleared(quarters[0]), jobs.Settlement{Claim: quarters[1], Answer: answered(91000), Rest: jobs.Waiting, Code: 91000})
		again := claim(t, s, tim.RemoveAllTags, 1)[0]
		require.Equal(t, []int{3, 1}, []int{again.Refused, again.Accepted}, "a busy service has refused no account")
	})
}

func TestReadBackKnowsTagsReadBefore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		started(t, s, 3)
		lost := func(c jobs.Claim) jobs.Settlement {
			return jobs.Settlement{Claim: c, Answer: tim.Answer{Delivery: tim.Lost}, Rest: jobs.InDoubt}
		}
		settle(t, s, lost(claim(t, s, tim.RemoveAllTags, 1)[0]))
		reading := claim(t, s, tim.GetTags, 1)[0]
		require.Empty(t, reading.Known)
		settle(t, s, jobs.Settlement{Claim: reading, Answer: answered(0), Rest: jobs.Waiting, Found: map[int64][]string{1: {"vip", "北京"}, 2: {"a"}}})
		settle(t, s, lost(claim(t, s, tim.RemoveAllTags, 1)[0]))
		reading = claim(t, s, tim.GetTags, 1)[0]
		require.Equal(t, map[int64][]string{1: {"vip", "北京"}, 2: {"a"}}, reading.Known)
		settle(t, s, jobs.Settlement{Claim: reading, Answer: answered(0), Rest: jobs.InDoubt, Found: map[int64][]string{2: {"b"}}})
		require.Equal(t, map[int64][]string{1: {"vip", "北京"}, 2: {"b"}}, claim(t, s, tim.GetTags, 1)[0].Known)
	})
}

func TestWaitsAreCountedFromTheSettlement(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		started(t, s, 100)
		settle(t, s, jobs.Settlement{Claim: claim(t, s, tim.RemoveAllTags, 1)[0], Answer: answered(91000), Rest: jobs.Waiting, Wait: 20 * time.Second, Parts: 2})
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 9))
		s.Jump(19 * time.Second)
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 9))
		s.Jump(time.Second)
		require.Len(t, claim(t, s, tim.RemoveAllTags, 9), 2, "both parts waited")
	})
}

func TestPaceSlowsForAllAndRecovers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		started(t, s, 4_000)
		slow := func() {
			settle(t, s, jobs.Settlement{Claim: claim(t, s, tim.RemoveAllTags, 1)[0], Answer: answered(60007), Rest: jobs.Waiting, Slow: true, Hold: time.Second})
		}
		allowed := func() float64 {
			sending, err := s.Sending(ctx, storetest.App.ID)
			require.NoError(t, err)
			require.Equal(t, 97.0, sending.Gauges[1].Allowed, "reading is a command of its own")
			return sending.Gauges[0].Allowed
		}
		slow()
		require.InDelta(t, 0.7*97, allowed(), 2)
		sending, err := s.Sending(ctx, storetest.App.ID)
		require.NoError(t, err)
		require.False(t, sending.Gauges[0].HeldUntil.IsZero())
		s.Jump(1100 * time.Millisecond)
		claims := claim(t, s, tim.RemoveAllTags, 9)
		for i := 1; i < len(claims); i++ {
			require.InDelta(t, 1/(0.73*97), claims[i].Slot.Sub(claims[i-1].Slot).Seconds(), 0.002)
		}
		s.Jump(20 * time.Second)
		require.InDelta(t, 97, allowed(), 0.001)
	})
}

func TestPaceSlowedReservesNoFarSlots(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		require.NoError(t, s.ChangeSending(ctx, operator, storetest.App.ID, store.SendingSettings{Rate: 1, FailureLimit: 100, KeepDays: 30}))
		started(t, s, 1_000)
		before := time.Now()
		require.Len(t, claim(t, s, tim.RemoveAllTags, 9), 1)
		after := time.Now()
		claims, next, err := s.Claim(ctx, storetest.App.ID, tim.RemoveAllTags, 9, lease)
		require.NoError(t, err)
		require.Empty(t, claims)
		require.WithinRange(t, next, before.Add(700*time.Millisecond), after.Add(1100*time.Millisecond))
	})
}
