package jobs_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs/jobstest"
)

// What is asked for each page and each settlement must not cost more in a large
// job than in a small one: of its batches few are looked at.
func TestQueryPlansNeverScanAJob(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		start(t, s, draftOf(t, s, "same", 20_000))
		j := start(t, s, draftOf(t, s, "same", 20_000))
		for _, change := range []string{ // it is large, and in the middle of its way
			`INSERT INTO batches (job_id, number, outcome, accounts) SELECT a.job_id, a.number + 200 * b.number, 'waiting', ` +
				`100 FROM batches a JOIN batches b ON b.job_id = a.job_id AND b.number <= 50`,
			`UPDATE batches SET outcome = 'cleared', settled_at = 1 WHERE number <= 9000`,
			`UPDATE batches SET outcome = 'in_doubt', sent = 1 WHERE number BETWEEN 101 AND 110`,
			`UPDATE batches SET outcome = 'sending', sent = 1, console = 'other', claim = 'x' WHERE number BETWEEN 111 AND 115`,
			`ANALYZE batches`, // as PostgreSQL does by itself after a while
		} {
			if s.DB.Shared() || change != `ANALYZE batches` {
				require.NoError(t, s.DB.Exec(ctx, change))
			}
		}
		plans, err := s.Plans(ctx, jobstest.App.ID, j.ID)
		require.NoError(t, err)
		whole := regexp.MustCompile(`(?m)(Seq Scan on|SCAN) (b|batches)\b.*$|SEARCH (b|batches) USING (COVERING )?INDEX ` +
			`\w+ \(job_id=\?\)$|using batches_pkey on batches.*\n\s+Index Cond: \(job_id = [^)]*\)$|on ` +
			`batches_pkey.*\n\s+Index Cond: \(job_id = [^)]*\)$`)
		few := regexp.MustCompile(`batches_(free|in_hand|asked|failed)`)
		for name, plan := range plans {
			found := slices.DeleteFunc(whole.FindAllString(plan, -1), few.MatchString)
			assert.Equal(t, name == "a bad one", len(found) > 0, "%s: %q\n%s", name, found, plan)
		}
	})
}
