package jobs_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
)

// Whatever consoles and people do at the same time, none locks out another for good.
func TestTwoConsolesNeverDeadlock(t *testing.T) {
	url := storetest.PostgresURL(t)
	one := jobstest.Open(t, url)
	two := jobstest.Open(t, url)
	var all []jobs.Job
	for range 3 {
		all = append(all, start(t, one, draftOf(t, one, "same", 1_000)), started(t, one, 1_000))
	}
	var consoles errgroup.Group
	for i := range 8 {
		s := []*jobstest.Console{one, two}[i%2]
		dice := rand.New(rand.NewPCG(uint64(i), 7))
		do := personDoes
		if i >= 4 {
			do = consoleDoes
		}
		consoles.Go(func() error {
			for n := range 100 {
				if err := do(s, dice, all[dice.IntN(len(all))].ID); err != nil && fault.KindOf(err) == 0 {
					return fmt.Errorf("step %d: %w", n, err)
				}
			}
			return nil
		})
	}
	require.NoError(t, consoles.Wait())
	requireSums(t, one)
}

// personDoes lets a person do something.
func personDoes(s *jobstest.Console, dice *rand.Rand, id string) (err error) {
	switch dice.IntN(8) {
	case 0:
		_, err = s.Act(ctx, operator, id, jobs.Pause)
	case 1, 2, 3:
		_, err = s.Act(ctx, operator, id, jobs.Resume)
	case 4:
		_, err = s.Decide(ctx, operator, id, []jobs.Decision{jobs.Retry, jobs.Leave, jobs.ReadBack}[dice.IntN(3)])
	case 5:
		err = s.PutFirst(ctx, operator, id, dice.IntN(2) == 0)
	case 6:
		err = s.ChangeSettings(ctx, operator, jobstest.App.ID,
			jobs.Settings{Rate: dice.IntN(100), FailureLimit: 1 + dice.IntN(100), KeepDays: 30})
	case 7:
		if err = s.ThrowKillSwitch(ctx, operator, ""); err == nil {
			err = s.LiftKillSwitch(ctx, operator)
		}
	}
	return err
}

// consoleDoes carries a batch out, or halts a job, or lets those go on that halted.
func consoleDoes(s *jobstest.Console, dice *rand.Rand, id string) error {
	switch dice.IntN(8) {
	case 0:
		return s.Halts(ctx, id, []int{jobs.CodeDown, 60020}[dice.IntN(2)], "why")
	case 1:
		return s.Recovers(ctx)
	case 2: // what several workers write at once shares a commit
		var workers errgroup.Group
		for range 5 {
			workers.Go(func() error {
				return s.DB.Write(ctx, id, func(ctx context.Context, tx *store.Tx) error {
					return s.MoveCounts(ctx, tx, id, jobs.Counts{}, 0)
				})
			})
		}
		return workers.Wait()
	}
	h, err := s.Take(ctx, id, 1+dice.Int64N(10))
	if err != nil || h == nil {
		return err
	}
	if err := h.Send(ctx, "remove_all_tags"); err != nil {
		return err
	}
	switch dice.IntN(4) {
	case 0:
		return h.Lose(ctx)
	case 1:
		return h.Settle(ctx, jobstest.Came{Rest: jobs.InDoubt, Ask: true})
	case 2:
		return h.Settle(ctx, failed)
	}
	return h.Settle(ctx, cleared)
}
