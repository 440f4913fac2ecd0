package evidence_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// erasesAll erases everybody of a governed log, one after the other, and verifies after each.
func erasesAll(t *testing.T, g *governedLog) {
	t.Helper()
	ann := actor(g.ann, "s-ann")
	for _, of := range []audit.Subject{{Kind: audit.OfAccount, Value: "cay"}, {Kind: audit.OfUser, Value: "Olga"},
		{Kind: audit.OfAddress, Value: "127.0.0.1"}, {Kind: audit.OfUser, Value: "ann"}} {
		seen, err := g.Audit.Erasure(ctx, of, 0)
		require.NoError(t, err)
		if seen.Entries > 0 {
			erased(t, g.Console, ann, of)
		}
		require.Empty(t, g.found(t), "%v", of)
	}
	require.Zero(t, g.count(t, `SELECT COUNT(*) FROM audit_lines WHERE personal LIKE '%olga%' AND code <> 'job.sealed'`))
}

// What governs is in what stays: users, settings, the kill switch, protected accounts and
// jobs go on and verify when everybody was erased.
func TestErasingHidesNothingThatGoverns(t *testing.T) {
	eachGovernedLog(t, func(t *testing.T, g *governedLog) {
		g.signIn(t, g.olga, "s-olga")
		require.NoError(t, g.Users.SetRole(ctx, actor(g.ann, "s-ann"), g.olga.ID, auth.Auditor))
		protects(t, g, "cay", "dan")
		protects(t, g, "eve")
		require.NoError(t, g.Unprotect(ctx, jobstest.Operator, jobstest.App.ID, "cay"))
		waits, stays := queued(t, g), paused(t, g)
		require.NoError(t, g.ThrowKillSwitch(ctx, jobstest.Operator, "olga asked"))
		require.NoError(t, g.LiftKillSwitch(ctx, jobstest.Operator))
		g.signIn(t, g.ann, "s-ann2")
		require.Empty(t, g.found(t))
		erasesAll(t, g)

		_, err := g.Act(ctx, jobstest.Operator, stays.ID, jobs.Resume)
		require.NoError(t, err)
		for _, id := range []string{waits.ID, stays.ID} {
			jobstest.Carry(t, g.Console, id, jobstest.Came{Rest: jobs.Cleared}, 1, 2)
		}
		require.NoError(t, g.Evidence.Seal(ctx))
		require.Empty(t, g.found(t))
		for _, id := range []string{g.job, waits.ID, stays.ID} {
			pack, key := packOf(t, g.Console, id)
			require.Empty(t, check(pack, key).Wrong)
			require.NoError(t, byHand(pack, key))
		}
		erasesAll(t, g)
	})
}

// Erasing is no cover for what somebody does by SQL afterwards.
func TestChangesAfterErasingAreFound(t *testing.T) {
	after := func(statement string) func(t *testing.T, g *governedLog) {
		return func(t *testing.T, g *governedLog) {
			protects(t, g, "cay", "dan")
			erasesAll(t, g)
			g.exec(t, statement)
		}
	}
	eachAttack(t, []attack{
		{"an operator is made an admin", after(`UPDATE users SET role = 'admin' WHERE name = 'olga'`),
			"user olga: the role is admin, but the log says operator"},
		{"a password is swapped", after(`UPDATE users SET password_hash = password_hash || 'x' WHERE name = 'ann'`),
			"user ann: the password was changed, but no entry of the log says so"},
		{"a protected account is removed", after(`DELETE FROM protected_accounts WHERE account = 'cay'`),
			": those of entry "},
		{"a draft runs", func(t *testing.T, g *governedLog) {
			j := drafted(t, g)
			after(`UPDATE jobs SET state = 'running' WHERE state = 'draft'`)(t, g)
			require.Equal(t, jobs.Running, jobstest.JobNow(t, g.Console, j.ID).State)
		}, ": it is running, but no entry of the log starts it"},
		{"more is taken than was erased", after(`UPDATE audit_lines SET personal = '', actor = '' WHERE code = 'job.finished'`),
			": the personal data is missing, but no entry says that it was erased"},
		{"an erased name comes back", after(`UPDATE audit_lines SET actor = 'mallory' WHERE seq = 1`),
			"entry 1 of the log: the search fields do not match the entry"},
	})
}

// Somebody with the key makes the console write that an admin erased alone.
func TestErasingAloneIsFound(t *testing.T) {
	for _, asked := range []bool{false, true} {
		eachGovernedLog(t, func(t *testing.T, g *governedLog) {
			ann, details := actor(g.ann, "s-ann"), map[string]any{"kind": "user", "entries": "1", "reason": "why"}
			if asked {
				require.NoError(t, g.Audit.Record(ctx, audit.Entry{Code: audit.ErasureAsked, Actor: ann, Details: map[string]any{"kind": "user"}}))
				details["asked"] = g.count(t, `SELECT MAX(seq) FROM audit_lines`)
			}
			require.Empty(t, g.found(t))
			require.NoError(t, g.Audit.Record(ctx, audit.Entry{Code: audit.LogErased, Actor: ann, Details: details}))
			require.Contains(t, g.wrong(t), "no other admin had asked for what it erased")
		})
	}
}
