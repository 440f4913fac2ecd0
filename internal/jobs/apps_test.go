package jobs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// otherApp is one that shares the database.
var otherApp = jobs.App{ID: "1400000009", Name: "Live chat", Environment: "production", SDKAppID: 1400000009,
	Domain: "https://live.example", Family: "all_member_push", Identifier: "administrator", Rate: 97}

// ofOtherApp uploads a file for the other app.
func ofOtherApp(t *testing.T, s *jobstest.Console) jobs.Job {
	t.Helper()
	require.NoError(t, s.SaveApp(ctx, otherApp))
	j, err := jobstest.Draft(s, operator, jobs.Upload{AppID: otherApp.ID}, jobstest.Lines(3))
	require.NoError(t, err)
	return j
}

func TestJobOfAnotherAppIsOnlyStoppedHere(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		draft := ofOtherApp(t, s)
		scheduled, err := s.Start(ctx, operator, ofOtherApp(t, s).ID, jobs.StartRequest{Confirm: 3, At: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		paused := jobstest.Start(t, s, ofOtherApp(t, s))
		_, err = s.Act(ctx, operator, paused.ID, jobs.Pause)
		require.NoError(t, err)
		queued := jobstest.Start(t, s, ofOtherApp(t, s))
		ended, err := s.Act(ctx, operator, jobstest.Start(t, s, ofOtherApp(t, s)).ID, jobs.Cancel)
		require.NoError(t, err)

		s.Serve(jobstest.App.ID)
		size, err := s.Audit.Size(ctx)
		require.NoError(t, err)
		for what, do := range map[string]func() error{
			"start":   func() error { _, err := s.Start(ctx, operator, draft.ID, jobs.StartRequest{Confirm: 3}); return err },
			"read":    func() error { _, err := s.Reread(ctx, operator, draft.ID, accounts.Choices{Column: 1}); return err },
			"answer":  func() error { _, err := s.Answer(ctx, operator, draft.ID, accounts.Choices{Column: 1}); return err },
			"now":     func() error { _, err := s.Act(ctx, operator, scheduled.ID, jobs.StartNow); return err },
			"resume":  func() error { _, err := s.Resume(ctx, operator, paused.ID, ""); return err },
			"resumed": func() error { _, err := s.Act(ctx, operator, paused.ID, jobs.Resume); return err },
			"decide":  func() error { _, err := s.Decide(ctx, operator, paused.ID, jobs.Retry); return err },
			"first":   func() error { return s.PutFirst(ctx, operator, queued.ID, true) },
			"erase":   func() error { return s.Erase(ctx, operator, ended.ID) },
			"retry": func() error {
				_, err := s.Retry(ctx, operator, ended.ID, jobs.RetryRequest{Outcomes: []jobs.Outcome{jobs.Unsent}}, "")
				return err
			},
			"inspects": func() error {
				_, err := s.Retry(ctx, operator, draft.ID, jobs.RetryRequest{Kind: jobs.Inspect}, "")
				return err
			},
		} {
			err := do()
			require.True(t, jobs.FaultOtherApp.Is(err), "%s: %v", what, err)
			require.ErrorContains(t, err, "Live chat (production)", what)
		}
		grown, err := s.Audit.Size(ctx)
		require.NoError(t, err)
		require.Equal(t, size, grown, "nothing was done that the log would hold")
		for id, state := range map[string]jobs.State{draft.ID: jobs.Draft, paused.ID: jobs.Paused, queued.ID: jobs.Queued} {
			require.Equal(t, state, jobstest.JobNow(t, s, id).State)
		}
		_, err = s.Act(ctx, operator, queued.ID, jobs.Pause)
		require.NoError(t, err, "everybody may stop")
		for _, id := range []string{draft.ID, scheduled.ID, paused.ID, queued.ID} {
			_, err = s.Act(ctx, operator, id, jobs.Cancel)
			require.NoError(t, err)
		}
	})
}

