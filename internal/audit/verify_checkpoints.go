package audit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/store"
)

// fork is a published part of the log that this database does not have, and the
// entry that records it.
type fork struct {
	after, to, said int64
	at              time.Time
}

// publishedCheckpoint is a checkpoint that the log is compared with.
type publishedCheckpoint struct {
	size int64
	root tlog.Hash
	at   time.Time
}

// published reads the checkpoints the log is compared with.
func (w *verifier) published(p Proofs, name string) error {
	if p.Checkpoints == nil {
		return nil
	}
	number := 0
	for note, err := range p.Checkpoints {
		if err != nil {
			return err
		}
		number++
		if _, err := OpenMark(note, w.public); err == nil { // it says nothing of the log
			continue
		}
		c, err := OpenCheckpoint(note, w.public)
		switch {
		case err != nil:
			w.v.Add("published checkpoint %d: it is %v", number, ErrCheckpoint)
		case c.Origin != name:
			w.v.Add("published checkpoint %d: it belongs to another log (%s); this log is %s", number, c.Origin, name)
		default:
			w.v.Published++
			if !slices.ContainsFunc(w.given[c.Size], func(g publishedCheckpoint) bool { return g.root == c.Root }) {
				w.given[c.Size] = append(w.given[c.Size], publishedCheckpoint{c.Size, c.Root, c.At})
			}
		}
	}
	return nil
}

// checkpointReader reads the checkpoints of the database in their order.
type checkpointReader struct {
	page []SignedCheckpoint
	last int64
	end  bool
}

func (r *checkpointReader) next(ctx context.Context, tx *store.Tx) (*SignedCheckpoint, error) {
	if len(r.page) == 0 && !r.end {
		page, err := store.Collect(ctx, tx, scanCheckpoint,
			`SELECT size, at, note FROM checkpoints WHERE size > $1 ORDER BY size LIMIT 500`, r.last)
		if err != nil {
			return nil, err
		}
		r.page, r.end = page, len(page) == 0
	}
	if len(r.page) == 0 {
		return nil, nil
	}
	r.last = r.page[0].Size
	return &r.page[0], nil
}

// checkpoint compares the tree as it is with the checkpoints of its size.
func (w *verifier) checkpoint(ctx context.Context, kept *checkpointReader) error {
	size := w.tree.Size
	for {
		c, err := kept.next(ctx, w.tx)
		if err != nil {
			return err
		}
		if c == nil || c.Size > size {
			break
		}
		w.v.Checkpoints++
		signed, err := OpenCheckpoint(c.Note, w.public)
		switch {
		case err != nil || c.Size != signed.Size || store.Millis(signed.At) != store.Millis(c.At):
			w.v.Add("checkpoint of %d entries: the signature is not valid", c.Size)
		case signed.Root != w.tree.Root():
			w.v.Add("checkpoint of %d entries: the signed entries were changed", c.Size)
		default:
			w.signed = c.Size
		}
		kept.page = kept.page[1:]
	}
	for _, g := range w.given[size] {
		if g.root != w.tree.Root() {
			w.mismatched = append(w.mismatched, g)
		}
	}
	return nil
}

// forked reports whether the log records the loss of the entries of a published
// checkpoint. The record counts only when a later checkpoint covers it: without the
// key, somebody could write the entry but not the checkpoint.
func (w *verifier) forked(g publishedCheckpoint) bool {
	return slices.ContainsFunc(w.forks, func(f fork) bool {
		return f.said <= w.signed && f.after < g.size && g.size <= f.to && g.at.Before(f.at)
	})
}

// checkpointsBeyond finds checkpoints of more entries than there are.
func (w *verifier) checkpointsBeyond(ctx context.Context, head int64, kept *checkpointReader) error {
	c, err := kept.next(ctx, w.tx)
	if err != nil {
		return err
	}
	if c != nil {
		w.v.Add("audit log: the last entry is %d, but a checkpoint covers %d entries", head, c.Size)
	}
	for _, g := range w.mismatched { // the recorded losses are known only now
		if !w.forked(g) {
			w.v.Add("published checkpoint of %d entries: the signed entries were changed", g.size)
		}
	}
	beyond := int64(0)
	for size, all := range w.given {
		if size > head && !slices.ContainsFunc(all, w.forked) {
			beyond = max(beyond, size)
		}
	}
	if beyond > 0 {
		w.v.Add("audit log: the last entry is %d, but a published checkpoint covers %d entries", head, beyond)
	}
	for _, f := range w.forks {
		w.v.Notes = append(w.v.Notes, fmt.Sprintf(
			"The database was restored from an older copy when %d entries had been published. Entries after number "+
				"%d that were written before the restore are not in this log (see entry %d).", f.to, f.after, f.said))
	}
	return nil
}
