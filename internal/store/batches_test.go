package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

const lease = 45 * time.Second

// fast is the app without a pace worth waiting for.
func fast(t checker, s *store.Store) {
	app := storetest.App
	app.Rate = 100_000
	require.NoError(t, s.SaveApp(ctx, app))
}

// free lets jobs begin without gates, and never halts them for failures.
func free(t checker, s *store.Store) {
	require.NoError(t, s.ChangeSending(ctx, operator, storetest.App.ID, store.SendingSettings{FailureLimit: 100, KeepDays: 30}))
}

func claim(t checker, s *store.Store, command tim.Command, limit int) []jobs.Claim {
	t.Helper()
	for {
		claims, next, err := s.Claim(ctx, storetest.App.ID, command, limit, lease)
		require.NoError(t, err)
		if len(claims) > 0 || next.IsZero() {
			return claims // else the budget is spent for the moment
		}
	}
}

// claimNow does not wait for the budget, nor for a probe.
func claimNow(t checker, s *store.Store, command tim.Command, limit int) []jobs.Claim {
	t.Helper()
	claims, _, err := s.Claim(ctx, storetest.App.ID, command, limit, lease)
	require.NoError(t, err)
	return claims
}

func answered(code int) tim.Answer {
	return tim.Answer{Delivery: tim.Answered, SentAt: time.Now(), HTTPStatus: 200, Code: code}
}

// waitingFor completes a settlement made by hand as the rules of a job do that
// reads nothing before it removes.
func waitingFor(st jobs.Settlement) jobs.Settlement {
	if st.Rest == jobs.Waiting && st.Next == "" {
		st.Next = tim.RemoveAllTags
	}
	return st
}

func settle(t checker, s *store.Store, st ...jobs.Settlement) {
	t.Helper()
	for i := range st {
		st[i] = waitingFor(st[i])
	}
	require.NoError(t, s.Settle(ctx, storetest.App.ID, st))
}

func TestClaimNeverHandsOutABatchTwice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		fast(t, s)
		j := started(t, s, 3_050)
		var mutex sync.Mutex
		seen := map[int64]int{}
		var wait sync.WaitGroup
		for range 6 {
			wait.Go(func() {
				for {
					claims := claim(t, s, tim.RemoveAllTags, 3)
					mutex.Lock()
					for _, c := range claims {
						seen[c.First]++
					}
					all := len(seen)
					mutex.Unlock()
					if all == 31 {
						return
					}
				}
			})
		}
		wait.Wait()
		for first, times := range seen {
			require.Equal(t, 1, times, "batch %d", first)
		}
		j, err := s.Job(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, int64(3_050), j.Counts[jobs.Sending])
		require.Equal(t, jobs.Running, j.State)
		requireSums(t, s)
	})
}

func TestSlotsAreEvenlySpaced(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		started(t, s, 2_000)
		var slots []time.Time
		for len(slots) < 20 {
			for _, c := range claim(t, s, tim.RemoveAllTags, 3) {
				slots = append(slots, c.Slot)
			}
		}
		interval := time.Second / time.Duration(storetest.App.Rate)
		for i := 1; i < len(slots); i++ {
			require.GreaterOrEqual(t, slots[i].Sub(slots[i-1]), interval)
		}
	})
}

func TestSmallJobsDoNotWaitBehindBigOnes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		fast(t, s)
		big, small := started(t, s, 5_000), started(t, s, 300)
		taken := map[string]int{}
		for range 3 {
			for _, c := range claim(t, s, tim.RemoveAllTags, 4) {
				taken[c.JobID]++
			}
		}
		require.Equal(t, 3, taken[small.ID], "all of it within three claims of four")
		require.GreaterOrEqual(t, taken[big.ID], 6)
	})
}

