package engine

import (
	"context"
	"fmt"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

// fill reads the open accounts of a claimed batch from the stored plan, and marks
// those that a call may have changed.
func (b *batch) fill(ctx context.Context, tx *store.Tx, open int, text string) error {
	plan, err := jobs.ReadPlannedBatch(b.number, text)
	if err != nil {
		return &damaged{b.job.id, jobs.CodeUnreadable, err}
	}
	b.plan = plan
	settled := map[int64]bool{}
	if open < len(plan.Accounts) {
		seqs, err := store.Column[int64](ctx, tx,
			`SELECT seq FROM own_outcomes WHERE job_id = $1 AND seq BETWEEN $2 AND $3`,
			b.job.id, plan.First(), plan.First()+jobs.BatchSize-1)
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			settled[seq] = true
		}
	}
	all := make([]account, len(plan.Accounts))
	for place, p := range plan.Accounts {
		if seq := plan.First() + int64(place); !settled[seq] {
			all[place] = account{seq: seq, place: place, name: p.Account, unread: b.claimedAs == jobs.InDoubt}
			b.accounts = append(b.accounts, &all[place])
		}
	}
	if len(b.accounts) != open {
		return &damaged{b.job.id, jobs.CodeUnreadable, fmt.Errorf("batch %d has %d open accounts and counts %d", b.number, len(b.accounts), open)}
	}
	if !b.intendedBefore {
		return nil
	}
	// An answer with a code other than 0 says that the call changed nothing: no code in
	// the table of package tim has the class InDoubt. TestEveryCodeHasItsClass keeps it so.
	lines, err := store.Column[[]byte](ctx, tx, `
		SELECT held FROM calls
		WHERE job_id = $1 AND batch = $2 AND command <> 'get_tags' AND delivery <> 'not_sent'
			AND (delivery <> 'answered' OR code = 0)`,
		b.job.id, b.number)
	for _, a := range b.accounts {
		for _, line := range lines {
			a.maybeChanged = a.maybeChanged || jobs.Held(line, a.place)
		}
	}
	return err
}

// damaged says that the stored data of a job is corrupt, or not what the log says.
type damaged struct {
	job  string
	code int // with which it halts
	why  error
}

func (d *damaged) Error() string { return d.why.Error() }

// haltDamaged halts such a job. The accounts in doubt of a cancelled one wait for a person.
func (e *Engine) haltDamaged(ctx context.Context, tx *store.Tx, d *damaged) error {
	if err := e.lock(ctx, tx, false); err != nil {
		return err
	}
	err := tx.Exec(ctx, `
		UPDATE batches SET ask = 1, code = $2 WHERE job_id = $1 AND console = '' AND outcome = 'in_doubt'
			AND (SELECT state FROM jobs WHERE id = $1) = 'cancelled'`, d.job, d.code)
	if err != nil {
		return err
	}
	return e.Jobs.Halt(ctx, tx, d.job, jobs.HaltReason{Code: d.code, Info: d.Error()})
}

// loadTags loads the stored tags of a batch: the tags to add or remove, and the saved
// earlier tags.
func (e *Engine) loadTags(ctx context.Context, b *batch) *stopReason {
	partly := b.intendedBefore || b.restored || len(b.accounts) < len(b.plan.Accounts)
	if !b.job.hasTags() && !partly {
		return nil
	}
	err := e.loadTagsOf(ctx, b, partly)
	switch {
	case err == nil:
		return nil
	case snapshot.Unreadable(err):
		return b.unreadable(err)
	}
	e.gate.report(ctx, polling, err)
	return notNow
}

func (e *Engine) loadTagsOf(ctx context.Context, b *batch, partly bool) error {
	key, err := e.keyOf(ctx, b)
	if err != nil {
		return err
	}
	if b.job.hasTags() {
		wanted, err := e.Snapshots.BatchTags(ctx, key, snapshot.Wanted, b.job.id, b.number)
		if err != nil {
			return err
		}
		if wanted == nil { // without them the accounts would seem to need nothing
			return snapshot.FaultChanged.With(b.number, b.job.id)
		}
		for _, a := range b.accounts {
			a.wanted = wanted[a.seq]
		}
	}
	if !partly {
		return nil
	}
	if b.earlier, err = e.Snapshots.BatchTags(ctx, key, snapshot.Before, b.job.id, b.number); err != nil {
		return err
	}
	for _, a := range b.accounts {
		a.before, a.beforeKnown = b.earlier[a.seq]
		delete(b.earlier, a.seq)
	}
	return nil
}

// setAsideProtected excludes protected accounts from batches that are about to be
// sent. In a batch in doubt they are only read again.
func (e *Engine) setAsideProtected(ctx context.Context, tx *store.Tx, batches []*batch, exclusive bool) (rest []*batch, err error) {
	protected, _, err := e.Jobs.ProtectedNames(ctx, tx, e.App.ID)
	if err != nil {
		return nil, err
	}
	for _, b := range batches {
		var open []*account
		var untouched, touched []int64
		for _, a := range b.accounts {
			_, a.protected = protected[a.name]
			switch {
			case !a.protected || b.claimedAs == jobs.InDoubt:
				open = append(open, a)
			case a.maybeChanged:
				touched = append(touched, a.seq)
			default:
				untouched = append(untouched, a.seq)
			}
		}
		if len(open) < len(b.accounts) {
			if !exclusive {
				return nil, store.ErrExclusive
			}
			if err := e.Jobs.SetAside(ctx, tx, b.job.id, b.plan, untouched, touched); err != nil {
				return nil, err
			}
		}
		if b.accounts = open; len(open) > 0 {
			rest = append(rest, b)
		}
	}
	return rest, nil
}

// writeReadIntents records the first readings of claimed batches.
func (e *Engine) writeReadIntents(ctx context.Context, tx *store.Tx, batches []*batch) error {
	var rows []any
	for _, b := range batches {
		if b.job.readsFirst() || b.claimedAs == jobs.InDoubt {
			c := e.newCall(b, tim.GetTags, b.accounts)
			rows = append(rows, e.intent(b, c)...)
		}
	}
	return store.InsertAll(ctx, tx, intentColumns, 9, rows)
}
