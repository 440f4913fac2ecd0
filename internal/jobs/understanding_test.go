package jobs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

func TestRereadChoicesApplyToSameShape(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		const header = "user_id,nick\n"
		j, err := jobstest.Draft(s, operator, jobs.Upload{}, header+"1,ann\n2,bob\n")
		require.NoError(t, err)
		names, _ := rowsOf(t, s, j.ID)
		require.Equal(t, []string{"1 1", "2 2"}, names)

		_, err = s.Reread(ctx, operator, j.ID, accountsIn(9))
		require.Error(t, err, "there is no such column")
		j, err = s.Reread(ctx, operator, j.ID, accountsIn(2))
		require.NoError(t, err)
		require.Equal(t, jobs.Reading, j.State)
		require.NoError(t, jobstest.ReadAll(s))
		names, _ = rowsOf(t, s, j.ID)
		require.Equal(t, []string{"1 ann", "2 bob"}, names)
		understood, err := s.Understanding(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []any{"olga", false, 2, 1}, []any{understood.By, understood.Earlier, understood.Choices.Column, understood.Column})
		requireSums(t, s)

		like, err := jobstest.Draft(s, operator, jobs.Upload{}, header+"3,cid\n")
		require.NoError(t, err)
		names, _ = rowsOf(t, s, like.ID)
		require.Equal(t, []string{"1 cid"}, names)
		understood, err = s.Understanding(ctx, like.ID)
		require.NoError(t, err)
		require.Equal(t, []any{"olga", true}, []any{understood.By, understood.Earlier})

		// What was said fits no other encoding, but the column does.
		_, err = s.Reread(ctx, operator, j.ID, accounts.Choices{Column: 2, Encoding: accounts.GB18030, Separator: ","})
		require.NoError(t, err)
		require.NoError(t, jobstest.ReadAll(s))
		abroad, err := jobstest.Draft(s, operator, jobs.Upload{}, "\uFEFF"+header+"6,fay\n")
		require.NoError(t, err)
		names, _ = rowsOf(t, s, abroad.ID)
		require.Equal(t, []string{"1 fay"}, names)

		other, err := jobstest.Draft(s, operator, jobs.Upload{}, "user_id,city\n4,dan\n")
		require.NoError(t, err)
		names, _ = rowsOf(t, s, other.ID)
		require.Equal(t, []string{"1 4"}, names)

		// Detecting everything anew takes it back, for the next file too.
		_, err = s.Reread(ctx, operator, like.ID, accountsIn(0))
		require.NoError(t, err)
		require.NoError(t, jobstest.ReadAll(s))
		names, _ = rowsOf(t, s, like.ID)
		require.Equal(t, []string{"1 3"}, names)
		next, err := jobstest.Draft(s, operator, jobs.Upload{}, header+"5,eve\n")
		require.NoError(t, err)
		names, _ = rowsOf(t, s, next.ID)
		require.Equal(t, []string{"1 5"}, names)

		_, err = s.Start(ctx, operator, next.ID, jobs.StartRequest{Confirm: 1})
		require.NoError(t, err)
		_, err = s.Reread(ctx, operator, next.ID, accountsIn(2))
		require.True(t, jobs.FaultWrongState.Is(err), "%v", err)
	})
}

func accountsIn(column int) accounts.Choices { return accounts.Choices{Column: column} }

func TestRereadChoicesDropNoOthersRows(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j, err := jobstest.Draft(s, operator, jobs.Upload{}, "Exported by: crm\nAt: today\nuser_id;n\nann;1\nbob;2\n")
		require.NoError(t, err)
		_, err = s.Reread(ctx, operator, j.ID, accounts.Choices{FirstLine: 3})
		require.NoError(t, err)
		require.NoError(t, jobstest.ReadAll(s))
		names, _ := rowsOf(t, s, j.ID)
		require.Equal(t, []string{"1 ann", "2 bob"}, names)
		like, err := jobstest.Draft(s, operator, jobs.Upload{}, "user_id;n\nann;1\nbob;2\ncid;3\n")
		require.NoError(t, err)
		require.Equal(t, int64(3), like.Rows)
		names, _ = rowsOf(t, s, like.ID)
		require.Equal(t, []string{"1 ann", "2 bob", "3 cid"}, names)
	})
}

func TestRereadCancelledLeavesNoRows(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j, err := jobstest.Draft(s, operator, jobs.Upload{}, "user_id\nann\nbob\nann\n")
		require.NoError(t, err)
		_, err = s.Reread(ctx, operator, j.ID, accounts.Choices{Header: accounts.No})
		require.NoError(t, err)
		im, err := s.ClaimImport(ctx, 0)
		require.NoError(t, err)
		require.Equal(t, j.ID, im.ID)
		requireSums(t, s)
		j, err = s.Act(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
		require.Equal(t, []int64{0, 0, 0}, []int64{j.Rows, j.Accounts, j.Counts.Sum()})
		require.NoError(t, s.ReleaseImports(ctx))
		require.NoError(t, jobstest.ReadAll(s))
		requireSums(t, s)
	})
}

func TestRereadEndsListingsWithError(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j, err := jobstest.Draft(s, operator, jobs.Upload{}, "user_id\nann\n"+strings.Repeat(" x\n", 5_000))
		require.NoError(t, err)
		listed, ended := 0, error(nil)
		for _, err := range s.Rejects(ctx, j.ID) {
			if ended = err; err != nil {
				break
			}
			if listed++; listed == 10 {
				_, err = s.Reread(ctx, operator, j.ID, accounts.Choices{Header: accounts.No})
				require.NoError(t, err)
				_, err = s.ClaimImport(ctx, 0)
				require.NoError(t, err)
			}
		}
		require.ErrorContains(t, ended, "imported again")
		for _, err := range s.Results(ctx, j.ID, "") {
			require.ErrorContains(t, err, "imported again", "how its rows are to be read is not known yet")
		}
	})
}
