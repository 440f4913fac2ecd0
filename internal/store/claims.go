package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

const (
	// freshFor is how long tags that were read may be taken for those an account
	// has, when it is changed next; they were not read later than a moment ago.
	freshFor   = time.Minute
	freshAhead = time.Second
	// readAhead is how many batches of a job may be read and not yet changed.
	readAhead = 200
	// verify stands in batches.next for a reading after the job.
	verify = "verify"
)

// claimable are the states of the jobs that calls of a command may be made for.
// Pausing, cancelling and halting are nothing but these conditions. What was sent
// is settled even after cancelling.
func claimable(command tim.Command) string {
	if command == tim.GetTags {
		return `'queued', 'running', 'cancelled'`
	}
	return `'queued', 'running'`
}

// errand is what a batch is taken for.
type errand struct {
	next    string       // what the batch waits for
	outcome jobs.Outcome // of its accounts; "": whatever it is
}

var (
	readBack     = errand{string(tim.GetTags), jobs.InDoubt}
	planning     = errand{string(tim.GetTags), jobs.Waiting}
	verification = errand{verify, ""}
)

// errands are what calls of a command are for, the most urgent first.
func errands(command tim.Command) []errand {
	if command == tim.GetTags {
		return []errand{readBack, planning, verification}
	}
	return []errand{{string(command), jobs.Waiting}}
}

// gated reports whether it is not done for accounts beyond a job's gate. Nothing
// is read there either: an account that is not known to the service would count
// as a failure among the first.
func (e errand) gated() bool { return e.outcome == jobs.Waiting }

// where says of a batch b that it waits for the errand; an index holds such
// batches alone, in this order.
func (e errand) where() string {
	waits := `b.next = '` + e.next + `' AND b.next <> '' AND b.lease_until = 0`
	if e.outcome != "" {
		waits += ` AND b.outcome = '` + string(e.outcome) + `'`
	}
	return waits
}

func (e errand) order() string {
	if e.outcome == "" {
		return `b.outcome, b.number, b.first`
	}
	return `b.number, b.first`
}

// has says of a job j that it has such a batch. With an order PostgreSQL takes the
// index, and does not look through the job for the first it meets.
func has(where, order string) string {
	return `(SELECT b.first FROM batches b WHERE b.job_id = j.id AND ` + where + ` ORDER BY ` + order + ` LIMIT 1) IS NOT NULL`
}

// upTo says of a batch b that it does not lie beyond a gate.
func upTo(gate string) string {
	return fmt.Sprintf(`b.first <= %s AND b.number <= (%s - 1) / %d + 1`, gate, gate, jobs.BatchSize)
}

// readsFirst are the jobs j that read the tags of accounts before they change them.
const readsFirst = `(j.kind <> 'clear' OR j.snapshot = 1)`

// wereRead says of a batch b of a job that its accounts' tags were read, and wait to
// be changed; of a job that reads nothing first, that they wait.
func wereRead(job string) string {
	command := `CASE ` + job + `.kind`
	for _, k := range jobs.Kinds {
		if k.Command() != "" {
			command += ` WHEN '` + string(k) + `' THEN '` + string(k.Command()) + `'`
		}
	}
	return `b.next = ` + command + ` END AND b.next <> '' AND b.lease_until = 0 AND b.outcome = 'waiting'`
}

// isFresh says of a batch b that its tags were read just now, by a clock in milliseconds.
func isFresh(now string) string {
	return fmt.Sprintf(`b.read_at BETWEEN %s - %d AND %s + %d`, now, freshFor.Milliseconds(), now, freshAhead.Milliseconds())
}

// ahead is a moment after a time in microseconds: what lies beyond it was
// written before the clock was set back.
func ahead(micros string) string {
	return fmt.Sprintf(`CAST(%s AS BIGINT) + %d`, micros, freshAhead.Microseconds())
}

