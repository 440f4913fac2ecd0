package snapshot

import (
	"context"
	"database/sql"
	"errors"

	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// FaultNoMaster: the program has no key file.
var FaultNoMaster = fault.Declare(fault.Unavailable, "snapshot.no_master",
	"Tag snapshots cannot be saved or read: the program was started without a key file. Nothing was sent. Start "+
		"the console with its key file.")

// Snapshots are the tag snapshots in a database. Its methods may be called at the same
// time.
type Snapshots struct {
	db     *store.DB
	master [32]byte // see UseKey
}

func New(db *store.DB) *Snapshots { return &Snapshots{db: db} }

// UseKey sets the master key, which encrypts the keys of the jobs. Call it first.
func (s *Snapshots) UseKey(master [32]byte) { s.master = master }

// IsOwnKey reports whether the newest key in the database, if any, is encrypted with
// the master key.
func (s *Snapshots) IsOwnKey(ctx context.Context) (bool, error) {
	last, err := store.Value[string](ctx, s.db.Reader(),
		`SELECT job_id FROM snapshot_keys WHERE erased_at = 0 ORDER BY job_id DESC LIMIT 1`)
	if err == nil {
		_, err = s.keyOf(ctx, s.db.Reader(), last)
	}
	switch {
	case FaultOtherKey.Is(err):
		return false, nil
	case errors.Is(err, sql.ErrNoRows), FaultErased.Is(err), FaultKeyChanged.Is(err): // a damaged key affects only its job
		return true, nil
	}
	return true, err
}

// MakeKey makes the key that encrypts a job's tags.
func (s *Snapshots) MakeKey(ctx context.Context, tx *store.Tx, jobID string) error {
	if s.master == [32]byte{} {
		return FaultNoMaster.With()
	}
	wrapped, err := Wrap(s.master, jobID, NewKey())
	if err == nil {
		err = tx.Exec(ctx, `INSERT INTO snapshot_keys (job_id, wrapped) VALUES ($1, $2)`, jobID, wrapped)
	}
	return err
}

// keyOf returns the key that encrypts a job's tags, or FaultErased.
func (s *Snapshots) keyOf(ctx context.Context, q store.Querier, jobID string) (Key, error) {
	wrapped, err := store.Value[[]byte](ctx, q, `SELECT wrapped FROM snapshot_keys WHERE job_id = $1`, jobID)
	if err = store.IfNone(err, nil); err != nil {
		return Key{}, err
	}
	if len(wrapped) > 0 && s.master == [32]byte{} {
		return Key{}, FaultNoMaster.With()
	}
	return Unwrap(s.master, jobID, wrapped)
}

// tables are the tables with one row for each batch of the plan.
var tables = map[Purpose]string{Before: "snapshots", Wanted: "wanted_tags"}

// readBatches returns the saved tags of some batches of the plan, by number.
func readBatches(ctx context.Context, q store.Querier, key Key, purpose Purpose, jobID string, from, to int64) (
	map[int64][]Account, error) {
	encrypted := map[int64][]byte{}
	err := store.Each(ctx, q, func(row store.Scanner) error {
		var number int64
		var data []byte
		err := row.Scan(&number, &data)
		encrypted[number] = data
		return err
	}, `SELECT number, data FROM `+tables[purpose]+` WHERE job_id = $1 AND number >= $2 AND number <= $3`, jobID, from, to)
	if err != nil {
		return nil, err
	}
	all := map[int64][]Account{}
	for number, data := range encrypted {
		if all[number], err = Decrypt(key, purpose, jobID, number, data); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// byPlace returns the tags of accounts by their places in the job.
func byPlace(accounts []Account) map[int64][]string {
	tags := make(map[int64][]string, len(accounts))
	for _, a := range accounts {
		tags[a.Seq] = a.Tags
	}
	return tags
}

// KeyOf returns the key that encrypts a job's tags. An Unreadable error means that there
// is none.
func (s *Snapshots) KeyOf(ctx context.Context, jobID string) (Key, error) {
	return s.keyOf(ctx, s.db.Reader(), jobID)
}

// BatchTags returns the saved tags of a batch of the plan, by place in the job; nil for
// none.
func (s *Snapshots) BatchTags(ctx context.Context, key Key, purpose Purpose, jobID string, number int64) (map[int64][]string, error) {
	all, err := readBatches(ctx, s.db.Reader(), key, purpose, jobID, number, number)
	if err != nil || all[number] == nil {
		return nil, err
	}
	return byPlace(all[number]), nil
}

// Unreadable reports whether an error is permanent: tags can neither be read nor saved.
func Unreadable(err error) bool {
	return Lost(err) || FaultNoMaster.Is(err) || FaultTooMany.Is(err) || FaultTooLarge.Is(err)
}

// Lost reports whether an error is permanent: saved tags cannot be read.
func Lost(err error) bool {
	return FaultErased.Is(err) || FaultOtherKey.Is(err) || FaultKeyChanged.Is(err) || FaultChanged.Is(err)
}
