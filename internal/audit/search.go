package audit

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"tagsweep/internal/store"
)

// Filter chooses entries; a zero field chooses all.
type Filter struct {
	From    time.Time // not before the log had reached this time
	To      time.Time // before the log reached it
	Code    Code
	Actor   string // name, however it is capitalised
	JobID   string
	Account string // the entry is about it, or about a job it was in: one of AccountJobs
	Result  string // Failed, Succeeded
	Words   string // all of them are in the entry
	Before  int64  // a sequence number: entries older than it
	Limit   int

	AccountJobs []string // ids of the jobs that Account was in
}

// Results of events.
const (
	Failed    = "failed"
	Succeeded = "succeeded"
)

// maxWords is how many words of a search count.
const maxWords = 10

// query uses the index of the most selective condition, newest first.
func (l *Log) query(ctx context.Context, f Filter) (q store.Query, err error) {
	from, where := `audit_lines e`, []string{}
	order := `e.seq`
	if f.Words != "" {
		words, byWord, err := l.rarestFirst(ctx, Words(store.Clean(f.Words, 500)), f)
		if err != nil {
			return q, err
		}
		if byWord {
			from, order = `audit_words w JOIN audit_lines e ON e.seq = w.seq`, `w.seq`
			where = append(where, `w.word = `+q.Arg(words[0]))
			words = words[1:]
		} else if len(words) == 0 { // only punctuation: it finds nothing
			where = append(where, `1 = 0`)
		}
		for _, word := range words {
			where = append(where, `EXISTS (SELECT 1 FROM audit_words o WHERE o.word = `+q.Arg(word)+` AND o.seq = `+order+`)`)
		}
	}
	first, last, err := l.bounds(ctx, f)
	if err != nil {
		return q, err
	}
	if first > 1 {
		where = append(where, order+` >= `+q.Arg(first))
	}
	if last > 0 {
		where = append(where, order+` < `+q.Arg(last))
	}
	if f.Code != "" {
		where = append(where, `e.code = `+q.Arg(store.Clean(string(f.Code), 100)))
	}
	if f.Actor != "" {
		where = append(where, `e.actor = `+q.Arg(strings.ToLower(store.Clean(f.Actor, 100))))
	}
	if f.JobID != "" {
		where = append(where, `e.job_id <> '' AND e.job_id = `+q.Arg(store.Clean(f.JobID, 100)))
	}
	switch f.Result {
	case Failed:
		where = append(where, `e.failed = 1`)
	case Succeeded:
		where = append(where, `e.failed = 0`)
	}
	if f.Account != "" {
		where = append(where, aboutAccount(&q, f.Account, f.AccountJobs))
	}
	q.Text = `SELECT e.seq, e.line, e.personal, e.mac FROM ` + from
	if len(where) > 0 {
		q.Text += ` WHERE ` + strings.Join(where, ` AND `)
	}
	q.Text += ` ORDER BY ` + order + ` DESC LIMIT ` + q.Arg(f.Limit)
	return q, nil
}

// bounds turns times into numbers of entries: first <= seq < last; 0 for no bound.
func (l *Log) bounds(ctx context.Context, f Filter) (first, last int64, err error) {
	last = f.Before
	if !f.From.IsZero() {
		if first, err = l.reachedAt(ctx, f.From); err != nil {
			return 0, 0, err
		}
	}
	if !f.To.IsZero() {
		end, err := l.reachedAt(ctx, f.To)
		if err != nil {
			return 0, 0, err
		}
		if last == 0 || end < last {
			last = end
		}
	}
	return first, last, nil
}

// reachedAt returns the first entry once the log had reached a time; one after
// the last when it has not.
func (l *Log) reachedAt(ctx context.Context, t time.Time) (seq int64, err error) {
	return store.Value[int64](ctx, l.db.Reader(), `
		SELECT COALESCE((SELECT seq FROM audit_lines WHERE reached >= $1 ORDER BY reached, seq LIMIT 1), seq + 1)
		FROM audit_head WHERE id = 1`, t.UnixMilli())
}

// rarestFirst sorts words by how many entries have them, and reports whether the
// first is rarer than the code and the actor of the filter.
func (l *Log) rarestFirst(ctx context.Context, words []string, f Filter) (sorted []string, rarer bool, err error) {
	slices.Sort(words)
	words = slices.Compact(words)
	words = words[:min(len(words), maxWords)]
	if len(words) == 0 {
		return nil, false, nil
	}
	few := func(condition string, arg string) (n int64) {
		if err == nil {
			n, err = store.Value[int64](ctx, l.db.Reader(),
				`SELECT COUNT(*) FROM (SELECT 1 FROM `+condition+` = $1 LIMIT 10000) AS few`, arg)
		}
		return n
	}
	count := map[string]int64{}
	for _, word := range words {
		count[word] = few(`audit_words WHERE word`, word)
	}
	slices.SortStableFunc(words, func(a, b string) int { return cmp.Compare(count[a], count[b]) })
	rarer = (f.Code == "" || few(`audit_lines WHERE code`, store.Clean(string(f.Code), 100)) >= count[words[0]]) &&
		(f.Actor == "" || few(`audit_lines WHERE actor`, strings.ToLower(store.Clean(f.Actor, 100))) >= count[words[0]])
	return words, rarer, err
}

// aboutAccount chooses the entries of the jobs an account was in, and those that
// are about the account itself.
func aboutAccount(q *store.Query, account string, jobIDs []string) (condition string) {
	condition = `e.seq IN (SELECT seq FROM audit_words WHERE word = ` + q.Arg(AccountTerm(store.Clean(account, 300)))
	if len(jobIDs) > 0 {
		var ids []string
		for _, id := range jobIDs {
			ids = append(ids, q.Arg(id))
		}
		condition += ` UNION SELECT seq FROM audit_lines WHERE job_id <> '' AND job_id IN (` + strings.Join(ids, ", ") + `)`
	}
	return condition + `)`
}
