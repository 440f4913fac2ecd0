package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/filetest"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// fromEnv is a number of the environment, or one that suits a machine at work.
func fromEnv(b *testing.B, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(b, err)
	return n
}

// attack is one kind of load. It goes on until ctx ends, and counts what it did.
type attack struct {
	name string
	run  func(ctx context.Context, did *atomic.Int64)
}

// attacker makes its requests from many addresses of this machine.
type attacker struct {
	*testing.B
	p    *program
	next atomic.Int64
}

// visitor is a client at one of 200 addresses.
func (a *attacker) visitor() *http.Client {
	from := net.IPv4(127, 0, 2, byte(1+a.next.Add(1)%200))
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 4}}
}

// signIns tries ever new names, so many a second.
func (a *attacker) signIns(ctx context.Context, perSecond int, did *atomic.Int64) {
	clients := make([]*http.Client, 200)
	for i := range clients {
		clients[i] = a.visitor()
	}
	var all sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for room := make(chan struct{}, 100); ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-tick.C:
			n := a.next.Add(1)
			select {
			case room <- struct{}{}:
			default: // it answers more slowly than it is asked
				continue
			}
			all.Go(func() {
				defer func() { <-room }()
				form := url.Values{"username": {fmt.Sprint("name", n)}, "password": {"wrong password"}}
				answer, err := clients[n%200].PostForm(a.p.address+"/login", form)
				if err == nil {
					io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
					did.Add(1)
				}
			})
		}
	}
	all.Wait()
}

// slowly keeps 500 connections open that send a byte now and then.
func (a *attacker) slowly(ctx context.Context, did *atomic.Int64) {
	var all sync.WaitGroup
	for i := range 500 {
		all.Go(func() {
			dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 3, byte(1+i%20))}}
			for ctx.Err() == nil {
				conn, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(a.p.address, "http://"))
				if err != nil {
					continue
				}
				did.Add(1)
				_, err = io.WriteString(conn, "POST /login HTTP/1.1\r\nHost: console\r\nContent-Length: 1000\r\n"+
					"Content-Type: application/x-www-form-urlencoded\r\n\r\n")
				for err == nil && ctx.Err() == nil {
					conn.SetReadDeadline(time.Now().Add(time.Second))
					if _, err = conn.Read(make([]byte, 100)); os.IsTimeout(err) {
						_, err = conn.Write([]byte("u"))
					}
				}
				conn.Close()
			}
		})
	}
	all.Wait()
}

// again asks for an address again and again, from so many clients at once.
func (a *attacker) again(ctx context.Context, by []*apiClient, n int, path string, did *atomic.Int64) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for ctx.Err() == nil {
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.p.address+path, nil)
				require.NoError(a, err)
				answer, err := by[i%len(by)].client.Do(request)
				if err == nil {
					io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
					did.Add(1)
				}
				if err != nil || answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusServiceUnavailable {
					select {
					case <-ctx.Done():
					case <-time.After(time.Second): // less than it is told, or than browsers wait
					}
				}
			}
		})
	}
	all.Wait()
}

// stopDelay throws the kill switch and lifts it: how long the answer took, and how long
// after the click the last call came.
func stopDelay(b *testing.B, service *timtest.Service, admin *apiClient) (answered, last time.Duration) {
	clicked := time.Now()
	answer, body := admin.post("/sending/stop", url.Values{})
	require.Equal(b, http.StatusSeeOther, answer.StatusCode, body)
	answered = time.Since(clicked)
	<-time.After(2 * time.Second)
	at := arrivals(service)
	answer, body = admin.post("/sending/lift", url.Values{})
	require.Equal(b, http.StatusSeeOther, answer.StatusCode, body)
	return answered, max(0, at[len(at)-1].Sub(clicked))
}

