package jobs_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
)

func report(t checker, s *jobstest.Console, id string) snapshot.Report {
	t.Helper()
	r, err := s.Report(ctx, id)
	require.NoError(t, err)
	require.NotNil(t, r)
	return *r
}

func numbers(r snapshot.Report) []int64 {
	return []int64{r.Accounts, r.Tagged, r.Untagged, r.Unknown, r.Assignments, r.Others}
}

func TestReportOfInspectionIsExact(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		rapid.Check(t, func(r *rapid.T) {
			n := rapid.IntRange(1, 420).Draw(r, "accounts")
			before, own, want := map[int64][]string{}, []jobstest.Own{}, snapshot.Report{}
			for seq := int64(1); seq <= int64(n); seq++ {
				switch rapid.IntRange(0, 9).Draw(r, "account") {
				case 0:
					own = append(own, jobstest.Own{Seq: seq, Outcome: jobs.Failed, Code: 70107})
					want.Add(nil, 1)
				case 1: // it was read, and blamed later
					own, before[seq] = append(own, jobstest.Own{Seq: seq, Outcome: jobs.Failed, Code: 90003}), []string{"late"}
				case 2: // neither says anything of the account
					own = append(own, jobstest.Own{Seq: seq, Outcome: jobs.Failed, Code: []int{91000, jobs.CodeLeft}[seq%2]})
				case 3:
					own, before[seq] = append(own, jobstest.Own{Seq: seq, Outcome: jobs.Untagged}), nil
				default:
					before[seq] = tags(5)[:rapid.IntRange(0, 5).Draw(r, "tags")]
				}
				if had, read := before[seq]; read {
					want.Add([]snapshot.Account{{Seq: seq, Tags: had}}, 0)
				}
			}
			j := ended(r, s, jobs.Inspect, n, before, jobs.Inspected, own...)
			if want.Accounts == 0 {
				none, err := s.Report(ctx, j.ID)
				require.NoError(r, err)
				require.Nil(r, none)
				return
			}
			got := report(r, s, j.ID)
			require.Equal(r, want.Tags(), got.Tags())
			require.Equal(r, numbers(want), numbers(got))
			require.NoError(r, s.Sweep(ctx, s.DB.Now()))
			saved := report(r, s, j.ID)
			require.Equal(r, want.Tags(), saved.Tags())
			require.Equal(r, numbers(want), numbers(saved))
		})
	})
}

func TestReportOfUnknownAccounts(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		d, err := jobstest.Draft(s, operator, jobs.Upload{Kind: jobs.Inspect}, "user_id\nann\nbob\ncid\n")
		require.NoError(t, err)
		require.NoError(t, s.End(ctx, d.ID, jobs.Failed, jobstest.Own{Seq: 2, Outcome: jobs.Failed, Code: 91000}))
		require.NoError(t, s.DB.Exec(ctx, `UPDATE batches SET code = 70107 WHERE job_id = $1`, d.ID))
		require.Equal(t, []int64{2, 0, 0, 2, 0, 0}, numbers(report(t, s, d.ID)))
	})
}

// While the job runs the report grows with it, up to the first batch that is not settled.
func TestTheReportFollowsARunningJob(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		d, err := jobstest.Draft(s, operator, jobs.Upload{Kind: jobs.Inspect}, lines(1_050))
		require.NoError(t, err)
		none, err := s.Report(ctx, d.ID)
		require.NoError(t, err)
		require.Nil(t, none, "it has not been started")
		start(t, s, d)
		none, err = s.Report(ctx, d.ID)
		require.NoError(t, err)
		require.Nil(t, none)
		batch := func(number int64) map[int64][]string {
			before := map[int64][]string{}
			for seq := (number-1)*100 + 1; seq <= min(number*100, 1_050); seq++ {
				before[seq] = []string{"all", fmt.Sprint("only", number)}
			}
			return before
		}
		for _, step := range []struct{ read, upTo int64 }{{1, 1}, {3, 1}, {2, 3}, {4, 4}, {6, 4}, {7, 4}, {11, 4}, {5, 7}, {9, 7}, {8, 9}} {
			require.NoError(t, keepTags(s, d.ID, batch(step.read)))
			carry(t, s, d.ID, jobstest.Came{Rest: jobs.Inspected}, step.read)
			got := report(t, s, d.ID)
			require.Equal(t, min(step.upTo*100, 1_050), got.Accounts)
			require.Equal(t, int(step.upTo)+1, got.Distinct())
			require.Equal(t, snapshot.TagCount{Tag: "all", Accounts: got.Accounts}, got.Tags()[0])
		}
		// What is found of one that was folded counts at the end.
		require.NoError(t, keepTags(s, d.ID, map[int64][]string{1: {"late"}}))
		require.NoError(t, keepTags(s, d.ID, batch(10)))
		carry(t, s, d.ID, jobstest.Came{Rest: jobs.Inspected}, 10)
		require.Equal(t, jobs.Finished, jobNow(t, s, d.ID).State)
		require.Equal(t, []int64{951, 951, 0, 0, 1_901, 0}, numbers(report(t, s, d.ID)))
	})
}

func TestAReportIsOneHoweverManyAskForIt(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		var all []jobs.Job
		for i := range 12 { // more than are held in memory
			before := map[int64][]string{}
			for seq := int64(1); seq <= 300; seq++ {
				before[seq] = tags(1 + i)
			}
			all = append(all, ended(t, s, jobs.Clear, 300, before, jobs.Cleared))
		}
		var askers errgroup.Group
		for range 4 {
			askers.Go(func() error {
				for range 3 {
					for i, j := range all {
						r, err := s.Report(ctx, j.ID)
						if err != nil {
							return err
						}
						if r.Accounts != 300 || r.Assignments != int64(300*(1+i)) {
							return fmt.Errorf("job %d: %+v", i, numbers(*r))
						}
						r.Add([]snapshot.Account{{Seq: 1, Tags: []string{"mine"}}}, 5) // a copy of one's own
					}
				}
				return nil
			})
		}
		askers.Go(func() error { return s.Sweep(ctx, s.DB.Now()) })
		require.NoError(t, askers.Wait())
	})
}
