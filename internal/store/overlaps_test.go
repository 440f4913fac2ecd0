package store_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

// flights are the accounts that are being sent or in doubt, each with its job.
// Taking it between a claim and the next settlement shows what the claim did.
type flights struct {
	sync.Mutex
	by map[string]string
}

func (f *flights) took(c jobs.Claim) error {
	f.Lock()
	defer f.Unlock()
	for _, p := range c.Accounts {
		if other := f.by[p.Account]; other != "" && other != c.JobID {
			return fmt.Errorf("%s is sent by job %s and by job %s", p.Account, other, c.JobID)
		}
		f.by[p.Account] = c.JobID
	}
	return nil
}

func (f *flights) landed(c jobs.Claim) {
	f.Lock()
	defer f.Unlock()
	for _, p := range c.Accounts {
		delete(f.by, p.Account)
	}
}

// Several goroutines, or consoles, claim and settle at random until all jobs have ended.
func TestOverlapNeverSendsAnAccountTwice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		var file strings.Builder
		file.WriteString("account\n")
		for i := range 2_500 {
			fmt.Fprintf(&file, "user_%05d\n", i)
		}
		var all []jobs.Job
		for _, content := range []string{file.String(), file.String(), "account\n" + shuffled(500, 1_500)} {
			j, err := storetest.Draft(s, operator, store.NewJob{}, content)
			require.NoError(t, err)
			all = append(all, start(t, s, j))
		}
		f := flights{by: map[string]string{}}
		workers, stop := errgroup.WithContext(ctx)
		ended := make(chan struct{})
		var favour errgroup.Group
		favour.Go(func() error { // so that two consoles do not turn to the same job first
			for {
				select {
				case <-ended:
					return nil
				default:
				}
				err := s.PutFirst(ctx, operator, all[rand.IntN(len(all))].ID, true)
				if err != nil && !jobs.FaultWrongState.Is(err) {
					return err
				}
			}
		})
		for range 4 {
			workers.Go(func() error {
				for {
					command := tim.RemoveAllTags
					if rand.IntN(3) == 0 {
						command = tim.GetTags
					}
					claims, _, err := s.Claim(stop, storetest.App.ID, command, 1+rand.IntN(2), lease)
					if err != nil {
						return err
					}
					for _, c := range claims {
						if err := f.took(c); err != nil {
							return err
						}
					}
					for _, c := range claims {
						st := cleared(c)
						switch rand.IntN(4) {
						case 0:
							st.Rest = jobs.InDoubt
						case 1:
							st.Rest, st.Parts = jobs.Waiting, 2
						}
						if st.Rest != jobs.InDoubt {
							f.landed(c)
						}
						if err := s.Settle(ctx, storetest.App.ID, []jobs.Settlement{waitingFor(st)}); err != nil {
							return err
						}
					}
					if len(claims) > 0 {
						continue
					}
					open, err := s.Jobs(ctx, store.JobFilter{Limit: 10})
					if err != nil {
						return err
					}
					left := int64(0)
					for _, j := range open {
						left += j.Counts.Open()
					}
					if left == 0 {
						return nil
					}
				}
			})
		}
		err := workers.Wait()
		close(ended)
		require.NoError(t, err)
		require.NoError(t, favour.Wait())
		for _, j := range all {
			now, err := s.Job(ctx, j.ID)
			require.NoError(t, err)
			require.Equal(t, jobs.Finished, now.State)
		}
		requireSums(t, s)
	})
}

func shuffled(from, to int) string {
	var names []string
	for i := from; i < to; i++ {
		names = append(names, fmt.Sprintf("user_%05d\n", i))
	}
	rand.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
	return strings.Join(names, "")
}

// Step by step: what is claimed is never in flight in another job, be it
// claimed, expired, in doubt, or decided by a person.
func TestOverlapInFlightIsNotClaimed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		rapid.Check(t, func(r *rapid.T) {
			one, two := draftOf(r, s, "same", 450), draftOf(r, s, "same", rapid.IntRange(100, 450).Draw(r, "accounts"))
			started := map[string]bool{start(r, s, one).ID: true, start(r, s, two).ID: true}
			var held []jobs.Claim
			inFlight := func() map[string]string {
				busy := map[string]string{}
				for id := range started {
					for a, err := range s.Results(ctx, id, "") {
						require.NoError(r, err)
						if a.Outcome == jobs.Sending || a.Outcome == jobs.InDoubt {
							busy[a.Account.Account] = id
						}
					}
				}
				return busy
			}
			r.Repeat(map[string]func(*rapid.T){
				"claim": func(r *rapid.T) {
					before := inFlight()
					for _, c := range claimNow(r, s, tim.RemoveAllTags, 4) {
						held = append(held, c)
						for _, p := range c.Accounts {
							other := before[p.Account]
							require.True(r, other == "" || other == c.JobID, "%s is in flight in job %s", p.Account, other)
							before[p.Account] = c.JobID
						}
					}
				},
				"read": func(r *rapid.T) { held = append(held, claimNow(r, s, tim.GetTags, 4)...) },
				"settle": func(r *rapid.T) {
					if len(held) == 0 {
						r.Skip()
					}
					i := rapid.IntRange(0, len(held)-1).Draw(r, "claim")
					st := anySettlement(r, held[i])
					st.Ask = false // those that wait for a person are not in flight
					settle(r, s, st)
					held = append(held[:i], held[i+1:]...)
				},
				"expire": func(r *rapid.T) {
					_, err := s.Expire(ctx, storetest.App.ID, true, time.Millisecond)
					require.NoError(r, err)
				},
			})
			for id := range started {
				_, err := s.ActOnJob(ctx, operator, id, jobs.Cancel)
				_ = err // it may have finished
			}
			_, err := s.Expire(ctx, storetest.App.ID, true, 0)
			require.NoError(r, err)
			s.Jump(time.Second)
			for claims := claimNow(r, s, tim.GetTags, 100); len(claims) > 0; claims = claimNow(r, s, tim.GetTags, 100) {
				for _, c := range claims {
					settle(r, s, cleared(c))
				}
			}
		})
	})
}

func TestOverlapTooLargeMakesJobWait(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		one := start(t, s, draftOf(t, s, "same", 101_000))
		require.Len(t, claim(t, s, tim.RemoveAllTags, 1_001), 1_001)
		two := start(t, s, draftOf(t, s, "same", 101_000))
		for _, c := range claimNow(t, s, tim.RemoveAllTags, 9) {
			require.Equal(t, one.ID, c.JobID)
		}
		_, err := s.ActOnJob(ctx, operator, one.ID, jobs.Pause)
		require.NoError(t, err)
		require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 9))
		now, err := s.Job(ctx, two.ID)
		require.NoError(t, err)
		require.Equal(t, jobs.Queued, now.State)
	})
}
