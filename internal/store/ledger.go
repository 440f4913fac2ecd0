package store

import (
	"context"
	"errors"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// Event is what one job did with an account.
type Event struct {
	jobs.Placed
	Before []string     // the tags it had before the job changed them
	Wanted []string     // those the job was to add or remove
	Known  bool         // Before was read, and is kept
	Erased bool         // what was kept has been erased
	Fault  *fault.Error // why what is kept cannot be read; nil: it can
	Calls  []jobs.Call  // in which the account was, oldest first
}

// History returns what happened to an account, exact to the letter, newest job first.
func (s *Store) History(ctx context.Context, account string, limit int) (events []Event, err error) {
	found, err := s.find(ctx, account, limit)
	if err != nil {
		return nil, asTrouble(err)
	}
	for _, a := range found {
		e := Event{Placed: a.Placed}
		if e.Calls, err = s.callsOf(ctx, a); err != nil {
			return nil, asTrouble(err)
		}
		err = s.tagsIn(ctx, a, &e)
		if f, known := errors.AsType[*fault.Error](err); known && unreadable(err) {
			e.Erased = snapshot.FaultErased.Is(err)
			if !e.Erased {
				e.Fault = f
			}
			err = nil
		}
		if err != nil {
			return nil, asTrouble(err)
		}
		events = append(events, e)
	}
	return events, nil
}

// tagsIn adds the tags that a job keeps of an account.
func (s *Store) tagsIn(ctx context.Context, a inJob, e *Event) error {
	if a.Job.Kind.Tagged() {
		wanted, err := s.keptTags(ctx, snapshot.Wanted, a.Job.ID, a.Batch, a.Batch)
		if err != nil {
			return err
		}
		e.Wanted = snapshot.Chosen(wanted[a.seq], a.Job.Only)
	}
	if !a.Job.Snapshot || a.Job.StartedAt.IsZero() {
		return nil
	}
	before, err := s.keptTags(ctx, snapshot.Before, a.Job.ID, a.Batch, a.Batch)
	if err != nil {
		return err
	}
	e.Before, e.Known = before[a.seq]
	return nil
}

// settledAccount is an account of a batch with an outcome of its own.
type settledAccount struct {
	seq     int64
	outcome jobs.Outcome
	at      time.Time
}

// callsOf returns the calls in which an account was. The ledger holds of a call
// its batch, the place of the first account of the part that it was made for,
// and how many accounts it took: of the accounts from that place on, the first so
// many that had no outcome of their own when it left. Once a later place was the
// first of a call, no part reaches beyond it, for parts are only ever divided. A
// reading after the part was settled checks those of its accounts that were done,
// with or without an outcome of their own. What was reopened has lost when it was
// done: calls between that and its reopening are listed as if it had been in them.
func (s *Store) callsOf(ctx context.Context, a inJob) (calls []jobs.Call, err error) {
	ledger, err := collect(ctx, s.read, scanCall, `
		SELECT `+callColumns+` FROM calls
		WHERE job_id = $1 AND batch = $2 AND first <= $3 ORDER BY sent_at, id`, a.Job.ID, a.Batch, a.seq)
	if err != nil || len(ledger) == 0 {
		return nil, err
	}
	firstOf := (a.Batch-1)*jobs.BatchSize + 1
	own, err := collect(ctx, s.read, func(row scanner) (o settledAccount, err error) {
		var at int64
		err = row.Scan(&o.seq, &o.outcome, &at)
		o.at = fromMillis(at)
		return o, err
	}, `SELECT seq, outcome, settled_at FROM own_outcomes WHERE job_id = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq`, a.Job.ID, firstOf, a.seq)
	if err != nil {
		return nil, err
	}
	var part ledgerPart
	var settled int64
	err = s.read.QueryRowContext(ctx, `SELECT first, settled_at FROM batches WHERE job_id = $1 AND first <= $2 ORDER BY first DESC LIMIT 1`, a.Job.ID, a.seq).Scan(&part.first, &settled)
	if err != nil {
		return nil, err
	}
	part.settled = fromMillis(settled)
	reached := int64(0)
	for _, c := range ledger {
		if c.First < reached {
			continue
		}
		reached = c.First
		if part.checked(c) && a.Outcome == a.Job.Kind.Done() || !part.checked(c) && took(c, a.seq, own) {
			calls = append(calls, c)
		}
	}
	return calls, nil
}

// ledgerPart is the part of a batch that an account is in now.
type ledgerPart struct {
	first   int64
	settled time.Time // zero: it is open
}

// checked reports whether a call read the part again after it was settled.
func (p ledgerPart) checked(c jobs.Call) bool {
	return c.Command == tim.GetTags && c.First == p.first && !p.settled.IsZero() && c.At.After(p.settled)
}

// took reports whether a call took the account, given those of its batch up to
// it that have an outcome of their own.
func took(c jobs.Call, seq int64, own []settledAccount) bool {
	place := seq - c.First
	for _, o := range own {
		// Who was set aside was so as the call was made; any other outcome follows its call.
		if before := o.at.Before(c.At) || o.outcome == setAside && o.at.Equal(c.At); !before || o.seq < c.First {
			continue
		}
		if o.seq == seq {
			return false
		}
		place--
	}
	return place >= 0 && place < int64(c.Accounts)
}
