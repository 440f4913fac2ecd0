package jobs

import (
	"context"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Sends is how many batches were about to be sent, ever and of every app. A console
// saves it outside the database before the call leaves, so that an older copy of the
// database is noticed.
type Sends struct {
	Number int64
	Last   string    // a call of the last of them, which is in the ledger for ever; "": not known
	At     time.Time // when it was saved outside; zero: never
}

// FaultIncomplete says that somebody has taken rows out of the database.
var FaultIncomplete = fault.Declare(fault.Unavailable, "database.incomplete",
	"Nothing is sent: the database lacks a row that every console's database has, such as the number of batches sent. "+
		"Someone has changed it outside the console. Restore a backup of the database, then start the console again.")

// OlderSQL is true of a database, with its sends s, that lacks some of the sends known to
// somebody: $2 by number, $3 the last. Another console may have counted further since the
// copy was put back; but then the last is not in its ledger. What was known before sending
// was last resumed from a copy was dealt with then.
const OlderSQL = `(s.sent < $2 OR s.lifted <= $2 AND $3 <> '' AND NOT EXISTS (SELECT 1 FROM calls WHERE id = $3))`

// Older reports whether the database lacks some of the sends that are known. Fault: FaultIncomplete.
func (s *Jobs) Older(ctx context.Context, known Sends) (bool, error) {
	older, err := store.Value[bool](ctx, s.db.Reader(), `SELECT `+OlderSQL+` FROM sends s WHERE s.id = $1`, 1, known.Number, known.Last)
	return older, store.IfNone(err, FaultIncomplete.With())
}

// SendCount counts the batches of one commit.
type SendCount struct {
	more  int64
	Total Sends // once the commit has succeeded: of all sends
}

// sendsLast sorts behind the ids of jobs: the count is locked after them.
const sendsLast = "~ sends"

// CountSend counts a batch that is about to be sent, with a call of it. Transactions that
// share a commit write their count once.
func (s *Jobs) CountSend(ctx context.Context, tx *store.Tx, call string) (*SendCount, error) {
	c, shared := tx.Total(sendsLast, func() store.Total { return &SendCount{} }).(*SendCount)
	if !shared {
		c = &SendCount{}
	}
	c.more++
	if c.Total.Last = call; shared {
		return c, nil
	}
	return c, c.Write(ctx, tx)
}

// Write implements store.Total.
func (c *SendCount) Write(ctx context.Context, tx *store.Tx) (err error) {
	c.Total.Number, err = store.Value[int64](ctx, tx, `UPDATE sends SET sent = sent + $1, last = $2 WHERE id = 1 RETURNING sent`,
		c.more, c.Total.Last)
	return store.IfNone(err, FaultIncomplete.With())
}

// Sent returns the sends of the database. Fault: FaultIncomplete.
func (s *Jobs) Sent(ctx context.Context) (n Sends, err error) {
	err = s.db.Reader().QueryRowContext(ctx, `SELECT sent, last FROM sends WHERE id = 1`).Scan(&n.Number, &n.Last)
	return n, store.IfNone(err, FaultIncomplete.With())
}

// Used reports whether there is any job or draft.
func (s *Jobs) Used(ctx context.Context) (bool, error) {
	return store.Value[bool](ctx, s.db.Reader(), `SELECT EXISTS (SELECT 1 FROM jobs)`)
}

// OtherSends reports whether another console sends or waits to, by its heartbeat:
// it has compared the database with its own number. It waits some seconds for one.
func (s *Jobs) OtherSends(ctx context.Context) (bool, error) {
	if !s.db.Shared() {
		return false, nil
	}
	last := func() (int64, error) {
		return store.Value[int64](ctx, s.db.Reader(), `SELECT COALESCE(MAX(seen_at), 0) FROM consoles`)
	}
	before, err := last()
	for range 6 {
		now := before
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
		if err == nil {
			now, err = last()
		}
		if err != nil || now > before {
			return err == nil, err
		}
	}
	return false, err
}
