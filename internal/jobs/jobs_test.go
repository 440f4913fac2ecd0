package jobs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJobStateAllowsOnlyItsSteps(t *testing.T) {
	allowed := map[State][]Action{
		Reading: {Cancel},
		Draft:   {Start, Cancel, Reread},
		Queued:  {Pause, Cancel},
		Running: {Pause, Cancel},
		Paused:  {Resume, Cancel},
		Halted:  {Resume, Cancel},
	}
	for _, state := range States {
		for _, action := range []Action{Start, Pause, Resume, Cancel, Reread, "explode"} {
			_, fits := state.Next(action)
			require.Equal(t, contains(allowed[state], action), fits, "%s %s", action, state)
		}
	}
}

func contains(all []Action, a Action) bool {
	for _, each := range all {
		if each == a {
			return true
		}
	}
	return false
}

func TestJobStateAsShown(t *testing.T) {
	for _, test := range []struct {
		state  State
		counts Counts
		shown  State
	}{
		{Paused, Counts{Sending: 100, Waiting: 5}, "pausing"},
		{Paused, Counts{Waiting: 5}, Paused},
		{Cancelled, Counts{InDoubt: 1}, "cancelling"},
		{Cancelled, Counts{Unsent: 1}, Cancelled},
		{Running, Counts{Sending: 1}, Running},
		{Running, Counts{Cleared: 5, InDoubt: 1}, Running},
		{Finished, Counts{Cleared: 5}, Finished},
	} {
		j := Job{State: test.state, Counts: test.counts}
		require.Equal(t, test.shown, j.Shown())
		require.Equal(t, test.state == Finished || test.shown == Cancelled, j.Settled())
	}
}
