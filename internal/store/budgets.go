package store

import (
	"context"
	"database/sql"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// reserveAhead is how far ahead of the clock slots are given away.
const reserveAhead = 100 * time.Millisecond

// budget names the calls that share one.
type budget struct {
	app     string
	command tim.Command
}

// sendingNow is what a claim has to know of its app, all at one moment.
type sendingNow struct {
	moment
	thrown    bool
	probeAt   int64 // unix milliseconds; 0: the service is not in question
	probeWait int64
	nextSlot  int64 // unix microseconds
	interval  int64 // between slots, microseconds
}

func (s *Store) sendingNow(ctx context.Context, tx *sql.Tx, appID string, command tim.Command) (n sendingNow, err error) {
	var micros, set, pace, pacedAt int64
	err = tx.QueryRowContext(ctx, `
		SELECT k.thrown_at <> 0 OR (SELECT thrown_at FROM kill_switch WHERE id = 1) <> 0, CASE WHEN a.rate_set > 0 THEN a.rate_set ELSE a.rate END, a.probe_at, a.probe_wait,
			COALESCE(b.next_slot, 0), COALESCE(b.pace, 0), COALESCE(b.paced_at, 0), `+s.clock+`
		FROM kill_switch k JOIN apps a ON a.id = $1 LEFT JOIN budgets b ON b.app_id = a.id AND b.command = $2
		WHERE k.id = 2`+s.share, appID, command).Scan(&n.thrown, &set, &n.probeAt, &n.probeWait, &n.nextSlot, &pace, &pacedAt, &micros)
	n.moment = momentOf(micros)
	n.interval = s.interval(paceOf(pace, pacedAt).Now(float64(set), time.UnixMicro(micros)))
	return n, err
}

func paceOf(thousandths, at int64) jobs.Pace {
	return jobs.Pace{Rate: float64(thousandths) / 1000, At: time.UnixMicro(at)}
}

// interval is how far apart slots are at so many calls a second, in microseconds.
func (s *Store) interval(rate float64) int64 {
	interval := int64(float64(time.Second/time.Microsecond)/rate) + 1
	if s.postgres {
		interval += interval / 40 // consoles do not see each other's calls arrive: head-room for how much their ways differ
	}
	return interval
}

// room is how many slots can be reserved now, so that none lies far ahead; with
// none, when there will be.
func (n sendingNow) room() (slots int, next time.Time) {
	ahead := int64(0)
	if n.ahead(n.nextSlot) {
		ahead = n.nextSlot - n.micros
	}
	if ahead > reserveAhead.Microseconds() {
		return 0, n.in(n.nextSlot).Add(-reserveAhead)
	}
	return int((2*reserveAhead.Microseconds()-ahead)/n.interval) + 1, time.Time{}
}

// reserve gives each claim the next free slot: evenly spaced, never in the past,
// one budget for all jobs, processes and restarts.
func (s *Store) reserve(ctx context.Context, tx *sql.Tx, appID string, command tim.Command, now sendingNow, claims []jobs.Claim) error {
	if len(claims) == 0 {
		return nil
	}
	// Where the kept slot says nothing, since the clock was set, the slots this
	// process has given away still come first.
	mine := budget{appID, command}
	s.slotsMu.Lock()
	wait := max(0, time.Until(s.slots[mine]).Microseconds())
	s.slotsMu.Unlock()
	block := now.interval * int64(len(claims))
	var after, micros int64
	err := tx.QueryRowContext(ctx, `
		INSERT INTO budgets (app_id, command, next_slot) VALUES ($1, $2, `+s.clock+` + CAST($3 AS BIGINT) + CAST($4 AS BIGINT))
		ON CONFLICT (app_id, command) DO UPDATE SET next_slot = CAST($4 AS BIGINT) +
			CASE WHEN budgets.next_slot BETWEEN `+s.clock+` AND `+s.clock+` + CAST($5 AS BIGINT) THEN budgets.next_slot ELSE `+s.clock+` + CAST($3 AS BIGINT) END
		RETURNING next_slot, `+s.clock,
		appID, command, wait, block, farAhead.Microseconds()).Scan(&after, &micros)
	if err != nil {
		return err
	}
	first := momentOf(micros).in(after - block)
	s.slotsMu.Lock()
	defer s.slotsMu.Unlock()
	// Reading the database's clock takes a while, once more than another time. A
	// last slot that lies further ahead is of a transaction that came to nothing.
	if last := s.slots[mine]; last.After(first) && last.Before(first.Add(2*reserveAhead)) {
		first = last
	}
	for i := range claims {
		claims[i].Slot = first.Add(time.Duration(now.interval*int64(i)) * time.Microsecond)
	}
	s.slots[mine] = first.Add(time.Duration(block) * time.Microsecond)
	return nil
}

// hold lets no call of a command leave for a while, and slows it down when the
// service found its calls too frequent.
func (s *Store) hold(ctx context.Context, tx *sql.Tx, appID string, command tim.Command, hold time.Duration, slow bool) error {
	var pace, pacedAt, micros int64
	err := tx.QueryRowContext(ctx, `
		INSERT INTO budgets (app_id, command, next_slot) VALUES ($1, $2, `+s.clock+` + CAST($3 AS BIGINT))
		ON CONFLICT (app_id, command) DO UPDATE SET next_slot =
			CASE WHEN budgets.next_slot BETWEEN excluded.next_slot AND `+s.clock+` + CAST($4 AS BIGINT) THEN budgets.next_slot ELSE excluded.next_slot END
		RETURNING pace, paced_at, `+s.clock,
		appID, command, hold.Microseconds(), farAhead.Microseconds()).Scan(&pace, &pacedAt, &micros)
	if err != nil || !slow {
		return err
	}
	var set int64
	if err := tx.QueryRowContext(ctx, `SELECT CASE WHEN rate_set > 0 THEN rate_set ELSE rate END FROM apps WHERE id = $1`, appID).Scan(&set); err != nil {
		return err
	}
	slower := paceOf(pace, pacedAt).Slower(float64(set), time.UnixMicro(micros))
	_, err = tx.ExecContext(ctx, `UPDATE budgets SET pace = $3, paced_at = $4 WHERE app_id = $1 AND command = $2`,
		appID, command, int64(slower.Rate*1000), slower.At.UnixMicro())
	return err
}
