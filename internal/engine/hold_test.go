package engine

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

// quiet is an engine that makes no calls.
func quiet(t *testing.T, s *jobstest.Console) *Engine {
	t.Helper()
	return New(Config{App: jobstest.App, Store: s.DB, Jobs: s.Jobs, Audit: s.Audit, Snapshots: s.Snapshots,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
}

// write changes the database behind the engine's back.
func write(t *testing.T, s *store.DB, query string, args ...any) {
	t.Helper()
	require.NoError(t, s.Tx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), query, args...)
		return err
	}))
}

// nextSlot is where the slots of a command that are reserved end.
func (e *Engine) nextSlot(t *testing.T, command tim.Command) (at int64) {
	t.Helper()
	require.NoError(t, e.Store.Reader().QueryRowContext(t.Context(), `SELECT next_slot FROM budgets WHERE command = $1`,
		string(command)).Scan(&at))
	return at
}

func always() bool { return true }

// The clock of this test moves only while all wait, so that no slot is missed.
func TestAHoldHoldsAllCommandsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := quiet(t, jobstest.SQLite(t))
		write(t, e.Store, `UPDATE apps SET rate_set = 20`) // two slots at a time
		began := time.Now()
		for _, command := range tim.Commands {
			write(t, e.Store, `INSERT INTO budgets (app_id, command, next_slot) VALUES ($1, $2, $3)`,
				jobstest.App.ID, string(command), began.Add(10*time.Second).UnixMicro())
		}
		const workers = 4
		left := make(chan tim.Command, workers*len(tim.Commands))
		for _, command := range tim.Commands {
			for range workers {
				go func() {
					if _, ok := e.limiters[command].next(t.Context(), always); ok {
						left <- command
					}
				}()
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for _, command := range tim.Commands {
			require.Equal(t, began.Add(10*time.Second+reserveAhead).UnixMicro(), e.nextSlot(t, command), "a worker waits for a slot that is far")
		}
		called, held := time.Now(), map[tim.Command]int64{}
		for command, p := range e.limiters {
			p.hold(t.Context(), time.Minute)
			held[command] = e.nextSlot(t, command)
			require.WithinRange(t, time.UnixMicro(held[command]), called.Add(time.Minute), time.Now().Add(time.Minute))
		}
		require.Less(t, time.Since(called), time.Second, "no hold waits for a worker")
		for range cap(left) {
			command := <-left
			require.GreaterOrEqual(t, time.Now().UnixMicro(), held[command], command)
		}
		for _, command := range tim.Commands {
			require.Equal(t, held[command]+2*reserveAhead.Microseconds(), e.nextSlot(t, command), "each slot after the hold is used")
		}
	})
}

// A console that was suspended while the database was put back and another one sent more
// misses what it sent itself.
func TestAnEngineMissesItsLastSend(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		e := quiet(t, s)
		e.gate.poll(t.Context())
		require.Nil(t, e.Trouble())
		write(t, s.DB, `UPDATE sends SET sent = 5`)
		e.sends.learn(jobs.Sends{Number: 3, Last: "gone"})
		e.gate.poll(t.Context())
		require.True(t, FaultReplaced.Is(e.Trouble().Fault))
		k, err := s.KillSwitch(t.Context())
		require.NoError(t, err)
		require.True(t, k.Restored())
	})
}

// Nobody takes rows out of the database to have more sent than is counted.
func TestNothingIsSentWithoutTheCount(t *testing.T) {
	for _, table := range []string{"sends", "kill_switch"} {
		t.Run(table, func(t *testing.T) {
			jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
				e := quiet(t, s)
				e.gate.poll(t.Context())
				e.gate.heartbeatWritten(time.Now())
				require.True(t, e.gate.mayClaim())
				write(t, s.DB, `DELETE FROM `+table)
				e.gate.poll(t.Context())
				require.False(t, e.gate.mayClaim())
				require.True(t, jobs.FaultIncomplete.Is(e.Trouble().Fault))
			})
		})
	}
}
