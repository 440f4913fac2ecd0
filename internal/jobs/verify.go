package jobs

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"

	"tagsweep/internal/audit"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// VerifyIn hashes every file that a job holds on to, and recounts every job from its
// accounts and rows.
func (s *Jobs) VerifyIn(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	if err := s.verifyUploads(ctx, tx, v); err != nil {
		return err
	}
	return verifyJobs(ctx, tx, v)
}

// Recount only recounts the jobs.
func (s *Jobs) Recount(ctx context.Context) (v audit.Verified, err error) {
	v.At = s.db.Now().UTC()
	err = s.db.ReadTx(ctx, func(tx *store.Tx) error { return verifyJobs(ctx, tx, &v) })
	return v, store.AsTrouble(err)
}

// jobsAtATime is how many jobs or seals are verified between two readings of their list.
const jobsAtATime = 100

func verifyJobs(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	for last := ""; ; {
		some, err := store.Collect(ctx, tx, scanJob,
			`SELECT `+jobColumns+` FROM jobs j WHERE j.reader = '' AND j.state <> 'reading' AND j.id > $1
				ORDER BY j.id LIMIT $2`, last, jobsAtATime)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, j := range some {
			last = j.ID
			found, err := verifyJob(ctx, tx, j)
			if err != nil {
				return err
			}
			v.Jobs++
			for _, f := range found {
				v.Add("job %s: %s", j.ID, f)
			}
		}
	}
}

