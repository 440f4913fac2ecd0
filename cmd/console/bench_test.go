package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// shuffledFile holds n accounts in random order under a header.
func shuffledFile(n int) []byte {
	var file bytes.Buffer
	file.Grow(n*17 + 10)
	file.WriteString("account\n")
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
		fmt.Fprintf(&file, "member_%08d\n", i)
	}
	return file.Bytes()
}

// timeToDraft is how long the real program takes from the first byte of an
// upload to a draft that can be started, and the most memory it ever held.
func timeToDraft(b *testing.B, content []byte) (took time.Duration, peakMiB float64) {
	_, simulator := simulate(b, nil)
	p := newProgram(b, simulator, filepath.Join(b.TempDir(), "console.db"))
	p.start()
	olga := p.signIn("olga")
	began := time.Now()
	id := olga.draft(content)
	until(b, "the file is read", func() bool { return olga.job(id).State != "reading" })
	took = time.Since(began)
	require.Equal(b, "draft", olga.job(id).State)
	peakMiB = peakMemory(b, p.process.Process.Pid)
	require.NoError(b, p.stop(syscall.SIGTERM))
	return took, peakMiB
}

// peakMemory is the most a process held, in MiB.
func peakMemory(b *testing.B, pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	require.True(b, found)
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(b, err)
	return float64(kib) / 1024
}

// timeToImport is how long Debian's sqlite3 takes for the same file, into a
// table with a unique index.
func timeToImport(b *testing.B, content []byte) time.Duration {
	folder := b.TempDir()
	file := filepath.Join(folder, "users.csv")
	require.NoError(b, os.WriteFile(file, content, 0o600))
	command := exec.Command("sqlite3", filepath.Join(folder, "import.db"),
		"CREATE TABLE accounts (account TEXT)", "CREATE UNIQUE INDEX by_name ON accounts (account)", ".import --csv --skip 1 "+file+" accounts")
	began := time.Now()
	out, err := command.CombinedOutput()
	require.NoError(b, err, "%s: make setup installs sqlite3", out)
	return time.Since(began)
}

// One operation is a file of 1,000,000 accounts in random order, uploaded to
// the real program until it is a draft; beside it the same file through
// sqlite3's .import, and one of 10,000,000.
func BenchmarkReadingAFile(b *testing.B) {
	million, tenMillion := shuffledFile(1_000_000), shuffledFile(10_000_000)
	var ours, sqlite, large time.Duration
	var peak, largePeak float64
	for range b.N {
		took, mib := timeToDraft(b, million)
		ours, peak = ours+took, max(peak, mib)
		sqlite += timeToImport(b, million)
		took, mib = timeToDraft(b, tenMillion)
		large, largePeak = large+took, max(largePeak, mib)
	}
	b.ReportMetric(ours.Seconds()/float64(b.N), "s/million")
	b.ReportMetric(ours.Seconds()/sqlite.Seconds(), "×sqlite3-import")
	b.ReportMetric(peak, "MiB-peak")
	b.ReportMetric(large.Seconds()/ours.Seconds(), "×million-for-10-million")
	b.ReportMetric(largePeak, "MiB-peak-10-million")
}

// While a job runs, a file of 10,000,000 accounts is uploaded and read. Its
// rate is compared with that of the same job before, as the simulator saw it.
func BenchmarkReadingBesideAJob(b *testing.B) {
	content := shuffledFile(10_000_000)
	for range b.N {
		service, simulator := simulate(b, func(c *timtest.Config) { c.UnknownShare = 0 })
		p := newProgram(b, simulator, filepath.Join(b.TempDir(), "console.db"))
		p.start()
		olga := p.signIn("olga")
		running := olga.draft(accountFile(2_000_000))
		until(b, "the file is read", func() bool { return olga.job(running).State == "draft" })
		olga.start(running)
		until(b, "the job runs", func() bool { return olga.job(running).Outcomes["cleared"] > 5_000 })
		alone := rateOver(service, func() { <-time.After(15 * time.Second) })

		var waits []time.Duration
		var pages sync.WaitGroup
		ended := make(chan struct{})
		pages.Go(func() {
			waits = requestPages(p.signIn("aida"), ended, "/jobs", "/jobs/"+running, "/audit", "/accounts?q=member_0000001")
		})
		var took time.Duration
		beside := rateOver(service, func() {
			began := time.Now()
			read := olga.draft(content)
			until(b, "the file is read", func() bool { return olga.job(read).State == "draft" })
			took = time.Since(began)
		})
		close(ended)
		pages.Wait()
		slices.Sort(waits)
		b.ReportMetric(beside/alone, "×rate-alone")
		b.ReportMetric(alone, "calls/s-alone")
		b.ReportMetric(took.Seconds(), "s/reading")
		b.ReportMetric(float64(waits[len(waits)*95/100].Microseconds())/1000, "ms/page-p95")
		b.ReportMetric(float64(waits[len(waits)-1].Microseconds())/1000, "ms/page-max")
		b.ReportMetric(float64(len(waits)), "pages")
		require.NoError(b, p.stop(syscall.SIGTERM))
	}
}

// rateOver is how many removals a second the service saw meanwhile.
func rateOver(service *timtest.Service, meanwhile func()) float64 {
	removals := func() int64 { return service.Stats().Commands[tim.RemoveAllTags].Calls }
	began, before := time.Now(), removals()
	meanwhile()
	return float64(removals()-before) / time.Since(began).Seconds()
}

// requestPages asks for pages, one after the other, until ended is closed.
func requestPages(v *apiClient, ended <-chan struct{}, paths ...string) (waits []time.Duration) {
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		for _, path := range paths {
			select {
			case <-ended:
				tick.Stop()
				return waits
			case <-tick.C:
			}
			began := time.Now()
			answer, body := v.get(path)
			require.Equal(v.t, http.StatusOK, answer.StatusCode, body)
			waits = append(waits, time.Since(began))
		}
	}
}
