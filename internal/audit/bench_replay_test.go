package audit_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store"
)

// governed is a log in which every entry matters to the replay: of ten entries, one is a
// sign-in, and eight are the life of a job.
func governed(seq int64) audit.Entry {
	user := fmt.Sprintf("u%d", (seq-1)/10%auditActors)
	by := audit.Actor{ID: user, Name: user, Role: "operator", SignedIn: audit.ByPassword, Session: fmt.Sprintf("s%d", (seq-1)/10)}
	e := audit.Entry{At: auditTime(seq), Actor: by, App: "Chat (production)"}
	if seq <= 10*auditActors {
		e.Actor = audit.System
		if e.Code = audit.SignedOut; seq <= auditActors {
			e.Code, e.Target = audit.UserCreated, fmt.Sprintf("u%d", seq-1)
			e.Details = map[string]any{"user": e.Target, "role": "operator"}
		}
		return e
	}
	life := []struct {
		code  audit.Code
		state jobs.State
	}{{audit.SignInSucceeded, ""}, {audit.JobUploaded, jobs.Reading}, {audit.JobRead, jobs.Draft}, {audit.JobStarted, jobs.Queued},
		{audit.JobPaused, jobs.Paused}, {audit.JobResumed, jobs.Queued}, {audit.JobFinished, jobs.Finished},
		{audit.JobSealed, jobs.Finished}, {audit.ResultsDownloaded, jobs.Finished}, {audit.TagsRead, ""}}[(seq-1)%10]
	if e.Code = life.code; life.state != "" {
		e.JobID = fmt.Sprintf("job%07d", seq/10)
		details, err := json.Marshal(jobs.Summary(
			jobs.Job{ID: e.JobID, State: life.state, Kind: jobs.Clear, FileName: "churned.csv", Rows: 99, Accounts: 99}))
		if err == nil {
			err = json.Unmarshal(details, &e.Details) // as they are read from the log
		}
		if err != nil {
			panic(err)
		}
	}
	if e.Code == audit.JobFinished || e.Code == audit.JobSealed || e.Code == audit.JobRead {
		e.Actor = audit.System
	}
	return e
}

// What it costs to replay the log beside verifying it.
func benchmarkAuditReplay(b *testing.B, engine string) {
	s := jobstest.OpenBench(b, engine)
	require.NoError(b, s.Audit.Fill(ctx, auditEntries, governed))
	verify := func(replays ...audit.Replay) (took time.Duration) {
		began := time.Now()
		require.NoError(b, s.DB.ReadTx(ctx, func(tx *store.Tx) error {
			var v audit.Verified
			_, err := s.Audit.VerifyIn(ctx, tx, audit.Proofs{}, &v, replays...)
			require.Empty(b, v.Wrong)
			return err
		}))
		return time.Since(began)
	}
	for b.Loop() {
		alone := min(verify(), verify())
		with := min(verify(auth.NewReplay(), jobs.NewReplay()), verify(auth.NewReplay(), jobs.NewReplay()))
		b.ReportMetric(alone.Seconds(), "s-alone")
		b.ReportMetric(100*(with.Seconds()/alone.Seconds()-1), "%-replay")
		b.ReportMetric(float64(jobstest.Peak(func() { verify(auth.NewReplay(), jobs.NewReplay()) }))/(1<<20), "MiB-heap")
	}
}
