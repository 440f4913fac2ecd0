package evidence_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// protects protects some accounts, and lets the time pass in which a batch in hand may be sent.
func protects(t *testing.T, g *governedLog, names ...string) {
	t.Helper()
	_, err := g.Protect(ctx, jobstest.Operator, jobstest.App.ID, "vip", names)
	require.NoError(t, err)
	g.DB.ShiftClocks(time.Hour)
}

// clears carries out a job of one account.
func clears(t *testing.T, g *governedLog, name string) jobs.Job {
	t.Helper()
	j, err := jobstest.Draft(g.Console, jobstest.Operator, jobs.Upload{Choices: jobstest.EveryRow()}, name+"\n")
	require.NoError(t, err)
	j = jobstest.Start(t, g.Console, j)
	jobstest.Carry(t, g.Console, j.ID, jobstest.Came{Rest: jobs.Cleared}, 1)
	require.NoError(t, g.Evidence.Seal(ctx))
	return j
}

func TestProtectedAccountsByTheLog(t *testing.T) {
	const unprotect = `DELETE FROM protected_accounts WHERE account = 'ann'`
	eachAttack(t, []attack{
		{"an account is removed", func(t *testing.T, g *governedLog) {
			protects(t, g, "ann", "bob")
			g.exec(t, unprotect)
		}, "protected accounts of app 1400000000: by entry 19 of the log these are missing: ann"},
		{"all are removed", func(t *testing.T, g *governedLog) {
			protects(t, g, "ann", "bob")
			g.exec(t, `DELETE FROM protected_accounts`)
		}, "protected accounts of app 1400000000: by entry 19 of the log these are missing: ann, bob"},
		{"an account is removed and cleared", func(t *testing.T, g *governedLog) {
			protects(t, g, "ann", "bob")
			g.exec(t, unprotect)
			g.exec(t, `UPDATE apps SET protected_version = protected_version + 1`)
			clears(t, g, "ann")
		}, ": account ann was sent although entry 19 of the log protects it"},
		{"an account is removed, cleared and put back", func(t *testing.T, g *governedLog) {
			protects(t, g, "ann", "bob")
			g.exec(t, `UPDATE protected_accounts SET account = 'x' WHERE account = 'ann'`)
			g.exec(t, `UPDATE apps SET protected_version = protected_version + 1`)
			clears(t, g, "ann")
			g.exec(t, `UPDATE protected_accounts SET account = 'ann' WHERE account = 'x'`)
		}, ": account ann was sent although entry 19 of the log protects it"},
		{"an account is exchanged", func(t *testing.T, g *governedLog) {
			protects(t, g, "ann", "bob")
			g.exec(t, `UPDATE protected_accounts SET account = 'eve' WHERE account = 'ann'`)
		}, "by entry 19 of the log these are missing: ann"},
		{"an account is added", func(t *testing.T, g *governedLog) {
			protects(t, g, "ann")
			g.exec(t, `INSERT INTO protected_accounts (app_id, account, note, added_by, added_at, entry, salt)
				SELECT app_id, 'eve', note, added_by, added_at, entry, salt FROM protected_accounts`)
		}, "protected accounts of app 1400000000: entry 19 of the log does not protect eve"},
		{"what was erased is changed", func(t *testing.T, g *governedLog) {
			protects(t, g, "ann", "bob")
			require.Equal(t, 1, erased(t, g.Console, jobstest.Operator, audit.Subject{Kind: audit.OfAccount, Value: "bob"}))
			require.Empty(t, g.found(t))
			g.exec(t, unprotect)
		}, "protected accounts of app 1400000000: those of entry 19 of the log were changed"},
	})
}

func TestProtectedListInOrdinaryWaysVerifies(t *testing.T) {
	eachGovernedLog(t, func(t *testing.T, g *governedLog) {
		clears(t, g, "dan") // before he was protected
		protects(t, g, "ann", "bob", "cay", "dan")
		protects(t, g, "ann", "eve")
		require.Empty(t, g.found(t))
		for _, name := range []string{"bob", "eve"} {
			require.NoError(t, g.Unprotect(ctx, jobstest.Operator, jobstest.App.ID, name))
		}
		clears(t, g, "bob")
		require.Empty(t, g.found(t))
		require.NoError(t, g.Audit.SetRetention(ctx, jobstest.Operator, 12))
		g.DB.ShiftClocks(time.Until(time.Now().AddDate(0, 13, 0)))
		require.NoError(t, g.Audit.Sweep(ctx, g.DB.Now()))
		require.Empty(t, g.found(t))
		for _, of := range []audit.Subject{{Kind: audit.OfAccount, Value: "cay"}, {Kind: audit.OfUser, Value: "olga"}} {
			require.Positive(t, erased(t, g.Console, jobstest.Operator, of))
			require.Empty(t, g.found(t))
		}
		require.NoError(t, g.Unprotect(ctx, jobstest.Operator, jobstest.App.ID, "ann"))
		require.Empty(t, g.found(t))
	})
}
