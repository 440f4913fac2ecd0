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

func down(c jobs.Claim) jobs.Settlement {
	return jobs.Settlement{Claim: c, Answer: tim.Answer{Delivery: tim.NotSent}, Rest: jobs.Waiting, Halt: jobs.CodeDown}
}

func probeAt(t checker, s *store.Store) time.Time {
	sending, err := s.Sending(ctx, storetest.App.ID)
	require.NoError(t, err)
	return sending.ProbeAt
}

func TestProbesAreSingleAndBackOff(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		one, two := started(t, s, 500), started(t, s, 500)
		settle(t, s, down(claim(t, s, tim.RemoveAllTags, 1)[0]))
		for _, id := range []string{one.ID, two.ID} {
			j, err := s.Job(ctx, id)
			require.NoError(t, err)
			require.Equal(t, []any{jobs.Halted, jobs.CodeDown}, []any{j.State, j.HaltCode})
		}
		var last []jobs.Claim
		for _, wait := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			wait *= time.Second
			before := time.Now()
			at := probeAt(t, s)
			require.WithinRange(t, at, before.Add(wait-5*time.Second), time.Now().Add(wait+100*time.Millisecond))
			claims, next, err := s.Claim(ctx, storetest.App.ID, tim.RemoveAllTags, 9, lease)
			require.NoError(t, err)
			require.Empty(t, claims)
			require.WithinDuration(t, at, next, time.Second)
			s.Jump(wait)
			last = claim(t, s, tim.RemoveAllTags, 9)
			require.Len(t, last, 1)
			require.True(t, last[0].Probe)
			require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 9), "until it is answered")
			require.Empty(t, claimNow(t, s, tim.GetTags, 9))
			settle(t, s, jobs.Settlement{Claim: last[0], Answer: tim.Answer{Delivery: tim.NotSent}, Rest: jobs.Waiting})
		}
		s.Jump(30 * time.Second)
		well := cleared(claim(t, s, tim.RemoveAllTags, 9)[0])
		well.GoOn = true
		settle(t, s, well)
		require.Zero(t, probeAt(t, s))
		require.Len(t, claim(t, s, tim.RemoveAllTags, 9), 8, "an even share for each")
		require.Equal(t, []audit.Code{audit.ServiceWell}, codes(t, s, store.AuditFilter{Code: audit.ServiceWell}))
		resumed, err := s.AuditEntries(ctx, store.AuditFilter{Code: audit.JobResumed, Limit: 10})
		require.NoError(t, err)
		require.Len(t, resumed, 2)
		require.Equal(t, audit.System, resumed[0].Actor)
		requireSums(t, s)
	})
}

func TestProbeIsRepeatedAfterItsLease(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		started(t, s, 500)
		settle(t, s, down(claim(t, s, tim.RemoveAllTags, 1)[0]))
		s.Jump(time.Second)
		require.Len(t, claim(t, s, tim.RemoveAllTags, 1), 1)
		s.Jump(lease - time.Second)
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 1))
		s.Jump(time.Second)
		require.Len(t, claimNow(t, s, tim.RemoveAllTags, 1), 1)
	})
}

func TestAccountsInDoubtProbeBeforeOthers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		started(t, s, 500)
		c := claim(t, s, tim.RemoveAllTags, 1)[0]
		settle(t, s, jobs.Settlement{Claim: c, Answer: tim.Answer{Delivery: tim.Lost}, Rest: jobs.InDoubt, Halt: jobs.CodeLostAnswers})
		s.Jump(time.Second)
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 1))
		probe := claimNow(t, s, tim.GetTags, 9)
		require.Len(t, probe, 1)
		require.True(t, probe[0].Probe)
	})
}

func TestHaltForAPersonOutranksOutage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		j := started(t, s, 500)
		settle(t, s, down(claim(t, s, tim.RemoveAllTags, 1)[0]))
		s.Jump(time.Second)
		arrears := jobs.Settlement{Claim: claim(t, s, tim.RemoveAllTags, 1)[0], Answer: answered(60020), Rest: jobs.Waiting, Halt: 60020, HaltInfo: "arrears"}
		settle(t, s, arrears)
		s.Jump(time.Minute)
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 1))
		now, err := s.Job(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Halted, 60020, "arrears"}, []any{now.State, now.HaltCode, now.HaltInfo})
		_, err = s.ActOnJob(ctx, operator, j.ID, jobs.Resume)
		require.NoError(t, err)
		require.Len(t, claim(t, s, tim.RemoveAllTags, 9), 1)
	})
}

func TestGateSettledInHaltOpensOnResume(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		started(t, s, 500)
		settle(t, s, down(claim(t, s, tim.RemoveAllTags, 1)[0]))
		s.Jump(time.Second)
		well := cleared(claim(t, s, tim.RemoveAllTags, 1)[0])
		well.GoOn = true
		settle(t, s, well)
		require.Equal(t, []int64{2}, firsts(claim(t, s, tim.RemoveAllTags, 9)))

		paused := started(t, s, 500)
		var c jobs.Claim
		for _, c = range claim(t, s, tim.RemoveAllTags, 9) {
			require.Equal(t, paused.ID, c.JobID)
		}
		_, err := s.ActOnJob(ctx, operator, paused.ID, jobs.Pause)
		require.NoError(t, err)
		settle(t, s, cleared(c))
		_, err = s.ActOnJob(ctx, operator, paused.ID, jobs.Resume)
		require.NoError(t, err)
		require.Equal(t, []int64{2}, firsts(claim(t, s, tim.RemoveAllTags, 9)))
	})
}

