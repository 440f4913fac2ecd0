package store

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/audit"
)

// RestoredReason is the reason with which the kill switch is thrown when the
// database turns out to be older than what was published of its log.
const RestoredReason = "restored"

// Knows reports whether a checkpoint that was published is one of the database's.
func (s *Store) Knows(ctx context.Context, size int64, note string) (known bool, err error) {
	var n int
	err = s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM checkpoints WHERE size = $1 AND note = $2`, size, note).Scan(&n)
	return n > 0, asTrouble(err)
}

// HoldRestored compares the log with the last checkpoint that was published, and
// with the size of the last of them that it knows. When the log does not have
// all that the checkpoint covers, the database was restored from an older copy:
// batches that it has waiting may have been sent. Then all sending is held back
// until an admin lets it go on, and the log says so, once for each such
// checkpoint.
func (s *Store) HoldRestored(ctx context.Context, published audit.Checkpoint, known int64) (held bool, err error) {
	has, err := s.includes(ctx, published)
	if err != nil || has {
		return false, asTrouble(err)
	}
	said, err := collect(ctx, s.read, scanEntry, `SELECT seq, line, personal FROM audit_lines WHERE code = $1 ORDER BY seq`, audit.LogRestored)
	if err != nil {
		return false, asTrouble(err)
	}
	for _, e := range said {
		if e.Details["published_root"] == published.Root.String() {
			return false, nil
		}
	}
	// Sending is held first: a console that fails between the two holds it again.
	to := KillSwitch{ThrownAt: s.now(), ThrownBy: audit.System.Name, Reason: RestoredReason}
	if err = s.setKillSwitch(ctx, audit.System, to, `(thrown_at = 0 OR reason <> $3)`, audit.KillSwitchThrown); err != nil {
		return false, err
	}
	err = s.Record(ctx, audit.Entry{Code: audit.LogRestored, Actor: audit.System,
		Details: map[string]any{"known_size": known, "published_size": published.Size, "published_root": published.Root.String()}})
	return err == nil, err
}

// includes reports whether the log has grown from what a checkpoint covers.
func (s *Store) includes(ctx context.Context, c audit.Checkpoint) (bool, error) {
	var size int64
	if err := s.read.QueryRowContext(ctx, `SELECT seq FROM audit_head WHERE id = 1`).Scan(&size); err != nil || c.Size > size {
		return false, err
	}
	root, err := tlog.TreeHash(c.Size, s.hashes(ctx))
	return root == c.Root, err
}
