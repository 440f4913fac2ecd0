package jobs_test

import (
	"context"
	"flag"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim/timtest"
)

func TestMain(m *testing.M) {
	flag.Set("rapid.checks", "10") // each a job with some thirty steps on a real database; make prove makes 100
	storetest.Main(m)
}

var (
	ctx      = context.Background()
	operator = jobstest.Operator

	draft       = jobstest.Accounts
	draftOf     = jobstest.AccountsOf
	started     = jobstest.Started
	start       = jobstest.Start
	requireSums = jobstest.RequireSums
	free        = jobstest.Free
	take        = jobstest.Take
	sent        = jobstest.Sent
	carry       = jobstest.Carry
	jobNow      = jobstest.JobNow
	codes       = jobstest.Codes
	lines       = jobstest.Lines
)

// checker is a *testing.T or a *rapid.T.
type checker interface {
	require.TestingT
	Helper()
}

// run lets an engine carry out what there is, against a simulator, until stop is called.
func run(t *testing.T, s *jobstest.Console, faults timtest.Faults) (service *timtest.Service, stop func()) {
	t.Helper()
	service, base := enginetest.Simulate(t, func(c *timtest.Config) { c.Faults = faults })
	return service, enginetest.Run(t, enginetest.New(t, s, base))
}

// keepTags writes down the tags that a reading found, by place, as the engine does.
func keepTags(s *jobstest.Console, jobID string, before map[int64][]string) error {
	batches := map[int64][]snapshot.Account{}
	for _, seq := range slices.Sorted(maps.Keys(before)) {
		number := (seq-1)/jobs.BatchSize + 1
		batches[number] = append(batches[number], snapshot.Account{Seq: seq, Tags: before[seq]})
	}
	key, err := s.Snapshots.KeyOf(ctx, jobID)
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *store.Tx) error {
		for number, accounts := range batches {
			data, err := snapshot.Encrypt(key, snapshot.Before, jobID, number, accounts)
			if err != nil {
				return err
			}
			if err := s.Snapshots.SaveBefore(ctx, tx, jobID, number, data); err != nil {
				return err
			}
		}
		return nil
	})
}

// wrappedKey returns the encrypted key of a job's tags as it is stored.
func wrappedKey(s *jobstest.Console, jobID string) ([]byte, error) {
	return store.Value[[]byte](ctx, s.DB.Reader(), `SELECT wrapped FROM snapshot_keys WHERE job_id = $1`, jobID)
}
