package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
)

// A console whose clock is ahead when it starts, or is set while it runs, removes nothing.
func TestSweepWaitsForTheClock(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		_, base := simulate(t, nil)
		con := opened(t, database, base, "all_member_push")
		require.NoError(t, con.audit.SetRetention(t.Context(), commandLine(), audit.MinKeepMonths))
		for _, ahead := range []time.Duration{400 * 24 * time.Hour, -400 * 24 * time.Hour, 800 * 24 * time.Hour} {
			con.db.ShiftClocks(ahead)
			for range 4 {
				require.NoError(t, con.sweepOnce(t.Context()))
			}
		}
		kept, err := con.audit.Retention(t.Context())
		require.NoError(t, err)
		require.Zero(t, kept.Removed)
		waits, err := con.audit.ClockJumped(t.Context())
		require.NoError(t, err)
		require.NotZero(t, waits)
	})
}
