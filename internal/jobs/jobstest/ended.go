package jobstest

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
)

// End ends a draft as if it had run: every account has the outcome, but for some
// with one of their own. A call held all accounts of each batch.
func (s *Console) End(ctx context.Context, jobID string, rest jobs.Outcome, own ...Own) error {
	j, err := s.Get(ctx, jobID)
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *store.Tx) error {
		now := store.Millis(s.DB.Now())
		counts := jobs.Counts{jobs.Waiting: -j.Accounts}
		counts[rest] += j.Accounts - int64(len(own))
		_, err := tx.ExecContext(ctx, `UPDATE batches SET outcome = $2, settled_at = $3, sent = 1 WHERE job_id = $1`, jobID, rest, now)
		var rows, calls []any
		for _, o := range own {
			counts[o.Outcome]++
			rows = append(rows, jobID, o.Seq, o.Outcome, o.Code, now)
			if err == nil {
				_, err = tx.ExecContext(ctx, `UPDATE batches SET accounts = accounts - 1 WHERE job_id = $1 AND number = $2`,
					jobID, (o.Seq-1)/jobs.BatchSize+1)
			}
		}
		for number := int64(1); number <= j.Batches; number++ {
			var seqs []int64
			for seq := (number-1)*jobs.BatchSize + 1; seq <= min(number*jobs.BatchSize, j.Accounts); seq++ {
				seqs = append(seqs, seq)
			}
			command := cmp.Or(string(j.Kind.Command()), "get_tags")
			calls = append(calls, callLine(store.NewID(time.Now()), jobID, number, seqs, command, "answered", now)...)
		}
		if err == nil {
			err = store.InsertAll(ctx, tx, `own_outcomes (job_id, seq, outcome, code, settled_at)`, 5, rows)
		}
		if err == nil {
			err = store.InsertAll(ctx, tx, callsInto, 9, calls)
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE jobs SET state = 'running', started_at = $2 WHERE id = $1`, jobID, now)
		}
		if err == nil {
			err = s.MoveCounts(ctx, tx, jobID, counts, j.Batches)
		}
		if err == nil {
			err = s.Advance(ctx, tx, jobID)
		}
		return err
	})
}

// LedgerCall writes a call of a batch that held some accounts into the ledger.
func (s *Console) LedgerCall(ctx context.Context, jobID, id string, number int64, seqs []int64, command string, at time.Time) error {
	return s.DB.Tx(ctx, func(tx *store.Tx) error {
		return store.InsertAll(ctx, tx, callsInto, 9, callLine(id, jobID, number, seqs, command, "answered", store.Millis(at)))
	})
}

// Halts lets a job halt, as the engine does.
func (s *Console) Halts(ctx context.Context, jobID string, code int, info string) error {
	return s.DB.Tx(ctx, func(tx *store.Tx) error {
		if err := lockApp(ctx, tx, App.ID); err != nil {
			return err
		}
		return s.Halt(ctx, tx, jobID, jobs.HaltReason{Code: code, Info: info, Call: fmt.Sprint("call", code)})
	})
}

// Recovers lets the jobs go on that halted because the service did not work, as the engine does.
func (s *Console) Recovers(ctx context.Context) error {
	return s.DB.Tx(ctx, func(tx *store.Tx) error {
		if err := lockApp(ctx, tx, App.ID); err != nil {
			return err
		}
		return s.Recover(ctx, tx, App.ID)
	})
}
