package store_test

import (
	"context"
	"database/sql"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

func cleared(c jobs.Claim) jobs.Settlement {
	return jobs.Settlement{Claim: c, Answer: answered(0), Rest: jobs.Cleared}
}

func failed(c jobs.Claim) jobs.Settlement {
	return jobs.Settlement{Claim: c, Answer: answered(70107), Rest: jobs.Failed, Code: 70107}
}

func firsts(claims []jobs.Claim) (firsts []int64) {
	for _, c := range claims {
		firsts = append(firsts, c.First)
	}
	slices.Sort(firsts)
	return firsts
}

func codes(t checker, s *store.Store, f store.AuditFilter) (codes []audit.Code) {
	f.Limit = 100
	entries, err := s.AuditEntries(ctx, f)
	require.NoError(t, err)
	for _, e := range slices.Backward(entries) {
		codes = append(codes, e.Code)
	}
	return codes
}

func TestKillSwitchBlocksClaims(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		j := started(t, s, 40_000)
		var claimers errgroup.Group
		for range 4 {
			claimers.Go(func() error {
				for {
					claims, _, err := s.Claim(ctx, storetest.App.ID, tim.RemoveAllTags, 1, lease)
					if k, e := s.KillSwitch(ctx); err != nil || e != nil || len(claims) == 0 && k.Thrown() {
						return err
					}
				}
			})
		}
		for calls := int64(0); calls < 20; {
			now, err := s.Job(ctx, j.ID)
			require.NoError(t, err)
			calls = now.Counts[jobs.Sending] / 100
		}
		require.NoError(t, s.ThrowKillSwitch(ctx, operator, "wrong list"))
		then, err := s.Job(ctx, j.ID)
		require.NoError(t, err)
		require.NoError(t, claimers.Wait())
		after, err := s.Job(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, then.Counts, after.Counts)
		require.Positive(t, after.Counts[jobs.Waiting])

		require.NoError(t, s.ThrowKillSwitch(ctx, operator, "again"))
		k, err := s.KillSwitch(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"olga", "wrong list"}, []string{k.ThrownBy, k.Reason})
		require.NoError(t, s.LiftKillSwitch(ctx, operator))
		require.NoError(t, s.LiftKillSwitch(ctx, operator))
		require.NotEmpty(t, claim(t, s, tim.RemoveAllTags, 1))
		require.Equal(t, []audit.Code{audit.KillSwitchThrown}, codes(t, s, store.AuditFilter{Code: audit.KillSwitchThrown}))
		require.Equal(t, []audit.Code{audit.KillSwitchLifted}, codes(t, s, store.AuditFilter{Code: audit.KillSwitchLifted}))
	})
}

func TestScheduledJobIsNotSentEarly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		j := draft(t, s, 100)
		for _, at := range []time.Time{time.Now().Add(-time.Second), time.Now().AddDate(1, 0, 1)} {
			_, err := s.StartJob(ctx, operator, j.ID, store.Start{Confirm: 100, At: at})
			require.True(t, jobs.FaultStartTime.Is(err), "%v", err)
		}
		j, err := s.StartJob(ctx, operator, j.ID, store.Start{Confirm: 100, At: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		require.Equal(t, jobs.State("scheduled"), j.Shown())
		require.Empty(t, claim(t, s, tim.RemoveAllTags, 1))
		s.Jump(2 * time.Hour)
		require.Len(t, claim(t, s, tim.RemoveAllTags, 1), 1)

		other := draftOf(t, s, "other", 100)
		_, err = s.StartJob(ctx, operator, other.ID, store.Start{Confirm: 100, At: time.Now().Add(4 * time.Hour)})
		require.NoError(t, err)
		require.Empty(t, claim(t, s, tim.RemoveAllTags, 1))
		_, err = s.ActOnJob(ctx, operator, other.ID, jobs.StartNow)
		require.NoError(t, err)
		require.Len(t, claim(t, s, tim.RemoveAllTags, 1), 1)
		_, err = s.ActOnJob(ctx, operator, other.ID, jobs.StartNow)
		require.True(t, jobs.FaultWrongState.Is(err), "%v", err)
		require.Contains(t, codes(t, s, store.AuditFilter{JobID: other.ID}), audit.JobStartNow)
		requireSums(t, s)
	})
}

func TestFirstJobIsServedBeforeOthers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		started(t, s, 1_000)
		first := started(t, s, 1_000)
		require.NoError(t, s.PutFirst(ctx, operator, first.ID, true))
		require.NoError(t, s.PutFirst(ctx, operator, first.ID, true))
		for served := 0; served < 10; {
			claims := claim(t, s, tim.RemoveAllTags, 3)
			for _, c := range claims {
				require.Equal(t, first.ID, c.JobID)
				settle(t, s, cleared(c))
			}
			served += len(claims)
		}
		require.NotEmpty(t, claim(t, s, tim.RemoveAllTags, 3))
		err := s.PutFirst(ctx, operator, first.ID, true)
		require.True(t, jobs.FaultWrongState.Is(err), "%v", err)
		sending, err := s.Sending(ctx, storetest.App.ID)
		require.NoError(t, err)
		require.Empty(t, sending.FirstJob, "it has ended")
		require.NoError(t, s.PutFirst(ctx, operator, first.ID, false))
		require.Equal(t, []audit.Code{audit.JobPutFirst, audit.JobPutBack},
			slices.DeleteFunc(codes(t, s, store.AuditFilter{JobID: first.ID}), func(c audit.Code) bool { return c != audit.JobPutFirst && c != audit.JobPutBack }))
	})
}

