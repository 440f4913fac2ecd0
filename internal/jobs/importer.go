package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"tagsweep/internal/accounts"
	"tagsweep/internal/fault"
	"tagsweep/internal/heavy"
)

// Import is a job whose file is to be imported.
type Import struct {
	Job
	Reader     string // the token of whoever imports it
	File       *io.SectionReader
	Choices    accounts.Choices        // what a person said about this file
	Understood *accounts.Understanding // it is to be parsed exactly as before

	untouchable map[string]struct{} // the protected accounts of the app
	planned     planDigest
}

// Mapping is what a person said about an earlier file with the same header.
type Mapping struct {
	Choices accounts.Choices
	Header  []string // the header the choices led to
	By      string
	At      time.Time
}

// ImportSlice is a part of what was parsed. Slices are small, so that running
// jobs and pages never wait long behind one.
type ImportSlice struct {
	SetAsides []SetAside
	Batches   []PlannedBatch
	Names     []Names
	Read      int   // thousandths of the work
	Rows      int64 // parsed so far
}

// Imported is what a file came to.
type Imported struct {
	Understanding  accounts.Understanding
	Mapping        *Mapping // when it decided how the file was parsed
	Rows, Accounts int64
	Groups         []SetAsideGroup
	Unusual        Unusual
}

// Unusual counts the rows whose account holds characters that are allowed and
// rare, so that it may not be what somebody meant, and names the first ones.
type Unusual struct {
	Rows  int64   `json:"rows"`
	First []Named `json:"first"`
}

// SetAsideGroup counts the rows set aside for one reason.
type SetAsideGroup struct {
	Kind   SetAsideKind
	Reason string // an accounts.Reason; "" for other kinds than Rejected
	Rows   int64
	First  []int64 // the numbers of the first ten
}

// ErrImportGone ends an import whose job was cancelled or taken over.
var ErrImportGone = errors.New("jobs: the import is no longer this importer's")

// FaultImport is for a file that a defect of the program keeps from being imported.
var FaultImport = fault.Declare(fault.Invalid, "file.defect",
	"The file could not be read because of a defect in Tagsweep. No accounts were imported. Save it as “CSV UTF-8” "+
		"and upload it again, and tell an admin the job ID.")

// Importer imports uploaded files into drafts, and makes the inspections of what has
// ended, in the background.
type Importer struct {
	Jobs    *Jobs
	TempDir string // for sorting; "" = the system's
	Log     *slog.Logger
	Heavy   *heavy.Limits // whose processors importing shares; nil: none

	beforeSave func() error // tests let something happen between two slices
}

// smallBytes is how large a file may be that never waits behind larger ones.
const smallBytes = 8 << 20

// importIdle is how long an upload waits at most to be seen; looking costs little.
const importIdle = 50 * time.Millisecond

// Run imports files until ctx ends: one of any size at a time, and beside it one
// small one. What it leaves unfinished the next Run imports from its beginning.
func (i *Importer) Run(ctx context.Context) error {
	var imports errgroup.Group
	for _, most := range []int64{0, smallBytes} {
		imports.Go(func() error { i.loop(ctx, most); return nil })
	}
	return imports.Wait()
}

