package audit_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// watched is a console whose steady clock a test sets.
type watched struct {
	*jobstest.Console
	passed time.Duration
}

func (w *watched) restart() {
	w.Audit.WatchClock(func() time.Duration { return w.passed })
}

// pass lets time pass on both clocks, and observes them every minute.
func (w *watched) pass(t *testing.T, by time.Duration) (trusted bool) {
	t.Helper()
	for ; by > 0; by -= time.Minute {
		w.passed += time.Minute
		w.DB.ShiftClocks(time.Minute)
		trusted = w.trusted(t)
	}
	return trusted
}

func (w *watched) trusted(t *testing.T) bool {
	t.Helper()
	now, err := w.Audit.TrustedTime(ctx)
	require.NoError(t, err)
	return !now.IsZero()
}

func (w *watched) jumps(t *testing.T) int64 {
	t.Helper()
	n, err := w.Count(context.Background(), `SELECT COUNT(*) FROM audit_lines WHERE code = 'clock.jumped'`)
	require.NoError(t, err)
	return n
}

func (w *watched) record(t *testing.T) {
	t.Helper()
	require.NoError(t, w.Audit.Record(ctx, audit.Entry{Code: audit.SignedOut, Actor: jobstest.Operator}))
}

func eachWatched(t *testing.T, test func(t *testing.T, w *watched)) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		w := &watched{Console: s}
		w.record(t)
		w.restart()
		test(t, w)
	})
}

func TestClockIsTrustedAfterAWhile(t *testing.T) {
	eachWatched(t, func(t *testing.T, w *watched) {
		require.False(t, w.trusted(t), "one reading proves nothing")
		require.False(t, w.pass(t, 9*time.Minute))
		require.True(t, w.pass(t, 2*time.Minute))
		w.passed += 11 * time.Hour
		w.DB.ShiftClocks(11 * time.Hour)
		require.True(t, w.pass(t, time.Minute))
		w.restart()
		require.False(t, w.trusted(t), "each start watches anew")
		require.Zero(t, w.jumps(t))
	})
}

// A clock that is set, either way and however briefly, is not trusted before an admin has
// confirmed it; it does not matter when the console is ended or started.
func TestClockJumpWaitsForAnAdmin(t *testing.T) {
	for name, jump := range map[string]func(t *testing.T, w *watched){
		"ahead": func(t *testing.T, w *watched) { w.DB.ShiftClocks(31 * 24 * time.Hour) },
		"back":  func(t *testing.T, w *watched) { w.DB.ShiftClocks(-2 * time.Hour) },
		"ahead for a moment": func(t *testing.T, w *watched) {
			w.DB.ShiftClocks(31 * 24 * time.Hour)
			w.trusted(t)
			w.DB.ShiftClocks(-31 * 24 * time.Hour)
		},
		"ahead while it was off": func(t *testing.T, w *watched) {
			w.DB.ShiftClocks(13 * 30 * 24 * time.Hour)
			w.restart()
		},
		"ahead, with entries, and the console was killed before it looked": func(t *testing.T, w *watched) {
			w.DB.ShiftClocks(31 * 24 * time.Hour)
			for range 5 {
				w.record(t)
			}
			w.restart()
		},
		"back while it was off": func(t *testing.T, w *watched) {
			w.record(t)
			w.DB.ShiftClocks(-3 * time.Hour)
			w.restart()
		},
		"ahead in small steps": func(t *testing.T, w *watched) {
			for range 5 {
				w.DB.ShiftClocks(20 * time.Minute)
				w.trusted(t)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachWatched(t, func(t *testing.T, w *watched) {
				require.True(t, w.pass(t, 15*time.Minute))
				jump(t, w)
				require.False(t, w.pass(t, time.Hour))
				require.Positive(t, w.jumps(t))
				w.restart()
				require.False(t, w.pass(t, time.Hour), "a restart forgets nothing")
				require.True(t, audit.FaultClockReason.Is(w.Audit.ConfirmClock(ctx, jobstest.Operator, "")))
				require.NoError(t, w.Audit.ConfirmClock(ctx, jobstest.Operator, "the battery was empty"))
				require.True(t, w.pass(t, 15*time.Minute))
				before := w.jumps(t)
				w.restart()
				require.True(t, w.pass(t, 15*time.Minute))
				require.Equal(t, before, w.jumps(t))
			})
		})
	}
}

