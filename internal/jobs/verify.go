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
// accounts and rows. Then it compares what governs with what it ought to be.
func (s *Jobs) VerifyIn(ctx context.Context, tx *store.Tx, ought *Replay, v *audit.Verified) error {
	if err := s.verifyUploads(ctx, tx, v); err != nil {
		return err
	}
	if err := verifyJobs(ctx, tx, ought, v); err != nil {
		return err
	}
	return ought.verifyIn(ctx, tx, v)
}

// Recount only recounts the jobs.
func (s *Jobs) Recount(ctx context.Context) (v audit.Verified, err error) {
	v.At = s.db.Now().UTC()
	err = s.db.ReadTx(ctx, func(tx *store.Tx) error { return verifyJobs(ctx, tx, NewReplay(), &v) })
	return v, store.AsTrouble(err)
}

// verifyJobs recounts the jobs, and finds accounts that they changed while these were
// protected.
func verifyJobs(ctx context.Context, tx *store.Tx, ought *Replay, v *audit.Verified) error {
	imported := paged(func(last Job) ([]Job, error) {
		return store.Collect(ctx, tx, scanJob,
			`SELECT `+jobFields+` FROM jobs
				WHERE NOT (state = 'reading' OR reader <> '' AND state = 'cancelled' AND started_at = 0) AND id > $1 ORDER BY id LIMIT 100`, last.ID)
	})
	for j, err := range imported {
		r := recount{ctx: ctx, tx: tx, job: j, protected: ought.list.spans[j.AppID], err: err}
		if by := ought.jobs[j.ID]; by != nil {
			r.careful = by.careful
		}
		if r.all(); r.err != nil {
			return r.err
		}
		v.Jobs++
		for _, wrong := range r.wrong {
			v.Add("job %s: %s", j.ID, wrong)
		}
	}
	return nil
}

// recount counts a job's accounts and rows. After an error it does nothing more.
type recount struct {
	ctx   context.Context
	tx    *store.Tx
	job   Job
	wrong []string
	err   error

	careful   bool                 // by the log, only its first batch may be sent at first
	protected map[string][]protect // accounts of its app, when they were
	found     []Account            // those of them that are accounts of the job
}

func (r *recount) differ(what string, counted, stored int64) {
	if counted != stored {
		r.wrong = append(r.wrong, fmt.Sprintf("%s: %d counted, but the job says %d", what, counted, stored))
	}
}

// count returns the one number of a query of the job $1.
func (r *recount) count(query string, args ...any) (n int64) {
	if r.err == nil {
		n, r.err = store.Value[int64](r.ctx, r.tx, query, append([]any{r.job.ID}, args...)...)
	}
	return n
}

// each runs a query of the job $1.
func (r *recount) each(scan func(store.Scanner) error, query string) {
	if r.err == nil {
		r.err = store.Each(r.ctx, r.tx, scan, query, r.job.ID)
	}
}

// sums runs a query of the job $1 for names and numbers.
func (r *recount) sums(query string) (sums map[string]int64) {
	if r.err == nil {
		sums, r.err = store.Sums[string](r.ctx, r.tx, query, r.job.ID)
	}
	return sums
}

