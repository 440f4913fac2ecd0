package tim

import (
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// secureService serves HTTPS and returns a client that trusts it.
func secureService(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client, err := newClient(Config{
		SDKAppID: 1400000000, SecretKey: sampleKey, Identifier: "administrator", Domain: server.URL, Family: TIMPush,
	}, func(config Config) *http.Transport { return transportTrusting(config, roots) })
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func TestTLSUsesOneHTTP1Connection(t *testing.T) {
	var protocol atomic.Value
	var peers = make(chan string, 3)
	client := secureService(t, func(w http.ResponseWriter, r *http.Request) {
		protocol.Store(r.Proto)
		peers <- r.RemoteAddr
		io.WriteString(w, `{"ActionStatus":"OK","ErrorCode":0}`)
	})
	for range 3 {
		require.True(t, client.RemoveAllTags(t.Context(), 1, []string{"a"}).OK())
	}
	require.Equal(t, "HTTP/1.1", protocol.Load())
	first := <-peers
	require.Equal(t, first, <-peers)
	require.Equal(t, first, <-peers)
}

func TestTLSWrittenIsNotSentAgain(t *testing.T) {
	var arrivals atomic.Int32
	client := secureService(t, func(w http.ResponseWriter, r *http.Request) {
		if arrivals.Add(1) == 1 {
			io.WriteString(w, `{"ActionStatus":"OK","ErrorCode":0}`)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
	})
	require.True(t, client.RemoveAllTags(t.Context(), 1, []string{"a"}).OK())
	require.Equal(t, Lost, client.RemoveAllTags(t.Context(), 2, []string{"a"}).Delivery)
	require.EqualValues(t, 2, arrivals.Load())
}

func TestFailedHandshakeIsNotSent(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	client, err := New(Config{ // does not trust the certificate
		SDKAppID: 1, SecretKey: sampleKey, Identifier: "administrator", Domain: server.URL, Family: TIMPush,
	})
	require.NoError(t, err)
	answer := client.RemoveAllTags(t.Context(), 1, []string{"a"})
	require.Equal(t, NotSent, answer.Delivery)
	require.ErrorContains(t, answer.Err, "certificate")
}

func TestOneByteIsEnoughToBeInDoubt(t *testing.T) {
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	go io.Copy(io.Discard, far)
	conn := &countedConn{Conn: near}
	conn.written.Store(1000) // of earlier calls

	w := new(sendTrace)
	require.False(t, w.wrote(), "no connection yet")
	w.gotConn(httptrace.GotConnInfo{Conn: conn})
	require.False(t, w.wrote(), "a connection, and nothing written")
	_, err := conn.Write([]byte("P"))
	require.NoError(t, err)
	require.True(t, w.wrote())
	w.gotConn(httptrace.GotConnInfo{Conn: &countedConn{Conn: near}})
	require.True(t, w.wrote(), "another connection does not undo it")
}

func TestUnwatchedConnectionIsInDoubt(t *testing.T) {
	near, _ := net.Pipe()
	t.Cleanup(func() { near.Close() })
	w := new(sendTrace)
	w.gotConn(httptrace.GotConnInfo{Conn: near})
	require.True(t, w.wrote())
}
