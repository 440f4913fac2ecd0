package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
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
			held = tim.Commands
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
	for _, command := range tim.Commands {
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

// settling is what settlements of one job come to.
type settling struct {
	store  *Store
	tx     *sql.Tx
	now    moment
	state  jobs.State
	policy snapshot.Policy
	verify jobs.Verification // share and seed; what is added to the rest
	moves  jobs.Counts
	keys   keys
	stop   struct { // why the job is to halt, alone; code 0: it is not
		code       int
		info, call string
	}
}

func (s *Store) settleJob(ctx context.Context, tx *sql.Tx, jobID string, settlements []jobs.Settlement) error {
	t := settling{store: s, tx: tx, moves: jobs.Counts{}, keys: keys{}}
	var micros, sent, sealed int64
	err := tx.QueryRowContext(ctx, `UPDATE jobs SET version = version + 1 WHERE id = $1 RETURNING state, policy, verify_share, verify_seed, sealed, `+s.clock, jobID).
		Scan(&t.state, &t.policy, &t.verify.Share, &t.verify.Seed, &sealed, &micros)
	if err != nil {
		return err
	}
	if sealed != 0 {
		return s.answeredLate(ctx, tx, settlements)
	}
	t.now = momentOf(micros)
	for _, st := range settlements {
		if st.Verify {
			err = t.settleVerification(ctx, st)
		} else {
			err = t.settleBatch(ctx, st)
		}
		if err != nil {
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
	if t.verify.Left != 0 || t.verify.Read != 0 || t.verify.Reopened != 0 {
		_, err := tx.ExecContext(ctx, `UPDATE jobs SET verify_left = verify_left + $2, verified = verified + $3, reopened = reopened + $4 WHERE id = $1`,
			jobID, t.verify.Left, t.verify.Read, t.verify.Reopened)
		if err != nil {
			return err
		}
	}
	p, err := moveOn(ctx, tx, jobID, t.moves, sent)
	waits := p.state == jobs.Halted && jobs.Recovers(p.halted)
	if err == nil && t.stop.code != 0 && (p.state == jobs.Queued || p.state == jobs.Running || waits) {
		p.state, p.halted = jobs.Halted, t.stop.code
		err = s.haltJob(ctx, tx, jobID, t.stop.code, t.stop.info, t.stop.call)
	}
	if err != nil {
		return err
	}
	return s.advanceFrom(ctx, tx, jobID, p)
}

// settleBatch writes the outcomes of one claim, if it still holds the lease or
// nobody has taken the batch since it ended. It ends the lease, so that settling
// once more changes nothing.
func (t *settling) settleBatch(ctx context.Context, st jobs.Settlement) error {
	var was jobs.Outcome
	var size, readAt int64
	err := t.tx.QueryRowContext(ctx, `
		SELECT outcome, size, read_at FROM batches WHERE job_id = $1 AND first = $2 AND lease = $3 AND outcome IN ('waiting', 'sending', 'in_doubt')`,
		st.JobID, st.First, st.Call).Scan(&was, &size, &readAt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // too late: the ledger keeps the answer, reading back decides
	}
	if err != nil {
		return err
	}
	if st.Stop && st.Policy == t.policy { // else a person has said since how to go on
		t.stop.code, t.stop.info, t.stop.call = jobs.CodeGained, st.HaltInfo, st.Call
	}
	parts, err := t.keep(ctx, &st, size)
	if err != nil {
		return err
	}
	settledAt := millis(t.store.now())
	var owned []any
	for _, own := range st.Own {
		owned = append(owned, st.JobID, own.Seq, own.Outcome, own.Code, clean(own.Message, 500), settledAt)
		t.moves[own.Outcome]++
	}
	// An account with an outcome of its own cannot get a second one: its key is taken.
	if err := insertAll(ctx, t.tx, `own_outcomes (job_id, seq, outcome, code, message, settled_at)`, 6, owned); err != nil {
		return err
	}
	t.moves[was] -= int64(len(st.Accounts))
	t.moves[st.Rest] += int64(len(st.Accounts) - len(st.Own))
	notBefore := int64(0)
	if st.Rest.Open() {
		settledAt = 0
		if st.Wait > 0 {
			notBefore = t.now.after(st.Wait)
		}
	}
	if st.Command == tim.GetTags {
		readAt = t.now.after(-age(st.Answer.SentAt))
	}
	touched := st.Touched || left(st)
	for i, p := range parts {
		next, read := string(st.Next), readAt
		if !st.Rest.Open() {
			if next, err = t.verified(ctx, st, p); err != nil {
				return err
			}
		}
		if st.Rest == jobs.Waiting && st.Kind.Tagged() && p.change == nil {
			next = string(tim.GetTags) // it says what is to be changed
		}
		if st.Rest != jobs.Waiting || next == string(tim.GetTags) {
			read = 0
		}
		query := settlePart
		args := []any{st.JobID, p.first, p.size, p.pending, st.Rest, st.Code, clean(st.Message, 500), settledAt, st.Tries, notBefore, number(st.Ask && st.Rest == jobs.InDoubt),
			next, read, p.change, number(touched), st.Lost}
		if i > 0 {
			query, args = addPart, append(args, st.Batch)
		}
		if _, err := t.tx.ExecContext(ctx, query, args...); err != nil {
			return err
		}
	}
	return nil
}

// left reports whether the claim's call has, or may have, changed tags.
func left(st jobs.Settlement) bool {
	return st.Command != tim.GetTags && st.Answer.Delivery != tim.NotSent
}

// age is how long ago something was by this process's clock, whatever was set or
// suspended meanwhile.
func age(at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return max(0, time.Since(at), time.Since(at.Round(0)))
}

// The first part of a batch stands where the whole stood; the others get its number of the plan.
const (
	settlePart = `
		UPDATE batches SET size = $3, pending = $4, outcome = $5, code = $6, message = $7, settled_at = $8, tries = $9, not_before = $10, ask = $11,
			next = $12, read_at = $13, change = $14, touched = $15, lost = $16, lease = '', lease_until = 0
		WHERE job_id = $1 AND first = $2`
	addPart = `
		INSERT INTO batches (job_id, first, size, pending, outcome, code, message, settled_at, tries, not_before, ask, next, read_at, change, touched, lost, number)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`
)

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