func TestFirstJobWithoutWorkBlocksNone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		other, first := started(t, s, 500), started(t, s, 500)
		require.NoError(t, s.PutFirst(ctx, operator, first.ID, true))
		require.Equal(t, first.ID, claim(t, s, tim.RemoveAllTags, 3)[0].JobID)
		require.Equal(t, other.ID, claim(t, s, tim.RemoveAllTags, 3)[0].JobID, "while the first one's gate is closed")
	})
}

func TestTheFirstAccountsAreGates(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		j := started(t, s, 2_500)
		require.Equal(t, int64(1), j.Gate)
		for _, gate := range []struct {
			gate   int64
			firsts []int64
		}{{1, []int64{1}}, {10, []int64{2}}, {100, []int64{11}}, {1000, []int64{101, 201, 301, 401, 501, 601, 701, 801, 901}}} {
			claims := claim(t, s, tim.RemoveAllTags, 50)
			require.Equal(t, gate.firsts, firsts(claims))
			require.Empty(t, claim(t, s, tim.RemoveAllTags, 50))
			now, err := s.Job(ctx, j.ID)
			require.NoError(t, err)
			require.Equal(t, gate.gate, now.Gate)
			for _, c := range claims {
				settle(t, s, cleared(c))
			}
			requireSums(t, s)
		}
		require.Len(t, claim(t, s, tim.RemoveAllTags, 50), 15)
		now, err := s.Job(ctx, j.ID)
		require.NoError(t, err)
		require.Zero(t, now.Gate)
	})
}

func TestFailureLimitHaltsUntilResumed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		j := started(t, s, 3_000)
		other := started(t, s, 100)
		state := func() jobs.Job {
			now, err := s.Job(ctx, j.ID)
			require.NoError(t, err)
			return now
		}
		for _, c := range claim(t, s, tim.RemoveAllTags, 2) {
			if c.JobID == j.ID {
				settle(t, s, failed(c))
			}
		}
		require.Equal(t, []any{jobs.Halted, jobs.CodeFailures, "1/1"}, []any{state().State, state().HaltCode, state().HaltInfo})
		running, err := s.Job(ctx, other.ID)
		require.NoError(t, err)
		require.Equal(t, jobs.Running, running.State, "the list is bad, not the app")
		_, err = s.ActOnJob(ctx, operator, other.ID, jobs.Pause)
		require.NoError(t, err)
		require.Empty(t, claim(t, s, tim.RemoveAllTags, 9))

		_, err = s.ActOnJob(ctx, operator, j.ID, jobs.Resume)
		require.NoError(t, err)
		require.Equal(t, int64(10), state().Gate, "the gate moves on")
		for _, first := range []int64{2, 11} {
			c := claim(t, s, tim.RemoveAllTags, 9)
			require.Equal(t, []int64{first}, firsts(c))
			require.False(t, c[0].Probe, "the service is not in question")
			settle(t, s, cleared(c[0]))
		}
		// 300 of the next 900 fail: more than a fifth of 1,000, before the gate ends.
		nine := claim(t, s, tim.RemoveAllTags, 9)
		require.Len(t, nine, 9)
		for i, c := range nine {
			if i < 3 {
				settle(t, s, failed(c))
			} else if i < 6 {
				settle(t, s, cleared(c))
			}
		}
		require.Equal(t, []any{jobs.Halted, "300/300"}, []any{state().State, state().HaltInfo})
		_, err = s.ActOnJob(ctx, operator, j.ID, jobs.Resume)
		require.NoError(t, err)
		require.Zero(t, state().Gate)
		for _, c := range nine[6:] {
			settle(t, s, cleared(c))
		}
		// The share was 300 of 600: now it takes more than 70 of 100.
		twenty := claim(t, s, tim.RemoveAllTags, 20)
		require.Len(t, twenty, 20)
		for i, c := range twenty[:19] {
			if i%2 == 0 {
				settle(t, s, failed(c))
			} else {
				settle(t, s, cleared(c))
			}
		}
		require.Equal(t, jobs.Running, state().State)
		requireSums(t, s)
	})
}

func TestWhatAPersonGaveUpIsNoFailure(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		j := started(t, s, 500)
		c := claim(t, s, tim.RemoveAllTags, 1)[0]
		settle(t, s, jobs.Settlement{Claim: c, Answer: tim.Answer{Delivery: tim.Lost}, Rest: jobs.InDoubt, Ask: true, Code: 70403})
		require.Empty(t, claim(t, s, tim.RemoveAllTags, 1), "the gate stays closed until it is decided")
		require.Empty(t, claim(t, s, tim.GetTags, 1))
		n, err := s.Decide(ctx, operator, j.ID, jobs.Leave)
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		require.Equal(t, []int64{2}, firsts(claim(t, s, tim.RemoveAllTags, 5)))
		requireSums(t, s)
	})
}

func TestKillSwitchIsLiftedAtomically(t *testing.T) {
	url := storetest.PostgresURL(t)
	s := storetest.Open(t, url)
	fast(t, s)
	started(t, s, 100)
	require.NoError(t, s.ThrowKillSwitch(ctx, operator, "wrong list"))
	other, err := sql.Open("pgx", url)
	require.NoError(t, err)
	defer other.Close()
	tx, err := other.BeginTx(ctx, nil)
	require.NoError(t, err)
	_, err = tx.Exec(`SELECT 1 FROM kill_switch WHERE id = 2 FOR SHARE`)
	require.NoError(t, err)
	within, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	require.Error(t, s.LiftKillSwitch(within, operator))
	require.NoError(t, tx.Rollback())
	k, err := s.KillSwitch(ctx)
	require.NoError(t, err)
	require.Equal(t, k.Thrown(), len(claim(t, s, tim.RemoveAllTags, 1)) == 0, "what is shown is what holds")
}
