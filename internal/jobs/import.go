package jobs

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// importLease is how long an import stays its importer's after each slice.
const importLease = time.Minute

// ReleaseImports lets the imports of an earlier process be taken at once. Call
// it only where no other console can be importing.
func (s *Jobs) ReleaseImports(ctx context.Context) error {
	return s.db.Exec(ctx, `UPDATE jobs SET reader_until = 0 WHERE reader_until > 0`)
}

// ClaimImport returns the oldest import whose file has at most so many bytes (0: any) and that nobody imports,
// emptied of what an earlier import left; nil when there is none.
func (s *Jobs) ClaimImport(ctx context.Context, mostBytes int64) (*Import, error) {
	now := store.Millis(s.db.Now())
	// Without a lock first, since mostly there is none. A job that is no longer
	// reading but has a reader was cancelled: what was imported of it is removed.
	waiting, err := store.Column[string](ctx, s.db.Reader(), `
		SELECT id FROM jobs WHERE (state = 'reading' OR reader <> '') AND reader_until < $1
			AND (CAST($2 AS BIGINT) = 0 OR file_bytes <= $2)
		ORDER BY id LIMIT 1`, now, mostBytes)
	if err != nil || len(waiting) == 0 {
		return nil, err
	}
	im := &Import{Reader: store.NewID(s.db.Now())}
	var choices, understanding string
	err = s.db.Tx(ctx, func(tx *store.Tx) (err error) {
		im.Job, err = scanJob(store.ScanAlso(tx.QueryRowContext(ctx, `
			UPDATE jobs SET reader = $2, reader_until = $3, reading = '', read_done = 0, read_rows = 0, version = version + 1,
				row_count = 0, rejected = 0, duplicate = 0, protected = 0, accounts = 0, batches = 0, plan_sha256 = '',
				outcome_waiting = 0, outcome_cancelled = 0
			WHERE id = $1 AND (state = 'reading' OR reader <> '') AND reader_until < $4
			RETURNING choices, understanding, `+jobFields,
			waiting[0], im.Reader, store.Millis(s.db.Now().Add(importLease)), now), &choices, &understanding))
		return err
	})
	if err == nil {
		err = s.emptyJob(ctx, im)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows), errors.Is(err, ErrImportGone): // another console was quicker
		return nil, nil
	case err == nil && im.State != Reading:
		return nil, s.db.Exec(ctx,
			`UPDATE jobs SET reader = '', reader_until = 0 WHERE id = $1 AND reader = $2 AND state <> 'reading'`, im.ID, im.Reader)
	}
	if err == nil && choices != "" {
		err = json.Unmarshal([]byte(choices), &im.Choices)
	}
	if err == nil && understanding != "" {
		err = json.Unmarshal([]byte(understanding), &im.Understood)
	}
	if err == nil {
		im.untouchable, im.listVersion, err = s.ProtectedNames(ctx, s.db.Reader(), im.AppID)
	}
	if err == nil {
		im.File, err = s.File(ctx, im.Job)
	}
	return im, err
}

// emptyJob removes what an earlier import of the file left, a little at a time.
func (s *Jobs) emptyJob(ctx context.Context, im *Import) error {
	const atOnce = 2_000
	inParts := func(remove func(*store.Tx) (int64, error)) error {
		for {
			var removed int64
			err := s.db.Tx(ctx, func(tx *store.Tx) (err error) {
				if err = s.extendLease(ctx, tx, im, 0, 0); err == nil {
					removed, err = remove(tx)
				}
				return err
			})
			if err != nil || removed == 0 {
				return err
			}
		}
	}
	for _, t := range []struct{ name, key string }{{"set_asides", "row_number"}, {"set_aside_groups", "kind"}, {"batches", "number"},
		{"account_names", "first"}, {"planned_batches", "number"}, {"shared_accounts", "other_id"}} {
		err := inParts(func(tx *store.Tx) (int64, error) {
			return tx.Changed(ctx, `DELETE FROM `+t.name+` WHERE job_id = $1 AND `+t.key+` IN (
				SELECT `+t.key+` FROM `+t.name+` WHERE job_id = $1 ORDER BY `+t.key+` LIMIT $2)`, im.ID, atOnce)
		})
		if err != nil {
			return err
		}
	}
	err := inParts(func(tx *store.Tx) (int64, error) { return s.snapshots.RemoveWanted(ctx, tx, im.ID, atOnce) })
	if err != nil {
		return err
	}
	return s.db.Exec(ctx, `DELETE FROM shared_accounts WHERE other_id = $1`, im.ID)
}

