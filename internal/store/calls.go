package store

import (
	"context"
	"iter"
	"time"

	"tagsweep/internal/tim"
)

// Call is one line of the ledger.
type Call struct {
	ID         string
	Batch      int64
	First      int64 // place of the batch's first account in the job
	Accounts   int
	Command    tim.Command
	Random     uint32
	Delivery   string // intended, not_sent, answered, lost
	SentAt     time.Time
	Duration   time.Duration
	HTTPStatus int
	Code       int
	Message    string
}

// Calls lists the calls of a job by id, which is the order of their claims.
func (s *Store) Calls(ctx context.Context, jobID string) iter.Seq2[Call, error] {
	return func(yield func(Call, error) bool) {
		for last := ""; ; {
			page, err := collect(ctx, s.read, scanCall, `
				SELECT id, batch, first, accounts, command, random, delivery, sent_at, duration, http_status, code, message
				FROM calls WHERE job_id = $1 AND id > $2 ORDER BY id LIMIT $3`, jobID, last, pageRows)
			if err != nil {
				yield(Call{}, err)
			}
			if err != nil || len(page) == 0 {
				return
			}
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
			}
			last = page[len(page)-1].ID
		}
	}
}

func scanCall(row scanner) (c Call, err error) {
	var sent, micros int64
	err = row.Scan(&c.ID, &c.Batch, &c.First, &c.Accounts, &c.Command, &c.Random, &c.Delivery, &sent, &micros, &c.HTTPStatus, &c.Code, &c.Message)
	c.SentAt, c.Duration = fromMillis(sent), time.Duration(micros)*time.Microsecond
	return c, err
}
