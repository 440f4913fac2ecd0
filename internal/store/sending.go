package store

import (
	"context"
	"database/sql"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// Faults of what an admin chooses.
var (
	FaultRate         = fault.Declare(fault.Invalid, "sending.rate", "Nothing was changed: the rate must be 1 to %d calls a second, or empty to use the configured one.")
	FaultFailureLimit = fault.Declare(fault.Invalid, "sending.failure_limit", "Nothing was changed: the share of failures must be 1 to 100 percent; 100 never halts a job.")
)

// Sending is how an app sends.
type Sending struct {
	SendingSettings
	Configured int       // calls a second as configured, used while Rate is 0
	FirstJob   string    // served before all others; ""
	ProbeAt    time.Time // when the next single call finds out whether the service works again; zero: not in question
	Gauges     []jobs.Gauge
}

// SendingSettings is what an admin chooses.
type SendingSettings struct {
	Rate         int  `json:"rate"`          // calls a second, 1 to 100; 0 = as configured
	FailureLimit int  `json:"failure_limit"` // percent, 1 to 100; 100 = never halt for failures
	Canary       bool `json:"canary"`
}

const settingsColumns = `a.rate_set, a.failure_limit, a.canary = 1`

func (s *SendingSettings) dest() []any { return []any{&s.Rate, &s.FailureLimit, &s.Canary} }

// Sending returns how an app sends at this moment.
func (s *Store) Sending(ctx context.Context, appID string) (now Sending, err error) {
	var micros, probeAt int64
	err = s.read.QueryRowContext(ctx, `
		SELECT `+settingsColumns+`, a.rate, COALESCE((SELECT j.id FROM jobs j WHERE j.id = a.first_job AND j.finished_at = 0), ''), a.probe_at, `+s.clock+`
		FROM apps a WHERE a.id = $1`, appID).Scan(append(now.dest(), &now.Configured, &now.FirstJob, &probeAt, &micros)...)
	if err != nil {
		return now, asTrouble(err)
	}
	at := momentOf(micros)
	if probeAt > 0 {
		now.ProbeAt = at.in(probeAt * 1000)
	}
	now.Gauges, err = s.gauges(ctx, appID, now, at)
	return now, asTrouble(err)
}

// usedOver is how long ago calls may have left that a gauge counts.
const usedOver = 5 * time.Second

func (s *Store) gauges(ctx context.Context, appID string, sending Sending, now moment) ([]jobs.Gauge, error) {
	set := sending.Rate
	if set == 0 {
		set = sending.Configured
	}
	gauges := []jobs.Gauge{{Command: tim.RemoveAllTags}, {Command: tim.GetTags}}
	by := map[tim.Command]*jobs.Gauge{tim.RemoveAllTags: &gauges[0], tim.GetTags: &gauges[1]}
	for _, g := range by {
		g.Limit, g.Set, g.Allowed = jobs.ServiceLimit, float64(set), float64(set)
	}
	type count struct {
		command tim.Command
		n       int64
	}
	scanCount := func(row scanner) (c count, err error) { return c, row.Scan(&c.command, &c.n) }
	_, err := collect(ctx, s.read, func(row scanner) (none struct{}, err error) {
		var command tim.Command
		var slot, pace, pacedAt int64
		if err = row.Scan(&command, &slot, &pace, &pacedAt); err == nil && by[command] != nil {
			s.gaugeBudget(by[command], now, slot, paceOf(pace, pacedAt))
		}
		return none, err
	}, `SELECT command, next_slot, pace, paced_at FROM budgets WHERE app_id = $1`, appID)
	if err != nil {
		return nil, err
	}
	// Times of the ledger are by the consoles' clocks.
	since, until := millis(s.now().Add(-usedOver)), millis(s.now())
	used, err := collect(ctx, s.read, scanCount, `
		SELECT c.command, COUNT(*) FROM jobs j JOIN calls c ON c.job_id = j.id
		WHERE j.app_id = $1 AND (j.finished_at = 0 OR j.finished_at > $2) AND c.sent_at > $2 AND c.sent_at <= $3 AND c.delivery <> 'not_sent'
		GROUP BY c.command`, appID, since, until)
	if err != nil {
		return nil, err
	}
	for _, c := range used {
		if by[c.command] != nil {
			by[c.command].Used = float64(c.n) / usedOver.Seconds()
		}
	}
	flying, err := collect(ctx, s.read, scanCount, `
		SELECT CASE WHEN b.outcome = 'sending' THEN $2 ELSE $3 END, COUNT(*) FROM jobs j JOIN batches b ON b.job_id = j.id
		WHERE j.app_id = $1 AND j.finished_at = 0 AND j.outcome_sending + j.outcome_in_doubt > 0
			AND b.outcome IN ('sending', 'in_doubt') AND b.lease_until > 0
		GROUP BY b.outcome`, appID, string(tim.RemoveAllTags), string(tim.GetTags))
	for _, c := range flying {
		by[c.command].InFlight = int(c.n)
	}
	return gauges, err
}

// gaugeBudget says how much of a budget is given away. A slot further ahead than
// any is reserved is a hold.
func (s *Store) gaugeBudget(g *jobs.Gauge, now moment, slot int64, pace jobs.Pace) {
	g.Allowed = pace.Now(g.Set, time.UnixMicro(now.micros))
	interval := s.interval(g.Allowed)
	switch ahead := slot - now.micros; {
	case !now.ahead(slot):
	case ahead > 2*reserveAhead.Microseconds()+interval:
		g.HeldUntil = now.in(slot)
	default:
		g.Reserved = int((ahead + interval - 1) / interval)
	}
}

// ChangeSending sets what an admin chooses; running jobs follow at once.
func (s *Store) ChangeSending(ctx context.Context, by audit.Actor, appID string, to SendingSettings) error {
	switch {
	case to.Rate < 0 || to.Rate > jobs.ServiceLimit:
		return FaultRate.With(jobs.ServiceLimit)
	case to.FailureLimit < 1 || to.FailureLimit > 100:
		return FaultFailureLimit.With()
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		// Writes first, so that what is read next is locked and current.
		if _, err := tx.ExecContext(ctx, `UPDATE apps SET rate_set = rate_set WHERE id = $1`, appID); err != nil {
			return err
		}
		var before SendingSettings
		var name string
		err := tx.QueryRowContext(ctx, `SELECT `+settingsColumns+`, name || ' (' || environment || ')' FROM apps a WHERE a.id = $1`, appID).Scan(append(before.dest(), &name)...)
		if err != nil || before == to {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE apps SET rate_set = $2, failure_limit = $3, canary = $4 WHERE id = $1`, appID, to.Rate, to.FailureLimit, number(to.Canary)); err != nil {
			return err
		}
		return s.record(ctx, tx, audit.Entry{Code: audit.AppChanged, Actor: by, Target: name, App: name, Details: map[string]any{"before": before, "after": to}})
	})
}

// PutFirst lets a job be served before all others of its app, or no longer.
func (s *Store) PutFirst(ctx context.Context, by audit.Actor, jobID string, first bool) error {
	jobID = clean(jobID, 100)
	return s.tx(ctx, func(tx *sql.Tx) error {
		query, code := `UPDATE apps SET first_job = '' WHERE first_job = $1`, audit.JobPutBack
		if first {
			query, code = `UPDATE apps SET first_job = $1 WHERE id = (SELECT app_id FROM jobs WHERE id = $1) AND first_job <> $1`, audit.JobPutFirst
		}
		result, err := tx.ExecContext(ctx, query, jobID)
		if err != nil {
			return err
		}
		changed, err := result.RowsAffected()
		if err != nil {
			return err
		}
		j, err := job(ctx, tx, jobID)
		switch {
		case err != nil:
			return err
		case first && (j.Settled() || !j.FinishedAt.IsZero()):
			return jobs.FaultWrongState.With(j.Shown())
		case changed == 0:
			return nil // it is so already
		}
		return s.record(ctx, tx, audit.Entry{Code: code, Actor: by, JobID: jobID, Details: summary(j)})
	})
}