// extendLease keeps the import for a while longer and shows how far it is. It returns
// ErrImportGone when the job has changed its state since it was claimed.
func (s *Jobs) extendLease(ctx context.Context, tx *store.Tx, im *Import, done int, rows int64) error {
	return store.One(ctx, tx, ErrImportGone, `
		UPDATE jobs SET read_done = $4, read_rows = $5, reader_until = $6, version = version + 1
		WHERE id = $1 AND reader = $2 AND state = $3`,
		im.ID, im.Reader, im.State, done, rows, store.Millis(s.db.Now().Add(importLease)))
}

// SaveSlice adds a part and keeps the import for a while longer.
func (s *Jobs) SaveSlice(ctx context.Context, im *Import, slice ImportSlice) error {
	var aside, planned, batches, names []any
	for _, a := range slice.SetAsides {
		aside = append(aside, im.ID, a.Row, a.Line, a.Kind, store.Clean(a.Value, 200), a.Reason, a.Repeats)
	}
	for _, b := range slice.Batches {
		size := len(b.Accounts)
		text := b.Text()
		im.planned.add(text)
		planned = append(planned, im.ID, b.Number, b.Accounts[0].Row, size, text)
		batches = append(batches, im.ID, b.Number, size, Waiting)
	}
	for _, n := range slice.Names {
		names = append(names, im.ID, []byte(n[0].Account), n.Text())
	}
	wanted, err := s.encryptWanted(ctx, im, slice.Batches)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		err := s.extendLease(ctx, tx, im, slice.Read, slice.Rows)
		for _, t := range []struct {
			into    string
			columns int
			rows    []any
		}{
			{`set_asides (job_id, row_number, line, kind, value, reason, repeats)`, 7, aside},
			{`planned_batches (job_id, number, first_row, size, accounts)`, 5, planned},
			{`batches (job_id, number, accounts, outcome)`, 4, batches},
			{`account_names (job_id, first, names)`, 3, names},
		} {
			if err == nil {
				err = store.InsertAll(ctx, tx, t.into, t.columns, t.rows)
			}
		}
		if err == nil {
			err = s.snapshots.SaveWanted(ctx, tx, im.ID, wanted)
		}
		return err
	})
}

// encryptWanted returns the tags of batches of a job that needs to be told tags, by batch.
func (s *Jobs) encryptWanted(ctx context.Context, im *Import, batches []PlannedBatch) (map[int64][]byte, error) {
	if !im.Told() || len(batches) == 0 {
		return nil, nil
	}
	key, err := s.snapshots.KeyOf(ctx, im.ID)
	encrypted := map[int64][]byte{}
	for _, b := range batches {
		wanted := make([]snapshot.Account, len(b.Accounts))
		for i, a := range b.Accounts {
			wanted[i] = snapshot.Account{Seq: b.First() + int64(i), Tags: a.Tags}
		}
		if err == nil {
			encrypted[b.Number], err = snapshot.Encrypt(key, snapshot.Wanted, im.ID, b.Number, wanted)
		}
	}
	return encrypted, err
}

// FinishImport compares the accounts with other jobs' and makes the draft.
func (s *Jobs) FinishImport(ctx context.Context, im *Import, read Imported) error {
	with := s.newComparison(im, read)
	for {
		err := with.compareMissing(ctx)
		if err == nil {
			err = s.db.Tx(ctx, func(tx *store.Tx) error { return s.finishImport(ctx, tx, im, read, with) })
		}
		if !errors.Is(err, errMoreToCompare) {
			return err
		}
	}
}

var errMoreToCompare = errors.New("jobs: another file was imported meanwhile")

