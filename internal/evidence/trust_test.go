package evidence_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// What docs/trust.md says that nobody finds: a verification, with all that was published
// until then, has nothing to say.
func TestWhatNobodyFinds(t *testing.T) {
	for name, do := range map[string]func(t *testing.T, g *governedLog){
		"what the service only says": func(t *testing.T, g *governedLog) {
			clears(t, g, "ann") // and no service has ever been asked
		},
		"an admin alone": func(t *testing.T, g *governedLog) {
			by := actor(g.ann, "s-ann")
			_, err := g.Protect(ctx, by, jobstest.App.ID, "vip", []string{"vip"})
			require.NoError(t, err)
			require.NoError(t, g.Unprotect(ctx, by, jobstest.App.ID, "vip"))
			clears(t, g, "vip")
			_, err = g.Protect(ctx, by, jobstest.App.ID, "vip", []string{"vip"})
			require.NoError(t, err)
		},
		"one kill switch": func(t *testing.T, g *governedLog) {
			other := jobstest.App
			other.ID, other.SDKAppID = "2", 2
			require.NoError(t, g.SaveApp(ctx, other))
			require.NoError(t, g.ThrowKillSwitch(ctx, actor(g.ann, "s-ann"), "for one app"))
			k, err := g.KillSwitch(ctx) // it has no app
			require.NoError(t, err)
			require.True(t, k.Thrown())
		},
		"results of a job that runs": func(t *testing.T, g *governedLog) {
			j := jobstest.Started(t, g.Console, 150)
			jobstest.Carry(t, g.Console, j.ID, jobstest.Came{Rest: jobs.Cleared}, 1)
			g.exec(t, `UPDATE batches SET outcome = 'failed', code = 70107 WHERE job_id = $1 AND number = 1`, j.ID)
			g.exec(t, `UPDATE jobs SET outcome_cleared = 0, outcome_failed = 100 WHERE id = $1`, j.ID)
			require.Empty(t, g.found(t))
			jobstest.Carry(t, g.Console, j.ID, jobstest.Came{Rest: jobs.Cleared}, 2)
			require.NoError(t, g.Evidence.Seal(ctx))
		},
		"entries that no checkpoint covers": func(t *testing.T, g *governedLog) {
			require.NoError(t, g.Audit.Record(ctx, audit.Entry{Code: audit.LogRead, Actor: actor(g.ann, "s-ann")}))
			g.truncate(t, 1)
		},
		"a clock that is wrong": func(t *testing.T, g *governedLog) {
			g.DB.ShiftClocks(3 * time.Hour)
			clears(t, g, "ann")
		},
		"the whole machine of earlier": func(t *testing.T, g *governedLog) {
			before := g.count(t, `SELECT seq FROM audit_head`)
			require.NoError(t, g.Audit.Record(ctx, audit.Entry{Code: audit.LogRead, Actor: actor(g.ann, "s-ann")}))
			require.NoError(t, g.Audit.Checkpoint(ctx))
			later, err := g.Audit.LastCheckpoint(ctx, 0)
			require.NoError(t, err)
			g.truncate(t, g.count(t, `SELECT seq FROM audit_head`)-before)
			g.exec(t, `DELETE FROM checkpoints WHERE size > $1`, before)
			g.elsewhere()
			found, err := g.Evidence.Verify(ctx, audit.Proofs{Checkpoints: published(later.Note), Key: g.key})
			require.NoError(t, err)
			require.NotEmpty(t, found.Wrong, "whoever has a later one finds it")
		},
		"an entry that is added": func(t *testing.T, g *governedLog) { // with the key, in the name of somebody
			other := jobstest.New(g.DB)
			require.NoError(t, other.Audit.Record(ctx, audit.Entry{Code: audit.LogReviewed, Actor: actor(g.ann, "s-ann"),
				Details: map[string]any{"from": 1, "to": 9}}))
		},
		"signed anew after the last published checkpoint": func(t *testing.T, g *governedLog) {
			require.NoError(t, g.Audit.Record(ctx, audit.Entry{Code: audit.LogExported, Actor: actor(g.ann, "s-ann"),
				Details: map[string]any{"format": "csv", "to": 7}}))
			require.NoError(t, g.Audit.Checkpoint(ctx))
			g.exec(t, `UPDATE audit_lines SET line = REPLACE(line, '"to":7', '"to":1') WHERE code = 'log.exported'`)
			g.rebuild(t, g.count(t, `SELECT seq FROM audit_head`))
			g.signAnew(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachGovernedLog(t, func(t *testing.T, g *governedLog) {
				do(t, g)
				require.Empty(t, g.found(t))
			})
		})
	}
}

// With the key and the database, what was published still cannot be forged.
func TestWhatWasPublishedCannotBeForged(t *testing.T) {
	eachGovernedLog(t, func(t *testing.T, g *governedLog) {
		g.rewrite(t, 2, strings.NewReplacer("access.denied", "access.denier"))
		g.signAnew(t)
		require.Contains(t, strings.Join(g.found(t), "\n"), "published checkpoint of ")
	})
}

// elsewhere lets the log be verified without the witness of this machine.
func (g *governedLog) elsewhere() { g.Console = jobstest.New(g.DB) }

// signAnew is what somebody does who has the key file: the checkpoints that no longer fit
// are deleted, and the log is signed as it is.
func (g *governedLog) signAnew(t *testing.T) {
	t.Helper()
	last, err := audit.OpenCheckpoint(g.published, g.key)
	require.NoError(t, err)
	signer, err := audit.NewSigner(last.Origin, auditKey)
	require.NoError(t, err)
	g.exec(t, `DELETE FROM checkpoints WHERE size > $1`, last.Size)
	c := audit.Checkpoint{Origin: last.Origin, Size: g.count(t, `SELECT seq FROM audit_head`), At: g.DB.Now(), Previous: last.Size}
	var edge []byte
	require.NoError(t, g.db.QueryRow(`SELECT edge FROM audit_head`).Scan(&edge))
	tree, err := audit.TreeAt(c.Size, edge)
	require.NoError(t, err)
	c.Root = tree.Root()
	note, err := c.Sign(signer)
	require.NoError(t, err)
	g.exec(t, `INSERT INTO checkpoints (size, at, note) VALUES ($1, $2, $3)`, c.Size, c.At.UnixMilli(), note)
	g.elsewhere()
}
