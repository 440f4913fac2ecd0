package jobs

import (
	"context"
	"time"

	"tagsweep/internal/store"
)

// Sends is how many batches were about to be sent, ever and of every app. A console
// saves the number outside the database before the call leaves, so that an older
// copy of the database is noticed.
type Sends struct {
	Number int64
	At     time.Time // when it was saved outside; zero: never
}

// SendCount counts the batches of one commit.
type SendCount struct {
	more  int64
	Total int64 // once the commit has succeeded: of all sends
}

// sendsLast sorts behind the ids of jobs: the count is locked after them.
const sendsLast = "~ sends"

// CountSend counts a batch that is about to be sent. Transactions that share a commit
// write their count once.
func (s *Jobs) CountSend(ctx context.Context, tx *store.Tx) (*SendCount, error) {
	c, shared := tx.Total(sendsLast, func() store.Total { return &SendCount{} }).(*SendCount)
	if !shared {
		c = &SendCount{more: 1}
		return c, c.Write(ctx, tx)
	}
	c.more++
	return c, nil
}

// Write implements store.Total.
func (c *SendCount) Write(ctx context.Context, tx *store.Tx) (err error) {
	c.Total, err = store.Value[int64](ctx, tx, `UPDATE sends SET sent = sent + $1 WHERE id = 1 RETURNING sent`, c.more)
	return err
}

// Sent returns the count of the database.
func (s *Jobs) Sent(ctx context.Context) (int64, error) {
	return store.Value[int64](ctx, s.db.Reader(), `SELECT sent FROM sends WHERE id = 1`)
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