func (s *Jobs) finishImport(ctx context.Context, tx *store.Tx, im *Import, read Imported, with *comparison) error {
	// One import of an app finishes at a time: of two, the later one knows of the earlier.
	_, err := tx.ExecContext(ctx, `UPDATE apps SET name = name WHERE id = (SELECT app_id FROM jobs WHERE id = $1)`, im.ID)
	if err != nil {
		return err
	}
	if more, err := with.missing(ctx, tx); err != nil || len(more) > 0 {
		return cmp.Or(err, errMoreToCompare)
	}
	understanding, err := json.Marshal(read.Understanding)
	unusual, failed := json.Marshal(read.Unusual)
	if err = cmp.Or(err, failed); err != nil {
		return err
	}
	aside := map[SetAsideKind]int64{}
	for _, g := range read.Groups {
		aside[g.Kind] += g.Rows
	}
	to, _ := Reading.Next(Read)
	err = store.One(ctx, tx, ErrImportGone, `
		UPDATE jobs SET state = $3, row_count = $4, rejected = $5, duplicate = $6, protected = $7, accounts = $8,
			outcome_waiting = $8, batches = $9, plan_sha256 = $14,
			understanding = $10, unsure = $13, protected_version = $11, unusual = $12, reading = reader, reader = '',
				reader_until = 0, read_done = 0, read_rows = 0, version = version + 1
		WHERE id = $1 AND reader = $2 AND state = 'reading'`,
		im.ID, im.Reader, to, read.Rows, aside[Rejected], aside[Duplicate], aside[Protected],
		read.Accounts, (read.Accounts+BatchSize-1)/BatchSize,
		string(understanding), im.listVersion, string(unusual), names(read.Understanding.Unsure), im.planned.sum())
	if err == nil && read.Mapping != nil {
		err = understoodAs(ctx, tx, im.ID, *read.Mapping, true)
	}
	for _, g := range read.Groups {
		if err == nil {
			err = saveGroup(ctx, tx, im.ID, g)
		}
	}
	if err == nil {
		err = store.InsertAll(ctx, tx, `shared_accounts (job_id, other_id, accounts)`, 3, with.shared())
	}
	if err != nil {
		return err
	}
	draft, err := job(ctx, tx, im.ID)
	if err != nil {
		return err
	}
	details := Summary(draft)
	details["understanding"] = briefly(read.Understanding)
	err = s.log.RecordIn(ctx, tx,
		audit.Entry{Code: audit.JobRead, Actor: audit.System, JobID: im.ID, Target: draft.FileName, Details: details})
	if err != nil || draft.Checks == "" {
		return err
	}
	return s.startInspection(ctx, tx, draft.ID)
}

// briefly is what an entry of the log says about how a file was parsed.
func briefly(u accounts.Understanding) map[string]any {
	return map[string]any{"encoding": u.Encoding, "separator": u.Separator, "quote": u.Quote,
		"sheet": store.Clean(strings.Join(u.Chosen, ", "), 100), "entry": store.Clean(u.Entry, 200),
		"first_line": u.FirstLine, "header": u.Header != nil, "column": u.Column + 1}
}

// RefuseImport ends the job of a file that cannot be parsed.
func (s *Jobs) RefuseImport(ctx context.Context, im *Import, why *fault.Error) error {
	if err := s.emptyJob(ctx, im); err != nil {
		return err
	}
	refusal, err := json.Marshal(why)
	if err != nil {
		return err
	}
	to, _ := Reading.Next(Refuse)
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		err := store.One(ctx, tx, ErrImportGone, `
			UPDATE jobs SET state = $3, refusal = $4, finished_at = $5, reader = '', reader_until = 0,
				read_done = 0, read_rows = 0, version = version + 1
			WHERE id = $1 AND reader = $2 AND state = 'reading'`, im.ID, im.Reader, to, string(refusal), store.Millis(s.db.Now()))
		if err != nil {
			return err
		}
		if err := s.snapshots.KeepUntil(ctx, tx, im.ID, s.db.Now()); err != nil {
			return err
		}
		refused, err := job(ctx, tx, im.ID)
		if err != nil {
			return err
		}
		return s.log.RecordIn(ctx, tx, audit.Entry{Code: audit.JobRefused, Actor: audit.System, JobID: im.ID, Target: refused.FileName,
			Details: map[string]any{"reason": why.Code, "file": refused.FileName, "sha256": refused.FileSHA256}})
	})
}