func (r *recount) all() {
	j := r.job
	r.differ("parts of the file", r.count(`SELECT COUNT(*) FROM upload_chunks u JOIN jobs j ON j.file_sha256 = u.sha256 WHERE j.id = $1`),
		chunksOf(j.FileBytes))
	planned, sorted := r.planned(), r.sorted()
	r.differ("batches", planned.batches, j.Batches)
	if r.err == nil && planned.digest.sum() != j.Plan {
		r.wrong = append(r.wrong, "accounts: they are not those that the file was read as")
	}
	taken := r.count(`SELECT COUNT(*) FROM own_outcomes WHERE job_id = $1 AND outcome = $2`, setAside)
	r.differ("accounts", planned.accounts-taken, j.Accounts)
	r.differ("accounts in batches", r.count(`SELECT COALESCE(CAST(SUM(p.size) AS BIGINT), 0)
		FROM batches b JOIN planned_batches p ON p.job_id = b.job_id AND p.number = b.number WHERE b.job_id = $1`)-taken, j.Accounts)
	if planned.accounts != sorted.accounts || planned.sum != sorted.sum {
		r.wrong = append(r.wrong, "accounts: the list in file order does not match the sorted list")
	}
	r.differ("excluded rows, by reason", r.count(`SELECT COALESCE(CAST(SUM(row_count) AS BIGINT), 0) FROM set_aside_groups
		WHERE job_id = $1`), j.Rejected+j.Duplicate+j.Protected)
	// A batch counts the accounts that have its outcome: those that have none of their own.
	r.differ("batches with a wrong number of accounts", r.count(`
		SELECT COUNT(*) FROM batches b JOIN planned_batches p ON p.job_id = b.job_id AND p.number = b.number
		WHERE b.job_id = $1 AND b.accounts <> p.size - (SELECT COUNT(*) FROM own_outcomes o
			WHERE o.job_id = b.job_id AND o.seq > (b.number - 1) * 100 AND o.seq <= b.number * 100)`), 0)
	r.differ("batches that need a decision but are not in doubt", r.count(`
		SELECT COUNT(*) FROM batches WHERE job_id = $1 AND (ask NOT IN (0, 1) OR ask = 1 AND outcome <> 'in_doubt')`), 0)
	r.differ("batches with a wrong claim", r.count(`
		SELECT COUNT(*) FROM batches WHERE job_id = $1 AND ((console = '') <> (claim = '')
			OR console <> '' AND outcome NOT IN ('waiting', 'sending', 'in_doubt') OR console = '' AND outcome = 'sending')`), 0)
	r.differ("accounts "+spoken(j.Kind.Done())+" without a call", r.unproved(), 0)
	r.changedProtected()
	if r.err == nil {
		var changed []int64
		changed, r.err = snapshot.Changed(r.ctx, r.tx, j.ID)
		for _, number := range changed {
			r.wrong = append(r.wrong, fmt.Sprintf("batch %d: the tag snapshot was changed", number))
		}
	}
	aside := r.sums(`SELECT kind, COUNT(*) FROM set_asides WHERE job_id = $1 GROUP BY kind`)
	r.differ("rejected rows", aside[string(Rejected)], j.Rejected)
	r.differ("duplicate rows", aside[string(Duplicate)], j.Duplicate)
	r.differ("protected rows", aside[string(Protected)], j.Protected)
	r.differ("rows", j.Rejected+j.Duplicate+j.Protected+j.Accounts, j.Rows)
	outcomes := r.sums(`
		SELECT outcome, COUNT(*) FROM own_outcomes WHERE job_id = $1 GROUP BY outcome
		UNION ALL SELECT outcome, CAST(SUM(accounts) AS BIGINT) FROM batches WHERE job_id = $1 GROUP BY outcome`)
	for _, o := range Outcomes {
		r.differ("accounts "+spoken(o), outcomes[string(o)], j.Counts[o])
	}
	if !j.StartedAt.IsZero() && len(j.Unsure) > 0 {
		r.wrong = append(r.wrong, "started although a question about its file had no answer")
	}
	r.sending()
}

// sending finds what does not fit the state of a job and decides what is sent next.
func (r *recount) sending() {
	j := r.job
	r.differ("batches that were sent, and do not say so", r.count(`
		SELECT COUNT(*) FROM batches b WHERE b.job_id = $1 AND b.sent <> 1 AND EXISTS (SELECT 1 FROM calls c
			WHERE c.job_id = b.job_id AND c.batch = b.number AND c.command <> 'get_tags' AND c.delivery <> 'not_sent')`), 0)
	if j.Told() && !j.Settled() && j.State != Reading {
		r.differ("batches whose tags to add or remove are there", r.count(`
			SELECT COUNT(*) FROM planned_batches p JOIN wanted_tags w ON w.job_id = p.job_id AND w.number = p.number
			WHERE p.job_id = $1`), j.Batches)
	}
	r.differ("readings of its file that are under way", r.count(`SELECT COUNT(*) FROM jobs WHERE id = $1 AND reader <> ''`), 0)
	recovers := r.count(`SELECT halt_recovers FROM jobs WHERE id = $1`)
	if j.State != Halted && j.HaltCode != 0 || (recovers == 1) != Recovers(j.HaltCode) {
		r.wrong = append(r.wrong, "why it is halted does not fit its state, or whether it goes on by itself")
	}
	if j.State != Cancelled && j.Counts[Unsent] > 0 {
		r.wrong = append(r.wrong, "accounts were left out, but it was not cancelled")
	}
	inspections := r.count(`SELECT COUNT(*) FROM jobs WHERE source <> '' AND source = $1 AND checks <> ''`)
	switch drawn := j.State == Finished && j.Verify.Share > 0 && j.Counts[j.Kind.Done()] > 0; {
	case r.err != nil:
	case drawn && !j.Verify.Due && inspections == 0:
		r.wrong = append(r.wrong, "its sample was not inspected, and will not be")
	case j.Verify.Due && (j.State != Finished || j.Verify.Share == 0 || inspections > 0):
		r.wrong = append(r.wrong, "its sample is to be inspected, but need not be")
	}
	if first := r.count(`SELECT COUNT(*) FROM batches WHERE job_id = $1 AND number = 1
		AND outcome NOT IN ('waiting', 'sending', 'in_doubt')`); first == 0 && r.careful && !j.Careful && j.FinishedAt.IsZero() {
		r.wrong = append(r.wrong, "more than its first batch may be sent, which has not gone well yet")
	}
}

