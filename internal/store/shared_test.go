package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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

// sharing starts jobs of several kinds with the same accounts, or some of them.
func sharing(t checker, s *store.Store, n int, kinds ...jobs.Kind) (all []jobs.Job) {
	t.Helper()
	name := startedJobs.Add(1)
	for i, kind := range kinds {
		require.NoError(t, s.Exec(ctx, `UPDATE apps SET snapshot = $1, verify_share = 0`, (i+1)%2)) // of two that clear, one keeps no tags
		var file strings.Builder
		file.WriteString("account,tags\n")
		for _, k := range rand.Perm(n)[:n-i*n/8] {
			fmt.Fprintf(&file, "shared%d_%05d,vip\n", name, k)
		}
		j, err := storetest.Draft(s, operator, store.NewJob{Kind: kind}, file.String())
		require.NoError(t, err)
		all = append(all, start(t, s, j))
	}
	return all
}

// asTheRulesDo settles a claim in one of the ways its errand may end.
func asTheRulesDo(c jobs.Claim, how int) jobs.Settlement {
	done := jobs.Settlement{Claim: c, Answer: answered(0), Rest: c.Kind.Done()}
	switch {
	case c.Command == tim.GetTags && c.Kind == jobs.Inspect:
		return done
	case how == 0:
		return notSent(c)
	case c.Command == tim.GetTags && how < 4:
		st := toChange(c)
		st.Found = nil
		return st
	case c.Command != tim.GetTags && how == 1:
		return lost(c)
	case how == 5:
		st := jobs.Settlement{Claim: c, Answer: answered(91000), Rest: c.Was, Parts: 2, Next: tim.GetTags}
		if c.Command != tim.GetTags && c.Kind == jobs.Clear {
			st.Next = c.Command
		}
		return st
	}
	return done
}

// uses are the accounts that a job reads in order to change them, is changing, or
// is in doubt about.
type uses struct{ flights }

func (u *uses) took(c jobs.Claim) error {
	if c.Kind == jobs.Inspect || c.Was == jobs.InDoubt {
		return nil
	}
	return u.flights.took(c)
}

// settled tells, before it is written down, what will no longer be in use.
func (u *uses) settled(st jobs.Settlement) {
	if st.Kind == jobs.Inspect {
		return
	}
	reads := st.Kind.First(st.Snapshot) == tim.GetTags
	switch {
	case st.Rest == jobs.InDoubt, st.Rest == jobs.Waiting && reads && st.Next != tim.GetTags && st.Was != jobs.InDoubt:
	default:
		u.landed(st.Claim)
	}
}

// Several consoles read, change and read back at random until all jobs have ended.
func TestOverlapKeepsReadAndChangePaired(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		all := sharing(t, s, 1_600, jobs.Clear, jobs.Clear, jobs.AddTags, jobs.RemoveTags, jobs.Inspect)
		u := uses{flights{by: map[string]string{}}}
		workers, stop := errgroup.WithContext(ctx)
		for range 4 {
			workers.Go(func() error {
				for {
					claims, _, err := s.Claim(stop, storetest.App.ID, tim.Commands[rand.IntN(4)], 1+rand.IntN(3), lease)
					if err != nil {
						return err
					}
					for _, c := range claims {
						if err := u.took(c); err != nil {
							return err
						}
					}
					for _, c := range claims {
						st := asTheRulesDo(c, rand.IntN(9))
						u.settled(st)
						if err := s.Settle(ctx, storetest.App.ID, []jobs.Settlement{st}); err != nil {
							return err
						}
					}
					if len(claims) > 0 {
						continue
					}
					left := int64(0)
					for _, j := range all {
						now, err := s.Job(ctx, j.ID)
						if err != nil {
							return err
						}
						left += now.Counts.Open()
					}
					if left == 0 {
						return nil
					}
				}
			})
		}
		require.NoError(t, workers.Wait())
		requireSums(t, s)
	})
}

