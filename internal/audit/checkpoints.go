package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/store"
)

// SignedCheckpoint is a stored checkpoint.
type SignedCheckpoint struct {
	Size int64
	At   time.Time
	Note string
}

// LastCheckpoint returns the newest checkpoint, or the first that covers an
// entry when one is given. It is zero when there is none.
func (l *Log) LastCheckpoint(ctx context.Context, covers int64) (c SignedCheckpoint, err error) {
	if covers == 0 {
		return newestCheckpoint(ctx, l.db.Reader())
	}
	c, err = scanCheckpoint(l.db.Reader().QueryRowContext(ctx,
		`SELECT size, at, note FROM checkpoints WHERE size >= $1 ORDER BY size LIMIT 1`, covers))
	return c, store.IfNone(err, nil)
}

// newestCheckpoint returns the checkpoint of the most entries; zero: there is none.
func newestCheckpoint(ctx context.Context, q store.Querier) (SignedCheckpoint, error) {
	c, err := scanCheckpoint(q.QueryRowContext(ctx, `SELECT size, at, note FROM checkpoints ORDER BY size DESC LIMIT 1`))
	return c, store.IfNone(err, nil)
}

// hasCheckpoint reports whether a checkpoint is in the database as it was signed.
func (l *Log) hasCheckpoint(ctx context.Context, q store.Querier, size int64, note string) (bool, error) {
	return store.Value[bool](ctx, q, `SELECT COUNT(*) > 0 FROM checkpoints WHERE size = $1 AND note = $2`, size, note)
}

func scanCheckpoint(row store.Scanner) (c SignedCheckpoint, err error) {
	return c, row.Scan(&c.Size, store.ScanTime(&c.At), &c.Note)
}

// SignedAt reports whether a checkpoint was signed when an entry was the last.
func (l *Log) SignedAt(ctx context.Context, seq int64) (bool, error) {
	c, err := l.LastCheckpoint(ctx, seq)
	if err != nil || c.Size != seq {
		return false, err
	}
	public, err := l.Key(ctx)
	if err != nil {
		return false, err
	}
	signed, err := OpenCheckpoint(c.Note, public)
	return err == nil && signed.Size == seq, nil
}

// CheckpointsAfter returns checkpoints of more entries than a size, oldest first.
func (l *Log) CheckpointsAfter(ctx context.Context, size int64, limit int) ([]SignedCheckpoint, error) {
	return store.Collect(ctx, l.db.Reader(), scanCheckpoint,
		`SELECT size, at, note FROM checkpoints WHERE size > $1 ORDER BY size LIMIT $2`, size, limit)
}

// sentSize is up to which checkpoint a destination has been sent. More entries than the log
// has were sent to nobody: then it is sent everything anew.
const sentSize = `CASE WHEN publications.size <= (SELECT seq FROM audit_head WHERE id = 1) THEN publications.size ELSE 0 END`

// PublishedUpTo returns up to which checkpoint a destination has been sent; 0 for none.
func (l *Log) PublishedUpTo(ctx context.Context, destination string) (size int64, err error) {
	return store.Value[int64](ctx, l.db.Reader(),
		`SELECT COALESCE(MAX(`+sentSize+`), 0) FROM publications WHERE destination = $1`, destination)
}

// Published records up to which checkpoint a destination has been sent.
func (l *Log) Published(ctx context.Context, destination string, size int64) error {
	return l.publication(ctx,
		`size = CASE WHEN excluded.size > `+sentSize+` THEN excluded.size ELSE publications.size END, trouble = ''`,
		destination, size, "")
}

// NotPublished records why sending to a destination failed.
func (l *Log) NotPublished(ctx context.Context, destination, trouble string) error {
	return l.publication(ctx, `trouble = excluded.trouble`, destination, 0, store.Clean(trouble, 300))
}

func (l *Log) publication(ctx context.Context, set, destination string, size int64, trouble string) error {
	return l.db.Exec(ctx, `INSERT INTO publications (destination, size, at, trouble) VALUES ($1, $2, $3, $4)
		ON CONFLICT (destination) DO UPDATE SET at = excluded.at, `+set, destination, size, store.Millis(l.db.Now()), trouble)
}

// Publication is how far a destination has been sent checkpoints.
type Publication struct {
	Destination string
	Size        int64
	At          time.Time
	Trouble     string // why the last attempt failed; "": it did not
}

// Publications returns all destinations that were ever sent to.
func (l *Log) Publications(ctx context.Context) ([]Publication, error) {
	return store.Collect(ctx, l.db.Reader(), func(row store.Scanner) (p Publication, err error) {
		return p, row.Scan(&p.Destination, &p.Size, store.ScanTime(&p.At), &p.Trouble)
	}, `SELECT destination, `+sentSize+`, at, trouble FROM publications ORDER BY destination`)
}

// Inclusion proves that an entry is in the tree of a size (RFC 6962, section
// 2.1.1): the hashes to combine its own with, in order.
func (l *Log) Inclusion(ctx context.Context, seq, size int64) ([]tlog.Hash, error) {
	proof, err := tlog.ProveRecord(size, seq-1, l.hashes(ctx, l.db.Reader()))
	return proof, store.AsTrouble(err)
}

// errHash says that a stored hash is none.
var errHash = errors.New("audit: a hash of the log has another length")

// hashes reads stored hashes of the tree.
func (l *Log) hashes(ctx context.Context, q store.Querier) tlog.HashReader {
	return tlog.HashReaderFunc(func(numbers []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(numbers))
		for i, number := range numbers {
			hash, err := storedHash(ctx, q, number)
			if err != nil {
				return nil, err
			}
			if len(hash) != tlog.HashSize {
				return nil, fmt.Errorf("%w: hash %d has %d bytes", errHash, number, len(hash))
			}
			found[i] = tlog.Hash(hash)
		}
		return found, nil
	})
}

func storedHash(ctx context.Context, q store.Querier, number int64) ([]byte, error) {
	return store.Value[[]byte](ctx, q, `SELECT hash FROM audit_hashes WHERE number = $1`, number)
}
