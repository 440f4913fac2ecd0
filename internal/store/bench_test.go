package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

// One operation is one batch of 100 accounts: claimed, with its intent written
// down, and settled, ten a transaction as a busy runner does.
func BenchmarkClaimAndSettle(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			s := openBench(b, engine)
			fast(b, s)
			free(b, s)
			started(b, s, 100*b.N)
			b.ResetTimer()
			for done := 0; done < b.N; {
				claims := claim(b, s, tim.RemoveAllTags, 10)
				settlements := make([]jobs.Settlement, len(claims))
				for i, c := range claims {
					settlements[i] = jobs.Settlement{Claim: c, Answer: answered(0), Rest: jobs.Cleared}
				}
				settle(b, s, settlements...)
				done += len(claims)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
		})
	}
}

func BenchmarkImport(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			s := openBench(b, engine)
			for b.Loop() {
				draft(b, s, 100_000)
			}
			b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func openBench(b *testing.B, engine string) *store.Store {
	database := b.TempDir() + "/console.db"
	if engine == "postgres" {
		database = storetest.PostgresURL(b)
	}
	s := storetest.Open(b, database)
	require.NotNil(b, s)
	return s
}
