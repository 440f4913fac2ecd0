package jobs_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

func upload(s *jobstest.Console, file string) (jobs.Job, error) {
	return jobstest.Draft(s, operator, jobs.Upload{Note: "churned"}, file)
}

func TestImportRowsAreAccountsOrRejects(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j, err := upload(s, "user_id,city\nann,Rome\nbob,Oslo\nann,Paris\n"+strings.Repeat("x", 33)+",Lima\n,Bonn\ncid,\"Bad\nHomburg\"\n")
		require.NoError(t, err)
		require.Equal(t, jobs.Draft, j.State)
		require.Equal(t, []int64{6, 2, 1, 0, 3}, []int64{j.Rows, j.Rejected, j.Duplicate, j.Protected, j.Accounts})
		require.Equal(t, int64(3), j.Counts[jobs.Waiting])
		require.Equal(t, int64(1), j.Batches)
		requireSums(t, s)

		var results [][]string
		for r, err := range s.Results(ctx, j.ID, "") {
			require.NoError(t, err)
			results = append(results, append([]string{r.Account.Account, string(r.Outcome)}, r.Fields...))
		}
		require.Equal(t, [][]string{{"ann", "waiting", "ann", "Rome"}, {"bob", "waiting", "bob", "Oslo"},
			{"cid", "waiting", "cid", "Bad\nHomburg"}}, results)

		var rejects []string
		for r, err := range s.Rejects(ctx, j.ID) {
			require.NoError(t, err)
			rejects = append(rejects, r.Fields[1]+" "+string(r.Kind)+" "+r.Reason)
			if r.Kind == jobs.Duplicate {
				require.Equal(t, int64(1), r.Repeats)
			}
		}
		require.Equal(t, []string{"Paris duplicate ", "Lima rejected too_long", "Bonn rejected empty"}, rejects)

		understood, err := s.Understanding(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []string{"user_id", "city"}, understood.Header)
	})
}

func TestImportRefusedLeavesNothing(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		_, err := upload(s, "")
		require.ErrorContains(t, err, "no rows")
		all, err := s.List(ctx, jobs.Filter{Limit: 10})
		require.NoError(t, err)
		require.Empty(t, all)
		entries, err := s.Audit.Entries(ctx, audit.Filter{Limit: 10})
		require.NoError(t, err)
		require.Empty(t, entries)
	})
}

func TestStartOnceWithTheRightCount(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := draft(t, s, 250)
		_, err := s.Start(ctx, operator, j.ID, jobs.StartRequest{Confirm: 249})
		require.True(t, jobs.FaultConfirm.Is(err), "%v", err)

		var wait sync.WaitGroup
		results := make([]error, 8)
		for i := range results {
			wait.Go(func() { _, results[i] = s.Start(ctx, operator, j.ID, jobs.StartRequest{Confirm: 250}) })
		}
		wait.Wait()
		starts := 0
		for _, err := range results {
			if err == nil {
				starts++
			} else {
				require.True(t, jobs.FaultWrongState.Is(err), "%v", err)
			}
		}
		require.Equal(t, 1, starts)
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobStarted, JobID: j.ID, Limit: 10})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, "Test chat (test)", entries[0].App)
		require.Equal(t, j.FileSHA256, entries[0].Details["sha256"])
	})
}

func TestStartNeedsAValidAccount(t *testing.T) {
	s := jobstest.SQLite(t)
	j, err := upload(s, "user_id\n"+strings.Repeat("x", 40)+"\n")
	require.NoError(t, err)
	require.False(t, j.May(jobs.Start))
	_, err = s.Start(ctx, operator, j.ID, jobs.StartRequest{Confirm: 0})
	require.True(t, jobs.FaultNoAccounts.Is(err), "%v", err)
}

func TestCancelOfUnsentJobEndsAtOnce(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := started(t, s, 150)
		j, err := s.Act(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
		require.Equal(t, jobs.Cancelled, j.Shown())
		require.Equal(t, int64(150), j.Counts[jobs.Unsent])
		require.False(t, j.FinishedAt.IsZero())
		requireSums(t, s)
		_, err = s.Act(ctx, operator, j.ID, jobs.Resume)
		require.True(t, jobs.FaultWrongState.Is(err), "%v", err)
	})
}

func TestScheduledJobIsStartedByAPerson(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := draft(t, s, 100)
		for _, at := range []time.Time{time.Now().Add(-time.Second), time.Now().AddDate(1, 0, 1)} {
			_, err := s.Start(ctx, operator, j.ID, jobs.StartRequest{Confirm: 100, At: at})
			require.True(t, jobs.FaultStartTime.Is(err), "%v", err)
		}
		at := time.Now().Add(4 * time.Hour)
		j, err := s.Start(ctx, operator, j.ID, jobs.StartRequest{Confirm: 100, At: at})
		require.NoError(t, err)
		require.Equal(t, jobs.State("scheduled"), j.Shown())
		require.WithinDuration(t, at, j.StartAt, time.Second)
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobStarted, JobID: j.ID, Limit: 9})
		require.NoError(t, err)
		require.Equal(t, at.UTC().Format(time.RFC3339), entries[0].Details["start_at"])
		j, err = s.Act(ctx, operator, j.ID, jobs.StartNow)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Queued, time.Time{}}, []any{j.Shown(), j.StartAt})
		_, err = s.Act(ctx, operator, j.ID, jobs.StartNow)
		require.True(t, jobs.FaultWrongState.Is(err), "%v", err)
		require.Contains(t, codes(t, s, audit.Filter{JobID: j.ID}), audit.JobStartNow)
	})
}

// Looking changes nothing, so there is nothing to be careful about.
func TestStartIsCarefulWhereTagsChange(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		for kind, careful := range map[jobs.Kind]bool{jobs.Clear: true, jobs.AddTags: true, jobs.RemoveTags: true, jobs.Inspect: false} {
			for _, app := range []bool{true, false} {
				require.NoError(t, s.ChangeSettings(ctx, operator, jobstest.App.ID,
					jobs.Settings{FailureLimit: 20, KeepDays: 30, Canary: app, VerifyShare: 10_000}))
				j, err := jobstest.Draft(s, operator, jobs.Upload{Kind: kind}, "user_id,tags\nann,vip\n")
				require.NoError(t, err)
				j = start(t, s, j)
				require.Equal(t, []bool{careful && app, careful}, []bool{j.Careful, j.Verify.Share > 0}, "%s", kind)
			}
		}
	})
}

func TestAnUnknownJobIsNamed(t *testing.T) {
	s := jobstest.SQLite(t)
	_, err := s.Act(ctx, operator, "nope", jobs.Pause)
	require.True(t, jobs.FaultNoJob.Is(err), "%v", err)
	require.ErrorContains(t, err, "nope")
}

func TestFindAccountInEveryJob(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		first, second := draft(t, s, 250), draft(t, s, 120)
		found, err := s.Find(ctx, "user_00101", 10)
		require.NoError(t, err)
		require.Len(t, found, 2)
		require.Equal(t, []string{second.ID, first.ID}, []string{found[0].Job.ID, found[1].Job.ID})
		require.Equal(t, int64(2), found[0].Batch)
		require.Equal(t, int64(101), found[0].Row)
		found, err = s.Find(ctx, "USER_00101", 10)
		require.NoError(t, err)
		require.Empty(t, found, "accounts differ by case")
	})
}
