package audit

import (
	"context"

	"tagsweep/internal/store"
)

// head is the one row that says how far the log is.
type head struct {
	seq     int64  // the last entry
	edge    []byte // of the tree, see TreeAt
	reached int64  // the latest time of an entry, in milliseconds
	removed int64  // entries up to this one were removed, except NeverRemoved
	months  int    // for how many entries are kept; 0: for ever
	origin  string // names the log
}

const headColumns = `seq, edge, reached, removed, keep_months, origin`

// readHead reads the head.
func readHead(ctx context.Context, q store.Querier) (head, error) {
	return queryHead(ctx, q, `SELECT `+headColumns+` FROM audit_head WHERE id = 1`)
}

// lockHead locks the head, and so the log, until the transaction ends.
func lockHead(ctx context.Context, tx *store.Tx) (head, error) {
	return queryHead(ctx, tx, `UPDATE audit_head SET seq = seq WHERE id = 1 RETURNING `+headColumns)
}

func queryHead(ctx context.Context, q store.Querier, query string) (h head, err error) {
	err = q.QueryRowContext(ctx, query).Scan(&h.seq, &h.edge, &h.reached, &h.removed, &h.months, &h.origin)
	return h, store.AsTrouble(err)
}

// Size is the number of the last entry.
func (l *Log) Size(ctx context.Context) (int64, error) {
	h, err := readHead(ctx, l.db.Reader())
	return h.seq, err
}
