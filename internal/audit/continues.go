package audit

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/store"
)

// compare reads from the stored hashes whether the log continues what the witness
// remembers. It returns nil if it does.
func (l *Log) compare(ctx context.Context, q store.Querier, h head, known signedState) (*Alarm, error) {
	if l.signing.witness.Damaged() != nil {
		return &Alarm{Why: Damaged}, nil
	}
	if known.note == "" {
		return l.compareNew(ctx, q, h)
	}
	if h.seq < known.Size {
		return &Alarm{Why: Shorter, Known: known.Checkpoint}, nil
	}
	tree, err := TreeAt(h.seq, h.edge)
	if err != nil {
		return &Alarm{Why: Changed, Known: known.Checkpoint}, nil
	}
	continues, err := l.continues(ctx, q, known.Checkpoint, tree)
	if err == nil && !continues {
		return &Alarm{Why: Changed, Known: known.Checkpoint}, nil
	}
	if err != nil {
		return nil, err
	}
	there, err := l.hasCheckpoint(ctx, q, known.Size, known.note)
	if err == nil && !there {
		return &Alarm{Why: CheckpointGone, Known: known.Checkpoint}, nil
	}
	return nil, err
}

// compareNew decides about a log that the witness does not know. Only a new one may be
// signed without a question: nobody has used a console with it yet.
func (l *Log) compareNew(ctx context.Context, q store.Querier, h head) (*Alarm, error) {
	if l.signing.witness.begun(h.origin) {
		return nil, nil
	}
	if l.signing.witness.knowsOthers(h.origin) {
		return &Alarm{Why: OtherLog}, nil
	}
	used, err := store.Value[bool](ctx, q, `SELECT COUNT(*) > 0 FROM (
		SELECT size FROM checkpoints UNION ALL SELECT seq FROM audit_lines WHERE code NOT IN `+listOf(beforeUse)+` LIMIT 1) AS used`)
	if err == nil && (used || h.removed > 0) {
		return &Alarm{Why: NoWitness}, nil
	}
	return nil, err
}

// beforeUse are the events of a log before a console first runs: the command line makes users.
var beforeUse = []Code{UserCreated, UserPasswordSet}

// continues proves from the stored hashes that a tree contains what a checkpoint covers.
func (l *Log) continues(ctx context.Context, q store.Querier, from Checkpoint, tree Tree) (bool, error) {
	if from.Size == 0 {
		return true, nil
	}
	proof, err := tlog.ProveTree(tree.Size, from.Size, l.hashes(ctx, q))
	if err != nil {
		if isHashFault(err) {
			return false, nil
		}
		return false, store.AsTrouble(err)
	}
	return tlog.CheckTree(proof, tree.Size, tree.Root(), from.Size, from.Root) == nil, nil
}

// CompareLines computes the tree from the entries themselves, as far as the witness
// remembers it. Nothing is signed before it was called once.
func (l *Log) CompareLines(ctx context.Context) error {
	if l.signing == nil {
		return nil
	}
	err := l.db.ReadTx(ctx, func(tx *store.Tx) error {
		h, err := readHead(ctx, tx)
		if err != nil || l.Alarm() != nil {
			return err
		}
		resumed := l.resumed()
		known := l.signing.witness.signedOf(h.origin)
		if known.note == "" {
			return nil
		}
		tree, err := l.treeOfLines(ctx, tx, known.Size, l.signing.witness.acceptedOf(h.origin))
		if err == nil && tree.Root() != known.Root {
			err = l.raise(h, &Alarm{Why: Changed, Known: known.Checkpoint}, resumed)
		}
		return err
	})
	if err == nil {
		l.signing.mutex.Lock()
		l.signing.compared = true
		l.signing.mutex.Unlock()
	}
	return store.AsTrouble(err)
}

// treeOfLines is the tree of the first entries. The stored hash stands for an entry that
// is not there, and for those that an admin accepted as they are.
func (l *Log) treeOfLines(ctx context.Context, tx *store.Tx, size, accepted int64) (tree Tree, err error) {
	for tree.Size < size {
		from, to := tree.Size+1, min(tree.Size+verifiedAtOnce, size)
		lines, err := store.Collect(ctx, tx, scanStored,
			selectLines+`seq >= $1 AND seq <= $2 AND seq > $3 ORDER BY seq`, from, to, accepted)
		if err != nil {
			return tree, err
		}
		for seq := from; seq <= to; seq++ {
			if len(lines) > 0 && lines[0].Seq == seq {
				tree.Grow(lines[0].Leaf())
				lines = lines[1:]
				continue
			}
			var leaf tlog.Hash
			stored, err := storedHash(ctx, tx, tlog.StoredHashIndex(0, seq-1))
			if err = store.IfNone(err, nil); err != nil {
				return tree, err
			}
			copy(leaf[:], stored)
			tree.Grow(leaf)
		}
	}
	return tree, nil
}
