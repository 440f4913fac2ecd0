package evidence_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/evidence"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

const evidenceRows = 1_000_000

// One operation seals a job of 1,000,000 rows; its evidence pack is then written
// and checked.
func BenchmarkEvidence(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			s := jobstest.OpenBench(b, engine)
			jobstest.Sign(b, s, auditKey)
			d, err := jobstest.Draft(s, jobstest.Operator, jobs.Upload{}, jobstest.Lines(evidenceRows))
			require.NoError(b, err)
			require.NoError(b, s.End(ctx, d.ID, jobs.Cleared))
			b.ResetTimer()
			for range b.N {
				require.NoError(b, s.Evidence.Seal(ctx))
			}
			b.StopTimer()
			path := filepath.Join(b.TempDir(), "pack.zip")
			file, err := os.Create(path)
			require.NoError(b, err)
			defer file.Close()
			begun := time.Now()
			most := jobstest.Peak(func() {
				pack, err := s.Evidence.Pack(ctx, jobstest.Operator, d.ID)
				require.NoError(b, err)
				require.NoError(b, pack.Write(file))
			})
			b.ReportMetric(evidenceRows/time.Since(begun).Seconds(), "rows/s-written")
			b.ReportMetric(float64(most)/(1<<20), "MiB-heap-writing")
			size, err := file.Seek(0, 2)
			require.NoError(b, err)
			b.ReportMetric(float64(size)/evidenceRows, "bytes/row")
			begun = time.Now()
			most = jobstest.Peak(func() {
				checked := evidence.Check(file, size, "")
				require.Empty(b, checked.Wrong)
			})
			b.ReportMetric(evidenceRows/time.Since(begun).Seconds(), "rows/s-checked")
			b.ReportMetric(float64(most)/(1<<20), "MiB-heap-checking")
		})
	}
}
