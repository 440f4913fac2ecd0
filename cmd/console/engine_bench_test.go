package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// setRate is the rate the console is set to by default.
const setRate = 97

// processorTime is what a process has used so far, in seconds.
func processorTime(b *testing.B, pid int) float64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(b, err)
	_, after, found := strings.Cut(string(stat), ") ") // the name may hold spaces
	require.True(b, found)
	fields := strings.Fields(after)
	const user, system, ticks = 11, 12, 100 // of proc(5), counted from the state; Linux counts in hundredths
	var sum float64
	for _, i := range []int{user, system} {
		n, err := strconv.ParseFloat(fields[i], 64)
		require.NoError(b, err)
		sum += n / ticks
	}
	return sum
}

// arrivals are the times of all removals, by the simulator's clock.
func arrivals(service *timtest.Service) (at []time.Time) {
	for _, call := range service.Ledger() {
		if call.Command == tim.RemoveAllTags {
			at = append(at, time.UnixMicro(call.At))
		}
	}
	return at
}

// shareOfRate is how much of the set rate calls made use of, from the first to the last.
func shareOfRate(at []time.Time) float64 {
	return float64(len(at)-1) / at[len(at)-1].Sub(at[0]).Seconds() / setRate
}

// snapshotBytes is how much of a database's files the tags take that are kept.
func snapshotBytes(b *testing.B, database string) (bytes float64) {
	engine, query := "sqlite", `SELECT SUM(pgsize) FROM dbstat WHERE name IN ('snapshots', 'sqlite_autoindex_snapshots_1')`
	if strings.HasPrefix(database, "postgres://") {
		engine, query = "pgx", `SELECT pg_total_relation_size('snapshots')`
	}
	db, err := sql.Open(engine, database)
	require.NoError(b, err)
	defer db.Close()
	require.NoError(b, db.QueryRow(query).Scan(&bytes))
	return bytes
}