// A person who resumes makes a second probe, perhaps of another console: one may
// end probing before the other finds the service down once more.
func TestProbeExistsForEveryWaitingJob(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		j := started(t, s, 500)
		settle(t, s, down(claim(t, s, tim.RemoveAllTags, 1)[0]))
		s.Jump(time.Second)
		first := claim(t, s, tim.RemoveAllTags, 1)[0]
		_, err := s.ActOnJob(ctx, operator, j.ID, jobs.Resume)
		require.NoError(t, err)
		second := claim(t, s, tim.RemoveAllTags, 1)[0]
		require.True(t, first.Probe && second.Probe)
		well := cleared(first)
		well.GoOn = true
		settle(t, s, well)
		settle(t, s, down(second))
		j, err = s.Job(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, jobs.CodeDown, j.HaltCode)
		require.NotZero(t, probeAt(t, s), "else it would wait for ever")
		s.Jump(time.Second)
		require.Len(t, claim(t, s, tim.RemoveAllTags, 1), 1)
	})
}

func TestProbeIsNotBlockedByInDoubt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		started(t, s, 500)
		c := claim(t, s, tim.RemoveAllTags, 1)[0]
		settle(t, s, jobs.Settlement{Claim: c, Answer: tim.Answer{Delivery: tim.Lost}, Rest: jobs.InDoubt, Halt: jobs.CodeLostAnswers})
		s.Jump(time.Second)
		reading := claim(t, s, tim.GetTags, 1)[0]
		settle(t, s, jobs.Settlement{Claim: reading, Answer: tim.Answer{Delivery: tim.Lost}, Rest: jobs.InDoubt, Tries: 1})
		s.Jump(2 * time.Second)
		probe := claimNow(t, s, tim.RemoveAllTags, 9)
		require.Len(t, probe, 1, "it may be the reading that does not work")
		require.True(t, probe[0].Probe)
	})
}

func TestProbeIsNotLeftToAFailingBatch(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		started(t, s, 500)
		settle(t, s, down(claim(t, s, tim.RemoveAllTags, 1)[0]))
		var probed []int64
		for range 3 {
			s.Jump(30 * time.Second)
			c := claim(t, s, tim.RemoveAllTags, 1)[0]
			probed = append(probed, c.First)
			settle(t, s, jobs.Settlement{Claim: c, Answer: answered(91000), Rest: jobs.Waiting, Code: 91000, Tries: c.Tries + 1})
		}
		require.Equal(t, []int64{1, 101, 201}, probed)
	})
}

// Else no batch of the job could be the probe it waits for.
func TestGateOpensDuringAnOutage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		gated, other := started(t, s, 500), started(t, s, 500)
		claims := claim(t, s, tim.RemoveAllTags, 2)
		require.Len(t, claims, 2)
		if claims[0].JobID != gated.ID {
			claims[0], claims[1] = claims[1], claims[0]
		}
		settle(t, s, down(claims[1]))
		settle(t, s, cleared(claims[0])) // it was under way
		_, err := s.ActOnJob(ctx, operator, other.ID, jobs.Cancel)
		require.NoError(t, err)
		s.Jump(time.Second)
		probe := claim(t, s, tim.RemoveAllTags, 9)
		require.Equal(t, []int64{2}, firsts(probe))
		well := cleared(probe[0])
		well.GoOn = true
		settle(t, s, well)
		require.Equal(t, []int64{11}, firsts(claim(t, s, tim.RemoveAllTags, 9)))
	})
}

// That accounts can be read does not say that they can be changed.
func TestProbePrefersChangeOverReadAhead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		require.NoError(t, s.ChangeSending(ctx, operator, storetest.App.ID, store.SendingSettings{FailureLimit: 100, KeepDays: 30, Snapshot: true}))
		j := started(t, s, 500)
		read := func(c jobs.Claim) jobs.Settlement {
			return jobs.Settlement{Claim: c, Answer: answered(0), Rest: jobs.Waiting, Next: tim.RemoveAllTags}
		}
		settle(t, s, read(claim(t, s, tim.GetTags, 1)[0]))
		settle(t, s, down(claim(t, s, tim.RemoveAllTags, 1)[0]))
		s.Jump(time.Second)
		require.Empty(t, claimNow(t, s, tim.GetTags, 9))
		probe := claimNow(t, s, tim.RemoveAllTags, 9)
		require.Len(t, probe, 1)
		settle(t, s, jobs.Settlement{Claim: probe[0], Answer: answered(91000), Rest: jobs.Waiting, Code: 91000, Tries: 1, Wait: 20 * time.Second})

		s.Jump(2 * time.Second)
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 9), "it waits")
		probe = claimNow(t, s, tim.GetTags, 9)
		require.Len(t, probe, 1, "else nobody would probe")
		settle(t, s, read(probe[0]))
		s.Jump(time.Minute + 2*time.Second)
		_, err := s.Expire(ctx, storetest.App.ID, false, time.Second)
		require.NoError(t, err)
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 9), "what was read is stale")
		probe = claimNow(t, s, tim.GetTags, 9)
		require.Len(t, probe, 1)
		settle(t, s, read(probe[0]))

		_, err = s.ActOnJob(ctx, operator, j.ID, jobs.Pause)
		require.True(t, jobs.FaultWrongState.Is(err), "%v", err)
		_, err = s.ActOnJob(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
		inspect, err := storetest.Draft(s, operator, store.NewJob{Kind: jobs.Inspect}, "account\nann\n")
		require.NoError(t, err)
		start(t, s, inspect)
		s.Jump(time.Minute)
		require.Len(t, claimNow(t, s, tim.GetTags, 9), 1, "nothing is to be changed")
		requireSums(t, s)
	})
}
