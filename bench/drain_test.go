package bench

import (
	"path/filepath"
	"testing"

	"tagsweep/internal/store/storetest"
)

// BenchmarkDrain is how many batches of 100 accounts a second each drains from a
// database that keeps what it is told (WAL with synchronous=FULL; PostgreSQL with
// fsync), one HTTP call and one outcome for each, in the same run on the same
// machine. Ours keeps an outcome for every account, a ledger and a log.
func BenchmarkDrain(b *testing.B) {
	const accounts = 1_000_000
	file := func() string { return filepath.Join(b.TempDir(), "bench.db") }
	for range b.N {
		ours := run(b, "tagsweep", file(), accounts)
		keeping := run(b, keepingTags, file(), accounts)
		river := run(b, "river", file(), accounts)
		goqite := run(b, "goqite", file(), accounts)
		bare := run(b, "no store", "", accounts)
		postgres := run(b, "tagsweep", storetest.NewCluster(b, "fsync=on").Database(b), accounts)
		again := run(b, "tagsweep", file(), accounts)
		for name, s := range map[string]spent{"tagsweep": ours, "tagsweep-again": again, "tagsweep-keeping-tags": keeping,
			"tagsweep-postgres": postgres, "river": river, "goqite": goqite, "no-store": bare} {
			b.ReportMetric(s.batches(accounts), "batches/s-"+name)
			b.ReportMetric(s.CPU, "CPU-s/million-"+name)
			b.ReportMetric(s.PeakMiB, "MiB-peak-"+name)
		}
		b.ReportMetric(river.Seconds/min(ours.Seconds, again.Seconds), "×river")
		b.ReportMetric(goqite.Seconds/min(ours.Seconds, again.Seconds), "×goqite")
		b.ReportMetric(goqite.Seconds/keeping.Seconds, "×goqite-keeping-tags")
	}
}

// BenchmarkGrowth is what a batch costs in jobs of 10,000 to 10,000,000 accounts.
func BenchmarkGrowth(b *testing.B) {
	for _, size := range []struct {
		name     string
		accounts int
	}{{"10_thousand", 10_000}, {"100_thousand", 100_000}, {"1_million", 1_000_000}, {"10_million", 10_000_000}} {
		b.Run(size.name, func(b *testing.B) {
			for range b.N {
				s := run(b, "tagsweep", filepath.Join(b.TempDir(), "bench.db"), size.accounts)
				b.ReportMetric(s.Seconds*1e6/float64(size.accounts/batchSize), "µs/batch")
				b.ReportMetric(s.CPU*1e6/float64(size.accounts/batchSize), "CPU-µs/batch")
				b.ReportMetric(s.PeakMiB, "MiB-peak")
			}
		})
	}
}
