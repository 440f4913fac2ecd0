package jobs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// ended is a job of n accounts named user_00001 … that has ended, with the tags
// its accounts had, by place.
func ended(t checker, s *jobstest.Console, kind jobs.Kind, n int, before map[int64][]string, rest jobs.Outcome,
	own ...jobstest.Own) jobs.Job {
	t.Helper()
	var file strings.Builder
	file.WriteString("user_id\n")
	for i := range n {
		fmt.Fprintf(&file, "user_%05d\n", i+1)
	}
	j, err := jobstest.Draft(s, operator, jobs.Upload{Kind: kind}, file.String())
	require.NoError(t, err)
	return end(t, s, j, before, rest, own...)
}

func end(t checker, s *jobstest.Console, j jobs.Job, before map[int64][]string, rest jobs.Outcome, own ...jobstest.Own) jobs.Job {
	t.Helper()
	require.NoError(t, keepTags(s, j.ID, before))
	require.NoError(t, s.End(ctx, j.ID, rest, own...))
	j, err := s.Get(ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, jobs.Finished, j.State)
	return j
}

// read reads what waits, and returns the job as it then is, and its accounts
// with the tags they are to get or lose, in file order.
func read(t checker, s *jobstest.Console, j jobs.Job) (jobs.Job, []string) {
	t.Helper()
	require.NoError(t, jobstest.ReadAll(s))
	j, err := s.Get(ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, jobs.Draft, j.State, "%v", j.Refusal)
	wanted, err := s.WantedTags(ctx, j)
	require.NoError(t, err)
	var accounts []string
	seq := int64(0)
	for r, err := range s.Results(ctx, j.ID, "") {
		require.NoError(t, err)
		seq++
		accounts = append(accounts, fmt.Sprint(r.Account.Account, " ", strings.Join(wanted[seq], "+")))
	}
	requireSums(t, s)
	return j, accounts
}

func tags(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("t%03d", i))
	}
	return names
}

func TestAClearJobIsUndone(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		of := ended(t, s, jobs.Clear, 6, map[int64][]string{1: {"vip", "gold"}, 2: nil, 3: {"gold"}, 4: {"vip"}, 5: {"beta"}}, jobs.Cleared,
			jobstest.Own{Seq: 2, Outcome: jobs.Untagged}, jobstest.Own{Seq: 4, Outcome: jobs.Failed, Code: 70107},
			jobstest.Own{Seq: 5, Outcome: jobs.Failed, Code: jobs.CodeLeft})
		made, err := s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Skip}, t.TempDir())
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Restore, jobs.Reading, "undo-of-users.csv", of.ID, snapshot.Skip, true},
			[]any{made.Kind, made.State, made.FileName, made.Source, made.Policy, made.Snapshot})
		made, accounts := read(t, s, made)
		require.Equal(t, []string{"user_00001 vip+gold", "user_00003 gold", "user_00005 beta"}, accounts,
			"those that were changed, and one left in doubt; the sixth was not read")
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobUndone, JobID: made.ID, Limit: 10})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, map[string]any{"of": of.ID, "kind": "restore", "policy": "skip", "outcomes": "cleared, in_doubt",
			"accounts": 3.0}, entries[0].Details)
		list, err := s.DerivedFrom(ctx, of.ID)
		require.NoError(t, err)
		require.Len(t, list, 1)
		_, err = s.Reread(ctx, operator, made.ID, accountsIn(2))
		require.True(t, jobs.FaultDerivedFile.Is(err), "%v", err)
	})
}

func TestAPartOfAJobIsUndone(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		before := map[int64][]string{1: {"vip", "gold"}, 2: {"vip"}, 3: {"gold"}, 4: {"vip", "beta"}}
		of := ended(t, s, jobs.Clear, 4, before, jobs.Cleared, jobstest.Own{Seq: 4, Outcome: jobs.Failed, Code: 70107})
		undo := func(u jobs.UndoRequest) []string {
			u.Policy = snapshot.Merge
			made, err := s.Undo(ctx, operator, of.ID, u, t.TempDir())
			require.NoError(t, err)
			made, accounts := read(t, s, made)
			require.Equal(t, u.Tags, made.Only)
			return accounts
		}
		require.Equal(t, []string{"user_00001 vip+gold", "user_00002 vip"}, undo(jobs.UndoRequest{Tags: []string{"vip"}}),
			"the tags stay whole; only some are put back")
		require.Equal(t, []string{"user_00004 vip+beta"}, undo(jobs.UndoRequest{Outcomes: []jobs.Outcome{jobs.Failed}}))

		// A list may have any form that files have.
		book := excelize.NewFile()
		for i, cells := range [][]any{{"city", "user_id"}, {"Rome", "user_00003"}, {"Oslo", "nobody"}, {"Bonn", " "}, {"Lima", "user_00002"}} {
			require.NoError(t, book.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &cells))
		}
		var packed bytes.Buffer
		require.NoError(t, book.Write(&packed))
		section := func(content []byte) *io.SectionReader {
			return io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content)))
		}
		require.Equal(t, []string{"user_00002 vip", "user_00003 gold"},
			undo(jobs.UndoRequest{List: section(packed.Bytes()), ListName: "some.xlsx"}))
		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.JobUndone, Limit: 1})
		require.NoError(t, err)
		sum := sha256.Sum256(packed.Bytes())
		require.Equal(t, map[string]any{"file": "some.xlsx", "sha256": hex.EncodeToString(sum[:]),
			"bytes": float64(packed.Len()), "rows": 4.0, "rejected": 1.0, "accounts": 3.0}, entries[0].Details["list"])
		require.Equal(t, []string{"user_00001 vip+gold"},
			undo(jobs.UndoRequest{Tags: []string{"gold", "vip"}, Outcomes: []jobs.Outcome{jobs.Cleared},
				List: section([]byte("user_00001\nuser_00004\n"))}))
	})
}

