package evidence_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
)

// free are the columns that somebody may change, or the tables whose rows may be changed (*)
// or deleted (-), and no verification notices; and why that lets nobody do what the log does
// not say. Whatever is not named here is changed by a test, and a verification must notice.
var free = []struct{ columns, why string }{
	{"apps.probe_at apps.probe_wait", "when a service that does not answer is tried again; each try is in calls"},
	{"budgets.*", "when the next call may leave, which changes with every call; each is in calls, and the service refuses too many"},
	{"protected_accounts.note protected_accounts.added_by protected_accounts.added_at mappings.saved_by mappings.saved_at " +
		"snapshot_keys.erased_by users.created_at users.last_sign_in jobs.created_at", "shown; the entry of the log has it"},
	{"sessions.data sessions.address sessions.user_agent sessions.seen_at jobs.halt_info jobs.refusal jobs.unusual " +
		"set_asides.line set_aside_groups.kind set_aside_groups.reason set_aside_groups.first_rows tag_reports.*", "shown"},
	{"users.language users.time_zone users.theme", "how a person sees the pages; every page names its time zone"},
	{"sends.- sends.id", "nothing is sent without its row"},
	{"sends.sent sends.known sends.seen sends.last sends.lifted", "compared with the witness file, outside the database, before each call"},
	{"approvals.note approvals.reason approvals.asked_by approvals.asked_at approvals.decided_at approvals.seen",
		"shown; the entries have it"},
	{"uploads.*", "an upload of which no job came is deleted some time later; the bytes of the others are in upload_chunks"},
	{"jobs.version jobs.reader_until jobs.reading jobs.read_done jobs.read_rows", "of a reading or change under way"},
	{"jobs.choices jobs.understanding jobs.understood_by jobs.understood_at jobs.understood_earlier",
		"shown, and how the file is read when a person has it read again; what comes of that is in the log"},
	{"jobs.protected_version", "from which list the file was read; protected accounts are taken out again before each call"},
	{"jobs.calls jobs.checked_done jobs.checked_failed batches.lost batches.not_before batches.restored",
		"progress of a job that runs; what came of it is sealed"},
	{"sessions.-", "without its row a session is over"},
	{"tokens.used_at tokens.used_from", "shown"},
	{"tokens.-", "without its row a token is worth nothing"},
	{"consoles.*", "which consoles are alive; each writes it again every second"},
	{"wanted_tags.data snapshot_keys.wrapped",
		"encrypted for its job with a key under the key file; others cannot be read, and the job halts"},
	{"publications.*", "what was sent where; whoever receives checkpoints sees that they end"},
}

// isFree reports whether a column is named as free; "-" is for deleted rows.
func isFree(table, column string) bool {
	return slices.ContainsFunc(free, func(f struct{ columns, why string }) bool {
		names := strings.Fields(f.columns)
		return slices.Contains(names, table+"."+column) || slices.Contains(names, table+".*")
	})
}

// column is one of the schema.
type column struct{ table, name, kind string }

func is(table, name string) func(column) bool {
	return func(c column) bool { return c.table == table && c.name == name }
}

// changes are values that it may be changed to.

func (c column) changes() []string {
	switch strings.ToUpper(c.kind) {
	case "BIGINT":
		return []string{c.name + " + 1", c.name + " + 100000000", "0", "1"}
	case "BYTEA":
		return []string{"$1"}
	}
	return []string{c.name + " || 'x'", "''"}
}

func (l *sealedLog) columns(t *testing.T, engine string) (all []column) {
	query := `SELECT m.name, p.name, p.type FROM sqlite_master m JOIN pragma_table_info(m.name) p
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE 'goose%' ORDER BY 1, p.cid`
	if engine == "pgx" {
		query = `SELECT table_name, column_name, data_type FROM information_schema.columns
			WHERE table_schema = 'public' AND table_name NOT LIKE 'goose%' ORDER BY table_name, ordinal_position`
	}
	rows, err := l.db.Query(query)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var c column
		require.NoError(t, rows.Scan(&c.table, &c.name, &c.kind))
		all = append(all, c)
	}
	require.NoError(t, rows.Err())
	return all
}

// keep reads a table, and returns what writes it back.
func (l *sealedLog) keep(t *testing.T, table string) (rows int, putBack func()) {
	found, err := l.db.Query(`SELECT * FROM ` + table)
	require.NoError(t, err)
	defer found.Close()
	names, err := found.Columns()
	require.NoError(t, err)
	var all [][]any
	for found.Next() {
		row, into := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			into[i] = &row[i]
		}
		require.NoError(t, found.Scan(into...))
		all = append(all, row)
	}
	require.NoError(t, found.Err())
	places := make([]string, len(names))
	for i := range places {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	insert := `INSERT INTO ` + table + ` (` + strings.Join(names, ", ") + `) VALUES (` + strings.Join(places, ", ") + `)`
	return len(all), func() {
		tx, err := l.db.Begin()
		require.NoError(t, err)
		_, err = tx.Exec(`DELETE FROM ` + table)
		require.NoError(t, err)
		for _, row := range all {
			_, err = tx.Exec(insert, row...)
			require.NoError(t, err)
		}
		require.NoError(t, tx.Commit())
	}
}

// untie lets rows be changed without those that refer to them.
func untie(t *testing.T, db *sql.DB, tables []string, engine string) {
	for _, table := range tables {
		if engine == "pgx" {
			_, err := db.Exec(`ALTER TABLE ` + table + ` DISABLE TRIGGER ALL`)
			require.NoError(t, err)
		}
	}
}

