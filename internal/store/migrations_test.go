package store_test

import (
	"database/sql"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
	"tagsweep/migrations"
)

// olderDatabase makes a database of a schema version and fills it.
func olderDatabase(t *testing.T, database, engine string, dialect goose.Dialect, driver string, version int64, statements []string) {
	t.Helper()
	db, err := sql.Open(driver, database)
	require.NoError(t, err)
	defer db.Close()
	var files fs.FS = migrations.For(engine)
	provider, err := goose.NewProvider(dialect, db, files)
	require.NoError(t, err)
	_, err = provider.UpTo(ctx, version)
	require.NoError(t, err)
	for _, statement := range statements {
		_, err := db.Exec(statement)
		require.NoError(t, err, statement)
	}
	encoder, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	_, err = db.Exec(`INSERT INTO upload_chunks (sha256, number, data) VALUES ('abc', 0, $1)`, encoder.EncodeAll([]byte(oldFile()), nil))
	require.NoError(t, err)
}

// oldFile is the file of the old jobs. As it would be read now its rows from 100
// on are others than they were then.
func oldFile() string {
	var file strings.Builder
	file.WriteString("account,n\n")
	for row := 1; row <= 251; row++ {
		switch {
		case row == 8:
			file.WriteString(",\n")
		case row < 8:
			fmt.Fprintf(&file, "user_%d,%d\n", row, row)
		case row < 100:
			fmt.Fprintf(&file, "user_%d,%d\n", row-1, row)
		default:
			fmt.Fprintf(&file, "user_%d,%d\n", row, row)
		}
	}
	return file.String()
}

// oldJob is a job as the first version kept it: 250 accounts, one of which
// failed by itself, in three batches, with a row set aside.
func oldJob() []string {
	bytes := strconv.Itoa(len(oldFile()))
	statements := []string{
		`INSERT INTO apps VALUES ('1400000000', 'Test chat', 'test', 1400000000, 'http://127.0.0.1:0', 'all_member_push', 'administrator', 97)`,
		`INSERT INTO uploads VALUES ('abc', ` + bytes + `, 1)`,
		`INSERT INTO jobs (id, app_id, kind, state, note, file_name, file_sha256, file_bytes, account_bytes, row_count, rejected, accounts,
			outcome_cleared, outcome_failed, batches, calls, created_by, started_by, created_at, started_at, finished_at)
			VALUES ('j1', '1400000000', 'clear', 'finished', '', 'old.csv', 'abc', ` + bytes + `, 32, 251, 1, 250, 249, 1, 3, 3, 'olga', 'olga', 1, 2, 3)`,
		`INSERT INTO jobs (id, app_id, kind, state, note, file_name, file_sha256, file_bytes, account_bytes, created_by, created_at)
			VALUES ('j2', '1400000000', 'clear', 'reading', '', 'half.csv', 'abc', ` + bytes + `, 32, 'olga', 1)`,
		`INSERT INTO accounts (job_id, seq, row_number, account) VALUES ('j2', 1, 1, 'half')`,
		`INSERT INTO set_asides VALUES ('j1', 8, 9, 'rejected', '', 'empty', 0)`,
	}
	for i := range 250 {
		row, outcome := i+1, "NULL"
		if row >= 8 {
			row++
		}
		if i == 120 {
			outcome = "'failed'"
		}
		statements = append(statements, fmt.Sprintf(`INSERT INTO accounts (job_id, seq, row_number, account, outcome, code) VALUES ('j1', %d, %d, 'user_%d', %s, 70107)`, i+1, row, i+1, outcome))
	}
	for i, pending := range []int{100, 99, 50} {
		statements = append(statements, fmt.Sprintf(`INSERT INTO batches (job_id, first, size, number, pending, outcome) VALUES ('j1', %d, %d, %d, %d, 'cleared')`,
			i*100+1, min(100, 250-i*100), i+1, pending))
	}
	return statements
}

