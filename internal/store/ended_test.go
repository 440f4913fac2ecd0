package store

import (
	"context"
	"database/sql"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
)

// KeepTags writes down the tags that a reading found, by place, as settling does.
func (s *Store) KeepTags(ctx context.Context, jobID string, before map[int64][]string) error {
	batches := map[int64][]snapshot.Account{}
	last := int64(0)
	for seq := range before {
		last = max(last, seq)
	}
	for seq := int64(1); seq <= last; seq++ {
		if tags, known := before[seq]; known {
			number := (seq-1)/jobs.BatchSize + 1
			batches[number] = append(batches[number], snapshot.Account{Seq: seq, Tags: tags})
		}
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		key, err := s.keyOf(ctx, tx, jobID)
		if err != nil {
			return err
		}
		var rows []any
		for number, accounts := range batches {
			data, err := snapshot.Seal(key, snapshot.Before, jobID, number, accounts)
			if err != nil {
				return err
			}
			rows = append(rows, jobID, number, data, snapshot.Digest(data))
			if _, err := tx.ExecContext(ctx, `UPDATE batches SET next = 'remove_all_tags' WHERE job_id = $1 AND number = $2 AND next = 'get_tags'`, jobID, number); err != nil {
				return err
			}
		}
		return upsertAll(ctx, tx, `snapshots (job_id, number, data, digest)`, 4, rows, ` ON CONFLICT (job_id, number) DO UPDATE SET data = excluded.data, digest = excluded.digest`)
	})
}

// End ends a draft as if it had run: every account has the outcome, but for some
// with one of their own.
func (s *Store) End(ctx context.Context, jobID string, rest jobs.Outcome, own ...jobs.Own) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		now := millis(s.now())
		j, err := job(ctx, tx, jobID)
		if err != nil {
			return err
		}
		counts := jobs.Counts{jobs.Waiting: -j.Accounts}
		counts[rest] += j.Accounts - int64(len(own))
		_, err = tx.ExecContext(ctx, `UPDATE batches SET outcome = $2, next = '', settled_at = $3 WHERE job_id = $1`, jobID, rest, now)
		for _, o := range own {
			counts[o.Outcome]++
			if err == nil {
				_, err = tx.ExecContext(ctx, `INSERT INTO own_outcomes (job_id, seq, outcome, code, settled_at) VALUES ($1, $2, $3, $4, $5)`, jobID, o.Seq, o.Outcome, o.Code, now)
			}
			if err == nil {
				_, err = tx.ExecContext(ctx, `UPDATE batches SET pending = pending - 1 WHERE job_id = $1 AND first <= $2 AND first + size > $2`, jobID, o.Seq)
			}
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE jobs SET state = 'running', started_at = $2 WHERE id = $1`, jobID, now)
		}
		if err == nil {
			err = move(ctx, tx, jobID, counts)
		}
		if err == nil {
			_, err = s.finish(ctx, tx, jobID)
		}
		return err
	})
}

// Wrapped returns the encrypted key of a job's tags as it is stored.
func (s *Store) Wrapped(ctx context.Context, jobID string) (wrapped []byte, err error) {
	return wrapped, s.read.QueryRowContext(ctx, `SELECT wrapped FROM snapshot_keys WHERE job_id = $1`, jobID).Scan(&wrapped)
}

// Exec changes what no method does.
func (s *Store) Exec(ctx context.Context, query string, args ...any) error {
	_, err := s.write.ExecContext(ctx, query, args...)
	return err
}

// WantedTags returns the tags a job is to add or remove, by place.
func (s *Store) WantedTags(ctx context.Context, j jobs.Job) (map[int64][]string, error) {
	return s.keptTags(ctx, snapshot.Wanted, j.ID, 1, j.Batches)
}

// Count returns the one number of a query.
func (s *Store) Count(ctx context.Context, query string, args ...any) (n int64, err error) {
	return n, s.read.QueryRowContext(ctx, query, args...).Scan(&n)
}

// LedgerCall writes a call of a batch into the ledger.
func (s *Store) LedgerCall(ctx context.Context, jobID, id string, batch, first int64, accounts int, command string, at time.Time) error {
	return s.Exec(ctx, `INSERT INTO calls (id, job_id, batch, first, accounts, command, random, delivery, sent_at) VALUES ($1, $2, $3, $4, $5, $6, 7, 'answered', $7)`,
		id, jobID, batch, first, accounts, command, millis(at))
}

// ForgetReports lets reports be summed up anew.
func (s *Store) ForgetReports() {
	s.reports.mu.Lock()
	defer s.reports.mu.Unlock()
	s.reports.folded = nil
}
