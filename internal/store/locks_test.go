package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

// Whatever consoles and people do at the same time, none locks out another for good.
func TestTwoConsolesNeverDeadlock(t *testing.T) {
	url := storetest.PostgresURL(t)
	one := storetest.Open(t, url)
	two, err := store.Open(ctx, url)
	require.NoError(t, err)
	defer two.Close()
	fast(t, one)
	free(t, one)
	var all []jobs.Job
	for range 3 {
		all = append(all, start(t, one, draftOf(t, one, "same", 4_000)), started(t, one, 4_000))
	}
	command := func() tim.Command { return []tim.Command{tim.RemoveAllTags, tim.GetTags}[rand.IntN(2)] }
	do := func(s *store.Store, i int) error {
		id := all[rand.IntN(len(all))].ID
		switch rand.IntN(12) {
		case 0:
			_, err := s.ActOnJob(ctx, operator, id, jobs.Pause)
			return err
		case 1, 2:
			_, err := s.ActOnJob(ctx, operator, id, jobs.Resume)
			return err
		case 3:
			_, err := s.Expire(ctx, storetest.App.ID, true, 0)
			return err
		case 4:
			_, err := s.Decide(ctx, operator, id, []jobs.Decision{jobs.Again, jobs.Leave, jobs.ReadBack}[rand.IntN(3)])
			return err
		case 5:
			return s.PutFirst(ctx, operator, id, rand.IntN(2) == 0)
		case 6:
			return s.ChangeSending(ctx, operator, storetest.App.ID, store.SendingSettings{Rate: rand.IntN(2) * 100, FailureLimit: 1 + rand.IntN(100), KeepDays: 30})
		case 7:
			if err := s.ThrowKillSwitch(ctx, operator, ""); err != nil {
				return err
			}
			return s.LiftKillSwitch(ctx, operator)
		case 8:
			_, err := s.Protect(ctx, operator, storetest.App.ID, "", []string{fmt.Sprintf("same_%05d", 1+i%4_000)})
			return err
		}
		claims, _, err := s.Claim(ctx, storetest.App.ID, command(), 1+rand.IntN(9), lease)
		if err != nil {
			return err
		}
		var settlements []jobs.Settlement
		for _, c := range claims {
			st := cleared(c)
			switch rand.IntN(6) {
			case 0:
				st = jobs.Settlement{Claim: c, Answer: tim.Answer{Delivery: tim.Lost}, Rest: jobs.InDoubt, Ask: rand.IntN(2) == 0}
			case 1:
				st = failed(c)
			case 2:
				st = later(c, time.Millisecond)
				st.Parts, st.Hold, st.HoldAll, st.Slow = 2, time.Microsecond, rand.IntN(2) == 0, true
			case 3:
				st = down(c)
				if rand.IntN(2) == 0 {
					st.Halt = 60020
				}
				if c.Command == tim.GetTags {
					st.Rest = jobs.InDoubt
				}
			}
			st.GoOn = c.Probe && st.Rest == jobs.Cleared
			settlements = append(settlements, waitingFor(st))
		}
		return s.Settle(ctx, storetest.App.ID, settlements)
	}
	var consoles errgroup.Group
	for i := range 6 {
		s := []*store.Store{one, two}[i%2]
		consoles.Go(func() error {
			for n := range 150 {
				if err := do(s, 150*i+n); err != nil && fault.KindOf(err) == 0 {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, consoles.Wait())
	requireSums(t, one)
}
