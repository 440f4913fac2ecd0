package store

import (
	"context"
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
	return k, AsTrouble(err)
}

// ThrowKillSwitch stops all sending: once it returns no batch is claimed any more,
// and the last call leaves within a second. Throwing it again changes nothing.
func (s *Store) ThrowKillSwitch(ctx context.Context, by audit.Actor, reason string) error {
	to := KillSwitch{ThrownAt: s.now(), ThrownBy: Clean(by.Name, 100), Reason: Clean(reason, 500)}
	return s.setKillSwitch(ctx, by, to, `thrown_at = 0`, audit.KillSwitchThrown)
}

// LiftKillSwitch lets sending go on where it stood. Lifting it again changes nothing.
func (s *Store) LiftKillSwitch(ctx context.Context, by audit.Actor) error {
	return s.setKillSwitch(ctx, by, KillSwitch{}, `thrown_at <> 0`, audit.KillSwitchLifted)
}

func (s *Store) setKillSwitch(ctx context.Context, by audit.Actor, to KillSwitch, while string, code audit.Code) error {
	return s.tx(ctx, func(tx *Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE kill_switch SET thrown_at = $1, thrown_by = $2, reason = $3 WHERE id = 1 AND `+while,
			millis(to.ThrownAt), to.ThrownBy, to.Reason)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		details := map[string]any{}
		if to.Reason != "" {
			details["reason"] = to.Reason
		}
		return s.RecordIn(ctx, tx, audit.Entry{Code: code, Actor: by, Details: details})
	})
}
