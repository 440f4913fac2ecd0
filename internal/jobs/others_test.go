package jobs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
)

// othersActions are all that people do with a job, with one of a state that allows it.
func (p *people) othersActions(t *testing.T) map[string]func(by audit.Actor) error {
	draft := func() jobs.Job { return p.draft(t, p.olga, 3) }
	started := func(at time.Time) jobs.Job {
		j := draft()
		_, err := p.s.Start(ctx, p.olga, j.ID, jobs.StartRequest{Confirm: 3, At: at})
		require.NoError(t, err)
		return j
	}
	act := func(a jobs.Action, of jobs.Job) func(audit.Actor) error {
		return func(by audit.Actor) error {
			_, err := p.s.Act(ctx, by, of.ID, a)
			return err
		}
	}
	paused, over, later := started(time.Time{}), started(time.Time{}), time.Now().Add(time.Hour)
	for a, of := range map[jobs.Action]jobs.Job{jobs.Pause: paused, jobs.Cancel: over} {
		require.NoError(t, act(a, of)(p.olga))
	}
	toStart, toReread, toAsk, toInspect := draft(), draft(), draft(), draft()
	return map[string]func(audit.Actor) error{
		"start": func(by audit.Actor) error { return p.start(by, toStart) },
		"reread": func(by audit.Actor) error {
			_, err := p.s.Reread(ctx, by, toReread.ID, accounts.Choices{Header: accounts.No})
			return err
		},
		"ask": func(by audit.Actor) error {
			_, err := p.s.Ask(ctx, by, toAsk.ID, jobs.AskRequest{Action: jobs.Start, Start: jobs.StartRequest{Confirm: 3}})
			return err
		},
		"inspect": func(by audit.Actor) error {
			_, err := p.s.Retry(ctx, by, toInspect.ID, jobs.RetryRequest{Kind: jobs.Inspect}, t.TempDir())
			return err
		},
		"start now": act(jobs.StartNow, started(later)),
		"pause":     act(jobs.Pause, started(later)),
		"resume":    act(jobs.Resume, paused),
		"cancel":    act(jobs.Cancel, started(later)),
		"retry": func(by audit.Actor) error {
			_, err := p.s.Retry(ctx, by, over.ID, jobs.RetryRequest{Kind: jobs.Clear, Outcomes: []jobs.Outcome{jobs.Unsent}}, t.TempDir())
			return err
		},
		"undo": func(by audit.Actor) error {
			_, err := p.s.Undo(ctx, by, over.ID, jobs.UndoRequest{Policy: snapshot.Merge}, t.TempDir())
			return err
		},
		"decide": func(by audit.Actor) error {
			_, err := p.s.Decide(ctx, by, over.ID, jobs.Leave)
			return err
		},
	}
}

func TestJobsOfOthersAreActedOnAsSet(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		p := newPeople(t, s)
		stops := func(name string) bool { return name == "pause" || name == "cancel" }
		for _, set := range []struct{ stop, run bool }{{true, false}, {false, false}, {false, true}, {true, true}} {
			free(t, s)
			require.NoError(t, s.UpdateSettings(ctx, p.adam, jobstest.App.ID, func(to *jobs.Settings) {
				to.OthersStop, to.OthersRun, to.Snapshot = set.stop, set.run, true
			}))
			for name, do := range p.othersActions(t) {
				allowed := set.run && !stops(name) || set.stop && stops(name)
				err := do(p.omar)
				require.Equal(t, !allowed, jobs.FaultOthers.Is(err), "%s with %v: %v", name, set, err)
			}
			for _, by := range []audit.Actor{p.olga, p.adam} { // her own; and an admin
				for name, do := range p.othersActions(t) {
					require.False(t, jobs.FaultOthers.Is(do(by)), "%s by %s", name, by.Name)
				}
			}
		}
	})
}

// A person's role is asked for in the transaction: who was an admin when the request began
// is an operator now.
func TestJobsOfOthersAreForAdminsOfNow(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		p := newPeople(t, s)
		second, err := s.Users.Create(ctx, operator, "ada", "admin", "hash")
		require.NoError(t, err)
		by := p.signIn(t, second, "one")
		require.NoError(t, s.Users.SetRole(ctx, p.adam, second.ID, "operator"))
		require.NoError(t, s.UpdateSettings(ctx, p.adam, jobstest.App.ID, func(to *jobs.Settings) { to.OthersRun = false }))
		j := p.draft(t, p.olga, 3)
		require.True(t, jobs.FaultOthers.Is(p.start(by, j)))
		require.NoError(t, p.start(p.adam, j))
	})
}
