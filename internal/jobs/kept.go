package jobs

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"time"

	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// Kept is what is kept of the tags that a job's accounts had. Batches and Digest
// outlive the tags; the zero Kept is of a job that keeps none.
type Kept struct {
	Batches  int64     // of the plan of which tags are, or were, kept
	Bytes    int64     // as they are stored; 0 once they were erased
	Digest   string    // SHA-256 of the batches' digests, in order, a line each
	EraseAt  time.Time // when they are erased; zero until the job has ended
	ErasedAt time.Time // zero while they are not
	ErasedBy string    // user name
}

// Kept returns what is kept of the tags that a job's accounts had.
func (s *Jobs) Kept(ctx context.Context, jobID string) (k Kept, err error) {
	var eraseAt, erasedAt, wrapped int64
	err = s.db.Reader().QueryRowContext(ctx, `
		SELECT k.erase_at, k.erased_at, k.erased_by, length(k.wrapped) FROM snapshot_keys k JOIN jobs j ON j.id = k.job_id WHERE j.id = $1 AND j.snapshot = 1`,
		store.Clean(jobID, 100)).Scan(&eraseAt, &erasedAt, &k.ErasedBy, &wrapped)
	if errors.Is(err, sql.ErrNoRows) {
		return Kept{}, nil
	}
	if err != nil {
		return k, store.AsTrouble(err)
	}
	k.EraseAt, k.ErasedAt = store.FromMillis(eraseAt), store.FromMillis(erasedAt)
	if wrapped == 0 && erasedAt == 0 {
		k.ErasedAt = k.EraseAt // see erase
	}
	digest := sha256.New()
	_, err = store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (none struct{}, err error) {
		var one string
		var bytes int64
		if err = row.Scan(&one, &bytes); err == nil {
			k.Batches, k.Bytes = k.Batches+1, k.Bytes+bytes
			_, err = io.WriteString(digest, one+"\n")
		}
		return none, err
	}, `SELECT digest, length(data) FROM snapshots WHERE job_id = $1 ORDER BY number`, store.Clean(jobID, 100))
	if k.Batches > 0 {
		k.Digest = hex.EncodeToString(digest.Sum(nil))
	}
	return k, store.AsTrouble(err)
}

// keptBatches returns the accounts of some batches with the tags that are kept
// of them, by batch. All of them were there: the key is destroyed before they are.
func (s *Jobs) keptBatches(ctx context.Context, purpose snapshot.Purpose, jobID string, from, to int64) (map[int64][]snapshot.Account, error) {
	key, err := s.keyOf(ctx, s.db.Reader(), jobID)
	if err != nil {
		return nil, err
	}
	kept, err := sealedTags(ctx, s.db.Reader(), key, purpose, jobID, from, to)
	if _, gone := s.keyOf(ctx, s.db.Reader(), jobID); gone != nil {
		return nil, gone
	}
	return kept, err
}

// keptTags is keptBatches by the accounts' places.
func (s *Jobs) keptTags(ctx context.Context, purpose snapshot.Purpose, jobID string, from, to int64) (map[int64][]string, error) {
	batches, err := s.keptBatches(ctx, purpose, jobID, from, to)
	if err != nil {
		return nil, err
	}
	tags := map[int64][]string{}
	for _, batch := range batches {
		for _, account := range batch {
			tags[account.Seq] = account.Tags
		}
	}
	return tags, nil
}

// TaggedAccount is an account with the tags it had before its job changed them.
type TaggedAccount struct {
	Account
	Before []string
	Known  bool // they were read
}

// TagsBefore lists the accounts of a job with the tags they had, in file order.
func (s *Jobs) TagsBefore(ctx context.Context, jobID string) iter.Seq2[TaggedAccount, error] {
	return func(yield func(TaggedAccount, error) bool) {
		j, err := s.Get(ctx, jobID)
		if err == nil && !j.Snapshot {
			err = FaultNotKept.With(j.ID)
		}
		if err != nil {
			yield(TaggedAccount{}, err)
			return
		}
		for number := int64(1); number <= j.Batches; number += pageBatches {
			page, err := s.placed(ctx, j.ID, number, number+pageBatches-1)
			if err == nil && page == nil {
				return
			}
			var before map[int64][]string
			if err == nil {
				before, err = s.keptTags(ctx, snapshot.Before, j.ID, number, number+pageBatches-1)
			}
			if err != nil {
				yield(TaggedAccount{}, err)
				return
			}
			for i, a := range page {
				tags, known := before[(number-1)*BatchSize+1+int64(i)]
				if a.Outcome != setAside && !yield(TaggedAccount{a, tags, known}, nil) {
					return
				}
			}
		}
	}
}
