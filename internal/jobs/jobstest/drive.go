package jobstest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
)

var ctx = context.Background()

// Operator is who acts in tests.
var Operator = audit.Actor{ID: "u1", Name: "olga", Role: "operator", Address: "127.0.0.1"}

// checker is a *testing.T or a *rapid.T.
type checker interface {
	require.TestingT
	Helper()
}

// Accounts uploads a file of n accounts, the same ones each time.
func Accounts(t checker, s *Console, n int) jobs.Job {
	t.Helper()
	return AccountsOf(t, s, "user", n)
}

// AccountsOf uploads a file of n accounts whose names begin with a prefix.
func AccountsOf(t checker, s *Console, prefix string, n int) jobs.Job {
	t.Helper()
	j, err := Draft(s, Operator, jobs.Upload{}, lines(prefix, n))
	require.NoError(t, err)
	return j
}

var serial atomic.Int64

// Serial is another number each time, to name accounts by that no other job holds.
func Serial() int64 { return serial.Add(1) }

// Started uploads and starts a job of n accounts that no other job holds.
func Started(t checker, s *Console, n int) jobs.Job {
	t.Helper()
	return Start(t, s, AccountsOf(t, s, fmt.Sprintf("user%d", Serial()), n))
}

// Start starts a draft.
func Start(t checker, s *Console, j jobs.Job) jobs.Job {
	t.Helper()
	j, err := s.Start(ctx, Operator, j.ID, jobs.StartRequest{Confirm: j.Accounts})
	require.NoError(t, err)
	return j
}

// RequireSums recounts all jobs.
func RequireSums(t checker, s *Console) {
	t.Helper()
	found, err := s.Recount(ctx)
	require.NoError(t, err)
	require.Empty(t, found.Wrong)
}

// Free lets jobs begin without care, and never halts them for failures. The log knows
// the settings from then on.
func Free(t checker, s *Console) {
	require.NoError(t, s.DB.Exec(ctx, `UPDATE apps SET rate_set = 0, failure_limit = 20, canary = 1, snapshot = 1,
		keep_days = 30, verify_share = 10000`)) // as a new app has them
	require.NoError(t, s.ChangeSettings(ctx, Operator, App.ID, jobs.Settings{FailureLimit: 100, KeepDays: 30, OthersStop: true, OthersRun: true}))
}

// Take takes a batch in hand, which must be there to take.
func Take(t checker, s *Console, jobID string, number int64) *Hand {
	t.Helper()
	h, err := s.Take(ctx, jobID, number)
	require.NoError(t, err)
	require.NotNil(t, h, "batch %d", number)
	return h
}

// Sent takes a batch in hand and lets a call that changes tags leave for all of it.
func Sent(t checker, s *Console, j jobs.Job, number int64) *Hand {
	t.Helper()
	h := Take(t, s, j.ID, number)
	require.NoError(t, h.Send(ctx, string(j.Kind.Command())))
	return h
}

// Carry carries batches of a job out, each with a call.
func Carry(t checker, s *Console, jobID string, came Came, numbers ...int64) {
	t.Helper()
	j := JobNow(t, s, jobID)
	for _, number := range numbers {
		h := Take(t, s, jobID, number)
		command := "get_tags"
		if came.Rest == j.Kind.Done() && j.Kind.Command() != "" {
			command = string(j.Kind.Command())
		}
		require.NoError(t, h.Send(ctx, command))
		require.NoError(t, h.Settle(ctx, came))
	}
}

// JobNow is a job as it stands.
func JobNow(t checker, s *Console, id string) jobs.Job {
	t.Helper()
	j, err := s.Get(ctx, id)
	require.NoError(t, err)
	return j
}

// Codes lists the events in the log, oldest first.
func Codes(t checker, s *Console, f audit.Filter) (codes []audit.Code) {
	f.Limit = 100
	entries, err := s.Audit.Entries(ctx, f)
	require.NoError(t, err)
	for _, e := range slices.Backward(entries) {
		codes = append(codes, e.Code)
	}
	return codes
}

// Lines is a file of n accounts.
func Lines(n int) string { return lines("user", n) }

func lines(prefix string, n int) string {
	var file strings.Builder
	file.WriteString("user_id\n")
	for i := range n {
		fmt.Fprintf(&file, "%s_%05d\n", prefix, i+1)
	}
	return file.String()
}

// Ask leaves questions about the file of a draft open, as its reading would have.
func Ask(t checker, s *Console, jobID string, questions ...accounts.Question) {
	t.Helper()
	u, err := s.Understanding(ctx, jobID)
	require.NoError(t, err)
	u.Unsure = questions
	understanding, err := json.Marshal(u.Understanding)
	require.NoError(t, err)
	var names []string
	for _, q := range questions {
		names = append(names, q.Name)
	}
	require.NoError(t, s.DB.Exec(ctx, `UPDATE jobs SET understanding = $2, unsure = $3 WHERE id = $1`,
		jobID, string(understanding), strings.Join(names, ",")))
}

// WhichColumn asks for the account column of a file with two, and suggests the first.
var WhichColumn = accounts.Question{Name: accounts.AskColumn, Suggested: "1", Choices: []accounts.Choice{
	{Value: "1", Label: "user_id", First: []string{"ann", "bob"}}, {Value: "2", Label: "member", First: []string{"m_1", "m_2"}},
}}

// AreUnlike asks about rows that look different.
var AreUnlike = accounts.Question{Name: string(accounts.Unlike), Suggested: accounts.Aside, Rows: 2, Choices: []accounts.Choice{
	{Value: accounts.Aside, First: []string{"Total", "Subtotal"}}, {Value: accounts.Accept, First: []string{"Total", "Subtotal"}},
}}

// AsSuggested answers every question about the file of a draft as it suggests, which
// does not have the file read again.
func AsSuggested(t checker, s *Console, id string) jobs.Job {
	t.Helper()
	before, owner := JobNow(t, s, id), Operator
	owner.Name = before.CreatedBy
	for rounds := 0; len(JobNow(t, s, id).Unsure) > 0; rounds++ {
		u, err := s.Understanding(ctx, id)
		require.NoError(t, err)
		require.Less(t, rounds, 10, "one question after the other: %v", u.Unsure)
		after, err := s.Answer(ctx, owner, id, suggested(u.Unsure[0]))
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Draft, before.Reading}, []any{after.State, after.Reading}, "%v", u.Unsure[0])
	}
	return JobNow(t, s, id)
}

func suggested(q accounts.Question) (c accounts.Choices) {
	number, _ := strconv.Atoi(q.Suggested)
	switch q.Name {
	case accounts.AskSheets:
		c.Sheets = []string{q.Suggested}
	case accounts.AskSeparator:
		c.Separator = q.Suggested
	case accounts.AskFirstLine:
		c.FirstLine = int64(number)
	case accounts.AskHeader:
		c.Header = q.Suggested
	case accounts.AskColumn:
		c.Column = number
	default:
		c.Rows = map[accounts.Reason]string{accounts.Reason(q.Name): q.Suggested}
	}
	return c
}

// EveryRow says of an upload that all its rows are accounts: there is no header, and
// nothing is in doubt.
func EveryRow() accounts.Choices {
	return accounts.Choices{Header: accounts.No, Rows: accounts.AcceptAll()}
}
