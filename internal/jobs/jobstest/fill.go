package jobstest

import (
	"context"
	"fmt"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
)

// Fill writes down finished jobs as if they had been read and carried out,
// quickly. Ten after each other hold the same accounts.
func (s *Console) Fill(ctx context.Context, like jobs.Job, number, accounts int) error {
	for n := range number {
		id := fmt.Sprintf("0fill%011d", n)
		err := s.DB.Tx(ctx, func(tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO jobs (id, app_id, kind, state, note, file_name, file_sha256, file_bytes, account_bytes,
					row_count, accounts, outcome_cleared, batches,
					created_by, created_at, started_at, finished_at)
				SELECT $2, app_id, kind, 'finished', note, file_name, file_sha256, file_bytes, account_bytes,
					$3, $3, $3, $4, created_by, created_at, 1, 1 FROM jobs WHERE id = $1`,
				like.ID, id, accounts, (accounts+jobs.BatchSize-1)/jobs.BatchSize)
			if err != nil {
				return err
			}
			var planned, batches, names []any
			batch, part := jobs.PlannedBatch{Number: 1}, jobs.Names{}
			for i := range accounts {
				row, account := int64(i+1), fmt.Sprintf("user_%08d", i*(number/10)+n/10)
				batch.Accounts = append(batch.Accounts, jobs.Planned{Row: row, Line: row, Account: account})
				if part = append(part, jobs.Named{Account: account, Row: row}); len(part) == jobs.NamesSize || i == accounts-1 {
					names, part = append(names, id, []byte(part[0].Account), part.Text()), jobs.Names{}
				}
				if size := len(batch.Accounts); size == jobs.BatchSize || i == accounts-1 {
					planned = append(planned, id, batch.Number, batch.Accounts[0].Row, size, batch.Text())
					batches = append(batches, id, batch.Number, size, jobs.Cleared, 1)
					batch = jobs.PlannedBatch{Number: batch.Number + 1}
				}
			}
			if err = store.InsertAll(ctx, tx, `planned_batches (job_id, number, first_row, size, accounts)`, 5, planned); err == nil {
				err = store.InsertAll(ctx, tx, `batches (job_id, number, accounts, outcome, settled_at)`, 5, batches)
			}
			if err == nil {
				err = store.InsertAll(ctx, tx, `account_names (job_id, first, names)`, 3, names)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
