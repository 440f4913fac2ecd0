package jobs_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
)

func BenchmarkImport(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			s := jobstest.OpenBench(b, engine)
			for b.Loop() {
				draft(b, s, 100_000)
			}
			b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// One operation is one search among 10,000,000 rows of 200 jobs, while another
// job runs.
func BenchmarkFindAccount(b *testing.B) {
	const rows, number = 10_000_000, 200
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			s := jobstest.OpenBench(b, engine)
			require.NoError(b, s.Fill(ctx, draft(b, s, 1), number, rows/number))
			free(b, s)
			stop := jobstest.RunAlways(b, s)
			defer stop()
			dice := rand.New(rand.NewPCG(1, 2))
			name := func() string { return fmt.Sprintf("user_%08d", dice.IntN(rows/10)) }
			for _, search := range []struct {
				name string
				run  func() error
			}{
				{"exact", func() error { found, err := s.Find(ctx, name(), 20); return none(err, len(found) != 10) }},
				{"history", func() error { found, err := s.History(ctx, name(), 20); return none(err, len(found) != 10) }},
				{"prefix", func() error {
					names, _, err := s.AccountsLike(ctx, name()[:5+dice.IntN(9)], 50)
					return none(err, len(names) == 0)
				}},
				{"nobody", func() error { names, _, err := s.AccountsLike(ctx, "nobody", 50); return none(err, len(names) != 0) }},
			} {
				b.Run(search.name, func(b *testing.B) {
					var took []time.Duration
					for b.Loop() {
						begun := time.Now()
						require.NoError(b, search.run())
						took = append(took, time.Since(begun))
					}
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "ms-p95")
				})
			}
		})
	}
}

func none(err error, wrong bool) error {
	if err == nil && wrong {
		err = errors.New("not what is there")
	}
	return err
}

// One operation is the report of a job of 1,000,000 accounts that has ended,
// with the longest that a write beside it took.
func BenchmarkReport(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			s := jobstest.OpenBench(b, engine)
			dice, named := rand.New(rand.NewPCG(1, 2)), tags(200)
			before := map[int64][]string{}
			for seq := int64(1); seq <= 1_000_000; seq++ {
				for range 3 + dice.IntN(8) {
					before[seq] = append(before[seq], named[dice.IntN(len(named))])
				}
			}
			d, err := jobstest.Draft(s, operator, jobs.Upload{}, lines(1_000_000))
			require.NoError(b, err)
			of := end(b, s, d, before, jobs.Cleared)
			quit, longest := make(chan struct{}), make(chan time.Duration)
			go func() {
				var most time.Duration
				for {
					begun := time.Now()
					if err := s.DB.Ready(ctx); err != nil {
						panic(err)
					}
					most = max(most, time.Since(begun))
					select {
					case <-quit:
						longest <- most
						return
					case <-time.After(5 * time.Millisecond):
					}
				}
			}()
			runtime.GC()
			b.ResetTimer()
			for range b.N {
				s.ForgetReports()
				require.Equal(b, int64(1_000_000), report(b, s, of.ID).Accounts)
			}
			b.StopTimer()
			close(quit)
			b.ReportMetric(float64((<-longest).Microseconds())/1000, "ms-longest-write")
			begun := time.Now()
			kept, err := s.SnapshotInfo(ctx, of)
			require.NoError(b, err)
			b.ReportMetric(float64(kept.Bytes)/1e6, "bytes/account")
			b.ReportMetric(float64(time.Since(begun).Microseconds())/1000, "ms-kept")
			begun = time.Now()
			_, err = s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Merge}, "")
			require.NoError(b, err)
			b.ReportMetric(time.Since(begun).Seconds(), "s-undo")
			begun = time.Now()
			require.NoError(b, jobstest.ReadAll(s))
			b.ReportMetric(time.Since(begun).Seconds(), "s-undo-read")
			begun = time.Now()
			require.NoError(b, s.Erase(ctx, operator, of.ID))
			b.ReportMetric(time.Since(begun).Seconds(), "s-erase")
		})
	}
}
