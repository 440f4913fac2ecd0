package evidence

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
)

// Pack collects the evidence pack of a sealed job. It first logs the download, in an
// entry that commits to the pack and is its last.
func (ev *Evidence) Pack(ctx context.Context, by audit.Actor, jobID string) (*Pack, error) {
	p, err := ev.gather(ctx, by, jobID)
	return p, store.AsTrouble(err)
}

func (ev *Evidence) gather(ctx context.Context, by audit.Actor, jobID string) (*Pack, error) {
	j, err := ev.jobs.Get(ctx, jobID)
	if err != nil {
		return nil, err
	}
	sealed, err := ev.jobs.Sealed(ctx, j.ID)
	if err == nil && !j.StartedAt.IsZero() {
		err = ev.jobs.CheckStart(ctx, ev.db.Reader(), j)
	}
	switch {
	case jobs.NotStarted(err):
		return nil, FaultNotStarted.Because(err)
	case err != nil:
		return nil, err
	case j.FinishedAt.IsZero() || j.StartedAt.IsZero():
		return nil, FaultNotEnded.With()
	case sealed == 0:
		return nil, FaultNotSealed.With()
	case !ev.log.Signs():
		return nil, FaultNoKey.With()
	}
	if err := ev.log.Paused(); err != nil {
		return nil, err
	}
	if signed, err := ev.log.SignedAt(ctx, sealed); err != nil || !signed {
		return nil, cmp.Or(err, error(FaultNoCheckpoint.With()))
	}
	p := &Pack{
		Rows:  func(to io.Writer) error { return ev.WriteRows(ctx, to, j.ID) },
		Calls: func(to io.Writer) error { return ev.WriteCalls(ctx, to, j.ID) },
	}
	if p.Job, err = ev.describe(ctx, j, sealed); err != nil {
		return nil, err
	}
	if p.File, err = ev.jobs.File(ctx, j); err != nil {
		return nil, err
	}
	if p.Key, err = ev.log.Key(ctx); err != nil {
		return nil, err
	}
	entries, err := ev.log.OfJob(ctx, j.ID, sealed)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		p.Job.Entries = append(p.Job.Entries, e.Seq)
	}
	last, err := ev.record(ctx, by, j, p)
	if err != nil {
		return nil, err
	}
	if err := ev.log.Checkpoint(ctx); err != nil {
		return nil, err
	}
	signed, err := ev.log.LastCheckpoint(ctx, last)
	p.Checkpoint = signed.Note
	p.Entries = ev.log.Proved(ctx, append(entries, audit.Listed{Seq: last}), signed.Size)
	return p, err
}

// record logs the download, and returns the number of the entry that commits to the pack.
func (ev *Evidence) record(ctx context.Context, by audit.Actor, j jobs.Job, p *Pack) (seq int64, err error) {
	sum, err := p.Describe()
	if err != nil {
		return 0, err
	}
	err = ev.db.Tx(ctx, func(tx *store.Tx) error {
		seq, err = ev.log.Append(ctx, tx, audit.Entry{Code: audit.EvidenceDownloaded, Actor: by, JobID: j.ID, Target: j.FileName,
			Details: map[string]any{"file": j.FileName, "sha256": j.FileSHA256, "job_sha256": sum}})
		return err
	})
	return seq, err
}

func (ev *Evidence) describe(ctx context.Context, j jobs.Job, sealed int64) (d Job, err error) {
	d = Job{
		ID: j.ID, Kind: string(j.Kind), State: string(j.State), Note: j.Note,
		File: File{Name: j.FileName, SHA256: j.FileSHA256, Bytes: j.FileBytes},
		Rows: j.Rows, Rejected: j.Rejected, Duplicate: j.Duplicate, Protected: j.Protected,
		Accounts: j.Accounts, Outcomes: map[string]int64{}, Batches: j.Batches, Calls: j.Calls,
		CreatedBy: j.CreatedBy, CreatedAt: j.CreatedAt, StartedBy: j.StartedBy, ApprovedBy: j.ApprovedBy, Emergency: j.Emergency,
		StartedAt: j.StartedAt,
		StartAt:   orNil(j.StartAt), FinishedAt: j.FinishedAt,
		Source: j.Source, Policy: string(j.Policy), OnlyTags: j.Only, Snapshot: j.Snapshot,
		VerifyShare: int64(j.Verify.Share), VerifySeed: j.Verify.Seed, Sealed: sealed, Entries: []int64{},
	}
	for _, o := range jobs.Outcomes {
		d.Outcomes[string(o)] = j.Counts[o]
	}
	app, err := ev.jobs.App(ctx, j.AppID)
	if err != nil {
		return d, err
	}
	d.App = App{Name: app.Name, Environment: app.Environment, SDKAppID: int64(app.SDKAppID), Domain: app.Domain}
	r, err := ev.jobs.RawReading(ctx, j.ID)
	d.Reading = Reading{Understood: json.RawMessage(r.Understood), Said: json.RawMessage(cmp.Or(r.Said, "{}")),
		By: r.By, At: orNil(r.At), Earlier: r.Earlier}
	return d, err
}

func orNil(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
