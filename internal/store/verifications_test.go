package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

// toVerify is a job of n accounts that are all cleared, and whose batches are
// all to be read again.
func toVerify(t *testing.T, s *store.Store, n int) jobs.Job {
	t.Helper()
	fast(t, s)
	free(t, s)
	storetest.Keep(t, s, snapshot.All)
	require.NoError(t, s.Exec(ctx, `UPDATE apps SET snapshot = 0`))
	j := started(t, s, n)
	for _, c := range claim(t, s, tim.RemoveAllTags, 100) {
		settle(t, s, cleared(c))
	}
	return jobNow(t, s, j.ID)
}

func verified(c jobs.Claim, reopen ...int64) jobs.Settlement {
	return jobs.Settlement{Claim: c, Answer: answered(0), Rest: c.Was, Read: int64(len(c.Accounts)), Reopen: reopen}
}

func TestVerificationSampleFixedAtStart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		storetest.Keep(t, s, snapshot.All/2)
		require.NoError(t, s.Exec(ctx, `UPDATE apps SET snapshot = 0`))
		j := started(t, s, 4_000)
		require.NoError(t, s.Exec(ctx, `UPDATE apps SET verify_share = 0`)) // too late for this job
		entries, err := s.AuditEntries(ctx, store.AuditFilter{Code: audit.JobStarted, JobID: j.ID, Limit: 9})
		require.NoError(t, err)
		seed := entries[0].Details["verify_seed"].(string)
		require.Equal(t, []any{float64(snapshot.All / 2), false, j.Verify.Seed}, []any{entries[0].Details["verify_share"], entries[0].Details["snapshot"], seed})
		sample := map[int64]bool{}
		for number := int64(1); number <= j.Batches; number++ {
			if snapshot.Sample(seed, number, snapshot.All/2) {
				sample[number] = true
			}
		}
		for _, c := range claim(t, s, tim.RemoveAllTags, 100) {
			settle(t, s, cleared(c))
		}
		j = jobNow(t, s, j.ID)
		require.Equal(t, []any{jobs.Running, int64(len(sample)), true}, []any{j.State, j.Verify.Left, j.FinishedAt.IsZero()})
		for _, c := range claim(t, s, tim.GetTags, 100) {
			require.True(t, c.Verify && sample[c.Batch], "batch %d", c.Batch)
			require.Equal(t, jobs.Cleared, c.Was)
			delete(sample, c.Batch)
			settle(t, s, verified(c))
		}
		require.Empty(t, sample)
		j = jobNow(t, s, j.ID)
		require.Equal(t, []any{jobs.Finished, int64(0), int64(0)}, []any{j.State, j.Verify.Left, j.Verify.Reopened})
		requireSums(t, s)
	})
}

func TestVerificationNeedsAChange(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		storetest.Keep(t, s, snapshot.All)
		inspected, err := storetest.Draft(s, operator, store.NewJob{Kind: jobs.Inspect}, "account\nann\n")
		require.NoError(t, err)
		inspected = start(t, s, inspected)
		require.Equal(t, jobs.Verification{}, inspected.Verify)
		other := started(t, s, 300)
		for _, c := range claim(t, s, tim.GetTags, 9) {
			st := toChange(c)
			st.Rest, st.Next = c.Kind.Nothing(), ""
			switch c.First {
			case 101: // one of them was changed by an earlier call
				st.Own = []jobs.Own{{Seq: 150, Outcome: jobs.Cleared}}
			case 201:
				st.Rest, st.Code = jobs.Failed, 70107
			}
			settle(t, s, st)
		}
		require.Equal(t, jobs.Finished, jobNow(t, s, inspected.ID).State)
		c := claim(t, s, tim.GetTags, 9)
		require.Len(t, c, 1)
		require.Equal(t, []jobs.Pending{{Seq: 150, Account: c[0].Accounts[0].Account}}, c[0].Accounts, "those alone that were changed")
		require.Equal(t, jobs.Untagged, c[0].Was)
		settle(t, s, verified(c[0]))
		require.Equal(t, jobs.Finished, jobNow(t, s, other.ID).State)
	})
}

func TestVerificationComesLast(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		j := toVerify(t, s, 100)
		storetest.Keep(t, s, 0)
		c := claim(t, s, tim.GetTags, 9)[0]
		settle(t, s, notSent(c))
		for _, change := range []string{
			`UPDATE jobs SET outcome_waiting = 1, outcome_cleared = outcome_cleared - 1 WHERE id = $1`,
			`UPDATE jobs SET outcome_sending = 1, outcome_waiting = 0 WHERE id = $1`,
		} {
			require.NoError(t, s.Exec(ctx, change, j.ID))
			require.Empty(t, claimNow(t, s, tim.GetTags, 9))
		}
		require.NoError(t, s.Exec(ctx, `UPDATE jobs SET outcome_sending = 0, outcome_cleared = outcome_cleared + 1 WHERE id = $1`, j.ID))
		require.Len(t, claimNow(t, s, tim.GetTags, 9), 1)
	})
}

