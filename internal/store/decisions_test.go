package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

// asked is a job of 300 accounts of which 100 have new tags, 100 cannot be read
// and 100 wait.
func asked(t checker, s *store.Store) jobs.Job {
	t.Helper()
	fast(t, s)
	free(t, s)
	j := started(t, s, 300)
	for i, c := range claim(t, s, tim.RemoveAllTags, 2) {
		settle(t, s, jobs.Settlement{Claim: c, Answer: tim.Answer{Delivery: tim.Lost}, Rest: jobs.InDoubt, Ask: true, Code: []int{0, 70403}[i]})
	}
	a, err := s.Asked(ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, store.Asked{Tagged: 100, Unreadable: 100, Code: 70403}, a)
	require.Empty(t, claim(t, s, tim.GetTags, 9), "they wait for a person")
	return j
}

func TestInDoubtIsDecidedByAPerson(t *testing.T) {
	for d, want := range map[jobs.Decision]jobs.Counts{
		jobs.Again:    {jobs.Waiting: 300},
		jobs.Leave:    {jobs.Waiting: 100, jobs.Failed: 200},
		jobs.ReadBack: {jobs.Waiting: 100, jobs.InDoubt: 200},
	} {
		t.Run(string(d), func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				j := asked(t, s)
				n, err := s.Decide(ctx, operator, j.ID, d)
				require.NoError(t, err)
				require.Equal(t, int64(200), n)
				j, err = s.Job(ctx, j.ID)
				require.NoError(t, err)
				for _, o := range jobs.Outcomes {
					require.Equal(t, want[o], j.Counts[o], o)
				}
				require.Len(t, claim(t, s, tim.GetTags, 9), int(want[jobs.InDoubt]/100))
				require.Len(t, claim(t, s, tim.RemoveAllTags, 9), int(want[jobs.Waiting]/100))
				entries, err := s.AuditEntries(ctx, store.AuditFilter{Code: audit.JobDecided, Limit: 10})
				require.NoError(t, err)
				require.Len(t, entries, 1)
				require.Equal(t, map[string]any{"decision": string(d), "accounts": 200.0}, entries[0].Details)
				_, err = s.Decide(ctx, operator, j.ID, d)
				require.True(t, jobs.FaultNothingAsked.Is(err), "%v", err)
				requireSums(t, s)
				reasons, err := s.Reasons(ctx, j.ID)
				require.NoError(t, err)
				if d == jobs.Leave {
					require.Equal(t, []jobs.Reason{{Code: jobs.CodeLeft, Accounts: 200}}, reasons)
				}
			})
		})
	}
}

func TestInDoubtAfterCancelIsNotResent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		j := asked(t, s)
		j, err := s.ActOnJob(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
		require.Equal(t, jobs.State("cancelling"), j.Shown())
		for _, d := range []jobs.Decision{jobs.Again, "forget"} {
			_, err = s.Decide(ctx, operator, j.ID, d)
			require.True(t, jobs.FaultDecision.Is(err), "%v", err)
		}
		_, err = s.Decide(ctx, operator, j.ID, jobs.Leave)
		require.NoError(t, err)
		j, err = s.Job(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, jobs.Cancelled, j.Shown())
		require.False(t, j.FinishedAt.IsZero())
		requireSums(t, s)
	})
}

func TestResumeResetsRetries(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		j := started(t, s, 200)
		claims := claim(t, s, tim.RemoveAllTags, 2)
		settle(t, s,
			jobs.Settlement{Claim: claims[0], Answer: answered(91000), Rest: jobs.Waiting, Tries: 9, Code: 91000, Wait: 30e9},
			jobs.Settlement{Claim: claims[1], Answer: answered(91000), Rest: jobs.InDoubt, Tries: 9, Code: 91000, Wait: 30e9})
		_, err := s.ActOnJob(ctx, operator, j.ID, jobs.Pause)
		require.NoError(t, err)
		_, err = s.ActOnJob(ctx, operator, j.ID, jobs.Resume)
		require.NoError(t, err)
		for _, command := range []tim.Command{tim.RemoveAllTags, tim.GetTags} {
			c := claim(t, s, command, 9)
			require.Len(t, c, 1)
			require.Zero(t, c[0].Tries)
			require.False(t, c[0].Probe)
		}
	})
}

func TestResumeWaitsForLostCallToExpire(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		j := started(t, s, 100)
		settle(t, s, later(claim(t, s, tim.RemoveAllTags, 1)[0], 0))
		require.Len(t, claim(t, s, tim.RemoveAllTags, 1), 1)
		_, err := s.Expire(ctx, storetest.App.ID, true, 5*time.Second)
		require.NoError(t, err)
		for _, a := range []jobs.Action{jobs.Pause, jobs.Resume} {
			_, err = s.ActOnJob(ctx, operator, j.ID, a)
			require.NoError(t, err)
		}
		require.Empty(t, claimNow(t, s, tim.GetTags, 1))
		s.Jump(5 * time.Second)
		require.Len(t, claimNow(t, s, tim.GetTags, 1), 1)
	})
}
