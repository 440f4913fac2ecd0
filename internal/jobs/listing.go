package jobs

import (
	"context"
	"encoding/json"
	"iter"

	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// Long listings read a page at a time: short queries keep SQLite's log from growing
// while a slow reader downloads.
const (
	pageBatches = 20
	pageRows    = 2_000
)

// sequence lists what run gives, and then the error it returns. Give returns false
// when no more is asked for; then run returns nil.
func sequence[T any](run func(give func(T) bool) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err := run(func(value T) bool { return yield(value, nil) }); err != nil {
			var none T
			yield(none, err)
		}
	}
}

// paged lists a page after the other: next returns the one that follows a value, the
// zero one at first, and an empty one at the end.
func paged[T any](next func(last T) ([]T, error)) iter.Seq2[T, error] {
	return sequence(func(give func(T) bool) error {
		var last T
		for {
			page, err := next(last)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, last = range page {
				if !give(last) {
					return nil
				}
			}
		}
	})
}

// accounts lists the accounts of a job in file order, those that were set aside before
// they were sent included. Each page must pass a check, which may be nil.
func (s *Jobs) accounts(ctx context.Context, jobID string, check func() error) iter.Seq2[Account, error] {
	return paged(func(last Account) ([]Account, error) {
		page, err := s.placed(ctx, jobID, last.Batch+1, last.Batch+pageBatches)
		if err == nil && check != nil {
			err = check()
		}
		return page, err
	})
}

// scanPlanned reads a batch's number and accounts.
func scanPlanned(row store.Scanner) (b PlannedBatch, err error) {
	var number int64
	var text string
	if err = row.Scan(&number, &text); err != nil {
		return b, err
	}
	return ReadPlannedBatch(number, text)
}

// placed returns the accounts of some batches of the plan with their outcomes,
// those that were set aside before they were sent included; nil when the plan
// ends before them.
func (s *Jobs) placed(ctx context.Context, jobID string, from, to int64) ([]Account, error) {
	plan, err := store.Collect(ctx, s.db.Reader(), scanPlanned,
		`SELECT number, accounts FROM planned_batches WHERE job_id = $1 AND number >= $2 AND number <= $3 ORDER BY number`, jobID, from, to)
	if err != nil || len(plan) == 0 {
		return nil, err
	}
	// A batch holds the outcome of its accounts …
	outcomes, err := outcomesBetween(ctx, s.db.Reader(),
		`SELECT number, outcome, code, message, settled_at FROM batches WHERE job_id = $1 AND number BETWEEN $2 AND $3`,
		jobID, from, plan[len(plan)-1].Number)
	if err != nil {
		return nil, err
	}
	// … but for those that have one of their own.
	own, err := outcomesBetween(ctx, s.db.Reader(),
		`SELECT seq, outcome, code, message, settled_at FROM own_outcomes WHERE job_id = $1 AND seq BETWEEN $2 AND $3`,
		jobID, plan[0].First(), plan[len(plan)-1].First()+BatchSize-1)
	if err != nil {
		return nil, err
	}
	var all []Account
	for _, b := range plan {
		for i, p := range b.Accounts {
			a, has := own[b.First()+int64(i)]
			if !has {
				a = outcomes[b.Number]
			}
			a.Row, a.Account, a.Batch, a.Place = p.Row, p.Account, b.Number, i+1
			all = append(all, a)
		}
	}
	return all, nil
}

// outcomesBetween returns outcomes by what they are found by.
func outcomesBetween(ctx context.Context, q store.Querier, query, jobID string, from, to int64) (map[int64]Account, error) {
	found := map[int64]Account{}
	return found, store.Each(ctx, q, func(row store.Scanner) error {
		var by int64
		var a Account
		err := row.Scan(&by, &a.Outcome, &a.Code, &a.Message, store.ScanTime(&a.At))
		found[by] = a
		return err
	}, query, jobID, from, to)
}

// FileRow is a row of a job's file and what became of it.
type FileRow struct {
	Aside   *SetAside // nil: it became an account
	Account Account
}