func TestJobsOfEarlierVersionsStayWhatTheyWere(t *testing.T) {
	sqlite := filepath.Join(t.TempDir(), "console.db")
	postgres := storetest.PostgresURL(t)
	olderDatabase(t, sqlite, "sqlite", goose.DialectSQLite3, "sqlite", 2, oldJob())
	olderDatabase(t, postgres, "postgres", goose.DialectPostgres, "pgx", 2, oldJob())
	for _, database := range []string{sqlite, postgres} {
		name, _, _ := strings.Cut(filepath.Base(database), "?")
		t.Run(name, func(t *testing.T) {
			s := storetest.Open(t, database)
			requireSums(t, s)
			for row, account := range map[int64]string{1: "user_1", 7: "user_7", 9: "user_8", 251: "user_250"} {
				found, err := s.FindAccounts(ctx, account, 10)
				require.NoError(t, err)
				require.Len(t, found, 1)
				require.Equal(t, []any{"j1", row, jobs.Cleared}, []any{found[0].Job.ID, found[0].Row, found[0].Outcome})
			}
			found, err := s.FindAccounts(ctx, "user_121", 10)
			require.NoError(t, err)
			require.Equal(t, []any{jobs.Failed, 70107, int64(2)}, []any{found[0].Outcome, found[0].Code, found[0].Batch})
			groups, err := s.SetAsideGroups(ctx, "j1")
			require.NoError(t, err)
			require.Equal(t, []jobs.SetAsideGroup{{Kind: jobs.Rejected, Reason: "empty", Rows: 1, First: []int64{8}}}, groups)

			// The cells are given where it is certain that they are the account's.
			cells := map[int64][]string{}
			for r, err := range s.Results(ctx, "j1", "") {
				require.NoError(t, err)
				cells[r.Row] = r.Fields
			}
			require.Len(t, cells, 250)
			require.Equal(t, []string{"user_98", "99"}, cells[99])
			require.Empty(t, cells[100])
			require.Empty(t, cells[251])

			// What was being read then had no answer yet.
			require.NoError(t, storetest.ReadAll(s))
			half, err := s.Job(ctx, "j2")
			require.NoError(t, err)
			require.True(t, half.Settled())
			require.Equal(t, jobs.Cancelled, half.State)
			found, err = s.FindAccounts(ctx, "half", 10)
			require.NoError(t, err)
			require.Empty(t, found)
			requireSums(t, s)
		})
	}
}

// openJob is a job as version 5 kept it, in the middle of its work, and a draft.
func openJob() []string {
	bytes := strconv.Itoa(len(oldFile()))
	statements := []string{
		`INSERT INTO apps (id, name, environment, sdkappid, domain, family, identifier, rate) VALUES ('1400000000', 'Test chat', 'test', 1400000000, 'http://127.0.0.1:0', 'all_member_push', 'administrator', 97)`,
		`INSERT INTO uploads VALUES ('abc', ` + bytes + `, 1)`,
	}
	for _, j := range []struct {
		id, columns, values string
		outcomes            []jobs.Outcome
	}{
		{"j3", ", started_at, outcome_cleared, outcome_waiting, outcome_sending, outcome_in_doubt", ", 2, 100, 100, 100, 200", []jobs.Outcome{jobs.Cleared, jobs.Waiting, jobs.Sending, jobs.InDoubt, jobs.InDoubt}},
		{"j4", ", outcome_waiting", ", 100", []jobs.Outcome{jobs.Waiting}},
	} {
		accounts, state := len(j.outcomes)*100, "running"
		if j.id == "j4" {
			state = "draft"
		}
		statements = append(statements, fmt.Sprintf(`INSERT INTO jobs (id, app_id, kind, state, note, file_name, file_sha256, file_bytes, account_bytes, row_count, accounts, batches, created_by, created_at%s)
			VALUES ('%s', '1400000000', 'clear', '%s', '', 'old.csv', 'abc', %s, 32, %d, %d, %d, 'olga', 1%s)`, j.columns, j.id, state, bytes, accounts, accounts, len(j.outcomes), j.values))
		var named jobs.Names
		for i, o := range j.outcomes {
			b := jobs.PlannedBatch{Number: int64(i + 1)}
			for k := range 100 {
				row := int64(100*i + k + 1)
				b.Accounts = append(b.Accounts, jobs.Planned{Row: row, Line: row, Account: fmt.Sprintf("%s_%05d", j.id, row)})
				named = append(named, jobs.Named{Account: b.Accounts[k].Account, Row: row})
			}
			lease, until := "", 0
			if o == jobs.Sending {
				lease, until = "c1", 1
			}
			statements = append(statements,
				fmt.Sprintf(`INSERT INTO planned_batches VALUES ('%s', %d, %d, 100, '%s')`, j.id, b.Number, b.Accounts[0].Row, b.Text()),
				fmt.Sprintf(`INSERT INTO batches (job_id, first, size, number, pending, outcome, lease, lease_until) VALUES ('%s', %d, 100, %d, 100, '%s', '%s', %d)`,
					j.id, b.First(), b.Number, o, lease, until))
		}
		for some := range slices.Chunk(named, jobs.NamesSize) {
			statements = append(statements, fmt.Sprintf(`INSERT INTO account_names VALUES ('%s', '%s', '%s')`, j.id, some[0].Account, some.Text()))
		}
	}
	return append(statements,
		`INSERT INTO calls (id, job_id, batch, first, accounts, command, random, delivery, sent_at) VALUES ('c1', 'j3', 3, 201, 100, 'remove_all_tags', 7, 'intended', 1)`,
		`INSERT INTO read_tags VALUES ('j3', 450, '["vip"]')`)
}

