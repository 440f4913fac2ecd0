package jobs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

const twoColumns = "user_id,member\nann,m_1\nbob,m_2\n"

// asking is a draft of which two questions are open.
func asking(t *testing.T, s *jobstest.Console) jobs.Job {
	t.Helper()
	j, err := jobstest.Draft(s, operator, jobs.Upload{}, twoColumns)
	require.NoError(t, err)
	jobstest.Ask(t, s, j.ID, jobstest.WhichColumn, jobstest.AreUnlike)
	return jobNow(t, s, j.ID)
}

func TestOpenQuestionKeepsJobFromStarting(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := asking(t, s)
		require.Equal(t, []jobs.Asked{"column", "unlike"}, j.Unsure)
		require.False(t, j.May(jobs.Start))
		for _, at := range []time.Time{{}, time.Now().Add(time.Hour)} {
			_, err := s.Start(ctx, operator, j.ID, jobs.StartRequest{Confirm: j.Accounts, Reading: j.Reading, At: at})
			require.True(t, jobs.FaultUnsure.Is(err), "%v", err)
			require.ErrorContains(t, err, "“column”")
		}
		for _, a := range []jobs.Action{jobs.Start, jobs.StartNow, jobs.Pause, jobs.Resume} {
			_, err := s.Act(ctx, operator, j.ID, a)
			require.Error(t, err, a)
		}
		// Nothing is asked about the file of a derived job: it would be a way around.
		for _, kind := range jobs.Kinds {
			_, err := s.Retry(ctx, operator, j.ID, jobs.RetryRequest{Kind: kind}, "")
			require.True(t, jobs.FaultUnsure.Is(err), "%v", err)
		}
		now := jobNow(t, s, j.ID)
		require.Equal(t, []any{jobs.Draft, true}, []any{now.State, now.StartedAt.IsZero()})
		require.Empty(t, jobstest.Codes(t, s, audit.Filter{Code: audit.JobStarted}))

		_, err := s.Act(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
		_, err = s.Retry(ctx, operator, j.ID, jobs.RetryRequest{}, "")
		require.True(t, jobs.FaultUnsure.Is(err), "a discarded draft keeps its questions: %v", err)
	})
}

func TestAnswerAsSuggestedIsNotReadAgain(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		j := asking(t, s)
		require.NotEmpty(t, j.Reading)
		after, err := s.Answer(ctx, operator, j.ID, accountsIn(1))
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Draft, j.Reading, []jobs.Asked{"unlike"}}, []any{after.State, after.Reading, after.Unsure})
		after, err = s.Answer(ctx, operator, j.ID, accounts.Choices{Rows: map[accounts.Reason]string{accounts.Unlike: accounts.Aside}})
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Draft, j.Reading}, []any{after.State, after.Reading})
		require.Empty(t, after.Unsure)
		im, err := s.ClaimImport(ctx, 0)
		require.NoError(t, err)
		require.Nil(t, im, "there is nothing to read")
		require.Len(t, jobstest.Codes(t, s, audit.Filter{Code: audit.JobRead}), 1)

		said, err := s.Understanding(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []any{"olga", false, 1, accounts.Aside},
			[]any{said.By, said.Earlier, said.Choices.Column, said.Choices.Rows[accounts.Unlike]})
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobReread, JobID: j.ID, Limit: 10})
		require.NoError(t, err)
		require.Len(t, entries, 2)
		require.Equal(t, map[string]any{"column": 1.0, "rows": map[string]any{"unlike": "aside"}}, entries[0].Details["after"])

		like, err := jobstest.Draft(s, operator, jobs.Upload{}, twoColumns+"cid,m_3\n")
		require.NoError(t, err)
		said, err = s.Understanding(ctx, like.ID)
		require.NoError(t, err)
		require.Equal(t, []any{"olga", true, 1, accounts.Aside},
			[]any{said.By, said.Earlier, said.Choices.Column, said.Choices.Rows[accounts.Unlike]})

		_, err = s.Start(ctx, operator, j.ID, jobs.StartRequest{Confirm: 2, Reading: j.Reading})
		require.NoError(t, err)
		requireSums(t, s)
	})
}

func TestAnswerThatMayChangeRowsIsReadAgain(t *testing.T) {
	rows := func(answer string) accounts.Choices {
		return accounts.Choices{Rows: map[accounts.Reason]string{accounts.Unlike: answer}}
	}
	for name, test := range map[string]struct {
		first, then accounts.Choices
		again       bool
	}{
		"another column": {accountsIn(1), accountsIn(2), true},
		"same column":    {accountsIn(1), accountsIn(1), false},
		"column left":    {accountsIn(1), accounts.Choices{}, false},
		"accepted":       {rows("aside"), rows("accept"), true},
		"no more":        {rows("accept"), rows("aside"), true},
		"still accepted": {rows("accept"), rows("accept"), false},
		"taken back":     {rows("aside"), accounts.Choices{}, true},
		"set aside":      {accounts.Choices{}, rows("aside"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := jobstest.SQLite(t)
			j := asking(t, s)
			_, err := s.Reread(ctx, operator, j.ID, test.first)
			require.NoError(t, err)
			require.NoError(t, jobstest.ReadAll(s))
			before := jobNow(t, s, j.ID)
			after, err := s.Reread(ctx, operator, j.ID, test.then)
			require.NoError(t, err)
			require.Equal(t, test.again, after.State == jobs.Reading)
			if !test.again {
				require.Equal(t, before.Reading, after.Reading)
			}
			require.NoError(t, jobstest.ReadAll(s))
			requireSums(t, s)
		})
	}
}

