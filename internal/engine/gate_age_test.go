package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
)

func TestACallDoesNotLeaveOnOldNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &Engine{}
		g := newGate(e)
		b := readBatch(jobs.Clear, jobs.Waiting)
		running := job{id: b.job.id, state: jobs.Running}
		require.False(t, g.open(b), "nothing is known yet")
		g.heartbeatWritten(time.Now())
		require.False(t, g.open(b), "the job was never seen to be allowed")
		g.allow(running, time.Now())
		require.True(t, g.open(b))
		time.Sleep(maxPollAge)
		require.True(t, g.open(b))
		time.Sleep(time.Millisecond)
		require.False(t, g.open(b), "what stops it may have come since")
		g.allow(running, time.Now())
		require.True(t, g.open(b))

		time.Sleep(maxHeartbeatAge)
		g.allow(running, time.Now())
		require.False(t, g.open(b), "another console may soon take the batch over")
		g.heartbeatWritten(time.Now())
		require.False(t, g.open(b), "it may be another console's by now")
		b.claimed = time.Now()
		require.True(t, g.open(b))

		g.block()
		require.False(t, g.open(b), "something has stopped calls since")
		time.Sleep(time.Millisecond)
		g.allow(running, time.Now())
		require.False(t, g.open(b), "and is not written down yet")
		g.unblock()
		require.False(t, g.open(b), "what was seen before does not count")
		time.Sleep(time.Millisecond)
		g.allow(running, time.Now())
		require.True(t, g.open(b))

		g.probing = true
		require.False(t, g.open(b), "one batch at a time")
		b.probe = true
		require.True(t, g.open(b))
		g.probing = false

		g.allow(job{id: b.job.id, state: jobs.Cancelled}, time.Now())
		require.False(t, g.open(b), "it was claimed before the job was cancelled")
		b.job.state = jobs.Cancelled
		require.True(t, g.open(b), "and is read back now")

		g.failing[writing] = &jobs.Trouble{}
		require.False(t, g.open(b))
	})
}

// A clock that was set, or stood still with the machine, makes what was seen old.
func TestNewsAreOldByEitherClock(t *testing.T) {
	now := time.Now()
	require.True(t, recent(now, maxPollAge))
	require.False(t, recent(time.Time{}, maxPollAge))
	require.False(t, recent(now.Add(-maxPollAge-time.Millisecond), maxPollAge))
	require.False(t, recent(now.Round(0).Add(-time.Second), maxPollAge), "by the wall's")
	require.False(t, recent(now.Round(0).Add(time.Hour), maxPollAge), "which was set back")
}
