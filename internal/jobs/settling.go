package jobs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/tim"
)

// settle writes settlements down, as many at once as have come in meanwhile.
func (r *Runner) settle(ctx context.Context, settlements <-chan Settlement, lanes map[tim.Command]*lane) {
	for s := range settlements {
		group := []Settlement{s}
	more:
		for len(group) < settleMost {
			select {
			case s, open := <-settlements:
				if !open {
					break more
				}
				group = append(group, s)
			default:
				break more
			}
		}
		r.keep(ctx, group, func() int { return len(settlements) })
		for _, s := range group {
			if s.stops() {
				r.brake.release()
			}
			<-lanes[s.Command].seats
		}
		wake(group, lanes)
	}
}

// wake lets the lanes look that may have something to claim now: reading runs
// ahead of changing, and verification comes after it.
func wake(group []Settlement, lanes map[tim.Command]*lane) {
	commands := map[tim.Command]bool{tim.GetTags: true}
	for _, s := range group {
		commands[s.Command], commands[s.Next] = true, true
	}
	for command, lane := range lanes {
		if commands[command] {
			select {
			case lane.written <- struct{}{}:
			default:
			}
		}
	}
}

// keep tries until the settlements are written down, or ctx ends. While it
// cannot, no call leaves. One that cannot be written does not hold up the
// others; for a reason that is not the database's, it is given up a minute after
// its lease ended: it is in doubt, and read back by then.
func (r *Runner) keep(ctx context.Context, group []Settlement, behind func() int) {
	err := r.write(ctx, group)
	for wait := 50 * time.Millisecond; err != nil; wait = min(2*wait, 2*time.Second) {
		r.troubles.holding(len(group) + behind())
		r.Log.Error("answers could not be written down; no call is made until they are", "batches", len(group), "call", group[0].Call, "err", err)
		if !sleepUntil(ctx, time.Now().Add(wait)) {
			r.Log.Error("answers were not written down; their accounts are in doubt at the next start", "batches", len(group))
			return
		}
		err = nil
		group = slices.DeleteFunc(slices.Clone(group), func(s Settlement) bool {
			if err != nil && fault.KindOf(err) != 0 {
				return false // the database is in trouble, for this one too
			}
			failed := r.write(ctx, []Settlement{s})
			if failed != nil && fault.KindOf(failed) == 0 && !errors.Is(failed, context.Canceled) && time.Now().After(s.LeaseUntil.Add(time.Minute)) {
				r.Log.Error("an answer is given up; its accounts are in doubt", "call", s.Call, "err", failed)
				return true
			}
			err = cmp.Or(err, failed)
			return failed == nil
		})
	}
	r.troubles.note(ctx, settling, nil)
	r.troubles.holding(0)
}

func (r *Runner) write(ctx context.Context, group []Settlement) error {
	within, cancel := context.WithTimeout(ctx, settleAgain)
	defer cancel()
	err := r.Store.Settle(within, r.App.ID, group)
	if err != nil {
		r.troubles.note(ctx, settling, err)
	}
	return err
}
