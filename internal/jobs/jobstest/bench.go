package jobstest

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store/storetest"
)

// OpenBench returns a console over a new database of an engine, "sqlite" or "postgres".
func OpenBench(b *testing.B, engine string) *Console {
	database := b.TempDir() + "/console.db"
	if engine == "postgres" {
		database = storetest.PostgresURL(b)
	}
	s := Open(b, database)
	require.NotNil(b, s)
	return s
}

// RunAlways carries out a job at the service's pace until it is stopped.
func RunAlways(b *testing.B, s *Console) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	j := Started(b, s, 300_000)
	go func() {
		defer close(done)
		number := int64(0)
		for tick := time.NewTicker(10 * time.Millisecond); number < j.Batches; {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			number++
			if err := Sent(b, s, j, number).Settle(ctx, Came{Rest: jobs.Cleared}); err != nil {
				panic(err)
			}
		}
	}()
	return func() { close(quit); <-done }
}

// Heap is the heap in use.
func Heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Peak is the most heap that was in use while something ran.
func Peak(run func()) uint64 {
	heap, _ := Peaks(run)
	return heap
}

// Peaks is Peak, and the most memory that the process had: SQLite has its own beside the
// heap. 0 where the system does not say.
func Peaks(run func()) (heap, resident uint64) {
	debug.FreeOSMemory()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-done:
				return
			case <-tick.C:
				heap, resident = max(heap, Heap()), max(resident, residentNow())
			}
		}
	}()
	run()
	close(done)
	<-ended
	return heap, resident
}

func residentNow() uint64 {
	var size, pages uint64
	text, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(text), &size, &pages)
	}
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