func TestVerificationWaitsForInDoubt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		storetest.Keep(t, s, snapshot.All)
		require.NoError(t, s.Exec(ctx, `UPDATE apps SET snapshot = 0`))
		started(t, s, 200)
		sending := inOrder(claim(t, s, tim.RemoveAllTags, 9))
		unknown := lost(sending[1])
		unknown.Wait = 5 * time.Second
		settle(t, s, cleared(sending[0]), unknown)
		require.Empty(t, claimNow(t, s, tim.GetTags, 9))
		s.Jump(5 * time.Second)
		back := claim(t, s, tim.GetTags, 9)
		require.Equal(t, []int64{101}, firsts(back))
		require.Empty(t, claimNow(t, s, tim.GetTags, 9))
		ask := jobs.Settlement{Claim: back[0], Answer: answered(0), Rest: jobs.InDoubt, Next: tim.GetTags, Ask: true}
		settle(t, s, ask)
		require.Equal(t, []int64{1}, firsts(claimNow(t, s, tim.GetTags, 9)))
	})
}

func TestVerificationReopensForAPerson(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		storetest.Keep(t, s, snapshot.All)
		require.NoError(t, s.Exec(ctx, `UPDATE apps SET snapshot = 0`))
		j := started(t, s, 100)
		st := jobs.Settlement{Claim: claim(t, s, tim.RemoveAllTags, 1)[0], Answer: answered(0), Rest: jobs.Failed, Code: 70107, Message: "no",
			Own: []jobs.Own{{Seq: 3, Outcome: jobs.Cleared}, {Seq: 4, Outcome: jobs.Cleared}, {Seq: 5, Outcome: jobs.Untagged}}}
		settle(t, s, st)
		c := claim(t, s, tim.GetTags, 1)[0]
		require.Len(t, c.Accounts, 2)
		settle(t, s, verified(c, 4))
		requireSums(t, s)
		now := jobNow(t, s, j.ID)
		require.Equal(t, []any{jobs.Running, jobs.Verification{Share: snapshot.All, Seed: j.Verify.Seed, Read: 2, Reopened: 1}}, []any{now.State, now.Verify})
		require.Equal(t, []int64{97, 1, 1, 1}, []int64{now.Counts[jobs.Failed], now.Counts[jobs.Cleared], now.Counts[jobs.Untagged], now.Counts[jobs.InDoubt]})
		reasons, err := s.Reasons(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []jobs.Reason{{Code: 70107, Info: "no", Accounts: 97}}, reasons, "the others are as they were")
		asked, err := s.Asked(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, store.Asked{Reopened: 1}, asked)
		require.Empty(t, claimNow(t, s, tim.GetTags, 9))

		_, err = s.Decide(ctx, operator, j.ID, jobs.Again)
		require.NoError(t, err)
		again := claim(t, s, tim.RemoveAllTags, 9)
		require.Len(t, again[0].Accounts, 1)
		require.True(t, again[0].Touched)
		settle(t, s, cleared(again[0]))
		last := claim(t, s, tim.GetTags, 9)
		require.True(t, last[0].Verify)
		settle(t, s, verified(last[0]))
		require.Equal(t, jobs.Finished, jobNow(t, s, j.ID).State)
		requireSums(t, s)
	})
}

func TestVerificationSurvivesAKill(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		j := toVerify(t, s, 100)
		c := claim(t, s, tim.GetTags, 9)[0]
		st := notSent(c)
		st.Tries, st.Wait = c.Tries+1, 10*time.Second
		settle(t, s, st)
		require.Empty(t, claimNow(t, s, tim.GetTags, 9))
		s.Jump(10 * time.Second)
		died := claim(t, s, tim.GetTags, 9)[0]
		require.Equal(t, 1, died.Tries)
		_, err := s.Expire(ctx, storetest.App.ID, true, time.Second)
		require.NoError(t, err)
		require.Equal(t, []int64{100, 1}, []int64{jobNow(t, s, j.ID).Counts[jobs.Cleared], jobNow(t, s, j.ID).Verify.Left})
		settle(t, s, verified(died)) // late, and nobody else has read it meanwhile
		require.Equal(t, []any{jobs.Finished, int64(100)}, []any{jobNow(t, s, j.ID).State, jobNow(t, s, j.ID).Verify.Read})
		settle(t, s, verified(died))
		require.Equal(t, int64(100), jobNow(t, s, j.ID).Verify.Read)
		requireSums(t, s)
	})
}

func TestVerificationSkipsStoppedJobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, answers := range []bool{true, false} {
			j := toVerify(t, s, 300)
			_, err := s.ActOnJob(ctx, operator, j.ID, jobs.Pause)
			require.NoError(t, err)
			require.Empty(t, claimNow(t, s, tim.GetTags, 9))
			_, err = s.ActOnJob(ctx, operator, j.ID, jobs.Resume)
			require.NoError(t, err)
			reading := claim(t, s, tim.GetTags, 1)[0]
			_, err = s.ActOnJob(ctx, operator, j.ID, jobs.Cancel)
			require.NoError(t, err)
			require.Empty(t, claimNow(t, s, tim.GetTags, 9))
			requireSums(t, s)
			if answers {
				settle(t, s, notSent(reading))
			} else {
				_, err = s.Expire(ctx, storetest.App.ID, true, time.Second)
				require.NoError(t, err)
			}
			j = jobNow(t, s, j.ID)
			require.Equal(t, []any{jobs.Cancelled, int64(300), int64(0), false}, []any{j.Shown(), j.Counts[jobs.Cleared], j.Verify.Left, j.FinishedAt.IsZero()})
			requireSums(t, s)
		}
	})
}
