package jobs

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

// RestoredReason is the reason with which the kill switch is thrown when the
// database turns out to be older than what was published of its log.
const RestoredReason = "restored"

// Knows reports whether a checkpoint that was published is one of the database's.
func (s *Jobs) Knows(ctx context.Context, size int64, note string) (known bool, err error) {
	var n int
	err = s.db.Reader().QueryRowContext(ctx, `SELECT COUNT(*) FROM checkpoints WHERE size = $1 AND note = $2`, size, note).Scan(&n)
	return n > 0, store.AsTrouble(err)
}

// Lost are the published checkpoints that a log does not include: those of more
// entries than After, up to UpTo.
type Lost struct{ After, UpTo int64 }

// HoldRestored is called when the log does not include the last checkpoint that
// was published: the database was restored from an older copy, and batches that
// it has waiting may have been sent. Then all sending is held back until an
// admin lets it go on, and the log says so, once for what was published so far.
func (s *Jobs) HoldRestored(ctx context.Context, published audit.Checkpoint, lost Lost) (held bool, err error) {
	said, err := store.Collect(ctx, s.db.Reader(), scanEntry, `SELECT seq, line, personal FROM audit_lines WHERE code = $1 ORDER BY seq`, audit.LogRestored)
	if err != nil {
		return false, store.AsTrouble(err)
	}
	for _, e := range said {
		if wholeNumber(e.Details["known_size"]) < published.Size && published.Size <= wholeNumber(e.Details["published_size"]) && published.At.Before(e.At) {
			return false, nil
		}
	}
	// Sending is held first: a console that fails between the two holds it again.
	to := KillSwitch{ThrownAt: s.db.Now(), ThrownBy: audit.System.Name, Reason: RestoredReason}
	if err = s.setKillSwitch(ctx, audit.System, to, `(thrown_at = 0 OR reason <> $3)`, audit.KillSwitchThrown); err != nil {
		return false, err
	}
	err = s.Record(ctx, audit.Entry{Code: audit.LogRestored, Actor: audit.System,
		Details: map[string]any{"known_size": lost.After, "published_size": lost.UpTo, "published_root": published.Root.String()}})
	return err == nil, err
}

// Includes reports whether the log has grown from what a checkpoint covers.
func (s *Jobs) Includes(ctx context.Context, c audit.Checkpoint) (bool, error) {
	size, err := s.AuditSize(ctx)
	if err != nil || c.Size > size {
		return false, err
	}
	root, err := tlog.TreeHash(c.Size, s.hashes(ctx))
	return root == c.Root, store.AsTrouble(err)
}
