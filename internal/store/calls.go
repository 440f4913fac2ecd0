package store

import (
	"context"
	"iter"
	"time"

	"tagsweep/internal/jobs"
)

// Calls lists the calls of a job by id, which is the order of their claims.
func (s *Store) Calls(ctx context.Context, jobID string) iter.Seq2[jobs.Call, error] {
	return func(yield func(jobs.Call, error) bool) {
		for last := ""; ; {
			page, err := collect(ctx, s.read, scanCall, `
				SELECT `+callColumns+` FROM calls
				WHERE job_id = $1 AND id > $2 ORDER BY id LIMIT $3`, jobID, last, pageRows)
			if err != nil {
				yield(jobs.Call{}, err)
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

// callColumns are those that scanCall reads.
const callColumns = `id, batch, first, accounts, command, random, delivery, sent_at, duration, http_status, code, message`

func scanCall(row scanner) (c jobs.Call, err error) {
	var sent, micros int64
	err = row.Scan(&c.ID, &c.Batch, &c.First, &c.Accounts, &c.Command, &c.Random, &c.Delivery,
		&sent, &micros, &c.HTTPStatus, &c.Code, &c.Message)
	c.At, c.Duration = fromMillis(sent), time.Duration(micros)*time.Microsecond
	return c, err
}
