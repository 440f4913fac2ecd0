package audit

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Tree is the Merkle tree of RFC 6962 over the lines of the log, as far as it
// takes to make it grow: the hashes of its complete subtrees, the largest first.
type Tree struct {
	Size     int64
	complete []tlog.Hash
}

// Grow adds a leaf and returns the hashes of what became complete by it, the
// leaf first: those that tlog stores for the leaf, in its order.
func (t *Tree) Grow(leaf tlog.Hash) []tlog.Hash {
	stored := []tlog.Hash{leaf}
	for size := t.Size; size&1 == 1; size >>= 1 {
		last := len(t.complete) - 1
		leaf = tlog.NodeHash(t.complete[last], leaf)
		t.complete = t.complete[:last]
		stored = append(stored, leaf)
	}
	t.complete = append(t.complete, leaf)
	t.Size++
	return stored
}

// Root is the hash of the whole tree; that of an empty one is SHA-256 of nothing.
func (t *Tree) Root() tlog.Hash {
	if len(t.complete) == 0 {
		root, _ := tlog.TreeHash(0, nil) // of no records: it reads nothing
		return root
	}
	root := t.complete[len(t.complete)-1]
	for i := len(t.complete) - 2; i >= 0; i-- {
		root = tlog.NodeHash(t.complete[i], root)
	}
	return root
}

// Edge is the tree as it is stored beside its size.
func (t *Tree) Edge() []byte {
	edge := make([]byte, 0, len(t.complete)*tlog.HashSize)
	for _, h := range t.complete {
		edge = append(edge, h[:]...)
	}
	return edge
}

// TreeAt reads a stored tree.
func TreeAt(size int64, edge []byte) (Tree, error) {
	t := Tree{Size: size}
	for rest := edge; len(rest) >= tlog.HashSize; rest = rest[tlog.HashSize:] {
		t.complete = append(t.complete, tlog.Hash(rest[:tlog.HashSize]))
	}
	want := 0
	for n := size; n > 0; n &= n - 1 {
		want++
	}
	if len(edge) != want*tlog.HashSize {
		return t, fmt.Errorf("audit: a tree of %d leaves has %d complete subtrees, not %d bytes", size, want, len(edge))
	}
	return t, nil
}
