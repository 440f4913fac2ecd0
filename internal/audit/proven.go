package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/store"
)

var errUnproven = errors.New("audit: not the entry that was written")

// Unproven reports whether an error of Proven says that an entry is missing, or is not
// the one that was written.
func Unproven(err error) bool { return errors.Is(err, errUnproven) || errors.Is(err, sql.ErrNoRows) }

// Proven reads an entry that is in the tree, and was written with the key: the stored hash
// of its leaf is that of its line, and its MAC is right. Its error is for Unproven.
func (l *Log) Proven(ctx context.Context, q store.Querier, seq int64) (Entry, error) {
	e, err := l.proven(ctx, q, `seq = $1`, seq)
	if err == nil && e.Seq != seq {
		err = fmt.Errorf("%w: entry %d of the log", errUnproven, seq)
	}
	return e, err
}

// proven reads one entry and checks its hash and its MAC.
func (l *Log) proven(ctx context.Context, q store.Querier, which string, arg any) (e Entry, err error) {
	stored, err := scanStored(q.QueryRowContext(ctx, selectLines+which, arg))
	if err != nil {
		return e, err
	}
	hash, err := storedHash(ctx, q, tlog.StoredHashIndex(0, stored.Seq-1))
	if err != nil {
		return e, err
	}
	h, err := readHead(ctx, q)
	if err != nil {
		return e, err
	}
	own, err := l.isOwn(ctx, q, h.origin, stored)
	if err != nil {
		return e, err
	}
	leaf := stored.Leaf()
	if e, err = stored.Read(); err != nil || !own || string(hash) != string(leaf[:]) {
		return e, errors.Join(fmt.Errorf("%w: entry %d of the log", errUnproven, stored.Seq), err)
	}
	return e, nil
}

// LastOf returns the number of the last entry of an event; 0 for none.
func (l *Log) LastOf(ctx context.Context, q store.Querier, code Code) (int64, error) {
	return store.Value[int64](ctx, q, `SELECT COALESCE(MAX(seq), 0) FROM audit_lines WHERE code = $1`, code)
}
