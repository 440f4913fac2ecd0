package snapshot

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireBounded fails when open allocates much more than the largest form.
func requireBounded(t *testing.T, open func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	open()
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(10*maxPacked))
}

// loads are what the figures of a snapshot are measured with, 100 accounts each.
var loads = []struct {
	name              string
	tags, least, most int
}{
	{"3 to 10 of 200 tags", 200, 3, 10},
	{"1 of 5 tags", 5, 1, 1},
	{"0 to 100 of 1000 tags", 1000, 0, 100},
	{"no tags", 1, 0, 0},
}

// BenchmarkSeal says how many bytes a snapshot keeps for each account.
func BenchmarkSeal(b *testing.B) {
	for _, load := range loads {
		b.Run(load.name, func(b *testing.B) {
			dice, key := rand.New(rand.NewPCG(1, 2)), NewKey()
			batches := make([][]Account, 50)
			for i := range batches {
				batches[i] = batch(dice, names(load.tags), MaxAccounts, load.least, load.most)
			}
			total := 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				sealed, err := Encrypt(key, Before, "0r8k3v9q2m5t7x1c", int64(i), batches[i%len(batches)])
				if err != nil {
					b.Fatal(err)
				}
				total += len(sealed)
			}
			b.ReportMetric(float64(total)/float64(b.N)/MaxAccounts, "bytes/account")
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, load := range loads {
		b.Run(load.name, func(b *testing.B) {
			key := NewKey()
			sealed, err := Encrypt(key, Before, "job", 1, batch(rand.New(rand.NewPCG(1, 2)), names(load.tags), MaxAccounts, load.least, load.most))
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decrypt(key, Before, "job", 1, sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReport(b *testing.B) {
	accounts := batch(rand.New(rand.NewPCG(1, 2)), names(200), MaxAccounts, 3, 10)
	var r Report
	for b.Loop() {
		r.Add(accounts, 0)
	}
}

func BenchmarkSample(b *testing.B) {
	n := int64(0)
	for b.Loop() {
		n++
		Sample("seed", n, All/100)
	}
}

func TestTypicalBatchStaysSmall(t *testing.T) {
	for i, most := range []float64{20, 3} { // bytes per account
		load := loads[i]
		accounts := batch(rand.New(rand.NewPCG(1, 2)), names(load.tags), MaxAccounts, load.least, load.most)
		sealed, err := Encrypt(NewKey(), Before, "job", 1, accounts)
		require.NoError(t, err)
		require.Less(t, float64(len(sealed))/MaxAccounts, most, fmt.Sprint(load.name))
	}
}
