package jobs

import (
	"context"
	"iter"
	"slices"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// A database that is an older copy does not know what was sent after the copy was made.
// Once that is noticed, all sending is held, and every account that may have been sent
// since is in doubt: it is read before anything else. So whatever a person does with
// its job meanwhile, nothing is taken for unsent.

// Faults of a restored database.
var (
	FaultHeld = fault.Declare(fault.Conflict, "restored.held",
		"Sending was not resumed: this database is an older copy. See the page “Restored database” for the accounts "+
			"that may have been sent since, and confirm their number there.")
	FaultRestoredConfirm = fault.Declare(fault.Invalid, "restored.confirm",
		"Sending was not resumed: %d accounts may have been sent since the copy was made, and you typed a different "+
			"number. Type this number to confirm.")
)

// RestoredReason is the reason with which the kill switch is thrown when the
// database turns out to be an older copy.
const RestoredReason = "restored"

// Restored reports whether sending is held because the database is an older copy. Who
// threw the switch and why, which people choose, does not say so.
func (k KillSwitch) Restored() bool { return k.Thrown() && k.Hold != "" }

// mayHaveRun are the jobs that were started, and whose accounts may have been sent
// after a copy of the database was made. Those of a cancelled job are only read.
const mayHaveRun = `kind <> 'inspect' AND state IN ('queued', 'running', 'paused', 'halted')`

// mayHaveStarted are the jobs that a person may have started since.
const mayHaveStarted = `kind <> 'inspect' AND state IN ('reading', 'draft')`

// lostCallEnds is how long a call that was under way may still take effect, in milliseconds.
const lostCallEnds = 5_000

// doubtSQL puts the open accounts of all jobs in doubt, not to be read before $1.
// A batch that somebody has in hand stays so.
const doubtSQL = `
	UPDATE batches SET outcome = 'in_doubt', ask = 0, code = 0, message = '', not_before = $1,
		restored = CASE outcome WHEN 'waiting' THEN 1 WHEN 'sending' THEN 2 ELSE 3 END
	WHERE outcome IN ('waiting', 'sending', 'in_doubt') AND job_id IN (SELECT id FROM jobs WHERE ` + mayHaveRun + `)
	RETURNING job_id, restored, accounts`

// restoredFrom are the outcomes that the column restored stands for.
var restoredFrom = []Outcome{1: Waiting, 2: Sending, 3: InDoubt}

// HoldSending throws the kill switch because the database is an older copy, replacing
// any earlier reason, and puts in doubt what may have been sent since. The log says
// so for each job. Outside is the number that shows it; zero: something else does.
//
// A copy may have been made while sending was held, and what was started meanwhile may
// have been sent since. So whatever is found again is held and doubted again. Only a
// number that is known already changes nothing: held is false.
func (s *Jobs) HoldSending(ctx context.Context, outside Sends) (held bool, err error) {
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		held = false
		if err := tx.Exec(ctx, `UPDATE kill_switch SET id = id WHERE id = 1`); err != nil { // one change at a time
			return err
		}
		k, err := s.killSwitch(ctx, tx)
		if err != nil {
			return err
		}
		known, err := store.Value[int64](ctx, tx, `SELECT known FROM sends WHERE id = 1`)
		if err != nil || k.Restored() && outside.Number > 0 && outside.Number <= known {
			return err
		}
		held = true
		now := s.db.Now()
		err = tx.Exec(ctx, `UPDATE kill_switch SET thrown_at = $1, thrown_by = $2, reason = $3, hold = $4 WHERE id = 1`,
			store.Millis(now), audit.System.Name, RestoredReason, store.NewID(now))
		if err != nil {
			return err
		}
		entries, err := s.doubtAll(ctx, tx, now)
		if err != nil {
			return err
		}
		has, err := store.Value[int64](ctx, tx, `
			UPDATE sends SET seen = CASE WHEN known < $1 THEN CAST($2 AS BIGINT) ELSE seen END,
				known = CASE WHEN known < $1 THEN $1 ELSE known END
			WHERE id = 1 RETURNING sent`, outside.Number, store.Millis(outside.At))
		if err != nil {
			return err
		}
		thrown := audit.Entry{Code: audit.KillSwitchThrown, Actor: audit.System,
			Details: map[string]any{"reason": RestoredReason, "sends": has, "known_sends": outside.Number}}
		return s.log.RecordIn(ctx, tx, append([]audit.Entry{thrown}, entries...)...)
	})
	return held, err
}