func TestClaimSkipsStoppedJobs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		paused, cancelled, halted := started(t, s, 100), started(t, s, 100), started(t, s, 200)
		_, err := s.ActOnJob(ctx, operator, paused.ID, jobs.Pause)
		require.NoError(t, err)
		_, err = s.ActOnJob(ctx, operator, cancelled.ID, jobs.Cancel)
		require.NoError(t, err)
		c := claim(t, s, tim.RemoveAllTags, 1)[0]
		settle(t, s, jobs.Settlement{Claim: c, Answer: answered(60020), Rest: jobs.Waiting, Halt: 60020})
		require.Empty(t, claim(t, s, tim.RemoveAllTags, 5))

		j, err := s.Job(ctx, halted.ID)
		require.NoError(t, err)
		require.Equal(t, jobs.Halted, j.State)
		require.Equal(t, 60020, j.HaltCode)
		_, err = s.ActOnJob(ctx, operator, halted.ID, jobs.Resume)
		require.NoError(t, err)
		probes := claim(t, s, tim.RemoveAllTags, 5)
		require.Len(t, probes, 1, "one call finds out whether it is mended")
		require.True(t, probes[0].Probe)
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 5))
		settle(t, s, jobs.Settlement{Claim: probes[0], Answer: answered(0), Rest: jobs.Cleared, GoOn: true})
		require.Len(t, claim(t, s, tim.RemoveAllTags, 5), 1)
		requireSums(t, s)
	})
}

func TestInDoubtSettledByLateAnswer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		started(t, s, 200)
		claims := claim(t, s, tim.RemoveAllTags, 2)
		n, err := s.Expire(ctx, storetest.App.ID, true, 5*time.Second)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		settle(t, s, jobs.Settlement{Claim: claims[0], Answer: answered(0), Rest: jobs.Cleared})
		j, err := s.Job(ctx, claims[0].JobID)
		require.NoError(t, err)
		require.Equal(t, int64(100), j.Counts[jobs.Cleared])
		require.Equal(t, int64(100), j.Counts[jobs.InDoubt])

		// Once settled, or taken by a read-back, the same answer changes nothing more.
		settle(t, s, jobs.Settlement{Claim: claims[0], Answer: answered(0), Rest: jobs.Failed})
		j, err = s.Job(ctx, claims[0].JobID)
		require.NoError(t, err)
		require.Equal(t, int64(100), j.Counts[jobs.Cleared])
		requireSums(t, s)
	})
}

func TestInDoubtWaitsForLostCallToExpire(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		started(t, s, 100)
		require.Len(t, claim(t, s, tim.RemoveAllTags, 1), 1)
		_, err := s.Expire(ctx, storetest.App.ID, true, 5*time.Second)
		require.NoError(t, err)
		require.Empty(t, claim(t, s, tim.GetTags, 1))
		require.Empty(t, claim(t, s, tim.RemoveAllTags, 1), "and never sent again blindly")
	})
}

func TestLedgerShowsAbandonedReadBackLost(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		fast(t, s)
		j := started(t, s, 100)
		settle(t, s, jobs.Settlement{Claim: claim(t, s, tim.RemoveAllTags, 1)[0], Answer: tim.Answer{Delivery: tim.Lost}, Rest: jobs.InDoubt})
		died, _, err := s.Claim(ctx, storetest.App.ID, tim.GetTags, 1, -time.Second)
		require.NoError(t, err)
		require.Len(t, died, 1)
		require.Empty(t, claim(t, s, tim.GetTags, 1), "not before it is expired, or its call would stay open in the ledger")
		_, err = s.Expire(ctx, storetest.App.ID, false, 0)
		require.NoError(t, err)
		settle(t, s, jobs.Settlement{Claim: claim(t, s, tim.GetTags, 1)[0], Answer: answered(0), Rest: jobs.Cleared})
		j, err = s.Job(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, jobs.Finished, j.State)
		require.Equal(t, int64(3), j.Calls)
		var deliveries []string
		for call, err := range s.Calls(ctx, j.ID) {
			require.NoError(t, err)
			deliveries = append(deliveries, call.Delivery)
		}
		require.ElementsMatch(t, []string{"lost", "lost", "answered"}, deliveries)
	})
}

