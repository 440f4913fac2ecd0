package audit

import (
	"context"
	"database/sql"
	"errors"
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
	origin, err := logOrigin(ctx, l.db.Reader())
	if err != nil {
		return "", store.AsTrouble(err)
	}
	signer, err := l.signer(origin)
	if err != nil {
		return "", err
	}
	return signer.Public, nil
}

func logOrigin(ctx context.Context, q store.Querier) (origin string, err error) {
	return origin, q.QueryRowContext(ctx, `SELECT origin FROM audit_head WHERE id = 1`).Scan(&origin)
}

// sign saves a checkpoint of the current tree.
func (l *Log) sign(ctx context.Context, tx *store.Tx, tree Tree) error {
	if l.signer == nil {
		return nil
	}
	origin, err := logOrigin(ctx, tx)
	if err != nil {
		return err
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
	_, err = tx.ExecContext(ctx,
		`INSERT INTO checkpoints (size, at, note) VALUES ($1, $2, $3) ON CONFLICT (size) DO NOTHING`, tree.Size, store.Millis(at), note)
	return err
}

// Checkpoint signs the current log, unless a checkpoint covers its last entry already.
func (l *Log) Checkpoint(ctx context.Context) error {
	var size, covered int64
	err := l.db.Reader().QueryRowContext(ctx,
		`SELECT seq, (SELECT COALESCE(MAX(size), 0) FROM checkpoints) FROM audit_head WHERE id = 1`).Scan(&size, &covered)
	if err != nil || size == covered || l.signer == nil {
		return store.AsTrouble(err)
	}
	return l.db.Tx(ctx, func(tx *store.Tx) error {
		var edge []byte
		if err := tx.QueryRowContext(ctx, `UPDATE audit_head SET seq = seq WHERE id = 1
			RETURNING seq, edge`).Scan(&size, &edge); err != nil {
			return err
		}
		tree, err := TreeAt(size, edge)
		if err != nil {
			return err
		}
		return l.sign(ctx, tx, tree)
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
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	}
	return c, store.AsTrouble(err)
}

func scanCheckpoint(row store.Scanner) (c SignedCheckpoint, err error) {
	var at int64
	err = row.Scan(&c.Size, &at, &c.Note)
	c.At = store.FromMillis(at)
	return c, err
}

// CheckpointsAfter returns checkpoints of more entries than a size, oldest first.
func (l *Log) CheckpointsAfter(ctx context.Context, size int64, limit int) ([]SignedCheckpoint, error) {
	all, err := store.Collect(ctx, l.db.Reader(), scanCheckpoint,
		`SELECT size, at, note FROM checkpoints WHERE size > $1 ORDER BY size LIMIT $2`, size, limit)
	return all, store.AsTrouble(err)
}

// PublishedUpTo returns up to which checkpoint a destination has been sent; 0 for none.
func (l *Log) PublishedUpTo(ctx context.Context, destination string) (size int64, err error) {
	err = l.db.Reader().QueryRowContext(ctx, `SELECT COALESCE(MAX(size), 0) FROM publications
		WHERE destination = $1`, destination).Scan(&size)
	return size, store.AsTrouble(err)
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
	return l.db.Tx(ctx, func(tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO publications (destination, size, at, trouble) VALUES ($1, $2, $3, $4)
			ON CONFLICT (destination) DO UPDATE SET at = excluded.at, `+set, destination, size, store.Millis(l.db.Now()), trouble)
		return err
	})
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
	all, err := store.Collect(ctx, l.db.Reader(), func(row store.Scanner) (p Publication, err error) {
		var at int64
		err = row.Scan(&p.Destination, &p.Size, &at, &p.Trouble)
		p.At = store.FromMillis(at)
		return p, err
	}, `SELECT destination, size, at, trouble FROM publications ORDER BY destination`)
	return all, store.AsTrouble(err)
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
			var hash []byte
			if err := l.db.Reader().QueryRowContext(ctx, `SELECT hash FROM audit_hashes
				WHERE number = $1`, number).Scan(&hash); err != nil {
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
