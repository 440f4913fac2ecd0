package store

import (
	"context"
	"database/sql"
	"time"

	"tagsweep/internal/audit"
)

// KillSwitch stops all sending, of every app, while it is thrown.
type KillSwitch struct {
	ThrownAt time.Time // zero: it is not
	ThrownBy string
	Reason   string
}

// Thrown reports whether no call may leave.
func (k KillSwitch) Thrown() bool { return !k.ThrownAt.IsZero() }

// KillSwitch returns how the kill switch stands.
func (s *Store) KillSwitch(ctx context.Context) (k KillSwitch, err error) {
	var at int64
	err = s.read.QueryRowContext(ctx, `SELECT thrown_at, thrown_by, reason FROM kill_switch WHERE id = 1`).Scan(&at, &k.ThrownBy, &k.Reason)
	k.ThrownAt = fromMillis(at)
	return k, asTrouble(err)
}

// ThrowKillSwitch stops all sending. When it returns, no batch can be claimed
// any more. Throwing it again changes nothing.
func (s *Store) ThrowKillSwitch(ctx context.Context, by audit.Actor, reason string) error {
	to := KillSwitch{ThrownAt: s.now(), ThrownBy: clean(by.Name, 100), Reason: clean(reason, 500)}
	return s.setKillSwitch(ctx, by, to, `thrown_at = 0`, audit.KillSwitchThrown)
}

// LiftKillSwitch lets sending go on where it stood. Lifting it again changes nothing.
func (s *Store) LiftKillSwitch(ctx context.Context, by audit.Actor) error {
	return s.setKillSwitch(ctx, by, KillSwitch{}, `thrown_at <> 0`, audit.KillSwitchLifted)
}

// setKillSwitch says it first, so that no claim begins any more, and then waits
// for those under way. Lifting it is one step, for else nothing could be claimed
// though it was lifted.
func (s *Store) setKillSwitch(ctx context.Context, by audit.Actor, to KillSwitch, while string, code audit.Code) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE kill_switch SET thrown_at = $1, thrown_by = $2, reason = $3 WHERE id = 1 AND `+while,
			millis(to.ThrownAt), to.ThrownBy, to.Reason)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		if !to.Thrown() {
			if _, err := tx.ExecContext(ctx, `UPDATE kill_switch SET thrown_at = 0 WHERE id = 2`); err != nil {
				return err
			}
		}
		details := map[string]any{}
		if to.Reason != "" {
			details["reason"] = to.Reason
		}
		return s.record(ctx, tx, audit.Entry{Code: code, Actor: by, Details: details})
	})
	if err != nil || !to.Thrown() {
		return err
	}
	return s.tx(ctx, func(tx *sql.Tx) error {
		var thrownAt int64 // as it is by now, whoever set it last
		if err := tx.QueryRowContext(ctx, `UPDATE kill_switch SET thrown_at = thrown_at WHERE id = 1 RETURNING thrown_at`).Scan(&thrownAt); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE kill_switch SET thrown_at = $1 WHERE id = 2`, thrownAt)
		return err
	})
}
