package evidence_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// approved is a job that olga asked to start, and that ann approved.
func (g *governedLog) approved(t *testing.T) (jobs.Job, jobs.Approval) {
	t.Helper()
	require.NoError(t, g.ChangeSettings(ctx, jobstest.Operator, jobstest.App.ID,
		jobs.Settings{FailureLimit: 100, KeepDays: 30, ApproveAbove: jobs.Always}))
	olga := g.signIn(t, g.olga, "s-olga")
	j, err := jobstest.Draft(g.Console, olga, jobs.Upload{}, "user_id\njan\n")
	require.NoError(t, err)
	a, err := g.Ask(ctx, olga, j.ID, jobs.AskRequest{Action: jobs.Start, Start: jobs.StartRequest{Confirm: 1}})
	require.NoError(t, err)
	j, err = g.Approve(ctx, actor(g.ann, "s-ann"), a.ID)
	require.NoError(t, err)
	require.Equal(t, []any{jobs.Queued, "olga", "ann"}, []any{j.State, j.StartedBy, j.ApprovedBy})
	return j, a
}

func TestAnApprovedStartVerifies(t *testing.T) {
	eachGovernedLog(t, func(t *testing.T, g *governedLog) {
		j, _ := g.approved(t)
		require.Empty(t, g.found(t))
		require.Positive(t, erased(t, g.Console, jobstest.Operator, audit.Subject{Kind: audit.OfUser, Value: "ann"}))
		require.Empty(t, g.found(t), "who approved was erased")
		jobstest.Carry(t, g.Console, j.ID, jobstest.Came{Rest: jobs.Cleared}, 1)
		require.NoError(t, g.Evidence.Seal(ctx))
		require.Empty(t, g.found(t))
	})
}

// What the rows say of a second person is what the log says.
func TestApprovalsChangedBySQLAreFound(t *testing.T) {
	for name, attack := range map[string]struct{ sql, wrong string }{
		"another approver":    {`UPDATE jobs SET approved_by = 'omar' WHERE approved_by = 'ann'`, "are not what entry"},
		"an emergency hidden": {`UPDATE jobs SET emergency = 'x' WHERE approved_by = 'ann'`, "are not what entry"},
		"refused after all":   {`UPDATE approvals SET state = 'refused'`, "by entry"},
		"another decided":     {`UPDATE approvals SET decided_by = 'omar'`, "by entry"},
		"another asked":       {`UPDATE approvals SET asker = '{"id":"x","name":"omar","role":"operator"}'`, "is not what the log says"},
		"later":               {`UPDATE approvals SET start_at = 99999999999999`, "is not what the log says"},
		"gone":                {`DELETE FROM approvals`, "it is missing"},
		"made up": {`INSERT INTO approvals (id, job_id, action, policy, start_at, terms, note, asker, asked_by, asked_at, expires_at, state)
			SELECT 'x', job_id, action, policy, start_at, terms, note, asker, asked_by, asked_at, expires_at, 'waiting'
			FROM approvals`, "no entry of the log asks"},
	} {
		t.Run(name, func(t *testing.T) {
			eachGovernedLog(t, func(t *testing.T, g *governedLog) {
				g.approved(t)
				g.exec(t, attack.sql)
				require.Contains(t, strings.Join(g.found(t), "\n"), attack.wrong)
			})
		})
	}
}
