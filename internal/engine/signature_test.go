package engine_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/engine"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/tim/timtest"
)

// signatures stands between the engine and the simulator, and notes what calls
// were signed with. Each that the engine makes is of another second.
func (c *fixture) signatures() (used func() []string) {
	c.Helper()
	to, err := url.Parse(c.base)
	require.NoError(c, err)
	var mutex sync.Mutex
	var list []string
	proxy := httputil.NewSingleHostReverseProxy(to)
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		list = append(list, r.URL.Query().Get("usersig"))
		mutex.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	c.Cleanup(between.Close)
	c.useClient(between.URL, nil)
	return func() []string {
		mutex.Lock()
		defer mutex.Unlock()
		return append([]string{}, list...)
	}
}

func TestARefusedUserSigIsMadeAnew(t *testing.T) {
	t.Parallel()
	c := newFixture(t, jobstest.SQLite(t))
	used := c.signatures()
	expired := timtest.Faults{Code: 70001, Most: 1, Latency: 1_100 * time.Millisecond} // a signature says the second it was made in
	c.faults(expired)
	c.set(`canary = 1`) // so that the second batch is signed as the first was in the end
	j := c.starts(jobs.Clear, accounts("a", 200))
	c.run()
	c.until("it was refused", func() bool { return len(c.calls()) == 1 })
	c.faults(timtest.Faults{})
	c.ends(j, jobs.Counts{jobs.Cleared: 200})
	all := used()
	require.Len(t, all, 3)
	require.NotEqual(t, all[0], all[1])
	require.Equal(t, all[1], all[2], "and used as long as it is good")
	c.faults(expired)
	_, err := c.engine.ReadTags(c.Context(), "a1")
	require.True(t, engine.FaultNotRead.Is(err), "%v", err)
	_, err = c.engine.ReadTags(c.Context(), "a1")
	require.NoError(t, err)
	all = used()
	require.NotEqual(t, all[3], all[4])
}
