package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Whoever can write to the database can write an entry and its hashes. So each entry has a
// MAC beside it, which needs the key file of the console. A checkpoint is signed only over
// entries that have theirs, so whoever checks with the public key alone needs no MAC.

// FaultNoKey says that a program has no key to write entries with.
var FaultNoKey = fault.Declare(fault.Unavailable, "audit.no_key",
	"Nothing was changed, because it cannot be logged: the program was started without the key file of the console.")

// UseKey sets the key of the entries' MACs. Without it nothing can be written to the log,
// and no entry counts as proven. Call it before the log is used.
func (l *Log) UseKey(key [32]byte) { l.key = key }

func (l *Log) hasKey() bool { return l.key != [32]byte{} }

// macs makes the MACs of one log's entries.
type macs struct {
	origin string
	hash   hash.Hash
}

// macs returns nil without a key.
func (l *Log) macs(origin string) *macs {
	if !l.hasKey() {
		return nil
	}
	return &macs{origin, hmac.New(sha256.New, l.key[:])}
}

// of is the MAC of an entry: of the log's name, the entry's number and its leaf.
func (m *macs) of(seq int64, leaf tlog.Hash) []byte {
	text := make([]byte, 0, 100)
	text = append(text, m.origin...)
	text = append(text, '\n')
	text = strconv.AppendInt(text, seq, 10)
	text = append(text, '\n')
	text = append(text, leaf[:]...)
	m.hash.Reset()
	m.hash.Write(text)
	return m.hash.Sum(nil)
}

func (m *macs) fits(s Stored) bool { return m != nil && hmac.Equal(s.MAC, m.of(s.Seq, s.Leaf())) }

// isOwn reports whether an entry was written with the key, or is one that an admin
// accepted when the key or the witness was new, and is in the tree of the last checkpoint.
func (l *Log) isOwn(ctx context.Context, q store.Querier, origin string, s Stored) (bool, error) {
	if l.macs(origin).fits(s) {
		return true, nil
	}
	if l.signing == nil || !l.hasKey() || s.Seq > l.signing.witness.inheritedOf(origin) {
		return false, nil
	}
	c, err := l.newestSigned(ctx, q, origin)
	if err != nil || c.Size < s.Seq {
		return false, err
	}
	proof, err := tlog.ProveRecord(c.Size, s.Seq-1, l.hashes(ctx, q))
	if isHashFault(err) {
		return false, nil
	}
	return err == nil && tlog.CheckRecord(proof, c.Size, c.Root, s.Seq-1, s.Leaf()) == nil, store.AsTrouble(err)
}

// KeyFits reports whether the log is new, or one of its last entries was written with the key.
func (l *Log) KeyFits(ctx context.Context) (bool, error) {
	h, err := readHead(ctx, l.db.Reader())
	if err != nil || h.seq == 0 {
		return err == nil, err
	}
	last, err := store.Collect(ctx, l.db.Reader(), scanStored, selectLines+`seq > $1 ORDER BY seq DESC LIMIT 100`, 0)
	m := l.macs(h.origin)
	for _, s := range last {
		if m.fits(s) {
			return true, err
		}
	}
	return false, err
}

// newestSigned is the newest checkpoint of the database if it was signed with the key of
// the log; else it is zero.
func (l *Log) newestSigned(ctx context.Context, q store.Querier, origin string) (c Checkpoint, err error) {
	newest, err := newestCheckpoint(ctx, q)
	if err != nil || newest.Note == "" {
		return c, err
	}
	public, err := l.publicKey(origin)
	if err != nil {
		return c, err
	}
	if c, err = OpenCheckpoint(newest.Note, public); err != nil || c.Size != newest.Size {
		return Checkpoint{}, nil
	}
	return c, nil
}

// compareUnsigned checks that all entries behind the last signed state were written with
// the key, and that they and this state make the tree of the head. It returns nil if so.
func (l *Log) compareUnsigned(ctx context.Context, q store.Querier, h head, known Checkpoint) (*Alarm, error) {
	newest, err := l.newestSigned(ctx, q, h.origin)
	if err != nil {
		return nil, err
	}
	from := known
	if newest.Size > known.Size && newest.Size <= h.seq {
		from = newest
	}
	tree, err := l.treeAt(ctx, q, from.Size)
	if isHashFault(err) || err == nil && from.Size > 0 && tree.Root() != from.Root {
		return &Alarm{Why: Changed, Known: known}, nil
	}
	if err != nil {
		return nil, store.AsTrouble(err)
	}
	m := l.macs(h.origin)
	for tree.Size < h.seq {
		some, err := store.Collect(ctx, q, scanStored,
			selectLines+`seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3`, tree.Size, h.seq, verifiedAtOnce)
		if err != nil {
			return nil, err
		}
		for _, s := range some {
			if s.Seq != tree.Size+1 || !m.fits(s) {
				return &Alarm{Why: Forged, Known: known}, nil
			}
			tree.Grow(s.Leaf())
		}
		if len(some) == 0 { // the rest is not there
			return &Alarm{Why: Forged, Known: known}, nil
		}
	}
	if string(tree.Edge()) != string(h.edge) {
		return &Alarm{Why: Forged, Known: known}, nil
	}
	return nil, nil
}

// treeAt reads the tree of the first entries from the stored hashes.
func (l *Log) treeAt(ctx context.Context, q store.Querier, size int64) (Tree, error) {
	tree := Tree{Size: size}
	var numbers []int64
	for level, from := 62, int64(0); level >= 0; level-- {
		if size>>level&1 == 1 {
			numbers = append(numbers, tlog.StoredHashIndex(level, from>>level))
			from += 1 << level
		}
	}
	var err error
	tree.complete, err = l.hashes(ctx, q).ReadHashes(numbers)
	return tree, err
}

// isHashFault reports whether an error says that a stored hash is gone, or is none.
func isHashFault(err error) bool {
	return err != nil && (store.IfNone(err, nil) == nil || errors.Is(err, errHash))
}
