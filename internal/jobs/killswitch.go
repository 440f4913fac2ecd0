package jobs

import (
	"cmp"
	"context"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// KillSwitch stops all sending, of every app, while it is thrown.
type KillSwitch struct {
	ThrownAt time.Time // zero: it is not
	ThrownBy string
	Reason   string
	Hold     string // names the hold if it was thrown because the database is an older copy; "": a person threw it
}

// Thrown reports whether no call may leave.
func (k KillSwitch) Thrown() bool { return !k.ThrownAt.IsZero() }

// KillSwitch returns how the kill switch stands. It is thrown while its row or the log
// says so: somebody may have changed the row behind the console's back.
func (s *Jobs) KillSwitch(ctx context.Context) (KillSwitch, error) {
	return s.killSwitch(ctx, s.db.Reader())
}

func (s *Jobs) killSwitch(ctx context.Context, q store.Querier) (k KillSwitch, err error) {
	err = q.QueryRowContext(ctx, `SELECT thrown_at, thrown_by, reason, hold FROM kill_switch WHERE id = 1`).
		Scan(store.ScanTime(&k.ThrownAt), &k.ThrownBy, &k.Reason, &k.Hold)
	if err = store.IfNone(err, FaultIncomplete.With()); err != nil || k.Thrown() {
		return k, store.AsTrouble(err)
	}
	thrown, err := s.log.LastOf(ctx, q, audit.KillSwitchThrown)
	if err != nil || thrown == 0 {
		return k, err
	}
	lifted, err := s.log.LastOf(ctx, q, audit.KillSwitchLifted)
	if err != nil {
		return k, err
	}
	if lifted > thrown {
		e, err := s.log.Proven(ctx, q, lifted)
		if !audit.Unproven(err) && (err != nil || e.Code == audit.KillSwitchLifted) {
			return k, store.AsTrouble(err)
		}
	}
	k = KillSwitch{ThrownAt: s.db.Now()}
	if e, err := s.log.Proven(ctx, q, thrown); err == nil {
		k.ThrownAt, k.ThrownBy = e.At, e.Actor.Name
		k.Reason, _ = e.Details["reason"].(string)
		if e.Actor.ID == audit.System.ID && k.Reason == RestoredReason { // ids are given by the console
			k.Hold = "by the log"
		}
	}
	return k, nil
}

// ThrowKillSwitch stops all sending: once it returns no batch is claimed any more,
// and the last call leaves within a second. Throwing it again changes nothing.
func (s *Jobs) ThrowKillSwitch(ctx context.Context, by audit.Actor, reason string) error {
	to := KillSwitch{ThrownAt: s.db.Now(), ThrownBy: store.Clean(by.Name, 100), Reason: store.Clean(reason, 500)}
	return s.setKillSwitch(ctx, by, to, audit.KillSwitchThrown, func(now KillSwitch) bool { return !now.Thrown() })
}

// LiftKillSwitch lets sending go on where it stood. Lifting it again changes nothing.
// It returns FaultHeld when the database is an older copy: see LiftRestored.
func (s *Jobs) LiftKillSwitch(ctx context.Context, by audit.Actor) error {
	if k, err := s.KillSwitch(ctx); err != nil || k.Restored() {
		return cmp.Or(err, error(FaultHeld.With()))
	}
	return s.setKillSwitch(ctx, by, KillSwitch{}, audit.KillSwitchLifted,
		func(now KillSwitch) bool { return now.Thrown() && !now.Restored() })
}

// setKillSwitch sets it, and says so in the log, if that changes how it stands.
func (s *Jobs) setKillSwitch(ctx context.Context, by audit.Actor, to KillSwitch, code audit.Code, changes func(KillSwitch) bool) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.Exec(ctx, `UPDATE kill_switch SET id = id WHERE id = 1`); err != nil { // one change at a time
			return err
		}
		now, err := s.killSwitch(ctx, tx)
		if err != nil || !changes(now) {
			return err
		}
		err = tx.Exec(ctx, `UPDATE kill_switch SET thrown_at = $1, thrown_by = $2, reason = $3, hold = '' WHERE id = 1`,
			store.Millis(to.ThrownAt), to.ThrownBy, to.Reason)
		if err != nil {
			return err
		}
		details := map[string]any{}
		if to.Reason != "" {
			details["reason"] = to.Reason
		}
		return s.log.RecordIn(ctx, tx, audit.Entry{Code: code, Actor: by, Details: details})
	})
}

// Trouble says why no calls are made: they could not be written down.
type Trouble struct {
	Since     time.Time
	Fault     *fault.Error
	Unwritten int // batches in hand whose end could not be written down yet
}
