package audit

import (
	"context"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/store"
)

// FillAudit appends many entries as they are, At included, as recording them one
// by one would.
func (l *Log) Fill(ctx context.Context, n int64, entry func(seq int64) Entry) error {
	const atOnce = 1_000
	h, err := readHead(ctx, l.db.Reader())
	if err != nil {
		return err
	}
	m := l.macs(h.origin)
	for done := int64(0); done < n; done += atOnce {
		err = l.db.Tx(ctx, func(tx *store.Tx) error {
			var edge []byte
			var size, reached int64
			if err := tx.QueryRowContext(ctx, `UPDATE audit_head SET seq = seq WHERE id = 1 RETURNING seq, edge, reached`).
				Scan(&size, &edge, &reached); err != nil {
				return err
			}
			tree, err := TreeAt(size, edge)
			if err != nil {
				return err
			}
			var lines, hashes, words []any
			for range min(atOnce, n-done) {
				e := entry(tree.Size + 1)
				e.Seq = tree.Size + 1
				written, err := Write(e)
				if err != nil {
					return err
				}
				reached = max(reached, store.Millis(e.At))
				lines = append(lines, e.Seq, written.Line, written.Personal, store.Millis(e.At), reached, e.Code,
					store.Number(e.Code.Failure()), strings.ToLower(e.Actor.Name), e.JobID, m.of(e.Seq, written.Leaf()))
				for i, hash := range tree.Grow(written.Leaf()) {
					hashes = append(hashes, tlog.StoredHashIndex(0, e.Seq-1)+int64(i), hash[:])
				}
				for _, word := range e.Terms() {
					words = append(words, word, e.Seq)
				}
			}
			if err := store.InsertAll(ctx, tx, `audit_lines (seq, line, personal, at, reached, code, failed, actor, job_id,
		mac)`, 10, lines); err != nil {
				return err
			}
			if err := store.InsertAll(ctx, tx, `audit_hashes (number, hash)`, 2, hashes); err != nil {
				return err
			}
			if err := store.InsertAll(ctx, tx, `audit_words (word, seq)`, 2, words); err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `UPDATE audit_head SET seq = $1, edge = $2, reached = $3 WHERE id = 1`, tree.Size, tree.Edge(), reached)
			return err
		})
		if err != nil {
			return err
		}
	}
	if l.db.Shared() {
		return l.db.Exec(ctx, `ANALYZE`)
	}
	return l.db.Exec(ctx, `PRAGMA optimize`)
}

// WatchClock starts watching the clock anew, as a console that starts.
func (l *Log) WatchClock(passed func() time.Duration) { l.clock = clock{passed: passed} }
