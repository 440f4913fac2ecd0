package jobs

import (
	"context"
	"iter"

	"tagsweep/internal/snapshot"
)

// SnapshotInfo returns what is kept of the tags that a job's accounts had; the zero
// Info of a job that keeps none.
func (s *Jobs) SnapshotInfo(ctx context.Context, j Job) (snapshot.Info, error) {
	if !j.Snapshot {
		return snapshot.Info{}, nil
	}
	return s.snapshots.Info(ctx, j.ID)
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
			err = FaultNoSnapshot.With(j.ID)
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
				before, err = s.snapshots.Tags(ctx, snapshot.Before, j.ID, number, number+pageBatches-1)
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
