package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"tagsweep/internal/audit"
)

// fork is a part of a published log that this one does not have, and the entry
// that says so.
type fork struct{ after, to, said int64 }

// published reads the checkpoints the log is held against.
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
		c, err := audit.OpenCheckpoint(note, w.public)
		switch {
		case err != nil:
			w.v.wrong("published checkpoint %d: it is %v", number, audit.ErrCheckpoint)
		case c.Origin != name:
			w.v.wrong("published checkpoint %d: it is of another log, %s; this one is %s", number, c.Origin, name)
		default:
			w.v.Published++
			if !slices.Contains(w.given[c.Size], c.Root) {
				w.given[c.Size] = append(w.given[c.Size], c.Root)
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

func (r *checkpointReader) next(ctx context.Context, tx *sql.Tx) (*SignedCheckpoint, error) {
	if len(r.page) == 0 && !r.end {
		page, err := collect(ctx, tx, scanCheckpoint, `SELECT size, at, note FROM checkpoints WHERE size > $1 ORDER BY size LIMIT 500`, r.last)
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
		signed, err := audit.OpenCheckpoint(c.Note, w.public)
		switch {
		case err != nil || c.Size != signed.Size || millis(signed.At) != millis(c.At):
			w.v.wrong("checkpoint of %d entries: it is not as it was signed", c.Size)
		case signed.Root != w.tree.Root():
			w.v.wrong("checkpoint of %d entries: the entries before it are not those that were signed", c.Size)
		}
		kept.page = kept.page[1:]
	}
	for _, root := range w.given[size] {
		if root != w.tree.Root() {
			w.strange = append(w.strange, size)
		}
	}
	return nil
}

// forked reports whether the log says that it lost what a published checkpoint
// of a size covers.
func (w *verifier) forked(size int64) bool {
	return slices.ContainsFunc(w.forks, func(f fork) bool { return f.after < size && size <= f.to })
}

// checkpointsBeyond finds checkpoints of more entries than there are.
func (w *verifier) checkpointsBeyond(ctx context.Context, head int64, kept *checkpointReader) error {
	c, err := kept.next(ctx, w.tx)
	if err != nil {
		return err
	}
	if c != nil {
		w.v.wrong("audit log: it ends with entry %d, and a checkpoint covers %d", head, c.Size)
	}
	for _, size := range w.strange { // only now is it known what the log says that it lost
		if !w.forked(size) {
			w.v.wrong("published checkpoint of %d entries: the entries before it are not those that were signed", size)
		}
	}
	beyond := int64(0)
	for size := range w.given {
		if size > head && !w.forked(size) {
			beyond = max(beyond, size)
		}
	}
	if beyond > 0 {
		w.v.wrong("audit log: it ends with entry %d, and a published checkpoint covers %d", head, beyond)
	}
	for _, f := range w.forks {
		w.v.Notes = append(w.v.Notes, fmt.Sprintf("The database was restored from a copy when %d entries had been published: of those after entry %d, what was written between the copy and the restoring is not in this log (entry %d says so).", f.to, f.after, f.said))
	}
	return nil
}