func TestAnUndoThatCannotBeIsRefused(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		before := map[int64][]string{1: {"vip"}}
		running := started(t, s, 10)
		of := ended(t, s, jobs.Clear, 1, before, jobs.Cleared)
		inspected := ended(t, s, jobs.Inspect, 1, before, jobs.Inspected)
		erased := ended(t, s, jobs.Clear, 1, before, jobs.Cleared)
		require.NoError(t, s.Erase(ctx, operator, erased.ID))
		free(t, s) // tags are not kept from here on
		notKept := ended(t, s, jobs.Clear, 1, before, jobs.Cleared)
		merge := jobs.UndoRequest{Policy: snapshot.Merge}
		for _, c := range []struct {
			name  string
			job   string
			undo  jobs.UndoRequest
			fault *fault.Sentence
		}{
			{"unknown", "nonsense", merge, jobs.FaultNoJob},
			{"not ended", running.ID, merge, jobs.FaultUnsettled},
			{"nothing changed", inspected.ID, merge, jobs.FaultNothingToUndo},
			{"not kept", notKept.ID, merge, jobs.FaultNoSnapshot},
			{"erased", erased.ID, merge, snapshot.FaultErased},
			{"no policy", of.ID, jobs.UndoRequest{}, snapshot.FaultPolicy},
			{"no such policy", of.ID, jobs.UndoRequest{Policy: "overwrite"}, snapshot.FaultPolicy},
			{"no such tag", of.ID, jobs.UndoRequest{Policy: snapshot.Merge, Tags: []string{"gold"}}, jobs.FaultNothingToUndo},
			{"no such outcome", of.ID, jobs.UndoRequest{Policy: snapshot.Merge, Outcomes: []jobs.Outcome{"nonsense"}}, jobs.FaultNothingToUndo},
			{"nobody listed", of.ID, jobs.UndoRequest{Policy: snapshot.Merge, List: section("user_id\nbob\n")}, jobs.FaultNothingToUndo},
			{"too many tags", of.ID, jobs.UndoRequest{Policy: snapshot.Merge, Tags: tags(101)}, jobs.FaultUndoTags},
			{"too long a tag", of.ID, jobs.UndoRequest{Policy: snapshot.Merge, Tags: []string{strings.Repeat("x", 201)}}, jobs.FaultUndoTags},
		} {
			_, err := s.Undo(ctx, operator, c.job, c.undo, t.TempDir())
			require.True(t, c.fault.Is(err), "%s: %v", c.name, err)
		}
		_, err := s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Merge, List: section("")}, t.TempDir())
		require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
		all, err := s.List(ctx, jobs.Filter{Limit: 100})
		require.NoError(t, err)
		require.Len(t, all, 5, "nothing was made")
	})
}

func TestAListToUndoByIsBounded(t *testing.T) {
	s := jobstest.SQLite(t)
	jobstest.Keep(t, s, 10_000)
	of := ended(t, s, jobs.Clear, 1, map[int64][]string{1: {"vip"}}, jobs.Cleared)
	var list strings.Builder
	for i := range 1_000_001 {
		fmt.Fprintf(&list, "u%d\n", i)
	}
	_, err := s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Merge, List: section(list.String())}, t.TempDir())
	require.True(t, jobs.FaultUndoList.Is(err), "%v", err)
	require.ErrorContains(t, err, "1000000")
}

