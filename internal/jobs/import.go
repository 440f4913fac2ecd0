package jobs

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// importLease is how long an import stays its reader's after each slice.
const importLease = time.Minute

// ReleaseImports lets the imports of an earlier process be taken at once. Call
// it only where no other console can be reading.
func (s *Jobs) ReleaseImports(ctx context.Context) error {
	err := s.db.Exec(ctx, `UPDATE jobs SET reader_until = 0 WHERE reader_until > 0`)
	return err
}

// ClaimImport returns the oldest import whose file has at most so many bytes (0: any) and that nobody reads,
// emptied of what an earlier reading left; nil when there is none.
func (s *Jobs) ClaimImport(ctx context.Context, mostBytes int64) (*Import, error) {
	now := store.Millis(s.db.Now())
	// Without a lock first, since mostly there is none. A job that is no longer
	// reading but has a reader was cancelled: what was read of it is removed.
	waiting, err := store.Column[string](ctx, s.db.Reader(), `
		SELECT id FROM jobs WHERE (state = 'reading' OR reader <> '') AND reader_until < $1 AND (CAST($2 AS BIGINT) = 0
			OR file_bytes <= $2)
		ORDER BY id LIMIT 1`, now, mostBytes)
	if err != nil || len(waiting) == 0 {
		return nil, err
	}
	im := &Import{JobID: waiting[0], Reader: store.NewID(s.db.Now())}
	var state State
	var digest, app, choices, understanding, source string
	var job Job
	var size int64
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		return tx.QueryRowContext(ctx, `
			UPDATE jobs SET reader = $2, reader_until = $3, reading = '', read_done = 0, read_rows = 0, version = version + 1,
				row_count = 0, rejected = 0, duplicate = 0, protected = 0, accounts = 0, batches = 0,
					outcome_waiting = 0, outcome_cancelled = 0
			WHERE id = $1 AND (state = 'reading' OR reader <> '') AND reader_until < $4
			RETURNING state, app_id, file_sha256, file_bytes, account_bytes, choices, understanding, kind, checks, source`,
			im.JobID, im.Reader, store.Millis(s.db.Now().Add(importLease)), now).
			Scan(&state, &app, &digest, &size, &im.AccountBytes, &choices, &understanding, &job.Kind, &job.Checks, &source)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil // another console was quicker
	}
	if err == nil {
		err = s.emptyJob(ctx, im)
	}
	if errors.Is(err, ErrImportGone) {
		return nil, nil
	}
	if err == nil && state != Reading {
		err = s.db.Exec(ctx,
			`UPDATE jobs SET reader = '', reader_until = 0 WHERE id = $1 AND reader = $2 AND state <> 'reading'`, im.JobID, im.Reader)
		return nil, err
	}
	if err == nil && choices != "" {
		err = json.Unmarshal([]byte(choices), &im.Choices)
	}
	if err == nil && understanding != "" {
		im.Understood = &accounts.Understanding{}
		err = json.Unmarshal([]byte(understanding), im.Understood)
	}
	if err != nil {
		return nil, err
	}
	if im.Protected, im.ProtectedVersion, err = s.protectedSet(ctx, s.db.Reader(), app); err != nil {
		return nil, err
	}
	im.Told = job.Told()
	if im.TagColumn = tagColumn(job.Kind, source); im.Told && !im.TagColumn {
		im.TagsOf = s.tagsOf(im.JobID)
	}
	im.File, err = s.upload(ctx, digest, size)
	return im, err
}