// Whatever happens to a job, in whatever order, its rows and outcomes add up.
func TestSumsAddUpAtEveryCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		free(t, s)
		fast(t, s)
		rapid.Check(t, func(r *rapid.T) {
			j := started(r, s, rapid.IntRange(1, 950).Draw(r, "accounts"))
			var held []jobs.Claim
			step := func(ignored error) { _ = ignored }
			r.Repeat(map[string]func(*rapid.T){
				"claim":     func(r *rapid.T) { held = append(held, claim(r, s, tim.RemoveAllTags, 2)...) },
				"read back": func(r *rapid.T) { held = append(held, claim(r, s, tim.GetTags, 2)...) },
				"settle": func(r *rapid.T) {
					if len(held) == 0 {
						r.Skip()
					}
					i := rapid.IntRange(0, len(held)-1).Draw(r, "claim")
					settle(r, s, anySettlement(r, held[i]))
					if rapid.Bool().Draw(r, "forget") {
						held = append(held[:i], held[i+1:]...)
					}
				},
				"expire": func(r *rapid.T) {
					_, err := s.Expire(ctx, storetest.App.ID, true, 5*time.Second)
					require.NoError(r, err)
				},
				"decide": func(r *rapid.T) {
					_, err := s.Decide(ctx, operator, j.ID, rapid.SampledFrom([]jobs.Decision{jobs.Again, jobs.Leave, jobs.ReadBack}).Draw(r, "decision"))
					step(err)
				},
				"pause":  func(r *rapid.T) { _, err := s.ActOnJob(ctx, operator, j.ID, jobs.Pause); step(err) },
				"resume": func(r *rapid.T) { _, err := s.ActOnJob(ctx, operator, j.ID, jobs.Resume); step(err) },
				"cancel": func(r *rapid.T) {
					if rapid.IntRange(0, 9).Draw(r, "rarely") == 0 {
						_, err := s.ActOnJob(ctx, operator, j.ID, jobs.Cancel)
						step(err)
					}
				},
				"": func(r *rapid.T) { requireSums(r, s) },
			})
			_, err := s.ActOnJob(ctx, operator, j.ID, jobs.Cancel) // so that it takes no part in the next run
			step(err)
		})
	})
}

func anySettlement(r *rapid.T, c jobs.Claim) jobs.Settlement {
	st := jobs.Settlement{Claim: c, Answer: answered(0), Tries: rapid.IntRange(0, 3).Draw(r, "tries")}
	st.Rest = rapid.SampledFrom([]jobs.Outcome{jobs.Cleared, jobs.Failed, jobs.Waiting, jobs.InDoubt}).Draw(r, "rest")
	if st.Rest.Open() && len(c.Accounts) > 1 && rapid.Bool().Draw(r, "split") {
		st.Parts = rapid.IntRange(2, 5).Draw(r, "parts")
		st.Wait = time.Duration(rapid.IntRange(0, 2).Draw(r, "wait")) * time.Millisecond
	}
	st.Ask = st.Rest == jobs.InDoubt && rapid.IntRange(0, 3).Draw(r, "ask") == 0
	if st.Rest.Open() && rapid.Bool().Draw(r, "found") {
		st.Found = map[int64][]string{c.Accounts[0].Seq: {"vip"}}
	}
	for _, p := range c.Accounts[:len(c.Accounts)-1] {
		if rapid.IntRange(0, 3).Draw(r, "own") == 0 {
			st.Own = append(st.Own, jobs.Own{Seq: p.Seq, Outcome: rapid.SampledFrom([]jobs.Outcome{jobs.Cleared, jobs.Failed}).Draw(r, "outcome")})
		}
	}
	return st
}
