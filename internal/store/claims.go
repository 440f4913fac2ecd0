package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// claimable says, for a command, which batches it is for and the states of the
// jobs they may belong to. Pausing, cancelling and halting are nothing but these conditions.
var claimable = map[tim.Command]struct {
	outcome jobs.Outcome
	states  string
}{
	tim.RemoveAllTags: {jobs.Waiting, `'queued', 'running'`},
	tim.GetTags:       {jobs.InDoubt, `'queued', 'running', 'cancelled'`}, // what was sent is settled even after cancelling
}

// recovering are the jobs that halted because the service does not work: one
// call of theirs may find out whether it works again.
var recovering = fmt.Sprintf(`state = 'halted' AND halt_code IN (%d, %d)`, jobs.CodeDown, jobs.CodeLostAnswers)

// begun are the jobs that go on whatever time their start was set to, though the
// clock is set back to before it.
const begun = `state IN ('running', 'cancelled')`

// candidate is a job that may have a batch to take.
type candidate struct {
	id     string
	first  bool // served before all others
	shares bool // accounts with another job that has not ended
}

// Claim implements jobs.Store.
func (s *Store) Claim(ctx context.Context, appID string, command tim.Command, limit int, lease time.Duration) (claims []jobs.Claim, next time.Time, err error) {
	open, err := s.candidates(ctx, appID, command)
	// Those that turn out to have nothing to take must not hold up those after
	// them. Each turn is a transaction, so that locks are still taken in the order
	// of ids; the job that is served first has one alone.
	for err == nil && len(open) > 0 && len(claims) == 0 && next.IsZero() {
		turn := open
		if open[0].first {
			turn = open[:1]
		}
		var served int
		err = s.tx(ctx, func(tx *sql.Tx) (err error) {
			claims, served, next, err = s.claim(ctx, tx, appID, command, turn, limit, lease)
			return err
		})
		open = open[served:]
	}
	if err != nil {
		return nil, time.Time{}, asTrouble(err)
	}
	return claims, next, nil
}

// candidates looks first without a lock, since mostly there is nothing to do.
func (s *Store) candidates(ctx context.Context, appID string, command tim.Command) ([]candidate, error) {
	from := claimable[command]
	return collect(ctx, s.read, func(row scanner) (c candidate, err error) { return c, row.Scan(&c.id, &c.first, &c.shares) }, `
		SELECT j.id, a.first_job = j.id, EXISTS (
				SELECT 1 FROM shared_accounts s JOIN jobs o ON o.id = s.other_id WHERE s.job_id = j.id AND o.finished_at = 0
				UNION ALL SELECT 1 FROM shared_accounts s JOIN jobs o ON o.id = s.job_id WHERE s.other_id = j.id AND o.finished_at = 0)
		FROM jobs j JOIN apps a ON a.id = j.app_id
		WHERE j.app_id = $1 AND j.finished_at = 0 AND `+outcomeColumn(from.outcome)+` > 0
			AND (j.state IN (`+from.states+`) OR a.probe_at > 0 AND `+recovering+`)
			AND (SELECT thrown_at FROM kill_switch WHERE id = 1) = 0 AND (`+begun+` OR j.start_at <= `+s.clock+` / 1000)
			AND EXISTS (SELECT 1 FROM batches b WHERE b.job_id = j.id AND b.outcome = $2 AND b.lease_until = 0 AND b.ask = 0
				AND b.first <= CASE WHEN j.gate = 0 THEN 9223372036854775807 ELSE j.gate END -- an index finds them at once
				AND NOT (b.not_before BETWEEN `+s.clock+` / 1000 + 1 AND `+s.clock+` / 1000 + $3))
		ORDER BY CASE WHEN a.first_job = j.id THEN 0 ELSE 1 END, CASE WHEN j.claimed_at > `+s.clock+` THEN 0 ELSE j.claimed_at END, j.id`,
		appID, from.outcome, farAhead.Milliseconds())
}

// claim gives each job of the turn its share, and returns how many of them have
// had one. A claim needs the kill switch lifted, and keeps it so until the claim
// is written down.
func (s *Store) claim(ctx context.Context, tx *sql.Tx, appID string, command tim.Command, turn []candidate, limit int, lease time.Duration) (claims []jobs.Claim, served int, next time.Time, err error) {
	now, err := s.sendingNow(ctx, tx, appID, command)
	if err != nil || now.thrown {
		return nil, len(turn), time.Time{}, err
	}
	room, next := now.room()
	if room == 0 {
		return nil, len(turn), next, nil
	}
	if now.probeAt > 0 {
		taken, next, err := s.takeProbe(ctx, tx, appID, command, now, lease)
		if err != nil || !taken {
			return nil, len(turn), next, err
		}
		room = 1
	}
	limit = min(limit, room)
	if slices.ContainsFunc(turn, func(c candidate) bool { return c.shares }) {
		// Jobs with the same accounts are claimed from by one console at a time.
		if _, err := tx.ExecContext(ctx, `UPDATE apps SET first_job = first_job WHERE id = $1`, appID); err != nil {
			return nil, 0, time.Time{}, err
		}
	}
	// The jobs served longest ago have their turn, in the order of ids as locks
	// are taken. Shares are even; what one leaves goes to those after it.
	served = min(limit, len(turn))
	limit -= limit % served
	turn = slices.SortedFunc(slices.Values(turn[:served]), func(a, b candidate) int { return strings.Compare(a.id, b.id) })
	t := taking{store: s, tx: tx, appID: appID, command: command, now: now, until: now.after(lease)}
	for i, c := range turn {
		left := len(turn) - i
		if err := t.from(ctx, c, (limit-len(t.claims)+left-1)/left); err != nil {
			return nil, 0, time.Time{}, err
		}
	}
	for i := range t.claims {
		t.claims[i].Probe = now.probeAt > 0
		t.claims[i].LeaseUntil = now.local.Add(lease)
	}
	if now.probeAt > 0 && len(t.claims) == 0 { // nothing to find out with: whoever has a batch next does
		if _, err := tx.ExecContext(ctx, `UPDATE apps SET probe_at = $2 WHERE id = $1`, appID, now.probeAt); err != nil {
			return nil, 0, time.Time{}, err
		}
	}
	if err := s.reserve(ctx, tx, appID, command, now, t.claims); err != nil {
		return nil, 0, time.Time{}, err
	}
	for _, id := range t.emptied {
		if err := s.advance(ctx, tx, id); err != nil {
			return nil, 0, time.Time{}, err
		}
	}
	if len(t.claims) == 0 && len(t.emptied) > 0 {
		next = now.local // what follows may be taken at once
	}
	return t.claims, served, next, nil
}
