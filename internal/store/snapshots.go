package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// FaultNoMaster is of a program that was not given the key file.
var FaultNoMaster = fault.Declare(fault.Unavailable, "snapshot.no_master", "The tags of accounts cannot be kept or read: this program was started without the key file. Nothing was sent; start the console with its key file.")

// UseKey sets the key under which those of the jobs are kept. Call it before
// anything else.
func (s *Store) UseKey(master [32]byte) { s.master = master }

// IsOwnKey reports whether the tags that were kept last, if any, are kept under
// the key that was set.
func (s *Store) IsOwnKey(ctx context.Context) (bool, error) {
	var last string
	err := s.read.QueryRowContext(ctx, `SELECT job_id FROM snapshot_keys WHERE erased_at = 0 ORDER BY job_id DESC LIMIT 1`).Scan(&last)
	if err == nil {
		_, err = s.keyOf(ctx, s.read, last)
	}
	switch {
	case snapshot.FaultOtherKey.Is(err):
		return false, nil
	case errors.Is(err, sql.ErrNoRows), snapshot.FaultErased.Is(err), snapshot.FaultKeyChanged.Is(err): // a damaged key is that job's alone
		return true, nil
	}
	return true, asTrouble(err)
}

// newKey makes the key under which a job's tags are kept.
func (s *Store) newKey(ctx context.Context, tx *sql.Tx, jobID string) error {
	if s.master == [32]byte{} {
		return FaultNoMaster.With()
	}
	wrapped, err := snapshot.Wrap(s.master, jobID, snapshot.NewKey())
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO snapshot_keys (job_id, wrapped) VALUES ($1, $2)`, jobID, wrapped)
	}
	return err
}

// keyOf returns the key under which a job's tags are kept, or snapshot.FaultErased.
func (s *Store) keyOf(ctx context.Context, q querier, jobID string) (snapshot.Key, error) {
	var wrapped []byte
	err := q.QueryRowContext(ctx, `SELECT wrapped FROM snapshot_keys WHERE job_id = $1`, jobID).Scan(&wrapped)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return snapshot.Key{}, err
	}
	if len(wrapped) > 0 && s.master == [32]byte{} {
		return snapshot.Key{}, FaultNoMaster.With()
	}
	return snapshot.Unwrap(s.master, jobID, wrapped)
}

// sealedIn are the tables of what is kept a batch of the plan a row.
var sealedIn = map[snapshot.Purpose]string{snapshot.Before: "snapshots", snapshot.Wanted: "wanted_tags"}

// sealedTags returns the tags that are kept for some batches of the plan, by number.
func sealedTags(ctx context.Context, q querier, key snapshot.Key, purpose snapshot.Purpose, jobID string, from, to int64) (map[int64][]snapshot.Account, error) {
	type sealed struct {
		number int64
		data   []byte
	}
	rows, err := collect(ctx, q, func(row scanner) (r sealed, err error) { return r, row.Scan(&r.number, &r.data) },
		`SELECT number, data FROM `+sealedIn[purpose]+` WHERE job_id = $1 AND number >= $2 AND number <= $3`, jobID, from, to)
	if err != nil {
		return nil, err
	}
	all := map[int64][]snapshot.Account{}
	for _, r := range rows {
		if all[r.number], err = snapshot.Open(key, purpose, jobID, r.number, r.data); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// tagsOfBatch returns the tags that are kept for one batch of the plan, by place.
func tagsOfBatch(ctx context.Context, q querier, key snapshot.Key, purpose snapshot.Purpose, jobID string, number int64) (map[int64][]string, error) {
	all, err := sealedTags(ctx, q, key, purpose, jobID, number, number)
	if err != nil {
		return nil, err
	}
	return byPlace(all[number]), nil
}

func byPlace(accounts []snapshot.Account) map[int64][]string {
	tags := make(map[int64][]string, len(accounts))
	for _, a := range accounts {
		tags[a.Seq] = a.Tags
	}
	return tags
}

func inOrder(tags map[int64][]string) []snapshot.Account {
	accounts := make([]snapshot.Account, 0, len(tags))
	for seq, tags := range tags {
		accounts = append(accounts, snapshot.Account{Seq: seq, Tags: tags})
	}
	slices.SortFunc(accounts, func(a, b snapshot.Account) int { return cmp.Compare(a.Seq, b.Seq) })
	return accounts
}

// keys holds the keys of jobs for one transaction.
type keys map[string]snapshot.Key

func (k keys) of(ctx context.Context, s *Store, tx *sql.Tx, jobID string) (key snapshot.Key, err error) {
	key, known := k[jobID]
	if !known {
		if key, err = s.keyOf(ctx, tx, jobID); err == nil {
			k[jobID] = key
		}
	}
	return key, err
}

// keepFound keeps what a reading found as the tags of before, beside what is kept
// of the batch already.
func (t *settling) keepFound(ctx context.Context, st jobs.Settlement) error {
	if len(st.Found) == 0 {
		return nil
	}
	key, err := t.keys.of(ctx, t.store, t.tx, st.JobID)
	if err != nil {
		return err
	}
	kept, err := tagsOfBatch(ctx, t.tx, key, snapshot.Before, st.JobID, st.Batch)
	if err != nil {
		return err
	}
	maps.Copy(kept, st.Found)
	data, err := snapshot.Seal(key, snapshot.Before, st.JobID, st.Batch, inOrder(kept))
	if err != nil {
		return err
	}
	_, err = t.tx.ExecContext(ctx, `
		INSERT INTO snapshots (job_id, number, data, digest) VALUES ($1, $2, $3, $4)
		ON CONFLICT (job_id, number) DO UPDATE SET data = excluded.data, digest = excluded.digest`,
		st.JobID, st.Batch, data, snapshot.Digest(data))
	return err
}

// sealChange returns the tags of the next call of a part as they are kept, under
// the part's first place; nil for none.
func (t *settling) sealChange(ctx context.Context, st jobs.Settlement, p part) ([]byte, error) {
	change := map[int64][]string{}
	for seq, tags := range st.Change {
		if seq >= p.first && seq < p.first+p.size {
			change[seq] = tags
		}
	}
	if len(change) == 0 {
		return nil, nil
	}
	key, err := t.keys.of(ctx, t.store, t.tx, st.JobID)
	if err != nil {
		return nil, err
	}
	return snapshot.Seal(key, snapshot.Change, st.JobID, p.first, inOrder(change))
}

// unkeepable reports whether tags cannot be kept, whenever it is tried.
func unkeepable(err error) bool {
	return FaultNoMaster.Is(err) || snapshot.FaultTooMany.Is(err) || snapshot.FaultTooLarge.Is(err)
}

// recallTags gives a claim the tags that are kept for it.
func (t *taking) recallTags(ctx context.Context, c *jobs.Claim, change []byte) (err error) {
	known := c.Touched && !c.Verify && c.Command == tim.GetTags
	if !c.Kind.Tagged() && !known {
		return nil
	}
	defer func() {
		if unreadable(err) || unkeepable(err) {
			err = &unreadableTags{c.JobID, err}
		}
	}()
	key, err := t.keys.of(ctx, t.store, t.tx, c.JobID)
	if err != nil {
		return err
	}
	if c.Kind.Tagged() {
		wanted, err := sealedTags(ctx, t.tx, key, snapshot.Wanted, c.JobID, c.Batch, c.Batch)
		if err != nil {
			return err
		}
		if wanted[c.Batch] == nil {
			return snapshot.FaultChanged.With(c.Batch, c.JobID) // without them it would seem that nothing is to be done
		}
		c.Wanted = byPlace(wanted[c.Batch])
	}
	if known {
		if c.Known, err = tagsOfBatch(ctx, t.tx, key, snapshot.Before, c.JobID, c.Batch); err != nil {
			return err
		}
	}
	if len(change) == 0 {
		return nil
	}
	accounts, err := snapshot.Open(key, snapshot.Change, c.JobID, c.First, change)
	c.Change = byPlace(accounts)
	return err
}

// unreadableTags says that a job's tags, which the next call needs, cannot be read.
type unreadableTags struct {
	jobID string
	why   error
}

func (u *unreadableTags) Error() string { return u.why.Error() }

// haltUnreadable halts a job whose tags cannot be read; what a cancelled one has
// in doubt waits for a person instead.
func (s *Store) haltUnreadable(ctx context.Context, u *unreadableTags) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		var state jobs.State
		if err := tx.QueryRowContext(ctx, `UPDATE jobs SET version = version + 1 WHERE id = $1 RETURNING state`, u.jobID).Scan(&state); err != nil {
			return err
		}
		switch state {
		case jobs.Queued, jobs.Running, jobs.Halted:
			return s.haltJob(ctx, tx, u.jobID, jobs.CodeUnreadable, u.Error(), "")
		case jobs.Cancelled:
			_, err := tx.ExecContext(ctx, `UPDATE batches AS b SET ask = 1, code = $2 WHERE b.job_id = $1 AND b.ask = 0 AND `+readBack.where(), u.jobID, jobs.CodeUnreadable)
			return err
		}
		return nil
	})
}

// keepUntil says until when the tags of a job that has ended are kept. One that
// keeps none had only what was read back of accounts in doubt.
func (s *Store) keepUntil(ctx context.Context, tx *sql.Tx, j jobs.Job) error {
	days := int64(0)
	if j.Snapshot && !j.StartedAt.IsZero() {
		if err := tx.QueryRowContext(ctx, `SELECT keep_days FROM apps WHERE id = $1`, j.AppID).Scan(&days); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `UPDATE snapshot_keys SET erase_at = $2 WHERE job_id = $1`, j.ID, millis(j.FinishedAt.Add(time.Duration(days)*24*time.Hour)))
	if err == nil && !j.Snapshot {
		_, err = tx.ExecContext(ctx, `DELETE FROM snapshots WHERE job_id = $1`, j.ID)
	}
	return err
}
