package engine_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
)

// requireTrouble makes a store unusable in the middle of a job, and usable again.
func (c *fixture) requireTrouble(spoil, mend func(), want *fault.Sentence) {
	c.Helper()
	c.set(`rate_set = 25`)
	j := c.starts(jobs.Clear, accounts("a", 8_000))
	c.run()
	c.until("calls are made", func() bool { return len(c.calls()) > 10 })
	require.Nil(c, c.engine.Trouble())
	spoil()
	spoilt := time.Now()
	c.until("the engine says what is wrong", func() bool {
		trouble := c.engine.Trouble()
		return trouble != nil && trouble.Fault.Sentence == want
	})
	require.WithinDuration(c, spoilt, c.engine.Trouble().Since, 15*time.Second)
	seen := time.Now()
	c.until("what had left has arrived", func() bool { return time.Since(seen) > time.Second/2 })
	before := len(c.calls())
	c.until("a second has passed", func() bool { return time.Since(seen) > 3*time.Second/2 })
	require.Equal(c, before, len(c.calls()), "no call leaves that could not be written down")
	require.Less(c, before, 60)
	mend()
	c.until("all is well", func() bool { return c.engine.Trouble() == nil })
	c.ends(j, jobs.Counts{jobs.Cleared: 8_000})
	c.requireMatch(j) // nothing acknowledged was sent again
}

// lock holds an SQLite database as another program would.
func lock(t *testing.T, path string) (release func()) {
	t.Helper()
	other, err := sql.Open("sqlite", "file:"+path+"?_txlock=exclusive&_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	t.Cleanup(func() { other.Close() })
	held, err := other.Begin()
	require.NoError(t, err)
	return func() { held.Rollback() }
}

func TestALockedDatabaseStopsCalls(t *testing.T) {
	t.Parallel()
	path := storetest.SQLiteFile(t)
	c := newFixture(t, jobstest.Open(t, path))
	var release func()
	c.requireTrouble(func() { release = lock(t, path) }, func() { release() }, store.FaultLocked)
}

func TestADatabaseThatIsGoneStopsCalls(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	c := newFixture(t, jobstest.Open(t, address))
	u, err := url.Parse(address)
	require.NoError(t, err)
	name := strings.TrimPrefix(u.Path, "/")
	u.Path = "/postgres"
	admin, err := sql.Open("pgx", u.String())
	require.NoError(t, err)
	t.Cleanup(func() { admin.Close() })
	allow := func(connections bool) {
		_, err := admin.ExecContext(t.Context(), fmt.Sprintf(`ALTER DATABASE %q ALLOW_CONNECTIONS %t`, name, connections))
		require.NoError(t, err)
	}
	c.requireTrouble(func() {
		allow(false)
		_, err := admin.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, name)
		require.NoError(t, err)
	}, func() { allow(true) }, store.FaultGone)
}

// Pages and /healthz say what is wrong with the database before a job is started.
func TestAnIdleEngineSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	path := storetest.SQLiteFile(t)
	c := newFixture(t, jobstest.Open(t, path))
	c.run()
	c.until("it beats", func() bool { return c.count(`SELECT COUNT(*) FROM consoles`) == 1 })
	release := lock(t, path)
	c.until("it says what is wrong", func() bool {
		trouble := c.engine.Trouble()
		return trouble != nil && trouble.Fault.Sentence == store.FaultLocked
	})
	release()
	c.until("all is well", func() bool { return c.engine.Trouble() == nil })
}

// What is not saved when an engine has to end is in doubt at the next start.
func TestUnwritableAnswersAreReadBack(t *testing.T) {
	t.Parallel()
	path := storetest.SQLiteFile(t)
	c := newFixture(t, jobstest.Open(t, path))
	c.set(`rate_set = 25`)
	j := c.starts(jobs.Clear, accounts("a", 3_000))
	stop := c.run()
	c.until("calls are made", func() bool { return len(c.calls()) > 10 })
	release := lock(t, path)
	began := time.Now()
	stop()
	require.Less(t, time.Since(began), time.Minute, "it ends all the same")
	release()
	require.Equal(t, int64(3_000), c.job(j).Counts.Sum())
	enginetest.Run(t, enginetest.New(t, c.Console, c.base))
	c.ends(j, jobs.Counts{jobs.Cleared: 3_000})
	c.requireMatch(j)
}
