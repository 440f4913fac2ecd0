package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

// later gives a claim back for a while.
func later(c jobs.Claim, wait time.Duration) jobs.Settlement {
	return jobs.Settlement{Claim: c, Answer: answered(91000), Rest: jobs.Waiting, Tries: 1, Code: 91000, Wait: wait}
}

func TestJobsThatWaitTakeNoTurnFromOthers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		for range 3 {
			started(t, s, 100)
		}
		for _, c := range claim(t, s, tim.RemoveAllTags, 3) {
			settle(t, s, later(c, 20*time.Second))
		}
		other := started(t, s, 400)
		for range 4 {
			claims := claimNow(t, s, tim.RemoveAllTags, 1)
			require.Len(t, claims, 1)
			require.Equal(t, other.ID, claims[0].JobID)
		}
	})
}

func TestFairnessDespiteSharedAccounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		start(t, s, draftOf(t, s, "same", 4_000))
		require.Len(t, claim(t, s, tim.RemoveAllTags, 40), 40)
		for range 2 {
			start(t, s, draftOf(t, s, "same", 4_000))
		}
		other := started(t, s, 400)
		for range 4 {
			claims := claimNow(t, s, tim.RemoveAllTags, 1)
			require.Len(t, claims, 1)
			require.Equal(t, other.ID, claims[0].JobID)
		}
	})
}

func TestFairnessAfterClockSetBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		started(t, s, 1_000)
		started(t, s, 1_000)
		require.Len(t, claim(t, s, tim.RemoveAllTags, 2), 2)
		s.Jump(-day)
		served := map[string]int{}
		for range 6 {
			served[claim(t, s, tim.RemoveAllTags, 1)[0].JobID]++
		}
		for id, n := range served {
			require.Equal(t, 3, n, id)
		}
	})
}

func TestFairnessWhenClaimingMany(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		started(t, s, 6_000)
		started(t, s, 6_000)
		served := map[string]int{}
		for range 12 {
			for _, c := range claim(t, s, tim.RemoveAllTags, 3) {
				served[c.JobID]++
			}
		}
		var counts []int
		for _, n := range served {
			counts = append(counts, n)
		}
		require.Len(t, counts, 2)
		require.InDelta(t, counts[0], counts[1], 1)
	})
}

// Nobody reads them back before a person acts, as if they were asked about.
func TestInDoubtInStoppedJobBlocksNone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		one := start(t, s, draftOf(t, s, "same", 100))
		c := claim(t, s, tim.RemoveAllTags, 1)[0]
		settle(t, s, jobs.Settlement{Claim: c, Answer: tim.Answer{Delivery: tim.Lost}, Rest: jobs.InDoubt, Wait: 5 * time.Second})
		two := start(t, s, draftOf(t, s, "same", 100))
		_, err := s.ActOnJob(ctx, operator, one.ID, jobs.Pause)
		require.NoError(t, err)
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 1), "the lost call may still take effect")
		s.Jump(5 * time.Second)
		claims := claimNow(t, s, tim.RemoveAllTags, 1)
		require.Len(t, claims, 1)
		require.Equal(t, two.ID, claims[0].JobID)
		_, err = s.ActOnJob(ctx, operator, one.ID, jobs.Resume)
		require.NoError(t, err)
		require.Empty(t, claimNow(t, s, tim.GetTags, 1), "while the other sends them")
		settle(t, s, cleared(claims[0]))
		s.Jump(time.Second)
		require.Len(t, claimNow(t, s, tim.GetTags, 1), 1)
	})
}
