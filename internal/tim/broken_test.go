package tim_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

const good = "HTTP/1.1 200 OK\r\nContent-Length: 35\r\n\r\n" + `{"ActionStatus":"OK","ErrorCode":0}`

// rawService answers connections by hand and counts the requests it has read.
type rawService struct {
	base string
	mu   sync.Mutex
	read []*http.Request
}

func (s *rawService) request(in *bufio.Reader) bool {
	request, err := http.ReadRequest(in)
	if err != nil {
		return false
	}
	io.Copy(io.Discard, request.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = append(s.read, request)
	return true
}

func (s *rawService) arrivals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.read)
}

// raw listens; serve gets each connection and its number from 0, and owns it.
func raw(t *testing.T, serve func(s *rawService, conn *net.TCPConn, in *bufio.Reader, number int)) *rawService {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &rawService{base: "http://" + listener.Addr().String()}
	var open sync.WaitGroup
	open.Go(func() {
		for number := 0; ; number++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				serve(s, conn.(*net.TCPConn), bufio.NewReader(conn), number)
			})
		}
	})
	t.Cleanup(func() { listener.Close(); open.Wait() })
	return s
}

func requireNoSecrets(t *testing.T, s *rawService, answer tim.Answer) {
	t.Helper()
	shown := fmt.Sprintf("%+v %v", answer, answer.Err)
	require.NotContains(t, shown, secretKey)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, request := range s.read {
		userSig := request.URL.Query().Get("usersig")
		require.NotEmpty(t, userSig)
		require.NotContains(t, shown, userSig)
		require.NotContains(t, shown, url.QueryEscape(userSig))
	}
}

func TestKeptConnectionNeverSendsTwice(t *testing.T) {
	for name, end := range map[string]func(*net.TCPConn){
		"closed": func(conn *net.TCPConn) { conn.Close() },
		"reset":  func(conn *net.TCPConn) { conn.SetLinger(0); conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			s := raw(t, func(s *rawService, conn *net.TCPConn, in *bufio.Reader, _ int) {
				for s.request(in) {
					if s.arrivals() == 2 {
						end(conn)
						return
					}
					io.WriteString(conn, good)
				}
			})
			c := client(t, s.base)
			require.True(t, c.RemoveAllTags(t.Context(), 1, []string{"amy"}).OK())
			answer := c.RemoveAllTags(t.Context(), 2, []string{"amy"})
			require.Equal(t, tim.Lost, answer.Delivery)
			require.Equal(t, tim.InDoubt, answer.Rule().Class)
			require.Equal(t, 2, s.arrivals(), "the second request must arrive exactly once")
			requireNoSecrets(t, s, answer)
		})
	}
}

func TestClosedKeptConnectionSendsOnce(t *testing.T) {
	closed := make(chan struct{})
	s := raw(t, func(s *rawService, conn *net.TCPConn, in *bufio.Reader, number int) {
		for s.request(in) {
			io.WriteString(conn, good)
			if number == 0 {
				conn.Close()
				close(closed)
				return
			}
		}
	})
	c := client(t, s.base)
	require.True(t, c.RemoveAllTags(t.Context(), 1, []string{"amy"}).OK())
	<-closed
	// Whether the client has noticed is a race: it sends again or says so when
	// nothing was written, and is in doubt when something was. The request never
	// arrives twice.
	answer := c.RemoveAllTags(t.Context(), 2, []string{"amy"})
	if answer.Delivery == tim.Answered {
		require.Equal(t, 2, s.arrivals())
	} else {
		require.Equal(t, 1, s.arrivals())
	}
}

func TestResetIsNeverTakenForAnAnswer(t *testing.T) {
	s := raw(t, func(_ *rawService, conn *net.TCPConn, _ *bufio.Reader, _ int) { conn.SetLinger(0) })
	c := client(t, s.base)
	for range 20 {
		answer := c.RemoveAllTags(t.Context(), 1, []string{"amy"})
		require.Contains(t, []tim.Delivery{tim.NotSent, tim.Lost}, answer.Delivery)
		require.Error(t, answer.Err)
		requireNoSecrets(t, s, answer)
	}
}

func TestRefusedConnectionIsNotSent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener.Close()
	answer := client(t, "http://"+listener.Addr().String()).RemoveAllTags(t.Context(), 1, []string{"amy"})
	require.Equal(t, tim.NotSent, answer.Delivery)
	require.Equal(t, tim.Retry, answer.Rule().Class)
	require.ErrorContains(t, answer.Err, "refused")
	require.NotContains(t, answer.Err.Error(), "usersig")
}

