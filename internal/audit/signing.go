package audit

import (
	"context"
	"errors"
	"sync"

	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Faults of signing.
var (
	FaultNotSigned = fault.Declare(fault.Conflict, "audit.not_signed",
		"The log is not signed at present, because the database does not match what this console signed before. "+
			"Nothing was changed. An admin must look at the page Integrity proof.")
	FaultNotCompared = fault.Declare(fault.Unavailable, "audit.not_compared",
		"The console is still comparing the log with what it signed before, and signs nothing until then. Nothing "+
			"was changed. Try again in a minute.")
)

// signing is what a log is signed with. The log signs nothing but what continues the
// last checkpoint that its witness remembers by entries that were written with the key.
type signing struct {
	witness *Witness
	files   []string // of published checkpoints

	mutex    sync.Mutex
	compared bool   // the lines were compared with what the witness remembers
	alarm    *Alarm // nil: none
	resumed  int    // how often an admin resumed signing: what was found before is settled
}

// SignWith lets checkpoints be signed with the key of a witness, once CompareLines has
// run. Files are those that checkpoints are published to. Without SignWith, entries are
// written and no checkpoints.
//
// It compares the stored hashes with the witness and the files. If the log does not
// continue what was signed, it is no error, but see Alarm. Call it before the log is used.
func (l *Log) SignWith(ctx context.Context, w *Witness, files ...string) error {
	l.signing = &signing{witness: w, files: files}
	h, err := readHead(ctx, l.db.Reader())
	if err != nil {
		return err
	}
	if since := w.alarmOf(h.origin); since != nil {
		l.signing.alarm = since
		return nil
	}
	found, err := l.compare(ctx, l.db.Reader(), h, w.signedOf(h.origin))
	if err == nil && found == nil {
		found, err = l.compareFiles(ctx, h)
	}
	switch {
	case err != nil:
		return err
	case found != nil:
		return l.raise(h, found, 0)
	case w.signedOf(h.origin).note == "" && w.lock != nil:
		return w.begin(h.origin, l.db.Now())
	}
	return nil
}

// Signs reports whether checkpoints are signed, now or after an alarm.
func (l *Log) Signs() bool { return l.signing != nil }

// Paused returns why nothing can be signed now; nil if it can, or if there is no key.
func (l *Log) Paused() error {
	if l.signing == nil {
		return nil
	}
	l.signing.mutex.Lock()
	defer l.signing.mutex.Unlock()
	switch {
	case l.signing.alarm != nil:
		return FaultNotSigned.With()
	case !l.signing.compared:
		return FaultNotCompared.With()
	}
	return nil
}

// Key returns the public key with which the log's checkpoints are verified;
// "" without SignWith.
func (l *Log) Key(ctx context.Context) (public string, err error) {
	if l.signing == nil {
		return "", nil
	}
	h, err := readHead(ctx, l.db.Reader())
	if err != nil {
		return "", err
	}
	return l.publicKey(h.origin)
}

// Origin names the log in its checkpoints.
func (l *Log) Origin(ctx context.Context) (string, error) {
	h, err := readHead(ctx, l.db.Reader())
	return h.origin, err
}

func (l *Log) publicKey(origin string) (string, error) {
	signer, err := NewSigner(origin, l.signing.witness.seed)
	if err != nil {
		return "", err
	}
	return signer.Public, nil
}

// sign saves a checkpoint of the tree that the head has. It signs nothing that does not continue
// what the witness remembers, and no entry that was written without the key; then it raises
// the alarm and returns false.
func (l *Log) sign(ctx context.Context, tx *store.Tx, h head) (signed bool, err error) {
	if l.signing == nil || l.Paused() != nil {
		return false, nil
	}
	resumed := l.resumed()
	known := l.signing.witness.signedOf(h.origin)
	found, err := l.compare(ctx, tx, h, known)
	if err == nil && found == nil {
		found, err = l.compareUnsigned(ctx, tx, h, known.Checkpoint)
	}
	if err != nil {
		return false, err
	}
	if found != nil {
		return false, l.raise(h, found, resumed)
	}
	tree, err := TreeAt(h.seq, h.edge)
	if err != nil {
		return false, err
	}
	c, note, err := l.signAs(ctx, tx, h.origin, tree)
	if err != nil {
		return false, err
	}
	tx.AfterCommit(func() { l.signing.witness.remember(c, note) }) // what fails, Checkpoint repeats
	return true, nil
}

// signAs signs a tree whatever was signed before.
func (l *Log) signAs(ctx context.Context, tx *store.Tx, origin string, tree Tree) (c Checkpoint, note string, err error) {
	signer, err := NewSigner(origin, l.signing.witness.seed)
	if err != nil {
		return c, "", err
	}
	last, err := newestCheckpoint(ctx, tx)
	if err != nil {
		return c, "", err
	}
	if last.Size == tree.Size && last.Note != "" { // it is signed already
		c, err = OpenCheckpoint(last.Note, signer.Public)
		return c, last.Note, err
	}
	at := l.db.Now()
	c = Checkpoint{Origin: origin, Size: tree.Size, Root: tree.Root(), At: at, Previous: last.Size}
	if note, err = c.Sign(signer); err != nil {
		return c, "", err
	}
	return c, note, tx.Exec(ctx, `INSERT INTO checkpoints (size, at, note) VALUES ($1, $2, $3)`, tree.Size, store.Millis(at), note)
}

// Checkpoint signs the current log, unless a checkpoint covers its last entry already.
// The witness remembers the newest checkpoint, also that of another console.
// Faults: FaultNotSigned, FaultNotCompared.
func (l *Log) Checkpoint(ctx context.Context) error {
	if l.signing == nil {
		return nil
	}
	if err := l.Paused(); err != nil {
		return err
	}
	open, err := store.Value[bool](ctx, l.db.Reader(), `SELECT COUNT(*) = 0 FROM checkpoints
		WHERE size = (SELECT seq FROM audit_head WHERE id = 1)`)
	if err == nil && open {
		err = l.db.Tx(ctx, func(tx *store.Tx) error {
			h, err := lockHead(ctx, tx)
			if err != nil {
				return err
			}
			_, err = l.sign(ctx, tx, h)
			return err
		})
	}
	if err == nil {
		err = l.witnessNewest(ctx)
	}
	if err == nil {
		err = l.Paused()
	}
	return err
}

// witnessNewest lets the witness remember the newest checkpoint if the log continues
// from what it remembers so far to it.
func (l *Log) witnessNewest(ctx context.Context) error {
	h, err := readHead(ctx, l.db.Reader())
	if err != nil {
		return err
	}
	resumed := l.resumed()
	known := l.signing.witness.signedOf(h.origin) // before the log is read, which may grow meanwhile
	return l.db.ReadTx(ctx, func(tx *store.Tx) error {
		h, err := readHead(ctx, tx)
		if err != nil {
			return err
		}
		if found, err := l.compare(ctx, tx, h, known); err != nil || found != nil {
			return errors.Join(err, l.raise(h, found, resumed))
		}
		newest, err := newestCheckpoint(ctx, tx)
		if err != nil || newest.Note == "" {
			return err
		}
		public, err := l.publicKey(h.origin)
		if err != nil {
			return err
		}
		c, err := OpenCheckpoint(newest.Note, public)
		if err != nil || c.Size != newest.Size {
			return nil // a verification says so
		}
		tree, err := TreeAt(h.seq, h.edge)
		if err != nil {
			return err
		}
		if is, err := l.continues(ctx, tx, c, tree); err != nil || !is {
			return errors.Join(err, l.raise(h, &Alarm{Why: Changed, Known: c}, resumed))
		}
		return l.signing.witness.remember(c, newest.Note)
	})
}