// gateOf is the gate of a job, beyond all accounts when it has none.
const gateOf = `CASE WHEN gate = 0 THEN 9223372036854775807 ELSE gate END`

// recovering are the jobs that halted because the service does not work: one
// call of theirs may find out whether it works again.
var recovering = fmt.Sprintf(`state = 'halted' AND halt_code IN (%d, %d)`, jobs.CodeDown, jobs.CodeLostAnswers)

// begun are the jobs that go on whatever time their start was set to, though the
// clock is set back to before it.
const begun = `state IN ('running', 'cancelled')`

// shares says of a job j that another one that has not ended holds some of its accounts.
const shares = `EXISTS (
	SELECT 1 FROM shared_accounts s JOIN jobs o ON o.id = s.other_id WHERE s.job_id = j.id AND o.finished_at = 0
	UNION ALL SELECT 1 FROM shared_accounts s JOIN jobs o ON o.id = s.job_id WHERE s.other_id = j.id AND o.finished_at = 0)`

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
		if lost, is := errors.AsType[*unreadableTags](err); is { // nothing was claimed: the others are not to wait for it
			err = s.haltUnreadable(ctx, lost)
			open, served = slices.DeleteFunc(open, func(c candidate) bool { return c.id == lost.jobID }), 0
		}
		open = open[served:]
	}
	if err != nil {
		return nil, time.Time{}, asTrouble(err)
	}
	return claims, next, nil
}

// candidates looks first without a lock, since mostly there is nothing to do.
func (s *Store) candidates(ctx context.Context, appID string, command tim.Command) ([]candidate, error) {
	return collect(ctx, s.read, func(row scanner) (c candidate, err error) { return c, row.Scan(&c.id, &c.first, &c.shares) },
		s.candidatesQuery(command), appID, farAhead.Milliseconds())
}

// candidatesQuery is of the app $1; no wait is longer than $2.
func (s *Store) candidatesQuery(command tim.Command) string {
	now := s.clock + ` / 1000`
	var some []string
	for _, e := range errands(command) {
		states, job, batch := claimable(tim.RemoveAllTags), `TRUE`, e.where()+` AND b.ask = 0 AND NOT (b.not_before BETWEEN `+now+` + 1 AND `+now+` + $2)`
		if e.gated() {
			batch += ` AND ` + upTo(gateOf)
		}
		switch {
		case e == readBack:
			states = claimable(tim.GetTags)
		case e == planning:
			job = `NOT EXISTS (SELECT 1 FROM batches b WHERE b.job_id = j.id AND ` + wereRead(`j`) + fmt.Sprintf(` ORDER BY b.number, b.first LIMIT 1 OFFSET %d)`, readAhead-1)
		case e == verification:
			job = `j.verify_left > 0 AND j.outcome_waiting + j.outcome_sending = 0`
		case command != tim.GetTags:
			batch += ` AND (NOT ` + readsFirst + ` OR ` + isFresh(now) + `)`
		}
		some = append(some, `(j.state IN (`+states+`) OR a.probe_at > 0 AND `+recovering+`) AND `+job+` AND `+has(batch, e.order()))
	}
	return `
		SELECT j.id, a.first_job = j.id, ` + shares + `
		FROM jobs j JOIN apps a ON a.id = j.app_id
		WHERE j.app_id = $1 AND j.finished_at = 0 AND j.accounts > 0
			AND (SELECT thrown_at FROM kill_switch WHERE id = 1) = 0 AND (` + begun + ` OR j.start_at <= ` + now + `)
			AND (` + strings.Join(some, ` OR `) + `)
		ORDER BY CASE WHEN a.first_job = j.id THEN 0 ELSE 1 END, CASE WHEN j.claimed_at > ` + ahead(s.clock) + ` THEN 0 ELSE j.claimed_at END, j.id`
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
	t := taking{store: s, tx: tx, appID: appID, command: command, now: now, until: now.after(lease), keys: keys{}}
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
