package jobstest

import (
	"context"
	"strings"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

// Forge appends an entry to the log by SQL alone, with everything that needs no key, as
// somebody does who can write to the database. It returns its number.
func Forge(t checker, s *Console, e audit.Entry, mac []byte) int64 {
	t.Helper()
	e.At = s.DB.Now()
	require.NoError(t, s.DB.Tx(context.Background(), func(tx *store.Tx) error {
		tree, reached := forgedTree(t, tx)
		e.Seq = tree.Size + 1
		w, err := audit.Write(e)
		require.NoError(t, err)
		for _, word := range e.Terms() {
			forgeIn(t, tx, `INSERT INTO audit_words (word, seq) VALUES ($1, $2)`, word, e.Seq)
		}
		ForgeLine(t, tx, e, w, max(reached, store.Millis(e.At)), mac)
		return nil
	}))
	return e.Seq
}

// ForgeLine appends an entry that was written before, as it is, but for its words.
func ForgeLine(t checker, tx *store.Tx, e audit.Entry, w audit.Written, reached int64, mac []byte) {
	t.Helper()
	tree, _ := forgedTree(t, tx)
	for i, hash := range tree.Grow(w.Leaf()) {
		forgeIn(t, tx, `INSERT INTO audit_hashes (number, hash) VALUES ($1, $2)`, tlog.StoredHashIndex(0, tree.Size-1)+int64(i), hash[:])
	}
	if mac == nil {
		mac = make([]byte, 32)
	}
	forgeIn(t, tx, `INSERT INTO audit_lines (seq, line, personal, at, reached, code, failed, actor, job_id, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, tree.Size, w.Line, w.Personal, store.Millis(e.At), reached, e.Code,
		store.Number(e.Code.Failure()), strings.ToLower(e.Actor.Name), e.JobID, mac)
	forgeIn(t, tx, `UPDATE audit_head SET seq = $1, edge = $2, reached = $3`, tree.Size, tree.Edge(), reached)
}

func forgedTree(t checker, tx *store.Tx) (tree audit.Tree, reached int64) {
	var seq int64
	var edge []byte
	require.NoError(t, tx.QueryRowContext(context.Background(), `SELECT seq, edge, reached FROM audit_head`).Scan(&seq, &edge, &reached))
	tree, err := audit.TreeAt(seq, edge)
	require.NoError(t, err)
	return tree, reached
}

func forgeIn(t checker, tx *store.Tx, query string, args ...any) {
	require.NoError(t, tx.Exec(context.Background(), query, args...))
}

// MAC is that of the last entry that a condition chooses.
func MAC(t checker, s *Console, which string) []byte {
	t.Helper()
	mac, err := store.Value[[]byte](context.Background(), s.DB.Reader(),
		`SELECT mac FROM audit_lines WHERE `+which+` ORDER BY seq DESC LIMIT 1`)
	require.NoError(t, err)
	require.Len(t, mac, 32)
	return mac
}
