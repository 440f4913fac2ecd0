package jobstest

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
)

// Hand is a batch in the hand of a console that a test plays: it writes what
// package engine would, a transaction a step.
type Hand struct {
	Job    string
	Number int64
	Was    jobs.Outcome // of its open accounts when it was taken
	Seqs   []int64      // those accounts, by place in the job

	s     *Console
	claim string
	sent  bool
	calls []string
}

// Own is an account with another outcome than its batch, by place in its job.
type Own struct {
	Seq     int64
	Outcome jobs.Outcome
	Code    int
}

// Came is what a batch came to.
type Came struct {
	Rest     jobs.Outcome
	Code     int
	Ask      bool
	Own      []Own
	Delivery string // of its calls; "": answered
}

// Take claims a batch of a job that has a turn; nil when there is none to be had.
func (s *Console) Take(ctx context.Context, jobID string, number int64) (h *Hand, err error) {
	err = s.DB.Tx(ctx, func(tx *store.Tx) error {
		h = nil
		if err := lockApp(ctx, tx, App.ID); err != nil {
			return err
		}
		state, err := store.Value[jobs.State](ctx, tx, `SELECT state FROM jobs WHERE id = $1`, jobID)
		if err != nil {
			return err
		}
		taken := &Hand{s: s, Job: jobID, Number: number, claim: store.NewID(time.Now())}
		var open int
		err = tx.QueryRowContext(ctx, `
			UPDATE batches SET console = 'played', claim = $3 WHERE job_id = $1 AND number = $2 AND console = '' AND ask = 0
				AND (outcome = 'in_doubt' AND CAST($4 AS TEXT) IN ('queued', 'running', 'cancelled') OR outcome = 'waiting'
					AND CAST($4 AS TEXT) IN ('queued', 'running'))
			RETURNING outcome, accounts`, jobID, number, taken.claim, string(state)).Scan(&taken.Was, &open)
		if err == sql.ErrNoRows {
			return nil
		}
		if err == nil && state == jobs.Queued {
			if may, failed := s.Begin(ctx, tx, jobID); failed != nil || !may {
				return cmp.Or(failed, fmt.Errorf("job %s may not begin", jobID))
			}
		}
		if err == nil {
			taken.Seqs, err = openIn(ctx, tx, jobID, number)
		}
		if err == nil && len(taken.Seqs) != open {
			err = fmt.Errorf("batch %d has %d open accounts and counts %d", number, len(taken.Seqs), open)
		}
		h = taken
		return err
	})
	return h, err
}

// lockApp locks the app, as whoever claims or settles does first.
func lockApp(ctx context.Context, tx *store.Tx, appID string) error {
	_, err := tx.ExecContext(ctx, `UPDATE apps SET turns = turns WHERE id = $1`, appID)
	return err
}

// openIn are the accounts of a batch that have no outcome of their own.
func openIn(ctx context.Context, tx *store.Tx, jobID string, number int64) (seqs []int64, err error) {
	size, err := store.Value[int64](ctx, tx, `SELECT size FROM planned_batches WHERE job_id = $1 AND number = $2`, jobID, number)
	if err != nil {
		return nil, err
	}
	first := (number-1)*jobs.BatchSize + 1
	own, err := store.Column[int64](ctx, tx,
		`SELECT seq FROM own_outcomes WHERE job_id = $1 AND seq BETWEEN $2 AND $3`, jobID, first, first+size-1)
	for seq := first; seq < first+size; seq++ {
		if !slices.Contains(own, seq) {
			seqs = append(seqs, seq)
		}
	}
	return seqs, err
}

