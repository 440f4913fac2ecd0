package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

func section(content string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(content), 0, int64(len(content)))
}

func create(c context.Context, s *jobstest.Console, file *io.SectionReader) (jobs.Job, error) {
	return s.Create(c, operator, jobs.Upload{AppID: jobstest.App.ID, Kind: jobs.Clear, FileName: "users.csv", AccountBytes: 32, File: file})
}

// rowsOf are the accounts and the rows set aside of a job, as its downloads list them.
func rowsOf(t checker, s *jobstest.Console, id string) (accounts, aside []string) {
	t.Helper()
	for r, err := range s.Results(ctx, id, "") {
		require.NoError(t, err)
		accounts = append(accounts, fmt.Sprint(r.Row, " ", r.Account.Account))
	}
	for r, err := range s.Rejects(ctx, id) {
		require.NoError(t, err)
		aside = append(aside, fmt.Sprint(r.Row, " ", r.Line, " ", r.Kind, " ", r.Value, " ", r.Repeats))
	}
	return accounts, aside
}

func TestImportKeepsEveryRowsPlace(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		rapid.Check(t, func(t *rapid.T) {
			names := rapid.SliceOfN(rapid.StringMatching(`[a-c]{1,3}| x|[a-e]{4,5}`), 1, 600).Draw(t, "names")
			j, err := jobstest.Draft(s, operator, jobs.Upload{}, "account,n\n"+strings.Join(names, ",1\n")+",1\n")
			require.NoError(t, err)
			first := map[string]int{}
			var wantAccounts, wantAside []string
			for i, name := range names {
				row := i + 1
				switch {
				case name == " x":
					wantAside = append(wantAside, fmt.Sprint(row, " ", row+1, " rejected ", name, " 0"))
				case first[name] > 0:
					wantAside = append(wantAside, fmt.Sprint(row, " ", row+1, " duplicate ", name, " ", first[name]))
				default:
					first[name] = row
					wantAccounts = append(wantAccounts, fmt.Sprint(row, " ", name))
				}
			}
			accounts, aside := rowsOf(t, s, j.ID)
			require.Equal(t, wantAccounts, accounts)
			require.Equal(t, wantAside, aside)
			require.Equal(t, []int64{int64(len(names)), int64(len(wantAccounts))}, []int64{j.Rows, j.Accounts})
			for name, row := range first {
				found, err := s.Find(ctx, name, 1)
				require.NoError(t, err)
				require.Equal(t, j.ID, found[0].Job.ID)
				require.Equal(t, int64(row), found[0].Row)
			}
			requireSums(t, s)
			_, err = s.Act(ctx, operator, j.ID, jobs.Cancel)
			require.NoError(t, err)
		})
	})
}

func TestImportSortsOnDisk(t *testing.T) {
	s := jobstest.SQLite(t)
	const n = 230_000 // several times what is sorted at once
	var file strings.Builder
	file.WriteString("user_id\n")
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
		fmt.Fprintf(&file, "user_%06d\n", i*11/12) // one in twelve repeats another, also at the ends of names
	}
	j, err := jobstest.Draft(s, operator, jobs.Upload{}, file.String())
	require.NoError(t, err)
	distinct := int64((n-1)*11/12 + 1)
	require.Equal(t, []int64{n, distinct, n - distinct}, []int64{j.Rows, j.Accounts, j.Duplicate})
	requireSums(t, s)
}

// interrupted returns an importer that lets something happen before each time it saves.
func interrupted(s *jobstest.Console, before func(save int) error) *jobs.Importer {
	importer, save := &jobs.Importer{Jobs: s.Jobs, Log: slog.New(slog.DiscardHandler)}, -1
	importer.BeforeSave(func() error { save++; return before(save) })
	return importer
}

var errKilled = errors.New("killed")

func TestImportRestartsWithSameResult(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		// several slices of rows set aside on both ways through the file
		content := "account,city\n" + strings.Repeat("user_9999,Rome\n,Oslo\n", 12_000)
		for i := range 900 {
			content += fmt.Sprintf("user_%04d,Rome\n", i)
		}
		j, err := create(ctx, s, section(content))
		require.NoError(t, err)
		for kill := 0; ; kill++ {
			importer := interrupted(s, func(save int) error {
				if save == kill {
					return errKilled
				}
				return nil
			})
			read, err := importer.Next(ctx, 0)
			if err == nil {
				require.True(t, read)
				require.Greater(t, kill, 5, "the reading was broken off at several places")
				break
			}
			require.ErrorIs(t, err, errKilled)
			requireSums(t, s)
			none, err := importer.Next(ctx, 0)
			require.NoError(t, err)
			require.False(t, none, "its lease still runs")
			require.NoError(t, s.ReleaseImports(ctx))
		}
		j, err = s.Get(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Draft, int64(24_900), int64(12_000), int64(11_999), int64(901)},
			[]any{j.State, j.Rows, j.Rejected, j.Duplicate, j.Accounts})
		requireSums(t, s)
	})
}

