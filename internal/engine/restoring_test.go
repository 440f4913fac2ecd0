package engine_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// witness keeps the sends in memory, and may fail.
type witness struct {
	mutex sync.Mutex
	saved jobs.Sends
	saves int
	err   error
}

func (w *witness) SaveSends(n jobs.Sends) error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.err == nil {
		w.saved, w.saves = n, w.saves+1
	}
	return w.err
}

func (w *witness) fail(err error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.err = err
}

func (w *witness) last() int64 { return w.sends().Number }

func (w *witness) sends() jobs.Sends {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.saved
}

// restoring is a console whose database is put back to an older copy.
type restoring struct {
	*fixture
	database string
	witness  *witness
}

// onEachCopy plays with every way of making a copy, tags kept and not kept.
func onEachCopy(t *testing.T, play func(c *restoring, keep bool, way storetest.Way)) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		ways := []storetest.Way{storetest.Dump}
		if engine == "sqlite" {
			ways = []storetest.Way{storetest.VacuumInto, storetest.AtCommit}
		}
		for _, way := range ways {
			for _, keep := range []bool{true, false} {
				t.Run(engine+", "+string(way)+map[bool]string{true: ", tags kept", false: ", not kept"}[keep], func(t *testing.T) {
					t.Parallel()
					play(newRestoring(t, engine, keep), keep, way)
				})
			}
		}
	}
}

func newRestoring(t *testing.T, engine string, keep bool) *restoring {
	t.Helper()
	database := storetest.SQLiteFile
	if engine == "postgres" {
		database = storetest.PostgresURL
	}
	path := database(t)
	c := &restoring{newFixture(t, jobstest.Open(t, path)), path, &witness{}}
	c.engine.Witness = c.witness
	if keep {
		jobstest.Keep(t, c.Console, 0)
	}
	return c
}

// cleared counts the accounts whose tags were removed.
func (c *restoring) cleared() (n int) {
	for _, call := range c.calls(tim.RemoveAllTags) {
		if call.Applied {
			n += len(call.Accounts)
		}
	}
	return n
}

// changedIn are the accounts of calls that changed tags, with how often each was in one.
func changedIn(calls []timtest.Call) map[string]int {
	in := map[string]int{}
	for _, call := range calls {
		if call.Command != tim.GetTags && call.Applied {
			for _, account := range call.Accounts {
				in[account]++
			}
		}
	}
	return in
}

// reopen is a console over the database as it was put back, held as at its start.
func (c *restoring) reopen() *restoring {
	c.Helper()
	db := storetest.Open(c, c.database)
	s := jobstest.New(db)
	s.Snapshots.UseKey([32]byte{1})
	next := &restoring{&fixture{c.T, s, c.service, c.base, enginetest.New(c, s, c.base)}, c.database, c.witness}
	sent, err := s.Sent(c.Context())
	require.NoError(c, err)
	require.Less(c, sent.Number, c.witness.last(), "the copy is noticed")
	held, err := s.HoldSending(c.Context(), jobs.Sends{Number: c.witness.last(), At: time.Now()})
	require.NoError(c, err)
	require.True(c, held)
	held, err = s.HoldSending(c.Context(), jobs.Sends{Number: c.witness.last(), At: time.Now()})
	require.NoError(c, err)
	require.False(c, held, "once")
	return next
}

// lift resumes sending, with the number that the report says.
func (c *restoring) lift() {
	c.Helper()
	report, err := c.RestoreReport(c.Context())
	require.NoError(c, err)
	err = c.LiftRestored(c.Context(), audit.System, report.Accounts+1)
	require.True(c, jobs.FaultRestoredConfirm.Is(err), "%v", err)
	require.True(c, jobs.FaultHeld.Is(c.LiftKillSwitch(c.Context(), audit.System)))
	require.NoError(c, c.LiftRestored(c.Context(), audit.System, report.Accounts))
	c.exec(`UPDATE batches SET not_before = 0`)
	c.exec(`UPDATE consoles SET seen_at = 1`)
	c.engine.Witness = c.witness
}

// reported are the accounts of the report by name: whether their tags are kept.
func (c *restoring) reported() map[string]bool {
	c.Helper()
	report, err := c.RestoreReport(c.Context())
	require.NoError(c, err)
	all := map[string]bool{}
	for _, j := range report.Jobs {
		n := int64(0)
		for a, err := range c.RestoredAccounts(c.Context(), j.Job) {
			require.NoError(c, err)
			all[a.Account.Account] = a.Kept
			n++
		}
		require.Equal(c, j.Unknown, n)
	}
	require.Len(c, all, int(report.Accounts))
	return all
}

// unreturnable are the accounts of a job that no undo brings back.
func (c *restoring) unreturnable(j jobs.Job) (names []string) {
	c.Helper()
	found := int64(0)
	for a, err := range c.RestoredAccounts(c.Context(), c.job(j)) {
		require.NoError(c, err)
		if found++; !a.Kept {
			names = append(names, a.Account.Account)
		}
	}
	n, err := c.FoundRestored(c.Context(), c.job(j))
	require.NoError(c, err)
	require.Equal(c, n, found)
	slices.Sort(names)
	return names
}

func names(in map[string]int) (list []string) {
	for name := range in {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
