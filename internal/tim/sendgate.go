package tim

import (
	"context"
	"errors"
	"time"
)

// ErrSentNothing means that a call was not sent because it would have been too late. The
// cause may be this program, not the service.
var ErrSentNothing = errors.New("no connection was free in time, or the call was stopped while it waited for one")

// SendGate decides when a call may leave, and is told when it does.
type SendGate struct {
	// Until is the latest time: a call that waits for a connection until then is
	// not sent. The zero time is none.
	Until time.Time
	// May is called just before the first byte is written. If it returns false, the
	// call is not sent. nil: always true.
	May func() bool
	// Sent is called with the time of each written part of the request. Calls arrive
	// in the order of their last such times. It may be nil.
	Sent func(time.Time)
}

type sendGateKey struct{}

// WithSendGate returns a context for a single call.
func WithSendGate(ctx context.Context, l SendGate) context.Context {
	return context.WithValue(ctx, sendGateKey{}, l)
}

func sendGateOf(ctx context.Context) SendGate {
	l, _ := ctx.Value(sendGateKey{}).(SendGate)
	return l
}