func TestAnswersOfAnUploadAreKept(t *testing.T) {
	s := jobstest.SQLite(t)
	said := accounts.Choices{Column: 2, Rows: map[accounts.Reason]string{accounts.Unlike: accounts.Aside}}
	j, err := jobstest.Draft(s, operator, jobs.Upload{Choices: said}, twoColumns)
	require.NoError(t, err)
	u, err := s.Understanding(ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, []any{"olga", false, said}, []any{u.By, u.Earlier, u.Choices})
	like, err := jobstest.Draft(s, operator, jobs.Upload{}, twoColumns+"cid,m_3\n")
	require.NoError(t, err)
	u, err = s.Understanding(ctx, like.ID)
	require.NoError(t, err)
	require.Equal(t, []any{"olga", true, said}, []any{u.By, u.Earlier, u.Choices})
	entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobUploaded, JobID: j.ID, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"column": 2.0, "rows": map[string]any{"unlike": "aside"}}, entries[0].Details["choices"])
}

// A row in doubt is rejected first: that it is protected too is said once it is accepted.
func TestProtectedRowInDoubtIsRejected(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		_, err := s.Protect(ctx, operator, jobstest.App.ID, "VIP", []string{"ann_5"})
		require.NoError(t, err)
		j, err := jobstest.Draft(s, operator, jobs.Upload{}, "user_id\nu_1\nu_2\nu_3\nu_4\nann_5\n")
		require.NoError(t, err)
		require.Equal(t, []jobs.Asked{"unlike"}, j.Unsure)
		require.Equal(t, []int64{1, 0, 4}, []int64{j.Rejected, j.Protected, j.Accounts})
		_, err = s.Answer(ctx, operator, j.ID, accounts.Choices{Rows: map[accounts.Reason]string{accounts.Unlike: accounts.Accept}})
		require.NoError(t, err)
		require.NoError(t, jobstest.ReadAll(s))
		j = jobNow(t, s, j.ID)
		require.Empty(t, j.Unsure)
		require.Equal(t, []int64{0, 1, 4}, []int64{j.Rejected, j.Protected, j.Accounts})
	})
}

// What a reading leaves open is kept with how the file was read.
func TestReadingKeepsItsQuestions(t *testing.T) {
	s := jobstest.SQLite(t)
	j, err := jobstest.Draft(s, operator, jobs.Upload{}, twoColumns)
	require.NoError(t, err)
	_, err = s.Reread(ctx, operator, j.ID, accountsIn(2))
	require.NoError(t, err)
	im, err := s.ClaimImport(ctx, 0)
	require.NoError(t, err)
	require.NoError(t, s.FinishImport(ctx, im, jobs.Imported{
		Understanding: accounts.Understanding{FirstLine: 1, Unsure: []accounts.Question{jobstest.AreUnlike}},
	}))
	require.Equal(t, []jobs.Asked{"unlike"}, jobNow(t, s, j.ID).Unsure)
	u, err := s.Understanding(ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, []accounts.Question{jobstest.AreUnlike}, u.Unsure)
}

// The file of a derived job is Tagsweep's own: it says itself how it is read.
func TestDerivedFileAsksNothing(t *testing.T) {
	s := jobstest.SQLite(t)
	j, err := jobstest.Draft(s, operator, jobs.Upload{Choices: accounts.Choices{Rows: accounts.AcceptAll()}},
		"user_id\n100000000000000100\n100000000000000200\n100000000000000300\nann\n")
	require.NoError(t, err)
	made, err := s.Retry(ctx, operator, j.ID, jobs.RetryRequest{Kind: jobs.Inspect}, "")
	require.NoError(t, err)
	require.NoError(t, jobstest.ReadAll(s))
	made = jobNow(t, s, made.ID)
	require.Equal(t, []any{jobs.Draft, j.Accounts, int64(0)}, []any{made.State, made.Accounts, made.Rejected})
	require.Empty(t, made.Unsure)
	u, err := s.Understanding(ctx, made.ID)
	require.NoError(t, err)
	for _, doubt := range accounts.Doubts {
		require.Equal(t, accounts.Accept, u.Choices.Rows[doubt])
	}
}

