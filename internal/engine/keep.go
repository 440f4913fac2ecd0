package engine

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

// errLost is of a claim that has ended: this console was silent for so long that
// others took it for dead. What they have written down stands.
var errLost = errors.New("engine: the claim has ended")

// keepIntent says of a batch that a call which changes tags may leave for it.
const keepIntent = `
	UPDATE batches SET outcome = 'sending', sent = 1 WHERE job_id = $1 AND number = $2 AND claim = $3`

// stillOurs changes nothing: it finds out whether the claim has ended.
const stillOurs = `
	UPDATE batches SET claim = claim WHERE job_id = $1 AND number = $2 AND claim = $3`

// intended is where calls are written down before they leave.
const intended = `calls (id, job_id, batch, held, accounts, command, random, delivery, sent_at)`

func (e *Engine) intent(b *batch, c *call) []any {
	return []any{c.id, b.job.id, b.number, held(c.accounts), len(c.accounts), string(c.command), int64(c.random), "intended", e.gate.now()}
}

// keep writes down what must not be lost when a call leaves: its intent, and
// before the first that changes tags, those the accounts had. When it cannot, no
// call leaves.
func (e *Engine) keep(ctx context.Context, b *batch, c *call) *ending {
	first := c.command != tim.GetTags && !b.intendedNow
	tags, end := e.sealTags(ctx, b)
	if end != nil {
		return end
	}
	if !e.gate.open(b) {
		return cut
	}
	err := e.Store.Write(ctx, b.job.id, func(ctx context.Context, tx *store.Tx) error {
		if err := store.InsertAll(ctx, tx, intended, 9, e.intent(b, c)); err != nil {
			return err
		}
		if !first {
			return store.One(ctx, tx, errLost, stillOurs, b.job.id, b.number, b.claim)
		}
		if err := e.saveTags(ctx, tx, b, tags); err != nil {
			return err
		}
		if err := store.One(ctx, tx, errLost, keepIntent, b.job.id, b.number, b.claim); err != nil {
			return err
		}
		open := int64(len(b.accounts))
		return e.Jobs.MoveCounts(ctx, tx, b.job.id, jobs.Counts{b.was: -open, jobs.Sending: open}, 0)
	})
	if e.gate.note(ctx, writing, err) {
		return cut
	}
	c.written = true
	if first {
		b.intendedNow = true
		tags.done(b)
	}
	return nil
}

// sealedTags are the encrypted tags that a batch's accounts had before; data is nil when
// all of them are saved.
type sealedTags struct{ data []byte }

// sealTags encrypts the tags that are not saved yet, together with those of the batch
// that are.
func (e *Engine) sealTags(ctx context.Context, b *batch) (s sealedTags, end *ending) {
	if !slices.ContainsFunc(b.accounts, func(a *account) bool { return a.unkept }) {
		return s, nil
	}
	all := maps.Clone(b.earlier)
	if all == nil {
		all = map[int64][]string{}
	}
	for _, a := range b.accounts {
		if a.unkept {
			all[a.seq] = a.before
		}
	}
	key, err := e.keyOf(ctx, b)
	if err == nil {
		s.data, err = snapshot.Seal(key, snapshot.Before, b.job.id, b.number, inOrder(all))
	}
	switch {
	case err == nil:
		return s, nil
	case snapshot.Unreadable(err):
		return s, b.unreadable(err)
	}
	e.gate.note(ctx, looking, err)
	return s, cut
}

func (e *Engine) saveTags(ctx context.Context, tx *store.Tx, b *batch, s sealedTags) error {
	if s.data == nil {
		return nil
	}
	return e.Snapshots.SaveBefore(ctx, tx, b.job.id, b.number, s.data)
}

// done says that they are written down.
func (s sealedTags) done(b *batch) {
	if s.data == nil {
		return
	}
	if b.earlier == nil {
		b.earlier = map[int64][]string{}
	}
	for _, a := range b.accounts {
		if a.unkept {
			b.earlier[a.seq], a.unkept = a.before, false
		}
	}
}

// key is that of a job's tags, once it was read.
type key struct {
	mutex sync.Mutex
	read  snapshot.Key
}

func (e *Engine) keyOf(ctx context.Context, b *batch) (k snapshot.Key, err error) {
	b.key.mutex.Lock()
	defer b.key.mutex.Unlock()
	if b.key.read == (snapshot.Key{}) {
		b.key.read, err = e.Snapshots.KeyOf(ctx, b.job.id)
	}
	return b.key.read, err
}

// unreadable ends a batch whose tags can neither be read nor kept. A job that was
// cancelled cannot halt: what it has in doubt waits for a person.
func (b *batch) unreadable(err error) *ending {
	if b.job.state == jobs.Cancelled {
		return &ending{ask: jobs.CodeUnreadable}
	}
	return &ending{halt: jobs.CodeUnreadable, info: err.Error(), call: b.lastCall()}
}

func inOrder(tags map[int64][]string) []snapshot.Account {
	accounts := make([]snapshot.Account, 0, len(tags))
	for seq, tags := range tags {
		accounts = append(accounts, snapshot.Account{Seq: seq, Tags: tags})
	}
	slices.SortFunc(accounts, func(a, b snapshot.Account) int { return cmp.Compare(a.Seq, b.Seq) })
	return accounts
}