func TestImportCancelledLeavesNoRows(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j, err := create(ctx, s, section("user_id\n"+strings.Repeat("ann\n\nbob bob\n x\n", 4_000)))
		require.NoError(t, err)
		importer := interrupted(s, func(save int) error {
			if save == 1 {
				_, err := s.Act(ctx, operator, j.ID, jobs.Cancel)
				return err
			}
			return nil
		})
		read, err := importer.Next(ctx, 0)
		require.NoError(t, err)
		require.True(t, read)
		require.NoError(t, s.ReleaseImports(ctx))
		require.NoError(t, jobstest.ReadAll(s)) // removes what was read
		j, err = s.Get(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, jobs.Cancelled, j.State)
		require.True(t, j.Settled())
		accounts, aside := []string(nil), []jobs.SetAside(nil)
		aside, err = s.SetAsides(ctx, j.ID, 10)
		require.NoError(t, err)
		require.Empty(t, aside)
		require.Empty(t, accounts)
		requireSums(t, s)
	})
}

func TestTwoConsolesNeverReadTheSameFile(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		_, err := create(ctx, s, section("user_id\nann\n"))
		require.NoError(t, err)
		im, err := s.ClaimImport(ctx, 0)
		require.NoError(t, err)
		require.NotNil(t, im)
		other, err := s.ClaimImport(ctx, 0)
		require.NoError(t, err)
		require.Nil(t, other)
		// Once it was taken over, the first reader can write nothing more.
		require.NoError(t, s.ReleaseImports(ctx))
		other, err = s.ClaimImport(ctx, 0)
		require.NoError(t, err)
		require.NotNil(t, other)
		require.ErrorIs(t, s.SaveSlice(ctx, im, jobs.ImportSlice{}), jobs.ErrImportGone)
		require.ErrorIs(t, s.FinishImport(ctx, im, jobs.Imported{}), jobs.ErrImportGone)
		require.NoError(t, s.SaveSlice(ctx, other, jobs.ImportSlice{}))
	})
}

func TestImportSmallFilesPassLargeOnes(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		large, err := create(ctx, s, section("user_id\n"+strings.Repeat("user\n", 1_000)))
		require.NoError(t, err)
		small, err := create(ctx, s, section("user_id\nann\n"))
		require.NoError(t, err)
		im, err := s.ClaimImport(ctx, 100)
		require.NoError(t, err)
		require.Equal(t, small.ID, im.ID)
		im, err = s.ClaimImport(ctx, 0)
		require.NoError(t, err)
		require.Equal(t, large.ID, im.ID)
	})
}

func TestAFileThatNoJobHoldsIsDiscarded(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		const content = "user_id\nann\n"
		given, giveUp := context.WithCancel(ctx)
		giveUp()
		_, err := create(given, s, section(content))
		require.ErrorIs(t, err, context.Canceled)
		kept, err := jobstest.Draft(s, operator, jobs.Upload{}, "user_id\nbob\n")
		require.NoError(t, err)
		_, err = s.DiscardUploads(ctx, time.Now().Add(time.Hour))
		require.NoError(t, err)
		left, err := s.DiscardUploads(ctx, time.Now().Add(time.Hour))
		require.NoError(t, err)
		require.Zero(t, left)
		accounts, _ := rowsOf(t, s, kept.ID)
		require.Equal(t, []string{"1 bob"}, accounts)
		requireSums(t, s)
	})
}

func TestFindIgnoresUnstorableText(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		for _, text := range []string{"\x00", "\xff", "a\x00b"} {
			_, err := s.Audit.Entries(ctx, audit.Filter{Actor: text, JobID: text, Limit: 1})
			require.NoError(t, err)
			_, err = s.List(ctx, jobs.Filter{Before: text, Limit: 1})
			require.NoError(t, err)
			_, err = s.Find(ctx, text, 1)
			require.NoError(t, err)
			_, err = s.Get(ctx, text)
			require.True(t, jobs.FaultNoJob.Is(err), "%v", err)
		}
	})
}
