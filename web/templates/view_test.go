package templates

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/jobs"
	"tagsweep/web/templates/messages"
)

func TestProgressBarShowsEveryOutcome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts, present := jobs.Counts{}, 0
		for _, o := range jobs.Outcomes {
			counts[o] = rapid.Int64Range(0, 10).Draw(t, string(o))
			if rapid.Bool().Draw(t, "many") {
				counts[o] *= rapid.Int64Range(1, 1_000_000).Draw(t, "times")
			}
			if counts[o] > 0 {
				present++
			}
		}
		bar := barSlices(counts)
		require.Len(t, bar, present)
		at := int64(0)
		for _, s := range bar {
			require.Equal(t, at, s.from)
			require.GreaterOrEqual(t, s.to-s.from, int64(4), "%v", counts)
			at = s.to
		}
		if present > 0 {
			require.Equal(t, int64(1000), at, "%v", counts)
		}
	})
}

func TestEnvironmentIsUnsafeByDefault(t *testing.T) {
	for environment, want := range map[string]string{
		"production": "production", "": "production", "Production": "production", "Simulator": "simulator", "demo": "simulator",
		"test": "test", "staging": "test", "华南": "unknown", "prod-2": "unknown",
	} {
		v := View{Text: messages.English, App: jobs.App{Environment: environment}}
		require.Equal(t, want, v.Environment(), environment)
		require.NotEmpty(t, v.EnvironmentName())
	}
}

func TestTimeLeftOnlyWhenKnown(t *testing.T) {
	j := JobView{Job: jobs.Job{Kind: jobs.Clear, State: jobs.Running, Counts: jobs.Counts{jobs.Waiting: 9_950, jobs.Sending: 50}}, Rate: 50}
	left, known := j.Left()
	require.True(t, known)
	require.Equal(t, 2*time.Second, left)
	j.Job.Snapshot = true
	left, _ = j.Left()
	require.Equal(t, 4*time.Second, left, "every batch is read before it is sent")
	for _, change := range []func(*JobView){
		func(j *JobView) { j.Rate = 0 },
		func(j *JobView) { j.Job.State = jobs.Paused },
		func(j *JobView) { j.Job.Counts = jobs.Counts{jobs.InDoubt: 100} },
	} {
		other := j
		change(&other)
		_, known := other.Left()
		require.False(t, known)
	}
}

func TestElapsedIsNeverNegative(t *testing.T) {
	started := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	job := jobs.Job{State: jobs.Cancelled, StartedAt: started, StartAt: started.Add(time.Hour), FinishedAt: started.Add(time.Minute)}
	_, known := JobView{Job: job, Now: started.Add(2 * time.Hour)}.Elapsed()
	require.False(t, known, "a job that was cancelled before its time took none")
	job.FinishedAt = started.Add(2 * time.Hour)
	elapsed, known := JobView{Job: job, Now: started.Add(9 * time.Hour)}.Elapsed()
	require.True(t, known)
	require.Equal(t, time.Hour, elapsed)
}
