package jobs

import (
	"context"
	"encoding/json"
	"io"
	"slices"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Upload is an upload that is to become a draft.
type Upload struct {
	AppID        string
	Kind         Kind
	Note         string
	FileName     string
	AccountBytes int              // the longest account, see accounts.Options
	Choices      accounts.Choices // what was said about the file when it was uploaded
	File         *io.SectionReader
}

// FaultKind is for a job of a kind there is none of, or that needs another job
// to be made of.
var FaultKind = fault.Declare(fault.Invalid, "job.kind",
	"No job was created: the operation does not exist, or it cannot be used here. Choose one of the options on the "+
		"page.")

// Create keeps the file and makes a job whose file is to be imported. A file
// that cannot be parsed is refused: nothing is kept, and the caller records it.
func (s *Jobs) Create(ctx context.Context, by audit.Actor, n Upload) (created Job, err error) {
	if !slices.Contains(Kinds, n.Kind) || n.Kind == Restore {
		return created, FaultKind.With()
	}
	if !n.Kind.Tagged() {
		n.Choices.TagColumn = 0
	}
	rows, err := accounts.Open(n.File, accounts.Options{AccountBytes: n.AccountBytes, Choices: n.Choices, Tags: n.Kind.Tagged(),
		TempDir: s.tempDir})
	if err == nil {
		err = rows.Close()
	}
	if err != nil {
		return created, err
	}
	var said Mapping
	layout := rows.Understanding()
	if !n.Choices.IsZero() {
		said = Mapping{Choices: n.Choices, Header: layout.Header, By: store.Clean(by.Name, 100), At: s.db.Now()}
	}
	return s.insertJob(ctx, by, n, derivation{}, said, layout.Shape, func(created Job) audit.Entry {
		details := map[string]any{"kind": created.Kind, "file": created.FileName, "sha256": created.FileSHA256,
			"bytes": created.FileBytes, "note": created.Note}
		if !n.Choices.IsZero() {
			details["choices"] = n.Choices
		}
		return audit.Entry{Code: audit.JobUploaded, Details: details}
	})
}

// tagColumn reports whether the file of the job names tags beside its accounts.
func (j Job) tagColumn() bool { return j.Kind.Tagged() && j.Source == "" }

// insertJob stores a file and the job whose file it is, which may be derived. What was
// said of the file is kept for all of a shape; "" is no shape. Entry is what the log says.
func (s *Jobs) insertJob(ctx context.Context, by audit.Actor, n Upload, d derivation, said Mapping, shape string,
	entry func(Job) audit.Entry) (created Job, err error) {
	now := s.db.Now()
	id, only, choices := store.NewID(now), []byte(nil), []byte(nil)
	if d.only != nil {
		only, err = json.Marshal(d.only)
	}
	if err == nil && !said.Choices.IsZero() {
		choices, err = json.Marshal(said.Choices)
	}
	if err != nil {
		return created, err
	}
	err = s.storeUpload(ctx, n.File, func(tx *store.Tx, digest string) error {
		mapping := ""
		if d.of.ID != "" {
			if err = mayDerive(ctx, tx, by, d.of); err != nil {
				return err
			}
		}
		created, err = scanJob(tx.QueryRowContext(ctx, `
			INSERT INTO jobs (id, app_id, kind, state, note, file_name, file_sha256, file_bytes, account_bytes, created_by, created_at,
				source, policy, only_tags, checks, choices, understood_by, understood_at, snapshot)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
				CASE WHEN CAST($3 AS TEXT) = 'clear' THEN (SELECT snapshot FROM apps WHERE id = $2) ELSE 1 END)
			RETURNING `+jobFields,
			id, n.AppID, n.Kind, Reading, store.Clean(n.Note, 1000), store.Clean(n.FileName, 300), digest, n.File.Size(), n.AccountBytes,
			store.Clean(by.Name, 100), store.Millis(now), d.of.ID, d.policy, string(only), d.checks,
			string(choices), said.By, store.Millis(said.At)))
		if err == nil && said.By != "" {
			mapping, err = saveMapping(ctx, tx, n.AppID, shape, said)
		}
		if err == nil && d.checks != "" {
			err = store.One(ctx, tx, errInspected, `UPDATE jobs SET verify_due = 0 WHERE id = $1 AND verify_due = 1`, d.of.ID)
		}
		if err == nil {
			err = s.snapshots.MakeKey(ctx, tx, id)
		}
		if err != nil {
			return err
		}
		e := entry(created)
		if mapping != "" {
			e.Details["mapping"] = mapping
		}
		e.Actor, e.JobID, e.Target = by, id, created.FileName
		return s.log.RecordIn(ctx, tx, e)
	})
	return created, err
}