// doubtAll puts in doubt what may have been sent, and returns what the log says of it.
func (s *Jobs) doubtAll(ctx context.Context, tx *store.Tx, now time.Time) (entries []audit.Entry, err error) {
	if err := tx.Exec(ctx, `UPDATE apps SET probe_at = probe_at`); err != nil { // nothing is claimed or started meanwhile
		return nil, err
	}
	clock, err := store.Value[int64](ctx, tx, `SELECT `+s.db.Clock()+` / 1000`)
	if err != nil {
		return nil, err
	}
	// All batches come before all jobs, as in the transactions that settle them.
	moved := map[string]Counts{}
	err = store.Each(ctx, tx, func(row store.Scanner) error {
		var id string
		var was int
		var n int64
		err := row.Scan(&id, &was, &n)
		if moved[id] == nil {
			moved[id] = Counts{}
		}
		moved[id][restoredFrom[was]] -= n
		moved[id][InDoubt] += n
		return err
	}, doubtSQL, clock+lostCallEnds)
	if err != nil {
		return nil, err
	}
	ids, err := store.Column[string](ctx, tx,
		`SELECT id FROM jobs WHERE finished_at = 0 AND (`+mayHaveRun+` OR `+mayHaveStarted+`) ORDER BY id`)
	for _, id := range ids {
		if err == nil {
			err = s.MoveCounts(ctx, tx, id, moved[id], 0)
		}
		if err == nil {
			err = tx.Exec(ctx, `UPDATE jobs SET restored_at = $2 WHERE id = $1`, id, store.Millis(now))
		}
		if err != nil {
			return nil, err
		}
		j, err := job(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		details := Summary(j)
		details["in_doubt"] = j.unknownSince()
		entries = append(entries, audit.Entry{Code: audit.JobRestored, Actor: audit.System, JobID: id, Details: details})
	}
	return entries, err
}

// unknownSince counts the accounts of a job that may have been sent since the copy was
// made, while sending is held.
func (j Job) unknownSince() int64 {
	if j.State == Reading || j.State == Draft {
		return j.Accounts
	}
	return j.Counts[InDoubt]
}

// doubtDraft puts in doubt the accounts of a draft from an older copy: somebody may have
// started it since. It is called when the draft is started.
func (s *Jobs) doubtDraft(ctx context.Context, c *change) error {
	if !c.was.Restored() || c.was.Kind == Inspect {
		return nil
	}
	some, err := store.Column[int64](ctx, c.tx, `
		UPDATE batches SET outcome = 'in_doubt', restored = 1 WHERE job_id = $1 AND outcome = 'waiting' RETURNING accounts`, c.was.ID)
	var all int64
	for _, n := range some {
		all += n
	}
	if err == nil {
		err = s.MoveCounts(ctx, c.tx, c.was.ID, Counts{Waiting: -all, InDoubt: all}, 0)
	}
	c.details["in_doubt"] = all
	return err
}

// RestoreReport is what may have happened since an older copy of the database was made.
type RestoreReport struct {
	At       time.Time // when it was noticed; zero: the database is none
	Sends    int64     // batches that the database knows of
	Known    Sends     // that are known outside; zero: that shows nothing
	Jobs     []RestoredJob
	Accounts int64 // of all jobs
}

// RestoredJob is a job of the report.
type RestoredJob struct {
	Job
	Unknown int64 // accounts that may have been sent
	Unsaved int64 // of them: those whose tags are not kept
}

// RestoreReport says what an admin must know before sending is resumed.
func (s *Jobs) RestoreReport(ctx context.Context) (r RestoreReport, err error) {
	err = s.db.ReadTx(ctx, func(tx *store.Tx) error { r, err = s.restoredIn(ctx, tx); return err })
	return r, store.AsTrouble(err)
}

func (s *Jobs) restoredIn(ctx context.Context, tx *store.Tx) (r RestoreReport, err error) {
	k, err := s.killSwitch(ctx, tx)
	if err == nil {
		err = tx.QueryRowContext(ctx, `SELECT sent, known, seen FROM sends WHERE id = 1`).
			Scan(&r.Sends, &r.Known.Number, store.ScanTime(&r.Known.At))
	}
	if err != nil || !k.Restored() {
		return RestoreReport{}, err
	}
	r.At = k.ThrownAt
	all, err := store.Collect(ctx, tx, scanJob, `SELECT `+jobFields+` FROM jobs
		WHERE restored_at > 0 AND finished_at = 0 AND kind <> 'inspect' ORDER BY id`)
	for _, j := range all {
		n := j.unknownSince()
		if err != nil || n == 0 && j.State != Reading {
			continue
		}
		one := RestoredJob{Job: j, Unknown: n}
		one.Unsaved, err = store.Value[int64](ctx, tx, `
			SELECT COALESCE(CAST(SUM(b.accounts) AS BIGINT), 0) FROM batches b WHERE b.job_id = $1 AND b.outcome IN ('waiting', 'in_doubt')
				AND NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.job_id = b.job_id AND s.number = b.number)`, j.ID)
		r.Jobs, r.Accounts = append(r.Jobs, one), r.Accounts+n
	}
	return r, err
}

// RestoredAccount is an account that may have been changed after the copy was made.
type RestoredAccount struct {
	Account
	Kept bool // its tags are kept, so that an undo brings them back
}

// RestoredAccounts lists the accounts of a job that may have been changed after a copy of the
// database was made, in file order: those still in doubt, and those found changed.
func (s *Jobs) RestoredAccounts(ctx context.Context, j Job) iter.Seq2[RestoredAccount, error] {
	unknown := func(a Account) bool {
		return a.Code == CodeRestored || a.Outcome == InDoubt || j.State == Draft && a.Outcome.Open()
	}
	return sequence(func(give func(RestoredAccount) bool) error {
		if !j.Restored() || j.Kind == Inspect {
			return nil
		}
		for number := int64(1); number <= j.Batches; number += pageBatches {
			page, err := s.placed(ctx, j.ID, number, number+pageBatches-1)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(page, unknown) {
				continue
			}
			kept, err := s.snapshots.Tags(ctx, snapshot.Before, j.ID, number, number+pageBatches-1)
			if err != nil && !snapshot.Unreadable(err) {
				return err
			}
			for _, a := range page {
				if _, has := kept[a.Seq()]; unknown(a) && !give(RestoredAccount{a, has}) {
					return nil
				}
			}
		}
		return nil
	})
}

// FoundRestored counts the accounts of a job that were found changed after a restore.
func (s *Jobs) FoundRestored(ctx context.Context, j Job) (int64, error) {
	if !j.Restored() {
		return 0, nil
	}
	return store.Value[int64](ctx, s.db.Reader(), `
		SELECT COALESCE(CAST(SUM(n) AS BIGINT), 0) FROM (
			SELECT SUM(accounts) AS n FROM batches WHERE job_id = $1 AND code = $2 AND outcome = $3
			UNION ALL SELECT COUNT(*) FROM own_outcomes WHERE job_id = $1 AND code = $2 AND outcome = $3) AS found`,
		j.ID, CodeRestored, j.Kind.Done())
}

// sendsAhead is how far the count goes on above all that any console may have saved: one
// that did not run meanwhile shall not take the same restore for another one.
const sendsAhead = 1_000_000_000

// LiftRestored resumes sending from an older copy. Confirm is the number of accounts
// that may have been sent since, typed: else it returns FaultRestoredConfirm. When
// nothing is held it changes nothing.
func (s *Jobs) LiftRestored(ctx context.Context, by audit.Actor, confirm int64) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.Exec(ctx, `UPDATE kill_switch SET id = id WHERE id = 1`); err != nil { // one change at a time
			return err
		}
		if err := tx.Exec(ctx, `UPDATE apps SET probe_at = probe_at`); err != nil {
			return err
		}
		r, err := s.restoredIn(ctx, tx)
		if err != nil || r.At.IsZero() {
			return err
		}
		if r.Accounts != confirm {
			return FaultRestoredConfirm.With(r.Accounts)
		}
		err = tx.Exec(ctx, `UPDATE kill_switch SET thrown_at = 0, thrown_by = '', reason = '', hold = '' WHERE id = 1`)
		if err == nil {
			err = tx.Exec(ctx, `UPDATE sends SET sent = $1, lifted = $1, known = 0, seen = 0 WHERE id = 1`, max(r.Sends, r.Known.Number)+sendsAhead)
		}
		if err != nil {
			return err
		}
		var unsaved int64
		for _, j := range r.Jobs {
			unsaved += j.Unsaved
		}
		return s.log.RecordIn(ctx, tx, audit.Entry{Code: audit.KillSwitchLifted, Actor: by,
			Details: map[string]any{"reason": RestoredReason, "jobs": len(r.Jobs), "accounts": r.Accounts, "unsaved": unsaved,
				"sends": r.Sends, "known_sends": r.Known.Number}})
	})
}
