package audit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/store"
)

// loss is what an entry says was lost when an admin accepted the log.
type loss struct {
	seq   int64
	names []string // of signed states, see lostName
}

// publishedCheckpoint is a checkpoint that the log is compared with.
type publishedCheckpoint struct {
	size  int64
	root  tlog.Hash
	note  [sha256.Size]byte // of its bytes: there may be a checkpoint a minute
	found bool              // in the database, as it was signed
	fits  bool              // the log continues it
}

// published reads all checkpoints that the log is compared with.
func (w *verifier) published(l *Log, p Proofs, name string) error {
	if p.Checkpoints != nil {
		unsigned, err := w.source(p.Checkpoints, name)
		for _, number := range unsigned {
			w.v.Add("published checkpoint %d: it is %v", number, ErrCheckpoint)
		}
		if err != nil {
			return err
		}
	}
	if l.signing == nil {
		return nil
	}
	for _, path := range l.signing.files { // what others write into them counts for nothing
		unsigned, err := w.source(CheckpointsIn(path), name)
		if err != nil {
			return err
		}
		if len(unsigned) > 0 {
			w.v.Notes = append(w.v.Notes, fmt.Sprintf(
				"Notes in the published file that were not signed with the key of the log: %d. They were not used.", len(unsigned)))
		}
	}
	return nil
}

// source reads the checkpoints of one place in their order. The first may follow others
// that are kept elsewhere. It returns the numbers of those that are not signed.
func (w *verifier) source(notes iter.Seq2[string, error], name string) (unsigned []int, err error) {
	number, foreign := 0, 0
	here := map[int64]bool{}
	for note, err := range notes {
		if err != nil {
			return nil, err
		}
		number++
		if _, err := OpenMark(note, w.public); err == nil { // it says nothing of the log
			continue
		}
		c, err := OpenCheckpoint(note, w.public)
		switch {
		case err != nil:
			unsigned = append(unsigned, number)
			continue
		case c.Origin != name:
			foreign++
			continue
		case len(here) > 0 && c.Previous > 0 && !here[c.Previous]:
			w.v.Add("published checkpoint of %d entries: it follows one of %d entries, which is missing there", c.Size, c.Previous)
		}
		w.v.Published++
		here[c.Size] = true
		sum := sha256.Sum256([]byte(note))
		if !slices.ContainsFunc(w.given[c.Size], func(g *publishedCheckpoint) bool { return g.note == sum }) {
			w.given[c.Size] = append(w.given[c.Size], &publishedCheckpoint{size: c.Size, root: c.Root, note: sum})
		}
	}
	switch {
	case foreign > 0 && len(here) == 0:
		w.v.Add("published checkpoints: %d belong to another log, and none to this one (%s)", foreign, name)
	case foreign > 0:
		w.v.Notes = append(w.v.Notes, fmt.Sprintf("Published checkpoints of other logs, which were not compared: %d.", foreign))
	}
	return unsigned, nil
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
			if signed.Previous != w.before {
				w.v.Add("checkpoint of %d entries: it follows one of %d entries, but the one before it has %d", c.Size, signed.Previous, w.before)
			}
			delete(w.sealedAt, c.Size)
		}
		w.before = c.Size
		for _, g := range w.given[size] {
			g.found = g.found || g.note == sha256.Sum256([]byte(c.Note))
		}
		kept.page = kept.page[1:]
	}
	for _, g := range w.given[size] {
		g.fits = g.root == w.tree.Root()
	}
	if size == w.known.Size {
		w.knownFits = w.tree.Root() == w.known.Root
	}
	return nil
}

// withoutKey says which entries were not written with the key.
func (w *verifier) withoutKey(accepted int64) {
	for _, r := range w.forged {
		if r.to > accepted {
			w.v.Alarm = Forged
		}
		if r.from == r.to {
			w.v.Add("entry %d of the log: the MAC does not match the key file of the console", r.from)
		} else {
			w.v.Add("entries %d-%d of the log: the MACs do not match the key file of the console", r.from, r.to)
		}
	}
}

// witnessed compares the log with what its console remembers that it signed.
func (w *verifier) witnessed(ctx context.Context, l *Log, head int64) error {
	if l.signing == nil {
		return nil
	}
	switch there, err := l.hasCheckpoint(ctx, w.tx, w.known.Size, w.known.note); {
	case err != nil:
		return err
	case l.signing.witness.Damaged() != nil:
		w.v.Add("witness file: it was changed, or written with another key")
		w.v.Alarm = Damaged
	case w.known.note == "" && head > 0:
		w.v.Notes = append(w.v.Notes, "The witness file knows nothing of this log, so the log was not compared with it.")
	case w.known.Size > head:
		w.v.Add("audit log: the last entry is %d, but this console signed %d entries", head, w.known.Size)
		w.v.Alarm = Shorter
	case w.known.Size > 0 && !w.knownFits:
		w.v.Add("witness file: entries of the %d that this console signed were changed", w.known.Size)
		w.v.Alarm = Changed
	case w.changed > l.signing.witness.acceptedOf(w.origin) && w.changed <= w.known.Size:
		w.v.Alarm = Changed // which was listed
	case w.known.note != "" && !there:
		w.v.Add("checkpoint of %d entries: this console signed it, but it is missing", w.known.Size)
		w.v.Alarm = CheckpointGone
	}
	return nil
}

// checkpointsBeyond compares with the checkpoints of more entries than there are, and
// says which published ones are lost. It excuses those that an entry names. The entry
// counts only when a later checkpoint covers it: without the key, somebody could write
// the entry but not the checkpoint.
func (w *verifier) checkpointsBeyond(ctx context.Context, head int64, kept *checkpointReader) error {
	c, err := kept.next(ctx, w.tx)
	if err != nil {
		return err
	}
	if c != nil {
		w.v.Add("audit log: the last entry is %d, but a checkpoint covers %d entries", head, c.Size)
	}
	excused := map[string]bool{}
	for _, s := range w.losses {
		for _, name := range s.names {
			excused[name] = excused[name] || s.seq <= w.signed
		}
		w.v.Notes = append(w.v.Notes, fmt.Sprintf(
			"An admin accepted a log that did not continue what was signed (see entry %d). Signed states that are lost: %d.",
			s.seq, len(s.names)))
	}
	beyond := int64(0)
	for _, size := range slices.Sorted(maps.Keys(w.given)) {
		for _, g := range w.given[size] {
			switch {
			case g.found && g.fits || excused[lostName(g.size, g.root)]:
			case size > head:
				beyond = size
			case !g.fits:
				w.v.Add("published checkpoint of %d entries: the signed entries were changed", size)
			default:
				w.v.Add("published checkpoint of %d entries: it is missing from the database", size)
			}
		}
	}
	if beyond > 0 {
		w.v.Add("audit log: the last entry is %d, but a published checkpoint covers %d entries", head, beyond)
	}
	return nil
}
