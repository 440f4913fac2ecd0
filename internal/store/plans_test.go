package store_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

// What the runner asks many times a second must not cost more in a large job than
// in a small one.
func TestQueryPlansNeverScanAJob(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		j := keeping(t, s, 200_000)
		for i, c := range claim(t, s, tim.GetTags, 50) {
			if i%2 == 0 {
				settle(t, s, toChange(c))
			}
		}
		for i, c := range claim(t, s, tim.RemoveAllTags, 10) {
			if i%2 == 0 {
				settle(t, s, lost(c))
			}
		}
		plans, err := s.Plans(ctx, storetest.App.ID, j.ID)
		require.NoError(t, err)
		require.Len(t, plans, 10)
		// A batch is found by what it waits for, by its lease or by its place.
		all := regexp.MustCompile(`(?m)Seq Scan on batches|SCAN b(atches)?\b|SEARCH b(atches)? USING (COVERING )?INDEX \w+ \(job_id=\?\)$`)
		few := regexp.MustCompile(`batches_(free|held|asked)`)
		for question, plan := range plans {
			for _, line := range all.FindAllString(plan, -1) {
				assert.Regexp(t, few, line, "%s:\n%s", question, plan)
			}
			assert.Regexp(t, few, plan, "%s:\n%s", question, plan)
		}
	})
}
