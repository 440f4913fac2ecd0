package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

// errLost means that the claim has ended: this console sent no heartbeat for so
// long that another one took its batches over. What that one has written stands.
var errLost = errors.New("engine: the claim has ended")

// markSending records that a call which changes tags may leave for a batch.
const markSending = `
	UPDATE batches SET outcome = 'sending', sent = 1 WHERE job_id = $1 AND number = $2 AND claim = $3 AND outcome = $4`

// checkClaim changes no value. It matches no row when the claim has ended.
const checkClaim = `
	UPDATE batches SET claim = claim WHERE job_id = $1 AND number = $2 AND claim = $3`

// intentColumns are those of a call that is recorded before it leaves.
const intentColumns = `calls (id, job_id, batch, held, accounts, command, random, delivery, sent_at)`

func (e *Engine) intent(b *batch, c *call) []any {
	return []any{c.id, b.job.id, b.number, accountBits(c.accounts), len(c.accounts), string(c.command), int64(c.random),
		"intended", e.gate.now()}
}

// keep saves what must not be lost when a call leaves: its intent, and before the
// first call that changes tags, the tags the accounts had. If that fails, the call
// is not sent.
func (e *Engine) keep(ctx context.Context, b *batch, c *call) *stopReason {
	first := c.command != tim.GetTags && !b.intendedNow
	tags, end := e.encryptTags(ctx, b)
	if end != nil {
		return end
	}
	if !e.gate.open(b) {
		return notNow
	}
	var sends *jobs.SendCount
	err := e.Store.Write(ctx, b.job.id, func(ctx context.Context, tx *store.Tx) (err error) {
		if err := store.InsertAll(ctx, tx, intentColumns, 9, e.intent(b, c)); err != nil {
			return err
		}
		if !first {
			return store.One(ctx, tx, errLost, checkClaim, b.job.id, b.number, b.claim)
		}
		if err := e.saveTags(ctx, tx, b, tags); err != nil {
			return err
		}
		if err := store.One(ctx, tx, errLost, markSending, b.job.id, b.number, b.claim, b.claimedAs); err != nil {
			return err
		}
		if sends, err = e.Jobs.CountSend(ctx, tx, c.id); err != nil {
			return err
		}
		open := int64(len(b.accounts))
		return e.Jobs.MoveCounts(ctx, tx, b.job.id, jobs.Counts{b.claimedAs: -open, jobs.Sending: open}, 0)
	})
	if e.gate.report(ctx, writing, err) {
		return notNow
	}
	c.written = true
	if first {
		b.intendedNow = true
		for _, a := range b.accounts {
			a.unsaved = false
		}
		if e.gate.report(ctx, witnessing, e.saveSends(sends.Total)) {
			return notNow
		}
	}
	return nil
}

// encryptTags encrypts the tags that are not saved yet, together with those of the batch
// that are. It returns nil when all are saved.
func (e *Engine) encryptTags(ctx context.Context, b *batch) (encrypted []byte, end *stopReason) {
	if !slices.ContainsFunc(b.accounts, func(a *account) bool { return a.unsaved }) {
		return nil, nil
	}
	key, err := e.keyOf(ctx, b)
	if err == nil {
		encrypted, err = snapshot.Encrypt(key, snapshot.Before, b.job.id, b.number, b.tagsBefore())
	}
	switch {
	case err == nil:
		return encrypted, nil
	case snapshot.Unreadable(err):
		return nil, b.unreadable(err)
	}
	e.gate.report(ctx, polling, err)
	return nil, notNow
}

func (e *Engine) saveTags(ctx context.Context, tx *store.Tx, b *batch, encrypted []byte) error {
	if encrypted == nil {
		return nil
	}
	return e.Snapshots.SaveBefore(ctx, tx, b.job.id, b.number, encrypted)
}

// tagsBefore returns the known tags from before the change, of all accounts of the batch.
func (b *batch) tagsBefore() []snapshot.Account {
	all := make([]snapshot.Account, 0, len(b.earlier)+len(b.accounts))
	for seq, tags := range b.earlier {
		all = append(all, snapshot.Account{Seq: seq, Tags: tags})
	}
	for _, a := range b.accounts {
		if a.beforeKnown {
			all = append(all, snapshot.Account{Seq: a.seq, Tags: a.before})
		}
	}
	slices.SortFunc(all, func(a, b snapshot.Account) int { return cmp.Compare(a.Seq, b.Seq) })
	return all
}

// key is the key of a job's tags. It is read once for all batches of a claim.
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

// unreadable stops a batch whose tags can neither be read nor saved. A cancelled
// job cannot halt: its accounts in doubt wait for a person.
func (b *batch) unreadable(err error) *stopReason {
	if b.job.state == jobs.Cancelled {
		return &stopReason{review: jobs.CodeUnreadable}
	}
	return &stopReason{halt: jobs.CodeUnreadable, info: err.Error(), call: b.lastCall()}
}
