package jobs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// adding is a draft that adds the tag "vip" to n accounts that no other job holds.
func adding(t checker, s *jobstest.Console, n int) jobs.Job {
	t.Helper()
	var file strings.Builder
	file.WriteString("user_id,tags\n")
	name := jobstest.Serial()
	for i := range n {
		fmt.Fprintf(&file, "adding%d_%d,vip\n", name, i)
	}
	j, err := jobstest.Draft(s, operator, jobs.Upload{Kind: jobs.AddTags}, file.String())
	require.NoError(t, err)
	return j
}

// However the tags are lost that the next call needs: nothing is done blindly,
// the job halts, and no other job waits for it.
func TestUnreadableSnapshotHaltsItsJob(t *testing.T) {
	for name, destroy := range map[string]string{
		"its key was erased": `UPDATE snapshot_keys SET wrapped = '' WHERE job_id = $1`,
		"it has no key":      `DELETE FROM snapshot_keys WHERE job_id = $1`,
		"its key is another job's": `UPDATE snapshot_keys SET wrapped = (SELECT wrapped FROM snapshot_keys WHERE ` +
			`job_id <> $1 LIMIT 1) WHERE job_id = $1`,
		"what it is to add is gone":    `DELETE FROM wanted_tags WHERE job_id = $1`,
		"what it is to add is damaged": `UPDATE wanted_tags SET data = '' WHERE job_id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
				free(t, s)
				j, other := start(t, s, adding(t, s, 200)), start(t, s, adding(t, s, 100))
				require.NoError(t, s.DB.Exec(ctx, destroy, j.ID))
				service, stop := run(t, s, timtest.Faults{})
				halted := func() bool { return jobNow(t, s, j.ID).State == jobs.Halted }
				enginetest.Until(t, "the job has halted", halted)
				require.Equal(t, int64(100), enginetest.Ended(t, s, other.ID).Counts[jobs.Changed]+jobNow(t, s, other.ID).Counts[jobs.Unchanged])
				_, err := s.Act(ctx, operator, j.ID, jobs.Resume)
				require.NoError(t, err)
				sending, err := s.SendStatus(ctx, jobstest.App.ID)
				require.NoError(t, err)
				require.Zero(t, sending.ProbeAt, "the service is not in question")
				enginetest.Until(t, "the job has halted again", halted)
				stop()
				j = jobNow(t, s, j.ID)
				require.Equal(t, []any{jobs.CodeUnreadable, int64(200)}, []any{j.HaltCode, j.Counts[jobs.Waiting]})
				require.Contains(t, codes(t, s, audit.Filter{JobID: j.ID}), audit.JobHalted)
				for _, call := range service.Ledger() {
					require.False(t, call.Command == tim.AddTags && len(call.Accounts) > 0 &&
						strings.HasPrefix(call.Accounts[0], strings.TrimSuffix(nameIn(t, s, j.ID), "0")), "changed blindly")
				}
				if name != "what it is to add is gone" { // which a recount finds too
					requireSums(t, s)
				}
			})
		})
	}
}

// nameIn is the first account of a job.
func nameIn(t checker, s *jobstest.Console, jobID string) string {
	first, err := s.FirstAccounts(ctx, jobID, 1)
	require.NoError(t, err)
	return first[0].Account.Account
}

func TestUnreadableSnapshotAfterCancel(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 0)
		j := started(t, s, 100)
		require.NoError(t, sent(t, s, j, 1).Lose(ctx))
		_, err := s.Act(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
		require.NoError(t, s.DB.Exec(ctx, `UPDATE snapshot_keys SET wrapped = '' WHERE job_id = $1`, j.ID))
		_, stop := run(t, s, timtest.Faults{})
		var asked jobs.NeedsReview
		enginetest.Until(t, "a person is asked", func() bool {
			asked, err = s.NeedsReview(ctx, j.ID)
			require.NoError(t, err)
			return asked.Sum() > 0
		})
		stop()
		require.Equal(t, jobs.NeedsReview{Unreadable: 100, Code: jobs.CodeUnreadable}, asked)
		_, err = s.Decide(ctx, operator, j.ID, jobs.Leave)
		require.NoError(t, err)
		require.False(t, jobNow(t, s, j.ID).FinishedAt.IsZero())
		requireSums(t, s)
	})
}

func TestSnapshotFailureRemovesNothing(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 0)
		j := started(t, s, 200)
		service, base := enginetest.Simulate(t)
		name := nameIn(t, s, j.ID)
		var many []string
		for i := range 1_100 {
			many = append(many, strings.Repeat("y", 100)+fmt.Sprint(i))
		}
		require.NoError(t, timtest.NewControl(base).SetTags(ctx, map[string][]string{name: many}))
		enginetest.Run(t, enginetest.New(t, s, base))
		j = enginetest.Ended(t, s, j.ID)
		reasons, err := s.Reasons(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []jobs.Reason{{Code: jobs.CodeTooMany, Accounts: 1}}, reasons)
		require.Equal(t, int64(199), j.Counts[jobs.Cleared]+j.Counts[jobs.Untagged])
		for _, call := range service.Ledger() {
			require.False(t, call.Command == tim.RemoveAllTags && slices.Contains(call.Accounts, name), "its tags could not be kept")
		}
		requireSums(t, s)
	})
}

func TestWithoutTheKeyFileNoJobIsMade(t *testing.T) {
	s := jobstest.New(storetest.SQLite(t))
	require.NoError(t, s.SaveApp(ctx, jobstest.App))
	_, err := jobstest.Draft(s, operator, jobs.Upload{}, "user_id\nann\n")
	require.True(t, snapshot.FaultNoMaster.Is(err), "%v", err)
}

func TestSnapshotRetentionStartsAtJobEnd(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 0)
		j := started(t, s, 100)
		require.True(t, j.Snapshot)
		kept, err := s.SnapshotInfo(ctx, j)
		require.NoError(t, err)
		require.Zero(t, kept.EraseAt)
		require.NoError(t, s.DB.Exec(ctx, `UPDATE apps SET keep_days = 7`))
		require.NoError(t, keepTags(s, j.ID, vips(100)))
		carry(t, s, j.ID, jobstest.Came{Rest: jobs.Cleared}, 1)
		j = jobNow(t, s, j.ID)
		kept, err = s.SnapshotInfo(ctx, j)
		require.NoError(t, err)
		require.Equal(t, []any{int64(1), 7 * 24 * time.Hour}, []any{kept.Batches, kept.EraseAt.Sub(j.FinishedAt)})
		requireSums(t, s)
		require.NoError(t, s.DB.Exec(ctx, `UPDATE snapshots SET digest = 'x' WHERE job_id = $1`, j.ID))
		found, err := s.Recount(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"job " + j.ID + ": batch 1: the tag snapshot was changed"}, found.Wrong)
	})
}

func TestSnapshotOffHoldsReadBackToEnd(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		j := started(t, s, 100)
		require.NoError(t, sent(t, s, j, 1).Lose(ctx))
		require.NoError(t, keepTags(s, j.ID, vips(100))) // as reading them back does
		kept := func() int64 {
			n, err := s.Count(ctx, `SELECT COUNT(*) FROM snapshots WHERE job_id = $1`, j.ID)
			require.NoError(t, err)
			return n
		}
		require.Equal(t, int64(1), kept())
		carry(t, s, j.ID, jobstest.Came{Rest: jobs.Cleared}, 1)
		require.Equal(t, jobs.Finished, jobNow(t, s, j.ID).State)
		require.Zero(t, kept())
	})
}

func TestSnapshotSettingIsFixedAtStart(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		later := draftOf(t, s, "later", 250)
		require.False(t, later.Snapshot)
		jobstest.Keep(t, s, 0)
		later = start(t, s, later)
		require.True(t, later.Snapshot)

		earlier := draftOf(t, s, "earlier", 250)
		require.True(t, earlier.Snapshot)
		require.NoError(t, s.DB.Exec(ctx, `UPDATE apps SET snapshot = 0`))
		earlier = start(t, s, earlier)
		require.False(t, earlier.Snapshot)
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobStarted, JobID: earlier.ID, Limit: 9})
		require.NoError(t, err)
		require.Equal(t, []any{false, 0.0, ""},
			[]any{entries[0].Details["snapshot"], entries[0].Details["verify_share"], entries[0].Details["verify_seed"]})

		service, _ := run(t, s, timtest.Faults{})
		for _, j := range []jobs.Job{later, earlier} {
			enginetest.Ended(t, s, j.ID)
		}
		for _, call := range service.Ledger() {
			require.False(t, call.Command == tim.GetTags && strings.HasPrefix(call.Accounts[0], "earlier"))
		}
		kept, err := s.SnapshotInfo(ctx, later)
		require.NoError(t, err)
		require.Equal(t, int64(3), kept.Batches)
		requireSums(t, s)
	})
}