// The real program carries out a job of 1,000,000 accounts at the rate that is
// set, at several latencies of the service. It reads and keeps the tags of each
// batch before it removes them, except the last, beside which to hold the others.
// The careful start, at which it waits for the answers of the first batch, is in
// the share from the first removal to the last.
func BenchmarkShareOfTheRate(b *testing.B) {
	for _, c := range []struct {
		engine   string
		consoles int
		latency  time.Duration
		accounts int
		kept     bool // the tags are
	}{
		{"sqlite", 1, 20 * time.Millisecond, 1_000_000, true},
		{"sqlite", 1, 200 * time.Millisecond, 1_000_000, true},
		{"sqlite", 1, time.Second, 1_000_000, true},
		{"postgres", 1, 20 * time.Millisecond, 1_000_000, true},
		{"postgres", 1, 200 * time.Millisecond, 1_000_000, true},
		{"postgres", 2, 20 * time.Millisecond, 1_000_000, true},
		{"postgres", 2, 200 * time.Millisecond, 1_000_000, true},
		{"postgres", 3, 20 * time.Millisecond, 1_000_000, true},
		{"postgres", 3, 200 * time.Millisecond, 1_000_000, true},
		{"sqlite", 1, 200 * time.Millisecond, 300_000, false},
	} {
		b.Run(fmt.Sprintf("%s/%d/%s/%d/kept=%t", c.engine, c.consoles, c.latency, c.accounts, c.kept), func(b *testing.B) {
			for range b.N {
				service, simulator := simulate(b, func(config *timtest.Config) { config.Faults.Latency = c.latency })
				p := newProgram(b, simulator, databaseOf(b, c.engine))
				p.start()
				for range c.consoles - 1 {
					another := p.another()
					b.Cleanup(another.end)
					another.start()
				}
				p.signIn("adam").changeSettings(url.Values{"snapshot": {map[bool]string{true: "1"}[c.kept]}, "verify_share": {"0"}})
				olga := p.signIn("olga")
				id := olga.draft(accountFile(c.accounts))
				until(b, "the file is read", func() bool { return olga.job(id).State == "draft" })
				empty := snapshotBytes(b, p.database)
				before := processorTime(b, p.process.Process.Pid)
				olga.start(id)
				for tick := time.NewTicker(time.Second); olga.job(id).State != "finished"; { // asking costs the console too
					<-tick.C
				}
				used, peak := processorTime(b, p.process.Process.Pid)-before, peakMemory(b, p.process.Process.Pid)
				require.NoError(b, p.stop(syscall.SIGTERM))

				at, sums := arrivals(service), service.Stats().Commands[tim.RemoveAllTags]
				require.Greater(b, sums.Accounts, int64(c.accounts)*85/100, "one in ten has no tags, and is not sent where they are read")
				b.ReportMetric((snapshotBytes(b, p.database)-empty)/float64(c.accounts), "bytes-kept/account")
				b.ReportMetric(100*shareOfRate(at), "%-of-the-rate")
				b.ReportMetric(float64(sums.Throttled), "calls-refused-for-rate")
				b.ReportMetric(float64(sums.MaxInAnySecond), "calls-in-any-second")
				if c.consoles == 1 {
					b.ReportMetric(used/float64(c.accounts)*1e6, "CPU-s/million")
				}
				b.ReportMetric(peak, "MiB-peak")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// What 1,000 people cost who watch a running job: the rate of its calls, and the
// processor time of the console, beside the same job before.
func BenchmarkWatchers(b *testing.B) {
	for range b.N {
		service, simulator := simulate(b, nil)
		p := newProgram(b, simulator, databaseOf(b, "sqlite"))
		p.start()
		olga := p.signIn("olga")
		id := olga.draft(accountFile(600_000))
		until(b, "the file is read", func() bool { return olga.job(id).State == "draft" })
		olga.start(id)
		until(b, "the job runs", func() bool { return olga.job(id).Outcomes["cleared"] > 5_000 })
		over := func() (rate, used float64) {
			before := processorTime(b, p.process.Process.Pid)
			rate = rateOver(service, func() { <-time.After(20 * time.Second) })
			return rate, processorTime(b, p.process.Process.Pid) - before
		}
		alone, usedAlone := over()
		watching, leave := context.WithCancel(b.Context())
		var told atomic.Int64
		var all sync.WaitGroup
		for range 1_000 {
			all.Go(func() {
				request, err := http.NewRequestWithContext(watching, http.MethodGet, p.address+"/jobs/"+id+"/events", nil)
				require.NoError(b, err)
				answer, err := olga.client.Do(request)
				if err != nil {
					b.Error(err)
					return
				}
				defer answer.Body.Close()
				for lines := bufio.NewReader(answer.Body); err == nil; {
					if _, err = lines.ReadString('\n'); err == nil {
						told.Add(1)
					}
				}
			})
		}
		until(b, "all watch", func() bool { return told.Load() > 5_000 })
		watched, usedWatched := over()
		refused := service.Stats().Commands[tim.RemoveAllTags].Throttled + service.Stats().Commands[tim.GetTags].Throttled
		leave()
		all.Wait()
		b.ReportMetric(watched/alone, "×rate-alone")
		b.ReportMetric(float64(refused), "calls-refused")
		b.ReportMetric(alone, "calls/s-alone")
		b.ReportMetric(usedAlone/20*100, "%-of-a-core-alone")
		b.ReportMetric(usedWatched/20*100, "%-of-a-core-watched")
		b.ReportMetric(0, "ns/op")
		require.Error(b, p.stop(syscall.SIGKILL))
	}
}

// How long a page takes that looks for an account among 10,000,000, by its name
// or by the first letters of it, while a job runs at the full rate.
func BenchmarkFindingAnAccount(b *testing.B) {
	content := shuffledFile(10_000_000)
	for range b.N {
		service, simulator := simulate(b, nil)
		p := newProgram(b, simulator, filepath.Join(b.TempDir(), "console.db"))
		p.start()
		olga, aida := p.signIn("olga"), p.signIn("aida")
		many := olga.draft(content)
		until(b, "the file is read", func() bool { return olga.job(many).State == "draft" })
		running := olga.draft(bytes.ReplaceAll(accountFile(500_000), []byte("member"), []byte("other"))) // none is the beginning of another
		until(b, "the file is read", func() bool { return olga.job(running).State == "draft" })
		olga.start(running)
		until(b, "the job runs", func() bool { return olga.job(running).Outcomes["cleared"] > 5_000 })

		dice, before := rand.New(rand.NewPCG(3, 4)), time.Now()
		calls := service.Stats().Commands[tim.RemoveAllTags].Calls
		var whole, begun []time.Duration
		for tick := time.NewTicker(20 * time.Millisecond); len(begun) < 750; {
			name := fmt.Sprintf("member_%08d", dice.IntN(10_000_000))
			for waits, asked := range map[*[]time.Duration]string{&whole: name, &begun: name[:len(name)-1]} {
				<-tick.C
				began := time.Now()
				answer, page := aida.get("/accounts?q=" + asked)
				*waits = append(*waits, time.Since(began))
				require.Equal(b, http.StatusOK, answer.StatusCode, page)
				require.Contains(b, page, name)
			}
		}
		rate := float64(service.Stats().Commands[tim.RemoveAllTags].Calls-calls) / time.Since(before).Seconds()
		require.Equal(b, "running", olga.job(running).State)
		for name, waits := range map[string][]time.Duration{"ms/name": whole, "ms/first-letters": begun} {
			slices.Sort(waits)
			b.ReportMetric(float64(waits[len(waits)*95/100].Microseconds())/1000, name+"-p95")
			b.ReportMetric(float64(waits[len(waits)-1].Microseconds())/1000, name+"-max")
		}
		b.ReportMetric(rate, "calls/s-meanwhile")
		b.ReportMetric(0, "ns/op")
		require.NoError(b, p.stop(syscall.SIGTERM))
	}
}

// How long calls still arrive after an admin has stopped all sending, counted
// from the moment the request is made and by the simulator's clock, which is the
// same; the worst of ten times at each latency.
func BenchmarkKillSwitch(b *testing.B) {
	for _, c := range []struct {
		engine         string
		consoles, jobs int
		latency        time.Duration
	}{
		{"sqlite", 1, 1, 20 * time.Millisecond},
		{"sqlite", 1, 1, time.Second},
		{"sqlite", 1, 20, time.Second},
		{"postgres", 1, 1, 20 * time.Millisecond},
		{"postgres", 1, 1, time.Second},
		{"postgres", 2, 20, time.Second},
	} {
		b.Run(fmt.Sprintf("%s/%d/%d_jobs/%s", c.engine, c.consoles, c.jobs, c.latency), func(b *testing.B) {
			for range b.N {
				after, answered := killSwitchDelay(b, c.engine, c.consoles, c.jobs, c.latency)
				b.ReportMetric(float64(after.Microseconds())/1000, "ms-to-the-last-call")
				b.ReportMetric(float64(answered.Microseconds())/1000, "ms-to-the-answer")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

func killSwitchDelay(b *testing.B, engine string, consoles, jobs int, latency time.Duration) (last, answered time.Duration) {
	service, simulator := simulate(b, func(config *timtest.Config) { config.Faults.Latency = latency })
	p := newProgram(b, simulator, databaseOf(b, engine))
	p.start()
	for range consoles - 1 {
		another := p.another()
		b.Cleanup(another.end)
		another.start()
	}
	adam := p.signIn("adam")
	for n := range jobs {
		id := adam.draft(bytes.ReplaceAll(accountFile(500_000/jobs), []byte("member"), fmt.Appendf(nil, "m%d", n)))
		until(b, "the file is read", func() bool { return adam.job(id).State == "draft" })
		adam.start(id)
	}
	for range 10 {
		seen := service.Stats().Calls
		until(b, "calls are made", func() bool { return service.Stats().Calls > seen+100 })
		stopped := time.Now()
		answer, page := adam.post("/sending/stop", url.Values{"reason": {"a benchmark"}})
		require.Equal(b, http.StatusSeeOther, answer.StatusCode, page)
		answered = max(answered, time.Since(stopped))
		until(b, "nothing is in flight for two seconds", func() bool {
			return service.Stats().Open == 0 && time.Since(stopped) > latency+2*time.Second
		})
		last = max(last, lastArrival(service).Sub(stopped)) // of any command
		answer, page = adam.post("/sending/lift", nil)
		require.Equal(b, http.StatusSeeOther, answer.StatusCode, page)
	}
	require.Error(b, p.stop(syscall.SIGKILL))
	return last, answered
}
