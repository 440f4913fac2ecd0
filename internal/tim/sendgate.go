package tim

import (
	"context"
	"errors"
	"time"
)

// ErrSentNothing is why a call was not sent that could have been, but too late. It
// says little of the service: this program may have been slow.
var ErrSentNothing = errors.New("no connection was free in time, or the call was stopped while it waited for one")

// SendGate says when a call may leave, and hears when it does.
type SendGate struct {
	// Until is the latest time: a call that waits for a connection until then is
	// not sent. The zero time is none.
	Until time.Time
	// May is asked just before the first byte is handed to the network; false
	// and the call is not sent. nil: it always may.
	May func() bool
	// Sent is told each time a part of the request was handed to the network,
	// when that was. Calls arrive in the order of their last such times. May be nil.
	Sent func(time.Time)
}

type sendGateKey struct{}

// WithSendGate returns a context for one call.
func WithSendGate(ctx context.Context, l SendGate) context.Context {
	return context.WithValue(ctx, sendGateKey{}, l)
}

func sendGateOf(ctx context.Context) SendGate {
	l, _ := ctx.Value(sendGateKey{}).(SendGate)
	return l
}