// Send writes down that a call of a command may leave for some accounts; for all
// that were taken when none are named.
func (h *Hand) Send(ctx context.Context, command string, seqs ...int64) error {
	if len(seqs) == 0 {
		seqs = h.Seqs
	}
	return h.s.DB.Write(ctx, h.Job, func(ctx context.Context, tx *store.Tx) error {
		id := store.NewID(time.Now())
		err := store.InsertAll(ctx, tx, callsInto, 9, callLine(id, h.Job, h.Number, seqs, command, "intended", store.Millis(h.s.DB.Now())))
		if err == nil && command != "get_tags" && !h.sent {
			err = store.One(ctx, tx, errTaken,
				`UPDATE batches SET outcome = 'sending', sent = 1 WHERE job_id = $1 AND number = $2 AND claim = $3`, h.Job, h.Number, h.claim)
			if err == nil {
				n := int64(len(h.Seqs))
				err = h.s.MoveCounts(ctx, tx, h.Job, jobs.Counts{h.Was: -n, jobs.Sending: n}, 0)
			}
		}
		if err == nil {
			h.calls, h.sent = append(h.calls, id), h.sent || command != "get_tags"
		}
		return err
	})
}

var errTaken = fmt.Errorf("the batch is another's by now")

const callsInto = `calls (id, job_id, batch, held, accounts, command, random, delivery, sent_at)`

// callLine is a line of the ledger.
func callLine(id, jobID string, number int64, seqs []int64, command, delivery string, at int64) []any {
	held := make([]byte, (jobs.BatchSize+7)/8)
	for _, seq := range seqs {
		place := (seq - 1) % jobs.BatchSize
		held[place/8] |= 1 << (place % 8)
	}
	return []any{id, jobID, number, held, len(seqs), command, 7, delivery, at}
}

// Settle writes down what became of a batch, and ends the claim.
func (h *Hand) Settle(ctx context.Context, c Came) error {
	return h.s.DB.Tx(ctx, func(tx *store.Tx) error { return h.settleIn(ctx, tx, c) })
}

func (h *Hand) settleIn(ctx context.Context, tx *store.Tx, c Came) error {
	if err := lockApp(ctx, tx, App.ID); err != nil {
		return err
	}
	now, moves, calls, was := store.Millis(h.s.DB.Now()), jobs.Counts{}, int64(0), h.Was
	if h.sent {
		was = jobs.Sending
	}
	settled := now
	if c.Rest.Open() {
		settled = 0
	}
	var own []any
	for _, o := range c.Own {
		own = append(own, h.Job, o.Seq, o.Outcome, o.Code, "", now)
		moves[o.Outcome]++
	}
	rest := int64(len(h.Seqs) - len(c.Own))
	moves[was] -= int64(len(h.Seqs))
	moves[c.Rest] += rest
	err := store.InsertAll(ctx, tx, `own_outcomes (job_id, seq, outcome, code, message, settled_at)`, 6, own)
	if err == nil {
		err = store.One(ctx, tx, errTaken, `
			UPDATE batches SET outcome = $4, code = $5, settled_at = $6, accounts = $7, ask = $8, console = '', claim = ''
				WHERE job_id = $1 AND number = $2 AND claim = $3`,
			h.Job, h.Number, h.claim, c.Rest, c.Code, settled, rest, store.Number(c.Ask))
	}
	c.Delivery = cmp.Or(c.Delivery, "answered")
	for _, id := range h.calls {
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE calls SET delivery = $2, sent_at = $3, duration = 1000, http_status = 200 WHERE id = $1`,
				id, c.Delivery, now)
		}
		if c.Delivery != "not_sent" {
			calls++
		}
	}
	if err == nil {
		err = h.s.MoveCounts(ctx, tx, h.Job, moves, calls)
	}
	if err == nil {
		err = h.s.Advance(ctx, tx, h.Job)
	}
	return err
}

// Lose ends a claim as a console that dies does: what it had an intent for is in doubt.
func (h *Hand) Lose(ctx context.Context) error {
	to := h.Was
	if h.sent {
		to = jobs.InDoubt
	}
	return h.Settle(ctx, Came{Rest: to, Delivery: "lost"})
}
