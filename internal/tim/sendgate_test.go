package tim

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// waiting is a client with one connection, to a service that answers when told to.
func waiting(t *testing.T) (c *Client, arrived *atomic.Int64, answer chan struct{}) {
	arrived, answer = new(atomic.Int64), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		<-answer
		io.WriteString(w, `{"ActionStatus":"OK","ErrorCode":0}`)
	}))
	t.Cleanup(server.Close)
	c, err := New(Config{SDKAppID: 1, SecretKey: "k", Identifier: "a", Domain: server.URL, Family: TIMPush, MaxConns: 1})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, arrived, answer
}

func TestCallWithoutAConnectionIsNotSent(t *testing.T) {
	c, arrived, answer := waiting(t)
	first := make(chan Answer)
	go func() { first <- c.RemoveAllTags(t.Context(), 1, []string{"ann"}) }()
	require.Eventually(t, func() bool { return arrived.Load() == 1 }, 10*time.Second, time.Millisecond)
	late := c.RemoveAllTags(WithSendGate(t.Context(), SendGate{Until: time.Now().Add(20 * time.Millisecond)}), 2, []string{"bob"})
	require.Equal(t, NotSent, late.Delivery)
	require.ErrorIs(t, late.Err, ErrSentNothing)
	close(answer)
	require.Equal(t, Answered, (<-first).Delivery)
	// One that has left takes its time.
	require.Equal(t, Answered, c.RemoveAllTags(WithSendGate(t.Context(), SendGate{Until: time.Now().Add(10 * time.Second)}),
		3, []string{"cid"}).Delivery)
	require.EqualValues(t, 2, arrived.Load())
}

func TestLeavingIsAskedJustBefore(t *testing.T) {
	c, arrived, answer := waiting(t)
	close(answer)
	require.Equal(t, Answered, c.RemoveAllTags(t.Context(), 1, []string{"ann"}).Delivery)
	asked := 0
	stopped := SendGate{May: func() bool { asked++; return false }, Sent: func(time.Time) { t.Error("nothing was written") }}
	require.Equal(t, NotSent, c.RemoveAllTags(WithSendGate(t.Context(), stopped), 2, []string{"bob"}).Delivery)
	require.Equal(t, 1, asked, "it is not tried on one connection after the other")
	require.EqualValues(t, 1, arrived.Load())
	require.Equal(t, Answered, c.RemoveAllTags(t.Context(), 3, []string{"cid"}).Delivery)
}

// Else the system would continue delivering it, for minutes where the way is blocked.
func TestCallGivenUpLeavesTheNetwork(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	c, err := New(Config{SDKAppID: 1, SecretKey: "k", Identifier: "a", Domain: "http://" + listener.Addr().String(), Family: TIMPush})
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	written := WithSendGate(ctx, SendGate{Sent: func(time.Time) { cancel() }})
	require.Equal(t, Lost, c.RemoveAllTags(written, 1, []string{"ann"}).Delivery)
	conn, err := listener.Accept()
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.ReadAll(conn)
	require.ErrorIs(t, err, syscall.ECONNRESET)
}
