package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"time"

	"tagsweep/internal/store"
)

// Info describes the tag snapshot of a job. Batches and Digest outlive the tags. It is
// zero for a job without a snapshot.
type Info struct {
	Batches  int64     // that have, or had, a snapshot
	Bytes    int64     // stored; 0 after they were erased
	Digest   string    // SHA-256 of the batches' digests, in order, a line each
	EraseAt  time.Time // when they are erased; zero until the job has ended
	ErasedAt time.Time // zero while they are not
	ErasedBy string    // user name
}

// Info returns the Info of a job.
func (s *Snapshots) Info(ctx context.Context, jobID string) (k Info, err error) {
	jobID = store.Clean(jobID, 100)
	var wrapped int64
	err = s.db.Reader().QueryRowContext(ctx,
		`SELECT erase_at, erased_at, erased_by, length(wrapped) FROM snapshot_keys WHERE job_id = $1`, jobID).
		Scan(store.ScanTime(&k.EraseAt), store.ScanTime(&k.ErasedAt), &k.ErasedBy, &wrapped)
	if err != nil {
		return k, store.IfNone(err, nil)
	}
	if wrapped == 0 && k.ErasedAt.IsZero() {
		k.ErasedAt = k.EraseAt // see DestroyKey
	}
	digest := sha256.New()
	err = store.Each(ctx, s.db.Reader(), func(row store.Scanner) error {
		var one string
		var bytes int64
		err := row.Scan(&one, &bytes)
		k.Batches, k.Bytes = k.Batches+1, k.Bytes+bytes
		io.WriteString(digest, one+"\n")
		return err
	}, `SELECT digest, length(data) FROM snapshots WHERE job_id = $1 ORDER BY number`, jobID)
	if k.Batches > 0 {
		k.Digest = hex.EncodeToString(digest.Sum(nil))
	}
	return k, err
}

// CountIn counts the batches that have a snapshot.
func (s *Snapshots) CountIn(ctx context.Context, q store.Querier, jobID string) (int64, error) {
	return store.Value[int64](ctx, q, `SELECT COUNT(*) FROM snapshots WHERE job_id = $1`, jobID)
}

// Batches returns the saved tags of some batches, by batch. The result is complete: the
// key is destroyed before any of the tags.
func (s *Snapshots) Batches(ctx context.Context, purpose Purpose, jobID string, from, to int64) (map[int64][]Account, error) {
	key, err := s.keyOf(ctx, s.db.Reader(), jobID)
	if err != nil {
		return nil, err
	}
	kept, err := readBatches(ctx, s.db.Reader(), key, purpose, jobID, from, to)
	if _, gone := s.keyOf(ctx, s.db.Reader(), jobID); gone != nil {
		return nil, gone
	}
	return kept, err
}

// Tags returns the tags of Batches by the accounts' places.
func (s *Snapshots) Tags(ctx context.Context, purpose Purpose, jobID string, from, to int64) (map[int64][]string, error) {
	batches, err := s.Batches(ctx, purpose, jobID, from, to)
	if err != nil {
		return nil, err
	}
	return byPlace(slices.Concat(slices.Collect(maps.Values(batches))...)), nil
}

// SaveBefore saves the encrypted earlier tags of a batch, and replaces those saved before.
func (s *Snapshots) SaveBefore(ctx context.Context, tx *store.Tx, jobID string, number int64, encrypted []byte) error {
	return tx.Exec(ctx, `
		INSERT INTO snapshots (job_id, number, data, digest) VALUES ($1, $2, $3, $4)
		ON CONFLICT (job_id, number) DO UPDATE SET data = excluded.data, digest = excluded.digest`,
		jobID, number, encrypted, Digest(encrypted))
}

// SaveWanted saves the encrypted tags that a job must add or remove, by batch.
func (s *Snapshots) SaveWanted(ctx context.Context, tx *store.Tx, jobID string, encrypted map[int64][]byte) error {
	var rows []any
	for _, number := range slices.Sorted(maps.Keys(encrypted)) {
		rows = append(rows, jobID, number, encrypted[number])
	}
	return store.InsertAll(ctx, tx, `wanted_tags (job_id, number, data)`, 3, rows)
}

// RemoveWanted removes the tags that a job must add or remove for some batches, and
// returns for how many.
func (s *Snapshots) RemoveWanted(ctx context.Context, tx *store.Tx, jobID string, most int) (int64, error) {
	return tx.Changed(ctx, `DELETE FROM wanted_tags WHERE job_id = $1 AND number IN (
		SELECT number FROM wanted_tags WHERE job_id = $1 ORDER BY number LIMIT $2)`, jobID, most)
}

// Changed returns the batches whose stored data does not match its digest.
func Changed(ctx context.Context, tx *store.Tx, jobID string) (changed []int64, err error) {
	err = store.Each(ctx, tx, func(row store.Scanner) error {
		var number int64
		var data []byte
		var digest string
		err := row.Scan(&number, &data, &digest)
		if err == nil && len(data) > 0 && Digest(data) != digest {
			changed = append(changed, number)
		}
		return err
	}, `SELECT number, data, digest FROM snapshots WHERE job_id = $1 ORDER BY number`, jobID)
	return changed, err
}
