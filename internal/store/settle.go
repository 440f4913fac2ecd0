package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// Settle implements jobs.Store.
func (s *Store) Settle(ctx context.Context, appID string, settlements []jobs.Settlement) error {
	settlements = slices.SortedStableFunc(slices.Values(settlements), func(a, b jobs.Settlement) int { return cmp.Compare(a.JobID, b.JobID) })
	// A transaction for each job: each takes its locks in the order jobs … audit_head.
	// Settling once more changes nothing, so a part that failed may be repeated with the rest.
	for rest := settlements; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(st jobs.Settlement) bool { return st.JobID != rest[0].JobID })
		if n < 0 {
			n = len(rest)
		}
		if err := s.tx(ctx, func(tx *sql.Tx) error { return s.settleJob(ctx, tx, rest[0].JobID, rest[:n]) }); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if !slices.ContainsFunc(settlements, concernsApp) {
		return nil
	}
	return s.tx(ctx, func(tx *sql.Tx) error { return s.settleApp(ctx, tx, appID, settlements) })
}

func concernsApp(st jobs.Settlement) bool {
	return st.Halt != 0 || st.Hold > 0 || st.Slow || st.GoOn || st.Probe
}

// settleApp does what answers ask for all jobs of the app.
func (s *Store) settleApp(ctx context.Context, tx *sql.Tx, appID string, settlements []jobs.Settlement) error {
	var halts []jobs.Settlement
	goOn, probed, down := false, false, false
	holds, slow := map[tim.Command]time.Duration{}, map[tim.Command]bool{}
	for _, st := range settlements {
		if st.Halt != 0 && !slices.ContainsFunc(halts, func(h jobs.Settlement) bool { return h.Halt == st.Halt }) {
			halts = append(halts, st)
			down = down || jobs.Recovers(st.Halt)
		}
		goOn, probed = goOn || st.GoOn, probed || st.Probe
		slow[st.Command] = slow[st.Command] || st.Slow
		held := []tim.Command{st.Command}
		if st.HoldAll {
			held = []tim.Command{tim.GetTags, tim.RemoveAllTags}
		}
		for _, command := range held {
			holds[command] = max(holds[command], st.Hold)
		}
	}
	var log []audit.Entry
	var err error
	switch {
	case goOn && len(halts) == 0:
		err = s.goOn(ctx, tx, appID, &log)
	case probed:
		err = s.probeLater(ctx, tx, appID)
	}
	if err == nil && down { // also of a probe, when another has just ended probing
		err = s.probe(ctx, tx, appID)
	}
	// Of several, the one that only a person can mend stands.
	slices.SortStableFunc(halts, func(a, b jobs.Settlement) int {
		return cmp.Compare(number(jobs.Recovers(a.Halt)), number(jobs.Recovers(b.Halt)))
	})
	for _, st := range halts {
		if err == nil {
			err = s.halt(ctx, tx, appID, st, &log)
		}
	}
	for _, command := range []tim.Command{tim.GetTags, tim.RemoveAllTags} {
		if err == nil && (holds[command] > 0 || slow[command]) {
			err = s.hold(ctx, tx, appID, command, holds[command], slow[command])
		}
	}
	for _, e := range log {
		if err == nil {
			err = s.record(ctx, tx, e)
		}
	}
	return err
}

func (s *Store) settleJob(ctx context.Context, tx *sql.Tx, jobID string, settlements []jobs.Settlement) error {
	var state jobs.State
	var micros int64
	err := tx.QueryRowContext(ctx, `UPDATE jobs SET version = version + 1 WHERE id = $1 RETURNING state, `+s.clock, jobID).Scan(&state, &micros)
	if err != nil {
		return err
	}
	now, moves, sent := momentOf(micros), jobs.Counts{}, int64(0)
	for _, st := range settlements {
		if state == jobs.Cancelled && st.Rest == jobs.Waiting {
			st.Rest, st.Parts = jobs.Unsent, 0
		}
		if err := s.settleBatch(ctx, tx, st, now, moves); err != nil {
			return err
		}
		first, err := s.completeCall(ctx, tx, st)
		if err != nil {
			return err
		}
		if first && st.Answer.Delivery != tim.NotSent {
			sent++
		}
	}
	p, err := moveOn(ctx, tx, jobID, moves, sent)
	if err != nil {
		return err
	}
	return s.advanceFrom(ctx, tx, jobID, p)
}

