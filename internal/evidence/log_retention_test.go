package evidence_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

func TestAuditRetentionStillVerifies(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		require.True(t, audit.FaultKeepMonths.Is(l.Audit.SetRetention(ctx, jobstest.Operator, 11)))
		require.NoError(t, l.Audit.SetRetention(ctx, jobstest.Operator, 12))
		l.exec(t, `UPDATE audit_head SET keep_months = 24`)
		require.ErrorContains(t, l.Audit.Sweep(ctx, l.DB.Now()), "no entry says so")
		require.Contains(t, l.wrong(t), "audit log: the retention period is 24 months, but the log says 12")
		l.exec(t, `UPDATE audit_head SET keep_months = 12`)
		l.exec(t, `UPDATE audit_lines SET reached = 1 WHERE seq < 4`)
		require.ErrorContains(t, l.Audit.Sweep(ctx, l.DB.Now()), "nothing is removed", "what an entry is found by does not make it old")
		l.exec(t, `UPDATE audit_lines SET reached = at WHERE seq < 4`)
		require.NoError(t, l.Audit.Sweep(ctx, l.DB.Now()))
		require.Zero(t, l.count(t, `SELECT removed FROM audit_head`), "nothing is old enough")
		before := l.count(t, `SELECT MAX(seq) FROM audit_lines`)
		l.DB.ShiftClocks(time.Until(time.Now().AddDate(0, 13, 0)))
		require.NoError(t, l.Audit.Sweep(ctx, l.DB.Now()))
		require.Equal(t, before, l.count(t, `SELECT removed FROM audit_head`))
		require.Equal(t, int64(5), l.count(t, `SELECT COUNT(*) FROM audit_lines`),
			"what the app was set to, the start and the seal of the job, for how long entries are kept, and that others were removed")
		require.Empty(t, l.wrong(t))
		found, err := l.Evidence.Verify(ctx, audit.Proofs{})
		require.NoError(t, err)
		require.Contains(t, found.Notes[0], "were removed at the end of the retention period")
		require.Equal(t, int64(1), found.Seals)

		l.exec(t, `UPDATE batches SET outcome = 'untagged' WHERE number = 1`)
		require.Contains(t, l.wrong(t), "job "+l.job+": the row results were changed")
		l.exec(t, `UPDATE batches SET outcome = 'cleared' WHERE number = 1`)
		require.Empty(t, l.wrong(t))
		l.exec(t, fmt.Sprintf(`UPDATE audit_head SET removed = %d`, before+1))
		require.NoError(t, l.Audit.Sweep(ctx, l.DB.Now()))
		require.Contains(t, l.wrong(t), "are marked as removed", "more than the log says")
	})
}

// Those that seal jobs prove something for ever: somebody deletes one among what
// was removed, and what it sealed can be changed.
func TestASealIsMissedAmongRemovedEntries(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		require.NoError(t, l.Audit.SetRetention(ctx, jobstest.Operator, 12))
		l.DB.ShiftClocks(time.Until(time.Now().AddDate(0, 13, 0)))
		require.NoError(t, l.Audit.Sweep(ctx, l.DB.Now()))
		require.NoError(t, l.Audit.SetRetention(ctx, jobstest.Operator, 13)) // an entry that stays
		require.Empty(t, l.wrong(t))
		seal := l.count(t, `SELECT sealed FROM jobs`)
		l.exec(t, `DELETE FROM audit_words WHERE seq = $1`, seal)
		l.exec(t, `DELETE FROM audit_lines WHERE seq = $1`, seal)
		found, err := l.Evidence.Verify(ctx, audit.Proofs{})
		require.NoError(t, err)
		require.Len(t, found.Wrong, 2)
		require.Contains(t, found.Wrong[0], "4 must always be kept, but 3 were found")
		require.Equal(t, "job "+l.job+": the log entry with its seal is missing", found.Wrong[1])
	})
}

// A console that was stopped in the second before the seal is no fault; a job that
// will not be sealed any more is one.
func TestAuditSealPendingIsNoFault(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		j := jobstest.Started(t, l.Console, 100)
		jobstest.Carry(t, l.Console, j.ID, jobstest.Came{Rest: jobs.Cleared}, 1)
		l.DB.ShiftClocks(2 * time.Hour)
		require.NoError(t, l.Audit.Record(ctx, audit.Entry{Code: audit.SignedOut, Actor: jobstest.Operator}))
		found, err := l.Evidence.Verify(ctx, audit.Proofs{})
		require.NoError(t, err)
		require.Empty(t, found.Wrong)
		require.Equal(t,
			[]string{"Jobs that ended but are not sealed yet: 1. The console seals them within seconds while it is running."},
			found.Notes)
		l.exec(t, `UPDATE jobs SET sealed = -1 WHERE id = $1`, j.ID)
		require.Contains(t, l.wrong(t), "job "+j.ID+": it ended in entry")
	})
}