func (i *Importer) loop(ctx context.Context, most int64) {
	for ctx.Err() == nil {
		wait := importIdle
		read, err := i.Next(ctx, most)
		if !read && err == nil && most == 0 {
			read, err = i.Jobs.DeriveInspection(ctx, i.TempDir)
		}
		switch {
		case read:
			wait = 0
		case err != nil && ctx.Err() == nil:
			i.Log.Error("a file could not be imported yet; it will be tried again", "err", err)
			wait = 2 * time.Second
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// Next imports one file of at most so many bytes (0: any), if one waits.
func (i *Importer) Next(ctx context.Context, mostBytes int64) (read bool, err error) {
	task := i.Heavy.Background()
	defer task.End()
	ctx = heavy.With(ctx, task)
	im, err := i.Jobs.ClaimImport(ctx, mostBytes)
	if err != nil || im == nil {
		return false, err
	}
	if err := task.Work(ctx); err != nil {
		return false, err
	}
	imported, err := i.parse(ctx, im)
	task.Rest()
	if err == nil {
		err = i.Jobs.FinishImport(ctx, im, imported)
	}
	if f, known := errors.AsType[*fault.Error](err); known && f.Kind != fault.Unavailable { // else it is not the file
		i.Log.Warn("a file was refused", "job", im.ID, "fault", f.Code, "cause", f.Cause)
		err = i.Jobs.RefuseImport(ctx, im, f)
	}
	if errors.Is(err, ErrImportGone) {
		return true, nil // the next ClaimImport removes what was imported
	}
	if err != nil {
		return false, fmt.Errorf("job %s: %w", im.ID, err)
	}
	return true, nil
}

// parse keeps a defect that one file brings to light from ending the console.
func (i *Importer) parse(ctx context.Context, im *Import) (read Imported, err error) {
	defer func() {
		if defect := recover(); defect != nil {
			i.Log.Error("parsing a file panicked", "job", im.ID, "panic", defect, "stack", string(debug.Stack()))
			err = FaultImport.With()
		}
	}()
	rows, mapping, err := i.open(ctx, im)
	if err != nil {
		return read, err
	}
	defer rows.Close()
	p := &parsing{Importer: i, im: im, rows: rows}
	p.imported = Imported{Understanding: rows.Understanding(), Mapping: mapping}
	err = p.run(ctx)
	if im.Understood == nil { // else no choice was looked at, and what was asked stays asked
		p.imported.Understanding = rows.Understanding()
		p.imported.Understanding.Unsure = rows.Unsure()
	}
	return p.imported, err
}

// open detects how the file is to be read, unless a person said it, of this
// file or of an earlier one with the same header.
func (i *Importer) open(ctx context.Context, im *Import) (*accounts.Reader, *Mapping, error) {
	options := accounts.Options{AccountBytes: im.AccountBytes, Tags: im.tagColumn(), Choices: im.Choices, Understood: im.Understood,
		TempDir: i.TempDir}
	detected, err := accounts.Open(im.File, options)
	if err != nil || im.Understood != nil || !im.Choices.IsZero() {
		return detected, nil, err
	}
	mapped, mapping, err := i.openMapped(ctx, im, detected.Understanding().Shape)
	if err != nil || mapped != nil {
		return mapped, mapping, errors.Join(err, detected.Close())
	}
	return detected, nil, nil
}

// openMapped opens a file as an earlier one; nil when there is none, or when
// what fitted that one does not lead to the same header here.
func (i *Importer) openMapped(ctx context.Context, im *Import, shape string) (*accounts.Reader, *Mapping, error) {
	if shape == "" {
		return nil, nil, nil
	}
	mapping, err := i.Jobs.Mapping(ctx, im, shape)
	if err != nil || mapping == nil {
		return nil, nil, err
	}
	// The file may come in another encoding, or without the lines above its header.
	said := mapping.Choices
	for _, choices := range []accounts.Choices{
		said, {Header: said.Header, Column: said.Column, TagColumn: said.TagColumn, Rows: said.Rows},
	} {
		if choices.IsZero() {
			break
		}
		rows, err := accounts.Open(im.File, accounts.Options{AccountBytes: im.AccountBytes, Tags: im.tagColumn(), Choices: choices,
			TempDir: i.TempDir})
		switch {
		case fault.KindOf(err) != 0:
			continue
		case err != nil:
			return nil, nil, err
		}
		// Lines above the table are not rows: without the header none may be taken for such.
		header := rows.Understanding().Header
		if slices.Equal(header, mapping.Header) && (header != nil || choices.FirstLine <= 1) {
			mapping.Choices = choices
			return rows, mapping, nil
		}
		if err := rows.Close(); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, nil
}
