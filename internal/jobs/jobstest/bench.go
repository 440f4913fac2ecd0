package jobstest

import (
	"runtime"
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
	runtime.GC()
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		most := uint64(0)
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-done:
				peak <- most
				return
			case <-tick.C:
				most = max(most, Heap())
			}
		}
	}()
	run()
	close(done)
	return <-peak
}
