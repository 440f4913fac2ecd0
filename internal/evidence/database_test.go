package evidence_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/evidence"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// checked is what the check of a job's pack finds.
func (l *sealedLog) checked(t *testing.T) evidence.Checked {
	t.Helper()
	pack, err := l.Evidence.Pack(ctx, jobstest.Operator, l.job)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, pack.Write(&b))
	return evidence.Check(bytes.NewReader(b.Bytes()), int64(b.Len()), l.key)
}

// A pack says what the database holds: what was changed in it behind the
// program's back is found by whoever checks the pack.
func TestPackOfTamperedDatabaseFails(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		require.Empty(t, l.checked(t).Wrong)
		for _, change := range []struct{ name, do, undo, wrong string }{
			{"an outcome", `UPDATE batches SET outcome = 'untagged' WHERE number = 2`,
				`UPDATE batches SET outcome = 'cleared' WHERE number = 2`, "rows.csv: "},
			{"the ledger", `UPDATE calls SET accounts = 99 WHERE batch = 1`, `UPDATE calls SET accounts = 100 WHERE batch = 1`,
				"calls.csv, line 2: "},
			{"when a call left", `UPDATE calls SET sent_at = sent_at + 1 WHERE batch = 1`,
				`UPDATE calls SET sent_at = sent_at - 1 WHERE batch = 1`, "calls.csv: "},
			{"the sums", `UPDATE jobs SET outcome_cleared = 249, outcome_failed = 1`,
				`UPDATE jobs SET outcome_cleared = 250, outcome_failed = 0`, "rows.csv: "},
			{"a person", `UPDATE audit_lines SET personal = REPLACE(personal, 'olga', 'adam') WHERE code = 'job.uploaded'`,
				`UPDATE audit_lines SET personal = REPLACE(personal, 'adam', 'olga') WHERE code = 'job.uploaded'`, "log.jsonl, line "},
		} {
			l.exec(t, change.do)
			found := l.checked(t)
			require.NotEmpty(t, found.Wrong, change.name)
			require.Contains(t, found.Wrong[0], change.wrong, change.name)
			l.exec(t, change.undo)
		}
		require.Empty(t, l.checked(t).Wrong)
	})
}

// The outcomes and the ledger of a pack must agree, whatever was sealed.
func TestPackWithoutTheCallFails(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Sign(t, s, auditKey)
		jobstest.Free(t, s)
		j := jobstest.Started(t, s, 250)
		jobstest.Carry(t, s, j.ID, jobstest.Came{Rest: jobs.Cleared}, 1, 2, 3)
		require.NoError(t, s.DB.Exec(ctx, `DELETE FROM calls WHERE batch = 2`))
		require.NoError(t, s.Evidence.Seal(ctx))
		pack, key := packOf(t, s, j.ID)
		require.Contains(t, check(pack, key).Wrong, "rows.csv, line 102: the account is cleared, but no call can have changed it")
	})
}

func TestPackTellsOfRemovedEntries(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		require.NoError(t, l.Audit.SetRetention(ctx, jobstest.Operator, 12))
		l.DB.ShiftClocks(time.Until(time.Now().AddDate(0, 13, 0)))
		require.NoError(t, l.Audit.Sweep(ctx, l.DB.Now()))
		found := l.checked(t)
		require.Empty(t, found.Wrong)
		require.Positive(t, found.Removed)
		require.EqualValues(t, 4, found.Entries, "the start, the seal, what was removed, and that the pack was made")
	})
}

func TestPackSampleCoversEveryRowKind(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		j, err := l.Get(ctx, l.job)
		require.NoError(t, err)
		drawn, err := l.DrawSample(ctx, jobstest.Operator, j, "abc", 40)
		require.NoError(t, err)
		again, err := l.DrawSample(ctx, jobstest.Operator, j, "abc", 40)
		require.NoError(t, err)
		require.Equal(t, drawn, again)
		require.Len(t, drawn, 40)
		for i, number := range audit.Sample("abc", 40, j.Rows) {
			require.Equal(t, number, drawn[i].Row)
			require.Equal(t, number, drawn[i].Account.Row)
			require.Len(t, drawn[i].Calls, 1)
		}
		all, err := l.DrawSample(ctx, jobstest.Operator, j, "abc", 500)
		require.NoError(t, err)
		require.Len(t, all, int(j.Rows))
		entries, err := l.Audit.Entries(ctx, audit.Filter{Code: audit.SampleDrawn, Limit: 9})
		require.NoError(t, err)
		require.Len(t, entries, 3)
		require.Equal(t, "abc", entries[0].Details["seed"])
	})
}
