package jobs_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"tagsweep/internal/accounts"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

func TestWarningsCountSharedAccounts(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		file := func(from, to, step int) string {
			var names []string
			for i := from; i < to; i += step {
				names = append(names, fmt.Sprintf("user_%05d", i))
			}
			rand.New(rand.NewPCG(3, 4)).Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
			return "user_id\n" + strings.Join(names, "\n") + "\n"
		}
		make := func(content string, start bool) jobs.Job {
			j, err := jobstest.Draft(s, operator, jobs.Upload{}, content)
			require.NoError(t, err)
			if start {
				j, err = s.Start(ctx, operator, j.ID, jobs.StartRequest{Confirm: j.Accounts})
				require.NoError(t, err)
			}
			return j
		}
		all := make(file(0, 3_000, 1), true)
		thirds := make(file(0, 3_000, 3), true)
		apart := make(file(5_000, 5_100, 1), true)
		later := make(file(2_990, 3_010, 1), false)
		same := make(file(0, 3_000, 3), false)

		warnings, err := s.Warnings(ctx, same.ID)
		require.NoError(t, err)
		require.Len(t, warnings.SameFile, 1)
		require.Equal(t, thirds.ID, warnings.SameFile[0].ID)
		require.Equal(t, map[string]int64{all.ID: 1_000, thirds.ID: 1_000}, shares(warnings))

		warnings, err = s.Warnings(ctx, later.ID)
		require.NoError(t, err)
		require.Empty(t, warnings.SameFile)
		require.Equal(t, map[string]int64{all.ID: 10, thirds.ID: 3}, shares(warnings))
		// A job that was read later and started first is seen as well.
		_, err = s.Start(ctx, operator, same.ID, jobs.StartRequest{Confirm: same.Accounts})
		require.NoError(t, err)
		warnings, err = s.Warnings(ctx, later.ID)
		require.NoError(t, err)
		require.Equal(t, map[string]int64{all.ID: 10, thirds.ID: 3, same.ID: 3}, shares(warnings))
		warnings, err = s.Warnings(ctx, apart.ID)
		require.NoError(t, err)
		require.Empty(t, warnings.Overlaps)
		// Each of two jobs is told of the other, whichever was read first.
		warnings, err = s.Warnings(ctx, all.ID)
		require.NoError(t, err)
		require.Equal(t, map[string]int64{thirds.ID: 1_000, same.ID: 1_000}, shares(warnings))
		uneven, err := s.Count(ctx,
			`SELECT COUNT(*) FROM shared_accounts a LEFT JOIN shared_accounts b ON b.job_id = a.other_id AND b.other_id = `+
				`a.job_id AND b.accounts = a.accounts WHERE b.job_id IS NULL`)
		require.NoError(t, err)
		require.Zero(t, uneven)
	})
}

// A reading that is repeated counts anew, in both directions.
func TestWarningsFollowAnotherReading(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		one, err := jobstest.Draft(s, operator, jobs.Upload{}, "user_id,member\nann,cid\nbob,dan\n")
		require.NoError(t, err)
		two := start(t, s, draftLines(t, s, "ann\nbob\neve\n"))
		rows := func() int64 {
			n, err := s.Count(ctx, `SELECT COUNT(*) FROM shared_accounts`)
			require.NoError(t, err)
			return n
		}
		warnings, err := s.Warnings(ctx, one.ID)
		require.NoError(t, err)
		require.Equal(t, map[string]int64{two.ID: 2}, shares(warnings))
		require.Equal(t, int64(2), rows())
		_, err = s.Reread(ctx, operator, one.ID, accountsIn(2))
		require.NoError(t, err)
		require.NoError(t, jobstest.ReadAll(s))
		warnings, err = s.Warnings(ctx, one.ID)
		require.NoError(t, err)
		require.Empty(t, warnings.Overlaps)
		require.Zero(t, rows())
	})
}

// The other file may be read in another way between the comparison and its end.
func TestWarningsSeeAReadingMeanwhile(t *testing.T) {
	for name, ends := range map[string]bool{"and ends": true, "and goes on": false} {
		t.Run(name, func(t *testing.T) {
			jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
				one, err := jobstest.Draft(s, operator, jobs.Upload{}, "user_id,member\nann,cid\nbob,dan\n")
				require.NoError(t, err)
				two, err := create(ctx, s, section("user_id\nann\ncid\ndan\n"))
				require.NoError(t, err)
				im, err := s.ClaimImport(ctx, 0)
				require.NoError(t, err)
				read, err := (&jobs.Importer{Jobs: s.Jobs, Log: slog.New(slog.DiscardHandler)}).Read(ctx, im)
				require.NoError(t, err)
				err = s.CompareThen(ctx, im, read, func() error {
					if _, err := s.Reread(ctx, operator, one.ID, accountsIn(2)); err != nil || !ends {
						return err
					}
					return jobstest.ReadAll(s)
				})
				if ends {
					require.ErrorIs(t, err, jobs.ErrMoreToCompare)
					err = s.FinishImport(ctx, im, read)
				}
				require.NoError(t, err)
				require.NoError(t, jobstest.ReadAll(s))
				start(t, s, jobNow(t, s, one.ID))
				warnings, err := s.Warnings(ctx, two.ID)
				require.NoError(t, err)
				require.Equal(t, map[string]int64{one.ID: 2}, shares(warnings))
			})
		})
	}
}

func draftLines(t checker, s *jobstest.Console, accounts string) jobs.Job {
	j, err := jobstest.Draft(s, operator, jobs.Upload{}, "user_id\n"+accounts)
	require.NoError(t, err)
	return j
}

