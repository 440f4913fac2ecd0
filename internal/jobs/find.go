package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"tagsweep/internal/store"
)

// jobsAtOnce is in how many jobs one query looks.
const jobsAtOnce = 500

// inJob is an account found by name, with its place in the job.
type inJob struct {
	Placed
	seq int64
}

// Find returns what happened to an account, exact to the letter, newest job first.
func (s *Jobs) Find(ctx context.Context, account string, limit int) (found []Placed, err error) {
	all, err := s.find(ctx, account, limit)
	for _, a := range all {
		found = append(found, a.Placed)
	}
	return found, err
}

// mostJobsOf is in how many jobs an account is looked for.
const mostJobsOf = 200

// IDsOf returns the ids of the jobs an account is in, newest first, at most 200.
func (s *Jobs) IDsOf(ctx context.Context, account string) (ids []string, err error) {
	found, err := s.find(ctx, account, mostJobsOf)
	for _, a := range found {
		ids = append(ids, a.Job.ID)
	}
	return ids, store.AsTrouble(err)
}

func (s *Jobs) find(ctx context.Context, account string, limit int) (found []inJob, err error) {
	account = store.Clean(account, 300)
	// Of every job the names among which the account would stand.
	type place struct{ job, names string }
	for before := ""; len(found) < limit; {
		places, err := store.Collect(
			ctx,
			s.db.Reader(),
			func(row store.Scanner) (p place, err error) { return p, row.Scan(&p.job, &p.names) },
			`
			SELECT j.id, COALESCE((SELECT n.names FROM account_names n WHERE n.job_id = j.id AND n.first <= $1 ORDER BY n.first DESC LIMIT 1), '')
			FROM jobs j WHERE j.reader = '' AND (CAST($2 AS TEXT) = '' OR j.id < $2) ORDER BY j.id DESC LIMIT $3`,
			[]byte(account),
			before,
			jobsAtOnce,
		)
		if err != nil {
			return nil, err
		}
		for _, p := range places {
			before = p.job
			row, err := RowIn(p.names, account)
			if err != nil {
				return nil, err
			}
			if row == 0 || len(found) == limit {
				continue
			}
			a := inJob{}
			if a.Account, a.seq, err = s.accountInRow(ctx, p.job, row); err != nil {
				return nil, err
			}
			if a.Job, err = s.Get(ctx, p.job); err != nil {
				return nil, err
			}
			if a.Outcome != setAside {
				found = append(found, a)
			}
		}
		if len(places) < jobsAtOnce {
			break
		}
	}
	return found, nil
}

func (s *Jobs) accountInRow(ctx context.Context, jobID string, row int64) (a Account, seq int64, err error) {
	var number int64
	err = s.db.Reader().QueryRowContext(ctx,
		`SELECT number FROM planned_batches WHERE job_id = $1 AND first_row <= $2 ORDER BY first_row DESC LIMIT 1`,
		jobID, row).Scan(&number)
	if err != nil {
		return a, 0, err
	}
	batch, err := s.placed(ctx, jobID, number, number)
	if err != nil {
		return a, 0, err
	}
	at := slices.IndexFunc(batch, func(a Account) bool { return a.Row == row })
	if at < 0 {
		return a, 0, fmt.Errorf("jobs: row %d of job %s is not in batch %d", row, jobID, number)
	}
	return batch[at], (number-1)*BatchSize + 1 + int64(at), nil
}

// mostLike is how many names can be asked for: no more than stand in one row.
const mostLike = NamesSize - 1

// AccountsLike returns the first accounts of all jobs whose names begin with a
// prefix, each once, sorted by their bytes, and whether there are more. It gives
// at most 255, whatever the limit.
func (s *Jobs) AccountsLike(ctx context.Context, prefix string, limit int) (names []string, more bool, err error) {
	prefix = store.Clean(prefix, 300)
	limit = min(limit, mostLike)
	end := afterAll(prefix)
	// In every job the matches begin among the names that the prefix would stand
	// among, or with those after them, and those after them are enough.
	type place struct{ job, names, next string }
	for before := ""; ; {
		places, err := store.Collect(
			ctx,
			s.db.Reader(),
			func(row store.Scanner) (p place, err error) { return p, row.Scan(&p.job, &p.names, &p.next) },
			`
			SELECT j.id, COALESCE((SELECT n.names FROM account_names n WHERE n.job_id = j.id AND n.first <= $1 ORDER BY n.first DESC LIMIT 1), ''),
				COALESCE((SELECT n.names FROM account_names n WHERE n.job_id = j.id AND n.first > $1 AND n.first < $2 ORDER BY n.first LIMIT 1), '')
			FROM jobs j WHERE j.reader = '' AND (CAST($3 AS TEXT) = '' OR j.id < $3) ORDER BY j.id DESC LIMIT $4`,
			[]byte(prefix),
			end,
			before,
			jobsAtOnce,
		)
		if err != nil {
			return nil, false, err
		}
		for _, p := range places {
			before = p.job
			names = firstOf(names, NamesLike(p.names, prefix), limit+1)
			names = firstOf(names, NamesLike(p.next, prefix), limit+1)
		}
		if len(places) < jobsAtOnce {
			break
		}
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

// firstOf merges ascending names into others, up to so many, each once.
func firstOf(names []string, others func(yield func(string) bool), most int) []string {
	at, merged := 0, []string(nil)
	for other := range others {
		if len(names) == most && other > names[most-1] {
			break
		}
		if merged == nil {
			merged = make([]string, 0, most)
		}
		for at < len(names) && names[at] < other {
			merged, at = append(merged, names[at]), at+1
		}
		if at < len(names) && names[at] == other {
			at++
		}
		if merged = append(merged, other); len(merged) >= most {
			return merged[:most]
		}
	}
	if merged == nil {
		return names
	}
	merged = append(merged, names[at:]...)
	return merged[:min(most, len(merged))]
}
