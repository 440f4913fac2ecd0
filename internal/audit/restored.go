package audit

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/store"
)

// Knows reports whether a published checkpoint is in the database.
func (l *Log) Knows(ctx context.Context, size int64, note string) (known bool, err error) {
	return store.Value[bool](ctx, l.db.Reader(), `SELECT COUNT(*) > 0 FROM checkpoints WHERE size = $1 AND note = $2`, size, note)
}

// Lost are the published checkpoints that a log does not include: those of more
// entries than After, up to UpTo.
type Lost struct{ After, UpTo int64 }

// HoldRestored is called when the log does not include the last published checkpoint:
// the database was restored from an older copy, and its waiting batches may have been
// sent. It calls hold, which stops all sending until an admin resumes it, and records
// that in the log, once for each lost part.
func (l *Log) HoldRestored(ctx context.Context, published Checkpoint, lost Lost,
	hold func(context.Context) error) (held bool, err error) {
	said, err := store.Collect(ctx, l.db.Reader(), scanEntry,
		selectLines+`code = $1 ORDER BY seq`, LogRestored)
	if err != nil {
		return false, err
	}
	for _, e := range said {
		if WholeNumber(e.Details["known_size"]) < published.Size && published.Size <= WholeNumber(e.Details["published_size"]) &&
			published.At.Before(e.At) {
			return false, nil
		}
	}
	// Sending stops first: a console that fails between the two steps repeats them.
	if err = hold(ctx); err != nil {
		return false, err
	}
	err = l.Record(ctx, Entry{Code: LogRestored, Actor: System,
		Details: map[string]any{"known_size": lost.After, "published_size": lost.UpTo, "published_root": published.Root.String()}})
	return err == nil, err
}

// Includes reports whether the log has grown from what a checkpoint covers.
func (l *Log) Includes(ctx context.Context, c Checkpoint) (bool, error) {
	size, err := l.Size(ctx)
	if err != nil || c.Size > size {
		return false, err
	}
	root, err := tlog.TreeHash(c.Size, l.hashes(ctx))
	return root == c.Root, store.AsTrouble(err)
}