func verifyJob(ctx context.Context, tx *store.Tx, j Job) (wrong []string, err error) {
	differ := func(what string, counted, kept int64) {
		if counted != kept {
			wrong = append(wrong, fmt.Sprintf("%s: %d counted, but the job says %d", what, counted, kept))
		}
	}
	planned, err := plannedAccounts(ctx, tx, j.ID)
	if err != nil {
		return nil, err
	}
	named, err := namedAccounts(ctx, tx, j.ID)
	if err != nil {
		return nil, err
	}
	// A batch counts the accounts that have its outcome: those that have none of their own.
	var batched, gap, taken int64
	err = tx.QueryRowContext(ctx, `
		SELECT COALESCE(SUM(CASE WHEN b.accounts = p.size - (SELECT COUNT(*) FROM own_outcomes o
			WHERE o.job_id = b.job_id AND o.seq > (b.number - 1) * 100 AND o.seq <= b.number * 100) THEN 0 ELSE 1 END), 0),
			COALESCE(CAST(SUM(p.size) AS BIGINT), 0), (SELECT COUNT(*) FROM own_outcomes WHERE job_id = $1 AND outcome = $2)
		FROM batches b JOIN planned_batches p ON p.job_id = b.job_id AND p.number = b.number WHERE b.job_id = $1`, j.ID, setAside).
		Scan(&gap, &batched, &taken)
	if err != nil {
		return nil, err
	}
	var chunks int64
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM upload_chunks
		WHERE sha256 = $1`, j.FileSHA256).Scan(&chunks); err != nil {
		return nil, err
	}
	outcomes := Counts{}
	type count struct {
		outcome Outcome
		n       int64
	}
	counts, err := store.Collect(ctx, tx, func(row store.Scanner) (c count, err error) { return c, row.Scan(&c.outcome, &c.n) }, `
		SELECT outcome, COUNT(*) FROM own_outcomes WHERE job_id = $1 AND outcome <> $2 GROUP BY outcome
		UNION ALL SELECT outcome, CAST(SUM(accounts) AS BIGINT) FROM batches WHERE job_id = $1 GROUP BY outcome`, j.ID, setAside)
	if err != nil {
		return nil, err
	}
	for _, c := range counts {
		outcomes[c.outcome] += c.n
	}
	aside := map[SetAsideKind]int64{}
	asides, err := store.Collect(ctx, tx, func(row store.Scanner) (g SetAsideGroup, err error) { return g, row.Scan(&g.Kind, &g.Rows) },
		`SELECT kind, COUNT(*) FROM set_asides WHERE job_id = $1 GROUP BY kind`, j.ID)
	if err != nil {
		return nil, err
	}
	for _, c := range asides {
		aside[c.Kind] += c.Rows
	}
	var grouped int64
	if err := tx.QueryRowContext(ctx,
		`SELECT COALESCE(CAST(SUM(row_count) AS BIGINT), 0) FROM set_aside_groups WHERE job_id = $1`, j.ID).Scan(&grouped); err != nil {
		return nil, err
	}
	differ("parts of the file", chunks, chunksOf(j.FileBytes))
	differ("accounts", planned.accounts-taken, j.Accounts)
	if !j.StartedAt.IsZero() && len(j.Unsure) > 0 {
		wrong = append(wrong, "started although a question about its file had no answer")
	}
	differ("accounts in batches", batched-taken, j.Accounts)
	if planned != named {
		wrong = append(wrong, "accounts: the list in file order does not match the sorted list")
	}
	differ("excluded rows, by reason", grouped, j.Rejected+j.Duplicate+j.Protected)
	differ("batches with a wrong number of accounts", gap, 0)
	var asks, inHand int64
	err = tx.QueryRowContext(ctx, `
		SELECT (SELECT COUNT(*) FROM batches WHERE job_id = $1 AND (ask NOT IN (0, 1) OR ask = 1 AND outcome <> 'in_doubt')),
			(SELECT COUNT(*) FROM batches WHERE job_id = $1 AND (console = '') <> (claim = '')
				OR job_id = $1 AND console <> '' AND outcome NOT IN ('waiting', 'sending', 'in_doubt')
				OR job_id = $1 AND console = '' AND outcome = 'sending')`, j.ID).Scan(&asks, &inHand)
	if err != nil {
		return nil, err
	}
	differ("batches that need a decision but are not in doubt", asks, 0)
	differ("batches with a wrong claim", inHand, 0)
	unproved, err := unprovedAccounts(ctx, tx, j)
	if err != nil {
		return nil, err
	}
	differ("accounts "+strings.ReplaceAll(string(j.Kind.Done()), "_", " ")+" without a call", unproved, 0)
	changed, err := snapshot.Changed(ctx, tx, j.ID)
	if err != nil {
		return nil, err
	}
	for _, number := range changed {
		wrong = append(wrong, fmt.Sprintf("batch %d: the tag snapshot was changed", number))
	}
	differ("rejected rows", aside[Rejected], j.Rejected)
	differ("duplicate rows", aside[Duplicate], j.Duplicate)
	differ("protected rows", aside[Protected], j.Protected)
	differ("rows", j.Rejected+j.Duplicate+j.Protected+j.Accounts, j.Rows)
	for _, o := range stored {
		differ("accounts "+strings.ReplaceAll(string(o), "_", " "), outcomes[o], j.Counts[o])
	}
	return wrong, nil
}

// unprovedAccounts counts the accounts that a job is said to have changed, and that
// no call of its ledger held which may have done it.
func unprovedAccounts(ctx context.Context, tx *store.Tx, j Job) (unproved int64, err error) {
	if j.Kind.Command() == "" {
		return 0, nil
	}
	held := map[int64][]byte{}
	_, err = store.Collect(ctx, tx, func(row store.Scanner) (none struct{}, err error) {
		var batch int64
		var bits []byte
		err = row.Scan(&batch, &bits)
		held[batch] = either(held[batch], bits)
		return none, err
	}, `
			SELECT batch, held FROM calls
			WHERE job_id = $1 AND command <> 'get_tags' AND delivery <> 'not_sent' AND (delivery <> 'answered' OR code = 0)`,
		j.ID)
	if err != nil {
		return 0, err
	}
	own := map[int64]bool{} // by place: the outcome of its own is that of an account that was changed
	_, err = store.Collect(ctx, tx, func(row store.Scanner) (none struct{}, err error) {
		var seq int64
		var outcome Outcome
		err = row.Scan(&seq, &outcome)
		own[seq] = outcome == j.Kind.Done()
		return none, err
	}, `SELECT seq, outcome FROM own_outcomes WHERE job_id = $1`, j.ID)
	if err != nil {
		return 0, err
	}
	_, err = store.Collect(ctx, tx, func(row store.Scanner) (none struct{}, err error) {
		var number, size int64
		var outcome Outcome
		err = row.Scan(&number, &size, &outcome)
		for place := range size {
			changed, has := own[(number-1)*BatchSize+1+place]
			if !has {
				changed = outcome == j.Kind.Done()
			}
			if changed && !Held(held[number], int(place)) {
				unproved++
			}
		}
		return none, err
	}, `
			SELECT b.number, p.size, b.outcome
			FROM batches b JOIN planned_batches p ON p.job_id = b.job_id AND p.number = b.number WHERE b.job_id = $1`,
		j.ID)
	return unproved, err
}

// either has the bits of a or b.
func either(a, b []byte) []byte {
	both := make([]byte, max(len(a), len(b)))
	copy(both, a)
	for i := range b {
		both[i] |= b[i]
	}
	return both
}

// listed is what a list of a job's accounts comes to, in whatever order it stands.
type listed struct {
	accounts int64
	sum      uint64
}

var listedSeed = maphash.MakeSeed()

func (l *listed) add(account string, row int64) {
	l.accounts++
	l.sum += maphash.Comparable(listedSeed, Named{Account: account, Row: row})
}

// plannedAccounts reads the accounts of a job in file order, up to the first
// batch that is not as it must be.
func plannedAccounts(ctx context.Context, tx *store.Tx, jobID string) (l listed, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT number, first_row, size, accounts FROM planned_batches WHERE job_id = $1
		ORDER BY number`, jobID)
	if err != nil {
		return l, err
	}
	defer rows.Close()
	for want := int64(1); rows.Next(); want++ {
		var number, first, size int64
		var text string
		if err := rows.Scan(&number, &first, &size, &text); err != nil {
			return l, err
		}
		b, err := ReadPlannedBatch(number, text)
		if err != nil || number != want || int64(len(b.Accounts)) != size || size == 0 || b.Accounts[0].Row != first {
			return l, nil
		}
		for _, a := range b.Accounts {
			l.add(a.Account, a.Row)
		}
	}
	return l, rows.Err()
}

// namedAccounts reads them sorted by name, up to names that cannot be read.
func namedAccounts(ctx context.Context, tx *store.Tx, jobID string) (l listed, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT names FROM account_names WHERE job_id = $1`, jobID)
	if err != nil {
		return l, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return l, err
		}
		names, err := ReadNames(text)
		if err != nil {
			return l, nil
		}
		for _, n := range names {
			l.add(n.Account, n.Row)
		}
	}
	return l, rows.Err()
}
