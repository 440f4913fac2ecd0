package tim

import (
	"context"
	"errors"
	"time"
)

// ErrNotLeft is why a call was not sent that could have been, but too late. It
// says little of the service: this program may have been slow.
var ErrNotLeft = errors.New("no connection was free in time, or the call was stopped while it waited for one")

// Leaving says when a call may leave, and hears when it does.
type Leaving struct {
	// Until is the latest time: a call that waits for a connection until then is
	// not sent. The zero time is none.
	Until time.Time
	// May is asked just before the first byte is handed to the network; false
	// and the call is not sent. nil: it always may.
	May func() bool
	// Written is told each time a part of the request was handed to the network,
	// when that was. Calls arrive in the order of their last such times. May be nil.
	Written func(time.Time)
}

type leavingKey struct{}

// WithLeaving returns a context for one call.
func WithLeaving(ctx context.Context, l Leaving) context.Context {
	return context.WithValue(ctx, leavingKey{}, l)
}

func leavingOf(ctx context.Context) Leaving {
	l, _ := ctx.Value(leavingKey{}).(Leaving)
	return l
}
