package audit

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/store"
)

// SignWith lets checkpoints be signed with a key made of the seed. Without it
// entries are written, and no checkpoints.
func (l *Log) SignWith(seed [32]byte) {
	l.signer = func(origin string) (*Signer, error) { return NewSigner(origin, seed) }
}

// Signs reports whether checkpoints are signed.
func (l *Log) Signs() bool { return l.signer != nil }

// Key returns the public key with which the log's checkpoints are verified;
// "" without SignWith.
func (l *Log) Key(ctx context.Context) (public string, err error) {
	if l.signer == nil {
		return "", nil
	}
	h, err := readHead(ctx, l.db.Reader())
	if err != nil {
		return "", err
	}
	signer, err := l.signer(h.origin)
	if err != nil {
		return "", err
	}
	return signer.Public, nil
}

// sign saves a checkpoint of the current tree of the log of an origin.
func (l *Log) sign(ctx context.Context, tx *store.Tx, origin string, tree Tree) error {
	if l.signer == nil {
		return nil
	}
	signer, err := l.signer(origin)
	if err != nil {
		return err
	}
	at := l.db.Now()
	note, err := Checkpoint{Origin: origin, Size: tree.Size, Root: tree.Root(), At: at}.Sign(signer)
	if err != nil {
		return err
	}
	return tx.Exec(ctx, `INSERT INTO checkpoints (size, at, note) VALUES ($1, $2, $3) ON CONFLICT (size) DO NOTHING`,
		tree.Size, store.Millis(at), note)
}

// Checkpoint signs the current log, unless a checkpoint covers its last entry already.
func (l *Log) Checkpoint(ctx context.Context) error {
	open, err := store.Value[bool](ctx, l.db.Reader(),
		`SELECT seq <> (SELECT COALESCE(MAX(size), 0) FROM checkpoints) FROM audit_head WHERE id = 1`)
	if err != nil || !open || l.signer == nil {
		return err
	}
	return l.db.Tx(ctx, func(tx *store.Tx) error {
		h, err := lockHead(ctx, tx)
		if err != nil {
			return err
		}
		tree, err := TreeAt(h.seq, h.edge)
		if err != nil {
			return err
		}
		return l.sign(ctx, tx, h.origin, tree)
	})
}

// SignedCheckpoint is a stored checkpoint.
type SignedCheckpoint struct {
	Size int64
	At   time.Time
	Note string
}

// LastCheckpoint returns the newest checkpoint, or the first that covers an
// entry when one is given. It is zero when there is none.
func (l *Log) LastCheckpoint(ctx context.Context, covers int64) (c SignedCheckpoint, err error) {
	query, args := `SELECT size, at, note FROM checkpoints ORDER BY size DESC LIMIT 1`, []any{}
	if covers > 0 {
		query, args = `SELECT size, at, note FROM checkpoints WHERE size >= $1 ORDER BY size LIMIT 1`, []any{covers}
	}
	c, err = scanCheckpoint(l.db.Reader().QueryRowContext(ctx, query, args...))
	return c, store.IfNone(err, nil)
}

func scanCheckpoint(row store.Scanner) (c SignedCheckpoint, err error) {
	return c, row.Scan(&c.Size, store.ScanTime(&c.At), &c.Note)
}

// CheckpointsAfter returns checkpoints of more entries than a size, oldest first.
func (l *Log) CheckpointsAfter(ctx context.Context, size int64, limit int) ([]SignedCheckpoint, error) {
	return store.Collect(ctx, l.db.Reader(), scanCheckpoint,
		`SELECT size, at, note FROM checkpoints WHERE size > $1 ORDER BY size LIMIT $2`, size, limit)
}

// PublishedUpTo returns up to which checkpoint a destination has been sent; 0 for none.
func (l *Log) PublishedUpTo(ctx context.Context, destination string) (size int64, err error) {
	return store.Value[int64](ctx, l.db.Reader(),
		`SELECT COALESCE(MAX(size), 0) FROM publications WHERE destination = $1`, destination)
}

// Published records up to which checkpoint a destination has been sent.
func (l *Log) Published(ctx context.Context, destination string, size int64) error {
	return l.publication(ctx,
		`size = CASE WHEN excluded.size > publications.size THEN excluded.size ELSE publications.size END, trouble = ''`,
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
	}, `SELECT destination, size, at, trouble FROM publications ORDER BY destination`)
}

// Inclusion proves that an entry is in the tree of a size (RFC 6962, section
// 2.1.1): the hashes to combine its own with, in order.
func (l *Log) Inclusion(ctx context.Context, seq, size int64) ([]tlog.Hash, error) {
	proof, err := tlog.ProveRecord(size, seq-1, l.hashes(ctx))
	return proof, store.AsTrouble(err)
}

// hashes reads stored hashes of the tree.
func (l *Log) hashes(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(numbers []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(numbers))
		for i, number := range numbers {
			hash, err := storedHash(ctx, l.db.Reader(), number)
			if err != nil {
				return nil, err
			}
			if len(hash) != tlog.HashSize {
				return nil, fmt.Errorf("audit: hash %d of the log has %d bytes", number, len(hash))
			}
			found[i] = tlog.Hash(hash)
		}
		return found, nil
	})
}

func storedHash(ctx context.Context, q store.Querier, number int64) ([]byte, error) {
	return store.Value[[]byte](ctx, q, `SELECT hash FROM audit_hashes WHERE number = $1`, number)
}