func TestAuditErasureKeepsProofs(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		adam := audit.Actor{ID: "u2", Name: "adam", Role: "admin"}
		require.NoError(t, l.Audit.Record(ctx, audit.Entry{Code: audit.TagsRead, Actor: adam, Target: "ann.lee@example.com"}))
		ids, err := l.IDsOf(ctx, "ann.lee@example.com")
		require.NoError(t, err)
		about, err := l.Audit.Entries(ctx, audit.Filter{Account: "ann.lee@example.com", AccountJobs: ids, Limit: 10})
		require.NoError(t, err)
		require.Len(t, about, 1)
		require.Equal(t, 1, erased(t, l.Console, adam, audit.Subject{Kind: audit.OfAccount, Value: "ann.lee@example.com"}))
		require.Zero(t, l.count(t, `SELECT COUNT(*) FROM audit_lines WHERE personal LIKE '%ann.lee%' OR line LIKE '%ann.lee%'`))
		require.Zero(t, l.count(t, `SELECT COUNT(*) FROM audit_words WHERE word LIKE '%ann%' OR word LIKE '%lee%'`))
		for _, filter := range []audit.Filter{{Account: "ann.lee@example.com"}, {Words: "ann lee"}} {
			filter.Limit = 10
			about, err = l.Audit.Entries(ctx, filter)
			require.NoError(t, err)
			require.Empty(t, about)
		}
		require.Empty(t, l.wrong(t))

		own, err := l.Audit.Erasure(ctx, audit.Subject{Kind: audit.OfUser, Value: "adam"}, 0)
		require.NoError(t, err)
		require.Equal(t, []any{int64(0), int64(1)}, []any{own.Entries, own.Kept}, "that he erased stays")
		require.Greater(t, erased(t, l.Console, adam, audit.Subject{Kind: audit.OfUser, Value: "olga"}), 10)
		require.Empty(t, l.wrong(t))
		entries, err := l.Audit.Around(ctx, 1, 0)
		require.NoError(t, err)
		require.True(t, entries[0].Erased)
		require.Empty(t, entries[0].Actor.Name)
		require.Equal(t, audit.AccessDenied, entries[0].Code, "what happened stays")
	})
}

// erased erases a subject as its preview shows it, and returns how many entries it took.
func erased(t *testing.T, s *jobstest.Console, by audit.Actor, of audit.Subject) int {
	t.Helper()
	seen, err := s.Audit.Erasure(ctx, of, 0)
	require.NoError(t, err)
	require.NoError(t, s.Audit.AskErasure(ctx, audit.Actor{ID: "u9", Name: "eve", Role: "admin"}, of, "GDPR-17"))
	n, err := s.Audit.Erase(ctx, by, of, audit.Confirmed{Entries: seen.Entries, Last: seen.Last})
	require.NoError(t, err)
	require.EqualValues(t, seen.Entries, n)
	return n
}

// Somebody with the database takes the personal part of an entry about an erasure, and of
// a seal.
func TestAnErasureThatWasErasedIsFound(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		adam := audit.Actor{ID: "u2", Name: "adam", Role: "admin"}
		erased(t, l.Console, adam, audit.Subject{Kind: audit.OfUser, Value: "olga"})
		found, err := l.Evidence.Verify(ctx, audit.Proofs{})
		require.NoError(t, err)
		require.Empty(t, found.Wrong)
		entry := l.count(t, `SELECT MAX(seq) FROM audit_lines WHERE code = 'log.erased'`)
		require.Contains(t, found.Notes[0], fmt.Sprintf("by whom and why is recorded in entries: %d.", entry))
		for _, code := range []audit.Code{audit.LogErased, audit.JobSealed} {
			l.exec(t, `UPDATE audit_lines SET personal = '', actor = '' WHERE code = $1`, code)
			require.Contains(t, l.wrong(t), "this entry is never erased", string(code))
		}
	})
}