// The rate of a running job and the delay of the kill switch, alone and under each attack,
// in one run. ATTACK_SECONDS is how long each is measured, and ATTACK_NAMES how many names
// were tried before.
func BenchmarkUnderAttack(b *testing.B) {
	seconds := fromEnv(b, "ATTACK_SECONDS", 5)
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			for range b.N {
				service, simulator := simulate(b, nil)
				p := newProgram(b, simulator, databaseOf(b, engine))
				p.start()
				a := &attacker{B: b, p: p}
				olga, adam, aida := p.signIn("olga"), p.signIn("adam"), p.signIn("aida")
				other := olga.draft(accountFile(100_000))
				id := olga.draft(accountFile(12_000 * 7 * (seconds + 8)))
				until(b, "the files are read", func() bool { return olga.job(id).State == "draft" && olga.job(other).State == "draft" })
				tried, enough := context.WithCancel(b.Context())
				var names atomic.Int64
				go func() {
					for int(names.Load()) < fromEnv(b, "ATTACK_NAMES", 2_000) {
						time.Sleep(10 * time.Millisecond)
					}
					enough()
				}()
				a.signIns(tried, 5_000, &names)
				olga.start(id)
				until(b, "the job runs", func() bool { return olga.job(id).Outcomes["cleared"] > 5_000 })

				var alone float64
				for _, attack := range []attack{
					{"alone", func(ctx context.Context, _ *atomic.Int64) { <-ctx.Done() }},
					{"sign-ins", func(ctx context.Context, did *atomic.Int64) { a.signIns(ctx, 200, did) }},
					{"slow", a.slowly},
					{"exports", func(ctx context.Context, did *atomic.Int64) {
						a.again(ctx, []*apiClient{olga, adam, aida}, 24, "/jobs/"+other+"/results.csv", did)
					}},
					{"refused", func(ctx context.Context, did *atomic.Int64) { a.again(ctx, []*apiClient{olga}, 1, "/users", did) }},
					{"watchers", func(ctx context.Context, did *atomic.Int64) {
						a.again(ctx, []*apiClient{olga, adam, aida}, 1_000, "/jobs/"+id+"/events", did)
					}},
				} {
					ctx, stop := context.WithCancel(b.Context())
					var did atomic.Int64
					var all sync.WaitGroup
					all.Go(func() { attack.run(ctx, &did) })
					<-time.After(2 * time.Second)
					before := did.Load()
					rate := rateOver(service, func() { <-time.After(time.Duration(seconds) * time.Second) })
					perSecond := float64(did.Load()-before) / float64(seconds)
					answered, last := stopDelay(b, service, adam)
					stop()
					all.Wait()
					if attack.name == "alone" {
						alone = rate
						b.ReportMetric(alone, "calls/s-alone")
					}
					b.ReportMetric(100*rate/alone, "%-rate-"+attack.name)
					b.ReportMetric(float64(answered.Microseconds())/1000, "ms-stopped-"+attack.name)
					b.ReportMetric(float64(last.Microseconds())/1000, "ms-last-call-"+attack.name)
					b.ReportMetric(perSecond, "times/s-"+attack.name)
				}
				b.ReportMetric(peakMemory(b, p.process.Process.Pid), "MiB-peak")
				b.ReportMetric(float64(service.Stats().Commands[tim.RemoveAllTags].Throttled), "calls-refused")
				b.ReportMetric(0, "ns/op")
				require.Error(b, p.stop(syscall.SIGKILL))
			}
		})
	}
}

// bigWorkbook has so many accounts, each with a note that no other has.
func bigWorkbook(b *testing.B, n int) []byte {
	var rows, shared strings.Builder
	dice := rand.New(rand.NewPCG(1, 2))
	note := make([]byte, 100)
	for i := range n {
		for k := range note {
			note[k] = 'a' + byte(dice.IntN(26))
		}
		fmt.Fprintf(&shared, `<si><t>member_%07d</t></si><si><t>%s</t></si>`, i, note)
		fmt.Fprintf(&rows, `<row><c t="s"><v>%d</v></c><c t="s"><v>%d</v></c></row>`, 2*i, 2*i+1)
	}
	return []byte(filetest.BuildWorkbook(b, "", filetest.OneSheet, rows.String(), "<sst>"+shared.String()+"</sst>", filetest.Styles))
}

// The memory of a console of which 15 people ask for a big workbook's results four times each, and read nothing.
func BenchmarkUnreadDownloads(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			for range b.N {
				_, simulator := simulate(b, nil)
				p := newProgram(b, simulator, databaseOf(b, engine))
				s := reopen(b, p.database)
				for i := range 15 {
					_, err := s.Users.Create(b.Context(), commandLine(), fmt.Sprint("user", i), auth.Auditor, jobstest.PasswordHash)
					require.NoError(b, err)
				}
				require.NoError(b, s.DB.Close())
				p.start()
				olga := p.signIn("olga")
				id := olga.draft(bigWorkbook(b, 400_000))
				until(b, "the file is read", func() bool { return olga.job(id).State == "draft" })
				var people []*apiClient
				for i := range 15 {
					people = append(people, p.signIn(fmt.Sprint("user", i)))
				}
				require.NoError(b, p.stop(syscall.SIGTERM)) // importing and signing in take memory, too
				p.start()
				for _, person := range people {
					person.get("/jobs")
				}
				idle := peakMemory(b, p.process.Process.Pid)
				at, err := url.Parse(p.address)
				require.NoError(b, err)
				for _, person := range people {
					cookies := ""
					for _, cookie := range person.client.Jar.Cookies(at) {
						cookies += cookie.String() + "; "
					}
					for range 4 {
						conn, err := net.Dial("tcp", at.Host)
						require.NoError(b, err)
						defer conn.Close()
						require.NoError(b, conn.(*net.TCPConn).SetReadBuffer(64<<10))
						fmt.Fprintf(conn, "GET /jobs/%s/results.csv HTTP/1.1\r\nHost: console\r\nCookie: %s\r\n\r\n", id, cookies)
					}
				}
				<-time.After(25 * time.Second)
				b.ReportMetric(idle, "MiB-idle")
				b.ReportMetric(peakMemory(b, p.process.Process.Pid), "MiB-peak")
				b.ReportMetric(0, "ns/op")
				require.Error(b, p.stop(syscall.SIGKILL))
			}
		})
	}
}