// settleBatch writes the outcomes of one claim, if it still holds the lease or
// nobody has taken the batch since it ended, and adds what changed to moves. It
// ends the lease, so that settling once more changes nothing.
func (s *Store) settleBatch(ctx context.Context, tx *sql.Tx, st jobs.Settlement, now moment, moves jobs.Counts) error {
	var was jobs.Outcome
	var size int64
	err := tx.QueryRowContext(ctx, `
		SELECT outcome, size FROM batches WHERE job_id = $1 AND first = $2 AND lease = $3 AND outcome IN ('sending', 'in_doubt')`,
		st.JobID, st.First, st.Call).Scan(&was, &size)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // too late: the ledger keeps the answer, reading back decides
	}
	if err != nil {
		return err
	}
	settledAt := millis(s.now())
	var owned []any
	for _, own := range st.Own {
		owned = append(owned, st.JobID, own.Seq, own.Outcome, own.Code, clean(own.Message, 500), settledAt)
		moves[own.Outcome]++
	}
	// An account with an outcome of its own cannot get a second one: its key is taken.
	if err := insertAll(ctx, tx, `own_outcomes (job_id, seq, outcome, code, message, settled_at)`, 6, owned); err != nil {
		return err
	}
	if err := keepTags(ctx, tx, st.JobID, st.Found); err != nil {
		return err
	}
	moves[was] -= int64(len(st.Accounts))
	moves[st.Rest] += int64(len(st.Accounts) - len(st.Own))
	notBefore := int64(0)
	if st.Rest.Open() {
		settledAt = 0
		if st.Wait > 0 {
			notBefore = now.after(st.Wait)
		}
	}
	for i, p := range partsOf(st, size) {
		query := settlePart
		args := []any{st.JobID, p.first, p.size, p.pending, st.Rest, st.Code, clean(st.Message, 500), settledAt, st.Tries, notBefore, number(st.Ask && st.Rest == jobs.InDoubt)}
		if i > 0 {
			query, args = addPart, append(args, st.Batch)
		}
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return err
		}
	}
	return nil
}

// The first part of a batch stands where the whole stood; the others get its number of the plan.
const (
	settlePart = `
		UPDATE batches SET size = $3, pending = $4, outcome = $5, code = $6, message = $7, settled_at = $8, tries = $9, not_before = $10, ask = $11, lease = '', lease_until = 0
		WHERE job_id = $1 AND first = $2`
	addPart = `
		INSERT INTO batches (job_id, first, size, pending, outcome, code, message, settled_at, tries, not_before, ask, number)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
)

// part is a range of a batch.
type part struct{ first, size, pending int64 }

// partsOf divides a batch where the rest of its accounts goes on in parts of even size.
func partsOf(st jobs.Settlement, size int64) []part {
	own := map[int64]bool{}
	for _, o := range st.Own {
		own[o.Seq] = true
	}
	rest := slices.DeleteFunc(slices.Clone(st.Accounts), func(p jobs.Pending) bool { return own[p.Seq] })
	n := max(1, min(st.Parts, len(rest)))
	parts := make([]part, n)
	for i := range parts {
		from, to := i*len(rest)/n, (i+1)*len(rest)/n
		parts[i] = part{st.First, 0, int64(to - from)}
		if i > 0 {
			parts[i].first = rest[from].Seq
		}
	}
	for i := range parts {
		end := st.First + size
		if i+1 < n {
			end = parts[i+1].first
		}
		parts[i].size = end - parts[i].first
	}
	return parts
}

// keepTags keeps what a reading found, for later ones to tell new tags from.
func keepTags(ctx context.Context, tx *sql.Tx, jobID string, found map[int64][]string) error {
	var kept []any
	for seq, tags := range found {
		text, err := json.Marshal(tags)
		if err != nil {
			return err
		}
		kept = append(kept, jobID, seq, string(text))
	}
	return upsertAll(ctx, tx, `read_tags (job_id, seq, tags)`, 3, kept, ` ON CONFLICT (job_id, seq) DO UPDATE SET tags = excluded.tags`)
}

// completeCall writes an answer into the ledger. It is not the first when the
// call was taken for lost and counted meanwhile.
func (s *Store) completeCall(ctx context.Context, tx *sql.Tx, st jobs.Settlement) (first bool, err error) {
	sentAt := st.Answer.SentAt
	if sentAt.IsZero() {
		sentAt = s.now()
	}
	const complete = `UPDATE calls SET delivery = $2, sent_at = $3, duration = $4, http_status = $5, code = $6, message = $7 WHERE id = $1`
	args := []any{st.Call, st.Answer.Delivery.String(), millis(sentAt), st.Answer.Duration.Microseconds(), st.Answer.HTTPStatus, st.Answer.Code, clean(st.Answer.Info, 500)}
	result, err := tx.ExecContext(ctx, complete+` AND delivery = 'intended'`, args...)
	if err != nil {
		return false, err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return true, err
	}
	_, err = tx.ExecContext(ctx, complete, args...)
	return false, err
}