func TestAnOpenJobOfAnEarlierVersionGoesOn(t *testing.T) {
	sqlite := filepath.Join(t.TempDir(), "console.db")
	postgres := storetest.PostgresURL(t)
	olderDatabase(t, sqlite, "sqlite", goose.DialectSQLite3, "sqlite", 5, openJob())
	olderDatabase(t, postgres, "postgres", goose.DialectPostgres, "pgx", 5, openJob())
	for _, database := range []string{sqlite, postgres} {
		name, _, _ := strings.Cut(filepath.Base(database), "?")
		t.Run(name, func(t *testing.T) {
			s := storetest.Open(t, database)
			fast(t, s)
			free(t, s)
			storetest.Keep(t, s, snapshot.All)
			requireSums(t, s)
			j := jobNow(t, s, "j3")
			require.Equal(t, []any{false, jobs.Verification{}}, []any{j.Snapshot, j.Verify}, "it was started without")
			asked, err := s.Asked(ctx, "j3")
			require.NoError(t, err)
			require.Equal(t, store.Asked{Tagged: 100}, asked, "what a reading had found was not taken over")
			_, err = s.Expire(ctx, storetest.App.ID, true, 0)
			require.NoError(t, err)
			s.Jump(time.Second)

			waiting := claim(t, s, tim.RemoveAllTags, 9)
			require.Equal(t, []int64{101}, firsts(waiting))
			require.False(t, waiting[0].Touched)
			settle(t, s, cleared(waiting[0]))
			doubted := inOrder(claim(t, s, tim.GetTags, 9))
			require.Equal(t, []int64{201, 301}, firsts(doubted))
			require.Equal(t, []bool{true, true}, []bool{doubted[0].Touched, doubted[1].Touched})
			settle(t, s, toChange(doubted[0]), cleared(doubted[1])) // what is found is kept, under a key of its own
			settle(t, s, lost(claim(t, s, tim.RemoveAllTags, 9)[0]))
			back := claim(t, s, tim.GetTags, 9)
			require.Equal(t, []string{"gold"}, back[0].Known[201])
			settle(t, s, cleared(back[0]))
			_, err = s.Decide(ctx, operator, "j3", jobs.Again)
			require.NoError(t, err)
			settle(t, s, cleared(claim(t, s, tim.RemoveAllTags, 9)[0]))
			require.Equal(t, []any{jobs.Finished, int64(500)}, []any{jobNow(t, s, "j3").State, jobNow(t, s, "j3").Counts[jobs.Cleared]})

			draft := start(t, s, jobNow(t, s, "j4"))
			require.True(t, draft.Snapshot)
			require.Empty(t, claimNow(t, s, tim.RemoveAllTags, 9))
			require.Len(t, claim(t, s, tim.GetTags, 9), 1)
			requireSums(t, s)
		})
	}
}
