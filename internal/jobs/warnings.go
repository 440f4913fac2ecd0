package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"tagsweep/internal/store"
)

// Warnings is what a person should know before a draft is started.
type Warnings struct {
	SameFile []Job     // started jobs that did the same with the same file, newest first
	Overlaps []Overlap // jobs that run or ran lately and hold accounts of this one, most first
	Unusual  Unusual
}

// Overlap is another job with some of the same accounts.
type Overlap struct {
	Job      Job
	Accounts int64
}

const (
	lately       = 7 * 24 * time.Hour
	warningsMost = 20
)

// Warnings collects what speaks against starting a draft. Inspections never conflict,
// and the source job is not reported.
func (s *Jobs) Warnings(ctx context.Context, jobID string) (w Warnings, err error) {
	w.SameFile, err = store.Collect(ctx, s.db.Reader(), scanJob, `
		SELECT `+jobColumns+` FROM jobs j JOIN jobs d ON d.file_sha256 = j.file_sha256 AND d.app_id = j.app_id
		WHERE d.id = $1 AND j.id <> d.id AND j.kind = d.kind AND d.kind <> 'inspect' AND j.started_at > 0
			ORDER BY j.id DESC LIMIT $2`, store.Clean(jobID, 100), warningsMost)
	if err != nil {
		return w, err
	}
	unusual, err := store.Value[string](ctx, s.db.Reader(), `SELECT unusual FROM jobs WHERE id = $1`, store.Clean(jobID, 100))
	if err == nil && unusual != "" {
		err = json.Unmarshal([]byte(unusual), &w.Unusual)
	}
	if err != nil {
		return w, err
	}
	w.Overlaps, err = store.Collect(ctx, s.db.Reader(), scanOverlap, `
		SELECT o.accounts, `+jobColumns+` FROM shared_accounts o JOIN jobs j ON j.id = o.other_id JOIN jobs d ON d.id = o.job_id
		WHERE o.job_id = $1 AND j.started_at > 0 AND j.kind <> 'inspect' AND d.kind <> 'inspect'
			AND (j.id <> d.source OR j.finished_at = 0) AND (j.finished_at = 0 OR j.finished_at > $2)
		ORDER BY o.accounts DESC, j.id DESC LIMIT $3`,
		store.Clean(jobID, 100), store.Millis(s.db.Now().Add(-lately)), warningsMost)
	return w, err
}

func scanOverlap(row store.Scanner) (o Overlap, err error) {
	o.Job, err = scanJob(store.ScanAlso(row, &o.Accounts))
	return o, err
}

// waitsFor finds the job that the job $1 waits for at the time $2.
var waitsFor = `
	SELECT s.accounts, ` + jobColumns + `
	FROM jobs d JOIN shared_accounts s ON s.job_id = d.id JOIN jobs j ON j.id = s.other_id AND j.finished_at = 0
	WHERE d.id = $1 AND d.finished_at = 0 AND d.kind <> 'inspect' AND j.kind <> 'inspect'
		AND d.state IN ('queued', 'running') AND d.start_at <= $2
		AND (j.turn < d.turn AND j.outcome_waiting + j.outcome_sending > 0 AND (j.state = 'running' OR j.state = 'queued'
			AND j.start_at <= $2 OR j.state = 'halted' AND j.halt_recovers = 1)
			OR EXISTS (SELECT 1 FROM batches b WHERE b.job_id = j.id AND b.console <> '')
			OR EXISTS (SELECT 1 FROM batches b WHERE b.job_id = j.id AND b.console = '' AND b.ask = 0
				AND b.outcome IN ('in_doubt', 'waiting') AND b.outcome = 'in_doubt'))
	ORDER BY j.turn LIMIT 1`

// WaitsFor returns the job that a started one waits for, since both hold the same
// accounts; nil when it waits for none. Package engine keeps to the same: nextJobSQL.
func (s *Jobs) WaitsFor(ctx context.Context, jobID string) (*Overlap, error) {
	waits, err := store.Collect(ctx, s.db.Reader(), scanOverlap, waitsFor, store.Clean(jobID, 100), store.Millis(s.db.Now()))
	if err != nil || len(waits) == 0 {
		return nil, err
	}
	return &waits[0], nil
}

// comparison counts the accounts an import shares with the other jobs that are
// not over for long.
type comparison struct {
	*Jobs
	im       *Import
	rows     int64 // imported
	others   []importedJob
	compared map[importedJob]int64 // accounts in common
	extended time.Time             // the lease
}