func TestStrandedJobsAreCounted(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		ofOtherApp(t, s) // a draft waits for nobody
		jobstest.Start(t, s, ofOtherApp(t, s))
		jobstest.Started(t, s, 2)
		stranded, err := s.Stranded(ctx)
		require.NoError(t, err)
		require.Empty(t, stranded, "a command makes no calls of any app")
		s.Serve(jobstest.App.ID)
		stranded, err = s.Stranded(ctx)
		require.NoError(t, err)
		require.Equal(t, []jobs.Stranded{{AppID: otherApp.ID, Jobs: 1}}, stranded)

		// Another console serves it, which can only be where consoles share the database.
		require.NoError(t, s.DB.Exec(ctx, `INSERT INTO consoles (id, app_id, seen_at) VALUES ('c2', $1, $2)`,
			otherApp.ID, time.Now().UnixMilli()))
		stranded, err = s.Stranded(ctx)
		require.NoError(t, err)
		require.Equal(t, s.DB.Shared(), len(stranded) == 0)
		require.NoError(t, s.DB.Exec(ctx, `UPDATE consoles SET seen_at = $1`, time.Now().Add(-2*time.Minute).UnixMilli()))
		stranded, err = s.Stranded(ctx)
		require.NoError(t, err)
		require.Len(t, stranded, 1, "and it ended")
	})
}

// Two consoles that say the same number and mean different services would share the jobs.
func TestAppIsServedAtOneAddressOnly(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		require.NoError(t, s.SaveApp(ctx, otherApp))
		beats := func(ago time.Duration) {
			require.NoError(t, s.DB.Exec(ctx, `
				INSERT INTO consoles (id, app_id, seen_at) VALUES ('c1', $1, $2)
				ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`, otherApp.ID, s.DB.Now().Add(-ago).UnixMilli()))
		}
		address, environment, name := otherApp, otherApp, otherApp
		address.Domain, environment.Environment, name.Name = "https://staging.example", "staging", "Chat"
		beats(time.Second)
		for _, a := range []jobs.App{address, environment} {
			err := s.SaveApp(ctx, a)
			require.Equal(t, s.DB.Shared(), jobs.FaultServedOtherwise.Is(err), "%v", err) // SQLite has one console
		}
		if s.DB.Shared() {
			kept, err := s.App(ctx, otherApp.ID)
			require.NoError(t, err)
			require.Equal(t, "production", kept.Environment)
		}
		require.NoError(t, s.SaveApp(ctx, otherApp), "a second console of the same app")
		require.NoError(t, s.SaveApp(ctx, name), "what it is called may change")
		beats(10 * time.Second)
		require.NoError(t, s.SaveApp(ctx, address), "the other is gone")
	})
}

// What was started at one address is not sent to another.
func TestAnAppStaysWhereItsJobsAre(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		address, environment, name := otherApp, otherApp, otherApp
		address.Domain, environment.Environment, name.Name = "https://staging.example", "staging", "Chat"
		moves := func(refused bool) {
			t.Helper()
			for _, a := range []jobs.App{address, environment} {
				err := s.SaveApp(ctx, a)
				require.Equal(t, refused, jobs.FaultOpenElsewhere.Is(err), "%v", err)
				if refused {
					require.ErrorContains(t, err, "(production), at https://live.example")
				} else {
					require.NoError(t, err)
				}
			}
			require.NoError(t, s.SaveApp(ctx, name), "what it is called may change")
			kept, err := s.App(ctx, otherApp.ID)
			require.NoError(t, err)
			require.Equal(t, []string{"production", otherApp.Domain}, []string{kept.Environment, kept.Domain})
		}
		draft := ofOtherApp(t, s)
		moves(false)
		j, err := s.Start(ctx, operator, draft.ID, jobs.StartRequest{Confirm: 3, At: time.Now().Add(time.Hour)})
		require.NoError(t, err)
		moves(true)
		_, err = s.Act(ctx, operator, j.ID, jobs.Pause)
		require.NoError(t, err)
		moves(true)
		_, err = s.Act(ctx, operator, j.ID, jobs.Cancel)
		require.NoError(t, err)
		moves(false)
	})
}
