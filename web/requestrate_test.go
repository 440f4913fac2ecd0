package web

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
)

func TestRequestsOfAPersonHaveARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates, began := requestRates{of: map[string]*rate.Limiter{}}, time.Now()
		for range requestsAtOnce + 3*requestsPerSecond {
			require.NoError(t, rates.limiter("ann").Wait(t.Context()))
		}
		require.Equal(t, 3*time.Second, time.Since(began).Round(time.Millisecond))
		require.True(t, rates.limiter("bob").Allow(), "others do not wait")
	})
}

// A request that waits ends with the session. Others, and who stops all sending, do not wait.
func TestWhoAsksTooOftenWaits(t *testing.T) {
	c := newConsole(t, jobstest.SQLite(t))
	operator, admin := c.as(auth.Operator), c.as(auth.Admin)
	exhausted := map[auth.Role]string{}
	for _, role := range []auth.Role{auth.Operator, auth.Admin} {
		user, err := c.store.Users.ByName(t.Context(), string(role))
		require.NoError(t, err)
		exhausted[role] = user.ID
		limiter := rate.NewLimiter(rate.Every(time.Hour), 1)
		require.True(t, limiter.Allow())
		c.web.rates.of[user.ID] = limiter
	}
	got := make(chan answer)
	go func() {
		defer close(got)
		got <- operator.get("/users")
	}()
	require.Equal(t, http.StatusOK, c.as(auth.Auditor).get("/jobs").StatusCode)
	require.Equal(t, http.StatusSeeOther, admin.post("/sending/stop", "reason", "why").StatusCode)
	require.Eventually(t, func() bool {
		c.web.rights.mutex.Lock()
		defer c.web.rights.mutex.Unlock()
		return len(c.web.rights.held) == 1
	}, 10*time.Second, time.Millisecond)
	c.web.rights.check(t.Context())
	select {
	case <-got:
		require.Fail(t, "it waits for its turn")
	default:
	}
	require.NoError(t, c.store.Users.SetDisabled(t.Context(), audit.System, exhausted[auth.Operator], true))
	c.web.rights.check(t.Context())
	require.Equal(t, "/login?next=%2Fusers", (<-got).location())
}
