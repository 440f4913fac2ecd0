package engine

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store"
)

// What is asked many times a second must not cost more in a large job than in a
// small one: a batch is found by what it waits for, by who has it in hand, or by
// its place.
func TestQueryPlansNeverScanAJob(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		var file strings.Builder
		for i := range 20_000 {
			fmt.Fprintf(&file, "member%d\n", i)
		}
		var ids []string
		for range 2 { // with the same accounts
			j, err := jobstest.Draft(s, audit.System, jobs.Upload{}, file.String())
			require.NoError(t, err)
			_, err = s.Start(t.Context(), audit.System, j.ID, jobs.StartRequest{Confirm: j.Accounts})
			require.NoError(t, err)
			ids = append(ids, j.ID)
		}
		now := int64(1_800_000_000_000)
		questions := map[string]struct {
			query string
			args  []any
		}{
			"next job":     {nextJobSQL, []any{jobstest.App.ID, now, "", 0, jobstest.App.Domain, jobstest.App.Environment}},
			"take batches": {takeBatchesSQL, []any{ids[0], now, "console", "claim", 1 << 40, maxClaim}},
			"settle batch": {settleBatch, []any{ids[0], 7, "claim", "cleared", 0, "", 0, 100, 0, 0, 0, "sending", 1}},
			"keep intent":  {markSending, []any{ids[0], 7, "claim", "waiting"}},
			"may send":     {maySend, []any{jobstest.App.ID, 0, "call", jobstest.App.Domain, jobstest.App.Environment}},
			"silent":       {silentConsoles, []any{now, "console"}},
			"a bad one":    {`SELECT COUNT(*) FROM batches WHERE job_id = $1 AND outcome = 'waiting'`, []any{ids[0]}}, // else nothing is found out
			"in hand": {`SELECT job_id, number, accounts, outcome FROM batches WHERE console = $1 AND console <> '' ORDER BY job_id, number`,
				[]any{"console"}},
		}
		whole := regexp.MustCompile(`(?m)(Seq Scan on|SCAN) (b|batches|j|o|jobs|p|planned_batches)\b.*$|SEARCH ` +
			`(b|batches) USING (COVERING )?INDEX \w+ \(job_id=\?\)$|using batches_pkey on batches.*\n\s+Index Cond: ` +
			`\(job_id = [^)]*\)$|on batches_pkey.*\n\s+Index Cond: \(job_id = [^)]*\)$`)
		few := regexp.MustCompile(`batches_(free|in_hand|asked)|jobs_open`)
		require.NoError(t, s.DB.Tx(t.Context(), func(tx *store.Tx) error {
			// As they are in the middle of their way.
			for _, change := range []string{
				`INSERT INTO batches (job_id, number, outcome, accounts) SELECT a.job_id, a.number + 200 * b.number, ` +
					`'waiting', 100 FROM batches a JOIN batches b ON b.job_id = a.job_id AND b.number <= 50`,
				`UPDATE batches SET outcome = 'cleared', settled_at = 1 WHERE number <= 5000`,
				`UPDATE batches SET outcome = 'in_doubt', sent = 1 WHERE number BETWEEN 101 AND 110`,
				`UPDATE batches SET outcome = 'sending', sent = 1, console = 'other', claim = 'x' WHERE number BETWEEN 111 AND 115`,
				`ANALYZE`, // as PostgreSQL does by itself after a while
			} {
				if change == `ANALYZE` && !s.DB.Shared() {
					continue
				}
				if err := tx.Exec(t.Context(), change); err != nil {
					return err
				}
			}
			explain := `EXPLAIN QUERY PLAN `
			if s.DB.Shared() {
				explain = `EXPLAIN `
				if err := tx.Exec(t.Context(), `SET LOCAL enable_seqscan = off`); err != nil { // of tables as small as a test's it likes them
					return err
				}
			}
			for name, q := range questions {
				lines, err := store.Collect(t.Context(), tx, func(row store.Scanner) (line string, err error) {
					if s.DB.Shared() {
						return line, row.Scan(&line)
					}
					var skip any
					return line, row.Scan(&skip, &skip, &skip, &line)
				}, explain+q.query, q.args...)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				plan := strings.Join(lines, "\n")
				found := slices.DeleteFunc(whole.FindAllString(plan, -1), few.MatchString)
				assert.Equal(t, name == "a bad one", len(found) > 0, "%s: %q\n%s", name, found, plan)
				if name == "take batches" {
					assert.NotRegexp(t, `TEMP B-TREE|Sort`, plan, "the next batches are not looked for among all that wait")
				}
			}
			return nil
		}))
	})
}
