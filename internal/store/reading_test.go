package store_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
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

// keeping starts a job of n accounts whose tags are read and kept first.
func keeping(t *testing.T, s *store.Store, n int) jobs.Job {
	t.Helper()
	fast(t, s)
	free(t, s)
	storetest.Keep(t, s, 0)
	return started(t, s, n)
}

// adding starts a job that adds the tag "vip" to n accounts.
func adding(t *testing.T, s *store.Store, n int) jobs.Job {
	t.Helper()
	fast(t, s)
	free(t, s)
	var file strings.Builder
	file.WriteString("account,tags\n")
	name := startedJobs.Add(1)
	for i := range n {
		fmt.Fprintf(&file, "adding%d_%d,vip\n", name, i)
	}
	j, err := storetest.Draft(s, operator, store.NewJob{Kind: jobs.AddTags}, file.String())
	require.NoError(t, err)
	return start(t, s, j)
}

// toChange is a reading after which all accounts are to be changed.
func toChange(c jobs.Claim) jobs.Settlement {
	st := jobs.Settlement{Claim: c, Answer: answered(0), Rest: jobs.Waiting, Next: c.Kind.Command(), Found: map[int64][]string{}}
	for _, p := range c.Accounts {
		st.Found[p.Seq] = []string{"gold"}
		if c.Kind.Tagged() {
			if st.Change == nil {
				st.Change = map[int64][]string{}
			}
			st.Change[p.Seq] = []string{"vip"}
		}
	}
	return st
}

func lost(c jobs.Claim) jobs.Settlement {
	return jobs.Settlement{Claim: c, Answer: tim.Answer{Delivery: tim.Lost}, Rest: jobs.InDoubt, Next: tim.GetTags, Lost: c.Lost + 1}
}

func notSent(c jobs.Claim) jobs.Settlement {
	return jobs.Settlement{Claim: c, Answer: tim.Answer{Delivery: tim.NotSent}, Rest: c.Was, Next: c.Command, Change: c.Change, Lost: c.Lost, Tries: c.Tries}
}

// readAndClaimed reads all batches of the only job and claims their change.
func readAndClaimed(t *testing.T, s *store.Store) []jobs.Claim {
	t.Helper()
	var command tim.Command
	for _, c := range claim(t, s, tim.GetTags, 100) {
		settle(t, s, toChange(c))
		command = c.Kind.Command()
	}
	return claim(t, s, command, 100)
}

func inOrder(claims []jobs.Claim) []jobs.Claim {
	slices.SortFunc(claims, func(a, b jobs.Claim) int { return cmp.Compare(a.First, b.First) })
	return claims
}

func jobNow(t checker, s *store.Store, id string) jobs.Job {
	t.Helper()
	j, err := s.Job(ctx, id)
	require.NoError(t, err)
	return j
}

func TestSnapshotPrecedesRemoval(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		j := keeping(t, s, 150)
		require.True(t, j.Snapshot)
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 9))
		reading := claim(t, s, tim.GetTags, 9)
		require.Len(t, reading, 2)
		require.Equal(t, []any{jobs.Waiting, jobs.Clear, true, false, false}, []any{reading[0].Was, reading[0].Kind, reading[0].Snapshot, reading[0].Touched, reading[0].Verify})
		require.Equal(t, int64(150), jobNow(t, s, j.ID).Counts[jobs.Waiting], "nothing is at risk")
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 9), "while it is being read")
		sending, err := s.Sending(ctx, storetest.App.ID)
		require.NoError(t, err)
		require.Equal(t, []int{0, 2}, []int{sending.Gauges[0].InFlight, sending.Gauges[1].InFlight})
		st := toChange(reading[0])
		st.Own = []jobs.Own{{Seq: 7, Outcome: jobs.Untagged}}
		st.Found[7] = nil
		settle(t, s, st)
		removing := claimNow(t, s, tim.RemoveAllTags, 9)
		require.Equal(t, []int64{1}, firsts(removing))
		require.Len(t, removing[0].Accounts, 99)
		settle(t, s, cleared(removing[0]))
		counts := jobNow(t, s, j.ID).Counts
		require.Equal(t, []int64{99, 1, 50}, []int64{counts[jobs.Cleared], counts[jobs.Untagged], counts[jobs.Waiting]})
		kept := 0
		for a, err := range s.TagsBefore(ctx, j.ID) {
			require.NoError(t, err)
			if a.Known {
				kept += len(a.Before)
			}
		}
		require.Equal(t, 99, kept)
		requireSums(t, s)
	})
}

func TestSnapshotTooOldIsReadAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		adding(t, s, 300)
		for i, c := range claim(t, s, tim.GetTags, 9) {
			if i < 2 {
				settle(t, s, toChange(c))
			} else {
				settle(t, s, notSent(c))
			}
		}
		s.Jump(59 * time.Second)
		require.Equal(t, []int64{1}, firsts(claimNow(t, s, tim.AddTags, 1)))
		s.Jump(1100 * time.Millisecond)
		require.Empty(t, claimNow(t, s, tim.AddTags, 9))
		require.Equal(t, []int64{201}, firsts(claimNow(t, s, tim.GetTags, 9)))
		_, err := s.Expire(ctx, storetest.App.ID, false, time.Second)
		require.NoError(t, err)
		again := claimNow(t, s, tim.GetTags, 9)
		require.Equal(t, []int64{101}, firsts(again))
		require.Empty(t, again[0].Change)
		settle(t, s, toChange(again[0]))
		s.Jump(-1500 * time.Millisecond)
		require.Empty(t, claimNow(t, s, tim.AddTags, 9), "when it was read nobody can tell")
		requireSums(t, s)
	})
}

// An answer may be held for minutes, while the database is away.
func TestSnapshotAgeCountsFromReading(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		keeping(t, s, 100)
		held := toChange(claim(t, s, tim.GetTags, 9)[0])
		held.Answer.SentAt = time.Now().Add(-50 * time.Second)
		settle(t, s, held)
		s.Jump(11 * time.Second)
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 9))
		s.Jump(-2 * time.Second)
		require.Len(t, claimNow(t, s, tim.RemoveAllTags, 9), 1)
	})
}

func TestReadAheadIsBoundedByFreshness(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		j := keeping(t, s, 30_000)
		ahead := claim(t, s, tim.GetTags, 300)
		require.Len(t, ahead, 200)
		for _, c := range ahead {
			settle(t, s, toChange(c))
		}
		require.Empty(t, claimNow(t, s, tim.GetTags, 9))
		removing := inOrder(claim(t, s, tim.RemoveAllTags, 3))
		settle(t, s, lost(removing[0]), cleared(removing[1]), notSent(removing[2]))
		next := inOrder(claim(t, s, tim.GetTags, 9))
		require.Equal(t, []int64{1, 20_001, 20_101}, firsts(next), "what is in doubt is not held up, and two are changed")
		require.Equal(t, []jobs.Outcome{jobs.InDoubt, jobs.Waiting}, []jobs.Outcome{next[0].Was, next[1].Was})
		_, err := s.ActOnJob(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
	})
}

func TestReadAheadLimitSparesReadBacks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		started(t, s, 30_000)
		settle(t, s, lost(claim(t, s, tim.RemoveAllTags, 1)[0]))
		require.Len(t, claim(t, s, tim.GetTags, 9), 1)
	})
}

func TestReadAheadLostLeavesNoDoubt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		j := keeping(t, s, 100)
		died := claim(t, s, tim.GetTags, 9)[0]
		n, err := s.Expire(ctx, storetest.App.ID, true, 5*time.Second)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		j = jobNow(t, s, j.ID)
		require.Equal(t, []int64{100, 1}, []int64{j.Counts[jobs.Waiting], j.Calls})
		again := claimNow(t, s, tim.GetTags, 9)
		require.Len(t, again, 1)
		require.False(t, again[0].Touched)
		settle(t, s, toChange(died)) // too late: another call reads it
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 9))
		settle(t, s, toChange(again[0]))
		require.Len(t, claimNow(t, s, tim.RemoveAllTags, 9), 1)
		requireSums(t, s)
	})
}

func TestCancelDuringReadEndsWithIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, answers := range []bool{true, false} {
			j := keeping(t, s, 300)
			reading := claim(t, s, tim.GetTags, 1)[0]
			j, err := s.ActOnJob(ctx, operator, j.ID, jobs.Cancel)
			require.NoError(t, err)
			require.Equal(t, []any{jobs.State("cancelling"), int64(100), int64(200)}, []any{j.Shown(), j.Counts[jobs.Waiting], j.Counts[jobs.Unsent]})
			require.Empty(t, claimNow(t, s, tim.GetTags, 9))
			if answers {
				settle(t, s, toChange(reading))
			} else {
				_, err := s.Expire(ctx, storetest.App.ID, true, time.Second)
				require.NoError(t, err)
			}
			j = jobNow(t, s, j.ID)
			require.Equal(t, []any{jobs.Cancelled, int64(300), int64(1), false}, []any{j.Shown(), j.Counts[jobs.Unsent], j.Calls, j.FinishedAt.IsZero()})
			require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 9))
			requireSums(t, s)
		}
	})
}

func TestCancelReportsHalfChanged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		j := adding(t, s, 300)
		half := readAndClaimed(t, s)
		more := jobs.Settlement{Claim: half[0], Answer: answered(0), Rest: jobs.Waiting, Next: tim.GetTags}
		settle(t, s, more) // its next ten tags wait
		_, err := s.ActOnJob(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
		more.Claim = half[1]
		settle(t, s, more, notSent(half[2]))
		j = jobNow(t, s, j.ID)
		require.Equal(t, []int64{200, 100}, []int64{j.Counts[jobs.Failed], j.Counts[jobs.Unsent]})
		reasons, err := s.Reasons(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []jobs.Reason{{Code: jobs.CodeCutShort, Accounts: 200}}, reasons)
		requireSums(t, s)
	})
}