func TestSuggestionsAreNotReadAgain(t *testing.T) {
	asked := map[jobs.Asked]bool{}
	for name, file := range map[string]string{
		"header":     "account\nann\nbob\ncid\n",
		"column":     "owner_id,member_id\nim_1,kunde_1\nim_2,kunde_2\nim_3,kunde_3\n",
		"title":      "Members of May\nuser_id,city\nim_1,Rome\nim_2,Oslo\n",
		"unlike":     "user_id\n" + strings.Repeat("im_1\nim_2\nim_3\nim_4\n", 5) + "Total\n",
		"short":      "name,user_id,city\nann,im_1,Rome\nbob,im_2,Oslo\ncid,im_3,Lima\ndan,im_4\n",
		"rounded":    "user_id\n1234567890123400\n1234567890123500\n1234567890123600\n1234567890123712\n",
		"several":    "user_id\nim_1|im_2\nim_3\nim_4\n",
		"whole line": "a1|b1\na2|b2\na3|b3\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := jobstest.SQLite(t)
			j, err := jobstest.Draft(s, operator, jobs.Upload{}, file)
			require.NoError(t, err)
			for _, name := range j.Unsure {
				asked[name] = true
			}
			jobstest.AsSuggested(t, s, j.ID)
			like, err := jobstest.Draft(s, operator, jobs.Upload{}, file)
			require.NoError(t, err)
			require.Empty(t, like.Unsure, "a file of the same shape is not asked again")
			require.Equal(t, []int64{j.Rows, j.Accounts}, []int64{like.Rows, like.Accounts})
			requireSums(t, s)
		})
	}
	require.GreaterOrEqual(t, len(asked), 5, "%v", asked)
}

// Whoever said that rows in doubt are accounts has not seen those of the next file.
func TestAcceptedRowsAreAskedAboutAnew(t *testing.T) {
	s := jobstest.SQLite(t)
	const list = "user_id\nim_1001\nim_1002\nim_1003\nim_1004\n"
	accept := accounts.Choices{Rows: map[accounts.Reason]string{accounts.Unlike: accounts.Accept}}
	zoe, err := jobstest.Draft(s, operator, jobs.Upload{Choices: accept}, list+"zoe_7\n")
	require.NoError(t, err)
	require.Equal(t, []any{int64(5), 0}, []any{zoe.Accounts, len(zoe.Unsure)})
	total, err := jobstest.Draft(s, operator, jobs.Upload{}, list+"total_2\nadmin_1\n")
	require.NoError(t, err)
	require.Equal(t, []any{int64(4), []jobs.Asked{"unlike"}}, []any{total.Accounts, total.Unsure})
}

// Another column may put other rows in doubt than those that somebody accepted.
func TestAnotherLayoutTakesAcceptanceBack(t *testing.T) {
	s := jobstest.SQLite(t)
	j := asking(t, s)
	accept := accounts.Choices{Rows: map[accounts.Reason]string{accounts.Unlike: accounts.Accept, accounts.Rounded: accounts.Aside}}
	_, err := s.Answer(ctx, operator, j.ID, accept)
	require.NoError(t, err)
	require.NoError(t, jobstest.ReadAll(s))
	_, err = s.Answer(ctx, operator, j.ID, accountsIn(2))
	require.NoError(t, err)
	said, err := s.Understanding(ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, map[accounts.Reason]string{accounts.Rounded: accounts.Aside}, said.Choices.Rows)
	require.Equal(t, 2, said.Choices.Column)

	// So it does when both are said together: the rows were seen before.
	require.NoError(t, jobstest.ReadAll(s))
	accept.Column = 1
	for _, kept := range []string{"", accounts.Accept} {
		_, err = s.Reread(ctx, operator, j.ID, accept)
		require.NoError(t, err)
		require.NoError(t, jobstest.ReadAll(s))
		said, err = s.Understanding(ctx, j.ID)
		require.NoError(t, err)
		require.Equal(t, []any{1, kept}, []any{said.Choices.Column, said.Choices.Rows[accounts.Unlike]})
	}
}

// A layout is the same after it was kept, whatever bytes its header has.
func TestBytesThatAreNoTextKeepTheLayout(t *testing.T) {
	s := jobstest.SQLite(t)
	j, err := jobstest.Draft(s, operator, jobs.Upload{Choices: accounts.Choices{Encoding: accounts.UTF8}},
		"user_id,n\xffame\xff\nim_1001,a\nim_1002,b\nim_1003,c\nim_1004,d\nkunde-7x,e\n")
	require.NoError(t, err)
	require.Equal(t, []jobs.Asked{"unlike"}, j.Unsure)
	_, err = s.Answer(ctx, operator, j.ID, accounts.Choices{Rows: map[accounts.Reason]string{accounts.Unlike: accounts.Accept}})
	require.NoError(t, err)
	require.NoError(t, jobstest.ReadAll(s))
	require.Equal(t, int64(5), jobNow(t, s, j.ID).Accounts)
}