// Step by step, and whatever a person does to one of the two.
func TestOverlapStepsOfReadAndChange(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		rapid.Check(t, func(r *rapid.T) {
			kinds := []jobs.Kind{jobs.Clear, jobs.Clear, jobs.AddTags, jobs.RemoveTags}
			all := sharing(r, s, 350, rapid.SampledFrom(kinds).Draw(r, "one"), rapid.SampledFrom(kinds).Draw(r, "two"))
			var held []jobs.Claim
			read := map[string]map[string]bool{} // by job: accounts it has read, and is to change next
			for _, j := range all {
				read[j.ID] = map[string]bool{}
			}
			other := func(id string) string {
				if id == all[0].ID {
					return all[1].ID
				}
				return all[0].ID
			}
			claimed := func(command tim.Command) {
				for _, c := range claimNow(r, s, command, 4) {
					held = append(held, c)
					for _, p := range c.Accounts {
						if command != tim.GetTags { // whoever had read it must not rely on that any more
							require.False(r, read[other(c.JobID)][p.Account], "%s is changed between another job's reading and change", p.Account)
							delete(read[c.JobID], p.Account)
						}
					}
				}
			}
			settleOne := func(r *rapid.T) {
				if len(held) == 0 {
					r.Skip()
				}
				i := rapid.IntRange(0, len(held)-1).Draw(r, "claim")
				st := asTheRulesDo(held[i], rapid.IntRange(0, 8).Draw(r, "how"))
				held = slices.Delete(held, i, i+1)
				settle(r, s, st)
				ready := map[string]bool{}
				if st.Rest == jobs.Waiting && st.Next != tim.GetTags && st.Kind.First(st.Snapshot) == tim.GetTags {
					n, err := s.Count(ctx, `SELECT COUNT(*) FROM batches WHERE job_id = $1 AND first = $2 AND next = $3`, st.JobID, st.First, string(st.Next))
					require.NoError(r, err)
					for _, p := range st.Accounts {
						ready[p.Account] = n == 1
					}
				}
				for _, p := range st.Accounts {
					read[st.JobID][p.Account] = ready[p.Account]
				}
			}
			r.Repeat(map[string]func(*rapid.T){
				"read":   func(r *rapid.T) { claimed(tim.GetTags) },
				"change": func(r *rapid.T) { claimed(rapid.SampledFrom(all).Draw(r, "job").Kind.Command()) },
				"settle": settleOne, "settle more": settleOne,
				"expire": func(r *rapid.T) {
					_, err := s.Expire(ctx, storetest.App.ID, true, time.Millisecond)
					require.NoError(r, err)
					held = nil
				},
				"time": func(r *rapid.T) { // the other's accounts in doubt are waited for no longer, nor those that were left
					s.Jump(2 * time.Second)
				},
				"a minute": func(r *rapid.T) {
					s.Jump(62 * time.Second)
					_, err := s.Expire(ctx, storetest.App.ID, true, time.Millisecond)
					require.NoError(r, err)
					held = nil
					for id := range read {
						read[id] = map[string]bool{} // too old
					}
				},
				"pause or resume": func(r *rapid.T) {
					j := rapid.SampledFrom(all).Draw(r, "job")
					if _, err := s.ActOnJob(ctx, operator, j.ID, jobs.Pause); err != nil {
						_, err = s.ActOnJob(ctx, operator, j.ID, jobs.Resume)
						_ = err // it may have finished
					}
				},
			})
			for _, j := range all {
				_, err := s.ActOnJob(ctx, operator, j.ID, jobs.Cancel)
				_ = err
			}
			_, err := s.Expire(ctx, storetest.App.ID, true, 0)
			require.NoError(r, err)
			s.Jump(2 * time.Second)
			for claims := claimNow(r, s, tim.GetTags, 100); len(claims) > 0; claims = claimNow(r, s, tim.GetTags, 100) {
				for _, c := range claims {
					settle(r, s, jobs.Settlement{Claim: c, Answer: answered(0), Rest: c.Kind.Done()})
				}
			}
			requireSums(r, s)
		})
	})
}

// What is in doubt is read back whatever others have read, and so that reading
// gives no turn to change.
func TestOverlapReadBackWaitsItsTurn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		free(t, s)
		storetest.Keep(t, s, 0)
		one := start(t, s, draftOf(t, s, "same", 100))
		unknown := lost(readAndClaimed(t, s)[0])
		unknown.Wait = 5 * time.Second
		settle(t, s, unknown)
		two := start(t, s, draftOf(t, s, "same", 100))
		require.Empty(t, claimNow(t, s, tim.GetTags, 9), "the lost call may still take effect")
		_, err := s.ActOnJob(ctx, operator, one.ID, jobs.Pause)
		require.NoError(t, err)
		s.Jump(6 * time.Second)
		settle(t, s, toChange(claimNow(t, s, tim.GetTags, 9)[0]))
		_, err = s.ActOnJob(ctx, operator, one.ID, jobs.Resume)
		require.NoError(t, err)
		back := claimNow(t, s, tim.GetTags, 9)
		require.Equal(t, []any{one.ID, jobs.InDoubt}, []any{back[0].JobID, back[0].Was})
		settle(t, s, toChange(back[0]))
		removing := claimNow(t, s, tim.RemoveAllTags, 9)
		require.Len(t, removing, 1)
		require.Equal(t, two.ID, removing[0].JobID)
		settle(t, s, cleared(removing[0]))
		s.Jump(time.Second)
		again := claimNow(t, s, tim.GetTags, 9)
		require.Equal(t, []any{one.ID, jobs.Waiting, true}, []any{again[0].JobID, again[0].Was, again[0].Touched})
		require.Equal(t, []string{"gold"}, again[0].Known[1])
	})
}