// fillAll gives every table that governs a row.
func (g *governedLog) fillAll(t *testing.T) {
	t.Helper()
	set := jobs.Settings{FailureLimit: 100, KeepDays: 30, Snapshot: true, Canary: true, VerifyShare: snapshot.All}
	require.NoError(t, g.ChangeSettings(ctx, jobstest.Operator, jobstest.App.ID, set))
	started := func(kind jobs.Kind, said accounts.Choices, file string) jobs.Job {
		j, err := jobstest.Draft(g.Console, jobstest.Operator, jobs.Upload{Kind: kind, Choices: said}, file)
		require.NoError(t, err)
		return jobstest.Start(t, g.Console, j)
	}
	done := started(jobs.Clear, jobstest.EveryRow(), "ann\nbob\nbob\n"+strings.Repeat("x", 40)+"\n")
	savesTags(t, g, done)
	jobstest.Carry(t, g.Console, done.ID, jobstest.Came{Rest: jobs.Cleared, Own: []jobstest.Own{{Seq: 1, Outcome: jobs.Untagged}}}, 1)
	require.NoError(t, g.Evidence.Seal(ctx))
	first := started(jobs.Clear, jobstest.EveryRow(), "cid\ndan\n")
	started(jobs.Clear, jobstest.EveryRow(), "cid\neve\n")
	tagged := started(jobs.AddTags, accounts.Choices{}, "user_id,tags\nfay,vip\n")
	require.NoError(t, g.Halts(ctx, tagged.ID, jobs.CodeDown, "down"))
	require.NoError(t, g.PutFirst(ctx, jobstest.Operator, first.ID, true))
	_, err := g.Protect(ctx, jobstest.Operator, jobstest.App.ID, "vip", []string{"gus"})
	require.NoError(t, err)
	_, err = jobstest.Draft(g.Console, jobstest.Operator, jobs.Upload{Note: "of May", Choices: accounts.Choices{Column: 2}},
		"name,member\nHal,hal\nIda,ida\n")
	require.NoError(t, err)
	set.ApproveAbove = jobs.Always
	require.NoError(t, g.ChangeSettings(ctx, jobstest.Operator, jobstest.App.ID, set))
	asked, err := jobstest.Draft(g.Console, jobstest.Operator, jobs.Upload{}, "user_id\njan\n")
	require.NoError(t, err)
	approval, err := g.Ask(ctx, jobstest.Operator, asked.ID, jobs.AskRequest{Action: jobs.Start,
		Start: jobs.StartRequest{Confirm: 1, At: time.Now().Add(time.Hour)}})
	require.NoError(t, err)
	require.NoError(t, g.Withdraw(ctx, jobstest.Operator, approval.ID))
	_, err = g.Users.CreateToken(ctx, actor(g.ann, "s-ann"), "nightly", []auth.Permission{auth.ReadJobs}, 30)
	require.NoError(t, err)
	require.NoError(t, g.ThrowKillSwitch(ctx, jobstest.Operator, "test"))
	require.NoError(t, g.Audit.SetRetention(ctx, jobstest.Operator, 24))
	require.NoError(t, g.Audit.Checkpoint(ctx))
}

// By SQL alone nobody changes what governs, or what happened, unnoticed: whatever column
// is not named as free, and whichever row is deleted.
func TestEveryColumnThatGovernsIsVerified(t *testing.T) {
	eachGovernedLog(t, func(t *testing.T, g *governedLog) {
		g.fillAll(t)
		require.Empty(t, g.found(t))
		engine := "sqlite"
		if g.DB.Shared() {
			engine = "pgx"
		}
		columns, tables := g.columns(t, engine), []string(nil)
		for _, c := range columns {
			if !slices.Contains(tables, c.table) {
				tables = append(tables, c.table)
			}
		}
		untie(t, g.db, tables, engine)
		noticed := func() bool {
			found, err := g.Evidence.Verify(ctx, audit.Proofs{Checkpoints: published(g.published), Key: g.key})
			return err != nil || len(found.Wrong) > 0
		}
		var unnoticed []string
		for _, table := range tables {
			rows, putBack := g.keep(t, table)
			if !isFree(table, "-") {
				require.NotZero(t, rows, "%s has no row to change", table)
				g.exec(t, `DELETE FROM `+table)
				if !noticed() {
					unnoticed = append(unnoticed, "every row of "+table+" is deleted")
				}
				putBack()
			}
		}
		for _, c := range columns {
			if isFree(c.table, c.name) {
				continue
			}
			_, putBack := g.keep(t, c.table)
			seen := false
			for _, change := range c.changes() {
				var args []any
				if change == "$1" {
					args = []any{[]byte{0}}
				}
				if _, err := g.db.Exec(`UPDATE `+c.table+` SET `+c.name+` = `+change, args...); err == nil {
					seen = seen || noticed()
					putBack()
				}
				if seen {
					break
				}
			}
			if !seen {
				unnoticed = append(unnoticed, c.table+"."+c.name)
			}
		}
		require.Empty(t, unnoticed, "was changed, and no verification noticed; what governs nothing is named in free, with the reason")
		require.Empty(t, g.found(t), "all was put back")
		for _, f := range free {
			for _, name := range strings.Fields(f.columns) {
				table, column, _ := strings.Cut(name, ".")
				require.Contains(t, tables, table)
				require.True(t, column == "*" || column == "-" || slices.ContainsFunc(columns, is(table, column)), "%s is no column", name)
			}
		}
	})
}
