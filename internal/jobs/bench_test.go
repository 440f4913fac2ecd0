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
	"tagsweep/internal/store"
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
			require.NoError(b, fill(s, draft(b, s, 1), number, rows/number))
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

// fill writes down finished jobs as if they had been read and carried out,
// quickly. Ten after each other hold the same accounts.
func fill(s *jobstest.Console, like jobs.Job, number, accounts int) error {
	for n := range number {
		id := fmt.Sprintf("0fill%011d", n)
		err := s.DB.Tx(ctx, func(tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO jobs (id, app_id, kind, state, note, file_name, file_sha256, file_bytes, account_bytes,
					row_count, accounts, outcome_cleared, batches,
					created_by, created_at, started_at, finished_at)
				SELECT $2, app_id, kind, 'finished', note, file_name, file_sha256, file_bytes, account_bytes,
					$3, $3, $3, $4, created_by, created_at, 1, 1 FROM jobs WHERE id = $1`,
				like.ID, id, accounts, (accounts+jobs.BatchSize-1)/jobs.BatchSize)
			if err != nil {
				return err
			}
			var planned, batches, names []any
			batch, part := jobs.PlannedBatch{Number: 1}, jobs.Names{}
			for i := range accounts {
				row, account := int64(i+1), fmt.Sprintf("user_%08d", i*(number/10)+n/10)
				batch.Accounts = append(batch.Accounts, jobs.Planned{Row: row, Line: row, Account: account})
				if part = append(part, jobs.Named{Account: account, Row: row}); len(part) == jobs.NamesSize || i == accounts-1 {
					names, part = append(names, id, []byte(part[0].Account), part.Text()), jobs.Names{}
				}
				if size := len(batch.Accounts); size == jobs.BatchSize || i == accounts-1 {
					planned = append(planned, id, batch.Number, batch.Accounts[0].Row, size, batch.Text())
					batches = append(batches, id, batch.Number, size, jobs.Cleared, 1)
					batch = jobs.PlannedBatch{Number: batch.Number + 1}
				}
			}
			if err = store.InsertAll(ctx, tx, `planned_batches (job_id, number, first_row, size, accounts)`, 5, planned); err == nil {
				err = store.InsertAll(ctx, tx, `batches (job_id, number, accounts, outcome, settled_at)`, 5, batches)
			}
			if err == nil {
				err = store.InsertAll(ctx, tx, `account_names (job_id, first, names)`, 3, names)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
