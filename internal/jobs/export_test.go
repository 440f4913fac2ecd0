package jobs

import (
	"context"
	"time"
)

// CallNow makes the call of a claim as the lane of its command does, at once.
func (r *Runner) CallNow(ctx context.Context, c Claim) Settlement {
	l := &lane{Runner: r, command: c.Command, window: window{limit: ServiceLimit}}
	d, _ := l.window.depart(time.Now())
	return l.call(ctx, taken{Claim: c, at: time.Now()}, d)
}
