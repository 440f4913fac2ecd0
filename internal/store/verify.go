package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"tagsweep/internal/jobs"
)

// Verify recounts every job from its accounts and rows and checks that the log
// has no gap. It returns a sentence for each thing that is wrong, the place first.
func (s *Store) Verify(ctx context.Context) ([]string, error) {
	// One snapshot, so that a job may run meanwhile; SQLite's transactions always are one.
	options := &sql.TxOptions{ReadOnly: true}
	if s.postgres {
		options.Isolation = sql.LevelRepeatableRead
	}
	tx, err := s.read.BeginTx(ctx, options)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	all, err := collect(ctx, tx, scanJob, `SELECT `+jobColumns+` FROM jobs j WHERE j.state <> 'reading' ORDER BY j.id`)
	if err != nil {
		return nil, err
	}
	var wrong []string
	for _, j := range all {
		found, err := verifyJob(ctx, tx, j)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			wrong = append(wrong, "job "+j.ID+": "+f)
		}
	}
	var entries, last, head int64
	err = tx.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(MAX(seq), 0), (SELECT seq FROM audit_head WHERE id = 1) FROM audit_entries`).Scan(&entries, &last, &head)
	if err == nil && (entries != last || last != head) {
		wrong = append(wrong, fmt.Sprintf("audit log: %d entries, the last is number %d, and %d were written", entries, last, head))
	}
	return wrong, err
}

func verifyJob(ctx context.Context, tx *sql.Tx, j jobs.Job) (wrong []string, err error) {
	differ := func(what string, counted, kept int64) {
		if counted != kept {
			wrong = append(wrong, fmt.Sprintf("%s: %d were counted, the job says %d", what, counted, kept))
		}
	}
	var accounts, highest, pendingGap, planned int64
	err = tx.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(MAX(seq), 0) FROM accounts WHERE job_id = $1`, j.ID).Scan(&accounts, &highest)
	if err != nil {
		return nil, err
	}
	// A batch counts its pending accounts; they must be those that have no outcome of their own.
	err = tx.QueryRowContext(ctx, `
		SELECT COALESCE(SUM(CASE WHEN b.pending = (SELECT COUNT(*) FROM accounts a
			WHERE a.job_id = b.job_id AND a.seq >= b.first AND a.seq < b.first + b.size AND a.outcome IS NULL) THEN 0 ELSE 1 END), 0),
			COALESCE(CAST(SUM(b.size) AS BIGINT), 0)
		FROM batches b WHERE b.job_id = $1`, j.ID).Scan(&pendingGap, &planned)
	if err != nil {
		return nil, err
	}
	var chunks int64
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM upload_chunks WHERE sha256 = $1`, j.FileSHA256).Scan(&chunks); err != nil {
		return nil, err
	}
	outcomes := jobs.Counts{}
	type count struct {
		outcome jobs.Outcome
		n       int64
	}
	counts, err := collect(ctx, tx, func(row scanner) (c count, err error) { return c, row.Scan(&c.outcome, &c.n) }, `
		SELECT outcome, COUNT(*) FROM accounts WHERE job_id = $1 AND outcome IS NOT NULL GROUP BY outcome
		UNION ALL SELECT outcome, CAST(SUM(pending) AS BIGINT) FROM batches WHERE job_id = $1 GROUP BY outcome`, j.ID)
	if err != nil {
		return nil, err
	}
	for _, c := range counts {
		outcomes[c.outcome] += c.n
	}
	aside := map[jobs.SetAsideKind]int64{}
	asides, err := setAsideCounts(ctx, tx, j.ID)
	if err != nil {
		return nil, err
	}
	for _, c := range asides {
		aside[c.Kind] += c.Rows
	}
	differ("parts of the file", chunks, (j.FileBytes+chunkBytes-1)/chunkBytes)
	differ("accounts", accounts, j.Accounts)
	differ("accounts in file order without gaps", highest, j.Accounts)
	differ("accounts in batches", planned, j.Accounts)
	differ("batches whose accounts do not add up", pendingGap, 0)
	differ("rows rejected", aside[jobs.Rejected], j.Rejected)
	differ("rows repeated", aside[jobs.Duplicate], j.Duplicate)
	differ("rows protected", aside[jobs.Protected], j.Protected)
	differ("rows", j.Rejected+j.Duplicate+j.Protected+j.Accounts, j.Rows)
	for _, o := range stored {
		differ("accounts "+strings.ReplaceAll(string(o), "_", " "), outcomes[o], j.Counts[o])
	}
	return wrong, nil
}