func TestWhatIsNoAnswerOfTheServiceIsLost(t *testing.T) {
	page := func(status, body string) string {
		return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
	}
	for name, sent := range map[string]string{
		"reset after reading":    "",
		"half an answer":         good[:len(good)-10],
		"half a header":          good[:20],
		"garbage":                "\x00\x01garbage\r\n\r\n",
		"502 page":               page("502 Bad Gateway", "<html>502</html>"),
		"500 with a good body":   page("500 Internal Server Error", `{"ActionStatus":"OK","ErrorCode":0}`),
		"204":                    "HTTP/1.1 204 No Content\r\n\r\n",
		"200 without JSON":       page("200 OK", "<html>login</html>"),
		"200 with nothing":       page("200 OK", ""),
		"200 with an empty JSON": page("200 OK", "{}"),
		"too long an answer":     page("200 OK", `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"`+strings.Repeat("x", 5<<20)+`"}`),
		"another's account":      page("200 OK", `{"ActionStatus":"OK","ErrorCode":0,"ErrorList":[{"To_Account":"AMY","ErrorCode":70107}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			s := raw(t, func(s *rawService, conn *net.TCPConn, in *bufio.Reader, _ int) {
				if s.request(in) {
					io.WriteString(conn, sent)
				}
			})
			answer := client(t, s.base).RemoveAllTags(t.Context(), 1, []string{"amy"})
			require.Equal(t, tim.Lost, answer.Delivery)
			require.Equal(t, tim.InDoubt, answer.Rule().Class)
			require.Error(t, answer.Err)
			require.Less(t, len(answer.Err.Error()), 1000)
			require.Equal(t, 1, s.arrivals())
			requireNoSecrets(t, s, answer)
		})
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	for _, status := range []string{"301 Moved Permanently", "307 Temporary Redirect", "308 Permanent Redirect"} {
		s := raw(t, func(s *rawService, conn *net.TCPConn, in *bufio.Reader, _ int) {
			for s.request(in) {
				fmt.Fprintf(conn, "HTTP/1.1 %s\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", status)
			}
		})
		c := client(t, s.base)
		answer := c.RemoveAllTags(t.Context(), 1, []string{"amy"})
		require.Equal(t, tim.Lost, answer.Delivery)
		require.Equal(t, status[:3], fmt.Sprint(answer.HTTPStatus))
		require.Equal(t, 1, s.arrivals())
		c.Close()
	}
}

func TestLostWhenServiceNeverAnswers(t *testing.T) {
	_, base := simulator(t, timtest.Config{Faults: timtest.Faults{Shares: map[timtest.Fault]float64{timtest.SilentAfter: 1}}})
	c := client(t, base, func(config *tim.Config) { config.Timeout = 500 * time.Millisecond })
	answer := c.RemoveAllTags(t.Context(), 1, []string{"amy"})
	require.Equal(t, tim.Lost, answer.Delivery)
	require.ErrorIs(t, answer.Err, context.DeadlineExceeded)
	require.GreaterOrEqual(t, answer.Duration, 500*time.Millisecond)
	require.Less(t, answer.Duration, 5*time.Second)
}

func TestLostWhenAnswerStopsHalfway(t *testing.T) {
	s := raw(t, func(s *rawService, conn *net.TCPConn, in *bufio.Reader, _ int) {
		if s.request(in) {
			io.WriteString(conn, good[:len(good)-10])
			in.ReadByte() // until the client goes
		}
	})
	c := client(t, s.base, func(config *tim.Config) { config.Timeout = 500 * time.Millisecond })
	require.Equal(t, tim.Lost, c.RemoveAllTags(t.Context(), 1, []string{"amy"}).Delivery)
}

func TestCancelledBeforeWritingIsNotSent(t *testing.T) {
	s := raw(t, func(s *rawService, _ *net.TCPConn, in *bufio.Reader, _ int) { s.request(in) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	answer := client(t, s.base).RemoveAllTags(ctx, 1, []string{"amy"})
	require.Equal(t, tim.NotSent, answer.Delivery)
	require.ErrorIs(t, answer.Err, context.Canceled)
	require.Zero(t, s.arrivals())
}

func TestCancelledAfterWritingIsLost(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := raw(t, func(s *rawService, _ *net.TCPConn, in *bufio.Reader, _ int) {
		if s.request(in) {
			cancel()
			in.ReadByte() // until the client goes
		}
	})
	answer := client(t, s.base).RemoveAllTags(ctx, 1, []string{"amy"})
	require.Equal(t, tim.Lost, answer.Delivery)
	require.ErrorIs(t, answer.Err, context.Canceled)
}

func TestSignatureThatIsEchoedIsHidden(t *testing.T) {
	for _, format := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s",
		"HTTP/1.1 502 Bad Gateway\r\nContent-Length: %d\r\n\r\n%s",
		"%d %s\r\n\r\n", // no HTTP at all: the transport quotes it
	} {
		for _, answerOK := range []bool{true, false} {
			s := raw(t, func(s *rawService, conn *net.TCPConn, in *bufio.Reader, _ int) {
				if !s.request(in) {
					return
				}
				s.mu.Lock()
				target := s.read[0].RequestURI + " " + s.read[0].URL.Query().Get("usersig") + " " + secretKey
				s.mu.Unlock()
				body := "<html>" + target
				if answerOK {
					body = fmt.Sprintf(`{"ActionStatus":"FAIL","ErrorCode":70003,"ErrorInfo":%q,`+
						`"ErrorList":[{"To_Account":"amy","ErrorCode":1,"ErrorInfo":%q}]}`, target, target)
				}
				fmt.Fprintf(conn, format, len(body), body)
			})
			answer := client(t, s.base).RemoveAllTags(t.Context(), 1, []string{"amy"})
			requireNoSecrets(t, s, answer)
			if answer.Delivery == tim.Answered {
				require.Contains(t, answer.Info, "[hidden]")
			} else {
				require.ErrorContains(t, answer.Err, "[hidden]")
			}
		}
	}
}