// A job waits for those with the same accounts that were started before it, and for
// what of others is in hand or in doubt.
func TestWaitsForWhoeverHoldsItsAccounts(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		free(t, s)
		waits := func(j jobs.Job) string {
			other, err := s.WaitsFor(ctx, j.ID)
			require.NoError(t, err)
			if other == nil {
				return ""
			}
			require.Equal(t, int64(1), other.Accounts)
			return other.Job.ID
		}
		act := func(j jobs.Job, a jobs.Action) {
			_, err := s.Act(ctx, operator, j.ID, a)
			require.NoError(t, err)
		}
		second, first := draftLines(t, s, "ann\nbob\n"), draftLines(t, s, "ann\ncid\n")
		apart := start(t, s, draftLines(t, s, "dan\n"))
		look, err := jobstest.Draft(s, operator, jobs.Upload{Kind: jobs.Inspect}, "user_id\nann\n")
		require.NoError(t, err)
		look = start(t, s, look)
		first = start(t, s, first)
		require.Empty(t, waits(second), "it is not started")
		second = start(t, s, second)
		require.Equal(t, []string{first.ID, "", "", ""}, []string{waits(second), waits(first), waits(apart), waits(look)})

		act(first, jobs.Pause)
		require.Empty(t, waits(second))
		act(first, jobs.Resume)
		require.Equal(t, []string{"", second.ID}, []string{waits(second), waits(first)}, "who was resumed comes behind")

		h := take(t, s, first.ID, 1) // as it was before
		act(first, jobs.Pause)
		require.Equal(t, first.ID, waits(second), "some are in hand")
		require.NoError(t, h.Send(ctx, "remove_all_tags"))
		require.NoError(t, h.Lose(ctx))
		require.Equal(t, first.ID, waits(second), "they are in doubt")
		require.NoError(t, s.DB.Exec(ctx, `UPDATE batches SET ask = 1 WHERE job_id = $1`, first.ID))
		require.Empty(t, waits(second), "a person may take long")
		_, err = s.Decide(ctx, operator, first.ID, jobs.Leave)
		require.NoError(t, err)
		require.False(t, jobNow(t, s, first.ID).FinishedAt.IsZero())
		require.Empty(t, waits(second))

		later, err := s.Start(ctx, operator, draftLines(t, s, "bob\n").ID, jobs.StartRequest{Confirm: 1, At: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		require.Empty(t, waits(later), "its time has not come")
		act(later, jobs.StartNow)
		require.Equal(t, second.ID, waits(later))
		carry(t, s, second.ID, cleared, 1)
		require.Empty(t, waits(later))
	})
}

// Two warnings nobody needs would hide the one that matters.
func TestWarningsSkipInspectAndOrigin(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		const file = "user_id\nann\nbob\n"
		look, err := jobstest.Draft(s, operator, jobs.Upload{Kind: jobs.Inspect}, file)
		require.NoError(t, err)
		start(t, s, look)
		carry(t, s, look.ID, jobstest.Came{Rest: jobs.Inspected}, 1)
		clear, err := s.Retry(ctx, operator, look.ID, jobs.RetryRequest{Kind: jobs.Clear}, t.TempDir())
		require.NoError(t, err)
		clear, _ = read(t, s, clear)
		start(t, s, clear)
		warnings, err := s.Warnings(ctx, clear.ID)
		require.NoError(t, err)
		require.Zero(t, warnings)
		again, err := jobstest.Draft(s, operator, jobs.Upload{}, file)
		require.NoError(t, err)
		warnings, err = s.Warnings(ctx, again.ID)
		require.NoError(t, err)
		require.Equal(t, map[string]int64{clear.ID: 2}, shares(warnings))
		look, err = jobstest.Draft(s, operator, jobs.Upload{Kind: jobs.Inspect}, file)
		require.NoError(t, err)
		warnings, err = s.Warnings(ctx, look.ID)
		require.NoError(t, err)
		require.Zero(t, warnings)
	})
}

func shares(w jobs.Warnings) map[string]int64 {
	shares := map[string]int64{}
	for _, o := range w.Overlaps {
		shares[o.Job.ID] = o.Accounts
	}
	return shares
}

func TestWarningsOfFilesReadTogether(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		for range 20 {
			one, err := create(ctx, s, section("user_id\nann\nbob\n"))
			require.NoError(t, err)
			two, err := create(ctx, s, section("user_id\nbob\ncid\n"))
			require.NoError(t, err)
			var readers errgroup.Group
			for range 2 {
				readers.Go(func() error { return jobstest.ReadAll(s) })
			}
			require.NoError(t, readers.Wait())
			_, err = s.Start(ctx, operator, one.ID, jobs.StartRequest{Confirm: 2})
			require.NoError(t, err)
			warnings, err := s.Warnings(ctx, two.ID)
			require.NoError(t, err)
			require.Equal(t, int64(1), shares(warnings)[one.ID])
		}
	})
}

func TestWarningsNameUnusualAccounts(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j, err := jobstest.Draft(s, operator, jobs.Upload{Choices: accounts.Choices{Rows: accounts.AcceptAll()}},
			"user_id\nann\nbob@example.com\nAnn Lee\n")
		require.NoError(t, err)
		require.Equal(t, int64(3), j.Accounts)
		warnings, err := s.Warnings(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, jobs.Unusual{Rows: 2,
			First: []jobs.Named{{Account: "bob@example.com", Row: 2}, {Account: "Ann Lee", Row: 3}}}, warnings.Unusual)
	})
}