func TestTouchedOnlyByCallsThatLeft(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		adding(t, s, 100)
		given := readAndClaimed(t, s)[0]
		settle(t, s, notSent(given))
		again := claim(t, s, tim.AddTags, 1)[0]
		require.Equal(t, []any{false, 0, given.Change}, []any{again.Touched, again.Lost, again.Change})
		settle(t, s, lost(again))
		back := claim(t, s, tim.GetTags, 1)[0]
		require.Equal(t, []any{true, 1, jobs.InDoubt}, []any{back.Touched, back.Lost, back.Was})
		require.Equal(t, []string{"gold"}, back.Known[1], "its tags of before")
		require.Equal(t, []string{"vip"}, back.Wanted[100])
		st := toChange(back)
		st.Lost, st.Found = back.Lost, nil
		settle(t, s, st)
		last := claim(t, s, tim.AddTags, 1)[0]
		require.Equal(t, []any{true, 1}, []any{last.Touched, last.Lost})
		settle(t, s, jobs.Settlement{Claim: last, Answer: answered(60007), Rest: jobs.Waiting, Next: tim.AddTags, Change: last.Change})
		require.Equal(t, 0, claim(t, s, tim.AddTags, 1)[0].Lost)
	})
}

func TestEachPartOfABatchIsToldItsOwnTags(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		adding(t, s, 100)
		st := toChange(claim(t, s, tim.GetTags, 1)[0])
		st.Parts = 3
		for seq := int64(34); seq <= 66; seq++ {
			delete(st.Change, seq)
		}
		for seq := range st.Change {
			st.Change[seq] = []string{fmt.Sprint("t", seq)}
		}
		settle(t, s, st)
		adds := claim(t, s, tim.AddTags, 9)
		require.Equal(t, []int64{1, 67}, firsts(adds))
		for _, c := range adds {
			for _, p := range c.Accounts {
				require.Equal(t, st.Change[p.Seq], c.Change[p.Seq])
			}
		}
		require.Equal(t, []int64{34}, firsts(claimNow(t, s, tim.GetTags, 9)), "what is to be changed of it is found out first")
		requireSums(t, s)
	})
}

func TestUndoStopPolicyHaltsAndResumes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		j, other := adding(t, s, 200), adding(t, s, 100)
		require.NoError(t, s.Exec(ctx, `UPDATE jobs SET kind = 'restore', policy = 'stop' WHERE id = $1`, j.ID))
		var stopped []jobs.Claim
		for _, c := range claim(t, s, tim.GetTags, 9) {
			if c.JobID == j.ID {
				stopped = append(stopped, c)
			} else {
				settle(t, s, notSent(c))
			}
		}
		require.Equal(t, snapshot.Stop, stopped[0].Policy)
		stop := func(c jobs.Claim) jobs.Settlement {
			return jobs.Settlement{Claim: c, Answer: answered(0), Rest: jobs.Waiting, Next: tim.GetTags, Stop: true, HaltInfo: "ann"}
		}
		settle(t, s, stop(stopped[0]))
		j = jobNow(t, s, j.ID)
		require.Equal(t, []any{jobs.Halted, jobs.CodeGained, "ann", int64(200)}, []any{j.State, j.HaltCode, j.HaltInfo, j.Counts[jobs.Waiting]})
		require.Equal(t, jobs.Running, jobNow(t, s, other.ID).State, "the others go on")
		entries, err := s.AuditEntries(ctx, store.AuditFilter{Code: audit.JobHalted, JobID: j.ID, Limit: 9})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, []any{float64(jobs.CodeGained), "ann", stopped[0].Call}, []any{entries[0].Details["code"], entries[0].Details["info"], entries[0].Details["call"]})

		for _, none := range []snapshot.Policy{"", "nonsense"} {
			_, err = s.Resume(ctx, operator, j.ID, none)
			require.True(t, snapshot.FaultPolicy.Is(err), "%v", err)
		}
		_, err = s.ActOnJob(ctx, operator, j.ID, jobs.Resume)
		require.True(t, snapshot.FaultPolicy.Is(err), "%v", err)
		j, err = s.Resume(ctx, operator, j.ID, snapshot.Skip)
		require.NoError(t, err)
		require.Equal(t, snapshot.Skip, j.Policy)
		resumed, err := s.AuditEntries(ctx, store.AuditFilter{Code: audit.JobResumed, JobID: j.ID, Limit: 9})
		require.NoError(t, err)
		require.Equal(t, "skip", resumed[0].Details["policy"])
		settle(t, s, stop(stopped[1])) // which was read before
		require.Equal(t, jobs.Queued, jobNow(t, s, j.ID).State, "a person has said how to go on")
		again := claim(t, s, tim.GetTags, 9)
		require.Len(t, again, 3)
		require.False(t, again[0].Probe, "the service is not in question")
		requireSums(t, s)
	})
}