// A clock that was set ahead for a moment destroys no kept tag and removes no entry, even
// when it is set between two readings. Once it is confirmed and has gone steadily, they go.
func TestNothingIsErasedOnOneReading(t *testing.T) {
	for name, ahead := range map[string]time.Duration{
		"31 days":   31 * 24 * time.Hour,
		"13 months": 400 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			eachWatched(t, func(t *testing.T, w *watched) {
				require.NoError(t, w.Audit.SetRetention(ctx, jobstest.Operator, 12))
				j := w.kept(t)
				require.True(t, w.pass(t, 15*time.Minute))
				sweep := func() {
					now, err := w.Audit.TrustedTime(ctx)
					require.NoError(t, err)
					w.DB.ShiftClocks(ahead) // while it is being decided
					require.NoError(t, w.Sweep(ctx, now))
					require.NoError(t, w.Audit.Sweep(ctx, now))
					w.DB.ShiftClocks(-ahead)
				}
				sweep()
				w.DB.ShiftClocks(ahead)
				for range 4 {
					w.passed += time.Second
					sweep()
				}
				w.DB.ShiftClocks(-ahead)
				sweep()
				w.restart()
				w.DB.ShiftClocks(ahead)
				w.pass(t, time.Hour)
				sweep()
				require.Equal(t, []int64{0, 0}, w.gone(t, j))

				require.NoError(t, w.Audit.ConfirmClock(ctx, jobstest.Operator, "that is the time"))
				require.True(t, w.pass(t, 15*time.Minute))
				sweep()
				gone := w.gone(t, j)
				require.Equal(t, int64(1), gone[0], "the tags are due")
				require.Equal(t, ahead > 366*24*time.Hour, gone[1] > 0, "the entries are due after 12 months")
			})
		})
	}
}

// kept is a job that has ended, and whose tags are kept for 30 days.
func (w *watched) kept(t *testing.T) (id string) {
	t.Helper()
	jobstest.Keep(t, w.Console, 0)
	j := jobstest.Accounts(t, w.Console, 10)
	require.NoError(t, w.End(ctx, j.ID, jobs.Cleared))
	return j.ID
}

// gone counts the kept tags that were erased, and the entries that were removed.
func (w *watched) gone(t *testing.T, jobID string) []int64 {
	t.Helper()
	keys, err := w.Count(ctx, `SELECT COUNT(*) FROM snapshot_keys WHERE erased_at > 0 AND job_id = $1`, jobID)
	require.NoError(t, err)
	removed, err := w.Count(ctx, `SELECT removed FROM audit_head`)
	require.NoError(t, err)
	return []int64{keys, removed}
}

// A verification tells of times that go back.
func TestTimesThatGoBackAreReported(t *testing.T) {
	eachWatched(t, func(t *testing.T, w *watched) {
		w.record(t)
		w.DB.ShiftClocks(-2 * time.Hour)
		w.record(t)
		found, err := w.Evidence.Verify(ctx, audit.Proofs{})
		require.NoError(t, err)
		require.Contains(t, strings.Join(found.Wrong, "\n"), "its time is before that of the entry before it")
		w.trusted(t)
		require.NoError(t, w.Audit.ConfirmClock(ctx, jobstest.Operator, "it was wrong before"))
		found, err = w.Evidence.Verify(ctx, audit.Proofs{})
		require.NoError(t, err)
		require.NotContains(t, strings.Join(found.Wrong, "\n"), "its time")
		require.Contains(t, strings.Join(found.Notes, "\n"), "before that of the entry before it")
	})
}
