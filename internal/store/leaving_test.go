package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
)

// A query that nobody waits for any more ends, and its connection is used again.
func TestWhoLeavesCostsNoConnection(t *testing.T) {
	s := storetest.Open(t, storetest.PostgresURL(t))
	connection := func() int64 {
		pid, err := store.Value[int64](t.Context(), s.Reserved(), `SELECT pg_backend_pid()`)
		require.NoError(t, err)
		return pid
	}
	before := connection()
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	require.NoError(t, s.Tx(t.Context(), func(tx *store.Tx) error {
		require.NoError(t, tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock(7)`))
		go func() {
			_, err := store.Value[int64](ctx, s.Reserved(), `SELECT COUNT(*) FROM pg_advisory_xact_lock(7)`)
			left <- err
		}()
		require.Eventually(t, func() bool {
			waiting, err := store.Value[int64](t.Context(), tx, `SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`)
			return err == nil && waiting == 1
		}, time.Minute, time.Millisecond)
		leave()
		return nil
	}))
	<-left
	require.Equal(t, before, connection())
}
