package jobs

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
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
	case s.signer == nil:
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
	if p.Key, err = s.LogKey(ctx); err != nil {
		return nil, err
	}
	entries, err := s.evidenceEntries(ctx, j.ID, sealed)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		p.Job.Entries = append(p.Job.Entries, e.seq)
	}
	last, err := s.recordEvidence(ctx, by, j, p)
	if err != nil {
		return nil, err
	}
	if err := s.Checkpoint(ctx); err != nil {
		return nil, err
	}
	signed, err := s.LastCheckpoint(ctx, last)
	p.Checkpoint = signed.Note
	p.Entries = s.proved(ctx, append(entries, packed{seq: last}), signed.Size)
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
		seq, err = s.recorded(ctx, tx, audit.Entry{Code: audit.EvidenceDownloaded, Actor: by, JobID: j.ID, Target: j.FileName,
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

// packed is an entry of a pack.
type packed struct {
	seq    int64
	erased bool
}

// evidenceEntries lists the entries of a job, and those that say why some of them
// are gone or have lost their personal part.
func (s *Jobs) evidenceEntries(ctx context.Context, jobID string, sealed int64) (all []packed, err error) {
	all, err = store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (p packed, err error) {
		var personal string
		err = row.Scan(&p.seq, &personal)
		return packed{p.seq, personal == ""}, err
	}, `SELECT seq, personal FROM audit_lines WHERE job_id <> '' AND job_id = $1 ORDER BY seq`, jobID)
	if err != nil {
		return nil, err
	}
	removed, err := s.removedBefore(ctx, sealed)
	if err != nil {
		return nil, err
	}
	all = append(all, removed...)
	erased, err := s.erasures(ctx, all)
	all = append(all, erased...)
	slices.SortFunc(all, func(a, b packed) int { return cmp.Compare(a.seq, b.seq) })
	return all, err
}

// removedBefore returns the entry that says that some of those which a seal
// names were removed, if they were.
func (s *Jobs) removedBefore(ctx context.Context, sealed int64) ([]packed, error) {
	const query = `SELECT seq, line, personal FROM audit_lines WHERE `
	seal, err := scanEntry(s.db.Reader().QueryRowContext(ctx, query+`seq = $1`, sealed))
	if err != nil {
		return nil, err
	}
	approvals, _ := seal.Details["approvals"].(string)
	first, _, _ := strings.Cut(approvals, ", ")
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return nil, nil // who checks the pack is told
	}
	e, err := scanEntry(s.db.Reader().QueryRowContext(ctx, query+`code = $1 ORDER BY seq DESC LIMIT 1`, audit.LogRemoved))
	if errors.Is(err, sql.ErrNoRows) || err == nil && wholeNumber(e.Details["to"]) < from {
		return nil, nil
	}
	return []packed{{e.Seq, e.Erased}}, err
}

// erasures returns the entries that say that the personal parts of some others
// were erased. Each may have been erased by a later one.
func (s *Jobs) erasures(ctx context.Context, of []packed) (found []packed, err error) {
	var erased []int64
	for _, p := range of {
		if p.erased {
			erased = append(erased, p.seq)
		}
	}
	if len(erased) == 0 {
		return nil, nil
	}
	all, err := store.Collect(ctx, s.db.Reader(), scanEntry, `SELECT seq, line, personal FROM audit_lines WHERE code = $1 AND seq > $2 ORDER BY seq`, audit.LogErased, slices.Min(erased))
	for _, e := range all {
		text, _ := e.Details["entries"].(string)
		said, err := readRanges(text)
		if err != nil {
			return nil, err
		}
		said = said.merged()
		if !slices.ContainsFunc(erased, func(seq int64) bool { return said.firstOutside(span{seq, seq}) == 0 }) {
			continue
		}
		found = append(found, packed{e.Seq, e.Erased})
		if e.Erased {
			erased = append(erased, e.Seq)
		}
	}
	return found, err
}

// proved reads entries with their proofs. One whose personal part was erased
// since it was listed ends it: the pack would lack the entry that says so.
func (s *Jobs) proved(ctx context.Context, entries []packed, size int64) iter.Seq2[evidence.Entry, error] {
	return func(yield func(evidence.Entry, error) bool) {
		for _, p := range entries {
			var e evidence.Entry
			err := s.db.Reader().QueryRowContext(ctx, `SELECT line, personal FROM audit_lines WHERE seq = $1`, p.seq).Scan(&e.Line, &e.Personal)
			if err == nil && e.Personal == "" && !p.erased {
				err = fmt.Errorf("store: entry %d of the log was erased while a pack was made", p.seq)
			}
			if err == nil {
				e.Proof, err = s.Inclusion(ctx, p.seq, size)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