// emptyJob removes what an earlier reading of the file left, a little at a time.
func (s *Jobs) emptyJob(ctx context.Context, im *Import) error {
	const atOnce = 2_000
	for _, t := range []struct{ name, key string }{{"set_asides", "row_number"}, {"set_aside_groups", "kind"}, {"batches", "number"},
		{"account_names", "first"}, {"planned_batches", "number"}, {"shared_accounts", "other_id"}, {"wanted_tags", ""}} {
		for removed := int64(1); removed > 0; {
			err := s.db.Tx(ctx, func(tx *store.Tx) error {
				_, err := s.extendLease(ctx, tx, im, 0, 0)
				switch {
				case err != nil:
				case t.name == "wanted_tags":
					removed, err = s.snapshots.RemoveWanted(ctx, tx, im.JobID, atOnce)
				default:
					removed, err = tx.Changed(ctx, `DELETE FROM `+t.name+` WHERE job_id = $1 AND `+t.key+` IN (
						SELECT `+t.key+` FROM `+t.name+` WHERE job_id = $1 ORDER BY `+t.key+` LIMIT $2)`, im.JobID, atOnce)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return s.db.Exec(ctx, `DELETE FROM shared_accounts WHERE other_id = $1`, im.JobID)
}

// extendLease extends the lease and shows how far the reading is.
func (s *Jobs) extendLease(ctx context.Context, tx *store.Tx, im *Import, read int, rows int64) (state State, err error) {
	err = tx.QueryRowContext(ctx, `
		UPDATE jobs SET read_done = $3, read_rows = $4, reader_until = $5, version = version + 1 WHERE id = $1
			AND reader = $2 RETURNING state`,
		im.JobID, im.Reader, read, rows, store.Millis(s.db.Now().Add(importLease))).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrImportGone
	}
	return state, err
}

// SaveSlice adds a part and keeps the import for a while longer.
func (s *Jobs) SaveSlice(ctx context.Context, im *Import, slice ImportSlice) error {
	var aside, planned, batches, names []any
	for _, a := range slice.SetAsides {
		aside = append(aside, im.JobID, a.Row, a.Line, a.Kind, store.Clean(a.Value, 200), a.Reason, a.Repeats)
	}
	for _, b := range slice.Batches {
		size := len(b.Accounts)
		planned = append(planned, im.JobID, b.Number, b.Accounts[0].Row, size, b.Text())
		batches = append(batches, im.JobID, b.Number, size, Waiting)
	}
	for _, n := range slice.Names {
		names = append(names, im.JobID, []byte(n[0].Account), n.Text())
	}
	wanted, err := s.encryptWanted(ctx, im, slice.Batches)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		state, err := s.extendLease(ctx, tx, im, slice.Read, slice.Rows)
		if err == nil && state != Reading {
			err = ErrImportGone // cancelled meanwhile
		}
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
			err = s.snapshots.SaveWanted(ctx, tx, im.JobID, wanted)
		}
		return err
	})
}

// encryptWanted returns the tags of batches of a job that needs to be told tags, by batch.
func (s *Jobs) encryptWanted(ctx context.Context, im *Import, batches []PlannedBatch) (map[int64][]byte, error) {
	if !im.Told || len(batches) == 0 {
		return nil, nil
	}
	key, err := s.snapshots.KeyOf(ctx, im.JobID)
	encrypted := map[int64][]byte{}
	for _, b := range batches {
		wanted := make([]snapshot.Account, len(b.Accounts))
		for i, a := range b.Accounts {
			wanted[i] = snapshot.Account{Seq: b.First() + int64(i), Tags: a.Tags}
		}
		if err == nil {
			encrypted[b.Number], err = snapshot.Seal(key, snapshot.Wanted, im.JobID, b.Number, wanted)
		}
	}
	return encrypted, err
}

// FinishImport compares the accounts with other jobs' and makes the draft.
func (s *Jobs) FinishImport(ctx context.Context, im *Import, read Imported) error {
	with := &comparing{store: s, im: im, rows: read.Rows, compared: map[importedJob]int64{}, kept: time.Now()}
	for {
		others, err := with.missing(ctx, s.db.Reader())
		if err == nil {
			err = with.compare(ctx, others)
		}
		if err == nil {
			err = s.db.Tx(ctx, func(tx *store.Tx) error { return s.finishImport(ctx, tx, im, read, with) })
		}
		if !errors.Is(err, errMoreToCompare) {
			return err
		}
	}
}

var errMoreToCompare = errors.New("jobs: another file was read meanwhile")

func (s *Jobs) finishImport(ctx context.Context, tx *store.Tx, im *Import, read Imported, with *comparing) error {
	// One import of an app finishes at a time: of two, the later one knows of the earlier.
	_, err := tx.ExecContext(ctx, `UPDATE apps SET name = name WHERE id = (SELECT app_id FROM jobs WHERE id = $1)`, im.JobID)
	if err != nil {
		return err
	}
	if more, err := with.missing(ctx, tx); err != nil || len(more) > 0 {
		return cmp.Or(err, errMoreToCompare)
	}
	understanding, err := json.Marshal(read.Understanding)
	if err != nil {
		return err
	}
	unusual, err := json.Marshal(read.Unusual)
	if err != nil {
		return err
	}
	to, _ := Reading.Next(Read)
	err = store.One(ctx, tx, ErrImportGone, `
		UPDATE jobs SET state = $3, row_count = $4, rejected = $5, duplicate = $6, protected = $7, accounts = $8,
			outcome_waiting = $8, batches = $9,
			understanding = $10, protected_version = $11, unusual = $12, reading = reader, reader = '',
				reader_until = 0, read_done = 0, read_rows = 0, version = version + 1
		WHERE id = $1 AND reader = $2 AND state = 'reading'`,
		im.JobID, im.Reader, to, read.Rows, read.Rejected, read.Duplicate, read.Protected, read.Accounts, (read.Accounts+BatchSize-1)/BatchSize,
		string(understanding), im.ProtectedVersion, string(unusual))
	if err == nil && read.Mapping != nil {
		err = understoodAs(ctx, tx, im.JobID, *read.Mapping, true)
	}
	for _, g := range read.Groups {
		if err == nil {
			err = saveGroup(ctx, tx, im.JobID, g)
		}
	}
	if err == nil {
		err = store.InsertAll(ctx, tx, `shared_accounts (job_id, other_id, accounts)`, 3, with.shared())
	}
	if err != nil {
		return err
	}
	draft, err := job(ctx, tx, im.JobID)
	if err != nil {
		return err
	}
	details := Summary(draft)
	details["understanding"] = briefly(read.Understanding)
	err = s.log.RecordIn(
		ctx,
		tx,
		audit.Entry{Code: audit.JobRead, Actor: audit.System, JobID: im.JobID, Target: draft.FileName, Details: details},
	)
	if err != nil || draft.Checks == "" {
		return err
	}
	return s.startInspection(ctx, tx, draft.ID)
}

// briefly is what an entry of the log says about how a file was read.
func briefly(u accounts.Understanding) map[string]any {
	return map[string]any{
		"encoding":   u.Encoding,
		"separator":  u.Separator,
		"quote":      u.Quote,
		"sheet":      store.Clean(u.Sheet, 100),
		"entry":      store.Clean(u.Entry, 200),
		"first_line": u.FirstLine,
		"header":     u.Header != nil,
		"column":     u.Column + 1,
	}
}

// RefuseImport ends the job of a file that cannot be read.
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
			WHERE id = $1 AND reader = $2 AND state = 'reading'`, im.JobID, im.Reader, to, string(refusal), store.Millis(s.db.Now()))
		if err != nil {
			return err
		}
		if err := s.snapshots.KeepUntil(ctx, tx, im.JobID, s.db.Now()); err != nil {
			return err
		}
		refused, err := job(ctx, tx, im.JobID)
		if err != nil {
			return err
		}
		return s.log.RecordIn(ctx, tx, audit.Entry{Code: audit.JobRefused, Actor: audit.System, JobID: im.JobID, Target: refused.FileName,
			Details: map[string]any{"reason": why.Code, "file": refused.FileName, "sha256": refused.FileSHA256}})
	})
}
