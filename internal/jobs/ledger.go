package jobs

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

// Event is what one job did with an account.
type Event struct {
	Placed
	Before []string     // the tags it had before the job changed them
	Wanted []string     // those the job was to add or remove
	Known  bool         // Before was read, and is kept
	Erased bool         // what was kept has been erased
	Fault  *fault.Error // why what is kept cannot be read; nil: it can
	Calls  []Call       // in which the account was, oldest first
}

// History returns what happened to an account, exact to the letter, newest job first.
func (s *Jobs) History(ctx context.Context, account string, limit int) (events []Event, err error) {
	found, err := s.Find(ctx, account, limit)
	if err != nil {
		return nil, err
	}
	for _, a := range found {
		e := Event{Placed: a}
		if e.Calls, err = s.callsOf(ctx, a.Job.ID, a.Account); err != nil {
			return nil, err
		}
		err = s.tagsIn(ctx, a, &e)
		if f, known := errors.AsType[*fault.Error](err); known && snapshot.Lost(err) {
			e.Erased = snapshot.FaultErased.Is(err)
			if !e.Erased {
				e.Fault = f
			}
			err = nil
		}
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// tagsIn adds the tags that a job keeps of an account.
func (s *Jobs) tagsIn(ctx context.Context, a Placed, e *Event) error {
	if a.Job.Told() {
		wanted, err := s.snapshots.Tags(ctx, snapshot.Wanted, a.Job.ID, a.Batch, a.Batch)
		if err != nil {
			return err
		}
		e.Wanted = snapshot.Chosen(wanted[a.Seq()], a.Job.Only)
	}
	if !a.Job.Snapshot || a.Job.StartedAt.IsZero() {
		return nil
	}
	before, err := s.snapshots.Tags(ctx, snapshot.Before, a.Job.ID, a.Batch, a.Batch)
	if err != nil {
		return err
	}
	e.Before, e.Known = before[a.Seq()]
	return nil
}

// callsOf returns the calls in which an account was, oldest first.
func (s *Jobs) callsOf(ctx context.Context, jobID string, a Account) ([]Call, error) {
	calls, err := store.Collect(ctx, s.db.Reader(), scanCall,
		`SELECT `+callColumns+` FROM calls WHERE job_id = $1 AND batch = $2 ORDER BY sent_at, id`, jobID, a.Batch)
	return slices.DeleteFunc(calls, func(c Call) bool { return !Held(c.Held, a.Place-1) }), err
}

// Calls lists the calls of a job by id, which is the order in which they were intended.
func (s *Jobs) Calls(ctx context.Context, jobID string) iter.Seq2[Call, error] {
	return paged(func(last Call) ([]Call, error) {
		return store.Collect(ctx, s.db.Reader(), scanCall,
			`SELECT `+callColumns+` FROM calls WHERE job_id = $1 AND id > $2 ORDER BY id LIMIT $3`, jobID, last.ID, pageRows)
	})
}

// callColumns are those that scanCall reads.
const callColumns = `id, batch, held, accounts, command, random, delivery, sent_at, duration, http_status, code, message`

func scanCall(row store.Scanner) (c Call, err error) {
	var micros int64
	err = row.Scan(&c.ID, &c.Batch, &c.Held, &c.Accounts, &c.Command, &c.Random, &c.Delivery,
		store.ScanTime(&c.At), &micros, &c.HTTPStatus, &c.Code, &c.Message)
	c.Duration = time.Duration(micros) * time.Microsecond
	return c, err
}

// BatchSize is the most accounts the service takes in one call (docs/tim-api.md, "The tag family").
const BatchSize = 100

// Call is a line of the ledger.
type Call struct {
	ID         string
	Batch      int64  // number in the plan
	Held       []byte // which accounts of the batch, see Held
	Accounts   int    // how many those are
	Command    tim.Command
	Random     uint32
	At         time.Time // when it left; of one that did not, when it was intended
	Duration   time.Duration
	Delivery   string // intended, not_sent, answered, lost
	HTTPStatus int
	Code       int
	Message    string
}

// Held reports whether a call held the account in a place of its batch, from 0:
// bits have one for each place, the lowest of the first byte for the first.
func Held(bits []byte, place int) bool {
	return place/8 < len(bits) && bits[place/8]&(1<<(place%8)) != 0
}