// What an undo did is known as well, and can be taken back.
func TestAnUndoIsUndone(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		of := ended(t, s, jobs.Clear, 3, map[int64][]string{1: {"vip", "gold", "beta"}, 2: {"gold"}, 3: {"beta"}}, jobs.Cleared)
		restore, err := s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Merge, Tags: []string{"vip", "gold"}}, t.TempDir())
		require.NoError(t, err)
		restore, accounts := read(t, s, restore)
		require.Equal(t, []string{"user_00001 vip+gold+beta", "user_00002 gold"}, accounts)
		restore = end(t, s, restore, map[int64][]string{1: {"vip", "new"}, 2: nil}, jobs.Restored)
		again, err := s.Undo(ctx, operator, restore.ID, jobs.UndoRequest{}, t.TempDir())
		require.NoError(t, err)
		require.Equal(t, []any{jobs.RemoveTags, snapshot.Policy("")}, []any{again.Kind, again.Policy})
		again, accounts = read(t, s, again)
		require.Equal(t, []string{"user_00001 gold", "user_00002 gold"}, accounts,
			"what it added: not beta, which was not chosen, nor vip, which was there")
		again = end(t, s, again, map[int64][]string{1: {"gold", "new"}, 2: {"other"}}, jobs.Changed,
			jobstest.Own{Seq: 2, Outcome: jobs.Unchanged})
		_, err = s.Undo(ctx, operator, again.ID, jobs.UndoRequest{Policy: snapshot.Stop}, t.TempDir())
		require.True(t, jobs.FaultUndoPolicy.Is(err), "%v", err)
		third, err := s.Undo(ctx, operator, again.ID, jobs.UndoRequest{}, t.TempDir())
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Restore, snapshot.Merge}, []any{third.Kind, third.Policy})
		_, accounts = read(t, s, third)
		require.Equal(t, []string{"user_00001 gold"}, accounts)
	})
}

func TestUndoOfErasedTagsIsRefused(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		of := ended(t, s, jobs.Clear, 3, map[int64][]string{1: {"vip"}}, jobs.Cleared)
		made, err := s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Merge}, t.TempDir())
		require.NoError(t, err)
		require.NoError(t, s.Erase(ctx, operator, of.ID))
		require.NoError(t, jobstest.ReadAll(s))
		made, err = s.Get(ctx, made.ID)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Refused, snapshot.FaultErased.Code}, []any{made.State, made.Refusal.Code})
		requireSums(t, s)
		require.NoError(t, s.Sweep(ctx, s.DB.Now()))
		wrapped, err := wrappedKey(s, made.ID)
		require.NoError(t, err)
		require.Empty(t, wrapped, "a job that never was keeps no key")
	})
}

func TestUndoSkipsProtectedAccounts(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Keep(t, s, 10_000)
		of := ended(t, s, jobs.Clear, 3, map[int64][]string{1: {"vip"}, 2: {"gold"}, 3: {"beta"}}, jobs.Cleared)
		_, err := s.Protect(ctx, operator, jobstest.App.ID, "board", []string{"user_00002"})
		require.NoError(t, err)
		made, err := s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Merge}, t.TempDir())
		require.NoError(t, err)
		made, accounts := read(t, s, made)
		require.Equal(t, []string{"user_00001 vip", "user_00003 beta"}, accounts)
		require.Equal(t, int64(1), made.Protected)
	})
}

// A batch takes as many calls as the account in it that needs most. There cannot
// be fewer than a hundredth of all that accounts need, nor than one needs.
func TestAnUndoTakesFewCalls(t *testing.T) {
	s := jobstest.SQLite(t)
	jobstest.Keep(t, s, 10_000)
	named := tags(60)
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 420).Draw(r, "accounts")
		most := rapid.SampledFrom([]int{1, 10, 11, 60}).Draw(r, "most tags")
		before := map[int64][]string{}
		for seq := int64(1); seq <= int64(n); seq++ {
			before[seq] = named[:rapid.IntRange(0, most).Draw(r, "tags")]
		}
		only := rapid.SampledFrom([][]string{nil, named[:15]}).Draw(r, "only")
		of := ended(r, s, jobs.Clear, n, before, jobs.Cleared)
		made, err := s.Undo(ctx, operator, of.ID, jobs.UndoRequest{Policy: snapshot.Merge, Tags: only}, "")
		sum, longest := 0, 0
		for _, tags := range before {
			calls := (len(snapshot.Chosen(tags, only)) + tim.MaxTags - 1) / tim.MaxTags
			sum, longest = sum+calls, max(longest, calls)
		}
		if sum == 0 {
			require.True(r, jobs.FaultNothingToUndo.Is(err), "%v", err)
			return
		}
		require.NoError(r, err)
		made, accounts := read(r, s, made)
		calls, last, placed := 0, "", map[string]bool{}
		for batch := range slices.Chunk(accounts, jobs.BatchSize) {
			in := 0
			for _, line := range batch {
				account, tags, _ := strings.Cut(line, " ")
				var seq int64
				_, err := fmt.Sscanf(account, "user_%d", &seq)
				require.NoError(r, err)
				require.Equal(r, strings.Join(before[seq], "+"), tags)
				require.False(r, placed[account])
				placed[account] = true
				need := (len(snapshot.Chosen(before[seq], only)) + tim.MaxTags - 1) / tim.MaxTags
				in = max(in, need)
				key := fmt.Sprintf("%03d %s", 999-need, account)
				require.Less(r, last, key, "most calls first, then as they stood")
				last = key
			}
			calls += in
		}
		require.LessOrEqual(r, calls, max(longest, (sum+jobs.BatchSize-1)/jobs.BatchSize)+longest)
		_, err = s.Act(ctx, operator, made.ID, jobs.Cancel)
		require.NoError(r, err)
	})
}
