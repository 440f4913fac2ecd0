package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/evidence"
	"tagsweep/internal/store"
)

// Evidence gathers the evidence pack of a sealed job. The log says first who
// takes it, in an entry that commits to it and is its last.
func (s *Jobs) Evidence(ctx context.Context, by audit.Actor, jobID string) (*evidence.Pack, error) {
	p, err := s.evidence(ctx, by, jobID)
	return p, store.AsTrouble(err)
}

func (s *Jobs) evidence(ctx context.Context, by audit.Actor, jobID string) (*evidence.Pack, error) {
	j, err := s.Get(ctx, jobID)
	if err != nil {
		return nil, err
	}
	sealed, err := s.Sealed(ctx, j.ID)
	switch {
	case err != nil:
		return nil, err
	case j.FinishedAt.IsZero() || j.StartedAt.IsZero():
		return nil, evidence.FaultNotEnded.With()
	case sealed == 0:
		return nil, evidence.FaultNotSealed.With()
	case !s.log.Signs():
		return nil, evidence.FaultNoKey.With()
	}
	p := &evidence.Pack{
		Rows:  func(to io.Writer) error { return s.WriteRows(ctx, to, j.ID) },
		Calls: func(to io.Writer) error { return s.WriteCalls(ctx, to, j.ID) },
	}
	if p.Job, err = s.evidenceJob(ctx, j, sealed); err != nil {
		return nil, err
	}
	if p.File, err = s.upload(ctx, j.FileSHA256, j.FileBytes); err != nil {
		return nil, err
	}
	if p.Key, err = s.log.Key(ctx); err != nil {
		return nil, err
	}
	entries, err := s.log.OfJob(ctx, j.ID, sealed)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		p.Job.Entries = append(p.Job.Entries, e.Seq)
	}
	last, err := s.recordEvidence(ctx, by, j, p)
	if err != nil {
		return nil, err
	}
	if err := s.log.Checkpoint(ctx); err != nil {
		return nil, err
	}
	signed, err := s.log.LastCheckpoint(ctx, last)
	p.Checkpoint = signed.Note
	p.Entries = s.log.Proved(ctx, append(entries, audit.Listed{Seq: last}), signed.Size)
	return p, err
}

// Sealed returns the number of the entry that seals a job; 0 when none does yet.
func (s *Jobs) Sealed(ctx context.Context, jobID string) (seq int64, err error) {
	err = s.db.Reader().QueryRowContext(ctx, `SELECT sealed FROM jobs WHERE id = $1`, jobID).Scan(&seq)
	return seq, err
}

// recordEvidence returns the number of the entry that commits to the pack.
func (s *Jobs) recordEvidence(ctx context.Context, by audit.Actor, j Job, p *evidence.Pack) (seq int64, err error) {
	sum, err := p.Describe()
	if err != nil {
		return 0, err
	}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		seq, err = s.log.Append(ctx, tx, audit.Entry{Code: audit.EvidenceDownloaded, Actor: by, JobID: j.ID, Target: j.FileName,
			Details: map[string]any{"file": j.FileName, "sha256": j.FileSHA256, "job_sha256": sum}})
		return err
	})
	return seq, err
}

func (s *Jobs) evidenceJob(ctx context.Context, j Job, sealed int64) (e evidence.Job, err error) {
	e = evidence.Job{
		ID: j.ID, Kind: string(j.Kind), State: string(j.State), Note: j.Note, File: evidence.File{Name: j.FileName, SHA256: j.FileSHA256, Bytes: j.FileBytes},
		Rows: j.Rows, Rejected: j.Rejected, Duplicate: j.Duplicate, Protected: j.Protected, Accounts: j.Accounts, Outcomes: map[string]int64{},
		Batches: j.Batches, Calls: j.Calls, CreatedBy: j.CreatedBy, CreatedAt: j.CreatedAt, StartedBy: j.StartedBy, StartedAt: j.StartedAt,
		StartAt: orNil(j.StartAt), FinishedAt: j.FinishedAt, Source: j.Source, Policy: string(j.Policy), OnlyTags: j.Only, Snapshot: j.Snapshot,
		VerifyShare: int64(j.Verify.Share), VerifySeed: j.Verify.Seed, Sealed: sealed, Entries: []int64{},
	}
	for _, o := range Outcomes {
		e.Outcomes[string(o)] = j.Counts[o]
	}
	err = s.db.Reader().QueryRowContext(ctx, `SELECT name, environment, sdkappid, domain FROM apps WHERE id = $1`, j.AppID).
		Scan(&e.App.Name, &e.App.Environment, &e.App.SDKAppID, &e.App.Domain)
	if err != nil {
		return e, err
	}
	var understanding, choices string
	var earlier, at int64
	err = s.db.Reader().QueryRowContext(ctx, `SELECT understanding, choices, understood_by, understood_at, understood_earlier FROM jobs WHERE id = $1`, j.ID).
		Scan(&understanding, &choices, &e.Reading.By, &at, &earlier)
	e.Reading.Understood, e.Reading.Said = json.RawMessage(understanding), json.RawMessage(cmp.Or(choices, "{}"))
	e.Reading.At, e.Reading.Earlier = orNil(store.FromMillis(at)), earlier != 0
	return e, err
}

func orNil(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