// FileRows lists every row of a job's file and what became of it, in file order: it
// merges the accounts with what was set aside.
func (s *Jobs) FileRows(ctx context.Context, jobID string) iter.Seq2[FileRow, error] {
	return sequence(func(give func(FileRow) bool) error {
		nextAside, stop := iter.Pull2(s.setAsides(ctx, jobID, nil))
		defer stop()
		aside, err, more := nextAside()
		// until gives what was set aside before a row.
		until := func(row int64) (goOn bool) {
			for goOn = true; goOn && more && err == nil && aside.Row < row; {
				given := aside
				goOn = give(FileRow{Aside: &given})
				aside, err, more = nextAside()
			}
			return goOn && err == nil
		}
		for a, failed := range s.accounts(ctx, jobID, nil) {
			switch {
			case failed != nil:
				return failed
			case a.Outcome == setAside: // it stands among what was set aside
			case !until(a.Row) || !give(FileRow{Account: a}):
				return err
			}
		}
		until(1 << 62)
		return err
	})
}

// SnapshotInfo returns what is kept of the tags that a job's accounts had; the zero
// Info of a job that keeps none.
func (s *Jobs) SnapshotInfo(ctx context.Context, j Job) (snapshot.Info, error) {
	if !j.Snapshot {
		return snapshot.Info{}, nil
	}
	return s.snapshots.Info(ctx, j.ID)
}

// TaggedAccount is an account with the tags it had before its job changed them.
type TaggedAccount struct {
	Account
	Before []string
	Known  bool // they were read
}

// TagsBefore lists the accounts of a job with the tags they had, in file order.
func (s *Jobs) TagsBefore(ctx context.Context, jobID string) iter.Seq2[TaggedAccount, error] {
	return sequence(func(give func(TaggedAccount) bool) error {
		j, err := s.Get(ctx, jobID)
		if err == nil && !j.Snapshot {
			err = FaultNoSnapshot.With(j.ID)
		}
		if err != nil {
			return err
		}
		var before map[int64][]string
		read := int64(0) // the batches up to here
		for a, err := range s.accounts(ctx, j.ID, nil) {
			if err == nil && a.Batch > read {
				read = a.Batch + pageBatches - 1
				before, err = s.snapshots.Tags(ctx, snapshot.Before, j.ID, a.Batch, read)
			}
			if err != nil {
				return err
			}
			tags, known := before[a.Seq()]
			if a.Outcome != setAside && !give(TaggedAccount{a, tags, known}) {
				return nil
			}
		}
		return nil
	})
}

// SetAsides returns the first rows of a job that were set aside.
func (s *Jobs) SetAsides(ctx context.Context, jobID string, limit int) ([]SetAside, error) {
	return s.setAsidesAfter(ctx, jobID, 0, limit)
}

// setAsides lists them all, see accounts.
func (s *Jobs) setAsides(ctx context.Context, jobID string, check func() error) iter.Seq2[SetAside, error] {
	return paged(func(last SetAside) ([]SetAside, error) {
		page, err := s.setAsidesAfter(ctx, jobID, last.Row, pageRows)
		if err == nil && check != nil {
			err = check()
		}
		return page, err
	})
}

func (s *Jobs) setAsidesAfter(ctx context.Context, jobID string, row int64, limit int) ([]SetAside, error) {
	return store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (a SetAside, err error) {
		return a, row.Scan(&a.Row, &a.Line, &a.Kind, &a.Value, &a.Reason, &a.Repeats)
	}, `
		SELECT row_number, line, kind, value, reason, repeats FROM set_asides
		WHERE job_id = $1 AND row_number > $2 ORDER BY row_number LIMIT $3`, jobID, row, limit)
}

// SetAsideGroups counts the rows of a job that were set aside, by reason, most first.
func (s *Jobs) SetAsideGroups(ctx context.Context, jobID string) ([]SetAsideGroup, error) {
	return store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (g SetAsideGroup, err error) {
		var first string
		if err = row.Scan(&g.Kind, &g.Reason, &g.Rows, &first); err != nil {
			return g, err
		}
		return g, json.Unmarshal([]byte(first), &g.First)
	}, `SELECT kind, reason, row_count, first_rows FROM set_aside_groups WHERE job_id = $1 ORDER BY row_count DESC, kind, reason`, jobID)
}

// saveGroup adds rows to a group; the first rows of a group that exists stay.
func saveGroup(ctx context.Context, tx *store.Tx, jobID string, g SetAsideGroup) error {
	first, err := json.Marshal(g.First[:min(len(g.First), GroupFirst)])
	if err != nil {
		return err
	}
	return tx.Exec(ctx, `
		INSERT INTO set_aside_groups (job_id, kind, reason, row_count, first_rows) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (job_id, kind, reason) DO UPDATE SET row_count = set_aside_groups.row_count + excluded.row_count`,
		jobID, g.Kind, g.Reason, g.Rows, string(first))
}