func (s *Jobs) newComparison(im *Import, read Imported) *comparison {
	return &comparison{Jobs: s, im: im, rows: read.Rows, compared: map[importedJob]int64{}, extended: time.Now()}
}

// importedJob is a job as one import of its file has made it.
type importedJob struct{ id, imported string }

// missing looks for the other jobs, and returns those that were not compared yet.
func (c *comparison) missing(ctx context.Context, q store.Querier) (missing []importedJob, err error) {
	c.others, err = store.Collect(ctx, q, func(row store.Scanner) (j importedJob, err error) { return j, row.Scan(&j.id, &j.imported) }, `
		SELECT j.id, j.reading FROM jobs j JOIN jobs i ON i.app_id = j.app_id
		WHERE i.id = $1 AND j.id <> i.id AND j.state NOT IN ('reading', 'refused') AND j.accounts > 0
			AND (j.finished_at = 0 OR j.finished_at > $2) ORDER BY j.id`,
		c.im.ID, store.Millis(c.db.Now().Add(-lately)))
	for _, other := range c.others {
		if _, is := c.compared[other]; !is {
			missing = append(missing, other)
		}
	}
	return missing, err
}

func (c *comparison) compareMissing(ctx context.Context) error {
	missing, err := c.missing(ctx, c.db.Reader())
	for _, other := range missing {
		if err == nil {
			c.compared[other], err = c.inCommon(ctx, other.id)
		}
		if err == nil {
			err = c.extend(ctx)
		}
	}
	return err
}

// shared are the rows of the table, of the other jobs as they were last looked for.
func (c *comparison) shared() (rows []any) {
	for _, other := range c.others {
		if common := c.compared[other]; common > 0 {
			rows = append(rows, c.im.ID, other.id, common, other.id, c.im.ID, common)
		}
	}
	return rows
}

// inCommon counts the accounts of the import that another job holds. Both are
// sorted, so each leaps to where the other stands and what lies between is
// never read.
func (c *comparison) inCommon(ctx context.Context, other string) (common int64, err error) {
	q := c.db.Reader()
	return inCommon(ctx, &nameCursor{q: q, job: c.im.ID}, &nameCursor{q: q, job: other}, c.extend)
}

// inCommon calls often now and then.
func inCommon(ctx context.Context, left, right *nameCursor, often func(context.Context) error) (common int64, err error) {
	for at, steps := "", 1; ; steps++ {
		x, ok, err := left.seek(ctx, at)
		if err != nil || !ok {
			return common, err
		}
		y, ok, err := right.seek(ctx, x)
		if err != nil || !ok {
			return common, err
		}
		if x == y {
			common++
			at = x + "\x00" // the next after it: no account holds a NUL
		} else {
			at = y
		}
		if steps%1000 == 0 {
			if err := often(ctx); err != nil {
				return common, err
			}
		}
	}
}

// extend extends the lease now and then, and ends the comparison of a cancelled job.
func (c *comparison) extend(ctx context.Context) error {
	const every = 2 * time.Second
	if time.Since(c.extended) < every {
		return nil
	}
	c.extended = time.Now()
	return c.db.Tx(ctx, func(tx *store.Tx) error { return c.extendLease(ctx, tx, c.im, 995, c.rows) })
}

// nameCursor walks through the accounts of a job in order.
type nameCursor struct {
	q     store.Querier
	job   string
	names Names
	at    int
	last  bool // no names follow these
}

// seek goes forward to the first account that is not before name.
func (c *nameCursor) seek(ctx context.Context, name string) (account string, ok bool, err error) {
	if c.names == nil || c.names[len(c.names)-1].Account < name {
		if c.last {
			return "", false, nil
		}
		if err := c.load(ctx, name); err != nil || c.names == nil {
			return "", false, err
		}
	}
	for c.names[c.at].Account < name {
		c.at++
	}
	return c.names[c.at].Account, true, nil
}

// load reads the names among which name stands, or, when those end before it,
// the following ones.
func (c *nameCursor) load(ctx context.Context, name string) error {
	for _, query := range []string{
		`SELECT names FROM account_names WHERE job_id = $1 AND first <= $2 ORDER BY first DESC LIMIT 1`,
		`SELECT names FROM account_names WHERE job_id = $1 AND first > $2 ORDER BY first LIMIT 1`,
	} {
		text, err := store.Value[string](ctx, c.q, query, c.job, []byte(name))
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		names, err := ReadNames(text)
		if err != nil {
			return err
		}
		if names[len(names)-1].Account >= name {
			c.names, c.at = names, 0
			return nil
		}
	}
	c.names, c.last = nil, true
	return nil
}
