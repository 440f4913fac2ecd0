package jobs

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"tagsweep/internal/store"
)

// jobsAtOnce is in how many jobs one query looks.
const jobsAtOnce = 500

// blocks are the names of a job among which a text would stand, and those after them.
type blocks struct{ job, names, next string }

// blocksOf lists the blocks of every job, newest first. Of the query $1 and $2 choose the jobs.
func (s *Jobs) blocksOf(ctx context.Context, query string, args ...any) iter.Seq2[blocks, error] {
	return paged(func(last blocks) ([]blocks, error) {
		return store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (b blocks, err error) {
			return b, row.Scan(&b.job, &b.names, &b.next)
		}, query+` FROM jobs j WHERE j.reader = '' AND (CAST($1 AS TEXT) = '' OR j.id < $1) ORDER BY j.id DESC LIMIT $2`,
			append([]any{last.job, jobsAtOnce}, args...)...)
	})
}

// Find returns what happened to an account, exact to the letter, newest job first.
func (s *Jobs) Find(ctx context.Context, account string, limit int) (found []Placed, err error) {
	account = store.Clean(account, 300)
	for b, err := range s.blocksOf(ctx, `SELECT j.id, COALESCE((SELECT n.names FROM account_names n
		WHERE n.job_id = j.id AND n.first <= $3 ORDER BY n.first DESC LIMIT 1), ''), ''`, []byte(account)) {
		if err != nil {
			return nil, err
		}
		row, err := RowIn(b.names, account)
		if err != nil {
			return nil, err
		}
		if row == 0 {
			continue
		}
		var p Placed
		if p.Account, err = s.accountInRow(ctx, b.job, row); err == nil {
			p.Job, err = s.Get(ctx, b.job)
		}
		if err != nil {
			return nil, err
		}
		if p.Outcome != setAside {
			found = append(found, p)
		}
		if len(found) == limit {
			break
		}
	}
	return found, nil
}

// mostJobsOf is in how many jobs an account is looked for.
const mostJobsOf = 200

// IDsOf returns the ids of the jobs an account is in, newest first, at most 200.
func (s *Jobs) IDsOf(ctx context.Context, account string) (ids []string, err error) {
	found, err := s.Find(ctx, account, mostJobsOf)
	for _, a := range found {
		ids = append(ids, a.Job.ID)
	}
	return ids, err
}

func (s *Jobs) accountInRow(ctx context.Context, jobID string, row int64) (a Account, err error) {
	number, err := store.Value[int64](ctx, s.db.Reader(),
		`SELECT number FROM planned_batches WHERE job_id = $1 AND first_row <= $2 ORDER BY first_row DESC LIMIT 1`, jobID, row)
	if err != nil {
		return a, err
	}
	batch, err := s.placed(ctx, jobID, number, number)
	if err != nil {
		return a, err
	}
	at := slices.IndexFunc(batch, func(a Account) bool { return a.Row == row })
	if at < 0 {
		return a, fmt.Errorf("jobs: row %d of job %s is not in batch %d", row, jobID, number)
	}
	return batch[at], nil
}

// mostLike is how many names can be asked for: no more than stand in one row.
const mostLike = NamesSize - 1

// AccountsLike returns the first accounts of all jobs whose names begin with a
// prefix, each once, sorted by their bytes, and whether there are more. It gives
// at most 255, whatever the limit.
func (s *Jobs) AccountsLike(ctx context.Context, prefix string, limit int) (names []string, more bool, err error) {
	prefix = store.Clean(prefix, 300)
	limit = min(limit, mostLike)
	// In every job the matches begin among the names that the prefix would stand
	// among, or with those after them, and those after them are enough.
	for b, err := range s.blocksOf(ctx, `SELECT j.id,
		COALESCE((SELECT n.names FROM account_names n WHERE n.job_id = j.id AND n.first <= $3 ORDER BY n.first DESC LIMIT 1), ''),
		COALESCE((SELECT n.names FROM account_names n WHERE n.job_id = j.id AND n.first > $3 AND n.first < $4 ORDER BY n.first LIMIT 1), '')`,
		[]byte(prefix), afterAll(prefix)) {
		if err != nil {
			return nil, false, err
		}
		names = firstOf(names, NamesLike(b.names, prefix), limit+1)
		names = firstOf(names, NamesLike(b.next, prefix), limit+1)
	}
	if more = len(names) > limit; more {
		names = names[:limit]
	}
	for i, name := range names {
		names[i] = strings.Clone(name)
	}
	return names, more, nil
}

// afterAll is a text that comes after all that begin with a prefix: no valid
// UTF-8 holds this byte.
func afterAll(prefix string) []byte { return append([]byte(prefix), 0xFF) }

// firstOf adds ascending names to others, up to so many, each once.
func firstOf(names []string, others iter.Seq[string], most int) []string {
	for other := range others {
		if len(names) == most && other > names[most-1] {
			break
		}
		if at, known := slices.BinarySearch(names, other); !known {
			names = slices.Insert(names, at, other)
			names = names[:min(len(names), most)]
		}
	}
	return names
}
