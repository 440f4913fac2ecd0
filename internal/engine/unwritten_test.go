package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store"
)

// claimed starts a job and claims its only batch.
func (e *Engine) claimed(t *testing.T, file string) *batch {
	t.Helper()
	draft, err := jobstest.Draft(&jobstest.Console{Jobs: e.Jobs, DB: e.Store}, audit.System, jobs.Upload{Kind: jobs.Clear}, file)
	require.NoError(t, err)
	_, err = e.Jobs.Start(t.Context(), audit.System, draft.ID, jobs.StartRequest{Confirm: draft.Accounts})
	require.NoError(t, err)
	batches := e.claimBatches(t.Context(), maxClaim)
	require.Len(t, batches, 1)
	require.Equal(t, draft.ID, batches[0].job.id)
	return batches[0]
}

// news says that this console lives and that a batch's job may send.
func (e *Engine) news(b *batch) {
	e.gate.heartbeatWritten(time.Now())
	e.gate.allow(b.job, time.Now())
}

// busy keeps everybody else from writing until release is called.
func (e *Engine) busy(t *testing.T) (release func()) {
	t.Helper()
	began, ended, let := make(chan struct{}), make(chan error, 1), make(chan struct{})
	go func() {
		ended <- e.Store.Tx(t.Context(), func(*store.Tx) error { close(began); <-let; return nil })
	}()
	<-began
	return func() { close(let); require.NoError(t, <-ended) }
}

func TestNothingLeavesUntilAHaltIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := quiet(t, jobstest.SQLite(t))
		e.register(t.Context())
		halting, other := e.claimed(t, "a1\n"), e.claimed(t, "b1\n")
		closed := func(why string) {
			t.Helper()
			time.Sleep(time.Millisecond)
			e.news(other)
			require.False(t, e.gate.open(other), why)
			e.gate.poll(t.Context())
			require.False(t, e.gate.open(other) || e.gate.mayClaim(), why)
			person, _ := e.gate.openForPerson()
			require.False(t, person, why)
		}
		e.news(other)
		require.True(t, e.gate.open(other))
		release := e.busy(t)
		settled := make(chan struct{})
		go func() { e.settle(t.Context(), halting, &stopReason{halt: 60020, all: true}); close(settled) }()
		synctest.Wait()
		closed("it is not written down")
		time.Sleep(time.Hour)
		closed("however long it takes")
		e.gate.block() // another answer says the same
		release()
		<-settled
		closed("that one is not written down")
		e.gate.unblock()
		require.False(t, e.gate.mayClaim(), "what was seen before does not count")
		time.Sleep(time.Millisecond)
		e.gate.poll(t.Context())
		require.True(t, e.gate.mayClaim())
		require.False(t, e.gate.open(other), "its job has halted too")
	})
}

func TestARevivedConsoleLeavesOldClaimsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := quiet(t, jobstest.SQLite(t))
		e.register(t.Context())
		old := e.claimed(t, "a1\n")
		e.news(old)
		require.True(t, e.gate.open(old))
		time.Sleep(maxHeartbeatAge - time.Second)
		e.writeHeartbeat(t.Context(), false)
		e.news(old)
		require.True(t, e.gate.open(old), "it was never silent for too long")
		time.Sleep(maxHeartbeatAge + time.Millisecond)
		e.writeHeartbeat(t.Context(), false)
		e.news(old)
		require.False(t, e.gate.open(old), "it may be another console's by now")
		recent := e.claimed(t, "b1\n")
		e.news(recent)
		require.True(t, e.gate.open(recent))
		e.writeHeartbeat(t.Context(), false)
		e.news(old)
		require.False(t, e.gate.open(old), "nor does it come back")
	})
}