func spoken(o Outcome) string { return strings.ReplaceAll(string(o), "_", " ") }

// unproved counts the accounts that a job is said to have changed, and that no call of
// its ledger held which may have done it.
func (r *recount) unproved() (unproved int64) {
	if r.job.Kind.Command() == "" {
		return 0
	}
	held := map[int64][]byte{}
	r.each(func(row store.Scanner) error {
		var batch int64
		var bits []byte
		err := row.Scan(&batch, &bits)
		held[batch] = either(held[batch], bits)
		return err
	}, `SELECT batch, held FROM calls
		WHERE job_id = $1 AND command <> 'get_tags' AND delivery <> 'not_sent' AND (delivery <> 'answered' OR code = 0)`)
	byCall := func(o Outcome, code int) bool { // a call that a restored database no longer knows leaves its code
		return o == r.job.Kind.Done() && !(code == CodeRestored && r.job.Restored())
	}
	own := map[int64]bool{} // by place: the outcome of its own is that of an account that was changed
	r.each(func(row store.Scanner) error {
		var seq int64
		var outcome Outcome
		var code int
		err := row.Scan(&seq, &outcome, &code)
		own[seq] = byCall(outcome, code)
		return err
	}, `SELECT seq, outcome, code FROM own_outcomes WHERE job_id = $1`)
	r.each(func(row store.Scanner) error {
		var number, size int64
		var outcome Outcome
		var code int
		err := row.Scan(&number, &size, &outcome, &code)
		for place := range size {
			changed, has := own[(number-1)*BatchSize+1+place]
			if !has {
				changed = byCall(outcome, code)
			}
			if changed && !Held(held[number], int(place)) {
				unproved++
			}
		}
		return err
	}, `SELECT b.number, p.size, b.outcome, b.code
		FROM batches b JOIN planned_batches p ON p.job_id = b.job_id AND p.number = b.number WHERE b.job_id = $1`)
	return unproved
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
	batches  int64
	digest   planDigest
}

var listedSeed = maphash.MakeSeed()

func (l *listed) add(account string, row int64) {
	l.accounts++
	l.sum += maphash.Comparable(listedSeed, Named{Account: account, Row: row})
}

// planned reads the accounts of a job in file order, up to the first batch that is not
// as it must be.
func (r *recount) planned() (l listed) {
	want := int64(1) // 0: the batch before was not
	r.each(func(row store.Scanner) error {
		var number, first, size int64
		var text string
		if err := row.Scan(&number, &first, &size, &text); err != nil || want == 0 {
			return err
		}
		b, err := ReadPlannedBatch(number, text)
		if err != nil || number != want || int64(len(b.Accounts)) != size || size == 0 || b.Accounts[0].Row != first {
			want = 0
			return nil
		}
		want++
		l.batches++
		l.digest.add(text)
		for place, a := range b.Accounts {
			l.add(a.Account, a.Row)
			if len(r.protected) > 0 && r.protected[a.Account] != nil {
				r.found = append(r.found, Account{Account: a.Account, Batch: number, Place: place})
			}
		}
		return nil
	}, `SELECT number, first_row, size, accounts FROM planned_batches WHERE job_id = $1 ORDER BY number`)
	return l
}

// sorted reads them sorted by name; names that cannot be read are missing.
func (r *recount) sorted() (l listed) {
	r.each(func(row store.Scanner) error {
		var first []byte
		var text string
		if err := row.Scan(&first, &text); err != nil {
			return err
		}
		names, _ := ReadNames(text)
		if len(names) > 0 && names[0].Account != string(first) {
			names = nil // they are not found
		}
		for _, n := range names {
			l.add(n.Account, n.Row)
		}
		return nil
	}, `SELECT first, names FROM account_names WHERE job_id = $1`)
	return l
}
